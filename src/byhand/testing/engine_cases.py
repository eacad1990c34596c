"""The calls that check_engine asks of an engine: one of every kind that a layer makes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from byhand import cells
from byhand.cells import Cell
from byhand.engine.call import Call
from byhand.engine.edits import held_values
from byhand.nn import LSTM
from byhand.trace.edit import at, edit_function

CELLS: tuple[Cell, ...] = (
    *(getattr(cells, name) for name in cells.__all__ if isinstance(getattr(cells, name), Cell)),
    cells.no_forget_gate(cells.lstm),
    cells.full_gate_recurrence(cells.peephole),
    cells.zoneout(cells.lstm, h=0.2, c=0.3),
    cells.lstm_1997_blocks(2),
)
SIZES = ((1, 1, 1, 2), (5, 3, 3, 6), (2, 7, 4, 16), (3, 2, 40, 34))  # time, batch, input, hidden: even, for blocks of two
HELD = (cells.lstm, cells.gru, cells.lstm_1997)  # one of each kind: an engine has to make a further program for each
DTYPES = (torch.float64, torch.float32)


class Case(NamedTuple):
    """A kind of call, in words, and the call."""

    kind: str
    call: Call


def cases(chosen: Sequence[Cell], device: torch.device) -> Iterator[Case]:
    """Every cell at odd sizes; reversed, with ragged lengths, cut, projected, without biases, with sites; in each number type."""
    for cell in chosen:
        for dtype in DTYPES:
            for sizes in SIZES:
                call = call_of(cell, sizes, dtype, device)
                yield Case("plain", call)
                yield Case("reverse", call._replace(reverse=True))
            call = call_of(cell, (5, 4, 3, 6), dtype, device)
            valid = torch.arange(5, device=device).unsqueeze(1) < torch.tensor([5, 2, 4, 1], device=device)
            cut = torch.rand(5, 4, device=device) < 0.3
            restart = tuple(torch.randn_like(one) for one in call.state)
            for reverse in (False, True):
                yield Case("ragged lengths", call._replace(valid=valid, reverse=reverse))
                yield Case("sequences that start again", call._replace(cut=cut, restart=restart, reverse=reverse))
            yield Case("every site", call._replace(sites=True))
            if cell in HELD and dtype == torch.float64:
                yield Case("held values", held(call))
                yield Case("held values, ragged and reverse", held(call._replace(valid=valid, reverse=True, sites=True)))
            yield Case("no gradients", detached(call))
            yield Case("no biases", call_of(cell, (3, 2, 3, 6), dtype, device, bias=False))
            if not cell.reads_its_output:
                projected = call_of(cell, (5, 4, 3, 6), dtype, device, proj_size=2)
                yield Case("projection", projected)
                yield Case("projection, ragged and reverse", projected._replace(valid=valid, reverse=True))


def call_of(
    cell: Cell,
    sizes: tuple[int, int, int, int],
    dtype: torch.dtype,
    device: torch.device,
    *,
    bias: bool = True,
    proj_size: int = 0,
) -> Call:
    time, batch, width, hidden = sizes
    lstm = LSTM(width, hidden, bias=bias, proj_size=proj_size, cell=cell, dtype=dtype, device=device)
    x = torch.randn(time, batch, width, dtype=dtype, device=device)
    states = [torch.rand(shape, dtype=dtype, device=device) for shape in lstm.reader.config.state_shapes(batch)]
    call = lstm.call(lstm.sublayers[0], x.requires_grad_(), tuple(one[0].requires_grad_() for one in states))
    weights = call.weights._replace(
        **{name: leaf(getattr(call.weights, name)) for name in call.weights._fields[:5]},
        vectors=tuple(leaf(one) for one in call.weights.vectors),
    )
    return call._replace(weights=weights, state=tuple(leaf(one) for one in call.state))


def held(call: Call) -> Call:
    """The first gate's site held at some steps and units, the output at one step."""
    first, output = call.cell.sites[0], call.public_name(call.cell.state[0])
    changes = {first: [at(0.25, time=[0, -1]), at(torch.rand(6), unit=[1, 4])], output: [at(0.5, time=1)]}
    functions = {site: [edit_function(site, several)] for site, several in changes.items()}

    def edit(site: str, time: int, value: Tensor) -> Tensor:
        return functions[site][0](value, time, len(call.input))

    return call._replace(edited=frozenset(functions), edit=edit, held=partial(held_values, functions))


def leaf(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.detach().clone().requires_grad_()


def detached(call: Call) -> Call:
    weights = [None if one is None else one.detach() for one in call.weights[:5]]
    plain = type(call.weights)(*weights, vectors=tuple(one.detach() for one in call.weights.vectors))  # type: ignore[arg-type]
    return call._replace(input=call.input.detach(), state=tuple(one.detach() for one in call.state), weights=plain)
