"""Kernels that came with the package: used where they are what would be compiled here, and never otherwise."""

import ctypes
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import byhand
from byhand import cells
from byhand.cells import Cell
from byhand.engine.cpp import shipped
from byhand.engine.cpp.kernel import kernel
from byhand.engine.cpp.source import source
from byhand.engine.cpp.toolchain import compiler, instructions, prebuilt, processor
from byhand.errors import CompilerError
from byhand.files import prebuilt as files
from byhand.files.atomic import digest
from byhand.files.cache import cache_folder
from byhand.ir import Program, lower, partition, store

CELL = replace(cells.lstm, name="lstm_of_the_tests")  # a kernel of its own in this process, from the same source as lstm's
TEXT = source(CELL, partition(CELL), torch.float32)
V3 = "abm avx avx2 bmi1 bmi2 cx16 f16c fma lahf_lm movbe pni popcnt sse4_1 sse4_2 ssse3 xsave"
V4 = f"{V3} avx512bw avx512cd avx512dq avx512f avx512vl"


def compiled() -> bytes:
    """The library of TEXT that is in the cache, or compiled now."""
    compiler.library(TEXT)
    (path,) = cache_folder().glob(f"{compiler._key(TEXT, compiler.find() or (), ())}-*.so")
    return path.read_bytes()


def entry(library: bytes, wanted: instructions.InstructionSet) -> dict[str, Any]:
    """What the manifest says of a library of TEXT."""
    flags = (*compiler.FLAGS, *wanted.flags)
    made = prebuilt.Entry(f"{wanted.name}.so", digest(TEXT.encode()), wanted.name, flags, digest(library), "some compiler")
    return made._asdict()


def write_manifest(folder: Path, *entries: dict[str, Any], format: int = prebuilt.FORMAT) -> None:
    (folder / prebuilt.MANIFEST).write_text(json.dumps({"format": format, "libraries": entries}))
    prebuilt.listed.cache_clear()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One kernel that came along, of TEXT, compiled here and said to be for the best of our instruction sets that this processor has.
    There is no compiler, and nothing in the cache.
    """
    if not instructions.usable():
        known = torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512") and instructions.system().startswith("linux")
        assert not known, "torch sees instructions that our list does not"
        pytest.skip("no kernels are prebuilt for this processor")
    monkeypatch.setattr(files, "FOLDER", tmp_path / "prebuilt")
    monkeypatch.setattr(compiler, "_known", {})
    library, best = compiled(), instructions.usable()[0]
    made = tmp_path / "prebuilt" / instructions.system()
    made.mkdir(parents=True)
    (made / f"{best.name}.so").write_bytes(library)
    write_manifest(made, entry(library, best))
    monkeypatch.setenv("BYHAND_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("CXX", "no-such-compiler")
    compiler._known.clear()
    kernel.cache_clear()
    return made


def answers(cell: Cell) -> list[Any]:
    """Output, last states and every gradient of a small layer."""
    generator = torch.Generator().manual_seed(0)
    layer, x = byhand.LSTM(3, 5, cell=cell), torch.randn(4, 2, 3, generator=generator)
    for value in layer.parameters():
        value.data = torch.randn(value.shape, generator=generator)
    output, state = layer(x)
    (output.sum() + sum((one * one).sum() for one in state)).backward()
    return [output, *state, *(value.grad for value in layer.parameters())]


def test_a_prebuilt_kernel_needs_no_compiler(folder: Path, tmp_path: Path) -> None:
    assert byhand.engines(byhand.LSTM(3, 5, cell=CELL), torch.zeros(4, 2, 3))[0] == ("cpp", "ready")
    with byhand.use_engine("cpp"):
        found = answers(CELL)
    assert not list(tmp_path.glob("cache/*.so"))
    with byhand.use_engine("reference"):
        torch.testing.assert_close(found, answers(CELL))


def test_other_cells_run_as_without(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    gru, peephole = (
        dict(byhand.engines(byhand.LSTM(3, 5, cell=one), torch.zeros(4, 2, 3))) for one in (cells.gru, cells.peephole)
    )
    assert gru["aten"] == "ready" and "torch has kernels for" in peephole["aten"] and peephole["reference"] == "ready"
    for state in (gru["cpp"], peephole["cpp"]):
        assert "no-such-compiler" in state and state.endswith("; prebuilt kernels are lstm in float32")
    assert shipped.in_words() == "lstm in float32"
    assert "lstm in float32 run on prebuilt kernels; otherwise lstm, gru and rnn run on torch's own kernels" in caplog.text
    with byhand.use_engine("reference"):
        wanted = answers(cells.peephole)
    torch.testing.assert_close(answers(cells.peephole), wanted)


def spoil(how: str, folder: Path) -> None:
    (path,) = folder.glob("*.so")
    content, best = path.read_bytes(), instructions.usable()[0]
    listed = entry(content, best)
    middle = len(content) // 2
    files = {
        "one bit": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
        "truncated": content[:middle],
        "empty": b"",
    }
    manifests = {
        "another source": listed | {"source": digest(TEXT.encode() + b"\n")},
        "other flags": listed | {"flags": [*listed["flags"], "-ffast-math"]},
        "unknown instructions": listed | {"instructions": best.name + "+"},
        "elsewhere": listed | {"file": f"../{folder.name}/{path.name}"},
        "no words": listed | {"source": 1},
        "a field less": {name: value for name, value in listed.items() if name != "library"},
    }
    path.unlink()
    if how != "gone":
        path.write_bytes(files.get(how, content))
    if how == "for another system":
        path.write_bytes(b"whole, as it was built, and for another system")
        listed["library"] = digest(path.read_bytes())
    write_manifest(folder, manifests.get(how, listed), format=prebuilt.FORMAT + (how == "another format"))
    if how == "no manifest":
        (folder / prebuilt.MANIFEST).unlink()
    if how == "half a manifest":
        (folder / prebuilt.MANIFEST).write_bytes((folder / prebuilt.MANIFEST).read_bytes()[:100])


IN_SILENCE = ("another source", "other flags", "unknown instructions", "no manifest")
SPOILT = (
    *("one bit", "truncated", "empty", "gone", "for another system", "another format", "half a manifest"),
    *("elsewhere", "no words", "a field less"),
)


@pytest.mark.parametrize("how", [*IN_SILENCE, *SPOILT])
def test_what_does_not_match_is_passed_over(how: str, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    spoil(how, folder)
    with pytest.raises(CompilerError, match="no-such-compiler"):
        compiler.library(TEXT)
    said = [record.getMessage() for record in caplog.records if "passed over" in record.getMessage()]
    assert len(said) == (how in SPOILT) and all(str(folder) in one for one in said)
    assert shipped.in_words() == ("lstm in float32" if how == "for another system" else "")  # as far as its file shows


def test_what_does_not_match_is_compiled(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here taken from the cache, since it was compiled before."""
    spoil("another source", folder)
    monkeypatch.undo()
    monkeypatch.setattr(files, "FOLDER", folder.parent)
    monkeypatch.setattr(compiler, "_known", {})
    assert compiler.library(TEXT)._name.startswith(str(cache_folder()))


