"""byhand.export_onnx on models with other things around the layers, and what it refuses."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning as L
import onnx
import pytest
import torch
from onnx_files import kinds, lengths_for, randomised, worst
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

import byhand
from byhand import LSTM, LSTMCell, cells, export_onnx
from byhand.interop.onnx_out import writing
from byhand.interop.parity import ParityReport

TOKENS = {"tokens": {0: "time", 1: "batch"}}
X = {"x": {0: "time", 1: "batch"}}
own_layers = {
    "lstm": lambda **options: LSTM(3, 5, **options),
    "slstm": lambda **options: LSTM(3, 5, cell=cells.slstm, **options),
    "torch.nn.LSTM": lambda **options: nn.LSTM(3, 5, **options),
    "torch.nn.GRU": lambda **options: nn.GRU(3, 5, **options),
}


class Tagger(nn.Module):
    """Tokens in, logits for each out. packs: through a PackedSequence, whose rows are changed on the way."""

    def __init__(self, layer: Any, *, packs: bool = False, in_order: bool = False, total: bool = True) -> None:
        super().__init__()
        self.embedding, self.layer, self.dropout = nn.Embedding(11, 3), layer, nn.Dropout(0.5)
        self.head = nn.Linear(5 * (2 if layer.bidirectional else 1), 2)
        self.packs, self.in_order, self.total = packs, in_order, total

    def forward(self, tokens: Tensor, lengths: Tensor | None = None) -> Any:
        x, first = self.dropout(self.embedding(tokens)), self.layer.batch_first
        if not self.packs:
            return self.head(self.layer(x)[0])
        packed = pack_padded_sequence(x, lengths, batch_first=first, enforce_sorted=self.in_order)
        output, last = self.layer(packed)
        changed = PackedSequence(2 * output.data, output.batch_sizes, output.sorted_indices, output.unsorted_indices)
        total = tokens.size(1 if first else 0) if self.total else None
        padded, found = pad_packed_sequence(changed, batch_first=first, padding_value=-1.0, total_length=total)
        return {"logits": self.head(padded), "lengths_again": found, "last": last}


def tokens(time: int, batch: int) -> dict[str, Tensor]:
    return {"tokens": torch.randint(11, (time, batch))}


@pytest.mark.parametrize("name", own_layers)
def test_an_embedding_and_a_head(name: str, tmp_path: Path) -> None:
    """Time first, which torch's newer exporter gets wrong; torch's own layers are written as byhand's."""
    model, file = randomised(Tagger(own_layers[name]())), tmp_path / "model.onnx"
    report = export_onnx(model, file, torch.randint(11, (6, 2)), axes=TOKENS)
    assert worst(file, model, tokens) <= 1e-5 and report.ok and len(report.values) == 5
    assert type(model.layer) is type(own_layers[name]())
    made = onnx.load(file).graph.output[0].type.tensor_type.shape.dim
    assert [one.dim_param or one.dim_value for one in made] == ["time", "batch", 2]


@pytest.mark.parametrize("name", own_layers)
def test_batch_first_bidirectional_and_stacked(name: str, tmp_path: Path) -> None:
    model, file = (
        randomised(Tagger(own_layers[name](batch_first=True, bidirectional=True, num_layers=2))),
        tmp_path / "model.onnx",
    )
    export_onnx(model, file, torch.randint(11, (2, 6)), axes={"tokens": ("batch", "time")})
    assert worst(file, model, lambda time, batch: tokens(batch, time)) <= 1e-5


