"""byhand study as it is typed: what it says, what it refuses, and that a refusal leaves nothing behind."""

import re
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from studies import SMALL, made, on, pretended, run_here, write

from byhand.__main__ import main
from byhand.study import StudyError, load, worker

ADDING = SMALL["tasks"]["adding"]
SEARCH = {"learning_rate": {"low": 1e-3, "high": 1e-1}, "trials": 2}
FREE = {"hidden_size": 2}


def adding(**changes: object) -> dict:
    return {"tasks": {"adding": ADDING | changes}}


REFUSED = [
    ({"varients": {}}, "study.yaml: expected names out of name, storage, tasks,", "got 'varients': variants?"),
    ({"name": "../other"}, "name: expected letters, digits and - _ . only", "got '../other'"),
    (
        {"tasks": None},
        "tasks: expected at least one, as in tasks: {name: {...}}; got None",
    ),
    ({"tasks": {"adding": "Adding"}}, "tasks: adding: expected a mapping, got 'Adding'"),
    ({"tasks": {"adding": {}}}, "tasks: adding: expected class_path, the name of a class of byhand.tasks"),
    (adding(class_path="Addding"), "tasks: adding: expected class_path to be one of Adding, ", "got 'Addding'"),
    (
        adding(class_path="nowhere.Task"),
        "class_path nowhere.Task: expected a module that can be imported, got ModuleNotFoundError: No module named 'nowhere'",
    ),
    (adding(class_path="byhand.tasks.Form"), "or module.Class of your own; got 'byhand.tasks.Form'"),
    (
        adding(init_args={"lenght": 5}),
        "init_args: expected names out of length, batch_size, batches, sequences; got 'lenght': length?",
    ),
    (adding(init_args={"length": "long"}), "tasks: adding: init_args: length: expected a whole number, got 'long'"),
    (adding(init_args={"length": 2}), "tasks: adding: init_args: length: expected at least 4, got 2"),
    (adding(init_args={"seed": 2}), "init_args: expected no seed, for each run's own is the task's; got 2"),
    (adding(form={}), "tasks: adding: expected names out of class_path, init_args, model, training, metric, goal; got 'form'"),
    ({"variants": {}}, "variants: expected at least one"),
    ({"variants": {False: {"cell": "lstm"}}}, "variants: expected names, got False: put it in quotes"),
    ({"variants": {"lstm": {"cel": "lstm"}}}, "variants: lstm: expected names out of cell, hidden_size,", "got 'cel': cell?"),
    ({"variants": {"lstm": {"cell": "lsmt"}}}, "variants: lstm, on adding: expected a cell out of ", "got 'lsmt'"),
    ({"variants": {"lstm": {"proj_size": 4}}}, "variants: lstm, on adding: ", "proj_size"),
    ({"variants": {"lstm": {"bidirectional": 1}}}, "variants: lstm: bidirectional: expected true or false, got 1"),
    ({"model": {"form": {}}}, "model: expected names out of cell, hidden_size,", "got 'form'"),
    ({"model": [1]}, "model: expected a mapping, got [1]"),
    ({"model": {"learning_rate": "fast"}}, "learning_rate: expected a number, got 'fast'"),
    ({"model": {"learning_rate": -1}}, "expected a finite learning_rate above 0; got -1"),
    ({"training": {}}, "training: expected max_steps or max_epochs, got neither"),
    ({"training": {"max_step": 5}}, "training: expected names out of max_steps,", "got 'max_step': max_steps?"),
    ({"training": {"max_steps": 5, "stop": {"metric": "val_mse"}}}, "stop: expected metric and at_least or at_most,"),
    (
        {"training": {"max_steps": 5, "stop": {"metric": "val_mes", "at_most": 1}}},
        "stop: expected one of train_loss, val_loss,",
        "'val_mes'",
    ),
    ({"seeds": 0}, "seeds: expected how many, or a list of whole numbers from 0 to 2^32 - 1; got 0"),
    ({"seeds": [1, 1]}, "seeds: expected each once, got [1, 1]"),
    ({"base": "gru"}, "base: expected one of the variants lstm, no forget gate; got 'gru'"),
    (
        {"metric": "test_msee"},
        "tasks: adding: metric: expected one of seconds, steps, test_loss, test_mae, test_mse,",
        "got 'test_msee'",
    ),
    ({"goal": "min"}, "goal: expected minimise or maximise, got 'min'"),
    ({"retries": -1}, "retries: expected a whole number of at least 0, got -1"),
    ({"lost_after": 1}, "lost_after: expected a whole number of at least 2, got 1"),
    (
        {"search": SEARCH},
        "search: expected settings that nothing else sets; got learning_rate, set in model, or tasks: adding: model, too",
    ),
    ({"search": SEARCH | {"trials": 0}}, "search: trials: expected a whole number of at least 1, got 0"),
    ({"search": {"trials": 2}}, "search: expected settings to search, as in learning_rate: {low: 1e-3, high: 1e-1, log: true}"),
    ({"search": SEARCH | {"rate": {}}}, "search: expected names out of cell, hidden_size,", "got 'rate'"),
    ({"search": SEARCH | {"clip": {"low": 2, "high": 1}}}, "search: clip: expected low below high; got 2 and 1"),
    ({"search": SEARCH | {"clip": {"low": 0, "high": 1, "log": True}}}, "expected low below high, and above 0; got 0 and 1"),
    ({"search": SEARCH | {"clip": 3}}, "search: clip: expected low and high, and perhaps log: true; or choices: got 3"),
    ({"search": SEARCH | {"hidden_size": {"low": 1.5, "high": 3}}}, "search: hidden_size: expected a whole number, got 1.5"),
    (
        {"search": SEARCH | {"seed": 1}, "model": FREE},
        "seed: expected one that is not among the seeds, which are to judge; got 1",
    ),
    (
        {"search": SEARCH, "model": FREE, "training": {"max_steps": 5, "validate_every": 0}},
        "validate_every: expected at least 1",
    ),
    ({"metric": ["test_mse"]}, "metric: expected a name, such as test_mse; got ['test_mse']"),
    ({"base": ["lstm"]}, "base: expected one of the variants lstm, no forget gate; got ['lstm']"),
    ({"seeds": [2**32]}, "seeds: expected how many, or a list of whole numbers from 0 to 2^32 - 1; got [4294967296]"),
    ({"tasks": {"a": {"class_path": ".foo.Task"}}}, "class_path .foo.Task: expected a module that can be imported, got "),
    ({"training": {"max_steps": 0}}, "training: max_steps: expected at least 1, got 0"),
    ({"training": {"max_epochs": -1}}, "training: max_epochs: expected at least 1, got -1"),
    ({"training": {"max_steps": 5, "trainer": {"foo": 1}}}, "training: trainer: expected names out of ", "got 'foo'"),
    (
        {"training": {"max_steps": 5, "stop": {"metric": ["val_mse"], "at_most": 1}}},
        "stop: expected one of ",
        "got ['val_mse']",
    ),
    ({"training": {"max_steps": 5, "stop": {"metric": "val_mse", "at_most": None}}}, "stop: expected a number, got None"),
    (
        {"training": {"max_steps": 5, "stop": {"metric": "val_mse", "at_most": 1, "times": 0}}},
        "stop: times: expected a whole number of at least 1, got 0",
    ),
    ({"training": {"max_steps": 5, "stop": {"metric": "val_mse", "at_least": "abc"}}}, "stop: expected a number, got 'abc'"),
    (
        {"training": {"max_steps": 5, "validate_every": 0, "stop": {"metric": "train_loss", "at_most": 1}}},
        "stop: expected validate_every of at least 1, for it goes by validation; got 0",
    ),
    (
        {"storage": "postgresql://me:secret@localhost:abc/x"},
        "expected null or an address",
        "postgresql://me:***@localhost:abc/x",
    ),
    ({"storage": 5}, "storage: expected null or a database's address, got 5"),
    (
        {"storage": "nonsense"},
        "storage: expected null or an address, as in postgresql+psycopg://user@host/database; got 'nonsense'",
    ),
    ({"storage": "sqlite://"}, "storage: expected a file, which several processes can share; got 'sqlite://'"),
    (
        {"storage": "oracledb://me:secret@nowhere/x"},
        "expected a database that can be reached, got from oracledb://me:***@nowhere/x: ",
    ),
    ({"storage": "postgresql://me:secret@127.0.0.1:1/x"}, "got from postgresql+psycopg://me:***@127.0.0.1:1/x: ", "refused"),
]


