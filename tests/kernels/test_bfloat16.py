"""Layers in bfloat16 on the C++ engine: products of bfloat16 pairs where the processor has them, all sums and states in float32."""

import copy
from typing import Any

import pytest
import torch
from cases import Shape, as_hx, as_tuple
from pairs import Input, Named, answers, assert_equal, example, on, packed, threads
from torch import Tensor, nn

import byhand
from byhand import LSTM, cells, record, use_engine
from byhand.cells import Cell
from byhand.engine.cpp import bfloat16
from byhand.engine.cpp.toolchain.processor import processor

BFLOAT16 = torch.bfloat16
IN_PAIRS = "ready: products of bfloat16, sums and states in float32, output in bfloat16"
IN_FLOAT32 = "ready: computed in float32, output in bfloat16"
here = "avx512_bf16" in processor().split()
SHAPES = [
    Shape(7, 5, 9, 17),  # (time, batch, input, hidden): odd everywhere
    Shape(20, 33, 64, 64),
    Shape(1, 3, 5, 40),  # so few rows that the weights are not packed
    Shape(50, 1, 33, 70),
    Shape(30, 32, 64, 320),  # weights that do not stay near the core
]
LAYERS: dict[str, dict[str, Any]] = {
    "plain": {},
    "two both ways": {"num_layers": 2, "bidirectional": True},
    "no bias": {"bias": False},
}
SIZED = [  # how a layer is put together does not depend on where its weights are: the largest, which take longest, only plain
    pytest.param(options, shape, id=f"{label}-{'x'.join(map(str, shape))}")
    for label, options in LAYERS.items()
    for shape in (SHAPES if label == "plain" else SHAPES[:-1])
]


def errors(found: Named, truth: Named) -> Named:
    """By name, over all elements, as a share of the true size."""
    return {name: (found[name].double() - value).norm() / value.norm().clamp(min=1e-9) for name, value in truth.items()}


def assert_as_near_as_torch(theirs: nn.Module, ours: LSTM, x: Input, hx: Any) -> None:
    """The error of every result and gradient is at most torch's own, and a tenth for what chance does."""
    ours.load_state_dict(theirs.state_dict())
    exact = as_hx(tuple(one.double() for one in as_tuple(hx)))
    double = x._replace(data=x.data.double()) if isinstance(x, tuple) else x.double()
    truth = answers(copy.deepcopy(theirs).double(), double, exact)
    wanted = errors(answers(theirs, x, hx), truth)
    with use_engine("cpp"):
        found = errors(answers(ours, x, hx), truth)
    for name, error in found.items():
        assert error <= 1.1 * wanted[name] + 1e-4, f"{name}: {error:.2e}, torch {wanted[name]:.2e}"


@pytest.mark.parametrize(("options", "shape"), SIZED)
@pytest.mark.parametrize(("cell", "torchs"), [(cells.lstm, nn.LSTM), (cells.gru, nn.GRU)], ids=["lstm", "gru"])
def test_every_result_and_gradient_is_as_near_the_truth_as_torchs(
    cell: Cell, torchs: Any, options: dict[str, Any], shape: Shape
) -> None:
    theirs = torchs(shape.input, shape.hidden, dtype=BFLOAT16, **options)
    ours = LSTM(shape.input, shape.hidden, cell=cell, dtype=BFLOAT16, **options)
    x = torch.randn(shape.time, shape.batch, shape.input).to(BFLOAT16)
    hx = tuple(torch.randn(len(ours.sublayers), shape.batch, shape.hidden).to(BFLOAT16) for _ in cell.state)
    assert not here or byhand.engines(ours, x)[0] == ("cpp", IN_PAIRS)
    for count in (1, 2):
        with threads(count):
            assert_as_near_as_torch(theirs, ours, x, as_hx(hx))


def test_packed_sequences_are_as_near_the_truth_as_torchs() -> None:
    theirs, ours = (kind(5, 21, 2, bidirectional=True, dtype=BFLOAT16) for kind in (nn.LSTM, LSTM))
    hx = tuple(torch.randn(4, 5, 21).to(BFLOAT16) for _ in range(2))
    for count in (1, 2):
        with threads(count):
            assert_as_near_as_torch(theirs, ours, packed(torch.randn(9, 5, 5).to(BFLOAT16), [9, 2, 7, 1, 4]), hx)


