"""What the page is told: exact numbers, honest thinning, and a file that stays small."""

import inspect
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import documents
import pytest
import torch
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_sequence

import byhand
from byhand import LSTM, cells
from byhand.explorer import Snapshots, explore
from byhand.explorer.document import maps
from byhand.explorer.document.document import document
from byhand.explorer.document.packing import levelled, packed, packed_as, restored, rounded
from byhand.explorer.hosts.page import json_text
from byhand.explorer.hosts.page import page as html_of

ALL = [cell for name in cells.__all__ if isinstance(cell := getattr(cells, name), cells.Cell)]


def numbers(pack: Mapping[str, Any]) -> Tensor:
    return restored(dict(pack))


@given(st.lists(st.floats(width=32), min_size=1, max_size=40), st.booleans())
def test_packing_loses_nothing_but_what_it_says(values: list[float], wide: bool) -> None:
    value = torch.tensor(values, dtype=torch.float64 if wide else torch.float32)
    assert torch.equal(restored(packed(value)).nan_to_num(7.0), value.double().nan_to_num(7.0))
    columns = torch.stack([value, value.flip(0) / 2, torch.zeros_like(value)], 1)
    for dtype, most in (("u1", 254), ("u2", 65534)):
        small = levelled(columns, dtype)
        found, finite, error = restored(small), torch.isfinite(columns), restored(small["error"])
        assert torch.equal(torch.isfinite(found), finite)
        off = (found - columns.double()).abs().nan_to_num(0.0, 0.0)
        assert (off <= error).all()
        step = (restored(small["high"]) - restored(small["low"])) / most
        size = (
            columns.abs().nan_to_num(0.0, 0.0, 0.0).amax().double()
        )  # float32 ends of the scale, which take their own rounding
        assert (error <= step * 0.5001 + size * 1e-6 + 1e-44).all()


def test_half_precision_rounds_as_torch_does_and_leaves_what_is_too_large() -> None:
    value = torch.tensor([1e-8, 6.1e-5, 0.1, -1 / 3, 65504.0, torch.inf, torch.nan])
    assert torch.equal(restored(packed_as(value, "f2")).nan_to_num(7.0), value.half().double().nan_to_num(7.0))
    large = torch.tensor([0.1, 1e5])
    assert torch.equal(rounded(large, "f2"), large) and torch.equal(restored(packed_as(large, "f2")).float(), large)


def test_one_hot_inputs_take_a_byte_each_and_lose_nothing() -> None:
    value = nn.functional.one_hot(torch.arange(50) % 7).float()
    pack = packed(value)
    assert pack["dtype"] == "u1" and torch.equal(restored(pack), value.double())


@pytest.mark.parametrize("cell", ALL, ids=repr)
def test_every_cell_has_its_program_or_a_reason(cell: cells.Cell) -> None:
    model = LSTM(3, 4, 2, cell=cell)
    x = torch.randn(5, 2, 3)
    found = document(model, x)
    about = found["cell"]
    assert about["sites"] == list(cell.sites) and set(about["ranges"]) == set(cell.sites)
    assert about["equations"], "the cell's file writes its equations at its head"
    assert found["computed"] == (about["program"] is not None) == (cell.elementwise or bool(cell.inner))
    assert (found["why_not"] is None) == found["computed"]
    for item in found["items"]:
        assert (item["maps"] is None) == found["computed"]
    json.loads(json_text(found))


def test_ranges_are_those_of_the_values() -> None:
    about = document(LSTM(1, 1), torch.ones(2, 1, 1))["cell"]
    assert about["ranges"] == {
        "i": "share",
        "f": "share",
        "g": "signed",
        "o": "share",
        "c": "free",
        "tanh_c": "signed",
        "h": "signed",
    }
    assert about["labels"]["f"] == "forget gate" and about["labels"]["c"] == "long memory"


