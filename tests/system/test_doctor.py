"""The command line, and what byhand doctor finds."""

import logging
import re
import subprocess
import sys
import tomllib
import types
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import ROOT, run
from made_engines import MadeEngine

from byhand import __main__, cells, doctor
from byhand.engine import aten, dispatch, reference
from byhand.engine.call import Call
from byhand.engine.cpp import refusal, shipped
from byhand.engine.cpp.toolchain import compiler
from byhand.engine.cpp.toolchain import prebuilt as libraries
from byhand.files import prebuilt

Answer = Callable[[Call], str | None]


def with_fast_engine(monkeypatch: pytest.MonkeyPatch, refuses: Answer | None) -> None:
    """The reference engine, and perhaps one before it that says this."""
    fast = [MadeEngine("fast", refuses)] if refuses else []
    monkeypatch.setattr(dispatch, "ENGINES", (*fast, reference))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("BYHAND_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(prebuilt, "FOLDER", tmp_path / "prebuilt")
    with_fast_engine(monkeypatch, None)
    return tmp_path / "cache"


def compiler_that(does: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = folder.parent / "my-c++"
    path.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo mine 1.2 && exit\n{does}\n')
    path.chmod(0o755)
    monkeypatch.setenv("CXX", str(path))
    return path


def rows(text: str) -> dict[str, str]:
    """The last of each name."""
    return dict(re.split(r"  +", line, maxsplit=1) for line in text.splitlines() if re.search(r"\S  +", line))


def test_all_is_well(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with_fast_engine(monkeypatch, lambda call: None)
    mine = compiler_that('exec c++ "$@"', folder, monkeypatch)
    assert __main__.main(["doctor"]) == 0
    out, told = capsys.readouterr()
    said = rows(out)
    assert said["python"].startswith(sys.version.split()[0]) and said["byhand"].startswith("0.1.0 in ")
    assert said["torch"] == f"{torch.__version__}, {torch.get_num_threads()} threads"
    assert said["compiler"] == f"{mine}: mine 1.2"
    assert re.fullmatch(r"yes, a trivial program in \d+\.\d\d s", said["compiles"])
    assert said["cache"] == f"{folder}: 0 libraries, 0.0 MB" and said["private"].startswith("yes, only you")
    assert said["processor"] == compiler.cpu()
    assert "engine on cpu  fast: ready\n" in out and said["engine on cpu"] == "reference: ready"
    assert out.endswith("\n\nall is well\n") and "compiling a trivial program" in told
    assert not list(folder.iterdir())  # it leaves nothing


def test_goes_without_native_code_where_that_fails(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler_that('case "$*" in *=native*) exit 1;; esac\nexec c++ "$@"', folder, monkeypatch)
    assert rows(doctor.report())["compiles"].startswith("yes")


def test_counts_what_is_kept(folder: Path) -> None:
    compiler.library(doctor.TRIVIAL)
    found = rows(doctor.report())["cache"]
    assert re.fullmatch(rf"{folder}: 1 library, 0\.\d MB", found)


def test_says_why_the_fast_engine_refuses(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_fast_engine(monkeypatch, lambda call: f"no kernel for {call.cell.name} on a {call.input.device.type} of clay")
    assert doctor.main() == 1
    assert capsys.readouterr().out.splitlines()[-1].endswith("fast: no kernel for lstm on a cpu of clay")


def test_without_compiled_code(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "ENGINES", (aten, reference))
    without = "lstm, gru and rnn run on torch's own kernels, all other cells on the reference engine, a Python loop"
    assert doctor.report().splitlines()[-1].endswith(f"no compiled code: {without}: this release has none")


@pytest.mark.parametrize(
    ("does", "said"),
    [
        ("echo 'error: melted'; exit 1", "a trivial program is not compiled: error: melted exit status 1: set another"),
        ("echo nonsense >$out", "a trivial program cannot be loaded: "),
        ("exit 0", "a trivial program is not compiled: it wrote no file: "),
        (f"sed -i s/42/41/ $file; exec {compiler.NAMES[0]} \"$@\"", "answers 41, expected 42"),
    ],
)  # fmt: skip
def test_ready_is_not_believed_where_nothing_compiles(
    does: str, said: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_fast_engine(monkeypatch, lambda call: None)
    words = 'for word in "$@"; do [ "$last" = -o ] && out=$word; case $word in *.cpp) file=$word;; esac; last=$word; done\n'
    mine = compiler_that(words + does, folder, monkeypatch)
    assert doctor.main() == 1
    out = capsys.readouterr().out
    found = rows(out)
    assert found["compiler"] == f"{mine}: mine 1.2" and said in found["compiles"] and said in out.splitlines()[-1]


@pytest.mark.parametrize("trouble", ["no compiler", "a wish", "the folder"])
def test_what_stands_in_the_way_comes_last(
    trouble: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_fast_engine(monkeypatch, lambda call: compiler.refusal())
    if trouble == "no compiler":
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        monkeypatch.setenv("PATH", str(tmp_path))
    if trouble == "a wish":
        monkeypatch.setenv("CXX", "no-such-compiler")
    if trouble == "the folder":
        folder.mkdir()
        folder.chmod(0o777)
    assert doctor.main() == 1
    out = capsys.readouterr().out
    reason = compiler.refusal()
    assert out.splitlines()[-1].startswith("no compiled code: ") and out.splitlines()[-1].endswith(f": {reason}")
    assert rows(out)["cache" if trouble == "the folder" else "compiler"] == reason


def test_prebuilt_kernels(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a compiler a fast engine is ready all the same, for some cells; the last line says for which, and what would help."""
    with_fast_engine(monkeypatch, lambda call: None)
    assert rows(doctor.report())["prebuilt"] == "none: every kernel is compiled at its first use"
    entry = libraries.Entry("lstm.so", "", "x86-64-v9", (), "", "")
    made = [(cells.lstm, torch.float32, entry), (cells.gru, torch.float32, entry), (cells.lstm, torch.float64, entry)]
    monkeypatch.setattr(shipped, "available", lambda: iter(made))
    assert rows(doctor.report())["prebuilt"] == "lstm and gru in float32, lstm in float64, for x86-64-v9"
    assert doctor.report().endswith("\n\nall is well")
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert doctor.main() == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == f"{refusal.without_a_compiler()}: {compiler.refusal()}"
    assert last.startswith(
        "lstm and gru in float32, lstm in float64 run on prebuilt kernels; otherwise lstm, gru and rnn run on"
    )


def test_prebuilt_kernels_that_are_of_no_use(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libraries, "listed", lambda folder: (libraries.Entry("lstm.so", "", "x86-64-v9", (), "", ""),))
    assert rows(doctor.report())["prebuilt"].endswith("damaged, or for other processors: none is used")


def test_says_that_a_temporary_folder_is_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BYHAND_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/dev/null")
    assert "BYHAND_CACHE" in rows(doctor.report())["private"]


def test_looks_at_cuda_where_there_is_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here there is none: its tensors are on the CPU."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a card")
    monkeypatch.setattr(doctor, "LSTM", lambda *sizes, device, real=doctor.LSTM: real(*sizes))
    monkeypatch.setattr(torch, "zeros", lambda *shape, device, real=torch.zeros: real(*shape))
    found = rows(doctor.report())
    assert found["cuda"] == "a card" and found["engine on cuda"] == "reference: ready"


def test_doctor_takes_no_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["doctor", "--now", "x"]) == 2
    assert capsys.readouterr() == ("", "byhand: doctor takes no arguments, got --now x\n")


# The command line


def test_unknown_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["frobnicate", "--help"]) == 2
    out, told = capsys.readouterr()
    assert out == "" and told.count("\n") == 1 and "'frobnicate'" in told and "doctor" in told and "bench" in told


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_help_names_every_command(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(words) == 0
    out = capsys.readouterr().out
    assert all(re.search(rf"^  {name} +\S", out, re.MULTILINE) for name in __main__.COMMANDS)


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert __main__.main(["--version"]) == 0
    assert capsys.readouterr().out == f"byhand {project['version']}\n"
    assert project["scripts"]["byhand"] == "byhand.__main__:main"


def test_ctrl_c_in_a_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(arguments: list[str]) -> int:
        logging.getLogger("byhand").info("at work")
        raise KeyboardInterrupt

    monkeypatch.setitem(__main__.COMMANDS, "work", ("", interrupted))
    before = logging.getLogger("byhand").handlers[:]
    assert __main__.main(["work"]) == 130
    assert capsys.readouterr().err == "byhand: at work\nbyhand: interrupted\n"
    assert logging.getLogger("byhand").handlers == before


def test_bench_passes_its_arguments_on(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("byhand.benchmarks.bench")
    module.main = len  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "byhand.benchmarks.bench", module)
    assert __main__.main(["bench", "--quick", "-h", "x"]) == 3


def test_starts_as_a_module_and_loads_no_command(tmp_path: Path) -> None:
    done = run("python", "-m", "byhand", "frobnicate", cwd=tmp_path)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    program = (
        "import sys, byhand\n"
        "before = set(sys.modules)\n"
        "import byhand.__main__\n"
        "new = {name for name in set(sys.modules) - before if '.' in name or name in ('torch', 'numpy', 'lightning')}\n"
        "assert new <= {'byhand.__main__'}, new\n"
    )
    words = [sys.executable, "-c", program]
    assert subprocess.run(words, capture_output=True, text=True, check=False).stderr == ""
