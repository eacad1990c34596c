"""convert: every nn.LSTM inside a model becomes ours, the same object with the same parameters; and back."""

import copy
import math
import pickle
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune, spectral_norm, weight_norm
from torch.nn.utils.rnn import pack_padded_sequence
from torch.utils._python_dispatch import TorchDispatchMode

import byhand
from byhand import cells, convert


class Zoo(nn.Module):
    """One of each, nested, one of them under two names."""

    def __init__(self, dtype: torch.dtype = torch.float64) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(3, 3, dtype=dtype), nn.LSTM(3, 4, 2, bidirectional=True, dtype=dtype))
        self.again = self.encoder[1]
        self.gru = nn.GRU(8, 5, batch_first=True, dtype=dtype)
        self.steps = nn.ModuleList([nn.LSTMCell(5, 3, dtype=dtype), nn.GRUCell(3, 2, bias=False, dtype=dtype)])
        self.projected = nn.LSTM(2, 4, proj_size=2, bias=False, dtype=dtype)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y, _ = self.encoder(x)
        y, _ = self.gru(y.transpose(0, 1))
        h, _ = self.steps[0](y[:, -1])
        return self.projected(self.steps[1](h).unsqueeze(0))[0]


def run(model: nn.Module) -> dict[str, torch.Tensor]:
    model.zero_grad()
    output = model(torch.linspace(-1, 1, 30, dtype=torch.float64).view(5, 2, 3))
    output.square().sum().backward()
    return {"output": output.detach()} | {name: parameter.grad.clone() for name, parameter in model.named_parameters()}


def assert_close(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        torch.testing.assert_close(value, other[name], rtol=1e-12, atol=1e-12, msg=lambda text, n=name: f"{n}: {text}")


def test_there_and_back() -> None:
    model = Zoo()
    before, printed, kept = run(model), repr(model), {id(module) for module in model.modules()}
    parameters = [id(parameter) for parameter in model.parameters()]
    report = convert(model)
    assert {one.path for one in report.modules} == {"encoder.1", "gru", "steps.0", "steps.1", "projected"}
    assert report.max_difference < 1e-14 and not report.left
    assert {one.was for one in report.modules} == {"nn.LSTM", "nn.GRU", "nn.LSTMCell", "nn.GRUCell"}
    assert [one.parameters for one in report.modules if one.path == "projected"] == [4 * 4 * (2 + 2) + 2 * 4]
    assert isinstance(model.encoder[1], byhand.LSTM) and model.again is model.encoder[1]
    assert isinstance(model.gru, byhand.LSTM) and model.gru.cell == cells.gru and isinstance(model.steps[1], byhand.LSTMCell)
    assert not any(isinstance(module, nn.RNNBase | nn.RNNCellBase) for module in model.modules())
    assert_close(run(model), before)
    assert {id(module) for module in model.modules()} == kept
    assert [id(parameter) for parameter in model.parameters()] == parameters
    for again in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert_close(run(again), before)
    back = convert(model, back=True)
    assert back.max_difference < 1e-14
    assert repr(model) == printed
    assert_close(run(model), before)
    for again in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert_close(run(again), before)


def test_the_root_itself_and_ours_from_birth() -> None:
    layer = nn.LSTM(3, 4)
    assert [one.path for one in convert(layer).modules] == [""]
    assert type(layer) is byhand.LSTM
    born = byhand.LSTM(3, 4, 2, bidirectional=True, proj_size=2, batch_first=True, forget_bias=1.0)
    x = torch.randn(2, 5, 3)
    before = born(x)[0]
    convert(born, back=True)
    assert type(born) is nn.LSTM and born.all_weights[3][4].shape == (2, 4)
    torch.testing.assert_close(born(x)[0], before)
    torch.testing.assert_close(born.double()(x.double())[0].float(), before)


def test_an_optimiser_goes_on() -> None:
    models = []
    for converted in (False, True):
        torch.manual_seed(2)
        model = Zoo()
        optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
        for step in range(6):
            if converted and step == 3:
                convert(model)
            run(model)
            optimiser.step()
        models.append(model)
    for (name, one), other in zip(models[0].named_parameters(), models[1].parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10, msg=lambda text, n=name: f"{n}: {text}")


def test_hooks_survive_and_are_silent_while_it_measures() -> None:
    model = nn.ModuleDict({"rnn": nn.LSTM(3, 4)})
    calls = []
    model["rnn"].register_forward_hook(lambda module, *_: calls.append(type(module).__module__))
    model["rnn"].register_forward_pre_hook(lambda *_: calls.append("before"))
    model["rnn"].weight_ih_l0.register_hook(lambda _: calls.append("gradient"))
    convert(model)
    calls.clear()
    model["rnn"](torch.randn(5, 2, 3))[0].sum().backward()
    assert calls == ["before", "byhand.nn.lstm", "gradient"]


def test_measuring_leaves_no_mark() -> None:
    model = Zoo().train()
    model.encoder[0].eval()
    run(model)
    grads = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    state = torch.get_rng_state()
    convert(model)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(parameter.grad, grads[name]) for name, parameter in model.named_parameters())
    assert model.gru.training and not model.encoder[0].training


