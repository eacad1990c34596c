"""Models for the page, and what torch computes of them under the page's edits.

python tests/support/page_models.py FILE writes them as the fixture of frontend/test.
"""

from __future__ import annotations

import copy
import random
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from answering import answers
from page_finding import finding

import byhand
from byhand import cells
from byhand.explorer.document.document import document
from byhand.explorer.hosts.page import json_text

STEPS, BATCH, INPUT, HIDDEN, DRAWS = 6, 2, 3, 4, 8
CASES: dict[str, tuple[cells.Cell, dict[str, Any]]] = {
    "lstm, 2 layers, both directions": (cells.lstm, {"num_layers": 2, "bidirectional": True}),
    "lstm, projected": (cells.lstm, {"proj_size": 2, "num_layers": 2, "bidirectional": True}),
    "lstm, no bias": (cells.lstm, {"bias": False}),
    "peephole": (cells.peephole, {"bidirectional": True}),
    "cifg": (cells.cifg, {"num_layers": 2}),
    "gru": (cells.gru, {"num_layers": 2, "bidirectional": True}),
    "gru_reset_before": (cells.gru_reset_before, {"num_layers": 2, "bidirectional": True}),
    "zoneout of a gru_reset_before": (cells.zoneout(cells.gru_reset_before, h=0.2), {}),
    "slstm": (cells.slstm, {}),
    "min_lstm": (cells.min_lstm, {"num_layers": 2}),
    "rnn": (cells.rnn, {"bidirectional": True}),
    "lstm_1997": (cells.lstm_1997, {}),
    "full gate recurrence": (cells.full_gate_recurrence(cells.lstm), {}),
    "no forget gate": (cells.no_forget_gate(cells.lstm), {}),
    "no output activation": (cells.no_output_activation(cells.lstm), {}),
    "zoneout": (cells.zoneout(cells.lstm, h=0.2, c=0.1), {}),
    "clipped, coupled, other activations": (
        cells.clipped(
            cells.with_activations(
                cells.coupled_input(cells.peephole), gates="hard_sigmoid", candidate="elu(0.7)", output="scaled_tanh(1.2, 0.7)"
            ),
            0.8,
        ),
        {"num_layers": 2},
    ),
    "other activations of a gru": (cells.with_activations(cells.gru, gates="softsign", candidate="softplus"), {}),
}


