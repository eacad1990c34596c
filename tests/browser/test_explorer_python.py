"""The Python text that the page offers for its changes: run, it gives the numbers that the page shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from browser import Opener
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

import byhand
from byhand import LSTM, Cell, cells
from byhand.explorer.document.document import document

STORE = "document.querySelector('#byhand-explorer').byhand.store"
SHOWN = f"""(item) => {{
    const {{ model, state }} = {STORE};
    const top = Math.max(...model.doc.layers.map((one) => one.layer));
    const {{ places }} = model.run(item, state.edits, state.snapshot);
    const layers = model.doc.layers.filter((one) => one.layer === top);
    return layers.map((one) => [...places[one.place].sites[model.doc.cell.state[0]].data]);
}}"""


def make(cell: Cell = cells.lstm, steps: int = 6, **options: Any) -> tuple[LSTM, Tensor]:
    torch.manual_seed(1)
    return LSTM(3, 4, cell=cell, dtype=torch.float64, **options), torch.randn(steps, 2, 3, dtype=torch.float64)


def site(value: float, name: str = "f", place: str = "l0", time: int | None = 2, unit: int | None = 1) -> dict[str, Any]:
    return {"kind": "site", "place": place, "site": name, "value": value, "time": time, "unit": unit}


def initial(state: str, value: float = 0.5, place: str = "l0", item: int = 0, unit: int = 1) -> dict[str, Any]:
    return {"kind": "initial", "item": item, "place": place, "state": state, "unit": unit, "value": value}


def weight(part: str, row: int, column: int = 0, place: str = "l0", value: float = 1.5) -> dict[str, Any]:
    return {"kind": "weight", "place": place, "part": part, "row": row, "column": column, "value": value}


def given(value: float = -1.0, item: int = 0, time: int = 2, feature: int = 1) -> dict[str, Any]:
    return {"kind": "input", "item": item, "time": time, "feature": feature, "value": value}


def shown(page: Any, item: int, steps: int) -> Tensor:
    """The last layer's outputs in the page, (time, unit)."""
    return torch.cat([torch.tensor(one, dtype=torch.float64).reshape(steps, -1) for one in page.evaluate(SHOWN, item)], -1)


def compare(
    page: Any,
    changes: list[dict[str, Any]],
    names: dict[str, Any],
    sizes: list[int],
    as_usual: Callable[[Any], Tensor] = lambda y: y,
) -> str:
    """Makes the changes in the page, runs the text that it then offers, and compares all outputs. sizes: steps of each sequence.
    as_usual: of the outputs, to (time, sequence, unit).
    """
    before = [shown(page, item, steps) for item, steps in enumerate(sizes)]
    for one in changes:
        page.evaluate(f"(edit) => {STORE}.edit(edit)", {"on": True} | one)
    text = page.evaluate(f"{STORE}.python()")
    exec(text, names)  # what the page offers to copy
    y = as_usual(names["y"]).detach()
    moved = 0.0
    for item, steps in enumerate(sizes):
        now = shown(page, item, steps)
        assert float((now - y[:steps, item]).abs().max()) < 1e-9, text
        moved = max(moved, float((now - before[item]).abs().max()))
    assert moved > 1e-6, "nothing has changed"
    return text


MANY = [
    site(0.25),
    site(0.5, time=None, unit=2),
    site(-1.5, "h", "l1.reverse", None, 0),
    given(0.75, item=1, time=3, feature=2),
    weight("input", 9, 1, "l0.reverse"),
    weight("recurrent", 6, 2, "l1"),
    weight("bias_recurrent", 15, 0, "l1"),
    initial("c", -0.25, "l1.reverse", item=1, unit=3),
]
CASES: dict[str, tuple[Cell, dict[str, Any], list[dict[str, Any]]]] = {
    "lstm": (cells.lstm, {"num_layers": 2, "bidirectional": True}, MANY),
    "gru": (cells.gru, {}, [site(0.5, "r"), initial("h"), weight("bias_recurrent", 5)]),
    "peephole": (cells.peephole, {}, [site(0.5), *(weight(name, 2) for name in cells.peephole.vectors)]),
    "min_lstm": (cells.min_lstm, {}, [site(0.5), initial("h"), weight("input", 3, 1)]),
    "learnt start": (cells.lstm, {"learn_initial_state": True}, [initial("c"), initial("h", 1.0, item=1)]),
    "projection": (cells.lstm, {"proj_size": 2}, [initial("h"), weight("projection", 1, 3), weight("recurrent", 1, 1)]),
    "noise": (cells.zoneout(cells.lstm, h=0.2, c=0.1), {}, [site(0.5)]),
    "dropout": (cells.lstm, {"num_layers": 2, "dropout": 0.5}, [site(0.5)]),
}


