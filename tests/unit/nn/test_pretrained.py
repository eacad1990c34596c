"""Saving and loading: what comes back is equal to the bit."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import saved_models
import torch
import yaml
from conftest import ROOT
from saved_models import DERIVED, FILES, OWN, PLAIN, assert_same, bits, content, filled, load, names, save
from torch import nn

from byhand import LSTM, cells
from byhand.cells import Cell
from byhand.errors import LoadError

one_engine = saved_models.one_engine


@pytest.mark.parametrize("cell", [*PLAIN, *DERIVED], ids=repr)
def test_round_trip_of_every_cell(tmp_path: Path, cell: Cell) -> None:
    lstm = filled(3, 4, 2, bidirectional=True, cell=cell, learn_initial_state=True)
    save(lstm, tmp_path)
    loaded = load(LSTM, tmp_path)
    assert_same(loaded, lstm)
    assert loaded.training and all(parameter.requires_grad and parameter.is_leaf for parameter in loaded.parameters())
    assert names(tmp_path) == FILES


@pytest.mark.parametrize(
    "options",
    [
        {"bias": False},
        {"proj_size": 2},
        {"proj_size": 2, "bidirectional": True, "num_layers": 2, "learn_initial_state": True},
        {"proj_size": 1, "cell": cells.full_gate_recurrence(cells.peephole)},
        {"batch_first": True, "dropout": 0.5, "num_layers": 3},
        {"dropout": 1, "num_layers": 2},
        {"forget_bias": 1.0},
        {"forget_bias": -1, "cell": cells.layernorm_lstm},
        {"dtype": torch.float64},
        {"dtype": torch.float16},
        {"dtype": torch.bfloat16, "learn_initial_state": True},
    ],
    ids=str,
)
def test_round_trip_of_every_option(tmp_path: Path, options: dict[str, Any]) -> None:
    lstm = filled(2, 4, **options)
    save(lstm, str(tmp_path))
    loaded = load(LSTM, str(tmp_path))
    assert_same(loaded, lstm)
    assert repr(loaded) == repr(lstm)


def test_every_bit_of_every_value(tmp_path: Path) -> None:
    """Infinities, both zeros, subnormals, and NaN with its payload."""
    lstm = LSTM(1, 2)
    with torch.no_grad():
        patterns = torch.tensor([-(2**31), 0, 1, 0x7F800000, -0x800000, 0x7FC01234, -0x3EDCBB, 0x7F7FFFFF])
        lstm.get_parameter("bias_ih_l0").view(torch.int32).copy_(patterns)
    save(lstm, tmp_path)
    assert content(load(LSTM, tmp_path)) == content(lstm)


def test_tied_parameters_come_back_equal(tmp_path: Path) -> None:
    lstm = filled(4, 4, 2)
    lstm.weight_hh_l1 = lstm.weight_hh_l0
    lstm.bias_hh_l0 = lstm.bias_ih_l0
    save(lstm, tmp_path)
    loaded = load(LSTM, tmp_path)
    assert_same(loaded, lstm)
    assert loaded.weight_hh_l1 is not loaded.weight_hh_l0


def test_parameters_that_are_not_contiguous(tmp_path: Path) -> None:
    lstm = filled(3, 4)
    lstm.weight_ih_l0 = nn.Parameter(torch.randn(3, 16).t())
    lstm.weight_hh_l0 = nn.Parameter(torch.randn(16, 9)[:, 1::2])
    lstm.bias_hh_l0 = nn.Parameter(torch.randn(1).expand(16))
    save(lstm, tmp_path)
    assert content(load(LSTM, tmp_path)) == content(lstm)
    assert all(parameter.is_contiguous() for parameter in load(LSTM, tmp_path).parameters())


def test_saving_and_loading_change_nothing_else(tmp_path: Path) -> None:
    lstm = filled(3, 4, 2, dropout=0.5).eval()
    before, state, identities = content(lstm), torch.get_rng_state(), [id(one) for one in lstm.parameters()]
    save(lstm, tmp_path)
    first = {name: (tmp_path / name).read_bytes() for name in FILES}
    load(LSTM, tmp_path)
    assert content(lstm) == before and [id(one) for one in lstm.parameters()] == identities and not lstm.training
    assert torch.equal(torch.get_rng_state(), state)
    save(lstm, tmp_path)
    assert {name: (tmp_path / name).read_bytes() for name in FILES} == first


def test_loading_says_nothing_about_dropout(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="dropout option adds dropout"):
        lstm = LSTM(2, 3, dropout=0.5)
    save(lstm, tmp_path)
    assert load(LSTM, tmp_path).dropout == 0.5


def test_device(tmp_path: Path) -> None:
    lstm = filled(2, 3)
    save(lstm, tmp_path)
    assert load(LSTM, tmp_path, device="meta").weight_ih_l0.is_meta
    with torch.device("meta"):
        assert load(LSTM, tmp_path).weight_ih_l0.is_meta
        on_cpu = load(LSTM, tmp_path, device="cpu")
    assert_same(on_cpu, lstm)
    with pytest.raises(RuntimeError, match="nowhere"):
        load(LSTM, tmp_path, device="nowhere")


class Titled(LSTM):
    title = "a subclass"


class Fixed(LSTM):
    def __init__(self) -> None:
        super().__init__(2, 3)


def test_subclasses(tmp_path: Path) -> None:
    save(Titled(2, 3), tmp_path)
    assert type(load(Titled, tmp_path)) is Titled
    save(Fixed(), tmp_path)
    assert type(load(LSTM, tmp_path)) is LSTM
    with pytest.raises(LoadError, match=r"expected a model that Fixed\(cell=lstm\) can hold, got: .*argument 'input_size'"):
        load(Fixed, tmp_path)


def test_config_is_of_primitives_and_the_weights_have_torchs_names(tmp_path: Path) -> None:
    import safetensors.torch  # noqa: PLC0415

    lstm = filled(3, 4, 2, forget_bias=0.5, dtype=torch.float64, cell=cells.zoneout(cells.peephole))
    save(lstm, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    (model,) = config["models"]
    assert all(isinstance(value, int | float | str | None) for value in model.values())
    assert (model["cell"], model["dtype"], model["forget_bias"]) == ("zoneout(peephole, h=0.05, c=0.5)", "float64", 0.5)
    assert list(safetensors.torch.load_file(tmp_path / "model.safetensors")) == sorted(lstm.state_dict())
    for name in FILES:
        assert str(tmp_path).encode() not in (tmp_path / name).read_bytes()


@pytest.mark.parametrize("cell", [cells.peephole, cells.gru, OWN], ids=repr)
def test_card_says_what_it_is_and_how_to_load_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cell: Cell) -> None:
    lstm = filled(3, 4, 2, bidirectional=True, batch_first=True, cell=cell)
    save(lstm, tmp_path)
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    _, front, body = text.split("---\n", 2)
    assert yaml.safe_load(front)["library_name"] == "byhand" and "license" not in yaml.safe_load(front)
    for said in (f"`{cell.name}`", cell.cite, "3 inputs, 4 hidden units, 2 layers in both directions", "float32"):
        assert said in body
    assert f"{sum(parameter.numel() for parameter in lstm.parameters()):,}" in body
    (example,) = re.findall("```python\n(.*?)```", body, flags=re.DOTALL)
    monkeypatch.chdir(tmp_path.parent)
    given = {"x": torch.ones(2, 5, 3), "your_cell": OWN}
    exec(example.replace("this-folder", tmp_path.name), given)
    assert bits(given["output"]) == bits(lstm(given["x"])[0])


def test_an_edited_card_is_kept_and_an_untouched_one_renewed(tmp_path: Path) -> None:
    card = tmp_path / "README.md"
    save(filled(2, 3), tmp_path)
    assert "2 → 3" in card.read_text(encoding="utf-8")
    save(filled(4, 5), tmp_path)
    assert "4 → 5" in card.read_text(encoding="utf-8")
    for words in (
        card.read_bytes().replace(b"# license: yours to choose, for instance mit", b"license: mit"),
        b"Mine.\xff",
        b"",
    ):
        card.write_bytes(words)
        save(filled(2, 3), tmp_path)
        assert card.read_bytes() == words
    assert_same(load(LSTM, tmp_path), filled(2, 3))


def test_import_is_light() -> None:
    check = "import sys, byhand.nn.pretrained.pretrained; sys.exit('safetensors' in sys.modules)"
    assert (
        subprocess.run(
            [sys.executable, "-c", check],
            env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
            check=False,
        ).returncode
        == 0
    )
