"""byhand doctor: what is installed here, which engines run, and what to do about those that do not."""

from __future__ import annotations

import ctypes
import logging
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import torch

from byhand.engine.cpp import shipped
from byhand.engine.cpp.refusal import without_a_compiler
from byhand.engine.cpp.toolchain import compiler, prebuilt
from byhand.engine.cpp.toolchain.libraries import workplace
from byhand.files.cache import is_temporary
from byhand.nn import LSTM
from byhand.nn.engines import engines

logger = logging.getLogger("byhand")
Rows = list[tuple[str, str]]
TRIVIAL = 'extern "C" __attribute__((visibility("default"))) int answer() { return 42; }\n'


def main(arguments: list[str] | None = None) -> int:
    """Print the report. 0 if a fast engine is ready, 1 if there is none, 2 for arguments."""
    if arguments:
        print(f"byhand: doctor takes no arguments, got {' '.join(arguments)}", file=sys.stderr)
        return 2
    rows, last, ready = examine()
    print(_table(rows, last))
    return 0 if ready else 1


def version() -> str:
    """Return the release, as in "0.1.0"."""
    try:
        return metadata.version("byhand")
    except metadata.PackageNotFoundError:
        return "not installed"  # found on PYTHONPATH only


def report() -> str:
    """What main prints."""
    rows, last, _ = examine()
    return _table(rows, last)


def examine() -> tuple[Rows, str, bool]:
    """What was looked at, with what was found; the last line, which says what to do; and whether a fast engine is ready."""
    failure, compiling = _compiler()
    compiled = shipped.in_words()
    rows = [*_versions(), ("prebuilt", _prebuilt(compiled)), *compiling, *_cache(), ("processor", compiler.cpu())]
    states = [(device, name, state) for device in _devices() for name, state in _engines(device)]
    rows += [(f"engine on {device}", f"{name}: {state}") for device, name, state in states]
    fast = [(device, name, state) for device, name, state in states if name not in ("aten", "reference")]
    ready = [device for device, _, state in fast if state == "ready"]
    if "cuda" in ready or ("cpu" in ready and failure is None):
        return rows, "all is well", True
    if "cpu" in ready and compiled:
        return rows, f"{without_a_compiler()}: {failure}", True
    refused = next((f"{name}: {state}" for _, name, state in fast), "this release has none")
    return rows, f"no compiled code: {without_a_compiler()}: {failure or refused}", False


def _devices() -> list[str]:
    return ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]


def _engines(device: str) -> list[tuple[str, str]]:
    return engines(LSTM(8, 16, device=device), torch.zeros(5, 2, 8, device=device))


def _versions() -> Iterator[tuple[str, str]]:
    yield "byhand", f"{version()} in {Path(__file__).parent}"
    yield "python", f"{platform.python_version()} on {platform.platform()}"
    yield "torch", f"{torch.__version__}, {torch.get_num_threads()} threads"
    if torch.cuda.is_available():
        yield "cuda", torch.cuda.get_device_name()


def _prebuilt(compiled: str) -> str:
    """Which kernels came with the package, and for which of the processor's instruction sets; or why none is used."""
    if compiled:
        return f"{compiled}, for {', '.join(dict.fromkeys(entry.instructions for _, _, entry in shipped.available()))}"
    if prebuilt.listed(prebuilt.folder()):
        return f"those in {prebuilt.folder()} are of another version of byhand, damaged, or for other processors: none is used"
    return "none: every kernel is compiled at its first use"


def _compiler() -> tuple[str | None, Rows]:
    """What is wrong with compiling, None if nothing is; and the lines about it."""
    reason, command = compiler.refusal(), compiler.find()
    rows = [("compiler", f"{' '.join(command)}: {_first_line([*command, '--version'])}")] if command else []
    if reason is None:
        begun = time.perf_counter()
        try:
            reason = _trial()
        except (compiler.CompilerError, OSError) as error:
            reason = str(error)
        rows.append(("compiles", reason or f"yes, a trivial program in {time.perf_counter() - begun:.2f} s"))
    elif not command:
        rows.append(("compiler", reason))
    return reason, rows


def _first_line(command: list[str]) -> str:
    try:
        said = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return next(iter((said.stdout or said.stderr).splitlines()), "says no version")


def _trial() -> str | None:
    """What goes wrong when a trivial program is compiled where the kernels are, loaded and run."""
    logger.info("compiling a trivial program")
    folder = compiler.cache_folder()
    with workplace(folder) as place:
        target = place / "trivial.so"
        if compiler.build(TRIVIAL, target) and (failure := compiler.build(TRIVIAL, target, native=False)):
            return f"a trivial program is not compiled: {' '.join(failure.split())}: set another compiler, as in CXX=clang++"
        try:
            answer = ctypes.CDLL(str(target)).answer()
        except OSError as error:
            return f"a trivial program cannot be loaded: {error}: set another compiler, or another folder than {folder} in BYHAND_CACHE"
    if answer != 42:
        return f"a trivial program answers {answer}, expected 42: set another compiler, as in CXX=clang++"
    return None


def _cache() -> Iterator[tuple[str, str]]:
    try:
        folder = compiler.cache_folder()
        sizes = [path.lstat().st_size for path in folder.rglob("*")]
    except (compiler.CompilerError, OSError) as error:
        yield "cache", str(error)
        return
    kept = len(list(folder.glob("*.so")))
    yield "cache", f"{folder}: {kept} {'library' if kept == 1 else 'libraries'}, {sum(sizes) / 1e6:.1f} MB"
    if is_temporary(folder):
        yield "private", "yes, but gone when this process ends: name a folder of yours in BYHAND_CACHE"
    else:
        yield "private", "yes, only you can write to it"


def _table(rows: Rows, last: str) -> str:
    width = max(len(name) for name, _ in rows) + 2
    return "\n".join([*(f"{name:<{width}}{found}" for name, found in rows), "", last])
