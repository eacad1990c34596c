"""Every cell beside its oracle, and what the tests of cells share."""

from collections.abc import Callable
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import oracle
import pytest
import torch
from oracle import Oracle
from torch import Tensor
from torch.func import functional_call

from byhand import LSTM, cells
from byhand.cells import Cell
from byhand.engine import reference
from byhand.engine.call import Call, Result
from byhand.engine.names import Sublayer
from byhand.nn.parameters import weights


class Shape(NamedTuple):
    time: int
    batch: int
    input: int
    hidden: int


CASES: dict[str, tuple[Cell, Oracle]] = {
    "lstm": (cells.lstm, oracle.LSTM),
    "peephole": (cells.peephole, oracle.PEEPHOLE),
    "cifg": (cells.cifg, oracle.CIFG),
    "gru": (cells.gru, oracle.GRU),
    "gru_reset_before": (cells.gru_reset_before, oracle.GRU_RESET_BEFORE),
    "layernorm_lstm": (cells.layernorm_lstm, oracle.LAYERNORM),
    "slstm": (cells.slstm, oracle.SLSTM),
    "min_lstm": (cells.min_lstm, oracle.MIN_LSTM),
    "rnn": (cells.rnn, oracle.RNN),
    "lstm_1997": (cells.lstm_1997, oracle.lstm_1997()),
    "lstm_1997_blocks(2)": (cells.lstm_1997_blocks(2), oracle.lstm_1997(2)),
    "lstm_1997_blocks(3)": (cells.lstm_1997_blocks(3), oracle.lstm_1997(3)),
    "no_output_gate(no_output_activation(lstm))": (
        cells.no_output_gate(cells.no_output_activation(cells.lstm)),
        oracle.odyssey("NOG", "NOAF", peepholes=False),
    ),
    "no_input_gate(no_input_activation(peephole))": (
        cells.no_input_gate(cells.no_input_activation(cells.peephole)),
        oracle.odyssey("NIG", "NIAF", peepholes=True),
    ),
    "full_gate_recurrence(lstm)": (cells.full_gate_recurrence(cells.lstm), oracle.odyssey("FGR", peepholes=False)),
    "full_gate_recurrence(peephole)": (cells.full_gate_recurrence(cells.peephole), oracle.odyssey("FGR", peepholes=True)),
    "zoneout(lstm)": (cells.zoneout(cells.lstm, h=0.3, c=0.6), oracle.zoneout(oracle.LSTM)),
    "zoneout(gru)": (cells.zoneout(cells.gru, h=0.4), oracle.zoneout(oracle.GRU)),
    "recurrent_dropout(lstm)": (cells.recurrent_dropout(cells.lstm, 0.3), oracle.recurrent_dropout(oracle.LSTM)),
    "recurrent_dropout(peephole, every=sequence)": (
        cells.recurrent_dropout(cells.peephole, 0.4, every="sequence"),
        oracle.recurrent_dropout(oracle.PEEPHOLE),
    ),
    "clipped(with_activations(coupled_input(peephole)))": (
        cells.clipped(
            cells.with_activations(
                cells.coupled_input(cells.peephole),
                gates="hard_sigmoid(0.25, 0.4)",
                candidate="softsign",
                output="scaled_tanh(1.2, 0.7)",
            ),
            1.5,
        ),
        oracle.onnx_lstm(clip=1.5),
    ),
    "clipped(gru)": (cells.clipped(cells.gru, 0.5), oracle.CLIPPED_GRU),
    "zoneout(gru_reset_before)": (cells.zoneout(cells.gru_reset_before, h=0.4), oracle.zoneout(oracle.GRU_RESET_BEFORE)),
    "zoneout(recurrent_dropout(no_forget_gate(peephole)))": (
        cells.zoneout(cells.recurrent_dropout(cells.no_forget_gate(cells.peephole), 0.3), h=0.2, c=0.4),
        oracle.zoneout(oracle.recurrent_dropout(oracle.odyssey("NFG", peepholes=True))),
    ),
}
ABLATIONS: dict[str, Callable[[Cell], Cell]] = {
    "NIG": cells.no_input_gate,
    "NFG": cells.no_forget_gate,
    "NOG": cells.no_output_gate,
    "NIAF": cells.no_input_activation,
    "NOAF": cells.no_output_activation,
}
for _variant, _ablate in ABLATIONS.items():
    CASES[f"{_ablate.__name__}(lstm)"] = (_ablate(cells.lstm), oracle.odyssey(_variant, peepholes=False))
    CASES[f"{_ablate.__name__}(peephole)"] = (_ablate(cells.peephole), oracle.odyssey(_variant, peepholes=True))

