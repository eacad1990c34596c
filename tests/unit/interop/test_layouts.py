"""Layouts against the layers in plain numpy, and back again bit for bit."""

from typing import Any

import numpy as np
import other_layers
import pytest
import torch
from torch import Tensor

import byhand
from byhand import cells
from byhand.interop.arrays import numpy_of, tensor_of
from byhand.interop.axes import Array, join, rows, split
from byhand.interop.blocks import apart_of
from byhand.interop.layouts import (
    HAIKU_GRU,
    HAIKU_LSTM,
    KERAS_GRU,
    KERAS_LSTM,
    LAYOUTS,
    NNX_GRU,
    TORCH_LSTM,
    layout_named,
)
from byhand.interop.other_layouts import FLASHRNN_GRU, XLSTM_LSTM
from byhand.interop.stacks import layer_of, stacked, weights_of
from byhand.interop.weights import Layout, read, write

INPUTS, H, B, T = 3, 5, 2, 7
READABLE = [layout for layout in LAYOUTS if layout.cell is not None]
KINDS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def drawn(layout: Layout, kind: torch.dtype = torch.float64, seed: int = 0, **options: Any) -> byhand.LSTM:
    """A layer of byhand's that the layout can hold."""
    torch.manual_seed(seed)
    layer = byhand.LSTM(INPUTS, H, cell=layout.readable(), dtype=kind, **options)
    if layout is NNX_GRU and layer.bias:
        with torch.no_grad():
            layer.bias_hh_l0[-H:] = 0
    return layer


@pytest.mark.parametrize("name", other_layers.OTHERS)
def test_a_framework_s_arrays_make_a_layer_that_computes_the_same(name: str) -> None:
    layout, other = layout_named(name), other_layers.OTHERS[name]
    arrays = other_layers.drawn(other, INPUTS, H, seed=1)
    layer = layer_of(layout.readable(), [read(layout, {key: tensor_of(value) for key, value in arrays.items()})])
    rng = np.random.default_rng(2)
    x, states = rng.normal(size=(T, B, INPUTS)), tuple(rng.normal(size=(B, H)) for _ in range(other.states))
    expected, last = other_layers.run(other, x, arrays, states)
    hx = tuple(torch.from_numpy(state)[None] for state in states)
    output, after = layer(torch.from_numpy(x), hx if other.states > 1 else hx[0])
    after = after if isinstance(after, tuple) else (after,)
    np.testing.assert_allclose(output.detach(), expected, rtol=0, atol=2e-15)
    for ours, theirs in zip(after, last, strict=True):
        np.testing.assert_allclose(ours.detach()[0], theirs, rtol=0, atol=2e-15)


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("layout", READABLE, ids=lambda layout: layout.name)
def test_from_a_framework_and_back_is_the_same_to_the_bit(layout: Layout, kind: torch.dtype) -> None:
    arrays = write(layout, weights_of(drawn(layout, kind))[0])
    weights = read(layout, arrays)
    again = write(layout, weights)
    assert again.keys() == arrays.keys()
    for name, value in arrays.items():
        assert value.dtype == kind and torch.equal(again[name], value), name
    assert {value.dtype for value in weights.values()} == {kind}


@pytest.mark.parametrize("layout", READABLE, ids=lambda layout: layout.name)
def test_to_a_framework_and_back_computes_the_same(layout: Layout) -> None:
    layer = drawn(layout)
    again = layer_of(layer.cell, [read(layout, write(layout, weights_of(layer)[0]))])
    x = torch.randn(T, B, INPUTS, dtype=torch.float64)
    torch.testing.assert_close(again(x)[0], layer(x)[0], rtol=0, atol=2e-15)
    if layout.biases == "two":
        assert all(torch.equal(value, again.state_dict()[name]) for name, value in layer.state_dict().items())


@pytest.mark.parametrize("layout", READABLE, ids=lambda layout: layout.name)
def test_without_biases(layout: Layout) -> None:
    layer = drawn(layout, bias=False)
    arrays = write(layout, weights_of(layer)[0])
    again = layer_of(layer.cell, [read(layout, arrays)])
    x = torch.randn(T, B, INPUTS, dtype=torch.float64)
    torch.testing.assert_close(again(x)[0], layer(x)[0], rtol=0, atol=2e-15)
    assert again.bias is not layout.bias_is_optional


