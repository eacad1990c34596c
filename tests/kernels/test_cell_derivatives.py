"""Every cell's derivatives: against complex step, finite differences, forward mode, vmap and loops."""

from collections.abc import Callable
from typing import Any

import oracle
import pytest
import torch
from cases import CASES, NAMES, NOISY, SMALL, TRUNCATED, difference, flat, masks_of, normal, small, weighed
from pairs import LIKE_ANOTHER
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck
from torch.func import grad, jvp, vjp, vmap

from byhand.engine import dispatch, reference
from byhand.engine.cpp import engine as cpp
from byhand.nn.parameters import draw_noise

jits = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")  # torch.func.jvp's own doing


@pytest.fixture(autouse=True)
def _engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiled one, but for cells whose kernels are like another's."""
    if request.node.callspec.params["name"] in LIKE_ANOTHER:
        monkeypatch.setattr(dispatch, "ENGINES", (reference, cpp))


@pytest.mark.parametrize("training", [False, True], ids=["eval", "training"])
@pytest.mark.parametrize("name", NAMES)
def test_every_gradient_by_name(name: str, training: bool) -> None:
    """Against complex steps through the oracle: for the input, the first states and every parameter; and for lstm_1997 truncated."""
    lstm, x, states = small(name)
    run, named = flat(lstm.train(training), x, states)
    by = [torch.randn_like(value) for value in run(*named.values())]
    torch.manual_seed(5)
    values = [value.requires_grad_() for value in named.values()]
    found = torch.autograd.grad(weighed(run(*values), by), values, materialize_grads=True)
    torch.manual_seed(5)
    masks = masks_of(lstm.cell, draw_noise(lstm.cell, x, SMALL[name].hidden, training=training))

    def total(arrays: oracle.Named) -> Any:
        parameters = {label.removesuffix("_l0"): array for label, array in arrays.items() if label.endswith("_l0")}
        first = tuple(arrays[f"start_{state}"][0] for state in lstm.cell.state)
        answer = oracle.run(CASES[name][1], parameters, arrays["x"], first, masks=masks)
        return weighed((answer.output, *answer.last), [by[0].numpy(), *(one[0].numpy() for one in by[1:])])

    wanted = oracle.derivatives(total, {label: value.detach().numpy() for label, value in named.items()})
    for label, ours in zip(named, found, strict=True):
        assert difference(ours, wanted[label]) <= 1e-12, label


@pytest.mark.parametrize("name", [name for name in NAMES if name not in TRUNCATED])
def test_gradcheck_and_gradgradcheck(name: str) -> None:
    lstm, x, states = small(name)
    run, named = flat(lstm, x[:2, :1], tuple(value[:, :1] for value in states))
    values = tuple(value.clone().requires_grad_() for value in named.values())
    assert gradcheck(run, values)
    assert gradgradcheck(run, values)


