"""Workers that are killed, that are asked to stop, that cannot start: the study comes to the same results."""

import multiprocessing
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT
from studies import made, on, results, run_here, silence, states, write

from byhand.study import pool


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """Where the slow task says which process works at it."""
    folder = tmp_path / "notes"
    folder.mkdir()
    return folder


@pytest.fixture
def _quick_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers that are forked from a process that has imported everything, once for all tests."""
    multiprocessing.set_forkserver_preload(["byhand.study.study", "study_tasks", __name__])
    monkeypatch.setattr(pool, "METHOD", "forkserver")


def undisturbed(folder: Path, notes: Path, **changes: object) -> list[dict]:
    """The results of the slow study, by a process that nothing happens to."""
    (notes / "at once").touch()
    found = results(run_here(made(folder, **on("Slow", notes, **changes))))
    (notes / "at once").unlink()
    return found


def at_work(notes: Path) -> Iterator[int]:
    """The processes that work at a run, each once, as they turn up."""
    while True:
        for path in notes.glob("[0-9]*"):
            path.unlink()
            yield int(path.name)
        time.sleep(0.05)


def kill(process: int, number: int = signal.SIGKILL) -> None:
    """It, if it is still there."""
    try:
        os.kill(process, number)
    except ProcessLookupError:
        return


@pytest.mark.usefixtures("_quick_starts")
@pytest.mark.parametrize("storage", ["sqlite", "postgresql"])
def test_killed_workers_lose_nothing(storage: str, notes: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Twice a worker in the middle of a run; the study is done by those that take their places."""
    address = None if storage == "sqlite" else request.getfixturevalue("database")
    study = made(tmp_path / "killed", **on("Slow", notes, name="killed", storage=address, lost_after=30))
    killed = list[int]()

    def killing() -> None:
        for process in at_work(notes):
            kill(process)
            killed.append(process)
            if len(killed) == 2:
                (notes / "at once").touch()
                return

    thread = threading.Thread(target=killing, daemon=True)
    thread.start()
    now = study.run(workers=2, show=False)
    thread.join()
    assert now.complete and len(set(killed)) == 2
    found = states(study)
    assert found["COMPLETE"] == 6 and 1 <= found["FAIL"] <= 2  # killed between two runs a worker loses none
    assert set(found) <= {"COMPLETE", "FAIL", "PRUNED"}  # pruned: what two workers queued anew at once
    assert results(study) == undisturbed(tmp_path / "undisturbed", notes)


def machine(folder: Path, notes: Path) -> None:
    """Runs the slow study, in a group of processes of its own."""
    os.setsid()
    pool.METHOD = "fork"
    made(folder, **on("Slow", notes)).run(workers=2, show=False)


@pytest.mark.usefixtures("_quick_starts")
def test_a_machine_that_dies_loses_nothing(notes: Path, tmp_path: Path) -> None:
    """All processes at once, so that nobody is left to notice; the next run does."""
    process = multiprocessing.get_context("forkserver").Process(target=machine, args=(tmp_path, notes))
    process.start()
    assert process.pid
    next(at_work(notes))
    os.killpg(process.pid, signal.SIGKILL)
    process.join()
    (notes / "at once").touch()
    study = made(tmp_path, **on("Slow", notes))
    assert study.status().total["running"] >= 1
    silence(study._open())
    assert study.status().total["running"] == 0
    run_here(study)
    assert study.status().complete and states(study)["FAIL"] >= 1
    assert results(study) == undisturbed(tmp_path / "undisturbed", notes)


def interrupt(notes: Path, *, times: int) -> threading.Thread:
    """Sends this process Ctrl-C as soon as a worker is in the middle of a run."""

    def send() -> None:
        next(at_work(notes))
        for _ in range(times):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.3)

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    return thread


@pytest.mark.usefixtures("_quick_starts")
@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_finishes_what_is_under_way_and_twice_drops_it(
    times: int, notes: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    study = made(tmp_path, **on("Slow", notes, seeds=3))
    thread = interrupt(notes, times=times)
    now = study.run(workers=1)
    thread.join()
    assert study.stopped and not now.total["running"] and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    told = capfd.readouterr().out
    if times == 1:
        assert now.total["done"] in (1, 2) and states(study) == {"COMPLETE": now.total["done"], "WAITING": now.total["waiting"]}
        assert "finishing the runs under way; Ctrl-C again to drop them" in told and "done    adding, lstm, seed 0" in told
    else:
        assert now.total == {"waiting": 6} and states(study) == {"PRUNED": 1, "WAITING": 5}
    (notes / "at once").touch()
    assert run_here(study).status().complete
    assert results(study) == undisturbed(tmp_path / "undisturbed", notes, seeds=3)


TERMINAL = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"  # what is typed comes in a pipe


def test_on_a_terminal_a_table_keeps_up_and_ctrl_c_reaches_the_parent_only(notes: Path, tmp_path: Path) -> None:
    path = write(tmp_path, **on("Slow", notes))
    words = [sys.executable, "-m", "byhand", "study", "run", str(path), "--folder", str(tmp_path / "kept")]
    process = subprocess.Popen(
        [sys.executable, "-c", TERMINAL, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=ROOT / "tests" / "support",  # where the task is
        env=os.environ | {"TERM": "xterm", "COLUMNS": "100"},
    )
    assert process.stdin and process.stdout

    def type_ctrl_c() -> None:
        next(at_work(notes))
        os.write(process.stdin.fileno(), b"\x03")

    threading.Thread(target=type_ctrl_c, daemon=True).start()
    shown = process.stdout.read().decode()
    process.stdin.close()
    process.stdout.close()
    assert process.wait() == 130, shown
    assert "0/3, 1 running" in shown and "Traceback" not in shown and "finishing the runs" in shown
    assert re.search(r"[12] of 6 runs done, [45] waiting", shown) and "byhand: stopped; to go on: byhand study run" in shown


@pytest.mark.usefixtures("_quick_starts")
def test_workers_that_cannot_start_end_the_run(notes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = made(tmp_path)
    started = pool.Pool.start

    def start(self: pool.Pool, count: int) -> None:
        (study.folder / "workers.log").mkdir(exist_ok=True)  # which a worker cannot write to
        started(self, count)

    monkeypatch.setattr(pool.Pool, "start", start)
    now = study.run(show=False)
    assert now.total == {"waiting": 6}