@pytest.mark.parametrize(("changes", "messages"), [(changes, messages) for changes, *messages in REFUSED])
def test_refusals_are_one_line_and_leave_nothing(
    changes: dict, messages: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, **changes)
    assert main(["study", "run", "study.yaml"]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and re.fullmatch(r"byhand: [^\n]+\n", printed.err), printed.err
    for message in messages:
        assert message in printed.err
    assert "secret" not in printed.err
    assert [path.name for path in tmp_path.iterdir()] == ["study.yaml"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("variants:\n  a: {cell: lstm}\n  a: {cell: gru}\n", "study.yaml, line 3: expected YAML, got: 'a' stands there twice"),
        ("tasks: [1\n", "study.yaml, line 2: expected YAML, got: "),
        ("just words\n", "study.yaml: expected name, tasks, variants and so on, got str"),
        ("", "study.yaml: expected name, tasks, variants and so on, got NoneType"),
        ("a: \x00", "study.yaml: expected YAML, got: "),
        ("name: 2020-13-45\n", "study.yaml: expected YAML, got: month must be in 1..12"),
        (b"a: \xff", "study.yaml: expected text in UTF-8, got: "),
    ],
)
def test_what_is_no_yaml(
    text: str | bytes, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    assert main(["study", "status", "study.yaml"]) == 2
    assert f"byhand: {message}" in capsys.readouterr().err


def test_numbers_are_read_as_people_mean_them(tmp_path: Path) -> None:
    path = write(tmp_path, model={"learning_rate": 0.001, "hidden_size": 2}, training={"max_steps": 1000})
    plain = [run.key for run in load(path).plan.runs({})]
    path.write_text(
        path.read_text().replace("learning_rate: 0.001", "learning_rate: 1e-3").replace("max_steps: 1000", "max_steps: 1e3")
    )
    assert "1e-3" in path.read_text() and [run.key for run in load(path).plan.runs({})] == plain


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "study: the following arguments are required: run | status | report; see byhand study --help"),
        (["walk", "x"], "invalid choice: 'walk'"),
        (["run"], "study: the following arguments are required: file"),
        (["run", "study.yaml", "--workers", "two"], "argument --workers: invalid int value: 'two'"),
        (["run", "study.yaml", "--workers", "0"], "workers: expected at least 1, got 0"),
        (["run", "study.yaml", "--threads", "0"], "threads: expected at least 1, got 0"),
        (["run", "nowhere.yaml"], "nowhere.yaml: expected a study's file, got: No such file or directory"),
        (["run", "."], ".: expected a study's file, got: Is a directory"),
        (
            ["run", "study.yaml", "--folder", "study.yaml"],
            "study.yaml: expected a folder to write to, got: File exists: name another",
        ),
        (
            ["run", "study.yaml", "--folder", "study.yaml/x"],
            "expected a folder to write to, got: Not a directory: name another with",
        ),
        (["run", "study.yaml", "--folder", "/proc/x"], "/proc/x: expected a folder to write to, got: "),
        (["report", "study.yaml"], "small: expected runs that are done, got none yet: byhand study run study.yaml"),
    ],
)
def test_wrong_words(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path)
    assert main(["study", *words]) == 2
    printed = capsys.readouterr().err
    assert message in printed and re.fullmatch(r"byhand: [^\n]+\n", printed), printed
    assert [path.name for path in tmp_path.iterdir()] == ["study.yaml"]


