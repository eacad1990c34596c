"""certify: equal sides are equal to rounding, sides that differ in one number anywhere are found; and the reports of all conversions."""

import copy
import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
from keras import layers as k

import byhand
from byhand import cells, certify
from byhand.interop.parity import ParityReport, relative, scale_of
from byhand.nn.reverse import ReverseLSTM

# Keras 3.15 on torch hands its variables to numpy in a way that numpy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "both": {"num_layers": 2, "bidirectional": True, "batch_first": True},
    "no biases": {"bias": False},
}
KERAS: dict[str, Callable[..., Any]] = {
    "LSTM": lambda **o: k.LSTM(5, **o),
    "GRU": lambda **o: k.GRU(5, **o),
    "GRU reset before": lambda **o: k.GRU(5, reset_after=False, **o),
    "SimpleRNN": lambda **o: k.SimpleRNN(5, **o),
    "LSTM relu": lambda **o: k.LSTM(5, activation="relu", **o),
    "LSTM without bias": lambda **o: k.LSTM(5, use_bias=False, **o),
    "stack of cells": lambda **o: k.RNN([k.LSTMCell(5, **o), k.LSTMCell(5, **o)], **o),
    "Bidirectional": lambda **o: k.Bidirectional(k.GRU(5, **o), **o),
}


@pytest.fixture(autouse=True)
def _no_compiler() -> Iterator[None]:
    """Every engine is held against the reference elsewhere; nothing need be compiled for this."""
    with byhand.use_engine("reference"):
        yield


def keras_layer(name: str, dtype: str = "float32") -> Any:
    """Built, with random numbers in every array, biases too."""
    layer = KERAS[name](dtype=dtype)
    layer.build((None, None, 3))
    rng = np.random.default_rng(0)
    layer.set_weights([rng.normal(0, 0.5, tuple(one.shape)) for one in layer.weights])
    return layer


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_torch(kind: type[nn.RNNBase], options: str, dtype: torch.dtype) -> None:
    other = kind(3, 5, dtype=dtype, **OPTIONS[options])
    report = certify(byhand.load_weights(other), other)
    assert report.ok and report.worst < (2e-6 if dtype == torch.float32 else 1e-14), report
    names = {name.split(",")[0] for name in report.values}
    assert {f"gradient by {name}" for name, _ in other.named_parameters()} | {"outputs", "last h", "gradient by input"} <= names
    assert ("reverse outputs" in names) == other.bidirectional and ("last c" in names) == (kind is nn.LSTM)
    places = {name.partition(", ")[2] for name in report.values}
    assert places == {"T 7, B 3", "T 7, B 1", "T 1, B 3", "T 1, B 1", "lengths 7 3 1", "given first states"}
    assert ParityReport.from_json(report.to_json()) == report
    assert {"python", "torch", "byhand"} <= json.loads(report.to_json())["versions"].keys()


def test_a_projection_and_half_precision() -> None:
    other = nn.LSTM(3, 5, proj_size=2)
    assert certify(byhand.load_weights(other), other).ok
    half = nn.GRU(3, 5, dtype=torch.float16)
    report = certify(byhand.load_weights(half), half)
    assert report.ok and report.tolerance == 1e-5  # both in float32


def test_one_changed_number_is_found_wherever_it_is() -> None:
    other = nn.LSTM(3, 5, 2, bidirectional=True, dtype=torch.float64)
    layer = byhand.load_weights(other)
    for name, parameter in layer.named_parameters():
        changed = copy.deepcopy(layer)
        with torch.no_grad():
            changed.get_parameter(name).view(-1)[-1] += 1e-6
        report = certify(changed, other)
        assert not report.ok and report.values[f"gradient by {name}, T 7, B 3"] > 0, name
        assert "beyond the tolerance" in str(report)
        assert parameter.grad is None


