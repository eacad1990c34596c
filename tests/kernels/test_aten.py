"""The engine of torch's own kernels: torch's results to the bit, with every value and gradient inside the steps."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

import byhand
from byhand import LSTM, cells, edit, engines, record, use_engine
from byhand.engine import aten, dispatch, reference
from byhand.engine.cpp import refusal
from byhand.engine.cpp.toolchain import prebuilt
from byhand.testing import check_engine

CELLS = {"lstm": (cells.lstm, nn.LSTM), "gru": (cells.gru, nn.GRU), "rnn": (cells.rnn, nn.RNN)}
OPTIONS: list[dict[str, Any]] = [
    {},
    {"bias": False},
    {"batch_first": True, "num_layers": 2},
    {"bidirectional": True, "num_layers": 2},
]
LENGTHS = [3, 7, 1]
NO_GPU = "the input is on cpu, the engine runs on cuda"
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")


@pytest.fixture
def without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """As dispatch is where the C++ engine refuses everything."""
    monkeypatch.setattr(dispatch, "ENGINES", (aten, reference))


def pair(name: str, dtype: torch.dtype, **options: Any) -> tuple[LSTM, nn.Module]:
    cell, theirs = CELLS[name]
    torch.manual_seed(2)
    ours, other = LSTM(3, 5, cell=cell, dtype=dtype, **options), theirs(3, 5, dtype=dtype, **options)
    other.load_state_dict(ours.state_dict())
    return ours, other


def results(module: nn.Module, x: Tensor, *, packed: bool) -> dict[str, Tensor]:
    """Outputs, last states and every gradient by name."""
    out = module(pack_padded_sequence(x, torch.tensor(LENGTHS), module.batch_first, enforce_sorted=False) if packed else x)
    output = out[0].data if isinstance(out[0], nn.utils.rnn.PackedSequence) else out[0]
    values = [output, *(out[1] if isinstance(out[1], tuple) else [out[1]])]
    loss = torch.stack([(one * torch.linspace(-1, 2, one.numel()).to(one).view_as(one)).sum() for one in values]).sum()
    leaves = {"x": x, **dict(module.named_parameters())}
    found = torch.autograd.grad(loss, list(leaves.values()))
    return {str(k): one.detach() for k, one in enumerate(values)} | dict(zip(leaves, found, strict=True))


def test_it_is_the_reference_for_every_kind_of_call() -> None:
    report = check_engine(aten)
    assert report.agrees["ragged lengths"] == 12 and report.agrees["projection, ragged and reverse"] == 2


@pytest.mark.parametrize("packed", [False, True], ids=["padded", "packed"])
@pytest.mark.parametrize("options", [{}, {"num_layers": 2}, {"batch_first": True}, {"proj_size": 2}], ids=str)
@pytest.mark.parametrize("name", CELLS)
def test_prepared_it_is_torchs_layer(
    name: str, options: dict[str, Any], packed: bool, without_a_compiler: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the bit, with a graph and without, with states that are given and after an optimiser's step; and nothing else has run."""
    if "proj_size" in options and name != "lstm":
        pytest.skip("torch has no kernel for it")
    ours, theirs = pair(name, torch.float32, **options)
    for function in ("run", "sites"):
        monkeypatch.setattr(aten, function, None)
    x = torch.randn(3, 7, 3) if ours.batch_first else torch.randn(7, 3, 3)
    given = pack_padded_sequence(x, torch.tensor(LENGTHS), ours.batch_first, enforce_sorted=False) if packed else x
    with torch.no_grad():
        after = theirs(given)[1]
    for first in (None, after):
        for graph in (True, False):
            with torch.set_grad_enabled(graph):
                found, wanted = ([*flat(module(given, first))] for module in (ours, theirs))
            assert found[0].requires_grad is graph
            for one, other in zip(found, wanted, strict=True):
                if graph or "num_layers" not in options:
                    assert torch.equal(one, other)
                else:  # for which torch has one operator of all layers, with sums in another order
                    torch.testing.assert_close(one, other)
        for module in (ours, theirs):
            for parameter in module.parameters():
                parameter.data.mul_(1.5)


