"""Which layers in bfloat16 the C++ engine computes as they are, by products of bfloat16 pairs.

Weights, input and what the recurrent product reads are multiplied as they stand in memory; every sum and every state is float32 from the
first step to the last. Any other call in low precision is converted to float32 first, see engine/precision.py.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import torch

from byhand.engine import precision
from byhand.engine.cpp.toolchain.processor import processor
from byhand.errors import UntraceableError
from byhand.ir import partition

if TYPE_CHECKING:
    from byhand.cells import Cell
    from byhand.engine.call import Call


def refuses(call: Call) -> str | None:
    """Why a call in bfloat16 is better computed in float32, or None."""
    if "avx512_bf16" not in processor().split():
        return "the processor has no products of bfloat16 pairs"
    if precision.autocast_type(call) not in (None, torch.bfloat16):
        return "autocast wants another number type"
    if call.weights.projection is not None:
        return "the output is projected"
    if call.edited:
        return "values are edited inside the steps"
    if call.cut is not None:
        return "sequences start again inside"
    return refuses_cell(call.cell)


@cache
def refuses_cell(cell: Cell) -> str | None:
    """A memory that goes through the recurrent product at each step would be rounded to bfloat16 there, and count to 256. What the
    product reads has to be carried on by the step itself, to be made from a state that is, or to be a gate, which cannot count.
    """
    try:
        parts = partition(cell)
    except UntraceableError as problem:
        return str(problem)
    carried = {f"s.{name}" for name in cell.state if parts.backward.results[f"s.{name}"] != 0.0}
    if not carried:
        return "the cell carries no state on by itself"
    gates = {line.name for line in parts.forward.lines if line.function in ("sigmoid", "tanh")}
    for name in cell.sources:
        value = parts.forward.results[name]
        if f"s.{name}" not in carried and value not in gates and not carried & parts.forward.only({name: value}).reads():
            return f"the cell carries {name!r} on through the recurrent product alone"
    return None
