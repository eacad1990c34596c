"""The scale of a table's columns: less their mean, divided by their standard deviation, both of the training part."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from jaxtyping import Float

    from byhand.tasks.table_windows import Windows


class Scaling(NamedTuple):
    """Of each column; the last is the target. spreads: standard deviations, 1 for a column that does not change."""

    columns: tuple[str, ...]
    means: Float[np.ndarray, " columns"]
    spreads: Float[np.ndarray, " columns"]
    constant: tuple[str, ...]

    def __str__(self) -> str:
        known = dict(zip(self.columns, zip(self.means, self.spreads, strict=True), strict=True))
        lines = [
            f"{name}: mean {mean:.6g}, standard deviation {spread:.6g} in training" for name, (mean, spread) in known.items()
        ]
        return "\n".join(
            line if name not in self.constant else f"{name}: never changes in training"
            for name, line in zip(known, lines, strict=True)
        )

    @property
    def words(self) -> str:
        """All of it in a word or two, equal for equal scales."""
        parts = zip(self.columns, self.means, self.spreads, strict=True)
        return "; ".join(dict.fromkeys(f"{name}: {mean:.9g}, {spread:.9g}" for name, mean, spread in parts))

    def apply(self, windows: Windows) -> Float[Tensor, "steps columns"]:
        """ValueError for a value that would be infinite."""
        with np.errstate(over="ignore"):
            scaled = torch.from_numpy(((windows.values - self.means) / self.spreads).astype(np.float32))
        bad = (~scaled.isfinite()).nonzero()
        if len(bad):
            step, column = bad[0].tolist()
            raise ValueError(
                f"column {self.columns[column]!r}, row {windows.row[step]}: {windows.values[step, column]:g} is too far from the training"
                f" part's mean {self.means[column]:g} and standard deviation {self.spreads[column]:g} to be computed with; correct the cell"
            )
        return scaled

    def undo(self, answer: Tensor) -> Float[Tensor, "..."]:
        """Answers in the target's own unit, float64."""
        return answer.double().cpu() * float(self.spreads[-1]) + float(self.means[-1])


def fit_scaling(windows: Windows, columns: tuple[str, ...]) -> Scaling:
    """ValueError for numbers too large to take a mean of."""
    values = windows.values[windows.training]
    with np.errstate(over="ignore", invalid="ignore"):
        means, spreads = values.mean(0), values.std(0)
    for name, mean, spread in zip(columns, means, spreads, strict=True):
        if not np.isfinite(mean) or not np.isfinite(spread):
            raise ValueError(f"column {name!r}: expected numbers below 1e150, got larger ones; divide them by a power of ten")
    constant = spreads <= 1e-12 * np.abs(means)
    names = (name for name, is_so in zip(columns, constant, strict=True) if is_so)
    return Scaling(columns, means, np.where(constant, 1.0, spreads), tuple(dict.fromkeys(names)))