def flat(made: Any) -> Iterator[Tensor]:
    """A layer's output, packed rows or not, and its last states."""
    output, states = made
    yield output.data if isinstance(output, nn.utils.rnn.PackedSequence) else output
    yield from states if isinstance(states, tuple) else (states,)


def test_a_prepared_step_moves_the_states_on_in_place() -> None:
    layer, x = LSTM(3, 5), torch.randn(2, 4, 3)
    call = layer.call(layer.sublayers[0], x, (torch.randn(4, 5), torch.randn(4, 5)))
    memory, prepared = [one.clone() for one in call.state], aten.prepare(call)
    assert prepared is not None
    step = prepared.stepping(memory)
    outputs = torch.stack([step(one) for one in x])
    expected = reference.run(call)
    torch.testing.assert_close([outputs, *memory], [expected.output.detach(), *(one.detach() for one in expected.state)])
    low = layer.to(torch.bfloat16)
    state = (torch.zeros(4, 5, dtype=torch.bfloat16), torch.zeros(4, 5, dtype=torch.bfloat16))
    assert aten.prepare(low.call(low.sublayers[0], x.bfloat16(), state)) is None  # in which torch rounds the cell state


@pytest.mark.parametrize("packed", [False, True], ids=["padded", "packed"])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", CELLS)
def test_it_is_torchs_layer(
    name: str, dtype: torch.dtype, options: dict[str, Any], packed: bool, without_a_compiler: None
) -> None:
    """The forward direction to the bit, all else as near as sums in another order are."""
    ours, theirs = pair(name, dtype, **options)
    x = torch.randn(3, 7, 3, dtype=dtype, requires_grad=True)
    x = x if ours.batch_first else x.detach().transpose(0, 1).contiguous().requires_grad_()
    mine, other = results(ours, x, packed=packed), results(theirs, x, packed=packed)
    for value, expected in zip(mine, other, strict=True):
        if value.isdigit() and not ours.bidirectional:  # torch multiplies the reverse direction's inputs in the forward order
            assert torch.equal(mine[value], other[expected]), value
        torch.testing.assert_close(mine[value], other[expected], rtol=1e-5 if dtype == torch.float32 else 1e-11, atol=1e-6)


RECORDED = [("lstm", {"proj_size": 2}), *((name, options) for name in CELLS for options in ({}, {"bidirectional": True}))]


@pytest.mark.parametrize("packed", [False, True], ids=["padded", "packed"])
@pytest.mark.parametrize(("name", "options"), RECORDED, ids=str)
def test_what_is_recorded_is_the_references(name: str, packed: bool, options: dict[str, Any], without_a_compiler: None) -> None:
    """Every site and the gradient by it; the results stay the same to the bit."""
    ours = LSTM(3, 5, cell=CELLS[name][0], dtype=torch.float64, **options)
    x = torch.randn(7, 3, 3, dtype=torch.float64)
    input = pack_padded_sequence(x, torch.tensor(LENGTHS), enforce_sorted=False) if packed else x
    traces = []
    for engine in ("aten", "reference"):
        with use_engine(engine), record(ours, gradients=True) as trace:
            output = ours(input)[0]
            (output.data if packed else output).square().sum().backward()
        traces.append(trace)
        if engine == "aten":
            assert torch.equal((output.data if packed else output), (ours(input)[0].data if packed else ours(input)[0]))
    mine, theirs = traces
    assert set(mine) == set(theirs)
    for site in theirs:
        torch.testing.assert_close(mine[site], theirs[site], rtol=1e-12, atol=1e-13, equal_nan=True)
        torch.testing.assert_close(mine.grad[site], theirs.grad[site], rtol=1e-11, atol=1e-13, equal_nan=True)


def test_gradients_of_gradients(without_a_compiler: None) -> None:
    layer = LSTM(2, 3, dtype=torch.float64)
    x = torch.randn(3, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda x: layer(x)[0], x)