def test_neither_side_is_touched() -> None:
    other = nn.LSTM(3, 5, 2, dropout=0.5)
    layer = byhand.load_weights(other)
    before = {name: value.clone() for name, value in other.state_dict().items()}
    state = torch.get_rng_state()
    assert certify(layer, other).ok  # dropout is off
    assert other.training and layer.training and torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in before.items())
    assert all(one.grad is None for one in [*other.parameters(), *layer.parameters()])
    with byhand.record(layer) as trace, torch.no_grad():
        assert certify(layer, other).ok
    assert not trace.places


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", KERAS)
def test_keras(name: str, dtype: str) -> None:
    other = keras_layer(name, dtype)
    report = certify(byhand.load_weights(other), other)
    assert report.ok and report.worst < 2e-6, report
    names = {one.split(",")[0] for one in report.values}
    assert {"outputs", "last h", "gradient by input", "gradient by weight_ih_l0", "gradient by weight_hh_l0"} <= names
    assert ("gradient by bias_hh_l0" in names) == (name in ("GRU", "Bidirectional"))  # where Keras has two biases
    assert any("lengths 7 3 1" in one for one in report.values) and "keras" in report.versions


def test_the_engine_that_was_asked_for_is_the_one_that_runs() -> None:
    layer = byhand.LSTM(3, 5, cell=cells.layernorm_lstm)
    with byhand.use_engine("cpp"), pytest.raises(RuntimeError, match="engine 'cpp' was asked for and cannot run this"):
        certify(layer, lambda x: x)


def test_keras_differences_are_found() -> None:
    other = keras_layer("Bidirectional")
    layer = byhand.load_weights(other)
    for name in dict(layer.named_parameters()):
        changed = copy.deepcopy(layer)
        with torch.no_grad():
            changed.get_parameter(name).view(-1)[-1] += 0.01
        assert not certify(changed, other).ok, name
    assert not certify(byhand.LSTM(3, 5, batch_first=True, bidirectional=True, cell=cells.gru), other).ok


def test_keras_layers_that_follow_each_other() -> None:
    other = keras.Sequential(
        [keras.Input((None, 3)), k.Bidirectional(k.LSTM(5, return_sequences=True), name="low"), k.Dropout(0.5)]
    )
    other.add(k.LSTM(4, name="high"))
    with pytest.raises(ValueError, match="both"):
        byhand.load_weights(other, prefix=["low", "high"])  # of two kinds, which no one layer is
    low = byhand.load_weights(other, prefix="low")
    assert certify(low, other, prefix="low").ok
    written = byhand.to_keras(byhand.LSTM(3, 5, 2, dropout=0.5, bidirectional=True))
    names = [one.name for one in written.layers if "dropout" not in one.name]
    assert certify(byhand.load_weights(written, prefix=names), written).ok
    assert certify(byhand.load_weights(written, prefix=names[:1]), written, prefix=names[:1]).ok
    with pytest.raises(ValueError, match="backend torch to run"):
        certify(low, other)  # both of them, one after the other
    model = keras.Model(a := keras.Input((None, 3)), [k.LSTM(5, name="one")(a), k.LSTM(5, name="two")(a)])
    with pytest.raises(ValueError, match="one, two: choose one, as in prefix='one'"):
        certify(low, model)


def test_keras_reading_from_the_end() -> None:
    other = k.LSTM(5, go_backwards=True)
    other.build((None, None, 3))
    layer = byhand.load_weights(other, flipped=True)
    report = certify(layer, other, flipped=True)
    assert report.ok and any("lengths are not compared" in note for note in report.notes)
    with pytest.raises(ValueError, match="flipped"):
        certify(layer, other)


