"""Short calls take a short cut past the checks: the results are those of the reference engine, whatever is done around them."""

from typing import Any

import pytest
import torch
from cases import CASES, as_hx, as_tuple
from pairs import BACKWARD, COMPILED, FORWARD
from torch import Tensor, nn

import byhand
from byhand import LSTM, LSTMCell, use_engine
from byhand.nn import prepared

SMALL = tuple(name for name in COMPILED if CASES[name][0].recurrent == ("h",) and not CASES[name][0].noise)


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each call took the short cut."""
    calls: list[bool] = []
    run = prepared.run

    def noted(*arguments: Any, **options: Any) -> Any:
        done = run(*arguments, **options)
        calls.append(done is not None)
        return done

    monkeypatch.setattr(prepared, "run", noted)
    return calls


def made(name: str, *, layers: int = 1, **options: Any) -> LSTM:
    torch.manual_seed(3)
    return LSTM(3, 6, layers, dtype=torch.float64, cell=CASES[name][0], **options)


def hx_of(lstm: LSTM, batch: int = 2) -> Any:
    torch.manual_seed(4)
    sublayers = lstm.num_layers * (2 if lstm.bidirectional else 1)
    state = tuple(torch.randn(sublayers, batch, 6, dtype=torch.float64, requires_grad=True) for _ in lstm.cell.state)
    return as_hx(state)


def differentiated(module: nn.Module, input: Tensor, hx: Any) -> dict[str, Tensor]:
    """Output, last states, and the gradients of a sum that weighs each of them differently, by name."""
    given = {f"hx{i}": one for i, one in enumerate(as_tuple(hx))} if hx is not None else {}
    leaves = {"input": input, **given, **dict(module.named_parameters())}
    for leaf in leaves.values():
        leaf.grad = None
    out = module(input, hx)
    found = {"output": out[0], **{f"last{i}": one for i, one in enumerate(as_tuple(out[1]))}}
    sum(
        (value * torch.linspace(-1, 2, value.numel(), dtype=value.dtype).view_as(value)).sum() for value in found.values()
    ).backward()
    return {name: value.detach() for name, value in found.items()} | {f"by {name}": leaf.grad for name, leaf in leaves.items()}


def equal(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    assert set(first) == set(second)
    for name, value in second.items():
        assert (first[name] is None) == (value is None), name
        if value is not None:
            tolerance = BACKWARD if name.startswith("by ") else FORWARD
            torch.testing.assert_close(
                first[name], value, rtol=tolerance, atol=tolerance, msg=lambda said, name=name: f"{name}: {said}"
            )


LAYOUTS = {"time first": {}, "batch first": {"batch_first": True}, "both directions": {"bidirectional": True}}
LAYOUTS["both directions, batch first"] = {"bidirectional": True, "batch_first": True}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("starts", [False, True], ids=["zeros", "given"])
@pytest.mark.parametrize("name", SMALL)
def test_a_layer_and_its_gradients(name: str, starts: bool, layers: int, layout: str, taken: list[bool]) -> None:
    lstm, input = made(name, layers=layers, **LAYOUTS[layout]), torch.randn(5, 2, 3, dtype=torch.float64, requires_grad=True)
    hx = hx_of(lstm, 5 if lstm.batch_first else 2) if starts else None
    ours = differentiated(lstm, input, hx)
    assert taken == [True]
    with use_engine("reference"):
        equal(ours, differentiated(lstm, input, hx))
    with torch.no_grad():
        y, last = lstm(input, hx)
    assert taken == [True, True]
    assert torch.equal(y, ours["output"])
    assert all(torch.equal(one, ours[f"last{i}"]) for i, one in enumerate(as_tuple(last)))


OPTIONS: list[dict[str, Any]] = [{}, {"bidirectional": True}, {"proj_size": 2}]
OPTIONS += [one | {"num_layers": 2} for one in OPTIONS] + [{"proj_size": 5, "bidirectional": True, "num_layers": 2}]


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (3, 4)], ids=str)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_batch_first_is_torchs(shape: tuple[int, int], options: dict[str, Any], taken: list[bool]) -> None:
    """Every gradient by name; and the output laid out in memory as torch lays it out."""
    ours = LSTM(3, 6, batch_first=True, dtype=torch.float64, **options)
    theirs = nn.LSTM(3, 6, batch_first=True, dtype=torch.float64, **options)
    theirs.load_state_dict(ours.state_dict())
    input = torch.randn(*shape, 3, dtype=torch.float64, requires_grad=True)
    equal(differentiated(ours, input, None), differentiated(theirs, input, None))
    with torch.no_grad():
        assert ours(input)[0].stride() == theirs(input)[0].stride()
        assert torch.equal(ours(input.expand(*shape, 3)[..., :])[0], ours(input)[0])
    assert all(taken)


@pytest.mark.parametrize("name", SMALL)
def test_a_cell_and_its_gradients(name: str, taken: list[bool]) -> None:
    torch.manual_seed(3)
    cell = LSTMCell(3, 6, dtype=torch.float64, cell=CASES[name][0])
    state = tuple(torch.randn(2, 6, dtype=torch.float64, requires_grad=True) for _ in cell.cell.state)
    input = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)

    def gradients() -> list[Tensor]:
        new = as_tuple(cell(input, as_hx(state)))
        loss = sum((value * (i + 1)).sum() for i, value in enumerate(new))
        return [*(value.detach() for value in new), *torch.autograd.grad(loss, [input, *state, *cell.parameters()])]

    ours = gradients()
    assert taken == [True]
    with use_engine("reference"):
        for mine, theirs in zip(ours, gradients(), strict=True):
            torch.testing.assert_close(mine, theirs, rtol=BACKWARD, atol=BACKWARD)
    with torch.no_grad():
        for mine, new in zip(ours, as_tuple(cell(input, as_hx(state))), strict=False):
            assert torch.equal(mine, new)


def test_only_what_is_needed_has_a_gradient() -> None:
    lstm, input = made("lstm"), torch.randn(5, 2, 3, dtype=torch.float64)
    lstm.weight_hh_l0.requires_grad_(requires_grad=False)
    lstm(input)[0].sum().backward()
    assert input.grad is None and lstm.weight_hh_l0.grad is None and lstm.weight_ih_l0.grad is not None


def test_a_last_state_alone_is_differentiated() -> None:
    lstm, input = made("lstm"), torch.randn(5, 2, 3, dtype=torch.float64, requires_grad=True)
    (ours,) = torch.autograd.grad(lstm(input)[1][1].sum(), input)
    with use_engine("reference"):
        (theirs,) = torch.autograd.grad(lstm(input)[1][1].sum(), input)
    torch.testing.assert_close(ours, theirs, rtol=BACKWARD, atol=BACKWARD)


def test_parameters_that_move_are_found_again(taken: list[bool]) -> None:
    lstm, input = made("lstm"), torch.randn(5, 2, 3, dtype=torch.float64)
    first = lstm(input)[0]
    lstm.weight_ih_l0.data = lstm.weight_ih_l0.data * 2  # in another place
    second = lstm(input)[0]
    first.sum().backward()  # reads what the parameter holds now, as torch's own operators do
    with torch.no_grad():
        lstm.weight_hh_l0.mul_(0.5)  # in the same place
    third = lstm(input)[0]
    assert all(taken)
    with use_engine("reference"):
        torch.testing.assert_close(third, lstm(input)[0], rtol=FORWARD, atol=FORWARD)
    assert not torch.equal(first, second) and not torch.equal(second, third)


def test_what_is_saved_may_be_kept_elsewhere(taken: list[bool]) -> None:
    lstm, input = made("lstm"), torch.randn(5, 2, 3, dtype=torch.float64, requires_grad=True)
    plain = differentiated(lstm, input, None)
    with torch.autograd.graph.saved_tensors_hooks(lambda one: one.clone(), lambda one: one.clone()):
        equal(differentiated(lstm, input, None), plain)
    assert all(taken)


def test_a_change_in_place_between_is_refused() -> None:
    lstm, input = made("lstm"), torch.randn(5, 2, 3, dtype=torch.float64)
    loss = lstm(input)[0].sum()
    with torch.no_grad():
        lstm.weight_hh_l0.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


@pytest.mark.parametrize(
    "hx",
    [
        (torch.zeros(1, 2, 6),) * 2,
        (torch.zeros(1, 3, 6, dtype=torch.float64),) * 2,
        [torch.zeros(1, 2, 6, dtype=torch.float64)] * 3,
        torch.zeros(1, 2, 6, dtype=torch.float64),
    ],
    ids=["dtype", "batch", "three", "bare"],
)
def test_a_wrong_state_is_told_as_ever(hx: Any) -> None:
    lstm, input = made("lstm"), torch.randn(5, 2, 3, dtype=torch.float64)
    lstm(input)
    with pytest.raises((TypeError, ValueError, RuntimeError)) as quickly:
        lstm(input, hx)
    with use_engine("reference"), pytest.raises(type(quickly.value)) as slowly:
        lstm(input, hx)
    assert str(quickly.value) == str(slowly.value)


def test_a_state_laid_out_otherwise_takes_the_usual_way(taken: list[bool]) -> None:
    lstm, input = made("lstm"), torch.randn(5, 2, 3, dtype=torch.float64)
    h, c = (torch.randn(1, 6, 2, dtype=torch.float64).transpose(1, 2) for _ in range(2))
    y = lstm(input, (h, c))[0]
    assert taken == [False]
    torch.testing.assert_close(y, lstm(input, (h.contiguous(), c.contiguous()))[0], rtol=FORWARD, atol=FORWARD)
    assert taken == [False, True]


def test_large_weights_are_trained_the_usual_way_with_the_same_result(taken: list[bool]) -> None:
    torch.manual_seed(0)
    lstm, input = LSTM(8, 320), torch.randn(3, 2, 8)
    lstm(input)[0].sum().backward()
    grads = {name: one.grad for name, one in lstm.named_parameters()}
    lstm.zero_grad()
    with use_engine("reference"):
        lstm(input)[0].sum().backward()
    assert taken[0]
    for name, one in lstm.named_parameters():
        torch.testing.assert_close(grads[name], one.grad, rtol=1e-4, atol=1e-5)


def test_dropout_between_layers_is_drawn() -> None:
    lstm = byhand.LSTM(3, 6, 2, dropout=0.5)
    input = torch.randn(5, 2, 3)
    assert not torch.equal(lstm(input)[0], lstm(input)[0])
    assert torch.equal(lstm.eval()(input)[0], lstm(input)[0])


@pytest.mark.parametrize("module", [LSTM, LSTMCell])
@pytest.mark.parametrize("name", SMALL)
def test_second_derivatives_reach_given_states_in_their_own_shape(name: str, module: Any, taken: list[bool]) -> None:
    """Also where the loss is of the last states alone, or does not need the first ones."""
    torch.manual_seed(3)
    layer = module(3, 6, dtype=torch.float64, cell=CASES[name][0])
    before = (1, 2, 6) if module is LSTM else (2, 6)
    input = torch.randn(*((5, 2, 3) if module is LSTM else (2, 3)), dtype=torch.float64, requires_grad=True)
    state = tuple(torch.randn(before, dtype=torch.float64, requires_grad=True) for _ in layer.cell.state)

    def second(of_states: bool, by_states: bool) -> list[Tensor]:
        made = layer(input, as_hx(state))
        last = as_tuple(made[1] if module is LSTM else made)
        reached = last[-1] if of_states else (made[0] if module is LSTM else last[0])
        leaves = [input, *(state if by_states else ()), *layer.parameters()]
        first = torch.autograd.grad(reached.square().sum(), leaves, create_graph=True, materialize_grads=True)
        return list(torch.autograd.grad(sum(one.square().sum() for one in first), leaves, materialize_grads=True))

    for of_states, by_states in ((False, True), (True, True), (True, False), (False, False)):
        ours = second(of_states, by_states)
        with use_engine("reference"):
            for mine, theirs in zip(ours, second(of_states, by_states), strict=True):
                torch.testing.assert_close(mine, theirs, rtol=BACKWARD, atol=BACKWARD)
    assert all(taken)
