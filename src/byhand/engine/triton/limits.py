"""What of a layer fits on a chip: how much memory a program needs there, and how much there is."""

from __future__ import annotations

from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING, NamedTuple

import torch

from byhand.engine.triton.blocks import LEAST, plan
from byhand.engine.triton.kernel import ROWS, product_precision, sizes_of
from byhand.engine.triton.printer import Printer
from byhand.engine.triton.slices import in_words, slices_for
from byhand.ir import partition

if TYPE_CHECKING:
    from byhand.cells import Cell
    from byhand.engine.call import Call

WIDEST = 128  # units, or outputs: as far as kernels were compiled, by tools/gpu_budgets.py
LARGEST = 1 << 31  # of the values that a step of all sequences has: places among them are counted in 32 bits
NEEDED_BY_SLICES = (60 << 10, 112 << 10)  # bytes on the chip that kernels in slices need at most; in their largest blocks
AT_ONCE = {"cuda"}  # devices on which a kernel's programs run at once, so that they can wait for each other


class Chip(NamedTuple):
    """What of a GPU decides. processors: streaming multiprocessors; shared: bytes on the chip that a program may have."""

    processors: int
    shared: int
    capability: tuple[int, int]


INTERPRETED = Chip(132, 227 << 10, (9, 0))  # an H200, where kernels are interpreted for tests


def refuses(call: Call) -> str | None:
    """Why the recurrent weights do not fit on the chip, or None."""
    return refuses_sizes(
        call.cell, *sizes_of(call), call.input.dtype, call.input.device, cuts=call.cut is not None
    ) or refuses_size(call)


def refuses_sizes(
    cell: Cell, hidden: int, projected: int | None, dtype: torch.dtype, device: torch.device, *, cuts: bool
) -> str | None:
    """The same, whatever the number of sequences. cuts: sequences start again."""
    widest = max(hidden, projected or 0)
    if widest > WIDEST:
        return f"a layer of {widest} units is too wide: the weights of at most {WIDEST} are held on the chip"
    precision = product_precision(dtype, plan(hidden, projected).units.width)
    needed, there = needed_on_chip(cell, hidden, projected, dtype, precision, cuts=cuts), chip_of(device).shared
    return None if needed <= there else f"the recurrent weights need {needed >> 10} KB on the chip, there are {there >> 10}"


def refuses_sliced(call: Call) -> str | None:
    """Why kernels in slices cannot run a call, or None."""
    return "sequences start again inside" if call.cut is not None else refuses_size(call)


def refuses_at_once(call: Call) -> str | None:
    """Why the programs of a call cannot all be on the GPU at once and wait for each other, or None."""
    (hidden, projected), device = sizes_of(call), call.input.device
    if projected is not None:
        return "a projection would have its programs wait twice a step"
    if not in_words((hidden, None)):
        return f"{hidden} units are no multiple of {LEAST}, and the addresses of all steps too many for a program's registers"
    if device.type not in AT_ONCE:
        return f"programs that wait for each other cannot run on {device}, one after the other"
    chip, batch = chip_of(device), call.input.shape[1]
    slices = slices_for(batch, (hidden, None), call.input.dtype, chip, meets=True)
    programs = -(-batch // slices.rows) * -(-hidden // slices.units)
    if programs > chip.processors:
        return f"it has {programs} programs, which wait for each other, and the GPU {chip.processors} processors"
    return refuses_sliced(call)


def refuses_size(call: Call) -> str | None:
    hidden, projected = sizes_of(call)
    widest = max(hidden, projected or 0)
    of_weights = hidden * max(1, len(call.cell.sources))
    values = max(2 * call.input.shape[1], of_weights) * len(call.cell.gates) * widest
    return None if values < LARGEST else f"a step has {values} values, or weights: expected fewer than {LARGEST}"


@cache
def needed_on_chip(
    cell: Cell, hidden: int, projected: int | None, dtype: torch.dtype, precision: str, *, cuts: bool = False
) -> int:
    """Bytes of shared memory that a program of either kernel needs, at most: for its weights, and for one step's values that are loaded
    ahead, among them those that sequences start again with. tests/kernels/test_gpu_budgets.py holds it against compiled kernels.
    """
    printer = Printer(cell, partition(cell), plan(hidden, projected))
    units, sums = printer.axes.units.width, 8 if dtype == torch.float64 else 4
    outputs = printer.axis(0).width
    read = sum(printer.axis(state).width for state in printer.sources)
    weights = len(cell.gates) * units * read + (0 if printer.axes.outputs is None else outputs * units)
    ahead = len(printer.parts.preactivations) + 2 * len(printer.read_again) + 2 + (2 * len(cell.state) if cuts else 0)
    if dtype.itemsize == sums and loads_twice_ahead():
        ahead += len(printer.parts.preactivations)
    parts = (
        2 if precision == "tf32x3" else 1
    )  # what tf32 holds of each weight, and the rest; 8 KB for parts of what they multiply
    return parts * weights * dtype.itemsize + ((parts - 1) << 13) + ahead * ROWS * max(units, outputs) * sums


@cache
def loads_twice_ahead() -> bool:
    """Whether Triton's backward kernel holds the pre-activations of one step more on the chip, where they need no conversion: as compiled
    by 3.6 it does, by 3.9 it does not. True where neither is known.
    """
    try:
        return [int(one) for one in metadata.version("triton").split(".")[:2]] < [3, 9]
    except (metadata.PackageNotFoundError, ValueError):  # a build of someone's own
        return True


@cache
def chip_of(device: torch.device) -> Chip:
    """What of this GPU decides, looked up once."""
    if device.type != "cuda":
        return INTERPRETED
    found = torch.cuda.get_device_properties(device)
    return Chip(found.multi_processor_count, int(found.shared_memory_per_block_optin), (found.major, found.minor))
