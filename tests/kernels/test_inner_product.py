"""Cells that make a recurrent product inside their step: gru_reset_before beside loops in numpy, and any other such cell."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import oracle
import pytest
import torch
from cases import Shape, as_tuple, difference, layer, normal, numbers, starts
from torch import Tensor
from torch.nn.functional import linear
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import byhand
from byhand import LSTM, Cell, LSTMCell, cells, edit, explain, record
from byhand.engine.names import Sublayer

SHAPE = Shape(7, 2, 3, 5)
GRU = cells.gru_reset_before


def stacked(lstm: LSTM, x: Tensor, first: Tensor, lengths: list[int]) -> tuple[Tensor, Tensor]:
    """Two layers in two directions, sequence by sequence, by the oracle."""
    outputs, last = torch.zeros(len(x), len(lengths), 2 * SHAPE.hidden, dtype=torch.float64), torch.zeros_like(first)
    for b, length in enumerate(lengths):
        values = x[:length, b : b + 1].numpy()
        for depth in range(2):
            answers = [
                oracle.run(
                    oracle.GRU_RESET_BEFORE,
                    numbers(lstm, Sublayer(depth, reverse=reverse)),
                    values,
                    (first[2 * depth + reverse, b : b + 1].numpy(),),
                    reverse=reverse,
                )
                for reverse in (False, True)
            ]
            for reverse, answer in enumerate(answers):
                last[2 * depth + reverse, b] = torch.from_numpy(answer.last[0][0])
            values = torch.cat([torch.from_numpy(answer.output) for answer in answers], -1).numpy()
        outputs[:length, b] = torch.from_numpy(values[:, 0])
    return outputs, last


@pytest.mark.parametrize("bias", [True, False], ids=["biases", "no biases"])
def test_two_layers_in_both_directions_over_packed_sequences(bias: bool) -> None:
    lengths = [7, 1, 4]
    lstm = layer(GRU, SHAPE, num_layers=2, bidirectional=True, bias=bias)
    x, first = normal(7, 3, 3), normal(4, 3, 5)
    with torch.no_grad():
        output, last = lstm(pack_padded_sequence(x, torch.tensor(lengths), enforce_sorted=False), first)
    wanted, wanted_last = stacked(lstm, x, first, lengths)
    assert difference(pad_packed_sequence(output)[0], wanted) <= 1e-14
    assert difference(as_tuple(last)[0], wanted_last) <= 1e-14


def inner_step(x: Any, u: Any, s: Any, p: Any) -> Any:
    """A product of a product, the first gate a usual one or not."""
    b = torch.tanh(x.b + u.b(s.h * s.c))
    a = torch.sigmoid(x.a + u.a)
    c = torch.tanh(x.c + u.c(a * b)) + 0.5 * s.c
    h = a * torch.tanh(c)
    return (h, c), {"b": b, "a": a, "c": c, "h": h}


def only_inner_step(x: Any, u: Any, s: Any, p: Any) -> Any:
    h = torch.tanh(x.a + u.a(s.h * torch.sigmoid(s.h)))
    return (h,), {"h": h}


MINE = Cell("mine", ("b", "a", "c"), ("h", "c"), inner_step, inner=("b", "c"), elementwise=False)
ALONE = Cell("alone", ("a",), ("h",), only_inner_step, inner=("a",), elementwise=False, biases=1)


def mine_by_hand(named: dict[str, Tensor], x: Tensor, states: list[Tensor]) -> list[Tensor]:
    (wx, wh), (v, w) = (
        [named[f"weight_{k}_l0"].chunk(3) for k in ("ih", "hh")],
        [named[f"bias_{k}_l0"].chunk(3) for k in ("ih", "hh")],
    )
    (h, c), outputs = states, []
    for one in x:
        b = torch.tanh(one @ wx[0].T + v[0] + (h * c) @ wh[0].T + w[0])
        a = torch.sigmoid(one @ wx[1].T + v[1] + h @ wh[1].T + w[1])
        c = torch.tanh(one @ wx[2].T + v[2] + (a * b) @ wh[2].T + w[2]) + 0.5 * c
        h = a * torch.tanh(c)
        outputs.append(h)
    return [torch.stack(outputs), h, c]


def alone_by_hand(named: dict[str, Tensor], x: Tensor, states: list[Tensor]) -> list[Tensor]:
    (h,), outputs = states, []
    for one in x:
        h = torch.tanh(
            linear(one, named["weight_ih_l0"], named["bias_ih_l0"]) + (h * torch.sigmoid(h)) @ named["weight_hh_l0"].T
        )
        outputs.append(h)
    return [torch.stack(outputs), h]


@pytest.mark.parametrize(("cell", "by_hand"), [(MINE, mine_by_hand), (ALONE, alone_by_hand)], ids=["some gates", "every gate"])
def test_values_and_every_gradient_by_name(cell: Cell, by_hand: Callable[..., list[Tensor]]) -> None:
    lstm, x = layer(cell, SHAPE), normal(7, 2, 3).requires_grad_()
    states = [one[0].requires_grad_() for one in starts(cell, SHAPE)]
    named = dict(lstm.named_parameters())
    output, last = lstm(x, tuple(one[None] for one in states) if cell.state[1:] else states[0][None])
    ours, theirs = [output, *(one[0] for one in as_tuple(last))], by_hand(named, x, states)
    by, asked = [torch.randn_like(one) for one in theirs], {"x": x, **dict(enumerate(states)), **named}
    found = [
        torch.autograd.grad([(one * weight).sum() for one, weight in zip(values, by, strict=True)], list(asked.values()))
        for values in (ours, theirs)
    ]
    for one, other in zip(ours, theirs, strict=True):
        assert difference(one, other.detach()) <= 1e-13
    for name, one, other in zip(asked, *found, strict=True):
        assert difference(one, other) <= 1e-12, name


def test_starting_again_is_running_alone() -> None:
    lstm, x, first = layer(GRU, SHAPE), normal(7, 2, 3), normal(1, 2, 5)
    reset = torch.zeros(7, 2, dtype=torch.bool)
    reset[3, 0] = reset[5, 1] = True
    output, last = lstm(x, first, reset=reset)
    for b, cut in ((0, 3), (1, 5)):
        before, _ = lstm(x[:cut, b : b + 1], first[:, b : b + 1])
        after, end = lstm(x[cut:, b : b + 1])
        assert difference(output[:, b : b + 1], torch.cat([before, after]).detach()) <= 1e-15
        assert difference(last[:, b], end[:, 0].detach()) <= 1e-15


def test_steps_by_cell_and_stepper_are_the_sequence() -> None:
    lstm, x = layer(GRU, SHAPE), normal(7, 2, 3)
    one = LSTMCell(3, 5, cell=GRU, dtype=torch.float64)
    one.load_state_dict({name.removesuffix("_l0"): value for name, value in lstm.state_dict().items()})
    stepper, state, wanted = lstm.stepper(batch=2), torch.zeros(2, 5, dtype=torch.float64), lstm(x)[0].detach()
    for t in range(7):
        state = one(x[t], state)
        assert difference(state, wanted[t]) <= 1e-15
        assert difference(stepper(x[t]), wanted[t]) <= 1e-15


def test_an_edit_of_the_reset_gate_reaches_the_candidates_of_all_units() -> None:
    lstm, x, first = layer(GRU, SHAPE), normal(7, 2, 3), normal(1, 2, 5)
    with record(lstm) as before:
        lstm(x, first)
    with edit(lstm, {"l0.r": byhand.at(0.0, time=2, unit=1)}), record(lstm) as after:
        lstm(x, first)
    moved = (after["l0.n"] - before["l0.n"]).abs()
    assert not moved[:2].any() and (moved[2] > 0).all()
    h, r = before["l0.h"][1], before["l0.r"][2].clone()
    r[:, 1] = 0
    net = linear(x[2], lstm.get_parameter("weight_ih_l0").chunk(3)[2], lstm.get_parameter("bias_ih_l0").chunk(3)[2])
    net = net + (r * h) @ lstm.get_parameter("weight_hh_l0").chunk(3)[2].T + lstm.get_parameter("bias_hh_l0").chunk(3)[2]
    assert difference(after["l0.n"][2], torch.tanh(net).detach()) <= 1e-14


def test_gradients_by_sites_and_along_paths() -> None:
    """The ledger's factor z is what a gradient meets along the memory; the rest has come through r, z or n."""
    lstm, x = layer(GRU, SHAPE), normal(7, 2, 3)
    with record(lstm, gradients=True) as trace:
        lstm(x)[0][-1].sum().backward()
    by_n, by_h = trace.grad["l0.n"], trace.grad["l0.h"]
    assert difference(by_n, (by_h * (1 - trace["l0.z"])).detach()) <= 1e-14
    paths = explain.gradient_paths(lstm, x, lambda output: output[0][-1].sum())["l0.h"]
    along = torch.ones(2, 5, dtype=torch.float64)
    for t in reversed(range(7)):
        assert difference(paths.along[t], along) <= 1e-14
        along = along * trace["l0.z"][t]
    assert difference(paths.total, by_h) <= 1e-14


def test_it_is_saved_by_name_and_copied(tmp_path: Path) -> None:
    lstm, x = layer(cells.clipped(cells.zoneout(GRU, h=0.0), 0.5), SHAPE, num_layers=2), normal(7, 2, 3)
    lstm.save_pretrained(tmp_path)
    back = LSTM.from_pretrained(tmp_path).eval()
    assert back.cell == lstm.cell and repr(back.cell) == "clipped(zoneout(gru_reset_before, h=0.0), 0.5)"
    for twin in (back, copy.deepcopy(lstm)):
        assert torch.equal(twin(x)[0], lstm(x)[0])


def test_engines_that_cannot_run_it_say_why() -> None:
    said = dict(byhand.engines(LSTM(3, 5, cell=GRU), torch.randn(7, 2, 3)))
    assert (
        said["cpp"]
        == "cell 'gru_reset_before' makes a recurrent product inside its step, of gate n: a unit's values depend on other units"
    )
    assert said["aten"] == "torch has kernels for lstm, gru, rnn, not for gru_reset_before" and said["reference"] == "ready"
