"""A trace in a file: safetensors, with names, cells and a checksum beside the values."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from byhand.saving.model_folder import LoadError, digest, sync, write_through
from byhand.trace import Run, Trace, stacked

FORMAT = "byhand trace 1"


def save_trace(trace: Trace, file: str | Path) -> None:
    """Write it, whole or not at all. LookupError if a layer was called several times."""
    path = Path(file)
    tensors, places = {}, {}
    for place in trace.places:
        run = trace.run(place)
        tensors |= {
            f"{kind}/{place}/{name}": value.detach().clone(memory_format=torch.contiguous_format)
            for kind, name, value in parts(run)
        }
        places[place] = {"cell": run.cell, "sites": list(run.sites), "gradients": run.grads is not None}
    content = {"format": FORMAT, "places": places, "sha256": digest(safetensors.torch.save(tensors))}
    new = path.with_name(f".{path.name}.saving")
    try:
        write_through(new, safetensors.torch.save(tensors, {"byhand": json.dumps(content)}))
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
    sync(path.parent)


def parts(run: Run) -> list[tuple[str, str, Tensor]]:
    """What is kept of a call: kind, name, value."""
    found = [("sites", site, stacked(steps)) for site, steps in run.sites.items()]
    found += [("grads", site, run.grad(site)) for site in run.grads or ()]
    found += [("initial", state, value) for state, value in run.initial.items()]
    return [*found, ("given", "input", run.input), ("given", "valid", run.valid)]


def load_trace(file: str | Path) -> Trace:
    """Read what save_trace wrote. LoadError for anything else."""
    try:
        data = Path(file).read_bytes()
        tensors = safetensors.torch.load(data)
        with safetensors.safe_open(file, "pt") as opened:
            content = json.loads((opened.metadata() or {})["byhand"])
        whole = safetensors.torch.save(tensors, {"byhand": json.dumps(content)}) == data
        if not whole or content["format"] != FORMAT or content["sha256"] != digest(safetensors.torch.save(tensors)):
            raise ValueError("bytes that differ from what was written")
        return Trace({place: [assemble(place, tensors, **about)] for place, about in content["places"].items()})
    except (OSError, KeyError, TypeError, ValueError, RuntimeError, safetensors.SafetensorError) as problem:
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