NAMES = tuple(CASES)
NOISY = tuple(name for name, (cell, _) in CASES.items() if cell.noise)
TRUNCATED = tuple(name for name, (cell, _) in CASES.items() if cell.truncated)
FORWARD = Sublayer(0)
SHAPES = (Shape(7, 3, 5, 6), Shape(1, 1, 1, 6), Shape(1, 1, 1, 2), Shape(4, 2, 3, 5))
FITTING = [
    pytest.param(name, shape, id=f"{name}-{'x'.join(map(str, shape))}")
    for name, shape in product(NAMES, SHAPES)
    if shape.hidden % CASES[name][1].block == 0
]


def normal(*size: int) -> Tensor:
    return torch.randn(*size, dtype=torch.float64)


def layer(cell: Cell, shape: Shape, **options: Any) -> LSTM:
    """A float64 layer in eval mode whose parameters, vectors too, are all random."""
    lstm = LSTM(shape.input, shape.hidden, cell=cell, dtype=torch.float64, **options).eval()
    with torch.no_grad():
        for parameter in lstm.parameters():
            parameter.copy_(0.8 * torch.randn_like(parameter))
    return lstm


def starts(cell: Cell, shape: Shape, places: int = 1) -> tuple[Tensor, ...]:
    """Random states to start from, (places, batch, hidden) each; the normaliser positive. The cells of a block may differ in what
    they share: that of the first is read.
    """
    found = {name: normal(places, shape.batch, shape.hidden) for name in cell.state}
    return tuple(value.abs() + 0.5 if name == "n" else value for name, value in found.items())


def as_hx(states: Any) -> Any:
    """As a layer takes them: a tuple, or a bare tensor where there is one."""
    return states if len(states) > 1 else states[0]


def as_tuple(states: Any) -> tuple[Tensor, ...]:
    return states if isinstance(states, tuple) else (states,)


def numbers(lstm: LSTM, place: Sublayer = FORWARD) -> oracle.Named:
    """The state_dict's values for one layer and direction, by name without its ending."""
    ending = f"_l{place.layer}{'_reverse' if place.reverse else ''}"
    state_dict = lstm.state_dict()
    return {name.removesuffix(ending): value.numpy().copy() for name, value in state_dict.items() if name.endswith(ending)}


def call(lstm: LSTM, place: Sublayer, x: Tensor, states: tuple[Tensor, ...], **options: Any) -> Result:
    """The reference engine, with every site."""
    made = Call(lstm.cell, x, states, weights(lstm.layer_parameters(place)), reverse=place.reverse, sites=True)
    return reference.run(made._replace(**options))


def masks_of(cell: Cell, drawn: tuple[Tensor, ...]) -> oracle.Named:
    return {noise.name: mask.numpy() for noise, mask in zip(cell.noise, drawn, strict=True)}


def expected(
    name: str,
    lstm: LSTM,
    x: Tensor,
    states: tuple[Tensor, ...],
    place: Sublayer = FORWARD,
    drawn: tuple[Tensor, ...] | None = None,
    **options: Any,
) -> oracle.Answer:
    """What the oracle says; with the masks' means if none are given."""
    cell, told = CASES[name]
    masks = {noise.name: np.full(1, noise.mean) for noise in cell.noise} if drawn is None else masks_of(cell, drawn)
    starting = tuple(value.numpy() for value in states)
    return oracle.run(told, numbers(lstm, place), x.numpy(), starting, reverse=place.reverse, masks=masks, **options)


