"""Keras's layers and files against byhand's layers made of them, run side by side on Keras's torch backend; and back."""

import json
import os
import re
import sys
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import ROOT

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
from keras import layers as k

import byhand
from byhand import LoadError, cells, load_weights, to_keras

# Keras 3.15 on torch hands its variables to numpy in a way that numpy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
INPUTS, H, B, T = 3, 5, 2, 7
KINDS = ("float32", "float64")
# Those that Keras hands to torch's own LSTM and GRU. All others it multiplies in float32 on this backend, whatever their dtype
# (findings/keras_float64.sh); what byhand computes of them in float64 is held against numpy in test_layouts.py.
WHOLE = ("LSTM", "LSTM without bias", "LSTM implementation 1", "GRU")


def near(name: str, kind: str) -> float:
    """What the outputs may differ by."""
    return 2e-15 if kind == "float64" and name in WHOLE else 1e-6


LAYERS: dict[str, Callable[..., Any]] = {
    "LSTM": lambda **o: k.LSTM(H, **o),
    "LSTM without bias": lambda **o: k.LSTM(H, use_bias=False, **o),
    "LSTM relu, hard_sigmoid": lambda **o: k.LSTM(H, activation="relu", recurrent_activation="hard_sigmoid", **o),
    "LSTM linear": lambda **o: k.LSTM(H, activation=None, **o),
    "LSTM softsign, softplus": lambda **o: k.LSTM(H, activation="softsign", recurrent_activation="softplus", **o),
    "LSTM leaky_relu": lambda **o: k.LSTM(H, activation="leaky_relu", **o),
    "SimpleRNN elu": lambda **o: k.SimpleRNN(H, activation="elu", **o),
    "LSTM implementation 1": lambda **o: k.LSTM(H, unroll=False, unit_forget_bias=False, **o),
    "GRU": lambda **o: k.GRU(H, **o),
    "GRU without bias": lambda **o: k.GRU(H, use_bias=False, **o),
    "GRU reset before": lambda **o: k.GRU(H, reset_after=False, **o),
    "GRU reset before, without bias": lambda **o: k.GRU(H, reset_after=False, use_bias=False, **o),
    "GRU relu, hard_sigmoid": lambda **o: k.GRU(H, activation="relu", recurrent_activation="hard_sigmoid", **o),
    "SimpleRNN": lambda **o: k.SimpleRNN(H, **o),
    "SimpleRNN relu": lambda **o: k.SimpleRNN(H, activation="relu", **o),
}


@pytest.fixture(autouse=True)
def _no_compiler() -> Iterator[None]:
    """What the layers compute is the same on every engine; here no kernel is waited for."""
    with byhand.use_engine("reference"):
        yield


def built(make: Callable[..., Any], kind: str = "float32", *, seed: int = 0, **options: Any) -> Any:
    """A layer with random weights."""
    layer = make(return_sequences=True, return_state=True, dtype=kind, **options)
    return filled(layer, kind, seed)


def filled(layer: Any, kind: str = "float32", seed: int = 0) -> Any:
    layer.build((None, None, INPUTS))
    rng = np.random.default_rng(seed)
    layer.set_weights([rng.normal(0, 0.5, one.shape).astype(kind) for one in layer.get_weights()])
    return layer


def drawn(kind: str, *shape: int, seed: int = 9) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape).astype(kind))


def given(states: list[torch.Tensor]) -> Any:
    """As byhand's layer takes them: (layers, batch, hidden)."""
    return tuple(state[None] for state in states) if len(states) > 1 else states[0][None]