def test_weights_and_inputs_are_those_of_the_model() -> None:
    model = LSTM(3, 6, 2, bidirectional=True, proj_size=2, dtype=torch.float64)
    x = torch.randn(9, 3, 3, dtype=torch.float64)
    hx = torch.randn(4, 3, 2, dtype=torch.float64), torch.randn(4, 3, 6, dtype=torch.float64)
    found = document(model, x, hx=hx, lengths=[9, 4, 1])
    assert [layer["place"] for layer in found["layers"]] == ["l0", "l0.reverse", "l1", "l1.reverse"]
    for layer, weights in zip(found["layers"], model.all_weights, strict=True):
        names = ("input", "recurrent", "bias_input", "bias_recurrent", "projection")
        for name, value in zip(names, weights, strict=True):
            assert torch.equal(numbers(layer["weights"][name]), value)
    assert [item["steps"] for item in found["items"]] == [9, 4, 1]
    for row, item in enumerate(found["items"]):
        assert torch.equal(numbers(item["input"]), x[: item["steps"], row])
        for place, name in enumerate(("l0", "l0.reverse", "l1", "l1.reverse")):
            for state, value in zip(("h", "c"), hx, strict=True):
                assert torch.equal(numbers(item["initial"][name][state]), value[place, row])


def test_maps_are_the_traces() -> None:
    model = LSTM(2, 5, cell=cells.layernorm_lstm)
    x = torch.randn(12, 2, 2)
    found = document(model, x)
    with torch.no_grad(), byhand.record(model) as trace:
        model(x)
    for name, value in trace.items():
        place, site = name.split(".")
        for row, item in enumerate(found["items"]):
            shown = item["maps"][place][site]
            assert shown["every"] == 1 and shown["units"] is None
            assert torch.equal(numbers(shown["values"]).float(), value[:, row])


def test_input_as_the_model_takes_it() -> None:
    x = torch.randn(5, 2, 3)
    model, first = LSTM(3, 4), LSTM(3, 4, batch_first=True)
    shown = [document(model, x), document(first, x.transpose(0, 1)), document(model, pack_sequence([x[:, 0], x[:, 1]]))]
    shown += [document(model, x[:, 0]), document(nn.Sequential(model), x), document(model, x, lengths=torch.tensor([5, 5]))]
    for found in shown:
        for row, item in enumerate(found["items"]):
            assert torch.equal(numbers(item["input"]).float(), x[:, row])
    assert [layer["place"] for layer in shown[4]["layers"]] == ["0.l0"]