def difference(ours: Tensor, theirs: Any) -> float:
    """The largest one, after a check of the shapes."""
    theirs = torch.as_tensor(theirs)
    assert ours.shape == theirs.shape
    return (ours.detach() - theirs).abs().max().item()


def assert_sites(result: Result, wanted: oracle.Answer, most: float = 1e-13) -> None:
    assert result.sites is not None and result.sites.keys() == wanted.sites.keys()
    for site, values in result.sites.items():
        assert difference(torch.stack(list(values)), wanted.sites[site]) <= most, site
    assert difference(result.output, wanted.output) <= most
    for ours, theirs in zip(result.state, wanted.last, strict=True):
        assert difference(ours, theirs) <= most


SMALL = {name: Shape(3, 2, 2, max(3, 2 * told.block)) for name, (_, told) in CASES.items()}


SHAPE = Shape(5, 3, 4, 6)


def flat(lstm: LSTM, x: Tensor, states: tuple[Tensor, ...]) -> tuple[Callable[..., tuple[Tensor, ...]], dict[str, Tensor]]:
    """The layer as a function of all that it depends on, by position, and that by name. It gives the output and the last states."""
    names, count = [name for name, _ in lstm.named_parameters()], len(states)
    given = dict(zip(("x", *(f"start_{name}" for name in lstm.cell.state)), (x, *states), strict=True))

    def run(*values: Tensor) -> tuple[Tensor, ...]:
        parameters = dict(zip(names, values[1 + count :], strict=True))
        output, last = functional_call(lstm, parameters, (values[0], as_hx(values[1 : 1 + count])))
        return (output, *as_tuple(last))

    return run, given | {name: parameter.detach() for name, parameter in lstm.named_parameters()}


def small(name: str, **options: Any) -> tuple[LSTM, Tensor, tuple[Tensor, ...]]:
    cell, shape = CASES[name][0], SMALL[name]
    return layer(cell, shape, **options), normal(shape.time, shape.batch, shape.input), starts(cell, shape)


def weighed(values: tuple[Any, ...], by: list[Any]) -> Any:
    """One number out of many arrays."""
    return sum((value * weight).sum() for value, weight in zip(values, by, strict=True))


def example(cell: Cell, shape: Shape = SHAPE) -> tuple[LSTM, Tensor, tuple[Tensor, ...]]:
    return layer(cell, shape), normal(shape.time, shape.batch, shape.input), starts(cell, shape)


def assert_same_run(one: LSTM, other: LSTM, x: Tensor, states: tuple[Tensor, ...], most: float = 0.0) -> None:
    for ours, theirs in zip(flat_run(one, x, states), flat_run(other, x, states), strict=True):
        assert difference(ours, theirs) <= most


def flat_run(lstm: LSTM, x: Tensor, states: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    run, named = flat(lstm, x, states)
    return run(*named.values())


def parts(lstm: LSTM, name: str) -> dict[str, Tensor]:
    """A parameter's rows, gate by gate; they are views."""
    value = lstm.get_parameter(f"{name}_l0").data
    return dict(zip(lstm.cell.gates, value.chunk(len(lstm.cell.gates)), strict=True))


def step_inputs(cell: Cell, units: int = 7) -> tuple[tuple[Tensor, ...], ...]:
    """Random x, u, s, p for one step."""
    counts = len(cell.gates), len(cell.gates) if cell.sources else 0, len(cell.state), len(cell.parameters)
    return tuple(tuple(normal(2, units) for _ in range(count)) for count in counts)


def outside(x: Any, u: Any, s: Any, p: Any) -> Any:
    """A step for cells made here."""
    h = torch.tanh(x.a + u.a) + s.h
    return (h,), {"h": h}


def mine(change: dict[str, Any]) -> Cell:
    right: dict[str, Any] = {"name": "mine", "gates": ("a",), "state": ("h",), "step": outside}
    return Cell(**right | change)
