"""C++ source in, loaded library out: one that came with the package, else compiled at first use and then found in the cache, in
milliseconds and without the compiler.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
import logging
import os
import platform
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from byhand.engine.cpp.toolchain import prebuilt
from byhand.engine.cpp.toolchain.libraries import alone, keep, load, workplace
from byhand.engine.cpp.toolchain.processor import cpu, processor
from byhand.errors import CompilerError
from byhand.files.cache import cache_folder

__all__ = ["FLAGS", "CompilerError", "build", "cache_folder", "cpu", "find", "library", "refusal"]

logger = logging.getLogger("byhand")

# Not -ffast-math: it takes infinities and NaN for impossible, and folds the rounding trick inside exp.
FLAGS = (
    *("-std=c++17", "-O3", "-fPIC", "-shared", "-pthread", "-fvisibility=hidden", "-Wall"),
    *("-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast"),
)
LIMIT = 600.0  # seconds that a compiler may take
NAMES = ("c++", "g++", "clang++")
SETTINGS = ("CXX", "PATH", "BYHAND_CACHE", "XDG_CACHE_HOME", "HOME")
INSTALL = "type: apt install g++ (macOS: xcode-select --install), or: pip install ziglang"

_known: dict[tuple, ctypes.CDLL | CompilerError] = {}
_locks: dict[int, threading.Lock] = {}  # by process: a forked child must not wait for a thread that it has not got
# Held while a compiler starts, and by whoever forks: a child forked in between would keep the pipes open whose end its parent waits
# for, while it waits for its parent's library.
_starting = threading.RLock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_starting.acquire, after_in_parent=_starting.release, after_in_child=_starting.release)


def library(source: str, *, flags: tuple[str, ...] = ()) -> ctypes.CDLL:
    """The source as a loaded library: the one from before, else a prebuilt one, else the one in the cache, else compiled now, with
    these flags after ours. What is to be called is declared extern "C" __attribute__((visibility("default"))). CompilerError; the
    same one at once if the same is asked for again.
    """
    wanted = (source, flags, *settings())
    if wanted not in _known:
        with _locks.setdefault(os.getpid(), threading.Lock()):
            if wanted not in _known:
                _known[wanted] = _made(source, flags)
    known = _known[wanted]
    if isinstance(known, CompilerError):
        raise CompilerError(*known.args)
    return known


def refusal() -> str | None:
    """None if there is a compiler and a place for what it makes, else one line: why not, and what to type."""
    return _refusal(*settings())


def find() -> tuple[str, ...] | None:
    """The compiler's command: $CXX, else the first of c++, g++, clang++ on the PATH, else the package ziglang's; None if none."""
    return _search(*settings()[:2])[0]


def build(source: str, target: Path, *, flags: tuple[str, ...] = (), native: bool = True) -> str | None:
    """Compile the source to the target, in the target's folder: None, or what the compiler said if it failed."""
    command = find()
    if command is None:
        raise CompilerError(refusal())
    target.unlink(missing_ok=True)
    file = target.with_suffix(".cpp")
    file.write_text(source, encoding="utf-8")
    said = _run([*command, *_all_flags(flags, native=native), str(file), "-o", str(target)], target.parent)
    if said is None and not target.is_file():
        return "it wrote no file"
    return said


def settings() -> tuple[str | None, ...]:
    """What a person may change to be found another compiler or folder."""
    return tuple(map(os.environ.get, SETTINGS))


@lru_cache
def _search(wish: str | None, path: str | None) -> tuple[tuple[str, ...] | None, str | None]:
    """The compiler's command, or why there is none."""
    if sys.platform == "win32":
        return None, "code is not compiled on Windows yet: everything runs without, slower; for speed, use byhand inside WSL"
    try:
        words = shlex.split(wish or "")
    except ValueError as error:
        return None, f"CXX is {wish!r}, expected a C++ compiler's command: {error}; set CXX to another, or type: unset CXX"
    for name in words[:1] or NAMES:
        if program := shutil.which(name, path=path):
            return (str(Path(program).absolute()), *words[1:]), None
    if words:
        return None, f"CXX is {wish!r}, expected a C++ compiler, found no such program: set CXX to another, or type: unset CXX"
    if sys.executable and importlib.util.find_spec("ziglang"):
        return (sys.executable, "-m", "ziglang", "c++"), None
    return None, f"no C++ compiler was found, neither {', '.join(NAMES)} on the PATH nor the Python package ziglang: {INSTALL}"


@lru_cache
def _refusal(*settings: str | None) -> str | None:
    command, reason = _search(*settings[:2])
    if command is None:
        return reason
    try:
        cache_folder()
    except CompilerError as error:
        return str(error)
    return None