@pytest.mark.parametrize("total", [True, False])
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("name", own_layers)
def test_packed_sequences(name: str, batch_first: bool, total: bool, tmp_path: Path) -> None:
    """The model packs, changes the rows, and unpacks; nothing is packed in the file but what is changed."""
    layer = own_layers[name](batch_first=batch_first, bidirectional=True)
    model, file = randomised(Tagger(layer, packs=True, total=total)), tmp_path / "model.onnx"
    shape, axes = ((4, 6), {0: "batch", 1: "time"}) if batch_first else ((6, 4), {0: "time", 1: "batch"})
    example = {"tokens": torch.randint(11, shape), "lengths": torch.tensor([2, 6, 4, 3])}
    export_onnx(model, file, example, axes={"tokens": axes, "lengths": {0: "batch"}}, lengths="lengths")

    def given(time: int, batch: int) -> dict[str, Tensor]:
        sizes = (batch, time) if batch_first else (time, batch)
        return {"tokens": torch.randint(11, sizes), "lengths": lengths_for(time, batch)}

    assert worst(file, model, given) <= 1e-5
    outputs = [one.name for one in onnx.load(file).graph.output]
    assert outputs == ["logits", "lengths_again", *(["last_0", "last_1"] if len(outputs) == 4 else outputs[2:])]


def test_packed_sequences_that_are_in_order(tmp_path: Path) -> None:
    model, file = randomised(Tagger(LSTM(3, 5, cell=cells.peephole), packs=True, in_order=True)), tmp_path / "model.onnx"
    example = {"tokens": torch.randint(11, (6, 3)), "lengths": torch.tensor([6, 4, 4])}
    export_onnx(model, file, example, axes={**TOKENS, "lengths": {0: "batch"}}, lengths="lengths")

    def given(time: int, batch: int) -> dict[str, Tensor]:
        return tokens(time, batch) | {"lengths": lengths_for(time, batch).sort(descending=True).values}

    assert worst(file, model, given) <= 1e-5