def test_tied_and_frozen_and_parametrised_weights() -> None:
    model = nn.ModuleList([nn.LSTM(4, 4), nn.LSTM(4, 4), nn.LSTM(4, 4)])
    model[1].weight_hh_l0 = model[0].weight_hh_l0
    model[0].weight_ih_l0.requires_grad_(False)
    parametrizations.weight_norm(model[2], "weight_hh_l0")
    x = torch.randn(5, 2, 4)
    before = [layer(x)[0] for layer in model]
    convert(model)
    assert model[1].weight_hh_l0 is model[0].weight_hh_l0 and not model[0].weight_ih_l0.requires_grad
    assert "weight_hh_l0" in model[2].parametrizations and isinstance(model[2], byhand.LSTM)
    for layer, expected in zip(model, before, strict=True):
        torch.testing.assert_close(layer(x)[0], expected)
    convert(model, back=True)
    for layer, expected in zip(model, before, strict=True):
        torch.testing.assert_close(layer(x)[0], expected)


def test_what_torch_has_not_stays_and_nothing_else_is_touched() -> None:
    model = nn.ModuleDict({"a": byhand.LSTM(3, 4), "b": byhand.LSTM(3, 4, cell=cells.peephole)})
    with pytest.raises(ValueError, match=r"convert\(back=True\) found b with cell=peephole, for which torch has no layer"):
        convert(model, back=True)
    assert type(model["a"]) is byhand.LSTM
    with pytest.raises(ValueError, match="learn_initial_state=True"):
        convert(byhand.LSTM(3, 4, learn_initial_state=True), back=True)


