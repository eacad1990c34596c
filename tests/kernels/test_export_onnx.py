"""byhand.export_onnx: every cell in every form, in onnxruntime, at lengths and batches that the export itself did not check."""

import math
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from cases import CASES
from onnx_files import assert_layer_exports, kinds, randomised, run_file

from byhand import LSTM, Cell, LSTMCell, cells, export_onnx
from byhand.engine import dispatch, reference
from byhand.engine.cpp import engine as cpp
from byhand.interop.onnx_out.nodes import Graph, Nodes
from byhand.interop.onnx_out.steps import write_program
from byhand.ir.program import COMPARISONS, CONNECTIVES, FUNCTIONS, Builder, Program

FORMS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "plain": ({}, {}),
    "bidirectional": ({"bidirectional": True, "batch_first": True}, {"states": True}),
    "two layers": ({"num_layers": 2, "bias": False}, {"states": True}),
    "projection": ({"proj_size": 2, "bidirectional": True}, {"states": True}),
    "packed": ({"bidirectional": True, "num_layers": 2, "batch_first": True}, {"lengths": True}),
}
FURTHER: dict[str, Cell] = {
    "NIAF": cells.no_input_activation(cells.lstm),
    "NOAF": cells.no_output_activation(cells.peephole),
    "coupled_input": cells.coupled_input(cells.lstm),
    "clipped_cifg": cells.clipped(cells.cifg, 0.6),
    "rnn_relu": cells.with_activations(cells.rnn, candidate="relu"),
}
CELLS = {name: cell for name, (cell, _) in CASES.items()} | FURTHER
OPERATORS = {
    "lstm": "LSTM",
    "peephole": "LSTM",
    "cifg": "LSTM",
    "gru": "GRU",
    "gru_reset_before": "GRU",
    "rnn": "RNN",
    "clipped(with_activations(coupled_input(peephole)))": "LSTM",
    "clipped(gru)": "GRU",
    **{f"{made}({base})": "LSTM" for made in ("no_input_activation", "no_output_activation") for base in ("lstm", "peephole")},
} | {"NIAF": "LSTM", "NOAF": "LSTM", "coupled_input": "LSTM", "clipped_cifg": "LSTM", "rnn_relu": "RNN"}