def test_minus_zero_and_what_is_not_finite_keep_their_bits() -> None:
    arrays = write(KERAS_LSTM, weights_of(drawn(KERAS_LSTM))[0])
    arrays["bias"][:4] = torch.tensor([-0.0, torch.nan, torch.inf, -torch.inf])
    again = write(KERAS_LSTM, read(KERAS_LSTM, arrays))
    assert torch.equal(again["bias"].view(torch.int64), arrays["bias"].view(torch.int64))


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_one_bias_is_the_sum_of_two_rounded_once(kind: torch.dtype) -> None:
    weights = weights_of(drawn(KERAS_LSTM, kind))[0]
    ih, hh = weights["bias_ih"], weights["bias_hh"]
    exact = [
        float(np.longdouble(a) + np.longdouble(b)) for a, b in zip(ih.double().tolist(), hh.double().tolist(), strict=True)
    ]
    assert torch.equal(write(KERAS_LSTM, weights)["bias"], torch.tensor(exact, dtype=torch.float64).to(kind))


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_constant_of_the_forward_pass_is_the_second_bias(kind: torch.dtype) -> None:
    arrays = write(HAIKU_LSTM, weights_of(drawn(HAIKU_LSTM, kind))[0])
    weights = read(HAIKU_LSTM, arrays)
    assert torch.equal(weights["bias_hh"].view(4, H), torch.tensor([0.0, 1.0, 0.0, 0.0], dtype=kind)[:, None].expand(4, H))
    assert torch.equal(weights["bias_ih"].view(4, H)[1], arrays["linear/b"].view(4, H)[2])
    # And where the layer was not read from Haiku: the sum less 1, rounded once, off by half of the last place of 1 at most.
    weights["bias_ih"], weights["bias_hh"] = torch.full((4 * H,), 1e-3, dtype=kind), torch.zeros(4 * H, dtype=kind)
    f = write(HAIKU_LSTM, weights)["linear/b"].view(4, H)[2].double()
    assert (f + 1 - weights["bias_ih"][0].double()).abs().max() <= torch.finfo(kind).eps / 2


def test_units_in_heads() -> None:
    value = torch.arange(2.0 * 12 * 3).view(2, 12, 3)  # two heads of three units, four gates
    blocks = split(XLSTM_LSTM.arrays[1], value)
    whole = blocks["weight_hh", "f"]
    assert torch.equal(whole[:3, :3], value[0, 3:6]) and torch.equal(whole[3:, 3:], value[1, 3:6])
    assert not whole[:3, 3:].any() and not whole[3:, :3].any()
    assert torch.equal(join(XLSTM_LSTM.arrays[1], blocks, heads=2), value)
    blocks["weight_hh", "f"] = torch.ones(6, 6)
    with pytest.raises(ValueError, match="R expected 2 heads that do not read each other, got weights between them"):
        join(XLSTM_LSTM.arrays[1], blocks, heads=2)


def test_gates_in_another_order_for_the_recurrent_part() -> None:
    assert FLASHRNN_GRU.gates == ("r", "z", "n") and FLASHRNN_GRU.recurrent_gates == ("n", "r", "z")
    assert [layout.biases for layout in (TORCH_LSTM, KERAS_GRU, KERAS_LSTM, FLASHRNN_GRU, NNX_GRU)] == [
        "two",
        "two",
        "one",
        "one, and one inside the reset",
        "one, none inside the reset",
    ]


@pytest.mark.parametrize("cell", dict.fromkeys(layout.cell for layout in READABLE), ids=lambda cell: cell.name)
def test_only_the_gates_named_apart_use_their_two_biases_in_two_places(cell: cells.Cell) -> None:
    torch.manual_seed(0)
    layer = byhand.LSTM(INPUTS, H, cell=cell, dtype=torch.float64)
    x = torch.randn(T, B, INPUTS, dtype=torch.float64)
    before = layer(x)[0]
    for number, gate in enumerate(cell.gates):
        own = slice(number * H, (number + 1) * H)
        with torch.no_grad():
            moved = layer.bias_hh_l0[own].clone()
            layer.bias_ih_l0[own] += moved
            layer.bias_hh_l0[own] = 0
            same = torch.allclose(layer(x)[0], before, rtol=0, atol=1e-14)
            layer.bias_ih_l0[own] -= moved
            layer.bias_hh_l0[own] = moved
        assert same is (gate not in apart_of(cell)), gate


def wrong(change: Any, layout: Layout = KERAS_LSTM) -> dict[str, Tensor]:
    arrays = write(layout, weights_of(drawn(layout, torch.float32))[0])
    change(arrays)
    return arrays


REFUSED: list[tuple[Any, str]] = [
    (lambda a: a.pop("kernel"), "expected arrays kernel, recurrent_kernel, bias, got recurrent_kernel, bias"),
    (lambda a: a.update(other=torch.ones(2)), "got kernel, recurrent_kernel, bias, other"),
    (
        lambda a: a.update(kernel=torch.ones(20)),
        r"kernel expected axes width \(slot unit\) with 4 blocks of units, got shape \(20,\)",
    ),
    (lambda a: a.update(kernel=torch.ones(3, 21)), r"kernel expected axes .*, got shape \(3, 21\)"),
    (lambda a: a.update(bias=torch.ones(24)), r"expected \(5,\) for bias_ih of i, got \(6,\)"),
    (lambda a: a.update(recurrent_kernel=torch.ones(4, 20)), r"expected \(5, 5\) for weight_hh of i, got \(5, 4\)"),
    (lambda a: a.update(kernel=torch.ones(3, 24)), r"expected \(5, 3\) for weight_ih of i, got \(6, 3\)"),
    (lambda a: a.update(bias=torch.ones(20).double()), "for all arrays, got float32, float64"),
    (lambda a: a.update({name: value.int() for name, value in a.items()}), "got int32"),
]


