"""load_weights from torch's own state_dicts, modules and files, and from arrays by name; to_state_dict, its inverse."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import other_layers
import pytest
import safetensors.numpy
import safetensors.torch
import torch
from torch import nn
from torch.nn.utils import parametrize

import byhand
from byhand import LoadError, cells, load_weights, to_state_dict
from byhand.interop.npz import read_npz

INPUTS, H, B, T = 3, 5, 2, 7

LAYERS: dict[str, Callable[[], nn.Module]] = {
    "LSTM": lambda: nn.LSTM(INPUTS, H),
    "two layers, both directions": lambda: nn.LSTM(INPUTS, H, 2, bidirectional=True, batch_first=True),
    "without bias": lambda: nn.LSTM(INPUTS, H, bias=False),
    "projected": lambda: nn.LSTM(INPUTS, H, 2, proj_size=2),
    "float64": lambda: nn.LSTM(INPUTS, H, dtype=torch.float64),
    "GRU": lambda: nn.GRU(INPUTS, H, 2, dropout=0.25),
    "RNN": lambda: nn.RNN(INPUTS, H),
    "RNN relu": lambda: nn.RNN(INPUTS, H, nonlinearity="relu"),
    "LSTMCell": lambda: nn.LSTMCell(INPUTS, H),
    "GRUCell": lambda: nn.GRUCell(INPUTS, H, bias=False),
    "RNNCell relu": lambda: nn.RNNCell(INPUTS, H, nonlinearity="relu"),
}


class Speech(nn.Module):
    """A model with two recurrent layers among others."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(4, INPUTS)
        self.encoder = nn.ModuleDict({"rnn": nn.LSTM(INPUTS, H, 2, bidirectional=True)})
        self.decoder = nn.GRU(2 * H, H, batch_first=True)


def assert_same(ours: byhand.LSTM, theirs: nn.Module) -> None:
    """Equal weights to the bit, and the same outputs."""
    x = torch.randn(B, T, INPUTS if ours.input_size == INPUTS else ours.input_size, dtype=ours.weight_ih_l0.dtype)
    if isinstance(theirs, nn.RNNCellBase):
        h = theirs(x[:, 0])
        expected = h[0] if isinstance(h, tuple) else h
        torch.testing.assert_close(ours.eval()(x[:, :1].transpose(0, 1))[0][0], expected, rtol=0, atol=1e-6)
        return
    torch.testing.assert_close(ours.eval()(x)[0], theirs.eval()(x)[0], rtol=0, atol=1e-6)
    for name, value in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[name], value), name


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.filterwarnings("ignore:dropout option adds dropout")
def test_a_layer_of_torch(name: str) -> None:
    theirs = LAYERS[name]()
    ours = load_weights(theirs)
    assert ours.dropout == getattr(theirs, "dropout", 0.0) and ours.batch_first == getattr(theirs, "batch_first", False)
    with byhand.use_engine("reference"):
        assert_same(ours, theirs)


@pytest.mark.parametrize("name", [name for name in LAYERS if "RNN" not in name])
def test_a_state_dict(name: str) -> None:
    theirs = LAYERS[name]()
    ours = load_weights(theirs.state_dict(), batch_first=getattr(theirs, "batch_first", False))
    assert_same(ours, theirs)


def test_an_rnn_s_state_dict_is_read_with_a_warning() -> None:
    with pytest.warns(UserWarning, match="the layer is read as an RNN with tanh; one with relu has the same weights"):
        ours = load_weights((theirs := nn.RNN(INPUTS, H)).state_dict())
    assert_same(ours, theirs)


