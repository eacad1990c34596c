"""gradient_paths and connectivity: against autograd, and against models and loops written out by hand."""

import doctest
import importlib
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_sequence

import byhand
from byhand import LSTM, Cell, cells, explain
from byhand.errors import UnknownSiteError

CELLS = [
    cells.lstm,
    cells.peephole,
    cells.cifg,
    cells.gru,
    cells.slstm,
    cells.rnn,
    cells.min_lstm,
    cells.layernorm_lstm,
    cells.gru_reset_before,
    cells.lstm_1997,
    cells.zoneout(cells.lstm),
    cells.full_gate_recurrence(cells.lstm),
    cells.no_output_gate(cells.lstm),
]


def target(output: tuple[Tensor | PackedSequence, tuple[Tensor, ...] | Tensor]) -> Tensor:
    """Reads outputs and last states."""
    y, state = output
    y = y.data if isinstance(y, PackedSequence) else y
    states = state if isinstance(state, tuple) else (state,)
    return y.square().sum() + torch.stack([(one * (k + 1)).sin().sum() for k, one in enumerate(states)]).sum()


@pytest.mark.parametrize(
    "module",
    ["half_life", "ledger", "saturation", "gradient_paths", "connectivity", "additive", "recurrence", "rank_scores", "tracks"],
)
def test_worked_numbers(module: str) -> None:
    failed, attempted = doctest.testmod(importlib.import_module(f"byhand.explain.{module}"))
    assert not failed
    assert attempted or module in ("additive", "recurrence")


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
@pytest.mark.parametrize("packed", [False, True])
def test_the_parts_sum_to_autograds_gradient(cell: Cell, packed: bool) -> None:
    layer = LSTM(3, 4, 2, cell=cell, bidirectional=True, dtype=torch.float64).eval()
    sequences = [torch.randn(length, 3, dtype=torch.float64) for length in ((6, 4, 1) if packed else (6, 6))]
    x = pack_sequence(sequences) if packed else torch.stack(sequences, 1)
    found = explain.gradient_paths(layer, x, target)
    with byhand.record(layer, gradients=True) as trace:
        target(layer(x)).backward()
    state = "c" if "c" in cell.state else "h"
    assert list(found) == [f"{place}.{state}" for place in ("l0", "l0.reverse", "l1", "l1.reverse")]
    for name, paths in found.items():
        torch.testing.assert_close(paths.total, trace.grad[name], rtol=0, atol=1e-10)
        assert (paths.along + paths.gates - trace.grad[name]).abs().max() < 1e-10
        assert torch.equal(paths.valid, trace.valid(name.rpartition(".")[0]))
        assert (paths.along[~paths.valid] == 0).all()
        assert (paths.total[~paths.valid] == 0).all()


def lstm_parts(layer: LSTM, x: Tensor, weigh: Tensor) -> tuple[Tensor, Tensor]:
    """Both parts for one LSTM layer whose outputs are weighed and summed, each by a recursion of its own."""
    with byhand.record(layer) as trace:
        layer(x)
    i, f, g, o, c, tanh_c = (trace[f"l0.{site}"] for site in ("i", "f", "g", "o", "c", "tanh_c"))
    u = dict(zip("ifgo", layer.weight_hh_l0.detach().chunk(4), strict=True))
    before = torch.cat([torch.zeros_like(c[:1]), c[:-1]])
    to_c = {"i": g * i * (1 - i), "f": before * f * (1 - f), "g": i * (1 - g**2)}  # by the pre-activations
    to_h = tanh_c * o * (1 - o)
    along, through, none = torch.zeros_like(c), torch.zeros_like(c), torch.zeros_like(c[0])
    by_h = none  # the gradient by h that comes through the next step's gates
    for t in reversed(range(len(c))):
        last = t + 1 == len(c)
        told = o[t] * (1 - tanh_c[t] ** 2)
        along[t] = told * weigh[t] + (none if last else f[t + 1] * along[t + 1])
        through[t] = told * by_h + (none if last else f[t + 1] * through[t + 1])
        parts = [((along[t] + through[t]) * to_c[gate][t]) @ u[gate] for gate in "ifg"]
        by_h = torch.stack([*parts, ((weigh[t] + by_h) * to_h[t]) @ u["o"]]).sum(0)
    return along, through


