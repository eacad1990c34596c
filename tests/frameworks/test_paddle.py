"""What is read from Paddle computes what Paddle computes: layers, cells, both directions, lengths, projections."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from against import BATCH, HIDDEN, INPUT, TIME, close, draw, needs, one_or_all, run, states

import byhand
from byhand import LSTM
from byhand.interop import paddle as reader
from byhand.interop.stacks import weights_of
from byhand.interop.weights import write

pytestmark = pytest.mark.filterwarnings("ignore")  # Paddle's own, at its import
paddle = needs("paddle")
KINDS = ("LSTM", "GRU", "SimpleRNN")


def made(kind: str, dtype: str = "float64", **options):
    """A layer with random arrays."""
    paddle.set_default_dtype(dtype)
    return randomised(getattr(paddle.nn, kind)(INPUT, HIDDEN, **options))


def randomised(layer):
    for seed, parameter in enumerate(layer.parameters()):
        parameter.set_value(draw(*parameter.shape, kind=str(parameter.dtype).rpartition(".")[2], seed=seed))
    return layer


def same(layer: LSTM, source, dtype: str, *, around_a_cell: bool = False) -> None:
    x, first = draw(BATCH, TIME, INPUT, kind=dtype), states(layer)
    if not layer.batch_first:
        x = np.ascontiguousarray(x.swapaxes(0, 1))
    given = [paddle.to_tensor(value[0] if around_a_cell else value) for value in first]
    outputs, last = source(paddle.to_tensor(x), one_or_all(given))
    ours, ours_last = run(layer, x, first)
    close(ours, outputs.numpy())
    ours_last = [value[0] for value in ours_last] if around_a_cell else ours_last
    for one, other in zip(ours_last, last if isinstance(last, tuple | list) else [last], strict=True):
        close(one, other.numpy())


@pytest.mark.parametrize("direction", ["forward", "bidirect"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_stack_computes_the_same(kind: str, dtype: str, direction: str) -> None:
    source = made(kind, dtype, num_layers=2, direction=direction, time_major=dtype == "float64")
    layer = byhand.load_weights(source)
    assert (layer.num_layers, layer.bidirectional, layer.batch_first) == (2, direction == "bidirect", dtype == "float32")
    same(layer, source, dtype)


@pytest.mark.parametrize("direction", ["forward", "bidirect"])
def test_a_projection_is_read_past_the_names_that_name_other_arrays(direction: str) -> None:
    source = made("LSTM", num_layers=2, direction=direction, proj_size=2)
    assert list(source.weight_ih_l1.shape) != [4 * HIDDEN, 2], "Paddle names the arrays of a projection rightly now"
    same(byhand.load_weights(source), source, "float64")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lengths", [(TIME, 4), (1, TIME)])
def test_lengths_are_as_in_a_packed_sequence(kind: str, lengths: tuple[int, int]) -> None:
    source = made(kind, num_layers=2, direction="bidirect")
    layer, x = byhand.load_weights(source), draw(BATCH, TIME, INPUT)
    outputs, last = source(paddle.to_tensor(x), sequence_length=paddle.to_tensor(list(lengths)))
    packed = torch.nn.utils.rnn.pack_padded_sequence(
        torch.tensor(x), torch.tensor(lengths), batch_first=True, enforce_sorted=False
    )
    with torch.no_grad():
        ours, ours_last = layer(packed)
    padded, _ = torch.nn.utils.rnn.pad_packed_sequence(ours, batch_first=True)
    close(padded.numpy(), outputs.numpy())
    for one, other in zip(
        ours_last if isinstance(ours_last, tuple) else [ours_last],
        last if isinstance(last, tuple | list) else [last],
        strict=True,
    ):
        close(one.numpy(), other.numpy())


@pytest.mark.parametrize("kind", KINDS)
def test_cells_and_what_stands_around_them(kind: str) -> None:
    paddle.set_default_dtype("float64")
    first, second = (randomised(getattr(paddle.nn, f"{kind}Cell")(INPUT, HIDDEN)) for _ in range(2))
    alone, around = byhand.load_weights(first), byhand.load_weights(paddle.nn.RNN(first, time_major=True))
    assert not around.batch_first and all(
        (one == other).all() for one, other in zip(alone.parameters(), around.parameters(), strict=True)
    )
    same(around, paddle.nn.RNN(first, time_major=True), "float64", around_a_cell=True)
    both = paddle.nn.BiRNN(first, second)
    layer = byhand.load_weights(both)
    x = draw(BATCH, TIME, INPUT)
    close(run(layer, x)[0], both(paddle.to_tensor(x))[0].numpy())


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_what_was_read(kind: str) -> None:
    layout = reader.CELLS[f"{kind}Cell"]
    source = made(kind, num_layers=2, direction="bidirect", **({"proj_size": 2} if kind == "LSTM" else {}))
    cells = [cell for part in source for cell in (part.cell_fw, part.cell_bw)]
    for cell, weights in zip(cells, weights_of(byhand.load_weights(source)), strict=True):
        for name, value in write(layout, weights).items():
            np.testing.assert_array_equal(value.numpy(), getattr(cell, name).numpy())


def test_bfloat16_is_kept() -> None:
    paddle.set_default_dtype("float32")
    cell = paddle.nn.LSTMCell(INPUT, HIDDEN)
    cell.to(dtype="bfloat16")
    layer = byhand.load_weights(cell)
    np.testing.assert_array_equal(layer.weight_ih_l0.detach().float().numpy(), cell.weight_ih.astype("float32").numpy())
    assert str(layer.weight_ih_l0.dtype) == "torch.bfloat16"


@pytest.mark.parametrize("kind", [*KINDS, "LSTM with a projection"])
def test_a_state_dict_is_read_by_the_names_of_its_cells(kind: str, tmp_path: Path) -> None:
    options = {"num_layers": 2, "direction": "bidirect"} | ({"proj_size": 2} if "projection" in kind else {})
    source = made(kind.partition(" ")[0], **options)
    model = paddle.nn.Sequential(("head", paddle.nn.Linear(2, 2)), ("rnn", source))
    layer = byhand.load_weights(source)
    arrays = {name: value.numpy() for name, value in model.state_dict().items()}
    np.savez(tmp_path / "weights.npz", **arrays)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a simple layer is read with tanh
        for state in (model.state_dict(), arrays, tmp_path / "weights.npz"):
            again = byhand.load_weights(state, prefix="rnn")
            assert again.state_dict().keys() == layer.state_dict().keys()
            assert all((one == other).all() for one, other in zip(again.parameters(), layer.parameters(), strict=True))


def test_a_file_of_paddle_save_is_not_unpickled(tmp_path: Path) -> None:
    paddle.save(made("GRU").state_dict(), str(tmp_path / "weights.pdparams"))
    with pytest.raises(
        byhand.LoadError, match=r"which is a pickle: give what paddle\.load returns, or save it as numpy\.savez"
    ):
        byhand.load_weights(tmp_path / "weights.pdparams")
    assert byhand.load_weights(paddle.load(str(tmp_path / "weights.pdparams"))).hidden_size == HIDDEN


def test_relu_and_a_layer_that_reads_from_the_end() -> None:
    source, x = made("SimpleRNN", activation="relu", num_layers=2), draw(BATCH, TIME, INPUT)
    close(run(byhand.load_weights(source), x)[0], source(paddle.to_tensor(x))[0].numpy())
    backwards = paddle.nn.RNN(randomised(paddle.nn.GRUCell(INPUT, HIDDEN)), is_reverse=True)
    layer = byhand.load_weights(backwards, flipped=True)
    close(run(layer, x[:, ::-1].copy())[0][:, ::-1], backwards(paddle.to_tensor(x))[0].numpy())


def test_what_cannot_be_read_is_refused() -> None:
    with pytest.raises(ValueError, match=r"is_reverse=False, got True: .* x.flip\(0\)"):
        byhand.load_weights(paddle.nn.RNN(paddle.nn.GRUCell(INPUT, HIDDEN), is_reverse=True))
    with pytest.raises(ValueError, match=r"expected a paddle\.nn\.RNN with is_reverse=True"):
        byhand.load_weights(paddle.nn.LSTM(INPUT, HIDDEN), flipped=True)
    with pytest.raises(ValueError, match="the Linear: expected a recurrent layer"):
        byhand.load_weights(paddle.nn.Linear(3, 3))
    with pytest.raises(ValueError, match="two cells of one kind"):
        byhand.load_weights(paddle.nn.BiRNN(paddle.nn.GRUCell(INPUT, HIDDEN), paddle.nn.SimpleRNNCell(INPUT, HIDDEN)))

    class Doubled(paddle.nn.LSTM):
        def forward(self, inputs, initial_states=None, sequence_length=None):
            return super().forward(2 * inputs, initial_states, sequence_length)

    with pytest.raises(TypeError, match="got Doubled, a subclass that computes in its own way"):
        byhand.load_weights(Doubled(INPUT, HIDDEN))
