"""check_finite: find the first value that is not a number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from byhand.engine.observe import EditFunction, active
from byhand.trace.layers import layers

if TYPE_CHECKING:
    from byhand.engine.call import Call, Result


class FiniteCheck:
    """The observer behind check_finite."""

    reads = True
    in_graph = False

    def __init__(self, paths: Mapping[nn.Module, str]) -> None:
        self.paths = paths

    def edits(self, place: str) -> Mapping[str, EditFunction]:
        return {}

    def observe(self, place: str, call: Call, result: Result) -> None:
        """Look through what the layer was given, then through what it computed, in the order in which it did."""
        valid = call.valid if call.valid is not None else call.input.new_ones(call.input.shape[:2], dtype=torch.bool)
        named = zip(("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr"), call.weights[:5], strict=True)
        for name, weight in (*named, *zip(call.cell.vectors, call.weights.vectors, strict=True)):
            if weight is not None and not bool(torch.isfinite(weight).all()):
                raise FloatingPointError(f"check_finite: {place or 'the cell'} has {worst(weight)} in its parameter {name}")
        for name, value in zip(call.cell.state, call.state, strict=True):
            report(place, f"the first state {name}", value, torch.ones_like(valid[0]))
        times = range(len(valid) - 1, -1, -1) if call.reverse else range(len(valid))
        assert result.sites is not None
        for time in times:
            report(place, f"the input at time {time}", call.input[time], valid[time])
            for site, steps in result.sites.items():
                report(place, f"site {site} at time {time}", steps[time], valid[time])


def worst(value: Tensor) -> str:
    return "nan" if bool(torch.isnan(value).any()) else "inf"


def report(place: str, what: str, value: Tensor, valid: Tensor) -> None:
    wrong = ~torch.isfinite(value) & valid.unsqueeze(-1)
    if bool(wrong.any()):
        batch, unit = torch.nonzero(wrong)[0].tolist()
        where = f"batch {batch}, unit {unit}"
        number = value[batch, unit].item()
        raise FloatingPointError(
            f"check_finite: {place or 'the cell'} has {number} in {what} ({where}; {int(wrong.sum())} such values in that step);"
            " all that was computed before it is finite"
        )


@contextmanager
def check_finite(model: nn.Module) -> Iterator[None]:
    """Inside the block, FloatingPointError at the first NaN or infinity in a byhand layer; it names layer, time, site, batch and unit,
    or the input, first state or parameter that held it before. Slower: for finding a fault, not for training.
    """
    with active(FiniteCheck(layers(model, "check_finite"))):
        yield
