"""What the layouts say besides the weights' order, as docs/rosetta.md prints it: versions, initial weights, padding, dropout."""

from importlib import metadata

import numpy as np
import pytest
import torch
from against import BATCH, INPUT, TIME, draw, needs

from byhand.interop import other_layouts

pytestmark = pytest.mark.filterwarnings("ignore")  # the libraries' own, at their import
PACKAGES = {
    "equinox": "equinox",
    "paddle": "paddlepaddle",
    "mlx": "mlx",
    "tinygrad": "tinygrad",
    "xlstm": "xlstm",
    "flashrnn": "flashrnn",
    "ncps": "ncps",
    "torchrecurrent": "torchrecurrent",
    "neuralhydrology": "neuralhydrology",
    "opacus": "opacus",
}
WIDE = 128  # units, for statistics of initial weights
EDGE = WIDE**-0.5


def uniform(values, edge: float = EDGE) -> None:
    """Within the edges and up to them, and spread as a uniform draw is."""
    values = np.asarray(values, dtype=np.float64)
    assert abs(values).max() <= edge * 1.0001 and abs(values).max() > 0.97 * edge
    assert abs(values.std() - edge / 3**0.5) < 0.06 * edge


def zero(values) -> None:
    assert not np.asarray(values).any()


@pytest.mark.parametrize("framework", PACKAGES)
def test_the_version_that_is_named_is_the_one_that_is_measured(framework: str) -> None:
    try:
        installed = metadata.version(PACKAGES[framework])
    except metadata.PackageNotFoundError:
        pytest.skip(f"{framework} is not installed: make libraries runs this test")
    assert {layout.version for layout in other_layouts.OTHERS if layout.framework == framework} == {installed}


def test_equinox() -> None:
    equinox, jax = needs("equinox"), needs("jax")
    for kind in ("LSTMCell", "GRUCell"):
        cell = getattr(equinox.nn, kind)(WIDE, WIDE, key=jax.random.key(0))
        for name in ("weight_ih", "weight_hh", "bias"):
            uniform(getattr(cell, name))
    x = jax.numpy.zeros((BATCH, WIDE))
    with pytest.raises((TypeError, ValueError)):  # one step of one sequence
        equinox.nn.LSTMCell(WIDE, WIDE, key=jax.random.key(0))(x, (x, x))


def test_paddle() -> None:
    paddle = needs("paddle")
    paddle.set_default_dtype("float32")
    paddle.seed(0)
    layer = paddle.nn.LSTM(WIDE, WIDE)
    for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
        uniform(getattr(layer, name).numpy())
    x = draw(BATCH, TIME, WIDE, kind="float32")
    lengths = paddle.to_tensor([TIME, 4])
    padded, (h, _) = layer(paddle.to_tensor(x), sequence_length=lengths)
    zero(padded.numpy()[1, 4:])
    np.testing.assert_allclose(h.numpy()[0, 1], padded.numpy()[1, 3], rtol=0, atol=1e-6)
    around, _ = paddle.nn.RNN(layer[0].cell)(paddle.to_tensor(x), sequence_length=lengths)
    assert abs(around.numpy()[1, 4:]).max() > 0.01
    np.testing.assert_allclose(around.numpy()[1, :4], padded.numpy()[1, :4], rtol=0, atol=1e-6)
    stack = paddle.nn.LSTM(4, WIDE, num_layers=2, dropout=0.5)
    stack.train()
    below, _ = paddle.nn.LSTM(4, WIDE)(paddle.zeros([1, TIME, 4]))
    assert below.shape == [1, TIME, WIDE] and stack.dropout == 0.5


def test_mlx() -> None:
    core, nn = needs("mlx.core"), needs("mlx.nn")
    core.random.seed(0)
    for kind in ("LSTM", "GRU"):
        for value in getattr(nn, kind)(WIDE, WIDE).parameters().values():
            uniform(np.array(value))
    layer = nn.LSTM(INPUT, WIDE)
    h, c = layer(core.array(draw(BATCH, TIME, INPUT, kind="float32")))
    assert h.shape == c.shape == (BATCH, TIME, WIDE)
    assert layer(core.array(draw(TIME, INPUT, kind="float32")))[0].shape == (TIME, WIDE)


