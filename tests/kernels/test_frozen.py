"""byhand.frozen: weights packed once, in float32, bfloat16 and int8."""

import copy
import io
import itertools
import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, fx, nn
from torch.nn.utils import prune
from torch.nn.utils.parametrizations import spectral_norm, weight_norm
from torch.nn.utils.rnn import PackedSequence, pack_sequence

import byhand
from byhand import LSTM, LSTMCell, cells, use_engine
from byhand.benchmarks import compilers
from byhand.benchmarks.contenders import Given
from byhand.cells import Cell
from byhand.engine.cpp import engine as cpp
from byhand.engine.cpp.toolchain import compiler
from byhand.engine.frozen import WEIGHTS
from byhand.nn.frozen_layers import FrozenLSTM
from byhand.nn.reverse import ReverseLSTM

LOW = ("bfloat16", "int8")
CELLS = [cells.lstm, cells.gru, cells.peephole, cells.min_lstm, cells.slstm, cells.no_input_gate(cells.lstm)]
LAYERS: dict[str, dict[str, Any]] = {
    "plain": {},
    "two both ways": {"num_layers": 2, "bidirectional": True},
    "batch first": {"batch_first": True},
    "no bias": {"bias": False},
    "learnt first states": {"learn_initial_state": True},
}
SIZES = [(7, 2, 3, 5), (5, 1, 17, 70), (3, 9, 33, 40), (200, 3, 6, 21), (4, 40, 64, 64)]  # time, batch, input, hidden


def leaves(made: Any) -> list[Tensor]:
    if isinstance(made, PackedSequence):
        return [made.data]
    return [made] if isinstance(made, Tensor) else [one for part in made for one in leaves(part)]


def learnt(layer: nn.Module) -> nn.Module:
    """With first states that are not zeros."""
    for name, value in layer.named_parameters():
        if name.startswith("initial_"):
            nn.init.normal_(value)
    return layer.eval()


def assert_as_specified(frozen: nn.Module, *given: Any) -> None:
    """The packed weights give what the reference engine's loop gives. A rounding may move an integer by one: that is seen in few places."""
    with use_engine("reference"):
        expected = leaves(frozen(*given))
    found = leaves(frozen(*given))
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        apart = (one - other).abs()
        assert apart.max() <= 1e-2 and apart.median() <= 3e-6, f"{apart.max():.1e}, half of them {apart.median():.1e}"


@pytest.mark.parametrize("weights", LOW)
@pytest.mark.parametrize("options", LAYERS.values(), ids=LAYERS)
@pytest.mark.parametrize("cell", CELLS, ids=repr)
def test_packed_weights_give_what_is_specified(cell: Cell, options: dict[str, Any], weights: str) -> None:
    for time, batch, width, hidden in SIZES:
        frozen = byhand.frozen(learnt(LSTM(width, hidden, cell=cell, **options)), weights)
        shape = (batch, time) if options.get("batch_first") else (time, batch)
        assert_as_specified(frozen, torch.randn(*shape, width))
        assert_as_specified(frozen, torch.randn(time, width))
        assert_as_specified(
            frozen, pack_sequence([torch.randn(1 + k % time, width) for k in range(batch)], enforce_sorted=False)
        )


@pytest.mark.parametrize("weights", LOW)
@pytest.mark.parametrize("cell", [cells.lstm, cells.peephole], ids=repr)
def test_projections_and_given_states(cell: Cell, weights: str) -> None:
    frozen = byhand.frozen(LSTM(6, 35, 2, proj_size=19, bidirectional=True, cell=cell), weights)
    assert_as_specified(frozen, torch.randn(9, 4, 6), (torch.randn(4, 4, 19), torch.randn(4, 4, 35)))


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize(
    "cell", [cells.layernorm_lstm, cells.lstm_1997, cells.zoneout(cells.lstm), cells.gru_reset_before], ids=repr
)
def test_cells_that_no_engine_packs_for(cell: Cell, weights: str) -> None:
    layer = LSTM(5, 9, cell=cell).eval()
    frozen, x = byhand.frozen(layer, weights), torch.randn(7, 3, 5)
    assert_as_specified(frozen, x)
    torch.testing.assert_close(frozen(x)[0], layer(x)[0].detach(), rtol=0, atol=0.3 if weights in LOW else 1e-6)


