"""Compile the GPU engine's kernels for GPUs that are not there, and read registers, spills and shared memory from what comes out.

    python tools/gpu_budgets.py                    the table of docs/gpu.md, for sm_90
    python tools/gpu_budgets.py sm_80 sm_86 sm_100 gfx942 --every
    python tools/gpu_budgets.py sm_90 --cell gru
    python tools/gpu_budgets.py sm_90 --cuts       with sequences that start again inside

No GPU is needed: Triton's wheel brings ptxas and cuobjdump. NVIDIA's compiler says how many registers a thread has and how many bytes of
stack it uses, which is where spilled registers go; for AMD's the compiled file's own notes do. Ends with 1 where a kernel spills, or needs
more than the engine thinks.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from triton.compiler.errors import CompilationError

from byhand import cells
from byhand.cells import Cell
from byhand.engine.triton import limits, sliced
from byhand.engine.triton.blocks import plan
from byhand.engine.triton.kernel import IEEE, Kernel, options
from byhand.engine.triton.slices import INNER, SHAPES, Slices
from byhand.engine.triton.tiers import Tier
from byhand.engine.triton.values import Inputs

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tools.gpu_instructions import a_step, listing

SHARED = {
    "sm_75": 64,
    "sm_80": 163,
    "sm_86": 99,
    "sm_89": 99,
    "sm_90": 227,
    "sm_100": 227,
    "sm_120": 99,
    "gfx90a": 64,
    "gfx942": 64,
    "gfx1100": 64,
}  # KB that a program may have
NAMES = {torch.float64: "fp64", torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}
NAMES |= {torch.int32: "i32", torch.int64: "i64", torch.uint8: "u8"}
TABLE_OF_ADDRESSES = torch.empty(64, dtype=torch.int64, device="meta")


class Entry(NamedTuple):
    """Kernels to compile: of a cell in layers of `hidden` units."""

    cell: Cell
    hidden: int
    dtype: torch.dtype
    precision: str
    projected: int | None = None
    tier: Tier = Tier.resident
    block: tuple[int, int] = SHAPES[0]  # sequences and units of a program, where it does not run all units
    cuts: bool = False  # whether sequences start again inside

    def __str__(self) -> str:
        number = NAMES[self.dtype] if self.dtype != torch.float32 else f"fp32 {self.precision}"
        projected, cuts = "" if self.projected is None else f" -> {self.projected}", ", reset" if self.cuts else ""
        how = "" if self.tier is Tier.resident else f", {self.tier.value} {self.block[0]} x {self.block[1]}"
        return f"{self.cell.name} {self.hidden}{projected} {number}{cuts}{how}"

    def needed(self) -> int:
        """What the engine thinks that it needs on the chip, in bytes."""
        if self.tier is not Tier.resident:
            return limits.NEEDED_BY_SLICES[self.block == SHAPES[-1]]
        precision = self.precision
        if self.dtype == torch.float32 and precision == "ieee":
            precision = "ieee" if plan(self.hidden, self.projected).units.width <= IEEE else "tf32x3"
        return limits.needed_on_chip(self.cell, self.hidden, self.projected, self.dtype, precision, cuts=self.cuts)


CELLS = (cells.lstm, cells.gru, cells.rnn, cells.peephole, cells.cifg, cells.slstm, cells.min_lstm, cells.lstm_1997)
EVERY = (
    *CELLS,
    cells.no_forget_gate(cells.lstm),
    cells.full_gate_recurrence(cells.peephole),
    cells.zoneout(cells.lstm, h=0.2, c=0.3),
)
KINDS = (
    (torch.bfloat16, "ieee"),
    (torch.float16, "ieee"),
    (torch.float32, "tf32"),
    (torch.float32, "ieee"),
    (torch.float64, "ieee"),
)
TABLE = (  # of docs/gpu.md
    *(Entry(cells.lstm, hidden, torch.bfloat16, "ieee") for hidden in (32, 64, 96, 128)),
    *(Entry(cells.lstm, hidden, torch.float32, "tf32") for hidden in (32, 64, 96)),
    *(Entry(cells.lstm, hidden, torch.float32, "ieee") for hidden in (32, 64)),
    *(Entry(cells.lstm, hidden, torch.float64, "ieee") for hidden in (32, 64)),
    Entry(cells.lstm, 128, torch.bfloat16, "ieee", 64),
    Entry(cells.gru, 64, torch.float32, "tf32"),
    Entry(cells.gru, 80, torch.float32, "ieee"),  # in three products of tf32
    Entry(cells.peephole, 64, torch.float32, "tf32"),
    Entry(cells.slstm, 64, torch.float32, "tf32"),
    Entry(cells.lstm_1997, 32, torch.float32, "tf32"),
    *(Entry(cells.lstm, 512, torch.bfloat16, "ieee", None, Tier.cooperative, block) for block in SHAPES[:2]),
    Entry(cells.lstm, 512, torch.float32, "tf32", None, Tier.cooperative, SHAPES[1]),
    Entry(cells.lstm, 512, torch.float64, "ieee", None, Tier.cooperative, SHAPES[1]),
    Entry(cells.slstm, 512, torch.float32, "ieee", None, Tier.cooperative, SHAPES[1]),
    *(Entry(cells.lstm, 1536, torch.bfloat16, "ieee", None, Tier.stepwise, block) for block in SHAPES[1:]),
    Entry(cells.lstm, 1536, torch.float64, "ieee", None, Tier.stepwise, SHAPES[1]),
    Entry(cells.lstm, 512, torch.bfloat16, "ieee", 200, Tier.stepwise, SHAPES[1]),
    Entry(cells.lstm_1997, 200, torch.float32, "ieee", None, Tier.stepwise, SHAPES[1]),
)


WITH_CUTS = (
    Entry(cells.lstm, 128, torch.bfloat16, "ieee", cuts=True),
    Entry(cells.lstm, 96, torch.float32, "tf32", cuts=True),
    Entry(cells.slstm, 64, torch.float32, "tf32", cuts=True),
)


def entries(chosen: Iterable[Cell]) -> Iterator[Entry]:
    """Every size at which blocks change, in every number type."""
    for cell in chosen:
        for dtype, precision in KINDS:
            yield from (Entry(cell, hidden, dtype, precision) for hidden in (16, 32, 48, 64, 96, 128))
            if not cell.reads_its_output:
                yield Entry(cell, 64, dtype, precision, 32)
            yield from (Entry(cell, 512, dtype, precision, None, Tier.cooperative, block) for block in SHAPES[:2])
            shapes = SHAPES[:2] if dtype == torch.float64 else SHAPES
            yield from (Entry(cell, 1536, dtype, precision, None, Tier.stepwise, block) for block in shapes)


class Usage(NamedTuple):
    """What one compiled kernel needs: registers and spilled bytes a thread, bytes of shared memory a program, and how many instructions
    a step takes; None where the GPU is AMD's.
    """

    registers: int
    spilled: int
    shared: int
    instructions: int | None


def inputs_of(
    cell: Cell, hidden: int, dtype: torch.dtype, projected: int | None, *, ragged: bool = False, cuts: bool = False
) -> Inputs:
    """Tensors without memory, 32 sequences of 100 steps."""
    time, batch, gates, output = 100, 32, len(cell.gates), projected or hidden

    def new(*shape: int, dtype: torch.dtype = dtype) -> torch.Tensor:
        return torch.empty(shape, dtype=dtype, device="meta")

    sums = torch.float64 if dtype == torch.float64 else torch.float32
    read = sum(output if name == cell.state[0] else hidden for name in cell.sources)
    state = tuple(new(batch, output if i == 0 else hidden) for i in range(len(cell.state)))
    return Inputs(
        new(time, batch, gates * hidden, dtype=sums),
        new(gates * hidden, read) if cell.sources else None,
        new(gates * hidden),
        None if projected is None else new(projected, hidden),
        tuple(new(hidden) for _ in cell.vectors),
        tuple(new(time, batch, hidden) for _ in cell.noise),
        state,
        new(batch, dtype=torch.int32) if ragged else None,
        False,
        new(time, batch, dtype=torch.uint8) if cuts else None,
        state if cuts else (),
    )


def arguments_of(kernel: Kernel, inputs: Inputs) -> dict[str, dict[str, Any]]:
    """What both kernels are called with in training, by name."""
    outputs = kernel.empty_outputs(inputs, keep=True)
    time, batch, _ = inputs.product.shape
    every = inputs.product.new_empty(time, batch, len(kernel.partition.preactivations) * kernel.hidden)
    made = kernel.empty_gradients(inputs, every, [None] * len(inputs.state))
    return {
        "forward": kernel.forward_arguments(inputs, outputs, keep=True),
        "backward": kernel.backward_arguments(inputs, outputs, every, outputs.given[0], made),
    }


def compiled(function: Any, given: dict[str, Any], arch: str, options: dict[str, Any]) -> Any:
    """Triton's compiled kernel."""
    signature, constants, attributes = {}, {}, {}
    for place, name in enumerate(function.arg_names):
        value = given.get(name)
        if isinstance(value, torch.Tensor):
            signature[name] = f"*{NAMES[value.dtype]}"
            attributes[place,] = [["tt.divisibility", 16]]
        elif isinstance(value, int) and not isinstance(value, bool) and name != "ROWS":
            signature[name] = "i32"
            if value % 16 == 0 and name not in ("T", "B"):
                attributes[place,] = [["tt.divisibility", 16]]
        else:
            signature[name], constants[place,] = "constexpr", value
    number = arch.removeprefix("sm_")
    lanes = 64 if arch.startswith("gfx9") else 32  # of a warp, which AMD calls a wave
    target = GPUTarget("cuda", int(number), lanes) if number != arch else GPUTarget("hip", arch, lanes)
    if target.backend == "hip":  # which has no such option
        options = {name: value for name, value in options.items() if name != "maxnreg"}
    source = ASTSource(fn=function, signature=signature, constexprs=constants, attrs=attributes)
    return triton.compile(source, target=target, options=options)