@pytest.mark.parametrize("name", CASES)
def test_it_does_the_same(open_page: Opener, name: str) -> None:
    cell, options, changes = CASES[name]
    lstm, x = make(cell, **options)
    with torch.no_grad():
        for parameter, value in lstm.named_parameters():
            if parameter.startswith("initial_"):
                value.normal_()
    compare(open_page(document(lstm, x)), changes, {"lstm": lstm, "x": x}, [6, 6])


BLOCKS = [
    weight("input", 3, 1),  # the second unit of the second block's input gate
    weight("bias_input", 4),  # the first block's output gate
    weight("recurrent", 1, 6),  # what the input gate reads of the second block's own
    weight("recurrent", 9, 8),  # and a candidate, of the first block's output gate
    site(0.5, "i", time=1, unit=2),
    initial("i", 1.0, unit=0),
]


def test_units_that_share_a_gate(open_page: Opener) -> None:
    lstm, x = make(cells.lstm_1997_blocks(2))
    page = open_page(document(lstm, x), fragment="view=unit&time=2&unit=1&node=x.i")
    shared = page.evaluate(f"{STORE}.model.terms({STORE}.run(), [], null, 'l0', 'i', 1, 2).map((one) => one.label)")
    read = [label for label in shared if "unit" in label]
    assert len(read) == 4 + 2 + 2, "each gate is read once from a block"
    for one in BLOCKS:
        compare(page, [one], {"lstm": make(cells.lstm_1997_blocks(2))[0], "x": x}, [6, 6])
        page.evaluate(f"{STORE}.set({{ edits: [] }})")
    text = compare(page, BLOCKS, {"lstm": lstm, "x": x}, [6, 6])
    assert "lstm.weight_ih_l0[1, 1] = 1.5  # W_i[1, 1]" in text
    page.locator(".changes .first").filter(has_text="units 2–3").wait_for()  # it is drawn with the next frame


def test_a_wire_that_is_not_there_cannot_be_changed(open_page: Opener) -> None:
    lstm, x = make(cells.lstm_1997_blocks(2))
    page = open_page(document(lstm, x), fragment="view=unit&edits=w~l0~recurrent~1~5~9,w~l0~recurrent~1~4~9")
    columns = page.evaluate(f"{STORE}.state.edits.map((one) => [one.row, one.column])")
    assert columns == [[0, 4]], "the gate of the second unit is that of the first, and is read once"


@pytest.mark.parametrize(
    ("form", "states"),
    [("batch first", True), ("unbatched", False), ("unbatched", True), ("lengths", False), ("packed", True)],
)
def test_the_input_as_it_was_given(open_page: Opener, form: str, states: bool) -> None:
    lstm, x = make(batch_first=form in ("batch first", "lengths"), bidirectional=True)
    hx: Any = tuple(torch.randn(2, 2, 4, dtype=torch.float64) for _ in "hc") if states else None
    sizes, lengths, given_x = [6, 6], None, x
    if form == "unbatched":
        sizes, given_x, hx = [6], x[:, 0], hx and tuple(one[:, 0] for one in hx)
    elif form == "packed":
        sizes, given_x = [6, 3], pack_padded_sequence(x, torch.tensor([6, 3]))
    else:
        given_x = x.transpose(0, 1)
    if form == "lengths":
        sizes = lengths = [4, 6]

    def as_usual(y: Any) -> Tensor:
        if isinstance(y, PackedSequence):
            return pad_packed_sequence(y)[0]
        return y.unsqueeze(1) if form == "unbatched" else y.transpose(0, 1)

    page = open_page(document(lstm, given_x, hx=hx, lengths=lengths))
    names = {"lstm": lstm, "x": given_x, "hx": hx}
    compare(page, [site(0.5)], dict(names), sizes, as_usual)
    compare(page, [given()], dict(names), sizes, as_usual)
    compare(page, [initial("c")], dict(names), sizes, as_usual)


