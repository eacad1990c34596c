"""The lines of every cell's programs, as printed into C++, compute what the programs compute; in both number types."""

import ctypes
from collections.abc import Iterator

import pytest
import torch
from cases import CASES
from pairs import ELEMENTWISE
from torch import Tensor

from byhand.engine.cpp import source
from byhand.engine.cpp.toolchain import compiler
from byhand.ir import Partition, partition
from byhand.ir.program import Program

# What a function takes and gives, array by array: a pre-activations, k what is saved of them, s states, p vectors and masks, d gradients.
PARTS = {"forward": (("a", "s", "p"), ("n", "k")), "backward": (("k", "s", "p", "d"), ("da", "ds", "dp"))}
PARTS["sites"] = (("k", "s", "p"), ("seen",))
EXPORT = 'extern "C" __attribute__((visibility("default")))'
MOST = {torch.float64: 1e-13, torch.float32: 3e-6}


def names(name: str, made: Partition) -> dict[str, list[str]]:
    """The values of each array, by their names in the programs."""
    cell = CASES[name][0]
    saved, states = [f"k.{place}" for place in range(len(made.preactivations))], [f"s.{one}" for one in cell.state]
    parameters, gradients = [f"p.{one}" for one in cell.parameters], [f"d.{one}" for one in cell.state]
    given = {"a": list(made.preactivations), "k": saved, "s": states, "p": parameters, "d": gradients}
    return given | {"n": list(cell.state), "da": given["a"], "ds": states, "dp": parameters, "seen": list(cell.sites)}


def text(dtype: torch.dtype) -> str:
    """One file with the vectors, and a namespace for each cell."""
    every = {name: partition(CASES[name][0]) for name in ELEMENTWISE}
    headers = source.printed(CASES["lstm"][0], every["lstm"], dtype)
    lines = [*source.inlined("vector.h", headers, set()), f"{EXPORT} int lanes() {{ return LANES; }}"]
    for index, (name, made) in enumerate(every.items()):
        lines += [f"namespace cell{index} {{", source.cell_struct(CASES[name][0], made)]
        lines += [one for part in PARTS for one in function(f"{part}{index}", part, names(name, made))]
        lines += ["}"]
    return "\n".join(lines)


def function(name: str, part: str, values: dict[str, list[str]]) -> Iterator[str]:
    """It reads LANES numbers for each value of its arrays, one after the other, and writes as many for each that it makes."""
    taken, given = PARTS[part]
    yield f"{EXPORT} void {name}(const T* from, T* to) {{"
    yield from (f"V {one}[{len(values[one]) + 1}] = {{}};" for one in (*taken, *given))
    yield from (f"for (int i = 0; i < {len(values[one])}; ++i, from += LANES) {one}[i] = load(from);" for one in taken)
    yield f"Cell::{part}({', '.join((*taken, *given))});"
    yield from (f"for (int i = 0; i < {len(values[one])}; ++i, to += LANES) store(to, {one}[i]);" for one in given)
    yield "}"


@pytest.fixture(scope="module", params=MOST, ids=str)
def library(request: pytest.FixtureRequest) -> tuple[ctypes.CDLL, torch.dtype]:
    return compiler.library(text(request.param)), request.param


def run(library: ctypes.CDLL, function: str, given: list[Tensor], count: int, dtype: torch.dtype) -> Tensor:
    """The results, (count, LANES)."""
    taken = torch.stack(given).to(dtype).contiguous()
    found = torch.full((count, taken.shape[1]), torch.nan, dtype=dtype)
    call = getattr(library, function)
    call.argtypes, call.restype = [ctypes.c_void_p, ctypes.c_void_p], None
    call(taken.data_ptr(), found.data_ptr())
    return found


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_lines(name: str, part: str, library: tuple[ctypes.CDLL, torch.dtype]) -> None:
    loaded, dtype = library
    made = partition(CASES[name][0])
    values = names(name, made)
    program: Program = getattr(made, part)
    taken, given = PARTS[part]
    for _ in range(3):
        inputs = {one: torch.randn(loaded.lanes(), dtype=dtype) for array in taken for one in values[array]}
        # What is saved of a pre-activation may be its square root or the like: it is made as forward makes it. A normaliser is positive.
        inputs = {one: value.abs() + 0.5 if one == "s.n" else value for one, value in inputs.items()}
        if "k" in taken:
            before = {one: torch.randn(loaded.lanes(), dtype=dtype) for one in values["a"]} | inputs
            saved = made.forward.run({one: value.double() for one, value in before.items()})
            inputs |= {one: saved[one].to(dtype) for one in values["k"]}
        wanted = program.run({one: value.double() for one, value in inputs.items()})
        wanted = {one: wanted[one] for array in given for one in values[array]}
        found = run(loaded, f"{part}{ELEMENTWISE.index(name)}", list(inputs.values()), len(wanted), dtype)
        for label, ours, theirs in zip(wanted, found, wanted.values(), strict=True):
            error = ((ours.double() - theirs).abs() / theirs.abs().clamp(min=1)).max().item()
            assert error <= MOST[dtype], f"{label}: {error:.2e}"