@pytest.fixture
def wrong_gru(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GRU that is a thousandth off."""
    right = cells.gru.step

    def step(x: tuple, u: tuple, s: tuple, p: tuple) -> tuple:
        (h,), sites = right(x, u, s, p)
        return (h * 1.001,), sites | {"h": h * 1.001}

    wrong = cells.Cell("gru", cells.gru.gates, cells.gru.state, step)
    module = sys.modules["byhand.interop.swaps"]
    monkeypatch.setattr(
        module, "KINDS", tuple(one._replace(cell=wrong) if one.cell == cells.gru else one for one in module.KINDS)
    )


@pytest.mark.usefixtures("wrong_gru")
def test_a_difference_undoes_everything() -> None:
    model = Zoo()
    types = [type(module) for module in model.modules()]
    before = run(model)
    with pytest.raises(RuntimeError, match="convert found that gru would compute something else: its outputs would differ by"):
        convert(model)
    assert [type(module) for module in model.modules()] == types
    assert_close(run(model), before)


def filled(layer: nn.Module, value: float) -> nn.Module:
    """With one weight of that value, or, if it is finite, with random ones of that size."""
    with torch.no_grad():
        for weight in layer.parameters():
            weight.copy_(torch.randn(weight.shape) * value) if math.isfinite(value) else weight.view(-1)[0].fill_(value)
    return layer


EXTREMES = [math.nan, math.inf, 300.0, 1e4, 1e37]


@pytest.mark.parametrize("value", EXTREMES)
def test_weights_that_are_not_finite_or_very_large(value: float) -> None:
    for kind in (nn.LSTM, nn.GRU, nn.RNN, nn.LSTMCell):
        torch.manual_seed(1)
        model = nn.ModuleList([filled(kind(3, 128), value)])
        theirs, kept = copy.deepcopy(model), [weight.clone() for weight in model.parameters()]
        report = convert(model)
        assert report.modules[0].note == "measured with its weights scaled down" and 0 < report.max_difference < 1e-4
        assert all(torch.equal(a.nan_to_num(), b.nan_to_num()) for a, b in zip(model.parameters(), kept, strict=True))
        if not math.isfinite(value):
            x = torch.randn(2, 3)
            found, wanted = (flat(each[0](x)) for each in (model, theirs))
            assert any(one.isnan().any() for one in wanted)
            for one, other in zip(found, wanted, strict=True):
                torch.testing.assert_close(one, other, equal_nan=True)


def flat(result: torch.Tensor | tuple) -> list[torch.Tensor]:
    return [result] if isinstance(result, torch.Tensor) else [one for part in result for one in flat(part)]


@pytest.mark.usefixtures("wrong_gru")
@pytest.mark.parametrize(
    "layer",
    [lambda value=value: filled(nn.GRU(3, 128), value) for value in EXTREMES]
    + [
        lambda: nn.GRU(3, 8, dtype=torch.bfloat16),
        lambda: nn.GRU(3, 8, dtype=torch.float16),
        lambda: parametrizations.weight_norm(nn.GRU(3, 8), "weight_hh_l0"),
    ],
)
def test_a_difference_is_seen_with_any_weights(layer: Callable[[], nn.Module]) -> None:
    with pytest.raises(RuntimeError, match="would compute something else"):
        convert(layer())


CHANGES: dict[str, Callable[[nn.Module, str], object]] = {
    "pruned": lambda layer, name: prune.l1_unstructured(layer, name, 0.5),
    "weight_norm": weight_norm,
    "spectral_norm": spectral_norm,
    "parametrised weight_norm": parametrizations.weight_norm,
    "parametrised spectral_norm": parametrizations.spectral_norm,
    "parametrised orthogonal": parametrizations.orthogonal,
}


def stepped(layer: nn.Module) -> list[torch.Tensor]:
    """What it gives in three steps of training, and is after them. cached: nn.LSTM reads a parametrised weight four times a call."""
    optimiser, given = torch.optim.SGD(layer.parameters(), 0.1), []
    x = torch.linspace(-1, 1, 30, dtype=torch.float64).view(5, 2, 3)
    for _ in range(3):
        with parametrize.cached():
            y, _ = layer(x)
        given.append(y.detach())
        optimiser.zero_grad()
        y.square().sum().backward()
        optimiser.step()
    return [*given, *(value.clone() for value in layer.state_dict().values())]


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated:FutureWarning")
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("change", CHANGES)
def test_pruned_and_parametrised_layers_go_on_as_they_were(change: str, training: bool) -> None:
    layers = []
    for _ in range(2):
        torch.manual_seed(3)
        layer = nn.LSTM(3, 4, dtype=torch.float64)
        CHANGES[change](layer, "weight_hh_l0")
        layer(torch.zeros(1, 3, dtype=torch.float64))[0].sum().backward()  # its weights stand in a graph that has been freed
        layers.append(layer.train(training))
    theirs, ours = layers
    for back in (False, True):
        kept = {name: value.clone() for name, value in ours.state_dict().items()}
        assert 0 <= convert(ours, back=back).max_difference < 1e-13
        assert isinstance(ours, nn.LSTM) is back and isinstance(ours, byhand.LSTM) is not back
        assert ours.state_dict().keys() == kept.keys()
        assert all(torch.equal(value, kept[name]) for name, value in ours.state_dict().items()), "nothing was to move"
        for found, wanted in zip(stepped(ours), stepped(theirs), strict=True):
            torch.testing.assert_close(found, wanted, rtol=1e-11, atol=1e-12)


class Quiet(TorchDispatchMode):
    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        return function(*arguments, **(options or {}))


MODES: dict[str, Callable[[], AbstractContextManager]] = {
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "inference": torch.inference_mode,
    "no gradients": torch.no_grad,
    "on meta": lambda: torch.device("meta"),
    "anomalies": torch.autograd.detect_anomaly,
    "saved on cpu": torch.autograd.graph.save_on_cpu,
    "dispatched": Quiet,
}


@pytest.mark.filterwarnings("ignore:Anomaly Detection has been enabled")
@pytest.mark.parametrize("mode", MODES)
def test_the_callers_modes_change_nothing(mode: str) -> None:
    torch.manual_seed(4)
    model, other = Zoo(torch.float32), Zoo(torch.float32)
    other.load_state_dict(model.state_dict())
    wanted = convert(other)
    with MODES[mode]():
        found = convert(model)
    assert found == wanted and found.max_difference < 1e-5


def test_a_layer_made_in_inference_mode() -> None:
    with torch.inference_mode():
        layer = nn.LSTM(3, 4)
        assert convert(layer).max_difference < 1e-6
        assert type(layer) is byhand.LSTM and convert(layer, back=True).max_difference < 1e-6


def test_a_layer_whose_weights_are_plain_tensors() -> None:
    layer = nn.LSTM(3, 4)
    for name, value in list(layer.named_parameters()):
        delattr(layer, name)
        setattr(layer, name, value.detach() * 2)
    before = layer(torch.ones(5, 3))[0]
    (one,) = convert(layer).modules
    assert (one.dtype, one.parameters) == (torch.float32, 0) and max(one.forward, one.backward) < 1e-5
    torch.testing.assert_close(layer(torch.ones(5, 3))[0], before)


def test_simple_recurrent_networks() -> None:
    model = nn.ModuleList(
        [nn.RNN(3, 4, 2, bidirectional=True, dtype=torch.float64), nn.RNNCell(3, 4, bias=False, dtype=torch.float64)]
    )
    theirs, printed = copy.deepcopy(model), repr(model)
    report = convert(model)
    assert [(one.was, one.now) for one in report.modules] == [("nn.RNN", "LSTM(rnn)"), ("nn.RNNCell", "LSTMCell(rnn)")]
    assert report.max_difference < 1e-14 and not report.left
    x, h = torch.randn(5, 3, 3, dtype=torch.float64), torch.randn(4, 3, 4, dtype=torch.float64)
    packed = pack_padded_sequence(x, torch.tensor([2, 5, 3]), enforce_sorted=False)
    for arguments in ((x,), (x, h), (packed, h)):
        answers = [each[0](*arguments) for each in (model, theirs)]
        for found, wanted in zip(
            *([one[0] if isinstance(one[0], torch.Tensor) else one[0].data, one[1]] for one in answers), strict=True
        ):
            torch.testing.assert_close(found, wanted, rtol=1e-13, atol=1e-14)
    torch.testing.assert_close(model[1](x[0], h[0]), theirs[1](x[0], h[0]), rtol=1e-13, atol=1e-14)
    convert(model, back=True)
    assert repr(model) == printed and model[0].nonlinearity == model[1].nonlinearity == "tanh" and model[0].mode == "RNN_TANH"
    torch.testing.assert_close(model[0](x)[0], theirs[0](x)[0], rtol=0, atol=0)


class OwnRNN(nn.RNNBase):
    """Like torchrl's LSTM: torch's base class, another's forward."""

    def __init__(self) -> None:
        super().__init__("LSTM", 3, 4)


class CharRNN(nn.Module):
    def __init__(self, rnn: nn.Module) -> None:
        super().__init__()
        self.rnn = rnn

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.rnn(x)[0]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")
def test_what_cannot_be_converted_is_named() -> None:
    model = nn.ModuleDict(
        {
            "scripted": torch.jit.script(CharRNN(nn.LSTM(3, 4))),
            "quantised": torch.ao.quantization.quantize_dynamic(CharRNN(nn.LSTM(3, 4)), {nn.LSTM}),
            "relu": nn.ModuleList([nn.RNN(3, 4, nonlinearity="relu"), nn.RNNCell(3, 4, nonlinearity="relu")]),
            "foreign": OwnRNN(),
            "fine": CharRNN(nn.GRU(3, 4)),
        }
    )
    report = convert(model)
    assert [one.path for one in report.modules] == ["fine.rnn"]
    assert {path: why.partition("(")[0].strip() for path, why in report.left.items()} == {
        "scripted.rnn": "it is TorchScript: convert the model before it is scripted or traced",
        "quantised.rnn": "it is quantised",
        "relu.0": "it is an nn.RNN with nonlinearity='relu', for which byhand has no cell",
        "relu.1": "it is an nn.RNNCell with nonlinearity='relu', for which byhand has no cell",
        "foreign": "test_convert.OwnRNN is none of torch.nn's layers, nor a subclass of one",
    }
    assert all(f"{path} left as it is: {why}" in str(report) for path, why in report.left.items())
    assert str(convert(nn.Linear(2, 2))) == "no recurrent layer of torch.nn to convert"


def test_without_a_check_nothing_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("byhand.interop.probing.measure", lambda *_: pytest.fail("it was run"))
    model = nn.ModuleList([nn.LSTM(3, 4), nn.GRUCell(3, 4)])
    report = convert(model, check=False)
    assert [(type(each), one.note) for each, one in zip(model, report.modules, strict=True)] == [
        (byhand.LSTM, "not checked"),
        (byhand.LSTMCell, "not checked"),
    ]
    assert math.isnan(report.max_difference)


def test_reports_what_it_could_not_measure() -> None:
    report = convert(nn.LSTM(3, 4, device="meta"))
    assert report.modules[0].note == "on the meta device" and "on the meta device" in str(report)
    assert math.isnan(report.max_difference)
    mixed = convert(nn.ModuleList([nn.LSTM(3, 4, device="meta"), nn.LSTM(3, 4)]))
    assert 0 < mixed.max_difference < 1e-5
    assert convert(nn.Linear(2, 2)).max_difference == 0
    with pytest.raises(ValueError, match="expected back=True or keep_class=True, got both"):
        convert(nn.LSTM(3, 4), back=True, keep_class=True)


@pytest.mark.parametrize(("dtype", "limit"), [(torch.float32, 1e-5), (torch.bfloat16, 0.3), (torch.float64, 1e-13)])
def test_every_dtype(dtype: torch.dtype, limit: float) -> None:
    report = convert(Zoo(dtype))
    assert report.max_difference < limit and {one.dtype for one in report.modules} == {dtype}


def test_a_converted_model_can_be_recorded() -> None:
    model = Zoo()
    with (
        pytest.raises(ValueError, match=r"record found no byhand.LSTM inside Zoo; it holds torch's own \(encoder.1, gru, "),
        byhand.record(model),
    ):
        pass
    convert(model)
    with byhand.record(model) as trace:
        run(model)
    assert trace["encoder.1.l0.reverse.f"].shape == (5, 2, 4) and trace["gru.l0.z"].shape == (5, 2, 5)


def test_the_check_runs_on_the_engine_that_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though it runs in a thread of its own."""
    from byhand.engine.cpp.kernel import Kernel  # noqa: PLC0415

    def never(*_: object, **__: object) -> None:
        raise AssertionError("the C++ engine was not asked for")

    for name in ("call", "forward", "run_backward"):
        monkeypatch.setattr(Kernel, name, never)
    with byhand.use_engine("reference"):
        report = convert(nn.Sequential(nn.LSTM(3, 4)))
    assert [one.path for one in report.modules] == ["0"]
    with byhand.use_engine("triton"), pytest.raises(RuntimeError, match="engine 'triton' was asked for and cannot run this"):
        convert(nn.LSTM(3, 4))
    with pytest.raises(RuntimeError, match="the C\\+\\+ engine was not asked for"):
        convert(nn.LSTM(3, 4))