def test_tinygrad() -> None:
    tinygrad = needs("tinygrad")
    tinygrad.Tensor.manual_seed(0)
    cell = tinygrad.nn.LSTMCell(16, 16)
    uniform(cell.weight_hh.numpy(), 0.25)
    zero(cell.bias_ih.numpy())
    zero(cell.bias_hh.numpy())


def test_xlstm() -> None:
    library = needs("xlstm.blocks.slstm.cell")
    options = {"hidden_size": 12, "num_heads": 2, "backend": "vanilla", "dtype": "float32"}
    for function, count in (("lstm", 2), ("slstm", 4)):
        cell = library.sLSTMCell(library.sLSTMCellConfig(**options, function=function, num_states=count))
        zero(cell._recurrent_kernel_.detach())
        bias = cell._bias_.detach().view(4, 2, 6)
        zero(bias[[0, 2, 3]])
        assert bias[1, :, 0].tolist() == [5, 5] and bias[1, :, -1].tolist() == [-7, -7]
        x = torch.randn(BATCH, TIME, 48)
        assert torch.equal(cell(x)[0], cell(x, lengths=torch.tensor([TIME, 2]))[0])
        assert len(cell(x)[1]) == count


def test_xlstm_s_layer_feeds_its_gates_the_other_way_round() -> None:
    slstm = needs("xlstm.blocks.slstm.layer")
    layer = slstm.sLSTMLayer(
        slstm.sLSTMLayerConfig(embedding_dim=8, num_heads=1, conv1d_kernel_size=0, backend="vanilla", dtype="float32")
    )
    seen = {}
    layer.slstm_cell.register_forward_pre_hook(lambda _, given: seen.update(x=given[0]))
    x = torch.randn(1, 1, 8)
    layer(x)
    assert torch.equal(seen["x"][..., :8], layer.fgate(x)) and torch.equal(seen["x"][..., 8:16], layer.igate(x))


def test_ncps() -> None:
    cell = needs("ncps.torch.lstm").LSTMCell(WIDE, WIDE)
    uniform(cell.input_map.bias.detach(), 0.1)
    kernel = cell.recurrent_map.weight.detach()
    torch.testing.assert_close(kernel.T @ kernel, torch.eye(WIDE), rtol=0, atol=1e-4)
    uniform(cell.input_map.weight.detach(), (6 / (5 * WIDE)) ** 0.5)  # Xavier: of all gates together
    assert cell.recurrent_map.bias is None


def test_torchrecurrent() -> None:
    cell = needs("torchrecurrent").PeepholeLSTM(WIDE, WIDE).cells[0]
    zero(cell.bias_ih.detach())
    zero(cell.bias_hh.detach())
    uniform(cell.weight_hh.detach(), (6 / (5 * WIDE)) ** 0.5)
    assert abs(cell.weight_ph.detach().std() - 1) < 0.15


def test_neuralhydrology() -> None:
    custom = needs("neuralhydrology.modelzoo.customlstm")
    cell = custom._LSTMCell(WIDE, WIDE, initial_forget_bias=3.0)
    uniform(cell.w_hh.detach(), 3**0.5 * EDGE)
    zero(cell.b_ih.detach())
    assert cell.b_hh.detach().view(4, WIDE).unique(dim=1)[:, 0].tolist() == [0, 3, 0, 0]


def test_opacus() -> None:
    layers = needs("opacus.layers")
    layer = layers.DPLSTM(WIDE, WIDE)
    for parameter in layer.parameters():
        uniform(parameter.detach())
    assert [name for name, _ in layer.named_parameters()] == ["weight_ih_l0", "bias_ih_l0", "weight_hh_l0", "bias_hh_l0"]
    names = list(torch.nn.ModuleDict({"rnn": layer}).state_dict())
    assert len(names) == 8 and "rnn.l0.ih.weight" in names and "rnn.weight_ih_l0" in names
