"""A study's database in which a bit has changed or an end is missing, and what status and report import: nothing."""

import json
import random
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from damage import EARLIER, EXPECTED, damaged
from studies import made, pretended, results, run_here, write

from byhand.__main__ import main
from byhand.study import StudyError, database, load, worker
from byhand.study.database import connect
from byhand.study.queue import Queue


@pytest.fixture
def done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The database of a study that is done."""
    monkeypatch.setattr(worker, "perform", pretended)
    return run_here(made(tmp_path, seeds=2)).folder / "study.db"


def looked_at(database: Path) -> tuple[Any, ...]:
    study = load(database.parents[1] / "study.yaml", folder=database.parent)
    return results(study), study.status().line


def test_a_damaged_database_is_refused_or_hit_where_nothing_is(done: Path) -> None:
    """A sample; many_damaged_files.py takes thousands. Much of SQLite's file is empty room, and what Optuna keeps for itself."""
    good, expected = done.read_bytes(), looked_at(done)
    used = [at for at, byte in enumerate(good) if byte]
    rng, refused = random.Random(4), list[str]()
    flipped = [good[:at] + bytes([good[at] ^ 1 << rng.randrange(8)]) + good[at + 1 :] for at in rng.sample(used, 20)]
    for content in (*flipped, *damaged(good, 10, "database")):
        done.write_bytes(content)
        try:
            found = looked_at(done)
        except StudyError as problem:
            refused.append(str(problem))
        else:
            assert found == expected
    assert len(refused) >= 10 and all(one.startswith("storage: ") and "\n" not in one for one in refused)


@pytest.mark.parametrize("length", [0, 1, 100, 511, 512, 4096])
def test_a_database_that_is_cut_short_is_not_taken_for_a_new_one(
    length: int, done: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "STARTING", 0.2)
    done.write_bytes(done.read_bytes()[:length])
    for _ in range(2):
        with pytest.raises(StudyError, match="is damaged"):
            looked_at(done)
    assert done.stat().st_size == length


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE trial_user_attributes SET value_json = replace(value_json, '\"steps\": 5', '\"steps\": 4') WHERE trial_id = 1",
        "UPDATE trial_user_attributes SET value_json = replace(value_json, '\"seed\": 1', '\"seed\": 3') WHERE key = 'config'",
        "UPDATE trial_user_attributes SET value_json = replace(value_json, 'adding', 'addinf') WHERE key = 'task'",
        "UPDATE trial_user_attributes SET value_json = '5' WHERE key = 'result'",
        "DELETE FROM trial_user_attributes WHERE key = 'result_seal' AND trial_id = 2",
        "UPDATE trials SET state = 'DONE' WHERE trial_id = 1",
        "UPDATE trials SET datetime_start = 'yesterday' WHERE trial_id = 1",
    ],
)
def test_what_differs_from_its_seal_is_refused(change: str, done: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the file itself is in order."""
    with sqlite3.connect(done) as connection:
        assert connection.execute(change).rowcount
    words = [str(done.parents[1] / "study.yaml"), "--folder", str(done.parent)]
    for command in ("run", "status", "report"):
        assert main(["study", command, *words]) == 2
        error = capsys.readouterr().err
        assert "is damaged (" in error and "bring it back from a copy, or move it away" in error and error.count("\n") == 1


def test_a_queue_of_an_earlier_release_is_still_read(tmp_path: Path) -> None:
    """It has no seals."""
    with sqlite3.connect(tmp_path / "study.db") as connection:
        connection.executescript((EARLIER / "study.sql").read_text())
    study = made(tmp_path)
    queue = Queue(connect(sqlalchemy.make_url(f"sqlite:///{tmp_path}/study.db"), 60), study.specification.name)
    found = {key: run_state.result for key, run_state in queue.run_states().items()}
    assert found == EXPECTED["study"] and len(found) == 4


# No imports


OWN = """
from pathlib import Path
from byhand import cells
from byhand.tasks import Adding

Path(__file__).with_name("marked").touch()
cell = cells.peephole

class Mine(Adding):
    def __init__(self, length: int = 4, scale: float = 1.0, seed: int = 0) -> None:
        super().__init__(length, 4, 5, 16, seed)
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study of a task and a cell of one's own, done; the module's mark is taken away."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(worker, "perform", pretended)
    Path("own_mark.py").write_text(OWN)
    path = write(
        tmp_path,
        tasks={"mine": {"class_path": "own_mark.Mine", "init_args": {"scale": 2}}},
        variants={"lstm": {"cell": "lstm"}, "own": {"cell": "own_mark:cell"}},
    )
    sys.modules.pop("own_mark", None)
    run_here(load(path))
    del sys.modules["own_mark"]
    Path("marked").unlink()
    return path


def test_status_and_report_import_nothing(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("status", "report"):
        assert main(["study", command, str(own)]) == 0
        assert "6 of 6 runs done" in capsys.readouterr().out
    assert not Path("marked").exists() and "own_mark" not in sys.modules
    without = load(own, imports=False)
    seen, keys = results(without), [row["key"] for row in without.table()]
    assert not Path("marked").exists()
    assert results(load(own)) == seen and [row["key"] for row in load(own).table()] == keys
    assert Path("marked").exists()
    with pytest.raises(StudyError, match="run: expected a study that was loaded with imports"):
        without.run()


def test_without_imports_what_was_never_run_waits(own: Path) -> None:
    content = own.read_text()
    for changed in (content.replace("scale: 2", "scale: 3"), content.replace("own_mark.Mine", "own_mark.Other")):
        own.write_text(changed)
        assert load(own, imports=False).status().total == {"waiting": 6}
    own.write_text(content.replace("name: small", "name: new"))
    assert load(own, imports=False).status().total == {"waiting": 6}
    own.write_text(content.replace("metric: test_mse", "metric: test_msee"))
    with pytest.raises(
        StudyError, match=r"tasks: mine: metric: expected one of seconds, steps, test_mse, val_mse; got 'test_msee'"
    ):
        load(own, imports=False).status()
    assert not Path("marked").exists()


def test_a_study_of_byhands_own_tasks_is_checked_as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "perform", pretended)
    path = write(tmp_path, metric="test_msee")
    with pytest.raises(StudyError, match="metric: expected one of seconds, steps, test_loss"):
        load(path, imports=False)
    assert json.dumps(results(run_here(made(tmp_path)))) == json.dumps(
        results(load(write(tmp_path), folder=tmp_path / "kept", imports=False))
    )