def test_a_file_that_is_no_database(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("byhand.study.database.TRIES", 1)
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/study.db").write_text("not a database, but a text that is long enough to be looked at " * 20)
    words = [str(write(tmp_path)), "--folder", str(tmp_path / "kept")]
    for command in ("run", "status", "report"):
        assert main(["study", command, *words]) == 2
        assert "file is not a database" in capsys.readouterr().err


def test_run_status_and_report(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "perform", pretended)
    monkeypatch.chdir(tmp_path)
    write(tmp_path)
    assert main(["study", "status", "study.yaml"]) == 0
    assert "0 of 6 runs done, 6 waiting\nnothing runs; to go on: byhand study run study.yaml\n" in capsys.readouterr().out
    assert not Path("runs").exists()
    run_here(load("study.yaml"))
    assert main(["study", "run", "study.yaml"]) == 0  # there is nothing left to run
    assert "its tables and pictures: byhand study report study.yaml" in capsys.readouterr().out
    assert main(["study", "report", "study.yaml"]) == 0
    printed = capsys.readouterr().out
    assert "no forget gate" in printed and "Wilcoxon's signed-rank test" in " ".join(printed.split())
    for name in ("results.csv", "report.md", "small-1-adding.png", "small-1-adding.svg"):
        assert f"runs/studies/small/{name}" in printed and Path("runs/studies/small", name).exists()


def test_exit_status_says_that_runs_failed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "fail").touch()
    changes = on("Failing", tmp_path, retries=0, variants={"lstm": {"cell": "lstm"}})
    run_here(made(tmp_path, **changes))
    path = str(write(tmp_path, **changes))
    assert main(["study", "run", path, "--folder", str(tmp_path / "kept")]) == 1
    assert "failed 1 time: adding, lstm, seed 1: RuntimeError: no batch for seed 1\n" in capsys.readouterr().out


