"""The values of a document's first layer on one of its sequences: restored, or computed as the page computes them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from byhand.explorer.document.packing import restored
from byhand.ir.program import Line, Program

Values = dict[str, Tensor]  # site -> (steps, units), float64


def first_layer(document: dict[str, Any], item: int = 0) -> Values:
    """In order of time; NaN where nothing was kept."""
    layer, shown = document["layers"][0], document["items"][item]
    if shown["maps"] is not None:
        return {site: restored(one["values"]) for site, one in shown["maps"][layer["place"]].items()}
    return computed(document["cell"], layer, shown)


def computed(cell: dict[str, Any], layer: dict[str, Any], item: dict[str, Any]) -> Values:
    """Step by step, with x_t W + b and h_{t-1} U + b_h in front of the cell's program."""
    parts = {name: None if one is None else restored(one) for name, one in layer["weights"].items() if name != "vectors"}
    vectors = {f"p.{name}": restored(one) for name, one in layer["weights"]["vectors"].items()}
    constants = {
        f"p.{name}": torch.full((layer["hidden"],), value, dtype=torch.float64) for name, value in cell["constants"].items()
    }
    program, gates = program_in(cell), cell["gates"]
    state = {name: restored(one) for name, one in item["initial"][layer["place"]].items()}
    x = restored(item["input"]) @ restored(layer["weights"]["input"]).T
    x = x if parts["bias_input"] is None else x + parts["bias_input"]
    steps: list[Values] = []
    for at in x.flip(0) if layer["reverse"] else x:
        given = named("x", gates, at) | {f"s.{name}": value for name, value in state.items()} | vectors | constants
        if parts["recurrent"] is not None:
            u = parts["recurrent"] @ torch.cat([state[name] for name in cell["sources"]])
            given |= named("u", gates, u if parts["bias_recurrent"] is None else u + parts["bias_recurrent"])
        made = program.run(given)
        state = {name: made[f"n.{name}"] for name in cell["state"]}
        sites = {site: made[f"site.{site}"] for site in cell["sites"]}
        if parts["projection"] is not None:  # the step's output is then called m, and what goes through the projection h
            out = cell["state"][0]
            state[out] = parts["projection"] @ state[out]
            sites = {("m" if site == out else site): value for site, value in sites.items()} | {out: state[out]}
        steps.append(sites)
    ordered = reversed(steps) if layer["reverse"] else steps
    found = list(ordered)
    return {site: torch.stack([one[site] for one in found]) for site in found[0]}


def named(kind: str, gates: list[str], rows: Tensor) -> Values:
    """The rows of each gate, by the names that the program has for them."""
    return {f"{kind}.{gate}": part for gate, part in zip(gates, rows.chunk(len(gates)), strict=True)}


def program_in(cell: dict[str, Any]) -> Program:
    """The step alone, without its derivative."""
    found = cell["program"]
    lines = tuple(Line(name, function, tuple(arguments)) for name, function, arguments in found["lines"])
    wanted = {name: value for name, value in found["results"].items() if name.startswith(("n.", "site."))}
    return Program(tuple(found["inputs"]), lines, found["results"]).only(wanted)
