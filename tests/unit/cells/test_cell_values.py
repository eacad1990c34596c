"""Every cell gives what its oracle in numpy gives: outputs, last states and every site."""

import math
from itertools import product

import oracle
import pytest
import torch
from cases import (
    CASES,
    FITTING,
    FORWARD,
    NAMES,
    NOISY,
    SHAPES,
    Shape,
    as_hx,
    as_tuple,
    assert_sites,
    call,
    difference,
    expected,
    layer,
    normal,
    numbers,
    starts,
)
from pairs import COMPILED, SINGLE
from torch.func import vmap

from byhand import cells, use_engine
from byhand.cells import Noise
from byhand.engine.names import Sublayer
from byhand.nn.parameters import draw_noise


@pytest.mark.parametrize(("name", "shape"), FITTING)
def test_outputs_and_last_states_in_both_directions(name: str, shape: Shape) -> None:
    cell = CASES[name][0]
    lstm, x, states = (
        layer(cell, shape, bidirectional=True),
        normal(shape.time, shape.batch, shape.input),
        starts(cell, shape, 2),
    )
    output, last = lstm(x, as_hx(states))
    for index, (place, half) in enumerate(zip(lstm.sublayers, output.chunk(2, -1), strict=True)):
        wanted = expected(name, lstm, x, tuple(value[index] for value in states), place)
        assert difference(half, wanted.output) <= 1e-13
        for ours, theirs in zip(as_tuple(last), wanted.last, strict=True):
            assert difference(ours[index], theirs) <= 1e-13


@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
@pytest.mark.parametrize(("name", "shape"), FITTING)
def test_every_site(name: str, shape: Shape, reverse: bool) -> None:
    cell = CASES[name][0]
    lstm, x, place = layer(cell, shape, bidirectional=True), normal(shape.time, shape.batch, shape.input), Sublayer(0, reverse)
    states = tuple(value[0] for value in starts(cell, shape))
    drawn = draw_noise(cell, x, shape.hidden, training=True)
    assert_sites(call(lstm, place, x, states, noise=drawn), expected(name, lstm, x, states, place, drawn))


def test_slstm_is_the_stabilised_form_too() -> None:
    shape = SHAPES[0]
    lstm, x = layer(cells.slstm, shape), normal(shape.time, shape.batch, shape.input)
    states = tuple(value[0] for value in starts(cells.slstm, shape))
    arrays = x.numpy(), tuple(value.numpy() for value in states)
    assert_sites(call(lstm, FORWARD, x, states), oracle.run(oracle.STABILISED_SLSTM, numbers(lstm), *arrays))


@pytest.mark.parametrize("name", NAMES)
def test_states_start_at_zero(name: str) -> None:
    shape = SHAPES[0]
    cell, told = CASES[name]
    lstm, x = layer(cell, shape), normal(shape.time, shape.batch, shape.input)
    zeros = tuple(torch.zeros(shape.batch, shape.hidden, dtype=torch.float64) for _ in told.states)
    assert difference(lstm(x)[0], expected(name, lstm, x, zeros).output) <= 1e-13


@pytest.mark.parametrize("name", NOISY)
def test_masks_are_drawn_in_training_only(name: str) -> None:
    shape = SHAPES[0]
    cell = CASES[name][0]
    lstm, x, states = layer(cell, shape).train(), normal(shape.time, shape.batch, shape.input), starts(cell, shape)
    torch.manual_seed(3)
    output = lstm(x, as_hx(states))[0]
    torch.manual_seed(3)
    drawn = draw_noise(cell, x, shape.hidden, training=True)
    first = tuple(value[0] for value in states)
    assert difference(output, expected(name, lstm, x, first, drawn=drawn).output) <= 1e-13
    assert difference(output, expected(name, lstm, x, first).output) > 1e-3