def flat(states: Any) -> list[torch.Tensor]:
    return list(states) if isinstance(states, tuple) else [states]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_outputs_states_and_gradients(name: str, kind: str) -> None:
    theirs = built(LAYERS[name], kind)
    ours = load_weights(theirs)
    assert ours.batch_first and str(ours.weight_ih_l0.dtype) == f"torch.{kind}"
    first = [drawn(kind, B, H, seed=number) for number in range(len(ours.cell.state))]
    for time in (1, T):
        x = drawn(kind, B, time, INPUTS).requires_grad_()
        again = x.detach().clone().requires_grad_()
        expected, *last = theirs(x, initial_state=first)
        output, states = ours(again, given(first))
        torch.testing.assert_close(output, expected, rtol=0, atol=near(name, kind))
        for one, other in zip(flat(states), last, strict=True):
            torch.testing.assert_close(one[0], other, rtol=0, atol=near(name, kind))
        weights = torch.linspace(-1, 1, expected.numel()).view_as(expected).to(expected)
        (expected * weights).sum().backward()
        (output * weights).sum().backward()
        torch.testing.assert_close(again.grad, x.grad, rtol=0, atol=10 * near(name, kind))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["LSTM", "GRU", "GRU reset before", "SimpleRNN", "LSTM relu, hard_sigmoid"])
def test_both_directions_with_lengths(name: str, kind: str) -> None:
    theirs = k.Bidirectional(LAYERS[name](return_sequences=True, return_state=True, dtype=kind), dtype=kind)
    ours = load_weights(filled(theirs, kind))
    assert ours.bidirectional
    x, lengths = drawn(kind, B, T, INPUTS), torch.tensor([T, 4])
    mask = torch.arange(T)[None] < lengths[:, None]
    for packed in (False, True):
        expected, *last = theirs(x, mask=mask) if packed else theirs(x)
        read = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True) if packed else x
        exact = 1e-6 if packed else near(name, kind)  # with a mask Keras does not use torch's own
        output, states = ours(read)
        if packed:
            output = torch.nn.utils.rnn.pad_packed_sequence(output, batch_first=True)[0]
        torch.testing.assert_close(output, expected, rtol=0, atol=exact)
        count = len(ours.cell.state)  # Keras: all of the forward direction, then all of the other
        for number, state in enumerate(flat(states)):
            torch.testing.assert_close(state[0], last[number], rtol=0, atol=exact)
            torch.testing.assert_close(state[1], last[count + number], rtol=0, atol=exact)


@pytest.mark.parametrize("kind", KINDS)
def test_a_stack_of_cells(kind: str) -> None:
    theirs = filled(k.RNN([k.LSTMCell(H, dtype=kind), k.LSTMCell(4, dtype=kind)], return_sequences=True, dtype=kind), kind)
    with pytest.raises(ValueError, match=r"expected \(20, 5\) float32|expected \(20, 5\) float64"):
        load_weights(theirs)  # byhand's stacks have one width
    theirs = filled(k.RNN([k.LSTMCell(H, dtype=kind), k.LSTMCell(H, dtype=kind)], return_sequences=True, dtype=kind), kind)
    ours, x = load_weights(theirs), drawn(kind, B, T, INPUTS)
    assert ours.num_layers == 2
    torch.testing.assert_close(ours(x)[0], theirs(x), rtol=0, atol=1e-6)
    cell = theirs.cell.cells[0]
    single = load_weights(cell)
    h, _ = cell(x[:, 0], [torch.zeros(B, H, dtype=x.dtype)] * 2)
    torch.testing.assert_close(single(x[:, :1])[0][:, 0], h, rtol=0, atol=1e-6)
    plain = filled(k.RNN(k.GRUCell(H, dtype=kind), return_sequences=True, dtype=kind), kind)
    torch.testing.assert_close(load_weights(plain)(x)[0], plain(x), rtol=0, atol=1e-6)


