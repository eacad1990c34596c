"""What is known of the cells from theory: identities between them, carousels, invariances, and the weight counts of 1997."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from cases import (
    CASES,
    SHAPE,
    TRUNCATED,
    Shape,
    assert_same_run,
    difference,
    example,
    expected,
    layer,
    normal,
    parts,
    step_inputs,
    weighed,
)
from torch import Tensor, nn
from torch.autograd.functional import jacobian

import byhand
from byhand import LSTM, cells
from byhand.cells import Cell


def copy_gates(source: LSTM, target: LSTM) -> None:
    """What two layers have in common: the rows of the gates that both have, and the vectors."""
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        ours, theirs = parts(source, name), parts(target, name)
        for gate in ours.keys() & theirs.keys():
            theirs[gate].copy_(ours[gate])
    for vector in set(source.cell.vectors) & set(target.cell.vectors):
        target.get_parameter(f"{vector}_l0").data.copy_(source.get_parameter(f"{vector}_l0"))


def zero_(lstm: LSTM, *names: str) -> None:
    for name in names:
        lstm.get_parameter(f"{name}_l0").data.zero_()


def test_peephole_without_peepholes_is_lstm() -> None:
    seeing, x, states = example(cells.peephole)
    blind = layer(cells.lstm, SHAPE)
    copy_gates(seeing, blind)
    zero_(seeing, "p_i", "p_f", "p_o")
    assert_same_run(seeing, blind, x, states, most=1e-15)
    seeing.get_parameter("p_f_l0").data.fill_(0.1)
    assert difference(seeing(x)[0], blind(x)[0]) > 1e-3


def test_cifg_is_lstm_whose_input_gate_has_the_forget_gates_weights_with_the_sign_changed() -> None:
    """Since 1 − σ(z) = σ(−z)."""
    coupled, x, states = example(cells.cifg)
    free = layer(cells.lstm, SHAPE)
    copy_gates(coupled, free)
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        parts(free, name)["i"].copy_(-parts(coupled, name)["f"])
    assert_same_run(coupled, free, x, states, most=1e-15)


def test_a_coupled_input_gate_is_cifg_with_the_sign_of_its_weights_changed() -> None:
    coupled, x, states = example(cells.coupled_input(cells.lstm))
    cifg = layer(cells.cifg, SHAPE)
    copy_gates(coupled, cifg)
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        parts(cifg, name)["f"].copy_(-parts(coupled, name)["i"])
    assert_same_run(coupled, cifg, x, states, most=1e-15)


USUAL: dict[str, dict[str, str]] = {
    "lstm": {"gates": "sigmoid", "candidate": "tanh", "output": "tanh"},
    "peephole": {"gates": "sigmoid", "candidate": "tanh", "output": "tanh"},
    "gru": {"gates": "sigmoid", "candidate": "tanh"},
    "gru_reset_before": {"gates": "sigmoid", "candidate": "tanh"},
    "rnn": {"candidate": "tanh"},
}


@pytest.mark.parametrize("name", USUAL)
def test_the_usual_activations_and_a_wide_clip_change_nothing(name: str) -> None:
    lstm, x, states = example(CASES[name][0])
    for made in (cells.with_activations(lstm.cell, **USUAL[name]), cells.clipped(lstm.cell, 1e6)):
        other = layer(made, SHAPE)
        other.load_state_dict(lstm.state_dict())
        assert_same_run(other, lstm, x, states, most=1e-15)
        assert made.sites == lstm.cell.sites


@pytest.mark.parametrize("name", USUAL)
def test_clip_and_activations_in_either_order(name: str) -> None:
    chosen = dict(zip(USUAL[name], ("hard_sigmoid(0.3, 0.4)", "softplus", "elu(0.7)"), strict=False))
    lstm, x, states = example(cells.clipped(cells.with_activations(CASES[name][0], **chosen), 0.5))
    other = layer(cells.with_activations(cells.clipped(CASES[name][0], 0.5), **chosen), SHAPE)
    other.load_state_dict(lstm.state_dict())
    assert_same_run(other, lstm, x, states)


@pytest.mark.parametrize("name", ["lstm", "peephole", "gru", "rnn", "min_lstm", "slstm"])
def test_no_gradient_passes_a_clipped_sum(name: str) -> None:
    """Of each gate's sum, as of torch.clamp."""
    x, u, s, p = step_inputs(CASES[name][0], units=200)
    x = tuple(value.requires_grad_() for value in x)
    limit, plain, clipped = 0.3, CASES[name][0], cells.clipped(CASES[name][0], 0.3)
    found = torch.autograd.grad(clipped.apply(x, u, s, p)[0][0].sum(), x)
    assert all((grad == 0).any() and (grad != 0).any() for grad in found)
    inside = tuple(value.clamp(-limit, limit) for value in x)  # the sums themselves, with nothing else in them
    silent = tuple(torch.zeros_like(value) for value in u)
    none = tuple(torch.zeros_like(value) for value in p)
    for ours, theirs in zip(clipped.apply(x, silent, s, none)[0], plain.apply(inside, silent, s, none)[0], strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize(
    ("part", "ablate"),
    [("candidate", cells.no_input_activation), ("output", cells.no_output_activation)],
    ids=["candidate", "output"],
)
def test_identity_is_an_activation_left_out(part: str, ablate: Callable[[Cell], Cell]) -> None:
    lstm, x, states = example(ablate(cells.peephole))
    other = layer(cells.with_activations(cells.peephole, **{part: "identity"}), SHAPE)
    other.load_state_dict(lstm.state_dict())
    assert_same_run(other, lstm, x, states)


def test_the_two_grus_are_one_where_nothing_is_reset() -> None:
    before, x, states = example(cells.gru_reset_before)
    after = layer(cells.gru, SHAPE)
    after.load_state_dict(before.state_dict())
    assert difference(after(x, states[0])[0], before(x, states[0])[0]) > 1e-2
    for lstm in (before, after):
        for name in ("weight_ih", "weight_hh", "bias_hh"):
            parts(lstm, name)["r"].zero_()
        parts(lstm, "bias_ih")["r"].fill_(1000.0)
    assert_same_run(after, before, x, states, most=1e-15)


def test_a_reset_unit_of_one_gru_is_read_by_none_of_its_units() -> None:
    """With r = 0 the candidate does not depend on the state, but on b_hh: in `gru` not even on that."""
    lstm, x, states = example(cells.gru_reset_before)
    for name in ("weight_ih", "weight_hh", "bias_hh"):
        parts(lstm, name)["r"].zero_()
    parts(lstm, "bias_ih")["r"].fill_(-1000.0)
    with byhand.record(lstm) as trace:
        lstm(x, states[0])
    net = x @ parts(lstm, "weight_ih")["n"].T + parts(lstm, "bias_ih")["n"] + parts(lstm, "bias_hh")["n"]
    assert difference(trace["l0.n"], torch.tanh(net)) <= 1e-15


@pytest.mark.parametrize("cell", [cells.lstm, cells.peephole], ids=repr)
@pytest.mark.parametrize(
    ("ablate", "gate"), [(cells.no_input_gate, "i"), (cells.no_forget_gate, "f"), (cells.no_output_gate, "o")]
)
def test_a_gate_left_out_is_a_gate_wide_open(ablate: Callable[[Cell], Cell], gate: str, cell: Cell) -> None:
    ablated, x, states = example(ablate(cell))
    whole = layer(cell, SHAPE)
    copy_gates(ablated, whole)
    for name in ("weight_ih", "weight_hh", "bias_hh"):
        parts(whole, name)[gate].zero_()
    parts(whole, "bias_ih")[gate].fill_(1000.0)
    assert gate not in ablated.cell.gates and gate not in ablated.cell.sites and f"p_{gate}" not in ablated.cell.vectors
    assert_same_run(ablated, whole, x, states, most=1e-15)


@pytest.mark.parametrize("cell", [cells.lstm, cells.peephole], ids=repr)
def test_an_input_activation_left_out_is_undone_by_squashing_beforehand(cell: Cell) -> None:
    x, u, s, p = step_inputs(cell)
    linear = cells.no_input_activation(cell)
    squashed = tuple(torch.tanh(a + b) if gate == "g" else a for gate, a, b in zip(cell.gates, x, u, strict=True))
    silent = tuple(torch.zeros_like(b) if gate == "g" else b for gate, b in zip(cell.gates, u, strict=True))
    for ours, theirs in zip(linear.apply(squashed, silent, s, p)[0], cell.apply(x, u, s, p)[0], strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("cell", [cells.lstm, cells.peephole], ids=repr)
def test_an_output_activation_left_out_tells_the_long_memory_as_it_is(cell: Cell) -> None:
    given = step_inputs(cell)
    (h, c), _ = cells.no_output_activation(cell).apply(*given)
    _, sites = cell.apply(*given)
    assert torch.equal(c, sites["c"])
    assert torch.equal(h, sites["o"] * sites["c"])


def memory_jacobian(lstm: LSTM, x: Tensor, states: tuple[Tensor, ...]) -> Tensor:
    """dc_T / dc_0, (units, units) with a unit for each sequence and hidden unit."""
    index = lstm.cell.state.index("c")
    found = jacobian(lambda c: lstm(x, (*states[:index], c, *states[index + 1 :]))[1][index], states[index])
    assert isinstance(found, Tensor)
    return found.reshape(states[index].numel(), -1)


@pytest.mark.parametrize("name", ["lstm", "peephole", "cifg"])
def test_without_recurrence_the_memory_decays_by_the_product_of_the_forget_gates(name: str) -> None:
    lstm, x, states = example(CASES[name][0])
    zero_(lstm, "weight_hh", *lstm.cell.vectors)
    kept = expected(name, lstm, x, tuple(value[0] for value in states)).sites["f"].prod(axis=0)
    assert difference(memory_jacobian(lstm, x, states), np.diag(kept.ravel())) <= 1e-12


@pytest.mark.parametrize("name", ["no_forget_gate(lstm)", "no_forget_gate(peephole)"])
def test_constant_error_carousel(name: str) -> None:
    lstm, x, states = example(CASES[name][0], Shape(50, 2, 3, 4))
    zero_(lstm, "weight_hh", *lstm.cell.vectors)
    assert torch.equal(memory_jacobian(lstm, x, states), torch.eye(8, dtype=torch.float64))


@pytest.mark.parametrize("name", TRUNCATED)
def test_constant_error_carousel_of_1997_whatever_the_weights(name: str) -> None:
    lstm, x, states = example(CASES[name][0], Shape(50, 2, 3, 6))
    assert torch.equal(memory_jacobian(lstm, x, states), torch.eye(12, dtype=torch.float64))


SIGMOIDS = [("lstm", "ifo"), ("peephole", "ifo"), ("cifg", "fo"), ("gru", "rz"), ("lstm_1997", "io")]


@pytest.mark.parametrize(("name", "gate"), [(name, gate) for name, gates in SIGMOIDS for gate in gates])
def test_at_most_a_quarter_passes_through_a_gate(name: str, gate: str) -> None:
    """The maximum of σ′ is 1/4, at 0."""
    cell, grid = CASES[name][0], torch.arange(-400, 401, dtype=torch.float64) / 10
    zeros = torch.zeros_like(grid)
    x = tuple(grid.requires_grad_() if one == gate else zeros for one in cell.gates)
    _, sites = cell.apply(x, (zeros,) * len(x), (zeros,) * len(cell.state), (zeros,) * len(cell.parameters))
    (slope,) = torch.autograd.grad(sites[gate].sum(), grid)
    assert grid[slope.argmax()] == 0
    assert slope.max() == 0.25 and slope.min() >= 0


@pytest.mark.parametrize("cell", [cells.lstm, cells.peephole, cells.gru, cells.min_lstm], ids=repr)
def test_zoneout_of_nothing_is_the_cell(cell: Cell) -> None:
    lstm, x, states = example(cell)
    zoned = layer(cells.zoneout(cell, h=0.0, c=0.0), SHAPE).train()
    zoned.load_state_dict(lstm.state_dict())
    assert_same_run(zoned, lstm, x, states)


def test_zoneout_of_everything_keeps_the_memories() -> None:
    lstm, x, states = example(cells.zoneout(cells.lstm, h=1.0, c=1.0))
    for ours, first in zip(lstm.train()(x, states)[1], states, strict=True):
        assert torch.equal(ours, first)


@pytest.mark.parametrize("every", ["step", "sequence"])
@pytest.mark.parametrize("cell", [cells.lstm, cells.peephole, cells.slstm, cells.lstm_1997], ids=repr)
def test_recurrent_dropout_of_nothing_is_the_cell(cell: Cell, every: Any) -> None:
    lstm, x, states = example(cell)
    dropping = layer(cells.recurrent_dropout(cell, 0.0, every=every), SHAPE).train()
    dropping.load_state_dict(lstm.state_dict())
    assert_same_run(dropping, lstm, x, states)


def test_slstm_does_not_depend_on_its_stabiliser() -> None:
    """With k added to m, and c and n divided by exp(k), the output and the true c and n are what they were."""
    lstm, x, (h, c, n, m) = example(cells.slstm)
    k = 3 * torch.randn_like(m)
    outputs, (_, c_0, n_0, m_0) = lstm(x, (h, c, n, m))
    shifted, (_, c_1, n_1, m_1) = lstm(x, (h, c / k.exp(), n / k.exp(), m + k))
    assert difference(m_1, m_0) > 0.1
    assert difference(shifted, outputs) <= 1e-13
    assert difference(c_1 * (m_1 - m_0).exp(), c_0) <= 1e-13
    assert difference(n_1 * (m_1 - m_0).exp(), n_0) <= 1e-13


@pytest.mark.parametrize("late", [-3.0, -60.0, -100.0, 80.0])
def test_slstm_says_o_times_g_after_one_step_from_nothing(late: float) -> None:
    """A mean of one thing is the thing, however small its weight."""
    found = cells.slstm.worked({"i": late, "f": 1.0, "g": 0.5, "o": 0.3})
    assert found["h"] == pytest.approx(math.tanh(0.5) / (1 + math.exp(-0.3)), abs=5e-5)


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize(("cell", "torchs"), [(cells.gru, nn.GRU), (cells.rnn, nn.RNN)], ids=repr)
def test_torch_computes_the_same(cell: Cell, torchs: type[nn.RNNBase], bias: bool) -> None:
    options: dict[str, Any] = {"num_layers": 2, "bias": bias, "bidirectional": True, "dtype": torch.float64}
    theirs, ours = torchs(5, 6, **options), LSTM(5, 6, cell=cell, **options)
    ours.load_state_dict(theirs.state_dict())
    x, h, by_output, by_last = normal(7, 3, 5), normal(4, 3, 6), normal(7, 3, 12), normal(4, 3, 6)
    found = []
    for module in (ours, theirs):
        given, first = x.clone().requires_grad_(), h.clone().requires_grad_()
        output, last = module(given, first)
        weighed((output, last), [by_output, by_last]).backward()
        found.append({"output": output, "last": last, "x": given.grad, "h": first.grad} | gradients_of(module))
    assert found[0].keys() == found[1].keys()
    for label, value in found[0].items():
        assert difference(value, found[1][label].detach()) <= 1e-12, label


def gradients_of(module: nn.Module) -> dict[str, Tensor | None]:
    return {name: parameter.grad for name, parameter in module.named_parameters()}


@pytest.mark.parametrize("name", ["weight_ih", "weight_hh"])
def test_layer_norm_takes_scale_and_shift_out_of_a_product(name: str) -> None:
    """Exactly so for products large beside the 1e-5 inside the root."""
    lstm, x, states = example(cells.layernorm_lstm)
    weight = lstm.get_parameter(f"{name}_l0").data
    weight.mul_(1e7)
    before = lstm(x[:1], states)[0]
    weight.mul_(3.0)
    assert difference(lstm(x[:1], states)[0], before) <= 1e-13
    weight.add_(1e7 * normal(1, weight.shape[1]))
    assert difference(lstm(x[:1], states)[0], before) <= 1e-13
    weight[: len(weight) // 4].mul_(3.0)  # one gate alone is another thing
    assert difference(lstm(x[:1], states)[0], before) > 1e-3


def hidden_weights(inputs: int, block: int, blocks: int, biased: str) -> int:
    """Of the hidden layer, with biases at those of i, o, g that are named."""
    lstm = LSTM(inputs, block * blocks, cell=cells.lstm_1997_blocks(block))
    biases = sum(gate.bias.numel() for name, gate in lstm.gates().items() if name in biased and gate.bias is not None)
    return sum(parameter.numel() for name, parameter in lstm.named_parameters() if name.startswith("weight")) + biases


@pytest.mark.parametrize(
    ("inputs", "block", "blocks", "biased", "outputs", "output_bias", "published"),
    [
        pytest.param(2, 2, 2, "iog", 1, True, 93, id="adding"),
        pytest.param(8, 2, 2, "iog", 4, True, 156, id="temporal order 6a"),
        pytest.param(8, 2, 3, "iog", 8, True, 308, id="temporal order 6b"),
        pytest.param(7, 1, 4, "io", 7, False, 264, id="embedded Reber 4x1"),
        pytest.param(7, 2, 3, "io", 7, False, 276, id="embedded Reber 3x2"),
        *(
            pytest.param(p + 4, 1, 2, "", 2, False, published, id=f"task 2c, p={p}")
            for p, published in ((50, 364), (100, 664), (200, 1264), (1000, 6064))
        ),
    ],
)
def test_numbers_of_weights_are_the_published_ones(
    inputs: int, block: int, blocks: int, biased: str, outputs: int, output_bias: bool, published: int
) -> None:
    told = nn.Linear(block * blocks, outputs, bias=output_bias)
    assert hidden_weights(inputs, block, blocks, biased) + sum(one.numel() for one in told.parameters()) == published


def test_a_layer_of_1997_has_no_further_parameters() -> None:
    with_biases, without = LSTM(2, 4, cell=cells.lstm_1997_blocks(2)), LSTM(2, 4, cell=cells.lstm_1997_blocks(2), bias=False)
    assert sum(one.numel() for one in with_biases.parameters()) == 93 - 5
    assert sum(one.numel() for one in without.parameters()) == 93 - 5 - 8