@pytest.mark.parametrize("name", ["lstm", "peephole", "gru", "full_gate_recurrence(lstm)", "min_lstm"])
@pytest.mark.parametrize("ragged", [False, True], ids=["full", "ragged"])
def test_the_reference_engine_gives_the_same(name: str, ragged: bool) -> None:
    """Vectors, several states that the product reads, none; ragged lengths in both directions, given states."""
    lstm, x, hx = example(name, Shape(9, 5, 7, 19), bidirectional=True)
    low, first = lstm.to(BFLOAT16), as_hx(tuple(one.to(BFLOAT16) for one in as_tuple(hx)))
    assert not here or byhand.engines(low, x.to(BFLOAT16))[0] == ("cpp", IN_PAIRS)
    given: Input = packed(x.to(BFLOAT16), [9, 2, 7, 1, 4]) if ragged else x.to(BFLOAT16)
    found, wanted = on("cpp", low, given, first), on("reference", low, given, first)
    assert found.keys() == wanted.keys()
    for name_, value in wanted.items():
        error = (found[name_].double() - value.double()).norm() / value.double().norm()
        assert error < 1.5e-2, f"{name_}: {error:.1e}"


@pytest.mark.parametrize("shape", SHAPES[:2], ids=str)
@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_reruns_are_equal_to_the_bit(name: str, shape: Shape) -> None:
    lstm, x, hx = example(name, shape)
    given = lstm.to(BFLOAT16), x.to(BFLOAT16), as_hx(tuple(one.to(BFLOAT16) for one in as_tuple(hx)))
    for count in (1, 2):
        with threads(count):
            assert_equal(on("cpp", *given), on("cpp", *given))


@pytest.mark.parametrize("name", ["lstm", "peephole", "gru", "min_lstm"])
@pytest.mark.parametrize("options", LAYERS.values(), ids=LAYERS)
@pytest.mark.parametrize("given", [False, True], ids=["from zeros", "given states"])
def test_prepared_calls_give_the_same_bits(name: str, options: dict[str, Any], given: bool) -> None:
    lstm, x, hx = example(name, Shape(6, 3, 7, 19), **options)
    low, first = lstm.to(BFLOAT16), as_hx(tuple(one.to(BFLOAT16) for one in as_tuple(hx))) if given else None
    usual = on("cpp", low, x.to(BFLOAT16), first)
    for _ in range(2):
        assert_equal(answers(low, x.to(BFLOAT16), first), usual)
    with torch.no_grad():
        for _ in range(2):
            y, last = low(x.to(BFLOAT16), first)
            assert_equal(
                {"output": y} | {f"last {i}": one for i, one in enumerate(as_tuple(last))},
                {key: value for key, value in usual.items() if not key.startswith("grad")},
            )


def test_outputs_do_not_depend_on_the_number_of_threads() -> None:
    outputs: list[Named] = []
    for shape in SHAPES:
        lstm, x, _ = example("lstm", shape)
        for count in (1, 2):
            with threads(count), torch.no_grad(), use_engine("cpp"):
                y, last = lstm.to(BFLOAT16)(x.to(BFLOAT16))
            outputs.append({"output": y, "h": last[0], "c": last[1]})
        assert_equal(*outputs[-2:])


def linear(x: Any, u: Any, s: Any, p: Any) -> Any:
    h = x.n + u.n
    return (h,), {"h": h}


def linear_beside_a_memory(x: Any, u: Any, s: Any, p: Any) -> Any:
    h = x.n + u.n
    c = 0.5 * s.c + h
    return (h, c), {"h": h, "c": c}


SUMS = (
    Cell(name="sum", gates=("n",), state=("h",), step=linear),
    Cell(name="sum beside a memory", gates=("n",), state=("h", "c"), step=linear_beside_a_memory),
)


