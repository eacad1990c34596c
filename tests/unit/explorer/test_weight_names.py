"""What the page calls a weight: every name and index of every cell against the model's own parameters, and against LSTM.py."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from test_page_model import in_node
from torch import Tensor, nn

import byhand
from byhand import LSTM, cells
from byhand.explorer.document.document import document
from byhand.explorer.hosts.page import json_text
from LSTM import LSTMbyHand

Model = tuple[nn.Module, int]  # and how many numbers it reads at each step


def own_step(x: Any, u: Any, s: Any, p: Any) -> Any:
    """A cell of the user's own: two gates, a vector, two biases that its equations keep apart in one gate."""
    keep = torch.sigmoid(x.keep + u.keep)
    add = torch.tanh(x.add + keep * u.add + p.lift * s.m)
    m = keep * s.m + add
    y = torch.tanh(m)
    return (y, m), {"keep": keep, "add": add, "m": m, "y": y}


OWN = byhand.Cell(
    name="own cell of names", gates=("keep", "add"), state=("y", "m"), step=own_step, recurrent=("y",), vectors=("lift",)
)


class Tagger(nn.Module):
    """A model around a layer, at a path of two names."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.encoder = nn.ModuleDict({"deep": layer})

    def forward(self, x: Tensor) -> Tensor:
        return self.encoder["deep"](x)[0]


def converted(layer: nn.Module) -> nn.Module:
    model = Tagger(layer)
    byhand.convert(model)
    return model


MODELS: dict[str, Callable[[], Model]] = {
    "lstm of LSTM.py's size": lambda: (LSTM(1, 1), 1),
    "one unit, three inputs": lambda: (LSTM(3, 1), 3),
    "two layers, both directions": lambda: (LSTM(3, 5, 2, bidirectional=True), 3),
    "projected": lambda: (LSTM(3, 5, 2, proj_size=2, bidirectional=True), 3),
    "no bias": lambda: (LSTM(2, 3, bias=False), 2),
    "peephole": lambda: (LSTM(2, 3, 2, cell=cells.peephole), 2),
    "cifg": lambda: (LSTM(2, 3, cell=cells.cifg), 2),
    "gru": lambda: (LSTM(3, 7, 2, cell=cells.gru, bidirectional=True), 3),
    "rnn": lambda: (LSTM(4, 3, cell=cells.rnn), 4),
    "slstm": lambda: (LSTM(2, 3, cell=cells.slstm), 2),
    "min_lstm": lambda: (LSTM(2, 3, cell=cells.min_lstm), 2),
    "lstm_1997": lambda: (LSTM(2, 3, cell=cells.lstm_1997), 2),
    "blocks of two": lambda: (LSTM(3, 6, 2, cell=cells.lstm_1997_blocks(2)), 3),
    "blocks of three": lambda: (LSTM(1, 3, cell=cells.lstm_1997_blocks(3)), 1),
    "full gate recurrence": lambda: (LSTM(2, 3, cell=cells.full_gate_recurrence(cells.peephole)), 2),
    "no forget gate": lambda: (LSTM(2, 3, cell=cells.no_forget_gate(cells.lstm)), 2),
    "coupled input": lambda: (LSTM(2, 3, cell=cells.coupled_input(cells.lstm)), 2),
    "zoneout": lambda: (LSTM(2, 3, cell=cells.zoneout(cells.lstm, h=0.2, c=0.1)), 2),
    "own cell": lambda: (LSTM(2, 3, cell=OWN), 2),
    "torch's LSTM in a model": lambda: (converted(nn.LSTM(3, 5, 2, bidirectional=True)), 3),
    "torch's GRU in a model": lambda: (converted(nn.GRU(2, 3)), 2),
}


@cache
def named() -> dict[str, tuple[nn.Module, list[dict[str, Any]]]]:
    """Each model, and its weights as the page names them."""
    import tempfile  # noqa: PLC0415 (a cached function gets no tmp_path)

    torch.manual_seed(7)
    models = {name: make() for name, make in MODELS.items()}
    made = [
        {"name": name, "doc": document(model.double(), torch.randn(4, 2, width, dtype=torch.float64)), "runs": []}
        for name, (model, width) in models.items()
    ]
    assert not [one["doc"]["why_not"] for one in made if not one["doc"]["computed"]]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fixture.json"
        path.write_text(json_text({"cases": made}), encoding="utf-8")
        done = in_node("test/weight_names.ts", fixture=path)
    assert done.returncode == 0, done.stderr[-2000:]
    return {one["name"]: (models[one["name"]][0], one["weights"]) for one in json.loads(done.stdout)}


def place_of(name: str) -> tuple[str, tuple[int, ...]]:
    """A parameter and an index: "encoder.weight_hh_l0[1, 0]"."""
    found = re.fullmatch(r"([\w.]+)\[([\d, ]+)\]", name)
    assert found is not None, name
    return found[1], tuple(map(int, found[2].split(", ")))


@pytest.mark.parametrize("name", MODELS)
def test_the_number_at_each_name_is_the_page_s(name: str) -> None:
    model, weights = named()[name]
    own = dict(model.named_parameters())
    seen = set()
    for one in weights:
        parameter, index = place_of(one["torch"])
        assert len(index) == own[parameter].dim() and own[parameter][index].item() == one["value"], one
        seen.add((parameter, index))
    total = sum(parameter.numel() for parameter in own.values())
    unread = {"full gate recurrence": 3 * 9}.get(name, 0)  # the candidate reads no gates: these columns are no weights
    assert len(seen) == total - unread


def test_the_lesson_s_names_are_those_of_lstm_py() -> None:
    """An nn.LSTM that holds LSTM.py's twelve numbers: each stands where the page says."""
    model, weights = named()["lstm of LSTM.py's size"]
    assert isinstance(model, LSTM)
    lesson = LSTMbyHand().double()
    with torch.no_grad():
        for number in lesson.parameters():
            number.normal_()
        model.bias_hh_l0.zero_()
        for one in weights:
            if one["part"] != "bias_recurrent":
                parameter, index = place_of(one["torch"])
                model.get_parameter(parameter)[index] = lesson.get_parameter(one["lesson"])
    prices = torch.randn(6, 1, dtype=torch.float64)
    assert torch.allclose(model(prices.unsqueeze(-1))[0][-1, 0], lesson(prices), rtol=0, atol=1e-15)
    given = {one["lesson"] for one in weights}
    assert given == {name for name, _ in lesson.named_parameters()}
    assert not any(one["lesson"] for name, (_, found) in named().items() if name != "lstm of LSTM.py's size" for one in found)


