"""open_onnx on whole models: against onnxruntime's own run, with recurrent nodes in stretches, branches, loops and scans."""

from __future__ import annotations

import copy
import re
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from conftest import ROOT
from onnx import numpy_helper
from onnx_graphs import COMPUTED, HEAD, IF, LOOP, PLAIN, SCAN, graph
from torch import nn

import byhand
from byhand.errors import LoadError


@pytest.fixture
def opened(tmp_path: Path) -> Any:
    def open_model(model: onnx.ModelProto) -> Any:
        onnx.save(model, tmp_path / "model.onnx")
        return byhand.open_onnx(tmp_path / "model.onnx")

    return open_model


def theirs(model: onnx.ModelProto, feeds: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_outputs()]
    made = session.run(names, {name: value.numpy() for name, value in feeds.items()})
    return {name: torch.from_numpy(value) for name, value in zip(names, made, strict=True)}


def same(ours: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert ours.keys() == other.keys()
    for name, value in other.items():
        assert ours[name].dtype == value.dtype
        torch.testing.assert_close(ours[name], value, rtol=0, atol=2e-6)


X = torch.randn(7, 2, 3, generator=torch.Generator().manual_seed(0))
STATES = {"h": torch.full((1, 2, 4), 0.3), "c": torch.full((1, 2, 4), -0.2)}
CASES: dict[str, tuple[str, dict[str, torch.Tensor], list[str]]] = {
    "stretches": (PLAIN, {"x": X, "lens": torch.tensor([7, 4], dtype=torch.int32)}, ["lstm.l0", "gru.l0"]),
    "a branch": (IF, {"go": torch.tensor(True), "x": X}, ["lstm.l0"]),
    "a branch in a branch": (IF, {"go": torch.tensor(False), "x": X}, ["rnn_2.l0.reverse"]),
    "a loop": (LOOP, {"x": X} | STATES, ["lstm.l0"]),
    "a scan": (SCAN, {"x": X.transpose(0, 1).contiguous()} | STATES, ["lstm.l0"]),
    "computed weights": (COMPUTED, {"x": X}, ["lstm.l0"]),
}


@pytest.mark.parametrize("name", CASES)
def test_outputs_are_those_of_onnxruntime_and_every_node_is_recorded(name: str, opened: Any) -> None:
    text, feeds, places = CASES[name]
    proto = graph(text)
    model = opened(proto)
    outputs, trace = model.run(feeds)
    same(outputs, theirs(proto, feeds))
    assert list(trace.places) == places and model.left == {}
    report = model.certificate
    assert report.ok and {one.partition(".")[0] for one in places} <= {one.partition(".")[0] for one in report.values}
    assert sum(one.startswith("output ") for one in report.values) == len(outputs)
    with byhand.record(model) as again:
        same(model(feeds), outputs)
    pairs = zip(again.joined().values(), trace.joined().values(), strict=True)
    assert all(torch.equal(a.nan_to_num(9), b.nan_to_num(9)) for a, b in pairs)


def test_a_loop_and_a_scan_call_their_layer_for_every_step(opened: Any) -> None:
    for text, x in ((LOOP, X), (SCAN, X.transpose(0, 1).contiguous())):
        _, trace = opened(graph(text)).run({"x": x} | STATES)
        assert len(trace.runs["lstm.l0"]) == 7
        steps = X if text is LOOP else X.flip(0)
        torch.testing.assert_close(trace.joined().input("lstm.l0"), steps)


def test_a_loop_without_a_round_gives_its_states_and_nothing(opened: Any) -> None:
    feeds = {"x": X[:0]} | STATES
    outputs = opened(graph(LOOP))(feeds)
    same(outputs, theirs(graph(LOOP), feeds))
    assert outputs["ys"].shape[0] == 0


@pytest.mark.parametrize("name", ["stretches", "a branch", "a loop"])
def test_what_an_edit_changes_is_what_all_later_nodes_get(name: str, opened: Any) -> None:
    text, feeds, _ = CASES[name]
    silent = graph(text)  # an LSTM whose weights are 0 gives 0
    for value in silent.graph.initializer:
        if value.name in ("W", "R", "B"):
            value.CopyFrom(numpy_helper.from_array(np.zeros_like(numpy_helper.to_array(value)), value.name))
    model = opened(graph(text))
    plain = model(feeds)
    with byhand.edit(model, {"lstm.l0.g": 0.0, "lstm.l0.f": 0.5, "lstm.l0.o": 0.5}):
        changed = model(feeds)
        assert model.certificate.ok  # without the edits
    same(changed, theirs(silent, feeds))
    assert any(not torch.equal(changed[one], plain[one]) for one in plain)
    same(model(feeds), plain)


def test_a_changed_weight_is_what_the_file_would_have(opened: Any) -> None:
    other = graph(PLAIN, seed=1)
    model, wanted = opened(graph(PLAIN)), opened(other)
    for name, layer in wanted.layers.items():
        model.layers[name].load_state_dict(layer.state_dict())
    feeds = CASES["stretches"][1]
    proto = graph(PLAIN)
    for mine, one in zip(proto.graph.initializer, other.graph.initializer, strict=True):
        if mine.name != "head":
            mine.CopyFrom(one)
    same(model(feeds), theirs(proto, feeds))


def test_a_model_is_a_module(opened: Any) -> None:
    model = opened(graph(PLAIN))
    feeds = CASES["stretches"][1]
    assert list(model.layers) == ["lstm", "gru"] and model.layers["gru"].cell == byhand.cells.gru
    assert [*model.state_dict()][:2] == ["lstm.weight_ih_l0", "lstm.weight_hh_l0"]
    same(copy.deepcopy(model)(feeds), model(feeds))
    same(model(**feeds), model(feeds["x"], feeds["lens"]))
    shown = byhand.explore(model, feeds, layer="lstm").document
    assert shown["computed"] and [one["steps"] for one in shown["items"]] == [7, 4]
    _, trace = model.run(feeds)
    assert byhand.explain.ledger(trace, layer="lstm.l0", unit=2).values.shape[1] == 7
    assert "inputs: x: float32 [T, N, 3]; lens: int32 [N]" in repr(model)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"x": X}, "got lens missing"),
        ({"x": X, "lens": torch.tensor([1, 2]), "y": X}, "none called y"),
        ({"x": X, "lens": torch.tensor([7, 4])}, r"lens: int32 \[N\] got values of int64: write lens.to\(torch.int32\)"),
        ({"x": X[0], "lens": torch.tensor([7, 4], dtype=torch.int32)}, r"x: float32 \[T, N, 3\] got sizes \[2, 3\]"),
        ({"x": X[..., :2], "lens": torch.tensor([7, 4], dtype=torch.int32)}, "got sizes"),
        ({"x": X, "lens": torch.tensor([8, 4], dtype=torch.int32)}, "sequence_lens from 0 to 7"),
        ({"x": X, "lens": [7.5, 4]}, "expected whole numbers"),
        ({"x": X, "lens": "7"}, "expected a tensor or an array, got a str"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_the_inputs_are(given: dict[str, Any], said: str, opened: Any) -> None:
    with pytest.raises((ValueError, TypeError), match=said):
        opened(graph(PLAIN))(given)


def test_a_sequence_of_length_0_keeps_its_first_states(opened: Any) -> None:
    model = opened(graph(PLAIN))
    outputs, trace = model.run({"x": X, "lens": torch.tensor([0, 5], dtype=torch.int32)})
    assert not outputs["last"][:, 0].any() and outputs["last"][:, 1].any()
    assert not trace.valid("lstm.l0")[:, 0].any() and trace["lstm.l0.c"][:, 0].isnan().all()
    assert model.certificate.ok


def test_nodes_that_stay_with_the_runtime_say_why(opened: Any) -> None:
    text = PLAIN.replace("float[T,N,3] x, int32[N] lens", "float[T,N,3] x, int32[N] lens, float[1,15,4] W2")
    model = opened(graph(text, without=("W2",)))
    assert list(model.layers) == ["lstm"] and "W2 is computed from W2, an input" in model.left["GRU of z"]
    feeds = CASES["stretches"][1] | {"W2": torch.randn(1, 15, 4)}
    same(model(feeds), theirs(graph(text, without=("W2",)), feeds))
    whole = text.replace("LSTM <hidden_size = 4>", 'LSTM <hidden_size = 4, direction = "sideways">')
    with pytest.raises(LoadError, match=r"LSTM of y: its direction is 'sideways'.*GRU of z"):
        opened(graph(whole, without=("W2",)))
    with pytest.raises(LoadError, match="and this one has none"):
        opened(onnx.parser.parse_model(HEAD + "g (float[2] x) => (float[2] y) { y = Neg(x) }"))


def test_a_weight_that_would_fill_the_memory_is_not_computed(opened: Any) -> None:
    text = COMPUTED.replace("made = Unsqueeze(joined, first)", "wide = Tile(joined, many)\n  made = Unsqueeze(wide, first)")
    with pytest.raises(LoadError, match="numbers"):
        opened(graph(text))


def test_float64_and_layout_1_run_where_onnxruntime_does_not(opened: Any) -> None:
    for change in ("double", "layout"):
        proto = onnx.parser.parse_model(
            HEAD.replace("16", "14")
            + "g (float[N,T,3] x) => (float[N,T,1,4] y) { y = LSTM <hidden_size = 4, layout = 1> (x, W, R, B) }"
        )
        values = {one.name: numpy_helper.to_array(one) for one in graph(PLAIN).graph.initializer if one.name in ("W", "R", "B")}
        if change == "double":
            del proto.graph.node[0].attribute[1]
            for value in (*proto.graph.input, *proto.graph.output):
                value.type.tensor_type.elem_type = onnx.TensorProto.DOUBLE
            proto.graph.output[0].type.tensor_type.ClearField("shape")
            values = {name: value.astype(np.float64) for name, value in values.items()}
        proto.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in values.items())
        x = X.double() if change == "double" else X
        model = opened(proto)
        outputs, _ = model.run(x)
        assert outputs["y"].dtype == x.dtype
        report = model.certificate
        note = "no float64" if change == "double" else "refuses layout=1"
        assert report.ok and any(note in one for one in report.notes)


