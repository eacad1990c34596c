"""convert: every nn.LSTM inside a model becomes ours, the same object with the same parameters; and back."""

import copy
import pickle
import sys

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

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
    assert calls == ["before", "byhand.nn", "gradient"]


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


class Shouting(nn.LSTM):
    def forward(self, *arguments: torch.Tensor) -> tuple:  # type: ignore[override]
        y, state = super().forward(*arguments)
        return y * 10, state


def test_subclasses_with_code_of_their_own_are_left_and_named() -> None:
    model = nn.ModuleDict({"plain": nn.LSTM(3, 4), "loud": Shouting(3, 4)})
    report = convert(model)
    assert type(model["loud"]) is Shouting and type(model["plain"]) is byhand.LSTM
    assert report.left == {"loud": "Shouting is a subclass of nn.LSTM with code of its own"}
    assert "loud left as it is" in str(report)


def test_what_torch_has_not_stays_and_nothing_else_is_touched() -> None:
    model = nn.ModuleDict({"a": byhand.LSTM(3, 4), "b": byhand.LSTM(3, 4, cell=cells.peephole)})
    with pytest.raises(ValueError, match=r"convert\(back=True\) found b with cell=peephole, for which torch has no layer"):
        convert(model, back=True)
    assert type(model["a"]) is byhand.LSTM
    with pytest.raises(ValueError, match="learn_initial_state=True"):
        convert(byhand.LSTM(3, 4, learn_initial_state=True), back=True)


def test_a_difference_undoes_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Zoo()
    types = [type(module) for module in model.modules()]
    broken = cells.gru.step

    def step(x: tuple, u: tuple, s: tuple, p: tuple) -> tuple:
        (h,), sites = broken(x, u, s, p)
        return (h * 1.001,), sites | {"h": h * 1.001}

    wrong = cells.Cell("gru", cells.gru.gates, cells.gru.state, step)
    module = sys.modules["byhand.convert"]
    kinds = tuple((a, b, wrong if c == cells.gru else c, d) for a, b, c, d in module.KINDS)
    monkeypatch.setattr(module, "KINDS", kinds)
    before = run(model)
    with pytest.raises(RuntimeError, match="convert found that gru would compute something else"):
        convert(model)
    assert [type(module) for module in model.modules()] == types
    assert_close(run(model), before)


def test_reports_what_it_could_not_measure() -> None:
    report = convert(nn.LSTM(3, 4, device="meta"))
    assert report.modules[0].note == "on the meta device" and "on the meta device" in str(report)
    assert convert(nn.Linear(2, 2)).max_difference == 0


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
