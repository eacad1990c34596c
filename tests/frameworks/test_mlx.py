"""What is read from MLX computes what MLX computes."""

import numpy as np
import pytest
from against import BATCH, HIDDEN, INPUT, TIME, close, draw, needs, run, states

import byhand
from byhand.interop import other_layouts
from byhand.interop.stacks import weights_of
from byhand.interop.weights import write

mlx = needs("mlx.core")
nn = needs("mlx.nn")
LAYOUTS = {"LSTM": other_layouts.MLX_LSTM, "GRU": other_layouts.MLX_GRU, "RNN": other_layouts.MLX_RNN}


def made(kind: str, *, bias: bool = True):
    """A layer with random arrays."""
    layer = getattr(nn, kind)(INPUT, HIDDEN, bias=bias)
    layer.update(
        {
            name: mlx.array(draw(*value.shape, kind="float32", seed=k))
            for k, (name, value) in enumerate(layer.parameters().items())
        }
    )
    return layer


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", LAYOUTS)
def test_a_layer_computes_the_same(kind: str, bias: bool) -> None:
    source = made(kind, bias=bias)
    layer = byhand.load_weights(source)
    assert layer.batch_first and layer.bias is bias
    x, first = draw(BATCH, TIME, INPUT, kind="float32"), states(layer)
    given = dict(zip(("hidden", "cell"), (mlx.array(value[0]) for value in first), strict=False))
    sequences = source(mlx.array(x), **given)
    sequences = [np.array(one) for one in (sequences if isinstance(sequences, tuple) else (sequences,))]
    ours, ours_last = run(layer, x, first)
    close(ours, sequences[0])
    close([value[0] for value in ours_last], [one[:, -1] for one in sequences])


@pytest.mark.parametrize("kind", LAYOUTS)
def test_what_is_written_is_what_was_read(kind: str) -> None:
    source = made(kind)
    (weights,) = weights_of(byhand.load_weights(source))
    for name, value in write(LAYOUTS[kind], weights).items():
        np.testing.assert_array_equal(value.numpy(), np.array(source[name]))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_dtype_is_kept(dtype: str) -> None:
    source = made("LSTM")
    source.set_dtype(getattr(mlx, dtype))
    layer = byhand.load_weights(source)
    assert str(layer.weight_hh_l0.dtype) == f"torch.{dtype}"
    np.testing.assert_array_equal(layer.weight_hh_l0.detach().float().numpy(), np.array(source.Wh.astype(mlx.float32)))


def test_activations_of_the_simple_layer() -> None:
    source = made("RNN")
    source.nonlinearity = nn.relu
    layer, x = byhand.load_weights(source), draw(BATCH, TIME, INPUT, kind="float32")
    close(run(layer, x)[0], np.array(source(mlx.array(x))))
    assert byhand.load_weights(nn.RNN(INPUT, HIDDEN, nonlinearity=mlx.tanh)).cell.name == "rnn"
    with pytest.raises(ValueError, match="expected the activation tanh or relu, got sigmoid"):
        byhand.load_weights(nn.RNN(INPUT, HIDDEN, nonlinearity=nn.sigmoid))


def test_a_layer_inside_a_model() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(2, 2)
            self.layers = [made("GRU"), made("LSTM")]

    model = Model()
    assert byhand.load_weights(model, prefix="layers.1").cell.name == "lstm"
    with pytest.raises(ValueError, match=r"the Model: got 2 recurrent layers, layers.0, layers.1: choose one"):
        byhand.load_weights(model)
    with pytest.raises(ValueError, match="the Linear: expected a recurrent layer that byhand can read, got none"):
        byhand.load_weights(nn.Linear(2, 2))


def test_layers_that_follow_each_other() -> None:
    below, above = made("GRU"), nn.GRU(HIDDEN, HIDDEN)
    layer, x = byhand.load_weights([below, above]), draw(BATCH, TIME, INPUT, kind="float32")
    assert layer.num_layers == 2 and layer.batch_first
    close(run(layer, x)[0], np.array(above(below(mlx.array(x)))))
    both = byhand.load_weights([below, made("GRU")], bidirectional=True)
    assert both.bidirectional and both.num_layers == 1
    with pytest.raises(ValueError, match="expected live layers in a list, and no prefix"):
        byhand.load_weights([below], prefix="rnn")