TEXTS = {
    "lstm of LSTM.py's size": [
        "w_blue1 (LSTM.py) = U_f = weight_hh_l0[1, 0]",
        "w_purple2 (LSTM.py) = W_o = weight_ih_l0[3, 0]",
        "b_green1 (LSTM.py) = b_i = bias_ih_l0[0] + bias_hh_l0[0]; this is bias_hh_l0[0]",
    ],
    "one unit, three inputs": ["W_f[0, 2] = weight_ih_l0[1, 2]", "U_f = weight_hh_l0[1, 0]"],
    "two layers, both directions": [
        "U_f[3, 4] = weight_hh_l0[8, 4]",
        "W_g[0, 9] = weight_ih_l1_reverse[10, 9]",
        "b_o[4] = bias_ih_l1[19] + bias_hh_l1[19]; this is bias_ih_l1[19]",
    ],
    "projected": ["weight_hr_l1_reverse[1, 4]", "U_o[0, 1] = weight_hh_l0[15, 1]"],
    "peephole": ["p_f[2] = p_f_l1[2]"],
    "gru": ["U_z[1, 6] = weight_hh_l1[8, 6]", "b_n[0] = bias_ih_l0[14]", "b′_r[3] = bias_hh_l0_reverse[3]"],
    "min_lstm": ["b_i[1] = bias_ih_l0[4]"],
    "blocks of two": ["W_o[1, 2] = weight_ih_l0[4, 2]", "W_g[5, 0] = weight_ih_l0[11, 0]", "U_i[2, 8] = weight_hh_l0[2, 8]"],
    "blocks of three": ["b_i = bias_ih_l0[0]"],
    "own cell": ["U_add[2, 1] = weight_hh_l0[5, 1]", "b′_add[0] = bias_hh_l0[3]", "lift[2] = lift_l0[2]"],
    "torch's LSTM in a model": ["U_i[0, 2] = encoder.deep.weight_hh_l1_reverse[0, 2]"],
}


@pytest.mark.parametrize("name", TEXTS)
def test_names_as_they_are_written(name: str) -> None:
    found = {one["text"] for one in named()[name][1]}
    assert not set(TEXTS[name]) - found, sorted(found)[:40]


@pytest.mark.parametrize("name", MODELS)
def test_copied_python_sets_that_number(name: str) -> None:
    model, weights = named()[name]
    for one in weights[:: max(1, len(weights) // 12)]:
        lines = [line for line in one["python"].splitlines() if "2.5" in line or line.startswith(("import", "with torch"))]
        assert one["lesson"] is None or one["lesson"] in lines[-1]
        before = {name: value.clone() for name, value in model.named_parameters()}
        exec("\n".join(lines), {"lstm": model})
        parameter, index = place_of(one["torch"])
        changed = {(name, *at) for name, value in model.named_parameters() for at in (value != before[name]).nonzero().tolist()}
        assert changed == {(parameter, *index)}
        model.load_state_dict(before)