def test_the_parts_of_an_lstm_are_what_their_equations_say() -> None:
    layer = LSTM(3, 5, dtype=torch.float64)
    with torch.no_grad():
        layer.weight_hh_l0.mul_(4)
    x, weigh = torch.randn(9, 2, 3, dtype=torch.float64), torch.randn(9, 2, 5, dtype=torch.float64)
    paths = explain.gradient_paths(layer, x, lambda output: (output[0] * weigh).sum())["l0.c"]
    along, through = lstm_parts(layer, x, weigh)
    torch.testing.assert_close(paths.along, along, rtol=0, atol=1e-12)
    torch.testing.assert_close(paths.gates, through, rtol=0, atol=1e-12)
    assert through[:-1].abs().max() > 0.1
    norms = paths.norms()
    assert norms.gates[3, 1].item() == pytest.approx(through[3, 1].square().sum().sqrt().item())


def test_a_lower_layers_readout_goes_through_the_gates_above() -> None:
    """Held constant are the gates of one layer; those above it are on its way to the loss."""
    both = LSTM(3, 4, 2, dtype=torch.float64)
    lower, upper = LSTM(3, 4, dtype=torch.float64), LSTM(4, 4, dtype=torch.float64)
    for layer, one in ((0, lower), (1, upper)):
        one.load_state_dict({f"{name[:-1]}0": value for name, value in both.state_dict().items() if name.endswith(str(layer))})
    x = torch.randn(7, 2, 3, dtype=torch.float64)
    y = lower(x)[0].detach().requires_grad_()
    (weigh,) = torch.autograd.grad(upper(y)[0].square().sum(), y)
    along, through = lstm_parts(lower, x, weigh)
    paths = explain.gradient_paths(both, x, lambda output: output[0].square().sum())
    torch.testing.assert_close(paths["l0.c"].along, along, rtol=0, atol=1e-12)
    torch.testing.assert_close(paths["l0.c"].gates, through, rtol=0, atol=1e-12)


def test_a_carousel_carries_the_gradient_undiminished() -> None:
    layer = LSTM(2, 3, dtype=torch.float64)
    x = torch.randn(50, 1, 2, dtype=torch.float64)
    with byhand.edit(layer, {"l0.f": 1.0}):
        paths = explain.gradient_paths(layer, x, lambda output: output[1][1].sum())["l0.c"]
    assert torch.equal(paths.along, torch.ones(50, 1, 3, dtype=torch.float64))
    with torch.no_grad():
        layer.weight_hh_l0.zero_()
    paths = explain.gradient_paths(layer, x, lambda output: output[0].sum())["l0.c"]
    assert (paths.gates == 0).all()


@pytest.mark.parametrize("reverse", [False, True])
def test_a_plain_rnn_has_what_is_read_at_once_and_nothing_else_along(reverse: bool) -> None:
    layer = LSTM(2, 3, cell=cells.rnn, bidirectional=True, dtype=torch.float64)
    x = pack_sequence([torch.randn(length, 2, dtype=torch.float64) for length in (5, 3)])
    name, columns, direction = ("l0.reverse.h", slice(3, 6), 1) if reverse else ("l0.h", slice(0, 3), 0)

    def last_state(output: tuple[PackedSequence, Tensor]) -> Tensor:
        return output[1][direction].sum() + output[0].data[0, columns].sum() * 0.5  # sequence 0, time 0

    paths = explain.gradient_paths(layer, x, last_state)[name]
    wanted = torch.zeros(5, 2, 3, dtype=torch.float64)
    if reverse:
        wanted[0] = 1.0
        wanted[0, 0] = 1.5
    else:
        wanted[4, 0] = wanted[2, 1] = 1.0
        wanted[0, 0] = 0.5
    torch.testing.assert_close(paths.along, wanted, rtol=0, atol=1e-15)
    assert paths.gates.abs().max() > 0.01