def usage(made: Any, *, looped: bool) -> Usage:
    """Read from the compiled file. looped: it has a loop over the steps."""
    if "amdgcn" in made.asm:
        found = {name: int(value) for name, value in re.findall(r"\.(vgpr_\w*count):\s+(\d+)", made.asm["amdgcn"])}
        return Usage(found["vgpr_count"], 4 * found["vgpr_spill_count"], made.metadata.shared, None)
    tool = Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "kernel.cubin"
        file.write_bytes(made.asm["cubin"])
        text = subprocess.run([tool, "--dump-resource-usage", file], capture_output=True, text=True, check=True).stdout
    found = {name: int(value) for name, value in re.findall(r"(REG|STACK|LOCAL):(\d+)", text)}
    instructions = a_step(listing(made.asm["cubin"]), looped=looped)
    return Usage(found["REG"], found["STACK"] + found["LOCAL"], made.metadata.shared, instructions)


def used(entry: Entry, arch: str) -> Iterator[tuple[str, Usage]]:
    """The kernels of an entry: two, or four where a projection has its own."""
    torch.backends.cudnn.rnn.fp32_precision = "tf32" if entry.precision == "tf32" else "ieee"  # type: ignore[attr-defined]
    inputs = inputs_of(entry.cell, entry.hidden, entry.dtype, entry.projected, cuts=entry.cuts)
    if entry.tier is not Tier.resident:
        yield from used_in_slices(entry, inputs, arch)
        return
    kernel = Kernel(entry.cell, entry.hidden, entry.projected)
    wanted = options(kernel.axes, entry.dtype, cuts=entry.cuts)
    for name, given in arguments_of(kernel, inputs).items():
        yield name, usage(compiled(getattr(kernel.module, name), given, arch, wanted), looped=True)


