"""edit: what follows from a site follows from its new value, as if the equation had said so."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_sequence

import byhand
from byhand import at, cells, edit, record

CELLS = [
    cells.lstm,
    cells.peephole,
    cells.cifg,
    cells.gru,
    cells.slstm,
    cells.min_lstm,
    cells.rnn,
    cells.layernorm_lstm,
    cells.gru_reset_before,
    cells.lstm_1997,
    cells.no_input_gate(cells.peephole),
    cells.full_gate_recurrence(cells.lstm),
    cells.zoneout(cells.lstm),
    cells.clipped(cells.with_activations(cells.coupled_input(cells.peephole), gates="hard_sigmoid", output="relu"), 1.5),
]


def output(layer: byhand.LSTM, x: Tensor) -> Tensor:
    return layer(x)[0]


@pytest.fixture
def _reference() -> Iterator[None]:
    """Edits run on the reference engine; to the bit they are compared with what that gives without them."""
    with byhand.use_engine("reference"):
        yield


@pytest.mark.usefixtures("_reference")
@pytest.mark.parametrize("cell", CELLS, ids=repr)
@pytest.mark.parametrize("proj_size", [0, 2])
def test_a_change_by_nothing_is_bit_identical(cell: cells.Cell, proj_size: int) -> None:
    if proj_size and cell.reads_its_output:
        with pytest.raises(ValueError, match="proj_size expected a cell that reads its output"):
            byhand.LSTM(3, 4, cell=cell, proj_size=proj_size)
        return
    layer = byhand.LSTM(3, 4, 2, bidirectional=True, cell=cell, proj_size=proj_size).eval()
    x = torch.randn(5, 2, 3)
    before = output(layer, x)
    with record(layer) as trace:
        layer(x)
    with edit(layer, {name: lambda value: value for name in trace}):
        assert torch.equal(output(layer, x), before)
    with edit(layer, {name: trace[name] for name in trace}):
        assert torch.equal(output(layer, x), before)
    assert torch.equal(output(layer, x), before)


def by_hand(layer: byhand.LSTM, x: Tensor, change: Callable[[str, Tensor, int], Tensor]) -> Tensor:
    """nn.LSTM's equations, with every value sent through change(site, value, time)."""
    h = c = torch.zeros(x.shape[1], 4, dtype=x.dtype)
    outputs = []
    for t, step in enumerate(x):
        z = step @ layer.weight_ih_l0.T + layer.bias_ih_l0 + h @ layer.weight_hh_l0.T + layer.bias_hh_l0
        z_i, z_f, z_g, z_o = z.chunk(4, -1)
        i, f = change("i", z_i.sigmoid(), t), change("f", z_f.sigmoid(), t)
        g, o = change("g", z_g.tanh(), t), change("o", z_o.sigmoid(), t)
        c = change("c", f * c + i * g, t)
        h = change("h", o * change("tanh_c", c.tanh(), t), t)
        outputs.append(h)
    return torch.stack(outputs)


@pytest.mark.parametrize("site", cells.lstm.sites)
def test_what_follows_follows(site: str) -> None:
    layer, x = byhand.LSTM(3, 4, dtype=torch.float64), torch.randn(5, 2, 3, dtype=torch.float64)
    new = torch.randn(5, 2, 4, dtype=torch.float64)
    for spec, change in (
        (new, lambda name, value, t: new[t] if name == site else value),
        (0.25, lambda name, value, t: torch.full_like(value, 0.25) if name == site else value),
        (lambda value: value * 2 - 1, lambda name, value, t: value * 2 - 1 if name == site else value),
        (at(0.5, time=2), lambda name, value, t: torch.full_like(value, 0.5) if name == site and t == 2 else value),
    ):
        with edit(layer, {f"l0.{site}": spec}):
            torch.testing.assert_close(output(layer, x), by_hand(layer, x, change), rtol=1e-12, atol=1e-12)


