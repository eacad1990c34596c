"""byhand.LSTM is torch.nn.LSTM: values, every gradient by name, states, errors, weights, printed form."""

from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pack_sequence
from torch.testing._internal.common_modules import ModuleErrorEnum, module_db

import byhand
from byhand import cells


def unlisted(*_: Any, **__: Any) -> list[Any]:
    raise AssertionError("torch lists no error inputs for nn.LSTM")


TOLERANCE = {torch.float64: (1e-12, 1e-11), torch.float32: (1e-6, 1e-5)}
INPUTS = [
    (dtype, index, sample)
    for info in module_db
    if info.module_cls is nn.LSTM
    for dtype in TOLERANCE
    for index, sample in enumerate(info.module_inputs_func(info, "cpu", dtype, requires_grad=False, training=True))
]
ERRORS = [
    sample
    for info in module_db
    if info.module_cls is nn.LSTM
    for sample in (info.module_error_inputs_func or unlisted)(info, "cpu", torch.float32, requires_grad=False, training=True)
]


def twins(*arguments: Any, **options: Any) -> tuple[nn.LSTM, byhand.LSTM]:
    """Both made under the same seed: their weights are equal to the bit."""
    torch.manual_seed(7)
    theirs = nn.LSTM(*arguments, **options)
    torch.manual_seed(7)
    ours = byhand.LSTM(*arguments, **options)
    assert list(theirs.state_dict()) == list(ours.state_dict())
    for name, value in theirs.state_dict().items():
        assert torch.equal(value, ours.state_dict()[name]), name
    return theirs, ours


def data(value: Tensor | PackedSequence) -> Tensor:
    return value.data if isinstance(value, PackedSequence) else value


def leaf(value: Tensor | PackedSequence) -> tuple[Tensor | PackedSequence, Tensor]:
    """A copy to be given to a layer, and the tensor in it whose gradient is wanted."""
    if not isinstance(value, PackedSequence):
        copy = value.detach().clone().requires_grad_()
        return copy, copy
    inner = value.data.detach().clone().requires_grad_()
    return PackedSequence(inner, value.batch_sizes, value.sorted_indices, value.unsorted_indices), inner


def everything(layer: nn.Module, input: Tensor | PackedSequence, hx: tuple[Tensor, Tensor] | None) -> dict[str, Tensor]:
    """Output, last states, and the gradient by input, first states and every parameter, of a random weighing of all results."""
    given, inner = leaf(input)
    states = None if hx is None else tuple(value.detach().clone().requires_grad_() for value in hx)
    output, (h, c) = layer(given, states)
    found = {"output": data(output), "h": h, "c": c}
    generator = torch.Generator().manual_seed(3)
    loss = sum(
        (value * torch.randn(value.shape, generator=generator, dtype=torch.float64).to(value)).sum() for value in found.values()
    )
    layer.zero_grad()
    assert isinstance(loss, Tensor)
    loss.backward()
    found |= {f"grad {name}": parameter.grad for name, parameter in layer.named_parameters() if parameter.grad is not None}
    found["grad input"] = inner.grad
    for name, value in zip(("grad h", "grad c"), states or (), strict=False):
        found[name] = value.grad
    if isinstance(output, PackedSequence):
        assert isinstance(input, PackedSequence)
        for a, b in zip(output[1:], input[1:], strict=True):
            assert a is b or (a is not None and b is not None and torch.equal(a, b))
    return found


def assert_same(theirs: nn.Module, ours: nn.Module, input: Tensor | PackedSequence, hx: Any = None) -> None:
    wanted, found = everything(theirs, input, hx), everything(ours, input, hx)
    assert wanted.keys() == found.keys()
    forward, backward = TOLERANCE[data(input).dtype]
    for name, value in wanted.items():
        limit = backward if name.startswith("grad") else forward
        torch.testing.assert_close(found[name], value, rtol=limit, atol=limit, msg=lambda text, n=name: f"{n}: {text}")


@pytest.mark.parametrize(
    ("dtype", "index", "sample"), INPUTS, ids=lambda value: str(value) if not hasattr(value, "forward_input") else ""
)
def test_torchs_own_inputs(dtype: torch.dtype, index: int, sample: Any) -> None:
    theirs, ours = twins(*sample.constructor_input.args, **sample.constructor_input.kwargs, dtype=dtype)
    assert_same(theirs, ours, *sample.forward_input.args)


def test_torch_has_the_inputs_that_we_count_on() -> None:
    assert len(INPUTS) == 2 * 32
    assert len(ERRORS) == 14


@pytest.mark.parametrize("sample", ERRORS, ids=lambda sample: sample.error_regex[:40])
def test_torchs_own_error_inputs(sample: Any) -> None:
    made = sample.module_error_input
    build: Callable[[], Any] = lambda: byhand.LSTM(*made.constructor_input.args, **made.constructor_input.kwargs)  # noqa: E731
    with pytest.raises(sample.error_type, match=sample.error_regex) as caught:
        build() if sample.error_on == ModuleErrorEnum.CONSTRUCTION_ERROR else build()(*made.forward_input.args)
    assert caught.type is sample.error_type


@st.composite
def settings_of_a_layer(draw: st.DrawFn) -> dict[str, Any]:
    hidden = draw(st.integers(1, 6))
    return {
        "input_size": draw(st.integers(1, 5)),
        "hidden_size": hidden,
        "num_layers": draw(st.integers(1, 3)),
        "bias": draw(st.booleans()),
        "batch_first": draw(st.booleans()),
        "bidirectional": draw(st.booleans()),
        "proj_size": draw(st.integers(0, hidden - 1)),
    }


