"""Models that leave the process: exported, traced, scripted, in ONNX. They run elsewhere with the same numbers, or say what is missing."""

import copy
import subprocess
import sys
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from conftest import ROOT
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import byhand
from byhand import Cell, cells, edit, record, use_engine
from byhand.cells import names

SCRIPT = ROOT / "tests" / "support" / "leaving_models.py"
pytestmark = [
    pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),  # the exporters' own, of versions and of batches
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings(
        "ignore::torch.jit.TracerWarning"
    ),  # of pack_padded_sequence; ours gives none, see the first test
]


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SCRIPT, *words], capture_output=True, text=True, timeout=900, check=False)


def test_what_one_process_writes_another_runs(tmp_path: Path) -> None:
    """torch.export, AOTInductor and torch.jit.trace, each before the layer's first call; of other lengths and batches."""
    written = run("write", tmp_path)
    assert written.returncode == 0, written.stderr
    said = dict(line.split(": ", 1) for line in run("read", tmp_path).stdout.splitlines())
    assert len(said) == 11
    for file, verdict in said.items():
        if file.startswith("own."):
            assert "this model was compiled or exported with the cell 'mine', which has no equations in this process" in verdict
            assert "run the code that defines it and make a byhand.LSTM with it first" in verdict
        else:
            assert verdict == "right", (file, verdict)


class Model(nn.Module):
    """An embedding, a layer and a head."""

    def __init__(self, *, packs: bool = False, **options: Any) -> None:
        super().__init__()
        self.layer = byhand.LSTM(3, 4, **options)
        self.head = nn.Linear(4 * (2 if options.get("bidirectional") else 1), 2)
        self.packs = packs

    def forward(self, x: Tensor) -> Tensor:
        if not self.packs:
            return self.head(self.layer(x)[0])
        packed = pack_padded_sequence(x, torch.tensor([5, 3]), enforce_sorted=False)
        return self.head(pad_packed_sequence(self.layer(packed)[0])[0])


def to_onnx(model: nn.Module, file: Path, **options: Any) -> Any:
    """A function of the input, by ONNX Runtime."""
    torch.onnx.export(model.eval(), (torch.randn(5, 2, 3),), file, input_names=["x"], **options)
    session = onnxruntime.InferenceSession(file)
    return lambda x: session.run(None, {session.get_inputs()[0].name: x.numpy()})[0]


ANY_SIZE = {"dynamo": False, "dynamic_axes": {"x": {0: "time", 1: "batch"}}}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"num_layers": 2, "bidirectional": True},
        {"cell": cells.gru},
        {"cell": cells.rnn},
        {"bias": False},
        {"packs": True},
    ],
    ids=str,
)
def test_onnx_for_every_length_and_batch(options: dict[str, Any], tmp_path: Path) -> None:
    model, axes = Model(**options), ANY_SIZE if "packs" not in options else {"dynamo": False}
    run_there = to_onnx(model, tmp_path / "model.onnx", **axes)
    kinds = {node.op_type for node in onnx.load(tmp_path / "model.onnx").graph.node}
    assert kinds & {"LSTM", "GRU", "RNN"}
    for sizes in [(5, 2, 3)] if "packs" in options else [(5, 2, 3), (8, 4, 3), (1, 1, 3)]:
        x = torch.randn(*sizes)
        np.testing.assert_allclose(run_there(x), model(x).detach(), rtol=1e-5, atol=1e-6)