def model() -> Any:
    """Several recurrent layers, one in a model of its own, one around a stack."""
    inner = keras.Sequential(
        [keras.Input((None, INPUTS)), k.Bidirectional(k.LSTM(H, return_sequences=True), name="both")], name="inner"
    )
    x = x_in = keras.Input((None, INPUTS))
    x = inner(x)
    x = k.GRU(H, return_sequences=True, name="gru")(x)
    x = k.TimeDistributed(k.Dense(4))(x)
    x = k.LSTM(H, return_sequences=True, name="low", activation="relu")(x)
    x = k.LSTM(H, return_sequences=True, name="high", activation="relu", use_bias=False)(x)
    x = k.RNN([k.GRUCell(H), k.GRUCell(H)], return_sequences=True, name="stack")(x)
    x = k.SimpleRNN(4, return_sequences=True, name="simple")(x)
    made = keras.Model(x_in, k.Dense(1)(x))
    rng = np.random.default_rng(3)
    made.set_weights([rng.normal(0, 0.5, one.shape).astype("float32") for one in made.get_weights()])
    return made


NAMES = ["inner/both", "gru", "low", "high", "stack", "simple"]


def found(made: Any, name: str) -> Any:
    at = made
    for part in name.split("/"):
        at = at.get_layer(part)
    return at


def assert_computes(ours: byhand.LSTM, theirs: Any) -> None:
    x = drawn("float32", B, T, ours.input_size)
    torch.testing.assert_close(ours(x)[0], theirs(x), rtol=0, atol=1e-6)


def saved(made: Any, file: str) -> None:
    """In any of Keras's forms; of the older one it says that it is older."""
    made.save_weights(file) if file.endswith(".weights.h5") else made.save(file)


@pytest.mark.parametrize("file", ["model.keras", "model.h5", "live"])
def test_every_layer_of_a_model_by_its_name(file: str, tmp_path: Path) -> None:
    made = model()
    source = made
    if file != "live":
        source = tmp_path / file
        saved(made, str(source))
    for name in NAMES:
        assert_computes(load_weights(source, prefix=name), found(made, name))
    assert_computes(load_weights(source, prefix="both"), found(made, "inner/both"))
    with pytest.raises(
        ValueError, match=r"got 6 recurrent layers, inner/both, gru, low, high, stack, simple: choose one, as in prefix="
    ):
        load_weights(source)
    with pytest.raises(
        ValueError, match="expected prefix='lstm' to name one recurrent layer, got none; there are inner/both, gru"
    ):
        load_weights(source, prefix="lstm")
    with pytest.raises(ValueError, match=r"biases|missing"):
        load_weights(source, prefix=["low", "high"])  # one has biases
    assert isinstance(source, Path) is (file != "live")


def test_a_file_of_weights_alone_is_read_with_a_warning(tmp_path: Path) -> None:
    made = model()
    made.save_weights(tmp_path / "model.weights.h5")
    for name in ("inner/both", "gru", "stack", "simple"):
        with pytest.warns(
            UserWarning, match=r"without a description: activations and all else .* are taken to be Keras's defaults"
        ):
            ours = load_weights(tmp_path / "model.weights.h5", prefix=name)
        assert_computes(ours, found(made, name))


def test_layers_that_follow_each_other_become_one_stack() -> None:
    parts = [k.LSTM(H, return_sequences=True, name=name, dtype="float32") for name in "ab"]
    made = keras.Sequential([keras.Input((None, INPUTS), dtype="float32"), *parts])
    ours = load_weights(made, prefix=["a", "b"])
    assert ours.num_layers == 2
    assert_computes(ours, made)


def test_one_layer_in_a_file_needs_no_name(tmp_path: Path) -> None:
    made = keras.Sequential([keras.Input((None, INPUTS)), k.LSTM(H, return_sequences=True, dtype="float64")])
    made.save(tmp_path / "one.keras")
    ours = load_weights(tmp_path / "one.keras", batch_first=False)
    assert not ours.batch_first
    x = drawn("float64", B, T, INPUTS)
    torch.testing.assert_close(ours(x.transpose(0, 1))[0].transpose(0, 1), made.layers[0](x), rtol=0, atol=2e-15)