class Around(nn.Module):
    """A model around a layer, which it hands sequence, time, feature."""

    def __init__(self, lstm: LSTM, *, packs: bool = False) -> None:
        super().__init__()
        self.drop, self.layers, self.packs = nn.Dropout(0.5), nn.ModuleList([lstm]), packs

    def forward(self, x: Tensor, scale: float = 1.0) -> Tensor:
        x = self.drop(x) * scale
        if self.packs:
            y, _ = self.layers[0](pack_padded_sequence(x, torch.tensor([6, 6])))
            return pad_packed_sequence(y)[0]
        start = torch.ones(1, len(x), 4, dtype=x.dtype)
        return self.layers[0](x, (start, start))[0].transpose(0, 1)


@pytest.mark.parametrize("packs", [False, True], ids=["plain", "packed"])
def test_inside_a_model(open_page: Opener, packs: bool) -> None:
    lstm, x = make(batch_first=not packs)
    model = Around(lstm, packs=packs)
    arguments = (x if packs else x.transpose(0, 1), 0.5)
    page = open_page(document(model, arguments, name="model"))
    names = {"model": model, "x": arguments}
    compare(page, [given()], dict(names), [6, 6])
    compare(page, [initial("c", place="layers.0.l0")], dict(names), [6, 6])
    compare(page, [site(0.5, place="layers.0.l0"), weight("input", 0, place="layers.0.l0")], dict(names), [6, 6])


class Torchs(nn.Module):
    """A model around torch's own layer."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.rnn, self.head = layer, nn.Linear(4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.rnn(x)[0]


@pytest.mark.parametrize("around", [False, True], ids=["bare", "inside"])
def test_of_torchs_own_layer_the_text_converts_first(open_page: Opener, around: bool) -> None:
    """What the reader has is an nn.LSTM, which byhand.edit does not know."""
    torch.manual_seed(1)
    layer, x = nn.LSTM(3, 4, dtype=torch.float64), torch.randn(6, 2, 3, dtype=torch.float64)
    model, place = (Torchs(layer), "rnn.l0") if around else (layer, "l0")
    page = open_page(document(model, x, name="model"))
    assert type(layer) is nn.LSTM
    text = compare(page, [site(0.25, place=place), weight("input", 9, 1, place)], {"model": model, "x": x}, [6, 6])
    assert text.index("byhand.convert(model)") < text.index("byhand.edit(model")
    assert isinstance(layer, LSTM), "in place, as the text says"


def test_where_nothing_is_computed(open_page: Opener) -> None:
    """Two stacks: the page only shows, and offers a line that shuts the gate which is looked at."""
    torch.manual_seed(0)
    model, x = Two(), torch.randn(5, 1, 3)
    page = open_page(document(model, (x, 2.0), name="model"), fragment="view=unit&place=second.l0&time=3&unit=1&node=f")
    names: dict[str, Any] = {"model": model, "x": (x, 2.0)}
    exec(page.locator(".why-not pre").inner_text(), names)
    with byhand.edit(model, {"second.l0.f": byhand.at(0.0, time=3, unit=1)}):
        assert torch.equal(names["y"], model(x, 2.0))
    assert not torch.equal(names["y"], model(x, 2.0))


class Two(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = LSTM(3, 4), LSTM(4, 2)

    def forward(self, x: Tensor, scale: float) -> Tensor:
        return self.second(scale * self.first(x)[0])[0]


def test_under_the_weights_of_an_earlier_epoch_the_text_loads_them(open_page: Opener) -> None:
    """And names the epoch: the model that the reader has is another by now."""
    lstm, x = make(num_layers=2)
    snapshots = byhand.explorer.Snapshots()
    for epoch in (0, 20, 40):
        with torch.no_grad():
            lstm.weight_hh_l0.add_(0.3)
        snapshots.take(epoch, lstm)
    page = open_page(document(lstm, x, training=snapshots), fragment="view=unit&snapshot=1")
    names = {"lstm": lstm, "x": x, "snapshots": snapshots}
    text = compare(page, [site(0.0), weight("recurrent", 1, 2)], names, [6, 6])
    assert "after epoch 20, which are not the last" in text
    assert torch.equal(lstm.weight_ih_l0, snapshots.kept[1].state["weight_ih_l0"])
    page.evaluate(f"{STORE}.set({{ snapshot: null }})")
    assert "epoch" not in page.evaluate(f"{STORE}.python()")
