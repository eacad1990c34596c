"""Layers of other frameworks are known by name and package: here by classes that only look like theirs, as no framework is installed."""

from typing import Any

import numpy as np
import pytest
import torch
from against import BATCH, HIDDEN, INPUT, TIME, close, draw, run
from torch import nn

import byhand
from byhand.interop.layouts import layout_named
from byhand.interop.weights import read

ROWS = 4 * HIDDEN


def pretended(module: str, name: str, **attributes: Any) -> Any:
    """An object whose class has that name, in that module."""
    made = type(name, (), {"__module__": module})()
    vars(made).update(attributes)
    return made


def equinox_cell() -> Any:
    return pretended(
        "equinox.nn._rnn", "LSTMCell", weight_ih=draw(ROWS, INPUT), weight_hh=draw(ROWS, HIDDEN), bias=draw(ROWS), use_bias=True
    )


def test_a_layer_is_known_by_its_class() -> None:
    cell = equinox_cell()
    layer = byhand.load_weights(cell)
    weights = read(
        layout_named("equinox.LSTMCell"),
        {name: torch.tensor(getattr(cell, name)) for name in ("weight_ih", "weight_hh", "bias")},
    )
    assert all(torch.equal(layer.get_parameter(f"{name}_l0"), value) for name, value in weights.items())
    model = pretended("equinox._module", "Module", cells=[cell, cell], size=3)
    assert byhand.load_weights(model, prefix="cells.0").hidden_size == HIDDEN
    with pytest.raises(ValueError, match="with flipped=True"):
        byhand.load_weights(cell, flipped=True)


def test_another_package_s_class_of_that_name_is_not_taken() -> None:
    with pytest.raises(TypeError, match="got a LSTMCell"):
        byhand.load_weights(pretended("elsewhere.nn", "LSTMCell", weight_ih=draw(ROWS, INPUT)))


def test_layers_of_libraries_inside_a_torch_model() -> None:
    class LSTMCell(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.input_map, self.recurrent_map = nn.Linear(INPUT, ROWS), nn.Linear(HIDDEN, ROWS, bias=False)

    LSTMCell.__module__ = "ncps.torch.lstm"
    model = nn.ModuleDict({"memory": LSTMCell().double(), "rnn": nn.GRU(INPUT, HIDDEN)})
    with pytest.raises(ValueError, match="got 2 recurrent layers, memory, rnn: choose one"):
        byhand.load_weights(model)
    layer = byhand.load_weights(model, prefix="memory")
    assert layer.bias_hh_l0.view(4, HIDDEN)[:, 0].tolist() == [0, 1, 0, 0]
    assert torch.equal(layer.weight_ih_l0.view(4, HIDDEN, INPUT)[2], model["memory"].input_map.weight.view(4, HIDDEN, INPUT)[0])


def test_arrays_of_flashrnn_without_input_weights_are_fed_with_products() -> None:
    arrays = {"R": draw(4, 2, 3, 3), "b": draw(4, 2, 3)}
    fed = byhand.load_weights(arrays, layout="flashrnn.lstm")
    assert fed.input_size == 24 and torch.equal(fed.weight_ih_l0, torch.eye(24, dtype=torch.float64))
    w, x = draw(24, INPUT), draw(TIME, BATCH, INPUT)
    whole = byhand.load_weights(arrays | {"W": w}, layout="flashrnn.lstm")
    close(run(fed, x @ w.T)[0], run(whole, x)[0])
    with pytest.raises(ValueError, match=r"flashrnn\.lstm expected arrays W, R, b, got b"):
        byhand.load_weights({"b": arrays["b"]}, layout="flashrnn.lstm")


def test_paddle_s_names_are_those_of_its_cells() -> None:
    layers = {
        f"{layer}.cell.{name}": draw(*shape, seed=layer)
        for layer in (0, 1)
        for name, shape in {
            "weight_ih": (ROWS, 2 if layer else INPUT),
            "weight_hh": (ROWS, 2),
            "bias_ih": (ROWS,),
            "bias_hh": (ROWS,),
            "weight_ho": (HIDDEN, 2),
        }.items()
    }
    aliases = {
        "weight_ih_l0": layers["0.cell.weight_ih"],
        "weight_ih_l1": layers["0.cell.weight_ho"],
        "bias_ih_l1": layers["1.cell.weight_hh"],
    }
    layer = byhand.load_weights({f"rnn.{name}": value for name, value in (aliases | layers).items()}, prefix="rnn")
    assert (layer.num_layers, layer.proj_size) == (2, 2)
    np.testing.assert_array_equal(layer.weight_ih_l1.detach(), layers["1.cell.weight_ih"])
    np.testing.assert_array_equal(layer.weight_hr_l0.detach(), layers["0.cell.weight_ho"].T)