def test_onnx_by_the_default_exporter_for_one_size(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    model, x = Model(), torch.randn(5, 2, 3)
    np.testing.assert_allclose(to_onnx(model, tmp_path / "model.onnx")(x), model(x).detach(), rtol=1e-5, atol=1e-6)


def said_by(problem: BaseException | None) -> str:
    """All that was said, causes included."""
    return "" if problem is None else f"{problem} {said_by(problem.__cause__)}"


def test_onnx_says_what_to_type_where_it_cannot_be_right(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    sizes = ({0: torch.export.Dim.DYNAMIC},)
    with pytest.raises(Exception, match=r".") as problem:
        to_onnx(Model(), tmp_path / "sizes.onnx", dynamo=True, dynamic_shapes=sizes)
    assert "use torch.onnx.export(..., dynamo=False, dynamic_axes=...)" in said_by(problem.value)
    for exporter in ({"dynamo": False}, {"dynamo": True}):
        with pytest.raises(Exception, match=r".") as problem:
            to_onnx(Model(cell=cells.peephole), tmp_path / "cell.onnx", **exporter)
        assert "knows no operator for cell 'peephole'" in said_by(problem.value)
        assert "with byhand.use_engine('reference'):" in said_by(problem.value)


@pytest.mark.parametrize("exporter", [{"dynamo": False}, {"dynamo": True}], ids=str)
@pytest.mark.parametrize(
    "options", [{"proj_size": 2}, {"learn_initial_state": True}, {"cell": cells.gru_reset_before}], ids=str
)
def test_onnx_points_to_what_writes_the_rest(
    options: dict[str, Any], exporter: dict[str, Any], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """With dynamo=True torch 2.13 writes a projection without its weights, and says that it succeeded."""
    layer = byhand.LSTM(3, 4, **options).eval()
    with pytest.raises(Exception, match=r".") as problem:
        torch.onnx.export(nn.Sequential(layer), (torch.randn(5, 2, 3),), tmp_path / "model.onnx", **exporter)
    assert "byhand.export_onnx(model, file, {'x': x}, axes={'x': {0: 'time', 1: 'batch'}}) writes it" in said_by(problem.value)
    byhand.export_onnx(layer, tmp_path / "model.onnx")


@pytest.mark.parametrize("exporter", [{"dynamo": False}, {"dynamo": True}], ids=str)
def test_onnx_of_any_cell_step_by_step(exporter: dict[str, Any], tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    model, x = Model(cell=cells.peephole), torch.randn(5, 2, 3)
    with use_engine("reference"):
        run_there = to_onnx(model, tmp_path / "model.onnx", **exporter)
    np.testing.assert_allclose(run_there(x), model(x).detach(), rtol=1e-5, atol=1e-6)
    with pytest.raises(Exception, match=r"(?i)invalid|dimension"):
        run_there(torch.randn(7, 2, 3))


@pytest.mark.parametrize("single", [byhand.LSTMCell(3, 4), byhand.LSTMCell(3, 4, cell=cells.gru)], ids=repr)
def test_a_single_step(single: byhand.LSTMCell) -> None:
    x = torch.randn(2, 3)
    traced = torch.jit.trace(single, (x,), check_trace=False)
    other = torch.randn(5, 3)
    for ours, theirs in zip(flat(traced(other)), flat(single(other)), strict=True):
        torch.testing.assert_close(ours, theirs)


def flat(value: Any) -> list[Tensor]:
    return [value] if isinstance(value, Tensor) else list(value)


def test_lightning_and_tensorboard(tmp_path: Path) -> None:
    from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 (it takes a second)

    class Module(L.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = Model()

        def forward(self, x: Tensor) -> Tensor:
            return self.model(x)

    module, x = Module(), torch.randn(5, 2, 3)
    written: Any = module.to_torchscript(method="trace", example_inputs=x)
    torch.testing.assert_close(written(torch.cat([x, x])), module(torch.cat([x, x])))
    with pytest.raises(NotImplementedError, match=r"script a copy, after byhand.convert\(copy, back=True\)"):
        module.to_torchscript()
    assert type(module.model.layer) is byhand.LSTM
    with SummaryWriter(str(tmp_path)) as writer:
        writer.add_graph(module.model, x)
    assert any(file.stat().st_size > 1000 for file in tmp_path.iterdir())


def test_a_script_that_cannot_be_and_one_that_can() -> None:
    with pytest.raises(
        NotImplementedError, match=r"cannot read byhand.LSTM with cell 'peephole': torch.jit.trace\(model, example\)"
    ):
        torch.jit.script(byhand.LSTM(3, 4, cell=cells.peephole))
    model = Model()
    copied = copy.deepcopy(model)
    byhand.convert(copied, back=True)
    written = torch.jit.script(nn.ModuleDict({"layer": copied.layer}))
    torch.testing.assert_close(written.layer.weight_hh_l0, model.layer.weight_hh_l0)


def test_a_parametrised_layer_is_traced_with_what_its_parameters_are_made_of() -> None:
    layer, x = byhand.LSTM(3, 4), torch.randn(5, 2, 3)
    nn.utils.parametrizations.weight_norm(layer, "weight_hh_l0")
    traced = torch.jit.trace(layer, (x,), check_trace=False)
    torch.testing.assert_close(traced(x)[0], layer(x)[0])


def twice(x: Any, u: Any, s: Any, p: Any) -> Any:
    h = torch.tanh(x.a + u.a)
    return (h,), {"h": h}


def half(x: Any, u: Any, s: Any, p: Any) -> Any:
    h = torch.tanh(x.a + u.a) / 2
    return (h,), {"h": h}


def test_of_two_cells_with_one_name_each_compiled_model_keeps_its_own() -> None:
    """As in a notebook, where a cell is written again."""
    torch._dynamo.reset()
    first, second = (Cell(name="namesake", gates=("a",), state=("h",), step=step) for step in (twice, half))
    assert names.full_name(first) != names.full_name(second)
    x = torch.randn(5, 2, 3)
    for cell in (first, second):
        layer = byhand.LSTM(3, 4, cell=cell)
        torch.testing.assert_close(torch.compile(layer, backend="aot_eager", fullgraph=True)(x)[0], layer(x)[0])
        torch.testing.assert_close(torch.export.export(layer, (x,)).module()(x)[0], layer(x)[0])


def test_a_cell_that_is_not_known_any_more() -> None:
    with pytest.raises(
        LookupError, match="with the cell 'other', which has no equations in this process: import cells_of_mine and"
    ):
        names.named("other@cells_of_mine@0123456789abcdef")
    cell = Cell(name="changed", gates=("a",), state=("h",), step=twice)
    names.register(cell)
    with pytest.raises(LookupError, match="with the cell 'changed', which has other equations here: import"):
        names.named(f"changed@{__name__}@0123456789abcdef")


def test_a_compiled_model_is_watched_and_changed_and_runs_on_the_engine_that_is_asked_for() -> None:
    torch._dynamo.reset()
    layer, x = byhand.LSTM(3, 4), torch.randn(5, 2, 3)
    compiled = torch.compile(layer, backend="aot_eager")
    y = compiled(x)[0]
    with record(layer) as trace:
        compiled(x)
    assert torch.equal(trace["l0.h"], layer(x)[0])
    change = {"l0.f": 0.0}
    with edit(layer, change):
        expected = layer(x)[0]
        torch.testing.assert_close(compiled(x)[0], expected)
        torch.testing.assert_close(torch.export.export(layer, (x,)).module()(x)[0], expected)
        torch.testing.assert_close(torch.jit.trace(layer, (x,), check_trace=False)(x)[0], expected)
    assert not torch.allclose(y, expected) and torch.equal(compiled(x)[0], y)
    with use_engine("reference"):
        assert not [one for one in torch.export.export(layer, (x,)).graph.nodes if "byhand" in str(one.target)]


def test_a_trace_of_a_watched_model_computes_anew_for_every_input() -> None:
    """torch.jit.trace sees no kernel: it kept whatever lay in the output's memory, and the trace gave that for any input."""
    layer, x = byhand.LSTM(3, 4), torch.randn(5, 2, 3)
    for context in (torch.no_grad, torch.enable_grad):
        with context(), record(layer):
            traced = torch.jit.trace(layer, (x,), check_trace=False)
        torch.testing.assert_close(traced(x + 1)[0], layer(x + 1)[0])
    with use_engine("cpp"), pytest.raises(RuntimeError, match=r"operations are recorded, by torch\.jit\.trace"):
        torch.jit.trace(layer, (x,), check_trace=False)


def test_watched_by_the_first_call_of_a_compiled_model() -> None:
    torch._dynamo.reset()
    layer, x = byhand.LSTM(3, 4), torch.randn(5, 2, 3)
    with record(layer) as trace:
        y = torch.compile(layer, backend="eager")(x)[0]
    torch.testing.assert_close(trace["l0.h"], y)
