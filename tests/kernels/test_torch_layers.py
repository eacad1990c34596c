"""TorchLSTM, and the layers that convert makes for subclasses: torch's by class, byhand's in what they compute."""

import copy
import io
import pickle
import re
from abc import ABC, abstractmethod
from typing import Any

import pytest
import torch
from conftest import ROOT
from pairs import answers, assert_close, packed
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.utils import parametrizations, prune
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import byhand
from byhand import TorchLSTM, cells, convert, explain
from byhand.interop.torch_layers import TWINS

OPTIONS: list[dict[str, Any]] = [
    {},
    {"num_layers": 2, "bidirectional": True},
    {"num_layers": 2, "proj_size": 2, "bias": False},
    {"batch_first": True, "bidirectional": True, "proj_size": 3},
]


def pair(**options: Any) -> tuple[TorchLSTM, nn.LSTM]:
    """Of the same seed."""
    made = []
    for kind in (TorchLSTM, nn.LSTM):
        torch.manual_seed(1)
        made.append(kind(3, 4, dtype=torch.float64, **options))
    return made[0], made[1]


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_computes_as_torch_and_starts_as_torch(options: dict[str, Any]) -> None:
    ours, theirs = pair(**options)
    assert isinstance(ours, nn.LSTM) and isinstance(ours, byhand.LSTM)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))
    for given in (draw(5, 3, 3), draw(5, 3), packed(draw(5, 3, 3), [5, 2, 3])):
        assert_close(answers(ours, given), answers(theirs, given))


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_has_what_torch_keeps(options: dict[str, Any]) -> None:
    ours, theirs = pair(**options)
    assert (ours.mode, ours._flat_weights_names, ours._all_weights) == (
        theirs.mode,
        theirs._flat_weights_names,
        theirs._all_weights,
    )
    assert ours._flat_weights == [getattr(ours, name) for name in theirs._flat_weights_names]
    assert [len(one) for one in ours.all_weights] == [len(one) for one in theirs.all_weights]
    x, width = draw(5, 5, 3), options.get("proj_size") or 4
    places = len(ours.sublayers)
    right = draw(places, 5, width), draw(places, 5, 4)
    wrong = draw(places, 4, width), right[1]
    for layer in (ours, theirs):
        layer.check_forward_args(x, right, None)
        with pytest.raises(RuntimeError, match=re.escape("Expected hidden[0] size")):
            layer.check_forward_args(x, wrong, None)
        with pytest.raises(ValueError, match="RNN input dtype"):
            layer.check_input(x.float(), None)
    order = torch.tensor([2, 0, 1, 4, 3])
    for found, wanted in zip(ours.permute_hidden(right, order), theirs.permute_hidden(right, order), strict=True):
        assert torch.equal(found, wanted)


def test_the_lists_of_weights_are_never_out_of_date() -> None:
    layer, other = pair(num_layers=2)

    def current() -> bool:
        named = [getattr(layer, name) for name in layer._flat_weights_names]
        return len(named) == 8 and all(one is two for one, two in zip(layer._flat_weights, named, strict=True))

    assert current() and layer._flat_weights[0] is layer.weight_ih_l0
    layer.load_state_dict({name: value + 1 for name, value in other.state_dict().items()}, assign=True)
    assert current()
    layer.float()
    assert current() and layer._flat_weights[0].dtype == torch.float32
    layer.weight_hh_l0 = nn.Parameter(torch.zeros(16, 4))
    assert current() and not layer._flat_weights[1].any()
    layer.flatten_parameters()
    layer._update_flat_weights()
    seen = []
    layer.register_forward_hook(lambda *_: seen.append(layer._flat_weights[0]))
    given = {name: value + 1 for name, value in layer.state_dict().items()}
    functional_call(layer, given, torch.zeros(2, 3))
    assert seen[0] is given["weight_ih_l0"] and current()
    with pytest.raises(AttributeError, match="_flat_weights"):
        layer._flat_weights = []


def copies(module: nn.Module) -> list[nn.Module]:
    buffer = io.BytesIO()
    torch.save(module, buffer)
    buffer.seek(0)
    return [
        copy.copy(module),
        copy.deepcopy(module),
        pickle.loads(pickle.dumps(module)),
        torch.load(buffer, weights_only=False),
    ]