@pytest.mark.usefixtures("_reference")
def test_one_unit_at_one_step_of_one_sequence() -> None:
    layer, x = byhand.LSTM(3, 4), torch.randn(5, 2, 3)
    with record(layer) as before:
        layer(x)
    with edit(layer, {"l0.f": at(0.0, time=2, unit=3, batch=1)}), record(layer) as after:
        layer(x)
    changed = (before["l0.f"] != after["l0.f"]).nonzero().tolist()
    assert [2, 1, 3] in changed and all(place[0] > 2 for place in changed if place != [2, 1, 3])
    assert after["l0.f"][2, 1, 3] == 0
    assert torch.equal(before["l0.c"][:, 0], after["l0.c"][:, 0])
    assert torch.equal(before["l0.c"][2, 1, :3], after["l0.c"][2, 1, :3])
    c = after["l0.i"][2, 1, 3] * after["l0.g"][2, 1, 3]
    assert torch.equal(after["l0.c"][2, 1, 3], c)


@pytest.mark.parametrize(
    ("where", "mask"),
    [
        ({"time": -1}, lambda t, b, u: t == 4),
        ({"time": slice(1, 3)}, lambda t, b, u: (t >= 1) & (t < 3)),
        ({"time": [0, 4]}, lambda t, b, u: (t == 0) | (t == 4)),
        ({"time": range(2)}, lambda t, b, u: t < 2),
        ({"unit": torch.tensor([True, False, False, True])}, lambda t, b, u: (u == 0) | (u == 3)),
        ({"unit": [1], "batch": 0}, lambda t, b, u: (u == 1) & (b == 0)),
        ({}, lambda t, b, u: t >= 0),
    ],
)
def test_where_a_change_holds(where: dict[str, Any], mask: Callable[..., Tensor]) -> None:
    layer, x = byhand.LSTM(3, 4), torch.randn(5, 2, 3)
    with edit(layer, {"l0.f": at(7.0, **where)}), record(layer) as trace:
        layer(x)
    grid = torch.meshgrid(torch.arange(5), torch.arange(2), torch.arange(4), indexing="ij")
    assert torch.equal(trace["l0.f"] == 7, mask(*grid))


@pytest.mark.parametrize("shape", [(), (4,), (2, 4), (5, 2, 4), (5, 1, 1), (1, 2, 1)])
def test_tensors_are_broadcast(shape: tuple[int, ...]) -> None:
    layer, new = byhand.LSTM(3, 4), torch.randn(shape)
    with edit(layer, {"l0.o": new}), record(layer) as trace:
        layer(torch.randn(5, 2, 3))
    assert torch.equal(trace["l0.o"], new.expand(5, 2, 4))


def test_time_is_the_inputs_time_in_reverse_too() -> None:
    layer = byhand.LSTM(3, 4, bidirectional=True)
    with edit(layer, {"l0.reverse.c": at(9.0, time=1)}), record(layer) as trace:
        layer(torch.randn(5, 2, 3))
    assert (trace["l0.reverse.c"][1] == 9).all() and not (trace["l0.reverse.c"][[0, 2, 3, 4]] == 9).any()


def test_gradients_flow_through() -> None:
    layer, x = byhand.LSTM(3, 4, dtype=torch.float64), torch.randn(5, 2, 3, dtype=torch.float64)
    scale = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    with edit(layer, {"l0.f": lambda f: f * scale}):
        output(layer, x).sum().backward()
    step = 1e-6
    with torch.no_grad(), edit(layer, {"l0.f": lambda f: f * (scale + step)}):
        above = output(layer, x).sum()
    with torch.no_grad(), edit(layer, {"l0.f": lambda f: f * (scale - step)}):
        below = output(layer, x).sum()
    assert scale.grad is not None
    torch.testing.assert_close(scale.grad, (above - below) / (2 * step), rtol=1e-6, atol=1e-8)
    assert layer.weight_ih_l0.grad[4:8].abs().max() > 0
    layer.zero_grad()
    with edit(layer, {"l0.f": 1.0}):
        output(layer, x).sum().backward()
    assert layer.weight_ih_l0.grad[4:8].abs().max() == 0


def test_held_forget_gate_is_the_ablated_cell() -> None:
    layer = byhand.LSTM(3, 4, dtype=torch.float64)
    ablated = byhand.LSTM(3, 4, cell=cells.no_forget_gate(cells.lstm), dtype=torch.float64)
    keep = [row for gate in (0, 2, 3) for row in range(gate * 4, gate * 4 + 4)]
    with torch.no_grad():
        for name, parameter in ablated.named_parameters():
            parameter.copy_(layer.get_parameter(name)[keep])
    x = torch.randn(5, 2, 3, dtype=torch.float64)
    with edit(layer, {"l0.f": 1.0}):
        torch.testing.assert_close(output(layer, x), output(ablated, x), rtol=1e-14, atol=1e-14)