class Case:
    """A layer with random weights, its input and first states, and the document of it."""

    def __init__(self, name: str) -> None:
        cell, options = CASES[name]
        generator = torch.Generator().manual_seed(len(name))
        self.random = random.Random(name)
        self.lstm = byhand.LSTM(INPUT, HIDDEN, cell=cell, dtype=torch.float64, **options).eval()
        with torch.no_grad():
            for parameter in self.lstm.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
        self.x = torch.randn(STEPS, BATCH, INPUT, generator=generator, dtype=torch.float64)
        with byhand.record(self.lstm) as trace, torch.no_grad():
            self.lstm(self.x)
        self.places = list(trace.places)
        widths = [trace.initial(f"{self.places[0]}.{state}").shape[-1] for state in cell.state]
        hx = [torch.randn(len(self.places), BATCH, width, generator=generator, dtype=torch.float64) * 0.3 for width in widths]
        self.hx: Any = tuple(hx) if len(hx) > 1 else hx[0]
        self.sites = {
            place: [name.removeprefix(f"{place}.") for name in trace if name.rpartition(".")[0] == place]
            for place in trace.places
        }
        self.doc = document(self.lstm, self.x, hx=self.hx)
        assert self.doc["computed"], self.doc["why_not"]

    def hidden(self, place: str) -> int:
        return next(layer["hidden"] for layer in self.doc["layers"] if layer["place"] == place)

    def draw(self) -> list[dict[str, Any]]:
        """Some edits: of a gate somewhere, of a site everywhere along time, of an input, a weight, a bias, a first state."""
        pick, value = self.random, lambda: self.random.randrange(-96, 97) / 64
        place, other = pick.choice(self.places), pick.choice(self.places)
        cell = self.lstm.cell
        unit = pick.randrange(2 if cell.name == "lstm" and self.lstm.proj_size else HIDDEN)
        edits: list[dict[str, Any]] = [
            {
                "kind": "site",
                "place": place,
                "site": pick.choice(self.sites[place]),
                "time": pick.randrange(STEPS),
                "unit": unit,
            },
            {"kind": "site", "place": other, "site": pick.choice(self.sites[other]), "time": None, "unit": unit},
            {"kind": "input", "item": pick.randrange(BATCH), "time": pick.randrange(STEPS), "feature": pick.randrange(INPUT)},
            {"kind": "weight", "place": other, "part": "input", "row": pick.randrange(HIDDEN), "column": 0},
            {"kind": "initial", "item": 0, "place": place, "state": pick.choice(cell.state), "unit": unit},
        ]
        if cell.sources:
            edits.append(
                {
                    "kind": "weight",
                    "place": place,
                    "part": "recurrent",
                    "row": HIDDEN + 1 if len(cell.gates) > 1 else 1,
                    "column": 1,
                }
            )
        if self.lstm.bias and cell.sources and cell.biases == 2:
            row = (len(cell.gates) - 1) * HIDDEN + pick.randrange(HIDDEN)
            edits.append({"kind": "weight", "place": place, "part": "bias_recurrent", "row": row, "column": 0})
        chosen = pick.sample(edits, pick.randrange(1, len(edits) + 1))
        return [{"on": True, "value": value()} | edit for edit in chosen]

    def torch_values(self, edits: list[dict[str, Any]], *, live: bool = False) -> tuple[byhand.Trace, torch.Tensor]:
        """What Python makes of the same edits; and the input."""
        lstm, x = copy.deepcopy(self.lstm), self.x.clone()
        states = [state.clone() for state in (self.hx if isinstance(self.hx, tuple) else (self.hx,))]
        with ExitStack() as stack:
            for edit in edits:
                if edit["kind"] == "site":
                    change = byhand.at(edit["value"], time=edit["time"], unit=edit["unit"])
                    stack.enter_context(byhand.edit(lstm, {f"{edit['place']}.{edit['site']}": change}))
                elif edit["kind"] == "input":
                    x[edit["time"], edit["item"], edit["feature"]] = edit["value"]
                elif edit["kind"] == "weight":
                    number = self.places.index(edit["place"])
                    layer, direction = divmod(number, 2) if self.lstm.bidirectional else (number, 0)
                    gate, row = divmod(edit["row"], HIDDEN)
                    views = lstm.gates(layer, direction)[self.lstm.cell.gates[gate]]
                    with torch.no_grad():
                        parts = {"input": views.weight_x, "recurrent": views.weight_h, "bias_recurrent": views.bias_h}
                        weight = parts[edit["part"]]
                        assert weight is not None
                        weight[(row, edit["column"]) if weight.dim() > 1 else row] = edit["value"]
                else:
                    which = self.lstm.cell.state.index(edit["state"])
                    states[which][self.places.index(edit["place"]), edit["item"], edit["unit"]] = edit["value"]
            x.requires_grad_(live)
            with byhand.record(lstm, detach=not live) as trace, torch.set_grad_enabled(live):
                lstm(x, tuple(states) if len(states) > 1 else states[0])
        return trace, x

    def listened(self, edits: list[dict[str, Any]], item: int, place: str, state: str, unit: int, at: int) -> torch.Tensor:
        """The derivative of a state by the input of a sequence, (steps, features)."""
        trace, x = self.torch_values(edits, live=True)
        value = trace[f"{place}.{state}"][at, item, unit]
        if not value.requires_grad:
            return torch.zeros(STEPS, INPUT, dtype=torch.float64)
        return torch.autograd.grad(value, x)[0][:, item]


def fixture(draws: int = DRAWS) -> list[dict[str, Any]]:
    """Each model's document, and for some draws of edits every value and one derivative."""
    found = []
    for name in CASES:
        case = Case(name)
        runs = []
        for draw in range(draws):
            edits, item = case.draw() if draw else [], case.random.randrange(BATCH)
            place, at = case.random.choice(case.places), case.random.randrange(STEPS)
            asked = (place, case.random.choice(case.lstm.cell.state), 1, at)
            trace, _ = case.torch_values(edits)
            values = {
                place: {site: trace[f"{place}.{site}"][:, item].flatten().tolist() for site in case.sites[place]}
                for place in case.places
            }
            derivative = case.listened(edits, item, *asked).flatten().tolist() if draw < 4 else None
            runs.append({"item": item, "edits": edits, "values": values, "asked": asked, "input": derivative})
        found.append({"name": name, "doc": case.doc, "runs": runs})
    return found


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json_text({"cases": fixture(), "answers": answers(), "finding": finding()}), encoding="utf-8")