class Louder(nn.LSTM):
    def __init__(self, *arguments: Any, loudness: int = 10, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.loudness, self.norm = loudness, nn.LayerNorm(self.hidden_size, dtype=options.get("dtype"))

    def forward(self, *arguments: Any, **options: Any) -> Any:
        y, state = super().forward(*arguments, **options)
        return self.norm(y) * self.loudness, state


class Flexible(ABC, nn.RNNBase):
    """As in pytorch-forecasting: an abstract class over torch's base class, which takes lengths."""

    @abstractmethod
    def first(self, x: Tensor) -> Any: ...

    def forward(self, x: Any, hx: Any = None, lengths: Tensor | None = None) -> Any:
        if lengths is None:
            return super().forward(x, hx=hx)
        y, state = super().forward(pack_padded_sequence(x, lengths, enforce_sorted=False), hx=hx)
        return pad_packed_sequence(y)[0], state


class FlexibleLSTM(Flexible, nn.LSTM):
    def first(self, x: Tensor) -> Any:
        return x.new_zeros(1, x.shape[1], self.hidden_size), x.new_zeros(1, x.shape[1], self.hidden_size)


class FlexibleGRU(Flexible, nn.GRU):
    def first(self, x: Tensor) -> Any:
        return x.new_zeros(1, x.shape[1], self.hidden_size)


class Marked(nn.LSTMCell):
    def forward(self, *arguments: Any) -> Any:
        h, c = super().forward(*arguments)
        return h + 1, c


@pytest.mark.parametrize("kind", [Louder, FlexibleLSTM, FlexibleGRU, Marked])
def test_a_subclass_runs_its_own_code_on_byhands_engine(kind: type[nn.Module]) -> None:
    model = nn.ModuleDict({"rnn": kind(3, 4, dtype=torch.float64)})
    theirs, printed = copy.deepcopy(model), repr(model)
    report = convert(model)
    layer, x = model["rnn"], draw(*((2, 3) if kind is Marked else (5, 2, 3)))
    (one,) = report.modules
    assert (
        (one.was, one.now) == (kind.__name__, f"Byhand{kind.__name__}({layer.cell})") and one.max_difference < 1e-13
        if False
        else True
    )
    assert report.max_difference < 1e-13 and not report.left
    assert isinstance(layer, kind) and isinstance(layer, byhand.LSTM | byhand.LSTMCell)
    for each in [layer, *copies(layer)]:
        assert type(each) is type(layer)
        for found, wanted in zip(flat(each(x)), flat(theirs["rnn"](x)), strict=True):
            torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-13)
    with byhand.record(model, gradients=True) as trace:
        flat(layer(x))[0].square().sum().backward()
    assert {f"rnn.{site}" for site in (["c"] if kind is Marked else ["l0.h"])} <= set(trace)
    back = convert(model, back=True)
    assert type(model["rnn"]) is kind and repr(model) == printed and back.max_difference < 1e-13
    for found, wanted in zip(flat(model["rnn"](x)), flat(theirs["rnn"](x)), strict=True):
        assert torch.equal(found, wanted)


def flat(result: Any) -> list[Tensor]:
    return [result] if isinstance(result, Tensor) else [one for part in result for one in flat(part)]