def test_instructions_that_the_processor_lacks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever is missing, nothing is loaded, not even to look at it."""
    monkeypatch.setattr(instructions, "machine", lambda: "x86_64")
    monkeypatch.setattr(prebuilt, "system", lambda: folder.name)
    monkeypatch.setattr(ctypes, "CDLL", lambda path: pytest.fail(f"loaded {path}"))
    v4, _, _ = instructions.INSTRUCTION_SETS
    (path,) = folder.glob("*.so")
    path.rename(folder / f"{v4.name}.so")
    write_manifest(folder, entry((folder / f"{v4.name}.so").read_bytes(), v4))
    monkeypatch.setattr(processor, "features", lambda: v4.needs)
    assert len(list(prebuilt.trusted(TEXT, compiler.FLAGS))) == 1
    for missing in v4.needs:
        monkeypatch.setattr(processor, "features", lambda missing=missing: v4.needs - {missing})
        compiler._known.clear()
        with pytest.raises(CompilerError, match="no-such-compiler"):
            compiler.library(TEXT)


@pytest.mark.parametrize(
    ("machine", "said", "names"),
    [
        ("x86_64", f"model name\t: A\nflags\t\t: fpu {V4} avx512_bf16\n", ["x86-64-v4", "x86-64-v3"]),
        ("AMD64", f"flags\t\t: fpu {V4.replace('avx512vl', '')}\n", ["x86-64-v3"]),
        ("x86_64", f"flags\t\t: {V3.replace('fma', 'fma4')}\n", []),
        ("x86_64", f"model name\t: {V4}\nflags\t\t: fpu\n", []),
        ("x86_64", "machdep.cpu.features: AVX2\n", []),
        ("aarch64", "Features\t: fp asimd\n", ["armv8-a"]),
        ("arm64", "machdep.cpu.brand_string: Apple M9\n", ["armv8-a"]),
        ("riscv64", "", []),
    ],
)
def test_which_instruction_sets_a_processor_has(
    machine: str, said: str, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instructions.platform, "machine", lambda: machine)
    monkeypatch.setattr(processor, "processor", lambda: said)
    assert [one.name for one in instructions.usable()] == names


def test_the_fastest_comes_first_and_a_damaged_one_is_passed_over(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instructions, "machine", lambda: "x86_64")
    v4, v3, _ = instructions.INSTRUCTION_SETS
    monkeypatch.setattr(processor, "features", lambda: v4.needs)
    (path,) = folder.glob("*.so")
    content = path.read_bytes()
    for one in (v3, v4):
        (folder / f"{one.name}.so").write_bytes(content)
    monkeypatch.setattr(prebuilt, "system", lambda: folder.name)
    write_manifest(folder, entry(content, v3), entry(content, v4))
    assert compiler.library(TEXT)._name == str(folder / "x86-64-v4.so")
    (folder / "x86-64-v4.so").unlink()
    (folder / "x86-64-v4.so").write_bytes(content[:-1])
    compiler._known.clear()
    assert compiler.library(TEXT)._name == str(folder / "x86-64-v3.so")


# Programs


def shipped_program(program: Program) -> None:
    path = files.FOLDER / store.shipped_name(store.recorded(CELL))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(store.text_of(program), encoding="utf-8")


@pytest.mark.parametrize("torch_version", ["2.11.0", "3.0.0"])
def test_a_program_that_came_along_is_not_traced(torch_version: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = store.program_of(CELL)
    shipped_program(program)
    monkeypatch.setattr(lower, "lower", lambda cell: pytest.fail("traced"))
    monkeypatch.setattr(torch, "__version__", torch_version)
    assert store.load_or_lower(CELL) == program


@pytest.mark.parametrize("how", ["another value", "another cell's", "a line less", "no program"])
def test_a_wrong_program_that_came_along_is_not_used(how: str, folder: Path) -> None:
    right = store.program_of(CELL)
    last = right.lines[-1]
    wrong = {
        "another value": right._replace(results={**right.results, "n.h": 0.5}),
        "another cell's": store.program_of(cells.gru),
        "a line less": right._replace(lines=right.lines[:-1]),
        "no program": right._replace(lines=(*right.lines[:-1], last._replace(function="no function"))),
    }
    shipped_program(wrong[how])
    assert store.load_or_lower(CELL) == right
