"""The page's own arithmetic against torch: every site of every step under random edits, derivatives, equations."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import torch

import byhand
from byhand import cells
from byhand.engine.program import FUNCTIONS
from byhand.explorer.document import document
from byhand.explorer.page import page as html

STEPS, BATCH, INPUT, HIDDEN, DRAWS = 6, 2, 3, 4, 8
CASES: dict[str, tuple[cells.Cell, dict[str, Any]]] = {
    "lstm, 2 layers, both directions": (cells.lstm, {"num_layers": 2, "bidirectional": True}),
    "lstm, projected": (cells.lstm, {"proj_size": 2, "num_layers": 2, "bidirectional": True}),
    "lstm, no bias": (cells.lstm, {"bias": False}),
    "peephole": (cells.peephole, {"bidirectional": True}),
    "cifg": (cells.cifg, {"num_layers": 2}),
    "gru": (cells.gru, {"num_layers": 2, "bidirectional": True}),
    "slstm": (cells.slstm, {}),
    "min_lstm": (cells.min_lstm, {"num_layers": 2}),
    "rnn": (cells.rnn, {"bidirectional": True}),
    "lstm_1997": (cells.lstm_1997, {}),
    "full gate recurrence": (cells.full_gate_recurrence(cells.lstm), {}),
    "no forget gate": (cells.no_forget_gate(cells.lstm), {}),
    "no output activation": (cells.no_output_activation(cells.lstm), {}),
    "zoneout": (cells.zoneout(cells.lstm, h=0.2, c=0.1), {}),
}
VALUES = """([item, edits]) => {
    const { store } = document.querySelector("#byhand-explorer").byhand;
    const { places } = store.model.run(item, edits, null);
    return Object.entries(places).map(([place, { sites }]) =>
        [place, Object.entries(sites).map(([site, values]) => [site, values.width, [...values.data]])]);
}"""
LISTENS = """([item, edits, place, state, unit, at]) => {
    const { model } = document.querySelector("#byhand-explorer").byhand.store;
    return [...model.listens(item, edits, null, place, state, unit, at).data];
}"""
EQUATION = """([item, edits, place, site, unit, time]) => {
    const { model } = document.querySelector("#byhand-explorer").byhand.store;
    const run = model.run(item, edits, null);
    const names = new Set();
    const walk = (tree) => tree.kind === "call" ? tree.args.forEach(walk) : tree.kind === "name" && names.add(tree.name);
    const tree = model.equation(site);
    walk(tree);
    const value = (name) => model.value(run, edits, null, place, name, unit, time);
    return [tree, Object.fromEntries([...names].map((name) => [name, value(name)])), value(site)];
}"""
TERMS = """([item, edits, place, gate, unit, time]) => {
    const { model } = document.querySelector("#byhand-explorer").byhand.store;
    return model.terms(model.run(item, edits, null), edits, null, place, gate, unit, time);
}"""


class Case:
    """A layer with random weights, its input and first states; a page of it."""

    def __init__(self, name: str, page: Any, folder: Path) -> None:
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
        self.page = page
        path = folder / "page.html"
        path.write_text(html(self.doc), encoding="utf-8")
        page.goto(path.as_uri())

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
                        weight = views.weight_x if edit["part"] == "input" else views.weight_h
                        assert weight is not None
                        weight[row, edit["column"]] = edit["value"]
                else:
                    which = self.lstm.cell.state.index(edit["state"])
                    states[which][self.places.index(edit["place"]), edit["item"], edit["unit"]] = edit["value"]
            x.requires_grad_(live)
            with byhand.record(lstm, detach=not live) as trace, torch.set_grad_enabled(live):
                lstm(x, tuple(states) if len(states) > 1 else states[0])
        return trace, x


@pytest.fixture(params=list(CASES), scope="module")
def case(request: pytest.FixtureRequest, chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    page = chromium.new_page()
    yield Case(request.param, page, tmp_path_factory.mktemp("page"))
    page.close()


def difference(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """The largest; NaN if any is."""
    assert ours.shape == theirs.shape
    return float((ours - theirs).abs().max())


def test_every_site_of_every_step(case: Case) -> None:
    """14 cells and stacks x 8 draws of edits, one after the other in one page, so that what it keeps is tried as well."""
    for _ in range(DRAWS):
        edits, item = case.draw(), case.random.randrange(BATCH)
        trace, _ = case.torch_values(edits)
        found = dict(case.page.evaluate(VALUES, [item, edits]))
        assert list(found) == case.places
        for place, sites in found.items():
            assert {site for site, _, _ in sites} == set(case.sites[place])
            for site, width, values in sites:
                ours = torch.tensor(values, dtype=torch.float64).reshape(STEPS, width)
                torch.testing.assert_close(ours, trace[f"{place}.{site}"][:, item], atol=1e-9, rtol=0)


def test_what_a_state_listens_to(case: Case) -> None:
    for draw in range(4):
        edits, item = case.draw() if draw else [], case.random.randrange(BATCH)
        place, at = case.random.choice(case.places), case.random.randrange(STEPS)
        state = case.random.choice(case.lstm.cell.state)
        trace, x = case.torch_values(edits, live=True)
        value = trace[f"{place}.{state}"][at, item, 1]
        expected = torch.zeros(STEPS, INPUT, dtype=torch.float64)
        if value.requires_grad:
            expected = torch.autograd.grad(value, x)[0][:, item]
        ours = case.page.evaluate(LISTENS, [item, edits, place, state, 1, at])
        found = torch.tensor(ours, dtype=torch.float64).reshape(STEPS, INPUT)
        assert difference(found, expected) < 1e-9, (place, state, at, edits)


def evaluated(tree: dict[str, Any], names: dict[str, float]) -> torch.Tensor:
    if tree["kind"] == "call":
        return FUNCTIONS[tree["fn"]](*(evaluated(argument, names) for argument in tree["args"]))
    value = tree["value"] if tree["kind"] == "number" else names[tree["name"]]
    return torch.tensor(value, dtype=torch.float64)


def test_equations_give_the_values(case: Case) -> None:
    cell, place = case.lstm.cell, case.places[-1]
    for site in cell.sites:
        tree, names, value = case.page.evaluate(EQUATION, [1, [], place, site, 2, 3])
        assert float(evaluated(tree, names)) == pytest.approx(value, abs=1e-9), site


def test_terms_add_up_to_the_gate_sums(case: Case) -> None:
    """With its peephole, a gate's terms are all that its activation is taken of."""
    cell, place = case.lstm.cell, case.places[-1]
    trace, _ = case.torch_values([])
    layer = next(layer for layer in case.doc["layers"] if layer["place"] == place)
    kinds = set()
    for gate in cell.gates:
        terms = case.page.evaluate(TERMS, [0, [], place, gate, 2, 3])
        read = cell.recurrent[gate] if isinstance(cell.recurrent, Mapping) else cell.recurrent
        width = sum(layer["output"] if state == cell.state[0] else HIDDEN for state in read)
        assert sum(term["kind"] in ("input", "recurrent") for term in terms) == layer["input"] + width
        kinds |= {term["kind"] for term in terms}
        assert all(
            term["product"] == pytest.approx((1 if term["value"] is None else term["value"]) * term["weight"]) for term in terms
        )
        if cell.name in ("lstm", "peephole", "cifg"):
            total = torch.tensor(sum(term["product"] for term in terms), dtype=torch.float64)
            value = torch.tanh(total) if gate == "g" else torch.sigmoid(total)
            assert float(value) == pytest.approx(float(trace[f"{place}.{gate}"][3, 0, 2]), abs=1e-9)
    assert ("peephole" in kinds) == (cell.name == "peephole")