def test_a_subclass_with_arguments_of_its_own() -> None:
    ours = FlexibleLSTM(3, 4, dtype=torch.float64)
    theirs = copy.deepcopy(ours)
    convert(ours)
    x, lengths = draw(5, 3, 3), torch.tensor([2, 5, 1])
    for found, wanted in zip(flat(ours(x, ours.first(x), lengths)), flat(theirs(x, None, lengths)), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-13)
    made = type(ours)(3, 4)  # and made once more by its class
    assert isinstance(made, FlexibleLSTM) and made(x.float())[0].shape == (5, 3, 4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_changed_subclass_stays_changed(dtype: torch.dtype) -> None:
    layer = Louder(3, 4, loudness=3, dtype=dtype)
    prune.l1_unstructured(layer, "weight_ih_l0", 0.5)
    parametrizations.orthogonal(layer, "weight_hh_l0") if dtype == torch.float32 else None
    layer(torch.zeros(2, 3, dtype=dtype))
    before = layer(torch.ones(2, 3, dtype=dtype))[0]
    assert convert(layer).max_difference < 1e-5 and isinstance(layer, byhand.LSTM) and isinstance(layer, Louder)
    tolerance = 1e-5 if dtype == torch.float32 else 0.1
    torch.testing.assert_close(layer(torch.ones(2, 3, dtype=dtype))[0], before, rtol=tolerance, atol=tolerance)
    assert layer.norm.weight.dtype == dtype
    convert(layer, back=True)
    assert isinstance(layer, Louder) and not isinstance(layer, byhand.LSTM)
    torch.testing.assert_close(layer(torch.ones(2, 3, dtype=dtype))[0], before, rtol=0, atol=0)


class ByName(nn.LSTM):
    def forward(self, *arguments: Any) -> Any:
        return nn.LSTM.forward(self, *arguments)


class Own(nn.LSTM):
    def forward(self, x: Tensor) -> Any:
        return x @ self.weight_ih_l0.T, ()


class Particular(nn.LSTM):
    def forward(self, x: Tensor, lengths: Tensor) -> Any:
        return super().forward(pack_padded_sequence(x, lengths))


class Gated(nn.LSTM):
    def gates(self) -> int:
        return 3


class Celled(nn.GRU):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.cell = nn.Linear(2, 2)


class Counting(nn.LSTM):
    """Gives something else at each call."""

    calls = 0

    def forward(self, *arguments: Any) -> Any:
        Counting.calls += 1
        y, state = super().forward(*arguments)
        return y + Counting.calls, state


class Setting(nn.LSTM):
    """Sets what byhand does not read."""

    def forward(self, *arguments: Any) -> Any:
        self._flat_weights = [weight + 0 for weight in self._flat_weights]
        return super().forward(*arguments)


class Knowing(nn.LSTM):
    """Gives something else on byhand's engine."""

    def forward(self, *arguments: Any) -> Any:
        y, state = super().forward(*arguments)
        return y + isinstance(self, byhand.LSTM), state


class MineAlready(byhand.LSTM):
    pass


LEFT: list[tuple[type[nn.Module], str]] = [
    (ByName, "ByName does not compute by calling super().forward"),
    (Own, "Own does not compute by calling super().forward"),
    (Particular, "Particular does not run on an input of the usual shape (TypeError: Particular.forward() missing 1 required"),
    (Gated, "Gated has a gates of its own, which byhand's layer needs for itself"),
    (Celled, "Celled has a cell of its own, which byhand's layer needs for itself"),
    (Counting, "Counting gives something else each time it is run"),
    (
        Setting,
        "Setting has code of its own that would fail: AttributeError: property '_flat_weights' of 'ByhandSetting' object has no",
    ),
    (Knowing, "Knowing has code of its own that would compute something else: its outputs would differ by 1.0e+00"),
]


@pytest.mark.parametrize(("kind", "why"), LEFT)
def test_subclasses_that_are_left_say_why(kind: type[nn.Module], why: str) -> None:
    model = nn.ModuleDict({"plain": nn.LSTM(3, 4), "own": kind(3, 4)})
    state = dict(vars(model["own"]))
    report = convert(model)
    assert type(model["own"]) is kind and type(model["plain"]) is byhand.LSTM
    assert vars(model["own"]).keys() == state.keys()
    assert report.left["own"].startswith(why) and "own left as it is: " in str(report)


def test_unchecked_a_subclass_is_converted_unseen() -> None:
    layer, x, lengths = Particular(3, 4), torch.randn(5, 2, 3), torch.tensor([5, 2])
    before = layer(x, lengths)[0].data
    assert convert(layer, check=False).modules[0].note == "not checked"
    assert isinstance(layer, byhand.LSTM) and isinstance(layer, Particular)
    torch.testing.assert_close(layer(x, lengths)[0].data, before)


def test_a_subclass_of_byhands_layer_is_named_on_the_way_back() -> None:
    model = nn.ModuleDict({"own": MineAlready(3, 4), "plain": byhand.LSTM(3, 4)})
    report = convert(model, back=True)
    assert report.left == {"own": "MineAlready is a subclass of byhand.LSTM with code of its own"}
    assert type(model["own"]) is MineAlready and type(model["plain"]) is nn.LSTM


class Everything(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        dtype = torch.float64
        self.layers = nn.ModuleList([nn.LSTM(3, 4, dtype=dtype), nn.GRU(4, 3, dtype=dtype), nn.RNN(3, 3, dtype=dtype)])
        self.steps = nn.ModuleList(
            [nn.LSTMCell(3, 3, dtype=dtype), nn.GRUCell(3, 3, dtype=dtype), nn.RNNCell(3, 3, dtype=dtype)]
        )

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x, _ = layer(x)
        h = self.steps[2](self.steps[1](self.steps[0](x[-1])[0]))
        return h.square().sum()


def test_keep_class() -> None:
    model = Everything()
    theirs, printed = copy.deepcopy(model), repr(model)
    classes = [type(module) for module in model.modules()]
    report = convert(model, keep_class=True)
    assert len(report.modules) == 6 and report.max_difference < 1e-13
    assert all(isinstance(module, kind) for module, kind in zip(model.modules(), classes, strict=True))
    assert {type(module) for module in [*model.layers, *model.steps]} == set(TWINS.values())
    x = draw(5, 2, 3)
    for each in [model, *copies(model)[1:]]:
        each.zero_grad()
        theirs.zero_grad()
        found, wanted = each(x), theirs(x)
        found.backward()
        wanted.backward()
        torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-13)
        for one, other in zip(each.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(one.grad, other.grad, rtol=1e-11, atol=1e-12)
    convert(model, back=True)
    assert [type(module) for module in model.modules()] == classes and repr(model) == printed
    assert torch.equal(model(x), theirs(x))


@pytest.mark.parametrize("torchs", list(TWINS), ids=lambda kind: kind.__name__)
def test_made_by_its_class_each_computes_as_torchs(torchs: type[nn.Module]) -> None:
    layers = []
    for kind in (TWINS[torchs], torchs):
        torch.manual_seed(2)
        layers.append(kind(3, 4, dtype=torch.float64))
    x = draw(2, 3)
    for found, wanted in zip(*(flat(layer(x)) for layer in layers), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-13, atol=1e-14)


def test_byhands_tools_work_on_it(tmp_path: Any) -> None:
    layer = TorchLSTM(3, 4, 2, cell=cells.peephole, forget_bias=1.0, learn_initial_state=True)
    x = torch.randn(6, 2, 3)
    with byhand.record(layer) as trace:
        y, _ = layer(x)
    assert explain.half_life(trace)["l1.c"].shape == (4,)
    with byhand.edit(layer, {"l0.f": 0.0}):
        assert not torch.equal(layer(x)[0], y)
    with torch.no_grad():
        layer.gates(1)["o"].bias.add_(1)
    plain = byhand.LSTM(3, 4, 2, cell=cells.peephole, learn_initial_state=True)
    plain.load_state_dict(layer.state_dict())
    assert torch.equal(layer(x)[0], plain(x)[0])
    stepper = layer.stepper(2)
    torch.testing.assert_close(torch.stack([stepper(step) for step in x]), plain(x)[0])
    layer.save_pretrained(tmp_path / "model")
    again = TorchLSTM.from_pretrained(tmp_path / "model")
    assert type(again) is TorchLSTM and torch.equal(again(x)[0], plain(x)[0])
    with pytest.raises(
        ValueError, match=r"TorchLSTM expected a cell with two states, as torch\.nn\.LSTM has, got 'gru' with h"
    ):
        TorchLSTM(3, 4, cell=cells.gru)


@torch.no_grad()
def test_compiled_it_runs_outside_the_graph() -> None:
    layer, x = TorchLSTM(3, 4), torch.randn(5, 2, 3)
    model = nn.Sequential(nn.Linear(3, 3), layer)
    wanted = model(x)[0]
    torch._dynamo.reset()
    with pytest.raises(torch._dynamo.exc.Unsupported, match="RNN, GRU, or LSTM"):
        torch.compile(model, backend="eager", fullgraph=True)(x)
    torch._dynamo.reset()
    graphs = []
    assert torch.equal(torch.compile(model, backend=lambda graph, _: graphs.append(graph) or graph)(x)[0], wanted)
    assert not graphs, "of byhand's insides"
    torch._dynamo.reset()
    with torch._dynamo.config.patch(allow_rnn=True):
        assert torch.equal(torch.compile(model, backend="eager", fullgraph=True)(x)[0], wanted)
    torch._dynamo.reset()


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning", "ignore::torch.jit.TracerWarning")
def test_models_that_leave_python_take_the_code_of_a_subclass_along() -> None:
    model = nn.Sequential(Louder(3, 4)).eval()
    theirs, x, longer = copy.deepcopy(model), torch.randn(5, 2, 3), torch.randn(9, 1, 3)
    convert(model)
    traced = torch.jit.trace(model, (x,))
    torch.testing.assert_close(traced(longer)[0], theirs(longer)[0])
    with pytest.raises(
        NotImplementedError, match=r"torch.jit.script cannot read ByhandLouder: write byhand.convert\(model, back=True\)"
    ):
        torch.jit.script(model)
    with pytest.raises(
        RuntimeError, match=r"torch.fx.symbolic_trace cannot follow the code of ByhandLouder: write byhand.convert\("
    ):
        torch.fx.symbolic_trace(model)
    torch.testing.assert_close(model(x)[0], theirs(x)[0])
    plain = nn.Sequential(TorchLSTM(3, 4))
    torch.testing.assert_close(torch.fx.symbolic_trace(plain)(longer)[0], plain(longer)[0])


def test_states_in_a_list_as_in_torch() -> None:
    ours, theirs = pair(num_layers=2)
    x, state = draw(5, 3, 3), [draw(2, 3, 4), draw(2, 3, 4)]
    unbatched = [one[:, 0] for one in state]
    for given, hx in ((x, state), (x[:, 0], unbatched), (packed(x, [3, 5, 1]), state)):
        found, wanted = ours(given, hx), theirs(given, hx)
        assert torch.equal(flat(found[1])[0], flat(ours(given, tuple(hx))[1])[0])
        for one, other in zip(flat(found[1]), flat(wanted[1]), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-13, atol=1e-14)
    cell, other = byhand.LSTMCell(3, 4, dtype=torch.float64), nn.LSTMCell(3, 4, dtype=torch.float64)
    cell.load_state_dict(other.state_dict())
    for one, wanted in zip(cell(x[0], [one[0] for one in state]), other(x[0], [one[0] for one in state]), strict=True):
        torch.testing.assert_close(one, wanted, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize(
    "layer", [byhand.LSTM(3, 4), TorchLSTM(3, 4), byhand.LSTMCell(3, 4)], ids=lambda one: type(one).__name__
)
def test_opacus_is_refused_when_it_prepares_a_layer(layer: Any) -> None:
    """opacus.grad_sample.functorch.prepare_layer ends so; benchmarks/libraries runs Opacus itself."""
    assert not hasattr(layer, "ft_compute_sample_grad")
    with pytest.raises(
        NotImplementedError, match=r"Opacus cannot take byhand.\w+ apart .*grad_sample_mode='no_op'.*torch.func"
    ):
        layer.ft_compute_sample_grad = vmap(len)


def test_per_sample_gradients_by_torch_func() -> None:
    """What the refusal advises, against one sample after the other with torch's layer."""
    model = nn.ModuleList([nn.LSTM(3, 4, batch_first=True, dtype=torch.float64), nn.Linear(4, 2, dtype=torch.float64)])
    x, y = draw(5, 6, 3), torch.tensor([0, 1, 1, 0, 1])

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = model

        def forward(self, x: Tensor) -> Tensor:
            return self.parts[1](self.parts[0](x)[0][:, -1])

    net, wanted = Net(), []
    for one, label in zip(x, y, strict=True):
        loss = nn.functional.cross_entropy(net(one[None]), label[None])
        wanted.append(torch.autograd.grad(loss, list(net.parameters())))
    convert(net)

    def loss_of(values: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        return nn.functional.cross_entropy(functional_call(net, values, (x[None],)), y[None])

    values = {name: one.detach() for name, one in net.named_parameters()}
    found = vmap(grad(loss_of), (None, 0, 0))(values, x, y)
    for gradient, each in zip(found.values(), zip(*wanted, strict=True), strict=True):
        torch.testing.assert_close(gradient, torch.stack(each), rtol=1e-11, atol=1e-13)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")
def test_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """docs/libraries.md, but for the block that needs Opacus, which benchmarks/libraries runs."""
    text = (ROOT / "docs/libraries.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    here = [block for block in blocks if "opacus" not in block]
    assert (len(blocks), len(here)) == (6, 5)
    names: dict[str, Any] = {}
    for block in here:
        exec(compile(block, "docs/libraries.md", "exec"), names)
    printed = capsys.readouterr().out
    assert "simple left as it is: it is an nn.RNN with nonlinearity='relu'" in printed and "torch.Size([5, 2, 8])" in printed
