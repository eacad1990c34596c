"""A trace in a file: safetensors, with names, cells and a checksum beside the values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from byhand.saving.model_folder import LoadError
from byhand.saving.tensor_file import UNREADABLE, read_tensors, write_tensors
from byhand.trace import Run, Trace, stacked

if TYPE_CHECKING:
    from pathlib import Path

FORMAT = "byhand trace 1"


def save_trace(trace: Trace, file: str | Path) -> None:
    """Write it, whole or not at all. LookupError if a layer was called several times."""
    tensors, places = {}, {}
    for place in trace.places:
        run = trace.run(place)
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


def load_trace(file: str | Path) -> Trace:
    """Read what save_trace wrote. LoadError for anything else."""
    try:
        tensors, content = read_tensors(file, FORMAT)
        return Trace({place: [assemble(place, tensors, **about)] for place, about in content["places"].items()})
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
