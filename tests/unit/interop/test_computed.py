"""Weights that torch computes out of others are read as it computes them, from live layers and from their state_dicts."""

from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch
from against import BATCH, HIDDEN, INPUT, TIME
from torch import nn
from torch.nn.utils import parametrizations, prune

import byhand
from byhand.interop.computed import plain

CHANGES: dict[str, Callable[[nn.LSTM], object]] = {
    "pruned": lambda layer: prune.l1_unstructured(layer, "weight_hh_l0", 0.5),
    "pruned twice": lambda layer: [prune.random_unstructured(layer, f"weight_{of}_l1", 0.3) for of in ("ih", "hh")],
    "weight_norm": lambda layer: parametrizations.weight_norm(layer, "weight_hh_l0"),
    "weight_norm of columns": lambda layer: parametrizations.weight_norm(layer, "weight_ih_l0", dim=1),
    "weight_norm of all": lambda layer: parametrizations.weight_norm(layer, "weight_ih_l1", dim=None),
    "spectral_norm": lambda layer: parametrizations.spectral_norm(layer, "weight_hh_l1"),
}


def changed(name: str) -> nn.LSTM:
    """A layer whose parameters have been trained since."""
    torch.manual_seed(0)
    layer = nn.LSTM(INPUT, HIDDEN, 2, dtype=torch.float64)
    CHANGES[name](layer)
    x = torch.randn(TIME, BATCH, INPUT, dtype=torch.float64)
    optimiser = torch.optim.SGD(layer.parameters(), lr=0.5)
    for _ in range(2):
        layer(x)[0].square().sum().backward()
        optimiser.step()
    return layer.eval()


@pytest.mark.parametrize("name", CHANGES)
def test_the_weights_are_those_that_the_layer_computes_with(name: str, tmp_path: Path) -> None:
    layer = changed(name)
    model = nn.ModuleDict({"encoder": layer})
    vectors = [value.clone() for value in layer.buffers()]
    safetensors.torch.save_file(
        {key: value.contiguous() for key, value in model.state_dict().items()}, tmp_path / "m.safetensors"
    )
    read = [byhand.load_weights(source) for source in (layer, model, model.state_dict(), tmp_path / "m.safetensors")]
    assert all(torch.equal(one, other) for one, other in zip(vectors, layer.buffers(), strict=True))
    x = torch.randn(TIME, BATCH, INPUT, dtype=torch.float64)
    for one in read:
        torch.testing.assert_close(one(x)[0], layer(x)[0], rtol=0, atol=2e-15)


@pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated")
def test_the_earlier_weight_norm() -> None:
    torch.manual_seed(0)
    layer = nn.LSTM(INPUT, HIDDEN, dtype=torch.float64)
    nn.utils.weight_norm(layer, "weight_hh_l0")
    with torch.no_grad():
        layer.weight_hh_l0_g.mul_(1.5)  # of which the layer's own weight_hh_l0 knows only after its next call
    x = torch.randn(TIME, BATCH, INPUT, dtype=torch.float64)
    for source in (layer, layer.state_dict()):
        torch.testing.assert_close(byhand.load_weights(source)(x)[0], layer(x)[0], rtol=0, atol=2e-15)


def test_orthogonal_is_read_from_the_layer_and_refused_from_its_tensors() -> None:
    torch.manual_seed(0)
    layer = nn.LSTM(INPUT, HIDDEN, dtype=torch.float64)
    parametrizations.orthogonal(layer, "weight_hh_l0")
    x = torch.randn(TIME, BATCH, INPUT, dtype=torch.float64)
    torch.testing.assert_close(byhand.load_weights(layer)(x)[0], layer(x)[0], rtol=0, atol=2e-15)
    with pytest.raises(
        ValueError, match=r"expected weight_norm or spectral_norm, got .*remove_parametrizations\(layer, 'weight_hh_l0'\)"
    ):
        byhand.load_weights(layer.state_dict())


def test_what_else_is_in_a_model_stays_as_it_is() -> None:
    other = {"attention_g": torch.ones(2), "head.parametrizations.weight.0.base": torch.ones(2), "x_orig": torch.ones(1)}
    assert plain(other) == other


@pytest.mark.parametrize(
    "parts",
    [
        {"weight_hh_l0_g": (3,), "weight_hh_l0_v": (2, 2)},
        {"rnn.weight_hh_l0_orig": (3, 2), "rnn.weight_hh_l0_mask": (2, 3)},
        {
            "parametrizations.weight_hh_l0.original": (4, 3),
            "parametrizations.weight_hh_l0.0._u": (3,),
            "parametrizations.weight_hh_l0.0._v": (4,),
        },
    ],
    ids=str,
)
def test_parts_that_do_not_fit_together_are_refused(parts: dict[str, tuple[int, ...]]) -> None:
    state = {name: torch.ones(shape) for name, shape in parts.items()}
    with pytest.raises(ValueError, match=r"expected .* got shapes? .*|expected the parts of"):
        plain(state)
    with pytest.raises(ValueError, match="the state_dict: "):
        byhand.load_weights(state)