class Hidden(nn.Module):
    """Two layers in a list, which are no submodules."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(2.0))
        self.layers = [randomised(LSTM(3, 3)), randomised(LSTM(3, 3), 0.7)]

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)[0]
        return self.scale * x


def test_layers_that_are_no_submodules_keep_their_own_weights(tmp_path: Path) -> None:
    model, file = Hidden(), tmp_path / "model.onnx"
    export_onnx(model, file, torch.randn(6, 2, 3), axes=X)
    assert worst(file, model, lambda time, batch: {"x": torch.randn(time, batch, 3)}) <= 1e-5


class Translator(nn.Module):
    """An encoder hands its states to a decoder; a third layer reads both ends of what comes out."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = LSTM(3, 5, 2, cell=cells.peephole)
        self.decoder = LSTM(4, 5, 2, batch_first=True)
        self.judge = nn.GRU(5, 3, bidirectional=True)

    def forward(self, source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        output, _ = self.decoder(target.transpose(0, 1), self.encoder(source)[1])
        return output, self.judge(output.transpose(0, 1))[1]


def test_states_are_handed_over(tmp_path: Path) -> None:
    model, file = randomised(Translator()), tmp_path / "model.onnx"
    example = (torch.randn(6, 2, 3), torch.randn(4, 2, 4))
    axes = {"source": ("time", "batch", None), "target": ("words", "batch", None)}
    export_onnx(model, file, example, axes=axes, outputs=["output", "verdict"])
    assert (
        worst(
            file, model, lambda time, batch: {"source": torch.randn(time, batch, 3), "target": torch.randn(time + 2, batch, 4)}
        )
        <= 1e-5
    )
    written = onnx.load(file)
    assert kinds(written).count("LSTM") == 4 and kinds(written).count("GRU") == 1
    assert [
        [one.dim_param or one.dim_value for one in output.type.tensor_type.shape.dim] for output in written.graph.output
    ] == [
        ["batch", "words", 5],
        [2, "batch", 3],
    ]


class Twice(nn.Module):
    """One layer, called twice, with its states; parameters that are made by others."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor, hx: Any = None, reset: Tensor | None = None) -> Any:
        y, last = self.layer(x, hx) if reset is None else self.layer(x, hx, reset=reset)
        return self.layer(y, last)


def test_one_layer_twice_has_its_weights_once(tmp_path: Path) -> None:
    model, file = randomised(Twice(LSTM(3, 3, cell=cells.peephole))), tmp_path / "model.onnx"
    nn.utils.parametrizations.weight_norm(model.layer, "weight_hh_l0")
    export_onnx(model, file, torch.randn(6, 2, 3), axes=X)
    assert worst(file, model, lambda time, batch: {"x": torch.randn(time, batch, 3)}) <= 1e-5
    written = onnx.load(file)
    assert (
        kinds(written).count("LSTM") == 2 and len([one for one in written.graph.initializer if one.name == "layer.W_l0"]) == 1
    )


@pytest.mark.parametrize("cell", [cells.lstm, cells.gru, cells.slstm], ids=repr)
@pytest.mark.parametrize("options", [{}, {"batch_first": True, "bidirectional": True, "learn_initial_state": True}], ids=str)
def test_sequences_that_start_again_inside(cell: byhand.Cell, options: dict[str, Any], tmp_path: Path) -> None:
    width = 6 if options else 3
    layer = LSTM(width, 3, cell=cell, **options)
    model, file = randomised(Twice(layer)), tmp_path / "model.onnx"
    names = ("batch", "time") if options else ("time", "batch")

    def given(time: int, batch: int) -> dict[str, Any]:
        sizes = (batch, time) if options else (time, batch)
        states = [torch.randn(2 if options else 1, batch, 3) for _ in cell.state]
        return {
            "x": torch.randn(*sizes, width),
            "hx": tuple(states) if len(states) > 1 else states[0],
            "reset": torch.rand(sizes) < 0.4,
        }

    export_onnx(model, file, given(6, 2), axes={"x": names, "reset": names, "hx": {1: "batch"}})

    def fed(time: int, batch: int) -> Mapping[str, Tensor]:
        found = given(time, batch)
        states = found.pop("hx")
        named = {"hx": states} if isinstance(states, Tensor) else {f"hx_{index}": one for index, one in enumerate(states)}
        return found | named

    def call(x: Tensor, reset: Tensor, **states: Tensor) -> Any:
        hx: Any = tuple(states.values())
        return model(x, hx if len(hx) > 1 else hx[0], reset)

    assert worst(file, model, fed, call) <= 1e-5


@pytest.mark.parametrize("cell", [cells.lstm, cells.slstm], ids=repr)
def test_one_sequence_without_a_batch(cell: byhand.Cell, tmp_path: Path) -> None:
    model, file = randomised(Twice(LSTM(3, 3, cell=cell))), tmp_path / "model.onnx"
    export_onnx(model, file, torch.randn(6, 3), axes={"x": {0: "time"}})
    assert worst(file, model, lambda time, batch: {"x": torch.randn(time, 3)}) <= 1e-5


class Steps(nn.Module):
    """A loop over steps, in Python."""

    def __init__(self) -> None:
        super().__init__()
        self.single = LSTMCell(3, 5, cell=cells.peephole)

    def forward(self, x: Tensor) -> Any:
        states = None
        for step in x:
            states = self.single(step, states)
        return states


def test_a_loop_in_python_is_written_for_one_length_or_refused(tmp_path: Path) -> None:
    model, file = randomised(Steps()), tmp_path / "model.onnx"
    export_onnx(model, file, torch.randn(4, 2, 3), axes={"x": {1: "batch"}})
    assert max(worst(file, model, lambda _, batch: {"x": torch.randn(4, batch, 3)}), 0) <= 1e-5
    before = file.read_bytes()
    with pytest.raises(
        RuntimeError, match=r"nothing is left on disk.*a loop over steps in the model's own code is written for"
    ):
        export_onnx(model, file, torch.randn(4, 2, 3), axes=X)
    with pytest.raises(RuntimeError, match="nothing is left on disk"):
        export_onnx(model, tmp_path / "other.onnx", torch.randn(4, 2, 3), axes=X)
    assert file.read_bytes() == before and [one.name for one in tmp_path.iterdir()] == ["model.onnx"]


def test_a_wrong_file_is_not_kept_and_the_figures_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator with two gates in each other's place."""
    right = writing.operator_of

    def swapped(cell: byhand.Cell) -> Any:
        found = right(cell)
        return replace(found, rows=("o", "i", *found.rows[2:])) if found else None

    monkeypatch.setattr(writing, "operator_of", swapped)
    with pytest.raises(RuntimeError, match="computes something else; nothing is left on disk") as problem:
        export_onnx(randomised(LSTM(3, 5)), tmp_path / "layer.onnx")
    assert "output, time 5, batch 3" in str(problem.value) and "beyond the tolerance" in str(problem.value)
    assert not list(tmp_path.iterdir())


def test_the_model_stays_as_it_is_and_the_file_says_what_it_is(tmp_path: Path) -> None:
    model, file = Tagger(LSTM(3, 5, cell=cells.slstm)), tmp_path / "model.onnx"
    model.train()
    model.head.eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    report = export_onnx(model, file, torch.randint(11, (6, 2)), axes=TOKENS)
    assert [part.training for part in model.children()] == [True, True, True, False]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    words = {one.key: one.value for one in onnx.load(file).metadata_props}
    assert words["byhand.version"] == byhand.__version__
    assert json.loads(words["byhand.cells"]) == {"layer": {"cell": "slstm", "form": ["Scan"]}}
    assert ParityReport.from_json(words["byhand.certificate"]) == report
    assert report.notes == ("layer: cell slstm, as Scan",) and report.tolerance == 1e-5


def test_a_lightning_module(tmp_path: Path) -> None:
    class Module(L.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = Tagger(LSTM(3, 5))

        def forward(self, tokens: Tensor) -> Tensor:
            return self.model(tokens)

    module, file = randomised(Module()), tmp_path / "model.onnx"
    export_onnx(module, file, torch.randint(11, (6, 2)), axes=TOKENS)
    assert worst(file, module, tokens) <= 1e-5


def test_under_modes_of_the_caller(tmp_path: Path) -> None:
    model, file = randomised(Tagger(LSTM(3, 5))), tmp_path / "model.onnx"
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.inference_mode():
        assert export_onnx(model, file, torch.randint(11, (6, 2)), axes=TOKENS).worst < 1e-5
    assert worst(file, model, tokens) <= 1e-5


def not_elementwise(x: Any, u: Any, s: Any, p: Any) -> Any:
    h = torch.linalg.inv(torch.diag_embed(2 + torch.tanh(x.a + u.a))).sum(-1)
    return (h,), {"h": h}


STRANGE = byhand.Cell(name="strange", gates=("a",), state=("h",), step=not_elementwise, elementwise=False)
half: Any = LSTM(3, 5).to(torch.bfloat16)
REFUSED: list[tuple[Any, dict[str, Any], type[Exception], str]] = [
    ("a layer", {}, TypeError, "export_onnx expected a module, got a str"),
    (
        Tagger(LSTM(3, 5)),
        {},
        TypeError,
        r"expected an example of the inputs of Tagger, got none: export_onnx\(model, file, \{'x': x\}",
    ),
    (LSTM(3, 5), {"form": "loop"}, ValueError, "expected form='auto' or 'scan', got 'loop'"),
    (LSTM(3, 5), {"opset": 13}, ValueError, "expected an opset from 17 to 20, got 13"),
    (LSTM(3, 5), {"lengths": "lengths"}, ValueError, "expected lengths=True for a layer alone, got 'lengths'"),
    (LSTMCell(3, 5), {"lengths": True}, ValueError, "expected no lengths for an LSTMCell, which runs one step"),
    (LSTM(3, 5), {"sizes": {"width": (1, 2)}}, ValueError, "expected sizes for the axes time, batch, got width"),
    (LSTM(3, 5), {"sizes": {"time": (4, 4)}}, ValueError, r"expected two different sizes for axis 'time', got \(4, 4\)"),
    (
        LSTM(3, 5),
        {"outputs": ["y"]},
        ValueError,
        r"expected 3 names for the outputs, other than those of the inputs, got \['y'\]",
    ),
    (
        half,
        {},
        ValueError,
        r"expected float32 or float64, got torch.bfloat16: export_onnx\(copy.deepcopy\(module\).float\(\), ...\)",
    ),
    (
        Twice(LSTM(3, 3)),
        {"inputs": torch.randn(6, 2, 3)},
        ValueError,
        r"expected the axes that may have any size, got none: axes=\{'x': \{0: 'time'",
    ),
    (
        Twice(LSTM(3, 3)),
        {"inputs": torch.randn(6, 2, 3), "axes": {"y": {0: "time"}}},
        ValueError,
        "expected axes of the inputs x, got 'y'",
    ),
    (
        Twice(LSTM(3, 3)),
        {"inputs": torch.randn(6, 2, 3), "axes": {"x": {3: "time"}}},
        ValueError,
        r"of shape \(6, 2, 3\), as \{0: 'time', 1: 'batch'\}",
    ),
    (Twice(LSTM(3, 3)), {"inputs": torch.randn(6, 2, 3), "axes": X, "states": True}, ValueError, "for a layer alone only"),
    (
        Twice(LSTM(3, 3)),
        {"inputs": torch.randn(6, 2, 3), "axes": X, "lengths": "x"},
        ValueError,
        "lengths to name an input of whole numbers",
    ),
    (
        LSTM(3, 5, cell=STRANGE),
        {},
        ValueError,
        "cannot write the step of cell 'strange', for which there is no program, since torch.onnx.export",
    ),
]


@pytest.mark.parametrize(("module", "options", "kind", "words"), REFUSED, ids=[words[:40] for _, _, _, words in REFUSED])
def test_what_is_refused(module: Any, options: dict[str, Any], kind: type[Exception], words: str, tmp_path: Path) -> None:
    with pytest.raises(kind, match=words):
        export_onnx(module, tmp_path / "file.onnx", **options)
    assert not list(tmp_path.iterdir())


def test_a_packed_output_and_an_open_edit_are_refused(tmp_path: Path) -> None:
    class Packs(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = LSTM(3, 5)

        def forward(self, x: Tensor) -> PackedSequence:
            return self.layer(pack_padded_sequence(x, torch.tensor([4, 2])))[0]

    with pytest.raises(TypeError, match="expected tensors, got a PackedSequence for output: pad it in the model"):
        export_onnx(Packs(), tmp_path / "file.onnx", torch.randn(4, 2, 3), axes=X)
    layer = LSTM(3, 5)
    with byhand.edit(layer, {"l0.f": 0.0}), pytest.raises(RuntimeError, match="no open record, edit or use_engine around it"):
        export_onnx(layer, tmp_path / "file.onnx")


def test_chaos_of_rounding_is_measured(tmp_path: Path) -> None:
    """A model that makes much of a rounding of its input gets the tolerance that this explains, and the report says so."""

    class Steep(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = randomised(LSTM(3, 5))

        def forward(self, x: Tensor) -> Tensor:
            return torch.sin(3000 * self.layer(x)[0])

    report = export_onnx(Steep(), tmp_path / "file.onnx", torch.randn(6, 2, 3), axes=X)
    assert 1e-5 < report.worst <= report.tolerance <= 1e-3
    assert "inputs that are rounded once more move the module's own outputs by" in report.notes[-1]
    with pytest.raises(RuntimeError, match="Where rounding is the reason"):
        export_onnx(Steep(), tmp_path / "file.onnx", torch.randn(6, 2, 3), axes=X, tolerance=1e-5)


def test_importing_byhand_loads_none_of_it() -> None:
    code = "import sys, byhand; print(sorted(one for one in sys.modules if 'onnx' in one and not one.startswith('torch')))"
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert made.stdout.strip() == "[]"


def test_without_onnx_it_says_what_to_type(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(
        ModuleNotFoundError, match=r"export_onnx needs onnxruntime, not installed here: pip install 'byhand\[onnx\]'"
    ):
        export_onnx(LSTM(3, 5), tmp_path / "file.onnx")
