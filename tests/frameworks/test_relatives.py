"""What is read from libraries that are built on torch computes what they compute."""

from typing import Any

import numpy as np
import pytest
import torch
from against import BATCH, HIDDEN, INPUT, TIME, close, draw, needs, one_or_all, run, states, step_by_step
from torch import nn

import byhand
from byhand.interop import other_layouts
from byhand.interop import xlstm as reader_of_xlstm
from byhand.interop.layouts import layout_named
from byhand.interop.stacks import weights_of
from byhand.interop.weights import write

pytestmark = pytest.mark.filterwarnings("ignore")  # the libraries' own, at their import
DTYPES = ["float32", "float64"]


@torch.no_grad()
def randomised(module: nn.Module, dtype: str = "float64") -> nn.Module:
    module.to(getattr(torch, dtype))
    for seed, parameter in enumerate(module.parameters()):
        parameter.copy_(torch.tensor(draw(*parameter.shape, seed=seed)))
    return module.eval()


def same(layer: byhand.LSTM, source: nn.Module, dtype: str) -> None:
    """Outputs and states of a layer that is called as torch's are."""
    x, first = draw(*((BATCH, TIME) if layer.batch_first else (TIME, BATCH)), INPUT, kind=dtype), states(layer)
    given = tuple(map(torch.tensor, first))
    with torch.no_grad():
        outputs, last = source(torch.tensor(x), one_or_all(given))
    ours, ours_last = run(layer, x, first)
    close(ours, outputs.numpy())
    for one, other in zip(ours_last, last if isinstance(last, tuple) else (last,), strict=True):
        close(one, other.numpy())


@pytest.mark.parametrize("dtype", DTYPES)
def test_ncps(dtype: str) -> None:
    ncps = needs("ncps.torch.lstm")
    cell = randomised(ncps.LSTMCell(INPUT, HIDDEN), dtype)
    layer = byhand.load_weights(cell)
    x, first = draw(TIME, BATCH, INPUT, kind=dtype), states(layer)

    def step(x: Any, *state: Any) -> Any:
        with torch.no_grad():
            return [one.numpy() for one in cell(torch.tensor(x), tuple(map(torch.tensor, state)))]

    outputs, last = step_by_step(step, x, [value[0] for value in first])
    ours, ours_last = run(layer, x, first)
    close(ours, outputs)
    close([value[0] for value in ours_last], last)
    (weights,) = weights_of(layer)
    for name, value in write(other_layouts.NCPS_LSTM, weights).items():
        assert torch.equal(value, cell.state_dict()[name])


def test_the_lstm_inside_a_cfc_is_not_taken_for_it() -> None:
    ncps = needs("ncps.torch")
    model = ncps.CfC(INPUT, HIDDEN, mixed_memory=True)
    with pytest.raises(ValueError, match=r"ncps.CfC cannot be carried over exactly: .* give model.lstm"):
        byhand.load_weights(model)
    assert byhand.load_weights(model.lstm).hidden_size == HIDDEN


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", DTYPES)
def test_torchrecurrent(dtype: str, bias: bool) -> None:
    library = needs("torchrecurrent")
    source = randomised(library.PeepholeLSTM(INPUT, HIDDEN, num_layers=2, batch_first=bias, bias=bias), dtype)
    layer = byhand.load_weights(nn.ModuleDict({"rnn": source, "head": nn.Linear(2, 2)}), prefix="rnn")
    assert layer.cell is byhand.cells.peephole and layer.batch_first is bias
    same(layer, source, dtype)
    for cell, weights in zip(source.cells, weights_of(layer), strict=True):
        for name, value in write(other_layouts.TORCHRECURRENT_PEEPHOLE, weights).items():
            assert torch.equal(value, getattr(cell, name))


def test_torchrecurrent_with_other_maths_is_refused() -> None:
    library = needs("torchrecurrent")
    with pytest.raises(ValueError, match="PeepholeLSTM alone"):
        byhand.load_weights(library.JANET(INPUT, HIDDEN))
    with pytest.raises(ValueError, match="expected tanh and sigmoid, got ReLU and Sigmoid"):
        byhand.load_weights(library.PeepholeLSTM(INPUT, HIDDEN, nonlinearity="relu"))