@pytest.mark.parametrize("cell", [cells.lstm, *SUMS], ids=repr)
def test_a_memory_counts_whether_the_step_carries_it_or_the_product(cell: Cell) -> None:
    """U = 1 makes the second a counter, too: what the product reads must then not be rounded to bfloat16, which counts to 256."""
    layer = LSTM(1, 1, cell=cell, dtype=BFLOAT16)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
        if cell is cells.lstm:
            layer.get_parameter("bias_ih_l0").fill_(40.0)
        else:
            layer.get_parameter("weight_hh_l0").fill_(1.0)
            layer.get_parameter("bias_ih_l0").fill_(1.0)
        _, last = layer(torch.zeros(600, 1, 1, dtype=BFLOAT16))
    assert as_tuple(last)[1 if cell is cells.lstm else 0].item() == 600


def test_a_recorded_run_gives_the_same_bits_and_gradients_by_its_sites() -> None:
    layer, x = LSTM(6, 19, 2, dtype=BFLOAT16), torch.randn(7, 3, 6).to(BFLOAT16)
    plain = layer(x)[0]
    weight = torch.randn(plain.shape).to(BFLOAT16)
    wide = LSTM(6, 19, 2)
    wide.load_state_dict(layer.state_dict())
    found: list[dict[str, Tensor]] = []
    for one in (layer, wide):
        with record(one, gradients=True) as trace:
            y = one(x.to(one.get_parameter("weight_ih_l0").dtype))[0]
            (y * weight).sum().backward()
        found.append({site: trace.grad[site].float() for site in trace})
        if one is layer:
            assert y.equal(plain) and trace["l0.c"].dtype == BFLOAT16 and trace["l1.h"].equal(y)
    assert found[0].keys() == found[1].keys()
    for site, value in found[1].items():
        assert (found[0][site] - value).norm() <= 2e-2 * value.norm(), site


def test_a_derivative_of_the_derivative() -> None:
    layer, x = LSTM(5, 7, dtype=BFLOAT16), torch.randn(4, 3, 5).to(BFLOAT16).requires_grad_()
    found = []
    for engine in ("cpp", "reference"):
        with use_engine(engine):
            (by,) = torch.autograd.grad(layer(x)[0].float().square().sum(), x, create_graph=True)
            found.append(torch.autograd.grad(by.float().square().sum(), layer.get_parameter("weight_hh_l0"))[0])
    assert (found[0].float() - found[1].float()).norm() <= 2e-2 * found[1].float().norm()


def test_the_output_may_be_written_over_before_backward() -> None:
    layer, x = LSTM(5, 7, dtype=BFLOAT16), torch.randn(4, 3, 5).to(BFLOAT16)
    grads = []
    for change in (False, True):
        y, (h, c) = layer(x)
        loss = y.float().sum()
        if change:
            for one in (y, h, c):
                one.detach().zero_()
        layer.zero_grad()
        loss.backward()
        grads.append(layer.get_parameter("weight_hh_l0").grad.clone())
    assert grads[0].equal(grads[1])


@pytest.mark.parametrize(
    ("cell", "options"), [(cells.rnn, {}), (cells.lstm, {"proj_size": 3})], ids=["no state carried", "projection"]
)
def test_what_stays_in_float32(cell: Cell, options: dict[str, Any]) -> None:
    layer, x = LSTM(5, 7, cell=cell, dtype=BFLOAT16, **options), torch.randn(4, 3, 5).to(BFLOAT16)
    assert byhand.engines(layer, x)[0] == ("cpp", IN_FLOAT32)
    assert layer(x)[0].dtype == BFLOAT16


def test_a_processor_without_such_products_computes_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x = LSTM(5, 7, dtype=BFLOAT16), torch.randn(4, 3, 5).to(BFLOAT16)
    monkeypatch.setattr(bfloat16, "processor", lambda: "avx512f avx2 fma")
    assert byhand.engines(layer, x)[0] == ("cpp", IN_FLOAT32)
    wide = LSTM(5, 7)
    wide.load_state_dict(layer.state_dict())
    assert layer(x)[0].equal(wide(x.float())[0].to(BFLOAT16))
