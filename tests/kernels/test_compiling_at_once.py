"""Many processes and threads that compile at once, some of them killed."""

import errno
import fcntl
import logging
import os
import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import compilers
import pytest
from compilers import SOURCE, Fake, answer, kept, leftovers, process, until

from byhand.engine.cpp.toolchain import compiler, libraries

folder = compilers.folder
fake = compilers.fake


def test_fifty_processes_at_once_compile_once(folder: Path, fake: Fake) -> None:
    fake.behave("sleep 0.2")
    go = folder.parent / "go"
    program = f"import time, pathlib\nwhile not pathlib.Path({str(go)!r}).exists(): time.sleep(0.05)\n"
    many = [process(program + "print(compiler.library(SOURCE).answer())") for _ in range(50)]
    go.touch()
    said = [one.communicate(timeout=60) for one in many]
    assert [out for out, _ in said] == ["42\n"] * 50, said
    assert len(fake.starts) == 1
    assert not leftovers(folder) and kept(folder)


def test_threads_compile_once(folder: Path, fake: Fake) -> None:
    fake.behave("sleep 0.2")
    compiler._known.clear()
    with ThreadPoolExecutor(8) as pool:
        libraries = list(pool.map(lambda _: compiler.library(SOURCE), range(8)))
    assert {id(one) for one in libraries} == {id(libraries[0])}
    assert len(fake.starts) == 1


@pytest.mark.parametrize("starting", [0.0, 0.5], ids=["at work", "starting"])
def test_a_child_forked_while_a_thread_compiles(folder: Path, fake: Fake, starting: float) -> None:
    """It has no such thread, so it must not wait for it; it does wait for the process. Nor does it keep open what the thread waits
    for: subprocess 3.11 to 3.13 reads from pipes until everyone who has their other end has closed it.
    """
    fake.behave("sleep 0.3")
    done = process(
        "import os, subprocess, threading, time\n"
        "start = subprocess._fork_exec\n"
        f"subprocess._fork_exec = lambda *words: (start(*words), time.sleep({starting}))[0]\n"
        "thread = threading.Thread(target=compiler.library, args=(SOURCE,))\n"
        "thread.start()\n"
        f"while not os.path.exists({str(fake.notes)!r}): time.sleep(0.01)\n"
        "child = os.fork()\n"
        "if child == 0: os._exit(compiler.library(SOURCE).answer())\n"
        "_, status = os.waitpid(child, 0)\n"
        "thread.join()\n"
        "print(os.waitstatus_to_exitcode(status))\n"
    )
    out, errors = done.communicate(timeout=60)
    assert out == "42\n", errors
    assert len(fake.starts) == 1


def test_killed_while_compiling(folder: Path, fake: Fake) -> None:
    fake.slow.touch()
    killed = process("compiler.library(SOURCE)", stdin=subprocess.DEVNULL)
    until(lambda: fake.starts)
    killed.kill()
    killed.communicate(timeout=60)
    fake.slow.unlink()
    (left,) = leftovers(folder)
    assert answer() == 42  # the lock was given back
    assert not fake.slow.with_name("slow.survived").exists()  # though the compiler is still at work
    fake.slow.with_name("slow.enough").touch()
    until(fake.slow.with_name("slow.survived").exists)
    assert kept(folder) and leftovers(folder) == [left]  # it could be somebody's who is still at work
    os.utime(left, (0, 0))
    answer(flags=("-DNDEBUG",))
    assert not leftovers(folder)


def test_interrupted_while_compiling(folder: Path, fake: Fake) -> None:
    fake.slow.touch()
    stopped = process("compiler.library(SOURCE)")
    until(lambda: fake.starts)
    time.sleep(0.5)  # Popen is to have returned: an interruption inside it leaves a process that nobody knows
    stopped.send_signal(signal.SIGINT)
    _, errors = stopped.communicate(timeout=60)
    assert stopped.returncode == -signal.SIGINT and "KeyboardInterrupt" in errors
    assert not leftovers(folder) and not list(folder.glob("*.so"))
    fake.slow.with_name("slow.enough").touch()
    time.sleep(0.3)
    assert not fake.slow.with_name("slow.survived").exists()  # what the compiler had started is gone, too
    fake.slow.unlink()
    assert answer() == 42


def test_an_interruption_is_not_remembered(folder: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(compiler, "load", interrupted)
        with pytest.raises(KeyboardInterrupt):
            compiler.library(SOURCE)
    assert compiler.library(SOURCE).answer() == 42


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EAGAIN])
def test_without_locks_and_beside_one_that_hangs(
    number: int, folder: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def lockf(*arguments: object) -> None:
        raise OSError(number, "not now")

    monkeypatch.setattr(fcntl, "lockf", lockf)
    monkeypatch.setattr(libraries, "PATIENCE", 0.1)
    caplog.set_level(logging.INFO, "byhand")
    assert answer() == 42
    assert ("waiting for another process" in caplog.text) == (number == errno.EAGAIN)


def test_no_threads_are_left(folder: Path, fake: Fake) -> None:
    before = threading.active_count()
    answer()
    assert threading.active_count() == before