@pytest.mark.parametrize("options", [{}, {"bidirectional": True, "num_layers": 2}, {"bias": False, "batch_first": True}])
@pytest.mark.parametrize("kind", ["DPLSTM", "DPGRU", "DPRNN"])
def test_opacus(kind: str, options: dict) -> None:
    layers = needs("opacus.layers")
    source = randomised(getattr(layers, kind)(INPUT, HIDDEN, **options))
    model = nn.ModuleDict({"rnn": source})
    layer = byhand.load_weights(model)
    same(layer, source, "float64")
    mixed = byhand.LSTM(INPUT, HIDDEN, cell=layer.cell, dtype=torch.float64, **options)  # by name out of the doubled state_dict
    wanted = {
        name.removeprefix("rnn."): value
        for name, value in model.state_dict().items()
        if name.removeprefix("rnn.") in mixed.state_dict()
    }
    mixed.load_state_dict(wanted)
    assert all(torch.equal(one, other) for one, other in zip(mixed.parameters(), layer.parameters(), strict=True))


def test_neuralhydrology() -> None:
    custom = needs("neuralhydrology.modelzoo.customlstm")
    cell = randomised(custom._LSTMCell(INPUT, HIDDEN, initial_forget_bias=3.0))
    layer = byhand.load_weights(nn.ModuleDict({"cell": cell, "head": nn.Linear(2, 2)}))
    x, first = draw(TIME, BATCH, INPUT), states(layer)

    def step(x: Any, *state: Any) -> Any:
        with torch.no_grad():
            now = cell(torch.tensor(x), *map(torch.tensor, state))
        return now["h_n"].numpy(), now["c_n"].numpy()

    outputs, last = step_by_step(step, x, [value[0] for value in first])
    ours, ours_last = run(layer, x, first)
    close(ours, outputs)
    close([value[0] for value in ours_last], last)


def configuration(model: str):
    """Of a model of neuralhydrology with three dynamic inputs."""
    config = needs("neuralhydrology.utils.config")
    return config.Config(
        {
            "model": model,
            "hidden_size": HIDDEN,
            "dynamic_inputs": ["a", "b", "c"],
            "static_attributes": ["s"] if model == "ealstm" else [],
            "target_variables": ["y"],
            "head": "regression",
            "output_activation": "linear",
            "output_dropout": 0.0,
            "initial_forget_bias": 3,
            "predict_last_n": 1,
            "seq_length": TIME,
        },
        dev_mode=True,
    )


@pytest.mark.parametrize("name", ["CudaLSTM", "CustomLSTM"])
def test_models_of_neuralhydrology(name: str) -> None:
    modelzoo = needs(f"neuralhydrology.modelzoo.{name.lower()}")
    model = randomised(getattr(modelzoo, name)(configuration(name.lower())), "float32")
    layer = byhand.load_weights(model)
    x = draw(TIME, BATCH, INPUT, kind="float32")
    with torch.no_grad():
        found = model({"x_d": {key: torch.tensor(x[..., k : k + 1]).transpose(0, 1) for k, key in enumerate("abc")}})
    ours, (h, c) = run(layer, x)
    predicted = model.head(torch.tensor(ours).transpose(0, 1))["y_hat"].detach()
    close(predicted.numpy(), found["y_hat"].detach().numpy())
    for one, other in ((h, found["h_n"]), (c, found["c_n"])):
        close(one[0], other.detach().numpy()[:, -1])


def test_ealstm_is_refused() -> None:
    modelzoo = needs("neuralhydrology.modelzoo.ealstm")
    with pytest.raises(ValueError, match="its input gate is a function of static attributes"):
        byhand.load_weights(modelzoo.EALSTM(configuration("ealstm")))


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_torchrl(kind: str) -> None:
    modules = needs("torchrl.modules.tensordict_module.rnn")
    own = randomised(getattr(modules, kind)(INPUT, HIDDEN, num_layers=2, batch_first=True))
    same(byhand.load_weights(own), own, "float64")
    around = getattr(modules, f"{kind}Module")(input_size=INPUT, hidden_size=HIDDEN, in_key="x", out_key="y")
    layer = byhand.load_weights(around)
    assert torch.equal(layer.weight_hh_l0, getattr(around, kind.lower()).weight_hh_l0) and layer.batch_first


def test_sb3_contrib() -> None:
    gymnasium, contrib = needs("gymnasium"), needs("sb3_contrib")
    agent = contrib.RecurrentPPO("MlpLstmPolicy", gymnasium.make("CartPole-v1"), n_steps=8, batch_size=8)
    with pytest.raises(ValueError, match="got 2 recurrent layers, lstm_actor, lstm_critic: choose one"):
        byhand.load_weights(agent.policy)
    layer = byhand.load_weights(agent.policy, prefix="lstm_actor")
    x = torch.randn(TIME, BATCH, layer.input_size)
    with torch.no_grad():
        close(layer(x)[0].numpy(), agent.policy.lstm_actor(x)[0].numpy())