@pytest.mark.parametrize("exporter", ["torchscript", "dynamo"])
def test_files_of_torchs_exporters(exporter: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Tagger(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(11, 5)
            self.rnn = nn.LSTM(5, 6, 2, bidirectional=True, batch_first=True)
            self.gru = nn.GRU(12, 3, batch_first=True)
            self.head = nn.Linear(3, 4)

        def forward(self, words: torch.Tensor) -> torch.Tensor:
            return self.head(self.gru(self.rnn(self.table(words))[0])[0])

    torch.manual_seed(0)
    module, words = Tagger().eval(), torch.randint(11, (2, 7))
    options: dict[str, Any] = {"dynamo": exporter == "dynamo", "input_names": ["words"], "output_names": ["tags"]}
    if exporter == "torchscript":
        options["dynamic_axes"] = {"words": {0: "batch", 1: "time"}}
    else:
        options["verbose"] = False
    with pytest.warns() if exporter == "torchscript" else nullcontext():
        torch.onnx.export(module, (words,), tmp_path / "tagger.onnx", **options)
    model = byhand.open_onnx(tmp_path / "tagger.onnx")
    assert len(model.layers) == 3 and [one.bidirectional for one in model.layers.values()] == [True, True, False]
    outputs, trace = model.run(words)
    torch.testing.assert_close(outputs["tags"], module(words).detach(), rtol=0, atol=2e-6)
    converted = copy.deepcopy(module)
    byhand.convert(converted)
    with byhand.record(converted) as wanted:
        converted(words)
    first = next(iter(model.layers))
    torch.testing.assert_close(trace[f"{first}.l0.reverse.c"], wanted["rnn.l0.reverse.c"], rtol=0, atol=2e-6)
    assert model.certificate.ok
    if exporter == "torchscript":
        monkeypatch.chdir(tmp_path)
        page = (ROOT / "docs" / "onnx.md").read_text(encoding="utf-8")
        block, _ = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
        exec(compile(block, "docs/onnx.md", "exec"), {})
        assert (tmp_path / "layer.html").stat().st_size > 10_000
        torch.testing.assert_close(model(words[:1, :3])["tags"], module(words[:1, :3]).detach(), rtol=0, atol=2e-6)


def test_outputs_are_their_own_and_an_input_that_was_written_over_is_not_certified(opened: Any) -> None:
    text = PLAIN.replace("float[1,N,5] last)", "float[1,N,5] last, float[T,N,3] same, float[T,N,3] again)").replace(
        "  x2 = Tanh(x)", "  same = Identity(x)\n  again = Identity(x)\n  x2 = Tanh(x)"
    )
    model, x = opened(graph(text)), X.clone()
    outputs = model({"x": x, "lens": torch.tensor([7, 4], dtype=torch.int32)})
    outputs["same"].zero_()
    assert torch.equal(x, X) and torch.equal(outputs["again"], X)
    assert model.certificate.ok
    model({"x": x, "lens": torch.tensor([7, 4], dtype=torch.int32)})
    x.zero_()
    with pytest.raises(RuntimeError, match="written over since"):
        _ = model.certificate