@pytest.fixture(autouse=True)
def _engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are held against the specification; nothing need be compiled for them."""
    monkeypatch.setattr(dispatch, "ENGINES", (reference, cpp))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", CELLS)
def test_every_cell_in_every_form(name: str, form: str, tmp_path: Path) -> None:
    cell, (options, call) = CELLS[name], FORMS[form]
    if options.get("proj_size") and cell.reads_its_output:
        with pytest.raises(ValueError, match="proj_size expected a cell that reads its output through weight_hh only"):
            LSTM(3, 6, cell=cell, **options)
        return
    layer = randomised(LSTM(3, 6, cell=cell, **options))
    found = kinds(assert_layer_exports(layer, tmp_path / "layer.onnx", **call))
    directions = 2 if layer.bidirectional else 1
    kind = "Scan" if layer.proj_size else OPERATORS.get(name, "Scan")
    assert found.count(kind) == layer.num_layers * (directions if kind == "Scan" else 1)
    assert {"LSTM", "GRU", "RNN", "Scan"} & set(found) == {kind}


@pytest.mark.parametrize("name", OPERATORS)
def test_an_operators_cell_as_a_scan(name: str, tmp_path: Path) -> None:
    layer = randomised(LSTM(3, 6, cell=CELLS[name], bidirectional=True))
    model = assert_layer_exports(layer, tmp_path / "layer.onnx", lengths=True, states=True, form="scan")
    assert kinds(model).count("Scan") == 2 and not {"LSTM", "GRU", "RNN"} & set(kinds(model))


@pytest.mark.parametrize("name", ["lstm", "gru_reset_before", "layernorm_lstm", "slstm", "lstm_1997_blocks(2)", "zoneout(gru)"])
def test_float64_is_written_as_a_scan(name: str, tmp_path: Path) -> None:
    """No runtime on CPUs runs the operators in float64."""
    layer = randomised(LSTM(3, 6, cell=CELLS[name], bidirectional=True, dtype=torch.float64))
    assert "Scan" in kinds(assert_layer_exports(layer, tmp_path / "layer.onnx", 1e-13, lengths=True))


@pytest.mark.parametrize("name", ["lstm", "peephole", "slstm", "gru", "min_lstm", "layernorm_lstm"])
def test_learnt_first_states(name: str, tmp_path: Path) -> None:
    layer = randomised(LSTM(3, 6, 2, bidirectional=True, learn_initial_state=True, cell=CELLS[name]))
    with torch.no_grad():
        for state in layer.cell.state:
            layer.get_parameter(f"initial_{state}").uniform_(0.1, 1.0)
    assert_layer_exports(layer, tmp_path / "layer.onnx")
    assert_layer_exports(layer, tmp_path / "layer.onnx", states=True, lengths=True)


@pytest.mark.parametrize("states", [False, True])
@pytest.mark.parametrize("name", CELLS)
def test_a_single_step(name: str, states: bool, tmp_path: Path) -> None:
    single, file = randomised(LSTMCell(3, 6, cell=CELLS[name])), tmp_path / "step.onnx"
    export_onnx(single, file, states=states)
    for batch in (1, 4):
        first = [torch.randn(batch, 6) for _ in single.cell.state]
        feeds = {"input": torch.randn(batch, 3)}
        given: Any = None
        if states:
            feeds |= {f"{name}_0": value for name, value in zip(single.cell.state, first, strict=True)}
            given = first[0] if len(first) == 1 else tuple(first)
        with torch.no_grad():
            made = single(feeds["input"], given)
        for ours, theirs in zip([made] if len(first) == 1 else made, run_file(file, feeds), strict=True):
            torch.testing.assert_close(theirs, ours, rtol=0, atol=1e-5)


@pytest.mark.parametrize("opset", [17, 18, 19, 20])
@pytest.mark.parametrize("name", ["lstm", "layernorm_lstm", "slstm"])
def test_every_opset(name: str, opset: int, tmp_path: Path) -> None:
    model = assert_layer_exports(randomised(LSTM(3, 6, cell=CELLS[name])), tmp_path / "layer.onnx", lengths=True, opset=opset)
    assert [(one.domain, one.version) for one in model.opset_import] == [("", opset)]


BINARY = ("add", "sub", "mul", "div", "maximum", "minimum", "pow", "atan2", *COMPARISONS, "and", "or")
VALUES = [
    -30.0,
    -2.5,
    -1.5,
    -0.99,
    -0.5,
    -0.1,
    -1e-4,
    -1e-7,
    0.0,
    1e-7,
    1e-4,
    0.1,
    0.4999,
    0.5,
    0.99,
    1.0,
    1.5,
    2.5,
    10.0,
    30.0,
    95.0,
]
VALUES += [math.inf, -math.inf, math.nan]
ROUNDED = (
    "erfc",
    "erf",
    "tan",
    "sinh",
    "asin",
    "acos",
    "atanh",
    "asinh",
    "acosh",
    "tanh",
    "sigmoid",
)  # onnxruntime's own, near 0 and 1


def program_of(name: str) -> Program:
    """The result h of the function of a and b, with masks as 1 and 0."""
    make = Builder()
    given: list[Any] = ["x.a", "x.b"][: 2 if name in BINARY else 1]
    if name in CONNECTIVES:
        given = [make.make("gt", one, 0.0) for one in given]
    elif name == "where":
        given = [make.make("gt", "x.a", 0.0), "x.a", "x.b"]
    result = make.number(make.make(name, *given))
    return Program(("x.a", "x.b"), tuple(make.lines.values()), {"h": result})


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_every_function_of_a_program(name: str, tmp_path: Path) -> None:
    """Small values too, where exp(x) − 1 as it stands would lose them, to a few roundings of the result itself; infinities and NaN."""
    graph = Graph(17)
    nodes, program = Nodes("/test", torch.float32, graph), program_of(name)
    made = write_program(nodes, program, {"x.a": "a", "x.b": "b"})
    values = [onnx.helper.make_tensor_value_info(one, onnx.TensorProto.FLOAT, [None]) for one in ("a", "b", made["h"])]
    model = onnx.helper.make_graph(nodes.made, "lines", values[:2], values[2:], graph.initializers)
    opsets = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(model, opset_imports=opsets, ir_version=8), tmp_path / "lines.onnx")
    a, b = torch.cartesian_prod(torch.tensor(VALUES), torch.tensor(VALUES)).unbind(1)
    (theirs,) = run_file(tmp_path / "lines.onnx", {"a": a, "b": b})
    ours = program.run({"x.a": a, "x.b": b})["h"]
    if name in (
        "maximum",
        "minimum",
        "sign",
        "pow",
        "atan2",
    ):  # of NaN, and of infinite powers and angles, runtimes say what they like
        ours, theirs = (one[a.isfinite() & b.isfinite()] for one in (ours, theirs))
    torch.testing.assert_close(theirs, ours, rtol=2e-6, atol=3e-7 if name in ROUNDED else 0, equal_nan=True)