class Model(nn.Module):
    """A module around an LSTM, of two arguments, that would be another with its dropout on."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.drop, self.lstm = nn.Embedding(7, 3), nn.Dropout(0.9), LSTM(3, 4)

    def forward(self, words: Tensor, scale: float) -> Tensor:
        return self.lstm(self.drop(self.table(words)) * scale)[0]


def test_a_module_around_the_layer_runs_in_eval_mode_and_is_left_as_it_was() -> None:
    model = Model()
    model.drop.eval()
    model.train()
    model.table.eval()
    words = torch.randint(7, (6, 2))
    for x in ((words, 2.0), {"words": words, "scale": 2.0}):
        found = document(model, x)
        assert found["computed"]
        assert torch.equal(numbers(found["items"][1]["input"]).float(), 2 * model.table(words[:, 1]).detach())
    assert [module.training for module in (model, model.drop, model.lstm, model.table)] == [True, True, True, False]


class Several(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = LSTM(3, 4), LSTM(4, 5, cell=cells.gru)

    def forward(self, x: Tensor) -> Tensor:
        return self.two(self.one(x)[0])[0]


def test_several_layers_are_shown_and_not_computed() -> None:
    found = document(Several(), torch.randn(5, 2, 3))
    assert not found["computed"] and "several recurrent layers" in found["why_not"]
    assert [layer["place"] for layer in found["layers"]] == ["one.l0", "two.l0"]
    assert set(found["items"][0]["maps"]["two.l0"]) == set(cells.gru.sites)
    assert found["cell"]["sites"] == [*cells.lstm.sites, "r", "z", "n"]
    html_of(found)


def test_a_layer_that_is_called_twice_is_shown_along_time() -> None:
    model = nn.Sequential(LSTM(3, 4))
    model.forward = lambda x: (model[0](x), model[0](x))
    found = document(model, torch.randn(5, 2, 3))
    assert not found["computed"] and "several times" in found["why_not"]
    assert found["items"][0]["steps"] == 10


def test_a_trace_needs_no_model() -> None:
    found = documents.of_a_trace()
    assert not found["computed"] and found["cell"]["name"] == "gru" and found["layers"][0]["weights"] is None
    assert set(found["items"][0]["maps"]["l0"]) == set(cells.gru.sites)


@pytest.mark.parametrize(("units", "layers", "most"), [(128, 2, 2_000_000), (256, 2, 6_000_000), (512, 4, 24_000_000)])
def test_usual_sizes_are_put_in_with_their_weights(units: int, layers: int, most: int) -> None:
    model, x = LSTM(64, units, layers), torch.randn(30, 1, 64)
    found = document(model, x)
    assert len(html_of(found)) <= most and found["computed"] and found["items"][0]["maps"] is None
    kept = numbers(found["layers"][-1]["weights"]["recurrent"]).float()
    exact = units < 512
    assert torch.equal(kept, model.all_weights[-1][1].detach() if exact else model.all_weights[-1][1].detach().half().float())
    assert ("errors" in found["layers"][0]) is not exact
    assert [notice for notice in found["notices"] if "rounded to float16" in notice] == ([] if exact else found["notices"])


def test_rounded_weights_bring_how_far_the_values_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("byhand.explorer.document.precision.BUDGET", 902_000)
    torch.manual_seed(0)
    model, head = LSTM(3, 5, 2, bidirectional=True, proj_size=2, batch_first=True), nn.Linear(4, 7)
    x, lengths = torch.randn(2, 11, 3), [11, 4]
    found = document(model, x, lengths=lengths, head=head, squash="softmax")
    packing = nn.utils.rnn.pack_padded_sequence(x, torch.tensor(lengths), batch_first=True)
    theirs = nn.LSTM(3, 5, 2, bidirectional=True, proj_size=2, batch_first=True).double()
    theirs.load_state_dict({name: value.half() if value.dim() > 1 else value for name, value in model.state_dict().items()})
    with torch.no_grad(), byhand.record(model) as trace:
        y, _ = model(packing)
        other, _ = theirs(packing.to(torch.float64))
    ours, other = (nn.utils.rnn.pad_packed_sequence(one, batch_first=True)[0] for one in (y, other))
    difference = (ours - other).abs().amax((0, 1))
    errors = {layer["place"]: layer["errors"]["h"] for layer in found["layers"][2:]}
    assert errors["l1"] == pytest.approx(difference[:2].max().item(), rel=1e-3) and 0 < errors["l1"] < 1e-3
    assert errors["l1.reverse"] == pytest.approx(difference[2:].max().item(), rel=1e-3)
    assert set(found["layers"][0]["errors"]) == {
        name.removeprefix("l0.") for name in trace if name.startswith("l0.") and "reverse" not in name
    }
    valid = torch.arange(11) < torch.tensor(lengths).unsqueeze(1)
    shares = [(one.double() @ head.weight.double().T + head.bias).softmax(-1)[valid] for one in (ours, other)]
    assert found["head"]["error"] == pytest.approx((shares[0] - shares[1]).abs().max().item(), rel=1e-3)


def test_models_beyond_all_bounds_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("byhand.explorer.document.precision.BUDGET", 901_000)
    monkeypatch.setattr("byhand.explorer.document.precision.HALF", 1000)
    found = document(LSTM(8, 16), torch.randn(4, 1, 8))
    assert found["why_not"] == (
        "its 1,664 weights were left out to keep the file small. For a live page: explore(..., full=['weights'])"
    )
    assert document(LSTM(8, 16), torch.randn(4, 1, 8), full=["weights"])["computed"]


def test_large_models_that_the_page_cannot_compute_are_thinned_into_six_megabytes() -> None:
    found = document(LSTM(64, 512, 4, cell=cells.layernorm_lstm), torch.randn(1000, 1, 64), head=nn.Linear(512, 3))
    assert len(html_of(found)) <= 6_000_000 and not found["computed"]
    (notice,) = found["notices"]
    assert "each 2nd unit is there" in notice and "mean of" in notice and "full=['l0', 'l1.unit 3']" in notice
    shown = found["items"][0]["maps"]["l3"]["f"]
    assert shown["units"][:3] == [0, 2, 4] and numbers(shown["values"]["error"]).shape == (256,)
    assert numbers(found["items"][0]["head"]).shape == (1000, 3)


def test_thinned_maps_hold_means_of_steps_and_real_units(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("byhand.explorer.document.sequences.MAPS", 3000)
    model = LSTM(3, 20, 2, cell=cells.layernorm_lstm)
    x = torch.randn(50, 2, 3)
    found = document(model, x, full=["l1.unit 3", "l1.unit 11", "l1.unit 3"])
    with torch.no_grad(), byhand.record(model) as trace:
        model(x)
    assert len(found["items"]) == 1  # fewer sequences rather than maps with nothing to see
    for site, shown in found["items"][0]["maps"]["l0"].items():
        value = trace[f"l0.{site}"][:, 0, shown["units"]]
        expected = torch.stack([part.mean(0) for part in value.split(shown["every"])]).double()
        step = (numbers(shown["values"]["high"]) - numbers(shown["values"]["low"])) / 254
        assert shown["every"] > 1 and ((numbers(shown["values"]) - expected).abs() <= 0.51 * step).all()
        each = numbers(shown["values"]).repeat_interleave(shown["every"], 0)[:50]
        assert (
            (each - value.double()).abs() <= numbers(shown["values"]["error"])
        ).all()  # of what stands at a step, not of the mean
    for site, shown in found["items"][0]["maps"]["l1"].items():
        assert (shown["every"], shown["units"], shown["values"]["dtype"]) == (1, [3, 11], "f4")
        assert torch.equal(numbers(shown["values"]).float(), trace[f"l1.{site}"][:, 0, [3, 11]])
    assert any("of 2 sequences, the first 1 are here" in notice for notice in found["notices"])
    assert "of l1 the units asked for are here, in full, and no others: 3, 11" in found["notices"]
    assert document(LSTM(3, 20), x, full=["l0.unit 3"])["notices"] == []  # it computes: all units are there


@given(st.integers(1, 3000), st.integers(1, 2000), st.integers(1, 30), st.integers(200, 2_000_000))
def test_a_plan_fits_its_budget(steps: int, units: int, count: int, budget: int) -> None:
    shapes = [(steps, units)] * count
    plan = maps.plan_for(shapes, budget)
    assert plan.size(shapes) <= budget
    assert plan.dtype == "u1" or plan.every == plan.apart == 1


def test_many_long_sequences_are_not_all_put_in() -> None:
    found = document(LSTM(16, 2), torch.randn(400, 64, 16))
    assert len(found["items"]) == 14 and "of 64 sequences, the first 14 are here" in found["notices"][0]
    assert len(json_text(found)) < 1_000_000


def test_the_time_lapse_holds_what_was_taken() -> None:
    model, head = LSTM(2, 3), nn.Linear(3, 1)
    snapshots, kept = Snapshots(), []
    for epoch in range(5):
        nn.init.normal_(model.weight_hh_l0)
        kept.append(model.weight_hh_l0.detach().clone())
        snapshots.take(epoch * 10, model, float("nan") if epoch == 3 else 1 / (epoch + 1), head=head)
    found = document(model, torch.randn(4, 1, 2), head=head, training=snapshots)
    training = found["training"]
    assert training["epochs"] == [0, 10, 20, 30, 40] and [one["epoch"] for one in training["losses"]] == [0, 10, 20, 40]
    assert "1 losses of the training were no finite numbers" in found["notices"][0]
    for weights, expected in zip(training["weights"], kept, strict=True):
        assert torch.equal(numbers(weights[0]["recurrent"]).float(), expected)
    assert len(training["heads"]) == 5
    assert document(model, torch.randn(4, 1, 2), training=snapshots)["training"]["heads"] is None
    with pytest.raises(ValueError, match=r"expected a snapshot of this model, with weight_ih_l0 .*; got shape"):
        document(LSTM(2, 4), torch.randn(4, 1, 2), training=snapshots)


def test_what_a_time_lapse_has_not_kept_is_told() -> None:
    model, head, snapshots, bare = Model(), nn.Linear(4, 2), Snapshots(), Snapshots()
    snapshots.take(0, model.lstm, head=head)
    bare.take(0, model.lstm)
    words = torch.randint(7, (6, 2)), 2.0
    start = "in the time-lapse the LSTM is as it was at each epoch; as it is now at all of them: "
    assert document(model, words, head=head, training=snapshots)["notices"] == [f"{start}table"]
    assert document(model, words, head=(head.weight, head.bias), training=bare)["notices"] == [f"{start}table, the head"]
    assert document(model.lstm, torch.randn(4, 1, 3), head=head, training=snapshots)["notices"] == []
    assert document(model.lstm, torch.randn(4, 1, 3), training=bare)["notices"] == []
    model.head = head
    assert document(model, words, head=head, training=snapshots)["notices"] == [f"{start}table"]


def test_a_long_time_lapse_is_thinned_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("byhand.explorer.document.document.BUDGET", 902_400)
    model, snapshots = LSTM(2, 3), Snapshots()
    for epoch in range(41):
        snapshots.take(epoch, model)
    found = document(model, torch.randn(4, 1, 2), training=snapshots)
    epochs = found["training"]["epochs"]
    assert (epochs[0], epochs[-1]) == (0, 40) and len(epochs) == 4
    assert "of 41 snapshots of the training, 4 are here" in found["notices"][0]
    monkeypatch.setattr("byhand.explorer.document.document.BUDGET", 901_000)
    found = document(model, torch.randn(4, 1, 2), training=snapshots)
    assert found["training"] is None and "time-lapse of the training is left out" in found["notices"][0]


def test_hostile_words_and_no_numbers_pass_through_json() -> None:
    text = json_text(documents.hostile())
    assert "<" not in text and text.isascii()
    assert json.loads(text)["title"] == documents.HOSTILE
    assert json.loads(json_text({"a": float("-inf"), "b": float("nan"), "c": 'NaN, \\"Infinity'})) == {
        "a": float("-inf"),
        "b": None,
        "c": 'NaN, \\"Infinity',
    }
    with torch.no_grad():
        model = LSTM(1, 1)
        model.weight_hh_l0[0] = torch.nan
    found = json.loads(json_text(document(model, torch.ones(2, 1, 1))))
    assert numbers(found["layers"][0]["weights"]["recurrent"]).isnan().sum() == 1


REFUSED: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"x": None}, TypeError, "expected an input to show the model on, got none"),
    ({"features": ["a"]}, ValueError, "features: expected 3, one for each input; got 1"),
    ({"features": "abc"}, TypeError, "features: expected a list of 3 words"),
    ({"items": ["a", "b", "c"]}, ValueError, "items: expected 2, one for each sequence; got 3"),
    (
        {"characters": ["abcde", "abc"]},
        ValueError,
        r"characters: expected one for each step of each sequence, \[5, 5\] in number; got \[5, 3\]",
    ),
    ({"characters": "abcde"}, ValueError, r"characters: expected .* got \[5\]"),
    ({"lengths": [5]}, ValueError, r"expected 2 lengths from 1 to 5, got \[5\]"),
    ({"lengths": [5, 0]}, ValueError, "expected 2 lengths from 1 to 5"),
    ({"head": nn.Linear(3, 2)}, ValueError, r"head: expected a weight \(outputs, 4\)"),
    ({"head": "linear"}, TypeError, "head: expected an nn.Linear, or a tuple of weight and bias; got a str"),
    ({"names": ["a"]}, ValueError, "names and squash are of the outputs of a head"),
    ({"head": nn.Linear(4, 2), "names": ["a"]}, ValueError, "names: expected 2, one for each output; got 1"),
    (
        {"full": ["l7"]},
        ValueError,
        r"full: expected 'weights', a layer or LAYER.unit NUMBER out of l0 \(units 0 to 3\); got 'l7'",
    ),
    ({"full": ["l0.unit 4"]}, ValueError, "full: expected"),
    ({"full": "l0"}, TypeError, r"write full=\['l0'\]"),
    ({"training": Snapshots()}, ValueError, "training: expected snapshots, got none"),
]


@pytest.mark.parametrize(("options", "kind", "message"), REFUSED, ids=lambda one: str(one)[:30])
def test_what_makes_no_sense_is_refused(options: dict[str, Any], kind: type[Exception], message: str) -> None:
    given = {"x": torch.randn(5, 2, 3)} | options
    with pytest.raises(kind, match=message):
        explore(LSTM(3, 4), given.pop("x"), **given)


def test_what_is_no_model_is_refused() -> None:
    with pytest.raises(ValueError, match=r"explore found no byhand\.LSTM inside Linear"):
        explore(nn.Linear(2, 2), torch.randn(2, 2))
    with pytest.raises(TypeError, match="shows what was recorded, so it takes no input"):
        explore(byhand.Trace(), torch.randn(2, 2))
    with pytest.raises(ValueError, match="expected a trace of something, got an empty one"):
        explore(byhand.Trace())
    with pytest.raises(TypeError, match=r"takes hx and lengths for a byhand.LSTM"):
        explore(nn.Sequential(LSTM(2, 2)), torch.randn(3, 1, 2), lengths=[3])


def test_explore_takes_what_document_takes() -> None:
    assert list(inspect.signature(explore).parameters) == [*inspect.signature(document).parameters, "beside"]


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    made = explore(LSTM(1, 1), torch.ones(2, 1, 1))
    path = tmp_path / "page.html"
    assert made.save(path) == path and path.read_text().startswith("<!doctype html>")
    before = path.read_bytes()
    with pytest.raises(OSError, match=r"nowhere/page.html: cannot be written: No such file"):
        made.save(tmp_path / "nowhere" / "page.html")
    with pytest.raises(OSError, match="cannot be written"):
        made.save(tmp_path)
    made.document = {"title": "no document"}
    made.document["self"] = made.document
    with pytest.raises(ValueError, match="Circular"):
        made.save(path)
    assert path.read_bytes() == before and [one.name for one in tmp_path.iterdir()] == ["page.html"]


def test_what_the_page_changed_is_what_edit_takes() -> None:
    model, x = LSTM(2, 3), torch.randn(5, 1, 2)
    made = explore(model, x)
    assert made.edits == {} and made.weights == [] and made.inputs == []
    changes = [
        {"kind": "site", "place": "l0", "site": "f", "value": 0, "time": None, "unit": None, "on": True},
        {"kind": "site", "place": "l0", "site": "f", "value": 1, "time": 2, "unit": 1, "on": True},
        {"kind": "site", "place": "l0", "site": "o", "value": 1, "time": None, "unit": 0, "on": False},
        {"kind": "weight", "place": "l0", "part": "input", "row": 3, "column": 1, "value": 2.5, "on": True},
        {"kind": "input", "item": 0, "time": 1, "feature": 0, "value": -1, "on": True},
        {"kind": "initial", "item": 0, "place": "l0", "state": "c", "unit": 2, "value": 0.5, "on": True},
    ]
    made.widget.edits = json.dumps(changes)
    with byhand.edit(model, made.edits), byhand.record(model) as trace:
        model(x)
    expected = torch.zeros(5, 1, 3)
    expected[2, 0, 1] = 1
    assert torch.equal(trace["l0.f"], expected) and list(made.edits) == ["l0.f"]
    assert made.weights == [{"place": "l0", "part": "input", "row": 3, "column": 1, "value": 2.5}]
    assert made.inputs == [
        {"item": 0, "time": 1, "feature": 0, "value": -1},
        {"item": 0, "place": "l0", "state": "c", "unit": 2, "value": 0.5},
    ]


def test_without_anywidget_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "byhand.explorer.hosts.widget", None)
    made = explore(LSTM(1, 1), torch.ones(2, 1, 1))
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'byhand\[explore\]'"):
        _ = made.widget
    bundle, _ = made._repr_mimebundle_()
    assert "pip install" in bundle["text/plain"] and made.edits == {}


def test_the_lines_of_the_documentation_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/explorer.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 5
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, "docs/explorer.md", "exec"), names)
    assert "byhand-document" in (tmp_path / "page.html").read_text()
