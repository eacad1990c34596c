"""What of a layer fits on a chip: how much memory a program needs there, and how much there is."""

from __future__ import annotations

from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING

import torch

from byhand.engine.triton.blocks import plan
from byhand.engine.triton.kernel import ROWS, product_precision, sizes_of
from byhand.engine.triton.printer import Printer
from byhand.ir import partition

if TYPE_CHECKING:
    from byhand.cells import Cell
    from byhand.engine.call import Call

WIDEST = 128  # units, or outputs: as far as kernels were compiled, by tools/gpu_budgets.py
LARGEST = 1 << 31  # of the values that a step of all sequences has: places among them are counted in 32 bits
INTERPRETED = 227 << 10  # bytes, as an sm_90 has them, where kernels are interpreted for tests


def refuses(call: Call) -> str | None:
    """Why the recurrent weights do not fit on the chip, or None."""
    hidden, projected = sizes_of(call)
    if max(hidden, projected or 0) > WIDEST:
        return (
            f"a layer of {max(hidden, projected or 0)} units is too wide: the weights of at most {WIDEST} are held on the chip"
        )
    precision = product_precision(call.input.dtype, plan(hidden, projected).units.width)
    needed = needed_on_chip(call.cell, hidden, projected, call.input.dtype, precision)
    there = there_on_chip(call.input.device)
    if needed > there:
        return f"the recurrent weights need {needed >> 10} KB on the chip, there are {there >> 10}"
    values = call.input.shape[1] * hidden * 2 * len(call.cell.gates)
    return None if values < LARGEST else f"a step has {values} values: expected fewer than {LARGEST}"


@cache
def needed_on_chip(cell: Cell, hidden: int, projected: int | None, dtype: torch.dtype, precision: str) -> int:
    """Bytes of shared memory that a program of either kernel needs, at most: for its weights, and for one step's values that are loaded
    ahead. tests/kernels/test_gpu_budgets.py holds it against compiled kernels.
    """
    printer = Printer(cell, partition(cell), plan(hidden, projected))
    units, sums = printer.axes.units.width, 8 if dtype == torch.float64 else 4
    outputs = printer.axis(0).width
    read = sum(printer.axis(state).width for state in printer.sources)
    weights = len(cell.gates) * units * read + (0 if printer.axes.outputs is None else outputs * units)
    ahead = len(printer.parts.preactivations) + 2 * len(printer.read_again) + 2
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
def there_on_chip(device: torch.device) -> int:
    """How much a program may have, in bytes."""
    if device.type != "cuda":
        return INTERPRETED
    return int(torch.cuda.get_device_properties(device).shared_memory_per_block_optin)
