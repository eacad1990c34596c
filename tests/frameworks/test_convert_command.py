"""byhand convert --to flax, whose file Flax itself reads and runs. Run by `make libraries`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from against import needs
from torch import nn

import byhand
from byhand.__main__ import main
from byhand.interop.command import forms
from byhand.interop.flax_side import certify_flax

serialization, linen = needs("flax.serialization"), needs("flax.linen")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True}], ids=["plain", "both"])
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.filterwarnings("ignore:.*read as an RNN with tanh:UserWarning")
def test_flax(
    kind: type[nn.RNNBase],
    options: dict[str, int],
    dtype: torch.dtype,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    module = kind(3, 5, dtype=dtype, **options)
    torch.save(module.state_dict(), "weights.pt")
    with byhand.use_engine("reference"):
        assert main(["convert", "weights.pt", "--to", "flax", "--certify"]) == 0
    said = capsys.readouterr().out
    assert "beside Flax's" in said and "equal within" in said and "lengths 7 3 1" in said and "flax 0." in said
    tree = serialization.msgpack_restore(Path("weights.msgpack").read_bytes())
    if not options:
        back = byhand.load_weights(tree)
        sums = module.bias_ih_l0 + module.bias_hh_l0
        assert torch.equal(back.weight_hh_l0, module.weight_hh_l0) and back.weight_hh_l0.dtype == dtype
        assert kind is nn.GRU or torch.equal(back.bias_ih_l0, sums)


def test_one_changed_number_is_found(tmp_path: Path) -> None:
    layer = byhand.load_weights(nn.LSTM(3, 5))
    forms.write_flax(layer, tmp_path / "x.msgpack")
    tree = serialization.msgpack_restore((tmp_path / "x.msgpack").read_bytes())
    with byhand.use_engine("reference"):
        assert certify_flax(layer, tree).ok
        kernel = np.array(tree["params"]["cell"]["hf"]["kernel"])
        kernel[-1, -1] += 0.01
        tree["params"]["cell"]["hf"]["kernel"] = kernel
        assert not certify_flax(layer, tree).ok
