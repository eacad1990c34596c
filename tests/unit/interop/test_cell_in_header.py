"""A .safetensors file whose header names its cell, as those of `byhand play` do."""

from pathlib import Path

import pytest
import safetensors.torch
import torch

import byhand
from byhand import cells


def test_a_header_that_names_another_cell_is_heard(tmp_path: Path) -> None:
    """A cifg has as many rows to a unit as a GRU: without the name it would be read as one."""
    path, layer = tmp_path / "play.safetensors", byhand.LSTM(2, 3, cell=cells.cifg)
    safetensors.torch.save_file(dict(layer.state_dict()), path, {"format": "pt", "cell": "cifg"})
    with pytest.raises(byhand.errors.LoadError, match=r"its cell is 'cifg'.*cell=byhand\.cells\.cifg"):
        byhand.load_weights(path)
    x = torch.randn(4, 1, 2)
    torch.testing.assert_close(byhand.load_weights(path, cell=cells.cifg)(x)[0], layer(x)[0], rtol=0, atol=1e-6)