def test_a_database_that_stops_answering(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = run_here(made(tmp_path))
    (study.folder / "study.db").write_text("")
    with pytest.raises(StudyError, match=r"storage: sqlite:.* stopped answering: .*no such table"):
        study.table()


def test_the_page_of_studies_is_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its studies can be loaded, its program runs."""
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs/studies.md").read_text(encoding="utf-8")
    studies = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert len(studies) == 2
    for text in studies:
        Path("odyssey.yaml").write_text(text.replace("postgresql+psycopg://study@dbhost/studies", "sqlite:///here.db"))
        assert load("odyssey.yaml").status().total["waiting"] >= 20
    monkeypatch.setattr(worker, "perform", pretended)
    monkeypatch.setattr("byhand.study.study.watch", lambda plan, *_, **__: (run_here(load("odyssey.yaml")).status(), False))
    (program,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    Path("analysis.py").write_text(program)
    monkeypatch.setitem(sys.modules, "__main__", sys.modules[__name__])
    exec(compile(program, "analysis.py", "exec"), {"__name__": "__main__"})


@pytest.mark.parametrize("text", ["1 / 0", "def f(:", "import sys\nsys.exit(3)"])
def test_modules_of_one_s_own_that_do_not_work(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task's and a cell's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "broken_module.py").write_text(text)
    for changes in (
        {"tasks": {"a": {"class_path": "broken_module.Task"}}},
        {"variants": {"mine": {"cell": "broken_module:cell"}}, "base": "mine"},
    ):
        write(tmp_path, **changes)
        assert main(["study", "run", "study.yaml"]) == 2
        told = capsys.readouterr().err
        assert "expected a module that can be imported, got " in told and told.count("\n") == 1


def test_names_are_shown_as_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Brackets, which rich would take for markup, and dollars, which matplotlib would take for formulas."""
    monkeypatch.setattr(worker, "perform", pretended)
    monkeypatch.chdir(tmp_path)
    names = ["keep [mine]", "a [/b]", r"$\foo{$"]
    variants = {name: {"cell": "lstm", "clip": float(at)} for at, name in enumerate(names)}
    task = {"class_path": "Adding", "init_args": {"length": 4}}
    run_here(load(write(tmp_path, variants=variants, base=names[0], tasks={"adding [x]": task, "[/y]": task})))
    for command in ("status", "report"):
        assert main(["study", command, "study.yaml"]) == 0
        out = capsys.readouterr().out
        assert all(name in out for name in [*names, "adding [x]", "[/y]"])


def test_a_search_without_success_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(worker, "perform", lambda config: {}[0])
    path = write(tmp_path, search=SEARCH, model=FREE, variants={"lstm": {"cell": "lstm"}}, retries=0)
    monkeypatch.setattr("byhand.study.study.watch", lambda plan, *_, **__: (run_here(load(path)).status(), False))
    assert main(["study", "run", "study.yaml"]) == 1
    told = capsys.readouterr().err
    assert "adding, lstm: no trial of the search succeeded, so that nothing could be chosen" in told
    assert "ended early" not in told and "not tried again unless retries is raised" in told