def truncated_by_hand(
    block: int, x: Tensor, h: Tensor, c: Tensor, i: Tensor, o: Tensor, *parameters: Tensor
) -> tuple[Tensor, ...]:
    """The LSTM of 1997 with every recurrent read detached."""
    w, u, b = parameters
    h, c, i, o, outputs = h[0], c[0], i[0], o[0], []
    sizes = [h.shape[-1] // block, h.shape[-1] // block, h.shape[-1]]
    for x_t in x:
        read = torch.cat([h.detach(), i.detach()[:, ::block], o.detach()[:, ::block]], -1)
        net_i, net_o, net_g = (x_t @ w.T + read @ u.T + b).split(sizes, -1)
        i, o = (net.sigmoid().repeat_interleave(block, -1) for net in (net_i, net_o))
        c = c + i * (4 * net_g.sigmoid() - 2)
        h = o * (2 * c.sigmoid() - 1)
        outputs.append(h)
    return torch.stack(outputs), h[None], c[None], i[None], o[None]


@pytest.mark.parametrize("name", TRUNCATED)
def test_truncated_first_and_second_gradients(name: str) -> None:
    lstm, x, states = small(name)
    run, named = flat(lstm, x, states)
    by, again = [[torch.randn_like(value) for value in many] for many in (run(*named.values()), tuple(named.values()))]

    def gradients(function: Callable[..., tuple[Tensor, ...]]) -> list[Tensor]:
        values = [value.clone().requires_grad_() for value in named.values()]
        first = torch.autograd.grad(weighed(function(*values), by), values, create_graph=True, materialize_grads=True)
        return [*first, *torch.autograd.grad(weighed(first, again), values, materialize_grads=True)]

    def by_hand(*values: Tensor) -> tuple[Tensor, ...]:
        return truncated_by_hand(CASES[name][1].block, *values)

    for ours, theirs in zip(gradients(run), gradients(by_hand), strict=True):
        assert difference(ours, theirs) <= 1e-12


def forward_mode(function: Any, values: tuple[Tensor, ...], tangents: tuple[Tensor, ...]) -> tuple[Any, Any]:
    """Values and their derivatives along the tangents."""
    outputs, pushed, *_ = jvp(function, values, tangents)
    return outputs, pushed


@jits
@pytest.mark.parametrize("name", NAMES)
def test_forward_mode_agrees_with_reverse_mode(name: str) -> None:
    """w·(J v) = (Jᵀ w)·v, for the input, the states and every parameter."""
    run, named = flat(*small(name))
    values = tuple(named.values())
    for index, label in enumerate(named):
        tangents = tuple(torch.randn_like(value) if k == index else torch.zeros_like(value) for k, value in enumerate(values))
        outputs, pushed = forward_mode(run, values, tangents)
        by = [torch.randn_like(value) for value in outputs]
        pulled = vjp(run, *values)[1](tuple(by))
        forward, backward = weighed(pushed, by).item(), weighed(pulled, list(tangents)).item()
        assert forward == pytest.approx(backward, abs=1e-12), label


@jits
@pytest.mark.parametrize("name", [name for name in NAMES if name not in TRUNCATED])
def test_forward_mode_agrees_with_finite_differences(name: str) -> None:
    run, named = flat(*small(name))
    values, step = tuple(named.values()), 1e-5
    tangents = tuple(torch.randn_like(value) for value in values)
    _, pushed = forward_mode(run, values, tangents)
    ahead, behind = (
        run(*(value + sign * step * tangent for value, tangent in zip(values, tangents, strict=True))) for sign in (1, -1)
    )
    for ours, after, before in zip(pushed, ahead, behind, strict=True):
        torch.testing.assert_close(ours, (after - before) / (2 * step), rtol=1e-6, atol=1e-6)


def stacked(named: dict[str, Tensor], changed: Callable[[str], bool]) -> tuple[list[Tensor], list[int | None]]:
    """For vmap: three versions of what is changed, and which dimension that is."""
    values = [value + 0.1 * normal(3, *value.shape) if changed(name) else value for name, value in named.items()]
    return values, [0 if changed(name) else None for name in named]


def assert_mapped_equals_loop(
    function: Callable[..., tuple[Tensor, ...]], values: list[Tensor], dims: list[int | None]
) -> None:
    mapped = vmap(function, in_dims=tuple(dims))(*values)
    for index in range(3):
        one = function(*(value if dim is None else value[index] for value, dim in zip(values, dims, strict=True)))
        for ours, theirs in zip(mapped, one, strict=True):
            assert difference(ours[index], theirs) <= 1e-12


@pytest.mark.parametrize("what", ["inputs", "weights"])
@pytest.mark.parametrize("name", NAMES)
def test_vmap_equals_a_loop(name: str, what: str) -> None:
    run, named = flat(*small(name))
    values, dims = stacked(named, lambda label: (label == "x" or label.startswith("start")) == (what == "inputs"))
    assert_mapped_equals_loop(run, values, dims)


@pytest.mark.parametrize("what", ["inputs", "weights"])
@pytest.mark.parametrize("name", NAMES)
def test_gradients_of_each_sample_and_of_each_model_equal_a_loop(name: str, what: str) -> None:
    run, named = flat(*small(name))
    by = [torch.randn_like(value) for value in run(*named.values())]
    values, dims = stacked(named, lambda label: label == "x" if what == "inputs" else label.endswith("_l0"))
    assert_mapped_equals_loop(grad(lambda *all_: weighed(run(*all_), by), argnums=tuple(range(len(values)))), values, dims)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in NOISY])
def test_gradients_in_eval_mode_are_those_of_training(name: str) -> None:
    lstm, x, _ = small(name)
    found = []
    for training in (False, True):
        lstm.train(training).zero_grad()
        lstm(x)[0].pow(2).sum().backward()
        found.append([parameter.grad.clone() for parameter in lstm.parameters() if parameter.grad is not None])
    assert len(found[0]) == len(list(lstm.parameters()))
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))
    assert all(one.abs().max() > 0 for one in found[0])