@pytest.mark.parametrize(("change", "message"), REFUSED, ids=[message[:40] for _, message in REFUSED])
def test_arrays_that_do_not_fit_are_refused(change: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(KERAS_LSTM, wrong(change))


def test_what_cannot_be_exact_is_refused_with_the_reason() -> None:
    gru = weights_of(byhand.LSTM(INPUTS, H, cell=cells.gru))[0]
    with pytest.raises(
        ValueError, match=r"flax\.nnx\.GRUCell has no bias inside the reset .* expected bias_hh to be 0 for gate n, got"
    ):
        write(NNX_GRU, gru)
    for layout in LAYOUTS:
        if layout.cell is None:
            with pytest.raises(ValueError, match="cannot be carried over exactly: it"):
                read(layout, {})
    with pytest.raises(ValueError, match=r"keras\.LSTM has no place for weight_hr"):
        write(KERAS_LSTM, weights_of(byhand.LSTM(INPUTS, H, proj_size=2))[0])
    assert write(TORCH_LSTM, weights_of(byhand.LSTM(INPUTS, H, proj_size=2))[0])["weight_hr"].shape == (2, H)
    with pytest.raises(ValueError, match="expected input and 5 units in one matrix, got 4 together"):
        read(HAIKU_LSTM, {"linear/w": torch.ones(4, 20), "linear/b": torch.ones(20)})
    with pytest.raises(ValueError, match=r"expected the name of a layout, got 'keras\.lstm'; there are torch\.LSTM, "):
        layout_named("keras.lstm")


def test_the_values_say_what_they_are() -> None:
    assert len({layout.name for layout in LAYOUTS}) == len(LAYOUTS) >= 30
    for layout in LAYOUTS:
        assert layout.version and layout.padding and layout.batch and (layout.start or layout.cell is None), layout.name
        assert layout.reason or layout.cell is not None, layout.name
        if layout.cell is not None:
            assert sorted(layout.states) == sorted(layout.cell.state), layout.name
            assert set(layout.gates) == set(layout.recurrent_gates) == set(layout.cell.gates), layout.name
            assert bool(layout.forget_start) is ("f" in layout.cell.gates), layout.name
    assert HAIKU_GRU.reason.startswith("its reset gate stands before the recurrent product")


def test_layers_are_stacked_and_their_weights_given_back() -> None:
    two = byhand.LSTM(INPUTS, H, 2, bidirectional=True, proj_size=2, batch_first=True)
    again = layer_of(cells.lstm, weights_of(two), bidirectional=True, batch_first=True)
    assert repr(again) == repr(two)
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in two.state_dict().items())
    parts = [byhand.LSTM(INPUTS, H), byhand.LSTM(INPUTS, H)]
    both = stacked(parts, bidirectional=True)
    x = torch.randn(T, B, INPUTS)
    backwards = parts[1](x.flip(0))[0].flip(0)
    torch.testing.assert_close(both(x)[0], torch.cat([parts[0](x)[0], backwards], -1))
    with pytest.raises(
        ValueError, match=r"weight_ih_l1 is \(20, 3\) float32, expected \(20, 5\) float32 after the first layer"
    ):
        stacked(parts)
    with pytest.raises(ValueError, match="expected layers with one cell, got gru, lstm"):
        stacked([byhand.LSTM(INPUTS, H), byhand.LSTM(H, H, cell=cells.gru)])
    with pytest.raises(ValueError, match="got learn_initial_state=True"):
        weights_of(byhand.LSTM(INPUTS, H, learn_initial_state=True))


def test_no_random_number_is_drawn_and_nothing_is_shared() -> None:
    weights = weights_of(byhand.LSTM(INPUTS, H))
    before = torch.get_rng_state()
    layer = layer_of(cells.lstm, weights)
    assert torch.equal(torch.get_rng_state(), before)
    assert layer.weight_ih_l0.requires_grad and layer.weight_ih_l0.data_ptr() != weights[0]["weight_ih"].data_ptr()


def test_arrays_of_every_kind_become_tensors() -> None:
    for kind in ("<f2", "<f4", "<f8", ">f4", ">f8"):
        array = np.arange(6, dtype=kind).reshape(2, 3)[:, ::-1]
        tensor = tensor_of(array)
        assert tensor.tolist() == array.tolist() and str(tensor.dtype) == f"torch.{array.dtype.name}"
    half = torch.tensor([1.0, -0.0, 3e38]).bfloat16()
    assert torch.equal(tensor_of(numpy_of(half)), half) and numpy_of(half).dtype.name == "bfloat16"
    with pytest.raises(ValueError, match="expected numbers of float16, bfloat16, float32, float64, got int64"):
        tensor_of(np.arange(3))
    with pytest.raises(TypeError, match="expected an array, got a str"):
        tensor_of("array")


def test_axes_in_words() -> None:
    array = Array("x", rows("weight_ih", "ab"), "pair (slot unit)")
    assert array.dimensions == [["pair"], ["slot", "unit"]]
    with pytest.raises(ValueError, match=r"got shape \(3, 4\)"):
        split(array, torch.ones(3, 4))