def used_in_slices(entry: Entry, inputs: Inputs, arch: str) -> Iterator[tuple[str, Usage]]:
    """Kernels that find their tensors in a table."""
    kind = sliced.Cooperative if entry.tier is Tier.cooperative else sliced.Sliced
    kernel, slices = kind(entry.cell, entry.hidden, entry.projected), Slices(*entry.block, INNER[entry.dtype])
    how = kernel.options(entry.dtype, slices)
    if arch.startswith("sm_") and kernel.meets:
        how["launch_cooperative_grid"] = True
    module, table = kernel.module_of(slices), {"TABLE": TABLE_OF_ADDRESSES}
    for way, given in arguments_of(kernel, inputs).items():
        asked = kernel.request(way, inputs, given, slices)
        small = {"num_warps": 1}  # what writes the table is to compile, and needs next to nothing
        compiled(getattr(module, f"{way}_table"), asked.tensors | table | {"T": 1}, arch, small)
        compiled(module.advance, table | {"STEPS": 1}, arch, small)
        for name in kernel.names(way):
            yield (
                name,
                usage(compiled(getattr(module, name), asked.scalars | table | {"OFFSET": 1}, arch, how), looped=kernel.meets),
            )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("arch", nargs="*", default=["sm_90"], help=f"one or more of {', '.join(SHARED)}; sm_90 if not given")
    parser.add_argument("--every", action="store_true", help="every cell at every size and in every number type")
    parser.add_argument(
        "--cell", choices=[cell.name for cell in CELLS], help="one cell, at every size and in every number type"
    )
    parser.add_argument("--cuts", action="store_true", help="a few layers whose sequences start again inside")
    parser.add_argument("--tier", choices=[tier.value for tier in Tier], help="the kernels of this tier alone")
    asked = parser.parse_args()
    unknown = sorted(set(asked.arch) - set(SHARED))
    if unknown:
        parser.error(f"expected one or more of {', '.join(SHARED)}, got {', '.join(unknown)}")
    if asked.cell or asked.every:
        chosen: Iterable[Entry] = entries([cell for cell in EVERY if asked.cell in (None, cell.name)])
    else:
        chosen = WITH_CUTS if asked.cuts else TABLE
    chosen = [entry for entry in chosen if asked.tier in (None, entry.tier.value)]
    over = 0
    heads = ("layer", "GPU", "kernel", "registers", "spilled bytes", "shared KB", "the engine thinks", "instructions a step")
    print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
    for entry, arch in ((entry, arch) for entry in chosen for arch in asked.arch):
        needed = entry.needed()
        if needed > SHARED[arch] << 10:
            print(f"| {entry} | {arch} | refused | | | | {needed >> 10} of {SHARED[arch]} | |", flush=True)
            continue
        try:
            for name, found in used(entry, arch):
                shared = f"{found.shared / 1024:.0f} | {needed / 1024:.0f} | {'' if found.instructions is None else found.instructions}"
                print(f"| {entry} | {arch} | {name} | {found.registers} | {found.spilled} | {shared} |", flush=True)
                over += found.spilled > 0 or found.shared > needed
        except CompilationError as problem:
            print(f"| {entry} | {arch} | not compiled | | | | {str(problem).strip().splitlines()[-1]} | |", flush=True)
            over += 1
    print(
        f"{over} kernels spill, need more than the engine thinks, or are not compiled"
        if over
        else "none spills, none needs more than the engine thinks"
    )
    return over > 0


if __name__ == "__main__":
    sys.exit(main())
