"""The C++ engine inside autograd and inside layers: what is asked for, what is given, what is refused and why."""

from typing import Any

import hypothesis.strategies as st
import pytest
import torch
from cases import Shape, as_hx, as_tuple, flat, normal
from hypothesis import given, settings
from pairs import FOUR, answers, assert_close, assert_engines_agree, assert_equal, example, on, packed, run, threads, weighed
from torch import Tensor
from torch.func import functional_call, jvp, vmap

import byhand
from byhand import LSTM, LSTMCell, cells, edit, use_engine

SHAPE = Shape(5, 4, 3, 7)
jits = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")  # torch.func.jvp's own doing
four = pytest.mark.parametrize("name", FOUR)


@pytest.mark.parametrize("skip", [["output"], ["last 0"], ["last 1"], ["last 0", "last 1"], ["output", "last 0"]], ids=str)
@pytest.mark.parametrize("options", [{}, {"proj_size": 3}, {"num_layers": 2, "bidirectional": True}], ids=str)
def test_results_that_no_gradient_comes_from(skip: list[str], options: dict[str, Any]) -> None:
    lstm, x, states = example("lstm", SHAPE, **options)
    assert_engines_agree(lstm, x, states, skip=skip)
    assert_engines_agree(lstm, packed(x, [2, 5, 1, 3]), states, skip=skip)


@four
def test_gradients_of_some_only(name: str) -> None:
    """Any one alone is what it is among all."""
    given = example(name, SHAPE)
    everything = on("cpp", *given)
    for label in (label.removeprefix("grad ") for label in everything if label.startswith("grad ")):
        found = on("cpp", *given, only=[label])
        assert_close(found, {name: everything[name] for name in found}, backward=1e-14)


def apart(x: Tensor) -> Tensor:
    """The same values, not side by side in memory."""
    return torch.stack([x, x], -1)[..., 0]


@four
def test_memory_laid_out_in_any_way(name: str) -> None:
    lstm, x, states = example(name, SHAPE)
    wanted = on("cpp", lstm, x, states)
    for parameter in lstm.parameters():
        parameter.data = apart(parameter.data)
    first = tuple(apart(state) for state in as_tuple(states))
    assert_equal(on("cpp", lstm, apart(x), as_hx(first)), wanted)


@four
def test_gradients_laid_out_in_any_way(name: str) -> None:
    """output.sum() hands back ones that are all the same place in memory."""
    lstm, x, states = example(name, SHAPE)
    found = []
    for engine in ("cpp", "reference"):
        with use_engine(engine):
            results, wanted = run(lstm, x, states)
            total = results["output"].sum() + results["last 0"].transpose(0, 2).sum()
            found.append(dict(zip(wanted, torch.autograd.grad(total, list(wanted.values())), strict=True)))
    assert_close(*found, forward=1e-11)


@pytest.mark.parametrize("options", [{}, {"bidirectional": True, "num_layers": 2}, {"proj_size": 3}], ids=str)
def test_batch_first_and_no_batch_at_all(options: dict[str, Any]) -> None:
    lstm, x, states = example("lstm", SHAPE, batch_first=True, **options)
    assert_engines_agree(lstm, x.transpose(0, 1), states)
    assert_engines_agree(lstm, x[:, 0], tuple(state[:, 0] for state in states))


@four
def test_a_batch_of_no_sequences(name: str) -> None:
    lstm, x, _ = example(name, SHAPE)
    assert_engines_agree(lstm, x[:, :0])


def test_a_single_step() -> None:
    cell = LSTMCell(3, 7, dtype=torch.float64)
    x, states = normal(4, 3), (normal(4, 7), normal(4, 7))
    with use_engine("reference"):
        wanted = cell(x, states)
    with use_engine("cpp"):
        torch.testing.assert_close(cell(x, states), wanted, rtol=1e-13, atol=1e-13)


def test_frozen_layers_and_inference() -> None:
    lstm, x, states = example("lstm", SHAPE)
    wanted = answers(lstm, x, states)
    lstm.requires_grad_(False)
    assert_equal({"output": lstm(x, states)[0]}, {"output": wanted["output"]})
    with torch.inference_mode():
        assert_equal({"output": lstm(x, states)[0]}, {"output": wanted["output"]})


@st.composite
def layers(draw: st.DrawFn) -> tuple[str, Shape, dict[str, Any], list[int] | None, int]:
    shape = Shape(*(draw(st.integers(1, most)) for most in (6, 9, 20, 40)))
    projected = draw(st.integers(0, shape.hidden - 1))
    name = draw(st.sampled_from(["lstm", "gru"])) if not projected else "lstm"
    options = {flag: draw(st.booleans()) for flag in ("bias", "bidirectional", "learn_initial_state")}
    options |= {"num_layers": draw(st.integers(1, 2)), "proj_size": projected}
    lengths = st.lists(st.integers(1, shape.time), min_size=shape.batch, max_size=shape.batch)
    return name, shape, options, draw(st.none() | lengths), draw(st.integers(1, 3))


