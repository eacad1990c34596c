"""What byhand.convert says of what it did: a line for each module, and the differences as a ParityReport."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from byhand.interop.parity import ParityReport, versions_of


@dataclass(frozen=True)
class Converted:
    """One module. The differences are the greatest, on random input in eval mode, between what it gave before and what it gives
    now: in outputs and last states, and in the gradients by its input and weights. NaN where nothing was measured; `note` says why,
    or how it was measured. allowed: the greatest difference that rounding explains, of the two.
    """

    path: str
    was: str
    now: str
    dtype: torch.dtype
    parameters: int
    forward: float
    backward: float
    note: str = ""
    allowed: float = math.nan


@dataclass(frozen=True)
class Report:
    """What convert did. left: path -> why a module was left as it is."""

    modules: tuple[Converted, ...]
    left: dict[str, str]

    @property
    def max_difference(self) -> float:
        """The greatest difference that was measured, forward and backward; 0 if nothing was converted, NaN if nothing was measured."""
        values = [value for one in self.modules for value in (one.forward, one.backward)]
        return max((value for value in values if not math.isnan(value)), default=math.nan if values else 0.0)

    @property
    def parity(self) -> ParityReport | None:
        """The differences as the report that all conversions give; None if nothing was measured. Each layer was held to what rounding
        explains of it; the report's tolerance is the greatest of these.
        """
        measured = [one for one in self.modules if not math.isnan(one.forward)]
        if not measured:
            return None
        values = {}
        for one in measured:
            name = one.path or "(itself)"
            values |= {f"{name}, outputs and states": one.forward, f"{name}, gradients": one.backward}
        notes = [f"{one.path or '(itself)'}: {one.note}" for one in self.modules if one.note]
        notes += [f"{path or '(itself)'} left as it is: {why}" for path, why in self.left.items()]
        allowed = max(one.allowed for one in measured)
        return ParityReport("each layer before and after convert", values, allowed, versions_of(), tuple(notes))

    def __str__(self) -> str:
        if not self.modules and not self.left:
            return "no recurrent layer of torch.nn to convert"
        rows = [("module", "was", "now", "dtype", "parameters", "forward", "backward", "")]
        for one in self.modules:
            dtype = str(one.dtype).removeprefix("torch.")
            differences = f"{one.forward:.1e}", f"{one.backward:.1e}"
            rows.append((one.path or "(itself)", one.was, one.now, dtype, str(one.parameters), *differences, one.note))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([*lines, *(f"{path or '(itself)'} left as it is: {why}" for path, why in self.left.items())])
