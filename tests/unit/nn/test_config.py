"""Config: the arguments of a layer as one value, the same everywhere that they are listed."""

import inspect
import json
from pathlib import Path

import pytest
import torch

from byhand import LSTM, LSTMCell, TorchLSTM, cells
from byhand.nn.config import OURS, PRINTED, Config
from byhand.nn.pretrained.folder import FIELDS

LAYER = LSTM(3, 4, 2, batch_first=True, bidirectional=True, proj_size=2, cell=cells.lstm, forget_bias=1.0)


def test_its_fields_are_the_arguments_of_the_layer() -> None:
    signature = list(inspect.signature(LSTM.__init__).parameters.values())[1:]
    arguments = {one.name: one.default for one in signature if one.name not in ("device", "dtype")}
    assert list(Config._fields) == list(arguments)
    assert Config._field_defaults == {name: value for name, value in arguments.items() if value is not inspect.Parameter.empty}


def test_those_of_torch_and_ours_are_all() -> None:
    theirs = set(inspect.signature(torch.nn.RNNBase.__init__).parameters) - {"self", "mode", "device", "dtype"}
    assert set(Config._fields) == theirs | set(OURS) and set(PRINTED) == set(Config._fields) - {"input_size", "hidden_size"}


def test_what_is_saved_is_the_config(tmp_path: Path) -> None:
    LAYER.save_pretrained(tmp_path)
    (saved,) = json.loads((tmp_path / "config.json").read_text())["models"]
    assert saved.keys() == FIELDS
    assert Config(**{name: saved[name] for name in Config._fields} | {"cell": cells.lstm}) == Config.of(LAYER)


def test_it_says_what_the_parameters_are() -> None:
    config = Config.of(LAYER)
    shapes = {name: shape for sublayer in config.sublayers for name, shape in config.shapes(sublayer).items()}
    assert shapes == {name: tuple(value.shape) for name, value in LAYER.named_parameters()}
    assert [str(one) for one in config.sublayers] == ["l0", "l0.reverse", "l1", "l1.reverse"]
    assert config.state_shapes(5) == ((4, 5, 2), (4, 5, 4))


def test_it_follows_the_layer() -> None:
    layer = LSTM(3, 4, 2)
    layer.dropout = 0.5
    assert Config.of(layer).dropout == 0.5 and "dropout=0.5" in layer.extra_repr()
    assert Config.of(TorchLSTM(3, 4)) == Config(3, 4)


def test_a_subclass_may_compute_an_argument() -> None:
    class Halved(LSTM):
        @property
        def dropout(self) -> float:  # type: ignore[override]
            return self.most / 2

        @dropout.setter
        def dropout(self, value: float) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
            self.most = value

    assert Config.of(Halved(3, 4, 2, dropout=0.5)).dropout == 0.25


@pytest.mark.parametrize(
    ("change", "kind"),
    [({"hidden_size": 0}, ValueError), ({"bias": 1}, TypeError), ({"proj_size": 4}, ValueError), ({"cell": "lstm"}, TypeError)],
)
def test_arguments_that_make_no_layer(change: dict, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        Config(3, 4)._replace(**change).checked()


def test_a_single_step_prints_what_it_has() -> None:
    assert LSTMCell(3, 4, bias=False, cell=cells.gru).extra_repr() == "3, 4, bias=False, cell=gru"