@pytest.mark.parametrize("weights", WEIGHTS)
def test_a_layer_that_reads_from_the_end(weights: str) -> None:
    layer, x = ReverseLSTM(5, 9), torch.randn(7, 3, 5)
    frozen = byhand.frozen(layer, weights)
    assert_as_specified(frozen, x)
    torch.testing.assert_close(frozen(x)[0], layer(x)[0].detach(), rtol=0, atol=0.02 if weights in LOW else 0)
    assert not torch.allclose(frozen(x.flip(0))[0], frozen(x)[0])


@pytest.mark.parametrize("options", LAYERS.values(), ids=LAYERS)
def test_float32_is_the_layer(options: dict[str, Any]) -> None:
    layer = learnt(LSTM(9, 33, **options))
    frozen, x = byhand.frozen(layer), torch.randn(12, 5, 9)
    for one, other in zip(leaves(frozen(x)), leaves(layer(x)), strict=True):
        assert torch.equal(one, other)
    assert frozen.difference == 0.0


def test_int8_is_what_it_says() -> None:
    """Against integers and scales worked out with numpy."""
    layer = LSTM(7, 11, bias=False)
    x = torch.randn(1, 2, 7)

    def quantised(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        scale = np.abs(rows).max(-1, keepdims=True) / 127
        return np.rint(rows / scale), scale

    integers, scale = quantised(layer.weight_ih_l0.detach().double().numpy())
    of_x, by_row = quantised(x[0].double().numpy())
    i, _, g, o = np.split(of_x @ integers.T * (by_row * scale.T), 4, -1)
    expected = np.tanh(np.tanh(g) / (1 + np.exp(-i))) / (1 + np.exp(-o))
    np.testing.assert_allclose(byhand.frozen(layer, "int8")(x)[0][0].numpy(), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize(("batch", "hidden"), [(4, 48), (1, 200), (40, 64)])
def test_causal_and_apart(batch: int, hidden: int, weights: str) -> None:
    """A later step, another sequence, or the filler behind a sequence's end change nothing."""
    frozen, x = byhand.frozen(LSTM(20, hidden), weights), torch.randn(30, batch, 20)
    before = frozen(x)[0]
    later = x.clone()
    later[20:] *= 50
    assert torch.equal(frozen(later)[0][:20], before[:20])
    if batch > 1:
        other = x.clone()
        other[:, -1] *= 50
        assert torch.equal(frozen(other)[0][:, :-1], before[:, :-1])
        packed = pack_sequence([x[: 30 - k, k] for k in range(4)])
        alone = frozen(pack_sequence([x[:28, 2]]))[0].data
        together = nn.utils.rnn.pad_packed_sequence(frozen(packed)[0])[0]
        torch.testing.assert_close(together[:28, 2], alone, rtol=0, atol=1e-6)


@pytest.mark.parametrize("weights", LOW)
def test_a_counter_counts_to_six_hundred(weights: str) -> None:
    """The cell state adds 1 at each step: in bfloat16 it would stop at 256."""
    layer = LSTM(1, 1)
    with torch.no_grad():
        for name, value in layer.named_parameters():
            value.zero_()
            if name == "bias_ih_l0":
                value.copy_(torch.tensor([50.0, 50.0, 50.0, -50.0]))
    _, (_, c) = byhand.frozen(layer, weights)(torch.zeros(600, 1, 1))
    assert c.item() == 600


@pytest.mark.parametrize("weights", WEIGHTS)
def test_threads_and_reruns_change_no_bit(weights: str) -> None:
    frozen, x = byhand.frozen(LSTM(64, 256), weights), torch.randn(20, 8, 64)
    most, made = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3, 3):
            torch.set_num_threads(threads)
            made.append(frozen(x)[0])
    finally:
        torch.set_num_threads(most)
    assert all(torch.equal(one, made[0]) for one in made)


@pytest.mark.parametrize("value", [torch.inf, -torch.inf, torch.nan])
@pytest.mark.parametrize("weights", LOW)
def test_what_is_not_finite_stays_in_its_sequence(weights: str, value: float) -> None:
    frozen, x = byhand.frozen(LSTM(5, 18), weights), torch.randn(6, 3, 5)
    before = frozen(x)[0]
    x[2, 1, 3] = value
    after = frozen(x)[0]
    assert torch.equal(after[:, [0, 2]], before[:, [0, 2]]) and torch.equal(after[:2], before[:2])
    if weights == "int8" or math.isnan(value):
        assert after[2:, 1].isnan().all()


@pytest.mark.parametrize("weights", LOW)
def test_zeros_are_no_trouble(weights: str) -> None:
    layer = LSTM(5, 18, bias=False)
    with torch.no_grad():
        layer.weight_ih_l0[3:9] = 0
    assert torch.equal(byhand.frozen(layer, weights)(torch.zeros(3, 1, 5))[0], torch.zeros(3, 1, 18))
    assert byhand.frozen(layer, weights)(torch.randn(3, 1, 5))[0].isfinite().all()


@pytest.mark.parametrize(("batch", "hidden"), [(1, 512), (32, 256)])
def test_int8_is_as_near_as_onnx_runtimes(batch: int, hidden: int) -> None:
    """On the same weights and input, against its dynamic quantisation."""
    theirs, x = nn.LSTM(hidden, hidden).eval(), torch.randn(60, batch, hidden)
    ours = LSTM(hidden, hidden)
    ours.load_state_dict(theirs.state_dict())
    runtime = compilers.onnx_runtime(theirs, Given(x, x), int8=True)
    assert not isinstance(runtime, str)
    with torch.no_grad():
        truth = copy.deepcopy(theirs).double()(x.double())[0]
    their_error = (runtime.calls["forward"]()[0].squeeze(1) - truth).abs().max()
    our_error = (byhand.frozen(ours, "int8")(x)[0] - truth).abs().max()
    assert our_error <= their_error, f"{our_error:.2e}, ONNX Runtime {their_error:.2e}"


def test_nothing_changes_the_weights() -> None:
    layer = LSTM(4, 6)
    frozen, x = byhand.frozen(layer, "int8"), torch.randn(5, 2, 4)
    before = frozen(x)[0]
    with torch.no_grad():
        for value in layer.parameters():
            value.mul_(3)
    assert torch.equal(frozen(x)[0], before) and not torch.equal(layer(x)[0], before)
    assert list(frozen.parameters()) == [] and frozen.state_dict() == {}
    assert frozen.train().training and torch.equal(frozen(x)[0], before)


def test_models_with_everything_around() -> None:
    class Tagger(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.lstm = nn.Embedding(10, 6), LSTM(6, 8, batch_first=True, bidirectional=True)
            self.again, self.cell = self.lstm, LSTMCell(16, 5, cell=cells.gru)
            self.normed = weight_norm(LSTM(16, 4), "weight_hh_l0")

        def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
            x = self.again(self.embedding(tokens))[0]
            return self.cell(x[:, -1]), self.normed(x.transpose(0, 1))[0]

    model, tokens = Tagger().eval(), torch.randint(10, (3, 7))
    expected = model(tokens)  # which leaves a parametrised weight in the graph, that copies refuse
    for weights in WEIGHTS:
        frozen = byhand.frozen(model, weights)
        assert isinstance(frozen, Tagger) and frozen.lstm is frozen.again and isinstance(frozen.lstm, FrozenLSTM)
        assert f"weights={weights}, difference=" in repr(frozen)
        for one, other in zip(frozen(tokens), expected, strict=True):
            torch.testing.assert_close(one, other.detach(), rtol=0, atol=1e-6 if weights == "float32" else 0.02)
    assert all(isinstance(one, LSTM | LSTMCell) for one in (model.lstm, model.cell, model.normed))


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("options", [{}, {"num_layers": 2}, {"cell": cells.gru}, {"learn_initial_state": True}], ids=str)
def test_steps_are_the_sequence(options: dict[str, Any], weights: str) -> None:
    frozen, x = byhand.frozen(learnt(LSTM(5, 21, **options)), weights), torch.randn(9, 3, 5)
    stepper = frozen.stepper(3)
    made = torch.cat([stepper(x[0])[None], stepper(x[1])[None], stepper(x[2:])])
    torch.testing.assert_close(made, frozen(x)[0], rtol=0, atol=1e-6)
    stepper.reset()
    torch.testing.assert_close(stepper(x), frozen(x)[0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("weights", WEIGHTS)
def test_copies_and_files(weights: str) -> None:
    frozen, x = byhand.frozen(LSTM(4, 6), weights), torch.randn(5, 2, 4)
    expected, file = frozen(x)[0], io.BytesIO()
    torch.save(frozen, file)
    file.seek(0)
    for one in (copy.deepcopy(frozen), pickle.loads(pickle.dumps(frozen)), torch.load(file, weights_only=False)):
        assert torch.equal(one(x)[0], expected)


def test_the_difference_is_the_same_wherever_it_is_asked_for() -> None:
    layer = LSTM(4, 6)
    expected = byhand.frozen(layer, "int8").difference
    with torch.autocast("cpu", torch.bfloat16), use_engine("cpp"):
        assert f"difference={expected:.1e}" in repr(byhand.frozen(layer, "int8"))


def test_freezing_leaves_a_parametrised_layer_as_it_was() -> None:
    """Reading a weight of spectral_norm in training mode would move its vectors on."""
    layer = spectral_norm(LSTM(4, 6), "weight_hh_l0").train()
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    frozen = byhand.frozen(layer)
    assert layer.training and all(torch.equal(value, before[name]) for name, value in layer.state_dict().items())
    layer.eval()
    x = torch.randn(5, 2, 4)
    torch.testing.assert_close(frozen(x)[0], layer(x)[0].detach(), rtol=0, atol=1e-6)


def test_autocast_keeps_the_states() -> None:
    frozen, x = byhand.frozen(LSTM(4, 6), "int8"), torch.randn(5, 2, 4)
    with torch.autocast("cpu", torch.bfloat16):
        output, (_, c) = frozen(x)
    expected, (_, exact) = frozen(x)
    assert output.dtype == torch.bfloat16 and c.dtype == torch.float32
    torch.testing.assert_close(output.float(), expected, rtol=0, atol=1e-2)
    torch.testing.assert_close(c, exact, rtol=0, atol=2e-3)


def test_torch_compile_leaves_it_alone() -> None:
    model, x = byhand.frozen(nn.Sequential(nn.Linear(3, 4), LSTM(4, 6)), "int8"), torch.randn(3, 2, 3)
    assert torch.equal(torch.compile(model, backend="eager")(x)[0], model(x)[0])


class Own(LSTM):
    def forward(self, input: Any, hx: Any = None, *, reset: Any = None) -> Any:
        return super().forward(2 * input, hx, reset=reset)


REFUSED: dict[str, tuple[Any, type[Exception], str]] = {
    "no module": (lambda: byhand.frozen(3), TypeError, "frozen expected a module, got a int"),
    "other weights": (lambda: byhand.frozen(LSTM(2, 3), "int4"), ValueError, "'float32', 'bfloat16', 'int8', got 'int4'"),
    "torch's layer": (lambda: byhand.frozen(nn.LSTM(2, 3)), ValueError, "byhand.convert"),
    "in float64": (lambda: byhand.frozen(LSTM(2, 3).double()), ValueError, "weight_ih_l0 in torch.float64 on cpu"),
    "without values": (lambda: byhand.frozen(LSTM(2, 3, device="meta")), ValueError, "on meta"),
    "own code": (lambda: byhand.frozen(nn.Sequential(Own(2, 3))), ValueError, "got 0, a Own with a forward of its own"),
    "a gradient": (
        lambda: byhand.frozen(LSTM(2, 3))(torch.ones(1, 1, 2, requires_grad=True)),
        RuntimeError,
        "a frozen layer has no derivative",
    ),
    "a gradient by a state": (
        lambda: byhand.frozen(LSTM(2, 3, cell=cells.gru))(torch.ones(1, 1, 2), torch.ones(1, 1, 3, requires_grad=True)),
        RuntimeError,
        "a frozen layer has no derivative",
    ),
    "a forward derivative": (
        lambda: in_forward_mode(byhand.frozen(LSTM(2, 3), "int8")),
        RuntimeError,
        "in forward-mode differentiation",
    ),
    "exported": (
        lambda: torch.export.export(byhand.frozen(LSTM(2, 3)), (torch.ones(1, 1, 2),), strict=False),
        RuntimeError,
        "cannot be traced or exported",
    ),
    "hooks": (lambda: byhand.frozen(hooked()), ValueError, "without hooks, got 0 with some"),
    "pruned": (lambda: byhand.frozen(pruned()), ValueError, "prune.remove"),
    "steps from the end": (
        lambda: byhand.frozen(ReverseLSTM(2, 3)).stepper(),
        ValueError,
        "got one that begins at the end of the sequence",
    ),
    "moved": (lambda: nn.Sequential(byhand.frozen(LSTM(2, 3))).double(), RuntimeError, "cannot be moved or converted"),
    "traced": (
        lambda: fx.symbolic_trace(nn.Sequential(byhand.frozen(LSTM(2, 3)))),
        RuntimeError,
        "cannot be traced or exported",
    ),
    "a wrong size": (lambda: byhand.frozen(LSTM(2, 3), "int8")(torch.ones(1, 1, 4)), RuntimeError, "Expected 2, got 4"),
    "a wrong type": (lambda: byhand.frozen(LSTM(2, 3), "int8")(torch.ones(1, 1, 2).double()), ValueError, "torch.float64"),
    "recorded": (lambda: byhand.record(byhand.frozen(LSTM(2, 3))).__enter__(), ValueError, "frozen"),
    "an engine by name": (
        lambda: on_cpp(byhand.frozen(LSTM(2, 3), "int8")),
        RuntimeError,
        "engine 'cpp' was asked for and cannot run a layer frozen in int8",
    ),
}


def hooked() -> nn.Module:
    layer = LSTM(2, 3)
    layer.register_forward_hook(lambda module, given, made: made)
    return nn.Sequential(layer)


def pruned() -> nn.Module:
    return prune.l1_unstructured(LSTM(2, 3), "weight_hh_l0", 0.5)


def in_forward_mode(frozen: nn.Module) -> None:
    with torch.autograd.forward_ad.dual_level():
        frozen(torch.ones(1, 1, 2))


def on_cpp(frozen: nn.Module) -> None:
    with use_engine("cpp"):
        frozen(torch.ones(1, 1, 2))


@pytest.mark.parametrize(("attempt", "error", "words"), REFUSED.values(), ids=REFUSED)
def test_refused(attempt: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        attempt()


def test_without_a_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Slower, and it says so."""
    monkeypatch.setenv("CXX", str(tmp_path / "none"))
    monkeypatch.setenv("BYHAND_CACHE", str(tmp_path / "cache"))
    layer, x = LSTM(4, 6, cell=cells.rnn), torch.randn(5, 2, 4)
    call = layer.plain_calls(x)[0][0]
    assert "CXX" in cpp.refuses_frozen(call, "int8")
    assert "layers frozen in int8 run as a Python loop" in caplog.text
    torch.testing.assert_close(byhand.frozen(layer, "int8")(x)[0], layer(x)[0].detach(), rtol=0, atol=0.02)


@pytest.mark.parametrize("weights", LOW)
@pytest.mark.parametrize("flags", ["-mno-avx512f", "-mno-avx512vnni -mno-avx512bf16 -mno-avxvnni", "-mno-avx"])
def test_other_instruction_sets(flags: str, weights: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What processors without these instructions run."""
    if "g++" not in " ".join(compiler.find() or ()) and "c++" not in " ".join(compiler.find() or ()):
        pytest.skip("there is no g++, which takes these flags")
    monkeypatch.setenv("CXX", f"{' '.join(compiler.find() or ())} {flags}")
    for (time, batch, width, hidden), cell in itertools.product(SIZES[:3], (cells.lstm, cells.gru)):
        layer = LSTM(width, hidden, cell=cell)
        call = layer.plain_calls(torch.randn(time, batch, width))[0][0]
        assert cpp.refuses_frozen(call, weights) is None
        assert_as_specified(byhand.frozen(layer, weights), torch.randn(time, batch, width))