def random_states(layer: nn.LSTM, *batch: int) -> tuple[Tensor, Tensor]:
    places = layer.num_layers * (2 if layer.bidirectional else 1)
    h = torch.randn(places, *batch, layer.proj_size or layer.hidden_size, dtype=torch.float64)
    return h, torch.randn(places, *batch, layer.hidden_size, dtype=torch.float64)


@settings(max_examples=60, deadline=None)
@given(settings_of_a_layer(), st.integers(1, 7), st.integers(1, 5), st.booleans())
def test_any_shape(options: dict[str, Any], time: int, batch: int, states: bool) -> None:
    theirs, ours = twins(**options, dtype=torch.float64)
    shape = (batch, time) if options["batch_first"] else (time, batch)
    input = torch.randn(*shape, options["input_size"], dtype=torch.float64)
    assert_same(theirs, ours, input, random_states(theirs, batch) if states else None)
    assert_same(theirs, ours, input[0], random_states(theirs) if states else None)


@settings(max_examples=60, deadline=None)
@given(settings_of_a_layer(), st.lists(st.integers(1, 6), min_size=1, max_size=5), st.booleans(), st.booleans())
def test_any_packed_sequences(options: dict[str, Any], lengths: list[int], sort: bool, states: bool) -> None:
    theirs, ours = twins(**options, dtype=torch.float64)
    lengths = sorted(lengths, reverse=True) if sort else lengths
    sequences = [torch.randn(length, options["input_size"], dtype=torch.float64) for length in lengths]
    assert_same(
        theirs, ours, pack_sequence(sequences, enforce_sorted=sort), random_states(theirs, len(lengths)) if states else None
    )


def test_packed_with_steps_that_no_sequence_has() -> None:
    theirs, ours = twins(3, 4, dtype=torch.float64)
    assert_same(theirs, ours, pack_padded_sequence(torch.randn(9, 2, 3, dtype=torch.float64), torch.tensor([5, 2])))


def test_packed_of_float32() -> None:
    theirs, ours = twins(3, 5, 2, bidirectional=True)
    assert_same(theirs, ours, pack_sequence([torch.randn(n, 3) for n in (2, 7, 4)], enforce_sorted=False))


@pytest.mark.parametrize("layers", [2, 3])
def test_dropout_draws_as_torch_does(layers: int) -> None:
    theirs, ours = twins(3, 5, layers, dropout=0.4, dtype=torch.float64)
    input = torch.randn(6, 4, 3, dtype=torch.float64)
    outputs = []
    for layer in (theirs, ours):
        torch.manual_seed(11)
        outputs.append(layer(input)[0])
    torch.testing.assert_close(*outputs, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(theirs.eval()(input)[0], ours.eval()(input)[0], rtol=1e-12, atol=1e-12)
    assert not torch.allclose(outputs[0], ours(input)[0])


@settings(max_examples=30, deadline=None)
@given(settings_of_a_layer())
def test_prints_and_lists_its_weights_as_torch_does(options: dict[str, Any]) -> None:
    theirs, ours = twins(**options)
    assert repr(ours) == repr(theirs)
    assert [[tuple(w.shape) for w in one] for one in ours.all_weights] == [
        [tuple(w.shape) for w in one] for one in theirs.all_weights
    ]
    for name in options:
        assert getattr(ours, name) == getattr(theirs, name)


def test_state_dicts_exchange_both_ways() -> None:
    theirs, ours = nn.LSTM(3, 5, 2, bidirectional=True, proj_size=2), byhand.LSTM(3, 5, 2, bidirectional=True, proj_size=2)
    ours.load_state_dict(theirs.state_dict())
    input = torch.randn(4, 2, 3)
    torch.testing.assert_close(ours(input), theirs(input), rtol=1e-5, atol=1e-6)
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.mul_(2)
    theirs.load_state_dict(ours.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(theirs.parameters(), ours.parameters(), strict=True))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("batch", [None, 1, 4])
def test_single_step_is_torchs(bias: bool, batch: int | None) -> None:
    torch.manual_seed(7)
    theirs = nn.LSTMCell(3, 5, bias=bias, dtype=torch.float64)
    torch.manual_seed(7)
    ours = byhand.LSTMCell(3, 5, bias=bias, dtype=torch.float64)
    assert repr(ours) == repr(theirs)
    assert all(torch.equal(a, b) for a, b in zip(theirs.parameters(), ours.parameters(), strict=True))
    shape = () if batch is None else (batch,)
    results = []
    for layer in (theirs, ours):
        torch.manual_seed(5)
        h, c = layer(torch.randn(*shape, 3, dtype=torch.float64))
        for _ in range(2):
            h, c = layer(torch.randn(*shape, 3, dtype=torch.float64), (h, c))
        (h.sum() + c.square().sum()).backward()
        results.append((h, c, *(parameter.grad for parameter in layer.parameters())))
    torch.testing.assert_close(results[1], results[0], rtol=1e-12, atol=1e-12)


def test_gru_cell_is_torchs() -> None:
    theirs, ours = nn.GRUCell(3, 5, dtype=torch.float64), byhand.LSTMCell(3, 5, cell=cells.gru, dtype=torch.float64)
    ours.load_state_dict(theirs.state_dict())
    input, h = torch.randn(4, 3, dtype=torch.float64), torch.randn(4, 5, dtype=torch.float64)
    torch.testing.assert_close(ours(input, h), theirs(input, h), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(ours(input), theirs(input), rtol=1e-12, atol=1e-12)