def test_a_function() -> None:
    module = nn.LSTM(3, 5, batch_first=True)
    layer = byhand.load_weights(module)

    def theirs(x: np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        with torch.no_grad():
            outputs, (h, c) = module(torch.from_numpy(x))
        return outputs.numpy(), (h.numpy(), c.numpy())

    def with_lengths(x: np.ndarray, lengths: np.ndarray | None = None) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        if lengths is None:
            return theirs(x)
        parts = [theirs(x[at : at + 1, :length]) for at, length in enumerate(lengths)]
        outputs = np.full((*x.shape[:2], 5), np.nan, np.float32)  # what stands after the end is nobody's
        for at, (own, _) in enumerate(parts):
            outputs[at, : own.shape[1]] = own
        return outputs, tuple(np.concatenate([states[kind] for _, states in parts], 1) for kind in range(2))

    report = certify(layer, theirs)
    assert report.ok and len(report.values) == 4 * 3 and "theirs" in report.what
    assert any("gradients are not compared" in note for note in report.notes)
    full = certify(layer, with_lengths, lengths=True)
    assert full.ok and "last c, lengths 7 3 1" in full.values
    assert not certify(layer, lambda x: (theirs(x)[0], theirs(x)[1][::-1])).ok  # c for h
    assert not certify(layer, lambda x: (theirs(x)[0], theirs(x)[1][:1])).ok
    assert not certify(layer, lambda x: (theirs(x)[0][:, ::-1], theirs(x)[1])).ok
    alone = certify(layer, lambda x: (theirs(x)[0], None))
    assert alone.ok and set(alone.values) == {f"outputs, T {time}, B {batch}" for time in (7, 1) for batch in (3, 1)}
    assert any("states are not compared" in note for note in alone.notes)


def test_what_is_refused() -> None:
    layer = byhand.LSTM(3, 5)
    with pytest.raises(TypeError, match="load_weights"):
        certify(nn.LSTM(3, 5), layer)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="write a function"):
        certify(layer, nn.Linear(3, 5))
    with pytest.raises(TypeError, match="write a function"):
        certify(layer, 3)
    with pytest.raises(TypeError, match="outputs, states"):
        certify(layer, lambda x: x)
    with pytest.raises(TypeError, match="prefix"):
        certify(layer, nn.LSTM(3, 5), prefix="lstm")
    with pytest.raises(ValueError, match="to run at T 7"):
        certify(layer, nn.LSTM(4, 5))
    with pytest.raises(ValueError, match="to run at given first states"):
        certify(layer, nn.LSTM(3, 6))
    unbuilt = k.LSTM(5)
    with pytest.raises(ValueError, match="built"):
        certify(layer, unbuilt)


def test_a_layer_that_reads_from_the_end_is_not_written_as_one_that_reads_from_the_start() -> None:
    layer = ReverseLSTM(3, 5)
    for write in (byhand.to_keras, byhand.to_state_dict, byhand.to_flax):
        with pytest.raises(ValueError, match="from the end alone"):
            write(layer)


def test_converts_report_has_one_too() -> None:
    model = nn.ModuleDict({"a": nn.LSTM(3, 5), "b": nn.GRU(3, 5, dtype=torch.float64)})
    report = byhand.convert(model)
    parity = report.parity
    assert parity is not None and parity.ok and parity.worst == report.max_difference
    assert set(parity.values) == {f"{name}, {what}" for name in "ab" for what in ("outputs and states", "gradients")}
    assert ParityReport.from_json(parity.to_json()) == parity and parity.tolerance < 0.01
    assert byhand.convert(model, back=True, check=False).parity is None
    assert byhand.convert(nn.Linear(2, 2)).parity is None


def test_relative_differences() -> None:
    assert scale_of(torch.tensor([1, -30])) == 30 and scale_of(torch.tensor([True])) == 1 and scale_of(torch.empty(0)) == 1
    assert scale_of(torch.tensor([float("inf"), 4.0, float("nan")])) == 4
    assert relative(torch.tensor([11.0]), torch.tensor([10.0])) == pytest.approx(0.1)
    assert relative(torch.tensor([0.25]), torch.tensor([0.5])) == 0.25
