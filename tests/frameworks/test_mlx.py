"""What is read from MLX computes what MLX computes."""

import numpy as np
import pytest
from against import BATCH, HIDDEN, INPUT, TIME, close, draw, run, states

import byhand
from byhand.interop import other_layouts
from byhand.interop.stacks import weights_of
from byhand.interop.weights import write

mlx = pytest.importorskip("mlx.core")
nn = pytest.importorskip("mlx.nn")
LAYOUTS = {"LSTM": other_layouts.MLX_LSTM, "GRU": other_layouts.MLX_GRU, "RNN": other_layouts.MLX_RNN}


def made(kind: str, *, bias: bool = True):
    """A layer with random arrays."""
    layer = getattr(nn, kind)(INPUT, HIDDEN, bias=bias)
    layer.update({name: mlx.array(draw(*value.shape, kind="float32", seed=k)) for k, (name, value) in enumerate(layer.parameters().items())})
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


def test_another_activation_is_refused() -> None:
    with pytest.raises(ValueError, match="expected the activation tanh, .* got relu"):
        byhand.load_weights(nn.RNN(INPUT, HIDDEN, nonlinearity=nn.relu))
    assert byhand.load_weights(nn.RNN(INPUT, HIDDEN, nonlinearity=mlx.tanh)).cell.name == "rnn"
    with pytest.raises(TypeError, match="expected LSTM, GRU, RNN of mlx, got mlx.nn.layers.linear.Linear"):
        byhand.load_weights(nn.Linear(2, 2))