def test_nested_blocks_outer_first_and_undone_on_any_exit() -> None:
    layer, x = byhand.LSTM(3, 4), torch.randn(5, 2, 3)
    before = output(layer, x)
    with edit(layer, {"l0.f": 0.5}):
        outer = output(layer, x)
        with edit(layer, {"l0.f": lambda f: f + 0.25, "l0.o": 1.0}), record(layer) as trace:
            layer(x)
        assert (trace["l0.f"] == 0.75).all() and (trace["l0.o"] == 1).all()
        with pytest.raises(KeyboardInterrupt), edit(layer, {"l0.f": 0.0}):
            raise KeyboardInterrupt
        assert torch.equal(output(layer, x), outer)
    assert torch.equal(output(layer, x), before)


def test_single_cells_and_models() -> None:
    cell, x = byhand.LSTMCell(3, 4), torch.randn(2, 3)
    with edit(cell, {"c": 0.0}):
        h, c = cell(x)
    assert (c == 0).all() and (h == 0).all()
    model = torch.nn.Sequential(byhand.LSTM(3, 4))
    with edit(model, {"0.l0.o": 0.0}):
        assert (model(torch.randn(5, 2, 3))[0] == 0).all()


def test_packed_sequences_are_edited_in_the_callers_order() -> None:
    layer = byhand.LSTM(3, 4)
    sequences = [torch.randn(n, 3) for n in (2, 5, 3)]
    with edit(layer, {"l0.f": at(0.0, batch=2)}), record(layer) as trace:
        layer(pack_sequence(sequences, enforce_sorted=False))
    assert (trace["l0.f"][:3, 2] == 0).all() and not (trace["l0.f"][:2, :2] == 0).any()


def test_training_under_an_edit() -> None:
    """A unit held at zero for a whole training keeps the weights that only it reads."""
    layer = byhand.LSTM(3, 4)
    optimiser = torch.optim.SGD(layer.parameters(), lr=0.1)
    kept = layer.weight_ih_l0.detach()[12].clone()
    with edit(layer, {"l0.o": at(0.0, unit=0)}):
        for _ in range(3):
            optimiser.zero_grad()
            output(layer, torch.randn(5, 2, 3)).square().sum().backward()
            optimiser.step()
    assert torch.equal(layer.weight_ih_l0[12], kept)
    assert not torch.equal(layer.weight_ih_l0[13], kept)


def test_several_changes_of_a_site_are_made_in_order() -> None:
    layer = byhand.LSTM(3, 4)
    x = torch.randn(5, 2, 3)
    with record(layer) as before:
        layer(x)
    changes = [
        0.75,
        at(0.5, unit=1),
        lambda value: 2 * value,
        at(0.25, time=3, unit=1),
        at(lambda value: value + 1, time=0, unit=2),
    ]
    with edit(layer, {"l0.f": changes, "l0.o": []}), record(layer) as after:
        layer(x)
    expected = torch.full((5, 2, 4), 1.5)
    expected[:, :, 1] = 1.0
    expected[3, :, 1] = 0.25
    expected[0, :, 2] += 1
    assert torch.allclose(after["l0.f"], expected)
    assert torch.equal(after["l0.i"][0], before["l0.i"][0])  # what does not follow from it is as it was
    with edit(layer, {"l0.f": (changes[1],)}), record(layer) as one:
        layer(x)
    with edit(layer, {"l0.f": changes[1]}), record(layer) as bare:
        layer(x)
    assert torch.equal(one["l0.h"], bare["l0.h"])


def test_a_list_of_numbers_is_no_list_of_changes() -> None:
    layer = byhand.LSTM(3, 2)
    expected = r"expected byhand.at\(...\) or functions in its list, got a float.*torch.tensor"
    with pytest.raises(TypeError, match=expected), edit(layer, {"l0.f": [0.1, 0.2]}):
        pass


def test_a_number_is_exact_in_double_precision() -> None:
    lstm = byhand.LSTM(1, 2, dtype=torch.float64)
    with byhand.edit(lstm, {"l0.f": 0.3}), byhand.record(lstm) as trace:
        lstm(torch.zeros(2, 1, 1, dtype=torch.float64))
    assert (trace["l0.f"] == 0.3).all()