@pytest.mark.parametrize("kind", ["bfloat16", "float16", "float32", "float64"])
def test_dtypes_are_kept_to_the_bit(kind: str, tmp_path: Path) -> None:
    half = k.LSTM(H, recurrent_initializer="glorot_uniform", dtype=kind)  # torch has no orthogonal one in halves
    made = keras.Sequential([keras.Input((None, INPUTS), dtype=kind), half])
    made.save(tmp_path / "one.keras")
    ours = load_weights(tmp_path / "one.keras")
    assert str(ours.weight_ih_l0.dtype) == f"torch.{kind}"
    assert torch.equal(ours.weight_ih_l0, made.layers[0].cell.kernel.value.T)
    assert torch.equal(load_weights(made).weight_ih_l0, ours.weight_ih_l0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", LAYERS)
def test_from_keras_and_back_is_the_same_to_the_bit(name: str, kind: str) -> None:
    theirs = built(LAYERS[name], kind)
    again = to_keras(load_weights(theirs), return_state=True)
    assert type(again) is type(theirs)
    for one, other in zip(again.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    x = drawn(kind, B, T, INPUTS)
    for one, other in zip(again(x), theirs(x), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
    both = filled(k.Bidirectional(LAYERS[name](return_sequences=True, dtype=kind), dtype=kind), kind)
    back = to_keras(load_weights(both))
    for one, other in zip(back.get_weights(), both.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("cell", [cells.lstm, cells.gru, cells.rnn, cells.gru_reset_before], ids=str)
def test_to_keras_computes_the_same_and_comes_back(cell: cells.Cell) -> None:
    torch.manual_seed(0)
    for layers, both in ((1, False), (1, True), (2, True), (3, False)):
        ours = byhand.LSTM(INPUTS, H, layers, bidirectional=both, cell=cell, batch_first=True, dtype=torch.float64)
        theirs = to_keras(ours)
        x = drawn("float64", B, T, INPUTS)
        exact = 2e-15 if cell in (cells.lstm, cells.gru) else 1e-6
        torch.testing.assert_close(theirs(x), ours(x)[0], rtol=0, atol=exact)
        parts = [one.name for one in theirs.layers] if layers > 1 else []
        again = load_weights(theirs, prefix=parts or None)
        torch.testing.assert_close(again(x)[0], ours(x)[0], rtol=0, atol=2e-15)


def test_dropout_between_layers_goes_into_a_layer_of_its_own() -> None:
    theirs = to_keras(byhand.LSTM(INPUTS, H, 2, dropout=0.25))
    assert [type(one).__name__ for one in theirs.layers] == ["LSTM", "Dropout", "LSTM"] and theirs.layers[1].rate == 0.25


def test_what_reads_from_the_end_is_refused_or_handed_a_flipped_sequence(tmp_path: Path) -> None:
    theirs = filled(k.LSTM(H, return_sequences=True, go_backwards=True, dtype="float32"))
    with pytest.raises(ValueError, match=r"reads from the end \(go_backwards=True\).*write load_weights\(..., flipped=True\)"):
        load_weights(theirs)
    x = drawn("float32", B, T, INPUTS)
    torch.testing.assert_close(load_weights(theirs, flipped=True)(x.flip(1))[0], theirs(x), rtol=0, atol=1e-6)
    with pytest.raises(ValueError, match="got flipped=True, expected a layer with go_backwards=True"):
        load_weights(filled(k.LSTM(H)), flipped=True)
    keras.Sequential([keras.Input((None, INPUTS), dtype="float32"), theirs]).save(tmp_path / "back.keras")
    with pytest.raises(LoadError, match=r"back\.keras: Keras's LSTM .* reads from the end"):
        load_weights(tmp_path / "back.keras")
    assert load_weights(tmp_path / "back.keras", flipped=True).input_size == INPUTS


def doubled(x: Any) -> Any:
    return 2 * x


REFUSED: list[tuple[Callable[[], Any], str]] = [
    (
        lambda: filled(k.LSTM(H, activation="selu")),
        "expected activation to be one of linear, tanh, .* got 'selu': byhand has no cell",
    ),
    (
        lambda: filled(k.GRU(H, recurrent_activation=doubled)),
        "expected recurrent_activation to be one of linear, .* got 'function'",
    ),
    (
        lambda: filled(k.Bidirectional(k.LSTM(H), merge_mode="sum")),
        "expected merge_mode='concat', got 'sum': byhand gives both halves",
    ),
    (lambda: filled(k.RNN([k.LSTMCell(H), k.GRUCell(H)])), "expected one kind of cell in all layers, got gru, lstm"),
    (
        lambda: filled(k.Bidirectional(k.RNN([k.LSTMCell(H), k.LSTMCell(H)], return_sequences=True))),
        "expected one cell in each direction, got a stack of 2",
    ),
    (lambda: k.LSTM(H), "got 'lstm.*' without weights: call it on an input first"),
    (lambda: filled(k.Dense(2)), "expected a recurrent layer that byhand can read, got none"),
]


@pytest.mark.parametrize(("make", "message"), REFUSED, ids=[message[:40] for _, message in REFUSED])
def test_what_byhand_cannot_compute_is_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_weights(make())


def test_what_concerns_training_or_several_calls_is_warned_of() -> None:
    with pytest.warns(UserWarning, match=r"has dropout=0\.5 in training, which the layer of byhand does not have"):
        ours = load_weights(filled(k.LSTM(H, return_sequences=True, dropout=0.5)))
    assert ours.input_size == INPUTS
    with pytest.warns(UserWarning, match=r"has recurrent_dropout=0\.25 in training"):
        load_weights(filled(k.GRU(H, recurrent_dropout=0.25)))
    theirs = k.LSTM(H, stateful=True)
    theirs.build((B, T, INPUTS))
    with pytest.warns(UserWarning, match="is stateful: it goes on from its last states"):
        load_weights(theirs)


WRITERS: list[tuple[Callable[[], Any], str]] = [
    (
        lambda: byhand.LSTM(INPUTS, H, cell=cells.peephole),
        "expected a cell out of lstm, gru, gru_reset_before, rnn, or one with other",
    ),
    (
        lambda: byhand.LSTM(INPUTS, H, cell=cells.with_activations(cells.lstm, output="relu")),
        "Keras has one activation for candidate and output",
    ),
    (lambda: byhand.LSTM(INPUTS, H, proj_size=2), "without projection, which Keras does not have"),
    (lambda: byhand.LSTM(INPUTS, H, learn_initial_state=True), "got learn_initial_state=True"),
]


@pytest.mark.parametrize(("make", "message"), WRITERS, ids=[message[:40] for _, message in WRITERS])
def test_what_keras_cannot_compute_is_not_written(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        to_keras(make())


def test_a_layer_of_somebody_s_own_is_not_taken_for_keras_s(tmp_path: Path) -> None:
    class LSTM(k.LSTM):
        """Has the name, and other code."""

    with pytest.raises(ValueError, match="expected a recurrent layer that byhand can read, got none"):
        load_weights(filled(LSTM(H)))
    made = keras.Sequential([keras.Input((None, INPUTS)), k.LSTM(H, name="one")])
    made.save(tmp_path / "one.keras")
    changed(tmp_path / "one.keras", lambda described: layer_in(described).update(registered_name="mine>LSTM"))
    with pytest.warns(UserWarning, match="holds weights of one without a description"):
        load_weights(tmp_path / "one.keras")


def test_hard_sigmoid_of_keras_2_is_another_function(tmp_path: Path) -> None:
    import h5py  # noqa: PLC0415

    made = keras.Sequential([keras.Input((None, INPUTS)), k.LSTM(H, recurrent_activation="hard_sigmoid")])
    made.save(tmp_path / "two.h5")
    assert load_weights(tmp_path / "two.h5").cell.name == f"with_activations(lstm, gates='hard_sigmoid({1 / 6}, 0.5)')"
    with h5py.File(tmp_path / "two.h5", "r+") as file:
        file.attrs["keras_version"] = "2.15.0"
    assert load_weights(tmp_path / "two.h5").cell.name == "with_activations(lstm, gates='hard_sigmoid(0.2, 0.5)')"


def test_an_option_that_is_not_known_is_warned_of(tmp_path: Path) -> None:
    keras.Sequential([keras.Input((None, INPUTS)), k.LSTM(H)]).save(tmp_path / "one.keras")
    changed(tmp_path / "one.keras", lambda described: layer_in(described)["config"].update(leak=0.1))
    with pytest.warns(UserWarning, match="has options that are not known here and were left out: leak"):
        load_weights(tmp_path / "one.keras")


def layer_in(described: Any) -> Any:
    return described["config"]["layers"][1]


def changed(path: Path, change: Callable[[Any], None]) -> None:
    """The file with another description."""
    with zipfile.ZipFile(path) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    described = json.loads(records["config.json"])
    change(described)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (records | {"config.json": json.dumps(described)}).items():
            archive.writestr(name, content)


def test_reading_a_file_needs_no_keras(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keras.Sequential([keras.Input((None, INPUTS)), k.LSTM(H)]).save(tmp_path / "one.keras")
    for module in ("keras", "h5py"):
        monkeypatch.setitem(sys.modules, module, None)
    assert load_weights(tmp_path / "one.keras").hidden_size == H
    with pytest.raises(ImportError, match=r"to_keras needs keras, which cannot be imported .*: pip install 'byhand\[keras\]'"):
        to_keras(byhand.LSTM(2, 3))


def test_warnings_are_only_those_that_are_meant(tmp_path: Path) -> None:
    model().save(tmp_path / "model.keras")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in NAMES:
            load_weights(tmp_path / "model.keras", prefix=name)


def test_what_the_page_says_to_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """docs/carry.md; but for the writing for Flax, which `make libraries` tests, and for C, in tests/kernels."""
    monkeypatch.chdir(tmp_path)
    first, second, _, report = re.findall(
        r"```python\n(.*?)```", (ROOT / "docs/carry.md").read_text(encoding="utf-8"), re.DOTALL
    )
    exec(compile(first, "docs/carry.md", "exec"), {})
    exec(compile(report, "docs/carry.md", "exec"), {})
    parts = [k.LSTM(H, return_sequences=True, name=name) for name in ("lstm", "lstm_1")]
    keras.Sequential([keras.Input((None, INPUTS)), *parts]).save("model.keras")
    rng = np.random.default_rng(0)
    shapes = {"kernel": (INPUTS, 15), "recurrent_kernel": (H, 15), "bias": (2, 15)}
    np.savez("weights.npz", **{f"rnn/{name}": rng.normal(size=shape) for name, shape in shapes.items()})
    cell = {name: {"kernel": rng.normal(size=(INPUTS, H))} for name in ("ii", "if", "ig", "io")}
    cell |= {f"h{gate}": {"kernel": rng.normal(size=(H, H)), "bias": rng.normal(size=H)} for gate in "ifgo"}
    linears = {
        f"{name}/linear": {"w": rng.normal(size=(width, 20)), "b": rng.normal(size=20)}
        for name, width in (("lstm", INPUTS + H), ("lstm_1", 2 * H))
    }
    lines = [line for line in second.splitlines() if "to_flax" not in line]
    assert len(lines) == len(second.splitlines()) - 1
    given = {"byhand": byhand, "variables": {"params": {"encoder": {"cell": cell}}}, "params": linears}
    exec(compile("\n".join(lines), "docs/carry.md", "exec"), given)
    assert type(given["layer"]).__name__ == "GRU"