@pytest.mark.parametrize(("scaled", "values"), [(True, {0.0, 1.25}), (False, {0.0, 1.0})])
def test_masks_have_their_values_and_their_mean(scaled: bool, values: set[float]) -> None:
    noise = Noise("d", 0.2, scaled=scaled)
    mask = noise.draw((100_000,), normal(1))
    assert set(mask.unique().tolist()) == values
    assert noise.mean == (1.0 if scaled else 0.2)
    assert mask.mean().item() == pytest.approx(noise.mean, abs=5 * 1.25 * 0.4 / math.sqrt(100_000))  # five deviations


def test_a_mask_for_a_sequence_is_the_same_at_every_step() -> None:
    cell, shape = CASES["recurrent_dropout(peephole, every=sequence)"][0], Shape(5, 2, 3, 40)
    lstm, x = layer(cell, shape).train(), normal(shape.time, shape.batch, shape.input)
    drawn = draw_noise(cell, x, shape.hidden, training=True)
    result = call(lstm, FORWARD, x, tuple(value[0] for value in starts(cell, shape)), noise=drawn)
    assert result.sites is not None
    dropped = torch.stack(list(result.sites["g"])) == 0
    assert dropped.any() and not dropped.all()
    assert torch.equal(dropped, dropped[:1].expand_as(dropped))


@pytest.mark.parametrize("name", NOISY)
def test_each_sample_can_draw_its_own_masks(name: str) -> None:
    """Per-sample gradients of a network that is trained with noise."""
    shape = Shape(5, 2, 3, 6)
    lstm, x = layer(CASES[name][0], shape).train(), normal(shape.time, shape.batch, shape.input)
    same, different = (vmap(lambda x: lstm(x)[0], randomness=how)(x.expand(3, *x.shape)) for how in ("same", "different"))
    assert difference(same[0], same[1]) == 0
    assert difference(different[0], different[1]) > 1e-3


@pytest.mark.parametrize("name", ["zoneout(lstm)", "zoneout(gru)", "recurrent_dropout(lstm)"])
def test_one_step_in_eval_mode_is_the_mean_over_all_masks(name: str) -> None:
    """Of the states that are linear in the mask: those that zoneout mixes; the long memory that dropout is on its way to."""
    cell, shape = CASES[name][0], Shape(1, 1, 1, 1)
    lstm, x, states = layer(cell, shape), normal(1, 1, 1), starts(cell, shape)
    linear = ["c"] if name.startswith("recurrent") else [state for state in ("h", "c") if state in cell.state]
    means = dict.fromkeys(linear, 0.0)
    for outcome in product((0.0, 1.0), repeat=len(cell.noise)):
        pairs = list(zip(cell.noise, outcome, strict=True))
        share = math.prod(noise.rate if (one == 1.0) != noise.scaled else 1 - noise.rate for noise, one in pairs)
        drawn = tuple(
            torch.full((1, 1, 1), one / (1 - noise.rate) if noise.scaled else one, dtype=x.dtype) for noise, one in pairs
        )
        seen = expected(name, lstm, x, tuple(value[0] for value in states), drawn=drawn).sites
        means = {state: mean + share * seen[state].item() for state, mean in means.items()}
    last = dict(zip(cell.state, as_tuple(lstm(x, as_hx(states))[1]), strict=True))
    assert {state: last[state].item() for state in linear} == pytest.approx(means, abs=1e-15)


@pytest.mark.parametrize(
    ("engine", "name", "dtype"),
    [
        *product(("reference",), NAMES, (torch.float64, torch.float32)),
        *product(("cpp",), COMPILED, (torch.float64,)),
        *product(("cpp",), SINGLE, (torch.float32,)),
    ],
)
def test_extreme_weights_give_finite_values_and_gradients(engine: str, name: str, dtype: torch.dtype) -> None:
    """Nothing overflows, and nothing is 0 / 0 where gates underflow."""
    cell, shape = CASES[name][0], Shape(3, 2, 3, 6)
    lstm, x = layer(cell, shape).to(dtype), normal(shape.time, shape.batch, shape.input).to(dtype)
    with torch.no_grad():
        lstm.get_parameter("weight_ih_l0").mul_(1000.0)
    with use_engine(engine):
        output = lstm(x)[0]
        output.sum().backward()
    assert output.isfinite().all()
    for label, parameter in lstm.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), label
