"""Compilers that are shell scripts, and what a new process would find of what they made."""

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import ROOT

from byhand.engine.cpp.toolchain import compiler
from byhand.engine.cpp.toolchain.compiler import CompilerError
from byhand.files import cache, prebuilt

SHOWN = '__attribute__((visibility("default")))'
SOURCE = f'extern "C" {SHOWN} int answer() {{ return 42; }}\n'
REAL = shutil.which("c++") or "c++"
NATIVE = "*=native*"
# Only the modules under test, so that many processes start quickly; which shows, too, that they need nothing else.
ALONE = f"""
import sys, types
sys.modules["byhand"] = types.ModuleType("byhand")
sys.modules["byhand"].__path__ = [{str(ROOT / "src/byhand")!r}]
from byhand.engine.cpp.toolchain import compiler
from byhand.files import cache
SOURCE = {SOURCE!r}
"""
_started: list[subprocess.Popen[str]] = []


class Fake:
    """A compiler that notes each start, does what the test wants, and then is the real one."""

    def __init__(self, folder: Path, name: str = "c++") -> None:
        self.path, self.notes, self.slow = folder / name, folder / "notes", folder / "slow"
        folder.mkdir(parents=True, exist_ok=True)
        self.behave()

    def behave(self, first: str = "", then: str = f'exec {shlex.quote(REAL)} "$@"') -> None:
        """`out` is the file that the compiler is to write."""
        self.path.unlink(missing_ok=True)
        self.path.write_text(
            "#!/bin/sh\n"
            f'echo "$TMPDIR: $*" >>"{self.notes}"\n'
            'for word in "$@"; do [ "$last" = -o ] && out=$word; last=$word; done\n'
            f"slow='{self.slow}'\n"
            'work() { for _ in $(seq 600); do sleep 0.05; [ -e "$slow.enough" ] && break; done; touch "$slow.survived"; }\n'
            '[ -e "$slow" ] && { work & wait; }\n'
            f"{first}\n{then}\n"
        )
        self.path.chmod(0o755)

    @property
    def starts(self) -> list[str]:
        return self.notes.read_text().splitlines() if self.notes.exists() else []


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the libraries go; not there yet. Nothing of the person who runs the tests has a say, and no kernel came along. A process
    that outlives its test is ended with it.
    """
    monkeypatch.setattr(prebuilt, "FOLDER", tmp_path / "prebuilt")
    for name in ("CXX", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("BYHAND_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(compiler, "_known", {})
    monkeypatch.setattr(cache, "_temporary", [])
    yield tmp_path / "cache"
    while _started:
        with _started.pop() as left:
            left.kill()


@pytest.fixture
def fake(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    made = Fake(folder.parent / "bin")
    monkeypatch.setenv("PATH", f"{made.path.parent}{os.pathsep}{os.environ['PATH']}")
    return made


def answer(**options: tuple[str, ...]) -> int:
    """What the library answers, as a new process would find it: in the cache or nowhere."""
    compiler._known.clear()
    return compiler.library(SOURCE, **options).answer()


def refused() -> str:
    """What a new process is told."""
    compiler._known.clear()
    with pytest.raises(CompilerError) as told:
        compiler.library(SOURCE)
    assert "\n" not in str(told.value)
    return str(told.value)


def kept(folder: Path) -> Path:
    (library,) = folder.glob("*.so")
    return library


def leftovers(folder: Path) -> list[Path]:
    return list(folder.glob(".compiling-*"))


def process(program: str, **options: object) -> subprocess.Popen[str]:
    words = [sys.executable, "-S", "-W", "ignore", "-c", ALONE + program]
    _started.append(subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options))
    return _started[-1]


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)