@pytest.mark.parametrize(
    "form", ["module", "state_dict", "arrays", ".pt", ".safetensors", ".npz", "checkpoint.pt", "numpy.safetensors"]
)
def test_by_prefix(form: str, tmp_path: Path) -> None:
    model = Speech()
    state, path = model.state_dict(), tmp_path / f"model{form.removeprefix('checkpoint').removeprefix('numpy')}"
    arrays = {name: value.numpy() for name, value in state.items()}
    source: Any = path
    match form:
        case "module":
            source = model
        case "state_dict":
            source = state
        case "arrays":
            source = arrays
        case ".pt":
            torch.save(state, path)
        case "checkpoint.pt":
            torch.save({"epoch": 3, "model": {f"module.{name}": value for name, value in state.items()}}, path)
        case ".safetensors":
            safetensors.torch.save_file(state, path)
        case "numpy.safetensors":
            safetensors.numpy.save_file(arrays, path)
        case ".npz":
            np.savez(path, **arrays)
    for prefix in ("encoder.rnn", "encoder.rnn.", "rnn"):
        assert_same(load_weights(source, prefix=prefix), model.encoder["rnn"])
    assert_same(load_weights(source, prefix="decoder", batch_first=True), model.decoder)
    with pytest.raises(
        ValueError, match=r"got 2 recurrent layers, \S+, \S+: choose one, as in prefix='.*(decoder|rnn)', or name"
    ):
        load_weights(source)
    with pytest.raises(
        ValueError, match=r"expected prefix='lstm' to name one recurrent layer, got none; there are .*encoder\.rnn"
    ):
        load_weights(str(source) if isinstance(source, Path) else source, prefix="lstm")


def test_cells_that_follow_each_other_become_one_stack() -> None:
    model = nn.ModuleDict({"low": nn.LSTMCell(INPUTS, H), "high": nn.LSTMCell(H, H)})
    ours = load_weights(model, prefix=["low", "high"])
    assert ours.num_layers == 2
    x = torch.randn(1, B, INPUTS)
    h, _ = model["high"](model["low"](x[0])[0])
    torch.testing.assert_close(ours(x)[0][0], h)
    both = load_weights(nn.ModuleDict({"a": nn.GRU(INPUTS, H), "b": nn.GRU(INPUTS, H)}), prefix=["a", "b"], bidirectional=True)
    assert both.bidirectional and both.cell is cells.gru


def test_a_parametrised_layer_is_read_as_it_computes() -> None:
    class Doubled(nn.Module):
        def forward(self, weight: torch.Tensor) -> torch.Tensor:
            return 2 * weight

    theirs = nn.LSTM(INPUTS, H)
    parametrize.register_parametrization(theirs, "weight_hh_l0", Doubled())
    ours, x = load_weights(theirs), torch.randn(T, B, INPUTS)
    torch.testing.assert_close(ours(x)[0], theirs(x)[0])
    assert ours.weight_hh_l0.is_leaf and ours.weight_hh_l0.requires_grad


def test_a_subclass_is_read_with_a_warning() -> None:
    class Louder(nn.LSTM):
        def forward(self, *arguments: Any) -> Any:
            return super().forward(*arguments)

    with pytest.warns(
        UserWarning, match="the layer, a Louder: only the weights are read; what its class computes besides is not"
    ):
        load_weights(Louder(INPUTS, H))


@pytest.mark.parametrize("cell", [cells.peephole, cells.slstm, cells.min_lstm], ids=lambda cell: cell.name)
def test_another_cell_of_byhand(cell: cells.Cell, tmp_path: Path) -> None:
    theirs = byhand.LSTM(INPUTS, H, 2, cell=cell, learn_initial_state=True)
    torch.save({"net": theirs.state_dict()}, tmp_path / "net.pt")
    for source in (theirs, nn.Sequential(theirs)):
        assert repr(load_weights(source)) == repr(theirs)
    ours = load_weights(tmp_path / "net.pt", cell=cell)
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    assert all(torch.equal(value, ours.state_dict()[name]) for name, value in theirs.state_dict().items())


@pytest.mark.parametrize("name", [name for name in LAYERS if "Cell" not in name and "relu" not in name])
@pytest.mark.filterwarnings("ignore:dropout option adds dropout")
def test_to_state_dict_is_the_inverse(name: str) -> None:
    theirs = LAYERS[name]()
    state = to_state_dict(load_weights(theirs), prefix="encoder.rnn")
    assert list(state) == [f"encoder.rnn.{own}" for own in theirs.state_dict()]
    assert all(torch.equal(value, state[f"encoder.rnn.{own}"]) for own, value in theirs.state_dict().items())
    theirs.load_state_dict(to_state_dict(load_weights(theirs)))
    again = load_weights(state, prefix="encoder.rnn.", cell=load_weights(theirs).cell)
    assert all(torch.equal(value, again.state_dict()[own]) for own, value in theirs.state_dict().items())
    assert not any(value.requires_grad for value in state.values())


