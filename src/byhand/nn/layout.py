"""How the parameters of a layer are laid out: torch's names and shapes, for any cell.

A parameter has one row (or column) for each value that is free. Where units share a gate, or a gate does not read all that the
others read, `dense` spreads them out into the full matrices that an engine multiplies by.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, wraps
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import torch

from byhand.engine.call import Weights

if TYPE_CHECKING:
    from torch import Tensor

    from byhand.cells import Cell

Function = TypeVar("Function", bound=Callable[..., Any])


def remembered(function: Function) -> Function:
    """functools.cache, which torch.compile does not like to see."""
    kept = cache(function)

    @wraps(function)
    def answer(*arguments: Any) -> Any:
        return function(*arguments) if torch.compiler.is_compiling() else kept(*arguments)

    return answer  # type: ignore[return-value]


class Sizes(NamedTuple):
    """One layer and direction. projected: 0 without a projection."""

    input: int
    hidden: int
    projected: int = 0
    bias: bool = True


def state_width(cell: Cell, name: str, sizes: Sizes) -> int:
    """How wide a state is carried: as the projection if it is the output and there is one."""
    return sizes.projected or sizes.hidden if name == cell.state[0] else sizes.hidden


def rows(cell: Cell, sizes: Sizes) -> dict[str, int]:
    """The free rows of each gate."""
    return {gate: sizes.hidden // cell.shared.get(gate, 1) for gate in cell.gates}


def columns(cell: Cell, sizes: Sizes) -> dict[str, int]:
    """The free columns of each state that the recurrent product reads."""
    return {name: state_width(cell, name, sizes) // cell.shared.get(name, 1) for name in cell.sources}


@remembered
def shapes(cell: Cell, sizes: Sizes) -> dict[str, tuple[int, ...]]:
    """Name (without layer) -> shape, in torch's order; vectors last. ValueError if shared gates do not divide the hidden size."""
    for name, size in cell.shared.items():
        if sizes.hidden % size:
            raise ValueError(
                f"cell {cell.name!r} shares {name!r} among blocks of {size} units: expected a hidden_size that {size} divides,"
                f" got {sizes.hidden}"
            )
    height, width = sum(rows(cell, sizes).values()), sum(columns(cell, sizes).values())
    found: dict[str, tuple[int, ...]] = {"weight_ih": (height, sizes.input)}
    if cell.sources:
        found["weight_hh"] = (height, width)
    if sizes.bias and cell.biases:
        found["bias_ih"] = (height,)
        if cell.biases == 2 and cell.sources:
            found["bias_hh"] = (height,)
    if sizes.projected:
        found["weight_hr"] = (sizes.projected, sizes.hidden)
    return found | dict.fromkeys(cell.vectors, (sizes.hidden,))


def blocks(cell: Cell, sizes: Sizes) -> dict[str, slice]:
    """Where each gate's rows are."""
    found, start = {}, 0
    for gate, size in rows(cell, sizes).items():
        found[gate] = slice(start, start + size)
        start += size
    return found


def dense(cell: Cell, sizes: Sizes, parameter: Callable[[str], Tensor]) -> Weights:
    """The weights as an engine multiplies by them: every gate and state hidden wide. parameter: name (without layer) -> value."""
    named = {name: parameter(name) for name in shapes(cell, sizes)}
    recurrent = named.get("weight_hh")
    if isinstance(cell.recurrent, Mapping) and recurrent is not None:
        recurrent = recurrent * wiring(cell, sizes, recurrent)
    if cell.shared:
        recurrent = spread_columns(cell, sizes, recurrent) if recurrent is not None else None
        named |= {name: spread_rows(cell, sizes, named[name]) for name in ("weight_ih", "bias_ih", "bias_hh") if name in named}
        recurrent = spread_rows(cell, sizes, recurrent) if recurrent is not None else None
    vectors = tuple(named[vector] for vector in cell.vectors)
    biases = named.get("bias_ih"), named.get("bias_hh")
    return Weights(named["weight_ih"], recurrent, *biases, named.get("weight_hr"), vectors)


def wiring(cell: Cell, sizes: Sizes, like: Tensor) -> Tensor:
    """1 where a gate reads a state, 0 where it does not; in the shape of weight_hh."""
    assert isinstance(cell.recurrent, Mapping)
    strips = []
    for gate, height in rows(cell, sizes).items():
        parts = [like.new_full((height, width), name in cell.recurrent[gate]) for name, width in columns(cell, sizes).items()]
        strips.append(torch.cat(parts, 1))
    return torch.cat(strips, 0)


def spread_rows(cell: Cell, sizes: Sizes, value: Tensor) -> Tensor:
    """Each gate's rows, repeated for the units that share them."""
    parts = value.split(list(rows(cell, sizes).values()), 0)
    return torch.cat([part.repeat_interleave(cell.shared.get(g, 1), 0) for g, part in zip(cell.gates, parts, strict=True)], 0)


def spread_columns(cell: Cell, sizes: Sizes, value: Tensor) -> Tensor:
    """Each shared state is read once a block, from the first of its units; the others' columns are 0."""
    parts = value.split(list(columns(cell, sizes).values()), 1)
    spread = []
    for name, part in zip(cell.sources, parts, strict=True):
        padding = part.new_zeros(*part.shape, cell.shared.get(name, 1) - 1)
        spread.append(torch.cat([part.unsqueeze(-1), padding], -1).flatten(1))
    return torch.cat(spread, 1)