def _made(source: str, flags: tuple[str, ...]) -> ctypes.CDLL | CompilerError:
    """The prebuilt library, else the one from the cache, else compiled; or why there is none."""
    if found := prebuilt.load(source, (*FLAGS, *flags)):
        return found
    command = find()
    if command is None:
        return CompilerError(refusal())
    try:
        folder = cache_folder()
        key = _key(source, command, flags)
        if found := load(folder, key):
            return found
        with alone(folder, key):
            return load(folder, key) or _compiled(source, flags, folder, key)
    except OSError as error:
        return CompilerError(f"compiled code cannot be kept: {error}: make room there, or name another folder in BYHAND_CACHE")
    except CompilerError as error:
        return error


def _key(source: str, command: tuple[str, ...], flags: tuple[str, ...]) -> str:
    """What the library is made from and for. A compiler is known by where it is, its size and its time: starting it takes longer
    than loading a library. All of the command is looked at, since the first word may be ccache or Python.
    """
    programs = [Path(program).resolve() for word in command if (program := shutil.which(word))]
    if "ziglang" in command and (package := importlib.util.find_spec("ziglang")):
        programs += [Path(package.origin or "").with_name("zig").resolve()]
    compiler = [(str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in programs if path.is_file()]
    made_from = (1, source, command, compiler, _all_flags(flags), sys.platform, platform.machine(), sys.maxsize, processor())
    return hashlib.sha256(repr(made_from).encode()).hexdigest()[:32]


def _all_flags(flags: tuple[str, ...], *, native: bool = True) -> tuple[str, ...]:
    if not native:
        return *FLAGS, *flags
    return *FLAGS, "-mcpu=native" if platform.machine().startswith(("arm", "aarch64")) else "-march=native", *flags


def _compiled(source: str, flags: tuple[str, ...], folder: Path, key: str) -> ctypes.CDLL:
    command = shlex.join(find() or ())
    patience = ", which takes a minute or two the first time" if "ziglang" in command else ""
    logger.info("compiling with %s%s; from then on it is in %s", command, patience, folder)
    with workplace(folder) as place:
        said, remedy = "", ""
        for native in (True, False):  # an old assembler may not know all that the processor can
            target = place / "library.so"
            if failure := build(source, target, flags=flags, native=native):
                said, remedy = failure, "for another compiler, set CXX, as in CXX=clang++"
                continue
            kept = keep(folder, key, target)
            try:
                return ctypes.CDLL(str(kept))
            except OSError as error:
                kept.unlink(missing_ok=True)
                said = f"an error in loading what it wrote: {error}"
                remedy = "if no program may be run from there, name another folder in BYHAND_CACHE; or set CXX"
    failed = folder / "failed"
    failed.mkdir(mode=0o700, exist_ok=True)
    (failed / f"{key}.txt").write_text(f"{command} {shlex.join(_all_flags(flags))}\n\n{said}\n", encoding="utf-8")
    (failed / f"{key}.cpp").write_text(source, encoding="utf-8")
    raise CompilerError(
        f"{command} failed: {_first_errors(said)}; the source is {failed / key}.cpp, all that was said {failed / key}.txt: {remedy}"
    )


def _first_errors(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if any(word in line.lower() for word in ("error", "undefined", "cannot", "fatal"))]
    return " | ".join((errors or lines)[:3])


def _run(words: list[str], place: Path) -> str | None:
    """None, or what the compiler said if it failed. It has a process group of its own, which is ended with it: behind a compiler's
    name stand several processes. What they keep for themselves they keep here.
    """
    zig = {name: os.environ.get(name, str(place.parent / "zig")) for name in ("ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR")}
    environment = {**os.environ, **zig, "TMPDIR": str(place), "LC_ALL": "C"}
    pipe, none = subprocess.PIPE, subprocess.DEVNULL
    try:
        with _starting:
            compiler = subprocess.Popen(
                words, env=environment, stdin=none, stdout=pipe, stderr=subprocess.STDOUT, errors="replace", process_group=0
            )
    except OSError as error:
        return f"it cannot be started: {error}"
    with compiler:
        try:
            said, _ = compiler.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            raise CompilerError(
                f"{words[0]} was not done after {LIMIT:.0f} seconds: for another compiler, set CXX, as in CXX=clang++"
            ) from None
        finally:
            if compiler.returncode is None:
                with suppress(ProcessLookupError, PermissionError):  # it has just ended by itself
                    os.killpg(compiler.pid, signal.SIGKILL)
                compiler.wait()
    return None if compiler.returncode == 0 else f"{said}\nexit status {compiler.returncode}"