@settings(max_examples=150, deadline=None)
@given(layers(), st.booleans())
def test_any_layer(made: tuple[str, Shape, dict[str, Any], list[int] | None, int], states: bool) -> None:
    name, shape, options, lengths, count = made
    lstm, x, first = example(name, shape, **options)
    with threads(count):
        assert_engines_agree(lstm, x if lengths is None else packed(x, lengths), first if states else None)


@four
def test_backward_twice_through_one_graph(name: str) -> None:
    lstm, x, states = example(name, SHAPE)
    with use_engine("cpp"):
        results, wanted = run(lstm, x, states)
        twice = [torch.autograd.grad(weighed(results), list(wanted.values()), retain_graph=True) for _ in range(2)]
    assert all(torch.equal(one, other) for one, other in zip(*twice, strict=True))


@four
def test_second_derivatives(name: str) -> None:
    lstm, x, states = example(name, SHAPE)
    found = []
    for engine in ("cpp", "reference"):
        with use_engine(engine):
            results, wanted = run(lstm, x, states)
            values = list(wanted.values())
            grads = torch.autograd.grad(weighed(results), values, create_graph=True, materialize_grads=True)
            total = torch.stack([(grad.pow(2) * 0.5 + grad).sum() for grad in grads]).sum()
            again = torch.autograd.grad(total, values, materialize_grads=True)
            found.append({f"grad {label}": grad for label, grad in zip(wanted, (*grads, *again), strict=False)})
            found[-1] |= {f"grad grad {label}": grad for label, grad in zip(wanted, again, strict=True)}
    assert_close(*found, backward=1e-10)


@jits
@four
def test_forward_mode_goes_by_the_reference(name: str) -> None:
    function, named = flat(*example(name, SHAPE)[:2], as_tuple(example(name, SHAPE)[2]))
    values = tuple(named.values())
    tangents = tuple(torch.randn_like(value) for value in values)
    found = jvp(function, values, tangents)
    with use_engine("reference"):
        torch.testing.assert_close(found, jvp(function, values, tangents), rtol=0, atol=0)


@four
def test_vmap_goes_by_the_reference(name: str) -> None:
    lstm, x, _ = example(name, SHAPE)
    many = torch.stack([x, 2 * x])
    with use_engine("reference"):
        wanted = vmap(lambda x: lstm(x)[0])(many)
    assert torch.equal(vmap(lambda x: lstm(x)[0])(many), wanted)


def told(lstm: LSTM, x: Any) -> str:
    """What the engine says of this input."""
    return dict(byhand.engines(lstm, x))["cpp"]


def test_says_why_it_refuses() -> None:
    lstm, x, _ = example("lstm", SHAPE)
    assert told(lstm, x) == "ready"
    with torch.autocast("cpu", torch.bfloat16):
        assert told(lstm, x) == "ready"  # autocast leaves float64 alone
        assert told(LSTM(3, 4), x.float()) == "ready: computed in float32, output in bfloat16"
    with torch.autograd.forward_ad.dual_level():
        assert told(lstm, x) == "forward-mode differentiation is active"
    seen = []
    vmap(lambda x: seen.append(told(lstm, x)) or x)(torch.stack([x, x]))
    assert seen == ["a transform of torch.func is active"]
    assert told(lstm.to("meta"), x.to("meta")) == "the input is on meta, the engine runs on the cpu"
    half = LSTM(3, 4, dtype=torch.float16)
    assert told(half, x.half()) == "ready: computed in float32, output in float16"
    normed = LSTM(3, 4, cell=cells.layernorm_lstm)
    assert told(normed, x.float()) == "cell 'layernorm_lstm' is not elementwise: a unit's values depend on other units"


def test_asked_for_by_name_it_runs_or_raises() -> None:
    lstm, x, _ = example("lstm", SHAPE)
    opened = edit(lstm, {"l0.f": torch.sqrt})
    with use_engine("cpp"):
        assert lstm(x)[0].isfinite().all()
        forward = torch.autograd.forward_ad.dual_level()
        with pytest.raises(RuntimeError, match="engine 'cpp' was asked for and cannot run this: forward-mode"), forward:
            lstm(x)
        with pytest.raises(RuntimeError, match="cannot run this: values are edited by functions"), opened:
            lstm(x)
        with pytest.raises(RuntimeError, match=r"cannot run this: a transform of torch\.func is active"):
            vmap(lambda x: lstm(x)[0])(torch.stack([x, x]))


def test_under_autocast_the_reference_answers() -> None:
    lstm, x = LSTM(3, 7), torch.randn(5, 4, 3)
    with torch.autocast("cpu", torch.bfloat16):
        found = lstm(x)[0]
        with use_engine("reference"):
            assert torch.equal(found, lstm(x)[0])


def test_parameters_given_from_outside() -> None:
    lstm, x, _ = example("lstm", SHAPE)
    other = {name: torch.randn_like(value).requires_grad_() for name, value in lstm.named_parameters()}
    found = []
    for engine in ("cpp", "reference"):
        with use_engine(engine):
            output = functional_call(lstm, other, (x,))[0]
            grads = torch.autograd.grad(output.pow(2).sum(), list(other.values()))
            found.append({"output": output} | {f"grad {name}": grad for name, grad in zip(other, grads, strict=True)})
    assert_close(*found)
