"""A trace in a file: safetensors, with names, cells and a checksum beside the values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from byhand.errors import LoadError
from byhand.files.tensors import UNREADABLE, read_tensors, write_tensors
from byhand.trace.run import Run, stacked

if TYPE_CHECKING:
    from pathlib import Path

FORMAT, BEFORE = "byhand trace 2", "byhand trace 1"


def save_runs(runs: Mapping[str, Run], file: str | Path) -> None:
    """Write the run of each place, whole or not at all. OSError."""
    tensors, places = {}, {}
    for place, run in runs.items():
        tensors |= {
            f"{kind}/{place}/{name}": value.detach().clone(memory_format=torch.contiguous_format)
            for kind, name, value in parts(run)
        }
        places[place] = {"cell": run.cell, "sites": list(run.sites), "gradients": run.grads is not None}
    write_tensors(file, FORMAT, tensors, {"places": places})


def parts(run: Run) -> list[tuple[str, str, Tensor]]:
    """What is kept of a call: kind, name, value."""
    found = [("sites", site, stacked(steps)) for site, steps in run.sites.items()]
    found += [("grads", site, run.grad(site)) for site in run.grads or ()]
    found += [("initial", state, value) for state, value in run.initial.items()]
    return [*found, ("given", "input", run.input), ("given", "valid", run.valid)]


def load_runs(file: str | Path) -> dict[str, Run]:
    """Read what save_runs wrote. LoadError for anything else."""
    try:
        tensors, content = read_tensors(file, FORMAT, BEFORE)
        return {place: assemble(place, tensors, **about) for place, about in content["places"].items()}
    except UNREADABLE as problem:
        raise LoadError(
            f"{file}: expected a trace as trace.save() wrote it, got: {problem}; record and save it again"
        ) from problem


def assemble(place: str, tensors: dict[str, Tensor], *, cell: str, sites: list[str], gradients: bool) -> Run:
    start = f"initial/{place}/"
    initial = {name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)}
    values: dict[str, Tensor | Sequence[Tensor]] = {site: tensors[f"sites/{place}/{site}"] for site in sites}
    grads: dict[str, list[Tensor | None]] | None = None
    if gradients:
        grads = {site: list(tensors[f"grads/{place}/{site}"].unbind(0)) for site in sites}
    return Run(cell, tensors[f"given/{place}/input"], tensors[f"given/{place}/valid"], initial, values, grads)
