"""Studies on machines that fail: clocks that are set back, workers that die, full disks."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from optuna.exceptions import StorageInternalError
from studies import fill, made, on, results, run_here, silence, states
from test_study_queue import make, make_on  # noqa: F401 (fixtures)
from test_study_workers import _quick_starts, notes, undisturbed  # noqa: F401 (fixtures)

from byhand.study import Study, StudyError, run
from byhand.study.trouble import is_full, reason

Make = Callable[..., Study]


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, str]]:
    """What a run says, and when."""
    lines = list[tuple[float, str]]()

    @contextmanager
    def shown(now: object) -> Iterator[Callable[..., None]]:
        yield lambda now, *new: lines.extend((time.monotonic(), line) for line in new)

    monkeypatch.setattr(run, "_shown", shown)
    return lines


# Clocks


def test_a_sign_of_life_from_the_future_is_none(make_on: Make) -> None:  # noqa: F811
    """A worker has died, and the clock been set back by a day: its sign would count until tomorrow."""
    study = make_on(seeds=1, variants={"lstm": {"cell": "lstm"}})
    fill(study)
    claim = study._open().claim([run.key for run in study.plan.runs({})])
    assert claim is not None
    silence(study._open(), hours=-24)
    assert study.status().total["running"] == 0 and states(study) == {"FAIL": 1}
    run_here(study)
    assert states(study) == {"FAIL": 1, "COMPLETE": 1} and len(study.table()) == 1
    assert not claim.finish({"metrics": {}, "steps": 0, "seconds": 0.0}, 0.0)  # should the worker live after all


def test_a_clock_that_is_a_little_off_is_no_matter(make: Make) -> None:  # noqa: F811
    study = make(seeds=1, lost_after=60)
    fill(study)
    queue = study._open()
    assert queue.claim([run.key for run in study.plan.runs({})]) is not None
    with queue.storage.engine.begin() as connection:
        connection.execute(sqlalchemy.text("UPDATE trial_heartbeats SET heartbeat = datetime(heartbeat, '+30 seconds')"))
    queue.recover()
    assert states(study)["RUNNING"] == 1


# Workers


@pytest.mark.usefixtures("_quick_starts")
def test_each_death_of_a_worker_is_said_once(notes: Path, tmp_path: Path, printed: list[tuple[float, str]]) -> None:  # noqa: F811
    """Of one that died for ever the run would be given up in the end: test_study_queue.py."""
    now = made(tmp_path, **on("Dying", notes, seeds=1, variants={"lstm": {"cell": "lstm"}})).run()
    assert now.complete and states(made(tmp_path)) == {"FAIL": 2, "COMPLETE": 1}
    deaths = [(at, line) for at, line in printed if line.startswith("worker death ")]
    assert [line for _, line in deaths] == [
        f"worker death {number} of this run: killed by SIGKILL (out of memory?), with adding, lstm, seed 0 under way"
        for number in (1, 2)
    ]
    happened = sorted(float(path.name) for path in (notes / "deaths").iterdir())
    assert all(0 < said - at < 10 for (said, _), at in zip(deaths, happened, strict=True))


@pytest.mark.usefixtures("_quick_starts")
def test_a_worker_that_cannot_go_on_says_why(notes: Path, tmp_path: Path, printed: list[tuple[float, str]]) -> None:  # noqa: F811
    """Its process ends with an error of its own, between runs."""
    study = made(tmp_path, **on("Slow", notes, seeds=1))
    (notes / "at once").touch()
    study._open()
    (study.folder / "workers.log").mkdir()  # which a worker cannot write to
    assert study.run().total == {"waiting": 2}
    assert [line for _, line in printed if line.startswith("worker death")] == [
        "worker death 1 of this run: ended with status 1"
    ]


# Full disks


def full(statement: str = "") -> sqlalchemy.exc.OperationalError:
    return sqlalchemy.exc.OperationalError(statement, {}, sqlite3.OperationalError("database or disk is full"))


def test_a_full_disk_is_named() -> None:
    wrapped = StorageInternalError("An exception is raised during the commit.")
    wrapped.__cause__ = full()
    for error in (full(), wrapped, OSError(28, "No space left on device"), OSError(122, "Disk quota exceeded")):
        assert is_full(error) and reason(error).startswith("the disk is full (") and reason(error).endswith("): make room")
    locked = sqlalchemy.exc.OperationalError("", {}, sqlite3.OperationalError("database is locked"))
    assert (
        not is_full(locked) and reason(locked) == "the database does not answer ((sqlite3.OperationalError) database is locked)"
    )


@pytest.mark.usefixtures("_quick_starts")
def test_a_disk_that_is_full_for_a_while(notes: Path, tmp_path: Path, printed: list[tuple[float, str]]) -> None:  # noqa: F811
    """Workers cannot write from the middle of their first runs on, until the run has said so and some seconds more."""
    study = made(tmp_path / "full", **on("Filling", notes, name="full"))
    begun = list[float]()

    def make_room() -> None:
        while not (notes / "full").exists():
            time.sleep(0.05)
        begun.append(time.monotonic())
        while not any("disk is full" in line for _, line in printed) and time.monotonic() < begun[0] + 20:
            time.sleep(0.05)
        time.sleep(3)
        (notes / "full").unlink()

    thread = threading.Thread(target=make_room, daemon=True)
    thread.start()
    now = study.run(workers=2)
    thread.join()
    said = [(at, line) for at, line in printed if "disk is full" in line]
    assert len(said) == 1 and said[0][0] - begun[0] < 10
    assert said[0][1].startswith("the disk is full ((sqlite3.OperationalError) database or disk is full): make room; trying on")
    assert now.complete and states(study)["COMPLETE"] == 6 and set(states(study)) <= {"COMPLETE", "PRUNED"}
    assert not [line for _, line in printed if line.startswith("worker death")]
    assert results(study) == undisturbed(tmp_path / "undisturbed", notes)


def test_a_disk_that_is_full_before_anything_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Said at once: there is nothing to wait for, and nothing to lose."""
    study = made(tmp_path)

    def refuse(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith(("CREATE", "INSERT", "UPDATE")):
            raise full(statement)

    sqlalchemy.event.listen(sqlalchemy.engine.Engine, "before_cursor_execute", refuse)
    try:
        begun = time.monotonic()
        with pytest.raises(StudyError, match=r"^storage: .*the disk is full \(.*database or disk is full\): make room$"):
            study.run(show=False)
        assert time.monotonic() - begun < 5
    finally:
        sqlalchemy.event.remove(sqlalchemy.engine.Engine, "before_cursor_execute", refuse)
    assert run_here(study).status().complete