def test_it_is_taken_where_there_is_no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("byhand.engine.cpp.engine.refuses_cell", lambda *_: "no C++ compiler was found")
    layer, x = LSTM(3, 4), torch.randn(5, 2, 3)
    assert engines(layer, x) == [
        ("cpp", "no C++ compiler was found"),
        ("aten", "ready"),
        ("triton", NO_GPU),
        ("reference", "ready"),
    ]
    theirs = nn.LSTM(3, 4)
    theirs.load_state_dict(layer.state_dict())
    assert torch.equal(layer(x)[0], theirs(x)[0])
    half = layer.bfloat16()
    assert dict(engines(half, x.bfloat16()))["aten"] == "ready: computed in float32, output in bfloat16"


def test_a_counter_in_bfloat16_counts_on(without_a_compiler: None) -> None:
    """In bfloat16 torch's own LSTM stops at 256."""
    layer = LSTM(1, 1, dtype=torch.bfloat16)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
        for gate, bias in (("i", 20.0), ("f", 20.0), ("g", 20.0)):
            layer.gates()[gate].bias.fill_(bias)
        c = layer(torch.zeros(600, 1, 1, dtype=torch.bfloat16))[1][1]
    assert abs(float(c) - 600) <= 2


REFUSED = [
    ({"cell": cells.peephole}, {}, "torch has kernels for lstm, gru, rnn, not for peephole"),
    ({"cell": cells.rnn, "proj_size": 2}, {}, "torch has no kernel for rnn with a projection"),
    ({}, {"reset": torch.zeros(5, 2, dtype=torch.bool)}, "sequences start again inside"),
]


@pytest.mark.parametrize(("made", "given", "reason"), REFUSED, ids=[reason for _, _, reason in REFUSED])
def test_what_it_refuses(made: dict[str, Any], given: dict[str, Any], reason: str) -> None:
    layer, x = LSTM(3, 4, **made), torch.randn(5, 2, 3)
    with use_engine("aten"), pytest.raises(RuntimeError, match=f"engine 'aten' was asked for and cannot run this: {reason}"):
        layer(x, **given)


def test_edits_and_what_is_in_the_graph_are_refused() -> None:
    layer, x = LSTM(3, 4), torch.randn(5, 2, 3)
    with use_engine("aten"), edit(layer, {"l0.f": 1.0}), pytest.raises(RuntimeError, match="edited inside the steps"):
        layer(x)
    with use_engine("aten"), record(layer, detach=False), pytest.raises(RuntimeError, match="wanted in the graph"):
        layer(x)
    with use_engine("aten"), pytest.raises(RuntimeError, match=r"a transform of torch\.func is active"):
        torch.func.vmap(lambda x: layer(x)[0])(torch.stack([x, x]))
    assert byhand.engines(layer, x)[1] == ("aten", "ready")


def test_without_any_compiled_code_no_program_is_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The first call goes straight to torch's kernels: making the programs of a cell takes a second."""
    monkeypatch.setenv("CXX", str(tmp_path / "none"))
    monkeypatch.setattr(prebuilt, "listed", lambda folder: [])
    monkeypatch.setattr(refusal, "partition", lambda cell: pytest.fail("a program was made"))
    reasons = dict(engines(LSTM(3, 4), torch.randn(2, 1, 3)))
    assert reasons["aten"] == "ready" and "CXX is" in reasons["cpp"]


@pytest.mark.parametrize("device", ["mps", "xpu"])
@pytest.mark.parametrize(
    ("cell", "first"), [(cells.lstm, "aten"), (cells.gru, "aten"), (cells.rnn, "aten"), (cells.peephole, "reference")]
)
def test_on_devices_without_an_engine_of_ours_it_is_chosen(
    cell: cells.Cell, first: str, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The choice alone: there are none of these devices here, so tensors of the CPU say that they are there."""
    layer, x = LSTM(3, 5, cell=cell), torch.randn(4, 2, 3)
    with monkeypatch.context() as patch:
        patch.setattr(Tensor, "device", property(lambda one: torch.device(device)))
        found = engines(layer, x)
    assert next(name for name, state in found if state == "ready") == first
    assert dict(found)["cpp"] == f"the input is on {device}, the engine runs on the cpu"
    assert dict(found)["triton"] == f"the input is on {device}, the engine runs on cuda"
    assert dict(engines(layer, x))["cpp"].startswith("ready")