@pytest.mark.parametrize("heads", [1, 2])
@pytest.mark.parametrize("function", ["lstm", "slstm"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_xlstm(dtype: str, function: str, heads: int) -> None:
    library = needs("xlstm.blocks.slstm.cell")
    units = 4
    options = {
        "hidden_size": heads * units,
        "num_heads": heads,
        "function": function,
        "num_states": 2 if function == "lstm" else 4,
    }
    source = randomised(library.sLSTMCell(library.sLSTMCellConfig(**options, backend="vanilla", dtype="float32")), dtype)
    layer = byhand.load_weights(source)
    assert layer.batch_first and layer.cell.name == function and layer.input_size == 4 * heads * units
    x, first = draw(BATCH, TIME, layer.input_size, kind=dtype), states(layer) if function == "lstm" else None
    with torch.no_grad():
        outputs, last = source(torch.tensor(x), first and torch.tensor(np.stack(first))[:, 0])
    ours, ours_last = run(layer, x, first)
    close(ours, outputs.transpose(1, 2).flatten(2).numpy())
    for one, other in zip(ours_last, last, strict=True):
        close(one[0], other.numpy())
    (weights,) = weights_of(layer)
    written = write(reader_of_xlstm.FUNCTIONS[function], weights, heads=heads)
    assert torch.equal(written["R"], source._recurrent_kernel_) and torch.equal(written["b"].flatten(), source._bias_)


def test_the_two_backends_of_xlstm_keep_their_weights_in_two_ways() -> None:
    library = needs("xlstm.blocks.slstm.cell")
    options = {"hidden_size": 8, "num_heads": 2, "function": "lstm"}
    plain = randomised(library.sLSTMCell(library.sLSTMCellConfig(**options, backend="vanilla")), "float32")
    cuda = library.sLSTMCell(library.sLSTMCellConfig(**options, backend="cuda"), skip_backend_init=True)
    cuda.recurrent_kernel[:], cuda.bias[:] = plain.recurrent_kernel[:], plain.bias[:]
    assert cuda._recurrent_kernel_.shape != plain._recurrent_kernel_.shape
    for one, other in zip(byhand.load_weights(cuda).parameters(), byhand.load_weights(plain).parameters(), strict=True):
        assert torch.equal(one, other)
    cuda.config.forward_clipval = 1.0
    with pytest.raises(ValueError, match="expected no clipping"):
        byhand.load_weights(cuda)


@pytest.mark.parametrize("function", ["lstm", "gru"])
@pytest.mark.parametrize("heads", [1, 3])
@pytest.mark.parametrize("dtype", DTYPES)
def test_flashrnn(dtype: str, heads: int, function: str) -> None:
    flashrnn = needs("flashrnn").flashrnn
    gates, biases = (4, 4) if function == "lstm" else (3, 4)
    arrays = {
        "W": draw(gates * heads * HIDDEN, INPUT, kind=dtype),
        "R": draw(gates, heads, HIDDEN, HIDDEN, kind=dtype),
        "b": draw(biases, heads, HIDDEN, kind=dtype),
    }
    tensors = {name: torch.tensor(value) for name, value in arrays.items()}
    layout = layout_named(f"flashrnn.{function}")
    layer = byhand.load_weights(tensors, layout=layout, batch_first=True)
    x, first = draw(BATCH, TIME, INPUT, kind=dtype), states(layer)
    given = torch.tensor(np.stack(first)[:, 0]).unflatten(-1, (heads, HIDDEN))[:, :, None]
    products = (torch.tensor(x) @ tensors["W"].T).unflatten(-1, (gates, heads, HIDDEN))
    outputs, last = flashrnn(
        products, tensors["R"], tensors["b"], states=given, function=function, backend="vanilla", dtype=dtype
    )
    ours, ours_last = run(layer, x, first)
    close(ours, outputs[0].flatten(2).numpy())
    for one, other in zip(ours_last, last, strict=True):
        close(one[0], other[:, 0].flatten(1).numpy())
    written = write(layout, *weights_of(layer), heads=heads)
    assert all(torch.equal(written[name], value) for name, value in tensors.items())
    bare = byhand.load_weights({"R": tensors["R"], "b": tensors["b"]}, layout=layout.name, batch_first=True)
    close(run(bare, products.flatten(2).numpy(), first)[0], ours)
