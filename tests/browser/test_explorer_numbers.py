"""The page's own arithmetic in a real browser against torch: every site of every step under random edits, derivatives, equations.

All models run through the same sources in node, see test_page_model.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from page_models import BATCH, DRAWS, HIDDEN, INPUT, STEPS
from page_models import Case as Model

from byhand.explorer.hosts.page import page as html
from byhand.ir.program import FUNCTIONS

SHOWN = ("lstm, projected", "gru", "peephole")
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


class Case(Model):
    """A model with a page of it."""

    def __init__(self, name: str, page: Any, folder: Path) -> None:
        super().__init__(name)
        self.page = page
        path = folder / "page.html"
        path.write_text(html(self.doc), encoding="utf-8")
        page.goto(path.as_uri())


@pytest.fixture(params=SHOWN, scope="module")
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
        expected = case.listened(edits, item, place, state, 1, at)
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