def test_what_torch_has_no_layer_for_is_not_written() -> None:
    with pytest.raises(ValueError, match="expected a cell that torch has a layer for, lstm, gru or rnn, got 'slstm'"):
        to_state_dict(byhand.LSTM(INPUTS, H, cell=cells.slstm))
    with pytest.raises(ValueError, match="expected no projection, which torch has in an LSTM only, got 'rnn' with one"):
        to_state_dict(byhand.LSTM(INPUTS, H, cell=cells.rnn, proj_size=2))
    with pytest.raises(TypeError, match=r"expected a byhand\.LSTM, got a LSTM: byhand\.convert"):
        to_state_dict(nn.LSTM(INPUTS, H))
    with pytest.raises(ValueError, match="got learn_initial_state=True"):
        to_state_dict(byhand.LSTM(INPUTS, H, learn_initial_state=True))


@pytest.mark.parametrize("name", other_layers.OTHERS)
def test_arrays_by_a_layout(name: str, tmp_path: Path) -> None:
    other = other_layers.OTHERS[name]
    arrays = other_layers.drawn(other, INPUTS, H, seed=1)
    np.savez(tmp_path / "arrays.npz", **{f"net/rnn/{key}": value for key, value in arrays.items()}, step=3, label="text")
    sources: dict[str, Any] = {
        "npz": tmp_path / "arrays.npz",
        "flat": {f"net.rnn.{key}": value for key, value in arrays.items()},
        "nested": {"net": {"rnn": arrays, "other": {"kernel": np.ones(3)}}},
        "tensors": {f"net/rnn/{key}": torch.from_numpy(value) for key, value in arrays.items()},
    }
    x = np.random.default_rng(2).normal(size=(T, B, INPUTS))
    expected, _ = other_layers.run(other, x, arrays, tuple(np.zeros((B, H)) for _ in range(other.states)))
    for form, source in sources.items():
        layer = load_weights(source, layout=name, prefix="net.rnn")
        with byhand.use_engine("reference"):
            np.testing.assert_allclose(layer(torch.from_numpy(x))[0].detach(), expected, rtol=0, atol=2e-15, err_msg=form)
    assert load_weights(arrays, layout=name).input_size == INPUTS


def test_what_numpy_saves_is_read_to_the_bit(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {
        "half": rng.normal(size=(2, 3)).astype("<f2"),
        "single": rng.normal(size=(4,)).astype("<f4"),
        "big": rng.normal(size=(2, 3, 4)).astype(">f8"),
        "columns": np.asfortranarray(rng.normal(size=(3, 5))),
        "number": np.array(1.5),
        "empty": np.ones((0, 3)),
        "whole": np.arange(6, dtype="int64").reshape(2, 3),
        "yes": np.array([True, False]),
    }
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "arrays.npz", **arrays, text=np.array("words"))
        found = read_npz(tmp_path / "arrays.npz")
        assert found.keys() == arrays.keys()
        for name, array in arrays.items():
            assert found[name].shape == array.shape and found[name].numpy().tolist() == array.tolist(), name
            assert found[name].numpy().dtype == array.dtype.newbyteorder("="), name


def pickled(path: Path) -> Path:
    np.savez(path, weight_ih_l0=np.array([{"a": 1}], dtype=object))
    return path


def files(folder: Path) -> dict[str, Path]:
    """What is no file of weights."""
    made = {name: folder / name for name in ("text.pt", "text.npz", "text.safetensors", "empty.npz", "none.pt", "other.npz")}
    for name in ("text.pt", "text.npz", "text.safetensors"):
        made[name].write_text("not weights")
    made["empty.npz"].write_bytes(b"")
    np.savez(made["other.npz"], weights=np.ones((3, 4)))
    made["objects.npz"] = pickled(folder / "objects.npz")
    made["folder"] = folder
    return made