class Reader(nn.Module):
    """Tokens, an embedding, a stack, dropout, a readout: everything in training."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(7, 3)
        self.encoder = LSTM(3, 4, 2, batch_first=True, dropout=0.5, cell=cells.zoneout(cells.lstm))
        self.readout = nn.Linear(4, 1)

    def forward(self, tokens: Tensor, shift: float = 0.0) -> Tensor:
        return self.readout(self.encoder(self.embedding(tokens) + shift)[0][:, -1]).squeeze(-1)


def test_inside_a_model_in_training_the_noise_is_drawn_once() -> None:
    model, tokens = Reader().double(), torch.randint(7, (3, 6))
    state = torch.get_rng_state()
    found = explain.gradient_paths(model, (tokens, 0.5), lambda output: output.square().sum(), places=["encoder.l1"])
    assert list(found) == ["encoder.l1.c"]
    paths = found["encoder.l1.c"]
    assert (paths.along[-1] - paths.total[-1]).abs().max() < 1e-15  # nothing comes after the last step
    assert paths.gates.abs().max() < 1
    torch.set_rng_state(state)
    again = explain.gradient_paths(model, (tokens, 0.5), lambda output: output.square().sum())["encoder.l1.c"]
    assert torch.equal(again.along, paths.along)


def test_a_loop_over_a_single_cell() -> None:
    class Loop(nn.Module):
        def __init__(self, cell: Cell) -> None:
            super().__init__()
            self.cell = byhand.LSTMCell(3, 4, cell=cell, dtype=torch.float64)

        def forward(self, x: Tensor) -> Tensor:
            state, outputs = None, []
            for step in x:
                state = self.cell(step, state)
                outputs.append(state[0])
            return torch.stack(outputs)

    model, layer = Loop(cells.lstm), LSTM(3, 4, dtype=torch.float64)
    layer.load_state_dict({f"{name}_l0": value for name, value in model.cell.state_dict().items()})
    x, weigh = torch.randn(6, 2, 3, dtype=torch.float64), torch.randn(6, 2, 4, dtype=torch.float64)
    paths = explain.gradient_paths(model, x, lambda output: (output * weigh).sum())["cell.c"]
    along, through = lstm_parts(layer, x, weigh)
    torch.testing.assert_close(paths.along, along, rtol=0, atol=1e-12)
    torch.testing.assert_close(paths.gates, through, rtol=0, atol=1e-12)
    with pytest.raises(ValueError, match="it is an LSTMCell, whose steps are read and carried on outside"):
        explain.gradient_paths(Loop(cells.rnn), x, torch.sum)


def test_what_is_refused() -> None:
    layer, x = LSTM(2, 3), torch.randn(4, 1, 2)

    def direct(x, u, s, p):
        h = torch.sigmoid(x.f + u.f) * s.h + torch.tanh(x.g + u.g)
        return (h,), {"h": h}

    cases: list[tuple[nn.Module, Callable, type[Exception], str]] = [
        (layer, lambda output: output[0], ValueError, r"expected target to give one number, got shape \(4, 1, 3\)"),
        (layer, lambda output: 1.0, TypeError, "expected target to give a tensor of one number, got a float"),
        (layer, lambda output: torch.zeros(()), ValueError, "to depend on the model's memories"),
        (
            LSTM(2, 3, cell=Cell("direct", ("f", "g"), ("h",), direct)),
            lambda output: output[0].sum(),
            ValueError,
            "sites of their own",
        ),
        (nn.Linear(2, 3), torch.sum, ValueError, "found no byhand.LSTM"),
    ]
    for model, loss, kind, message in cases:
        with pytest.raises(kind, match=message):
            explain.gradient_paths(model, x, loss)
    with pytest.raises(UnknownSiteError, match="'l1'"):
        explain.gradient_paths(layer, x, target, places=["l1"])


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_connectivity_is_the_jacobian(cell: Cell) -> None:
    layer = LSTM(3, 4, 2, cell=cell, bidirectional=True, dtype=torch.float64).eval()
    x = torch.randn(5, 2, 3, dtype=torch.float64)
    state = "c" if "c" in cell.state else "h"

    def memory(x: Tensor, name: str) -> Tensor:
        with byhand.record(layer, detach=False) as trace:
            layer(x)
        return trace[name][3, 1]

    for name in (f"l0.{state}", f"l1.reverse.{state}"):
        jacobian = torch.autograd.functional.jacobian(lambda x, name=name: memory(x, name), x)[:, :, 1]  # unit, time, input
        whole = explain.connectivity(layer, x, at=3, site=name, item=1)
        torch.testing.assert_close(whole.values, jacobian.square().sum(0).sqrt(), rtol=0, atol=1e-13)
        torch.testing.assert_close(whole.over_time(), jacobian.square().sum((0, 2)).sqrt(), rtol=0, atol=1e-13)
        one = explain.connectivity(layer, x, at=-2, site=name, unit=2, item=-1)
        torch.testing.assert_close(one.values, jacobian[2].abs(), rtol=0, atol=1e-13)
        assert (one.name, one.at, one.unit, one.item) == (name, 3, 2, 1)


def test_connectivity_sees_finite_differences_and_not_the_future() -> None:
    layer, x = LSTM(2, 3, dtype=torch.float64), torch.randn(6, 2, dtype=torch.float64)
    found = explain.connectivity(layer, x, at=4, unit=1).values
    assert (found[5] == 0).all()
    assert (found[:5] > 0).all()
    for time in range(5):
        moved = x.clone()
        moved[time, 0] += 1e-6
        with byhand.record(layer) as trace:
            layer(moved)
            layer(x)
        change = (trace.call(0)["l0.c"] - trace.call(1)["l0.c"])[4, 0, 1] / 1e-6
        assert found[time, 0].item() == pytest.approx(abs(change.item()), rel=1e-4)


def test_connectivity_after_an_embedding_of_many_units() -> None:
    model = Reader().double().eval()
    model.encoder = LSTM(3, 40, 2, batch_first=True, dtype=torch.float64)
    model.readout = nn.Linear(40, 1, dtype=torch.float64)
    found = explain.connectivity(model, torch.randint(7, (3, 6)), at=5, item=2)
    assert found.name == "encoder.l0.c"
    assert found.values.shape == (6, 3)
    parts = [explain.connectivity(model, torch.zeros(1, 6).long(), at=5, unit=unit).values for unit in range(40)]
    whole = explain.connectivity(model, torch.zeros(1, 6).long(), at=5).values
    torch.testing.assert_close(torch.stack(parts).norm(dim=0), whole, rtol=0, atol=1e-13)


def test_what_connectivity_refuses() -> None:
    layer, x = LSTM(2, 3), pack_sequence([torch.randn(length, 2) for length in (4, 2)])
    for wrong, message in (
        ({"at": 4}, "expected at from 0 to 3, got 4"),
        ({"at": 0, "unit": 3}, "expected unit from 0 to 2, got 3"),
        ({"at": 0, "item": 2}, "expected item from 0 to 1, got 2"),
        ({"at": 3, "item": 1}, "sequence 1 has ended before time 3"),
    ):
        with pytest.raises(IndexError, match=message):
            explain.connectivity(layer, x, **wrong)
    with pytest.raises(UnknownSiteError, match=r"'l0\.q'"):
        explain.connectivity(layer, x, at=0, site="l0.q")