MESSAGES = {
    "text.pt": "expected a file of weights, of torch.save or safetensors, got a file that torch.save has not written",
    "text.npz": "expected a .npz file of numpy.savez, got a file that is damaged, or no zip archive",
    "text.safetensors": "expected a file of weights, of torch.save or safetensors, got one that is damaged",
    "empty.npz": "expected a .npz file of numpy.savez, got a file that is damaged, or no zip archive",
    "none.pt": "got nothing that can be read: No such file or directory",
    "objects.npz": "'weight_ih_l0.npy', an array of Python objects, which only a pickle can hold: save numbers alone",
    "folder": "expected a file, got a folder: byhand.LSTM.from_pretrained reads one of save_pretrained",
}


@pytest.mark.parametrize("name", MESSAGES)
def test_what_is_no_file_of_weights_is_a_load_error(name: str, tmp_path: Path) -> None:
    with pytest.raises(LoadError) as caught:
        load_weights(files(tmp_path)[name])
    assert MESSAGES[name] in str(caught.value) and str(files(tmp_path)[name]) in str(caught.value)


WRONG: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (
        lambda: load_weights(3),
        TypeError,
        "load_weights expected a file, a model of Keras, Flax or torch, or weights by name, got a int",
    ),
    (
        lambda: load_weights({}),
        ValueError,
        "expected tensors called weight_ih_l0 or weight_ih, as torch calls those of a recurrent layer",
    ),
    (lambda: load_weights(nn.Linear(2, 3)), ValueError, "got weight, bias"),
    (lambda: load_weights({}, layout="keras.LSTM", cell=cells.lstm), ValueError, "expected layout or cell, got both"),
    (lambda: load_weights({}, cell="lstm"), TypeError, "cell should be a byhand.cells.Cell, got: str"),
    (lambda: load_weights({}, layout=3), TypeError, "expected layout to be a Layout or the name of one, got a int"),
    (lambda: load_weights(3, layout="keras.LSTM"), TypeError, "expected arrays by name with a layout, got a int"),
    (lambda: load_weights({}, prefix=3), TypeError, "expected prefix to be a name or a list of names, got 3"),
    (lambda: load_weights({}, prefix=[]), TypeError, "expected prefix to be a name or a list of names, got []"),
    (lambda: load_weights(nn.GRU(2, 3), bidirectional=True), ValueError, "expected a list of prefixes with bidirectional=True"),
    (lambda: load_weights(nn.GRU(2, 3), flipped=True), ValueError, "expected a layer of Keras or Flax with flipped=True"),
    (
        lambda: load_weights({"weight_ih_l0": torch.ones(8, 3)}),
        ValueError,
        "expected the layer to have the parameters of an LSTM, GRU",
    ),
    (
        lambda: load_weights({"weight_ih_l0": torch.ones(10, 3), "weight_hh_l0": torch.ones(10, 5)}),
        ValueError,
        "2 rows of weights to each of 5 units, where an LSTM has 4, a GRU 3 and an RNN 1",
    ),
    (
        lambda: load_weights({n: v.long() for n, v in nn.LSTM(2, 3).state_dict().items()}),
        ValueError,
        "numbers of int64",
    ),
    (
        lambda: load_weights({"a": np.ones(3)}, layout="keras.LSTM"),
        ValueError,
        "expected arrays kernel, recurrent_kernel, bias, got a",
    ),
    (
        lambda: load_weights({}, layout="neuralhydrology.EALSTM"),
        ValueError,
        "cannot be carried over exactly: its input gate is",
    ),
]


@pytest.mark.parametrize(("use", "kind", "message"), WRONG, ids=[message[:50] for _, _, message in WRONG])
def test_wrong_use(use: Callable[[], Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind) as caught:
        use()
    assert caught.type is kind and message in str(caught.value)


def test_nothing_else_warns() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_weights(Speech(), prefix="decoder")
