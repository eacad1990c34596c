"""The scale of a table's columns: less their mean, divided by their standard deviation, both of the training part.

With `difference` the targets come in, and are asked for, as changes, x(t) − x(t−1), scaled like any other column. The answer k steps
behind the last value x seen is x + k·μ + σ·y, with μ and σ of the changes and y of the model, and so is exact in x. Errors are given in
standard deviations of the target itself all the same, so that they can be compared.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from byhand.tasks.table.numbers import NUMBER

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

    from byhand.tasks.table.windows import Windows

CHANGE = "change of "
Scales = Mapping[str, Sequence[float]]  # name -> mean and standard deviation


class Scaling(NamedTuple):
    """columns: the names of what comes in and, last, of the targets: columns of the table, or changes of them. means, spreads: of each; a
    spread is a standard deviation, 1 where nothing changes. changes: which of them are changes. constant: those that never change.
    levels: of targets that are changes, the scale of the column itself. targets: how many there are.
    """

    columns: tuple[str, ...]
    means: Float[np.ndarray, " columns"]
    spreads: Float[np.ndarray, " columns"]
    changes: Bool[np.ndarray, " columns"]
    constant: tuple[str, ...]
    levels: Scales
    targets: int

    @property
    def scales(self) -> dict[str, tuple[float, float]]:
        """By name."""
        own = zip(self.columns, zip(self.means.tolist(), self.spreads.tolist(), strict=True), strict=True)
        return dict(own) | {name: (float(mean), float(spread)) for name, (mean, spread) in self.levels.items()}

    @property
    def units(self) -> Float[np.ndarray, " targets"]:
        """Of each target, the standard deviation in which errors are given."""
        own = [
            self.levels.get(name.removeprefix(CHANGE), (0.0, spread))[1]
            for name, spread in zip(self.columns, self.spreads, strict=True)
        ]
        return np.array(own[-self.targets :])

    def __str__(self) -> str:
        return "\n".join(
            f"{name}: never changes in training"
            if name in self.constant
            else f"{name}: mean {mean:.6g}, standard deviation {spread:.6g} in training"
            for name, (mean, spread) in self.scales.items()
        )

    @property
    def words(self) -> str:
        """All of it in a word or two, equal for equal scales."""
        return "; ".join(f"{name}: {mean:.9g}, {spread:.9g}" for name, (mean, spread) in self.scales.items())

    def apply(self, windows: Windows) -> Float[Tensor, "steps columns"]:
        """ValueError for a value that would be infinite. The first change of each piece, which is not known, is 0."""
        values = changed(windows, self.changes)
        with np.errstate(over="ignore"):
            scaled = torch.from_numpy(((values - self.means) / self.spreads).astype(np.float32))
        scaled[torch.from_numpy(np.isnan(values))] = 0
        bad = (~scaled.isfinite()).nonzero()
        if len(bad):
            step, column = bad[0].tolist()
            raise ValueError(
                f"column {self.columns[column]!r}, row {windows.row[step]}: {windows.values[step, column]:g} is too far from the training"
                f" part's mean {self.means[column]:g} and standard deviation {self.spreads[column]:g} to be computed with; if that is how a"
                f" missing value is written: --data.missing={windows.values[step, column]:g}"
            )
        return scaled

    def asked(
        self, levels: Float[np.ndarray, "windows horizon targets"], last: Float[np.ndarray, "windows targets"]
    ) -> Float[np.ndarray, "windows answers"]:
        """What is asked for, in the scale of the answers: all steps of a target, then of the next. last: before the first of them."""
        scaled = (levels - self.offsets(last, levels.shape[1])) / self.spreads[-self.targets :]
        return scaled.transpose(0, 2, 1).reshape(len(levels), -1)

    def undo(self, answer: Tensor, last: Float[np.ndarray, "windows targets"]) -> Float[np.ndarray, "windows horizon targets"]:
        """Answers in the targets' own units."""
        scaled = answer.double().cpu().numpy().reshape(len(answer), self.targets, -1).transpose(0, 2, 1)
        return scaled * self.spreads[-self.targets :] + self.offsets(last, scaled.shape[1])

    def offsets(self, last: Float[np.ndarray, "windows targets"], horizon: int) -> Float[np.ndarray, "windows horizon targets"]:
        """The answer that is 0 in the scale of the answers."""
        means, changes = self.means[-self.targets :], self.changes[-self.targets :]
        ahead = np.arange(1, horizon + 1)[:, None]
        return np.where(changes, last[:, None, :] + ahead * means, means)


def changed(windows: Windows, which: Bool[np.ndarray, " columns"]) -> Float[np.ndarray, "steps columns"]:
    """The values, of these columns as changes from the step before; NaN where that is not known."""
    if not which.any():
        return windows.values
    values = windows.values.copy()
    values[1:, which] = np.diff(windows.values[:, which], axis=0)
    values[np.diff(windows.piece, prepend=-1) != 0] = np.where(
        which, np.nan, windows.values[np.diff(windows.piece, prepend=-1) != 0]
    )
    return values


def fit_scaling(windows: Windows, columns: Sequence[str], targets: int, *, difference: bool, given: Scales | None) -> Scaling:
    """Of the training part, or as given. ValueError for numbers too large to take a mean of, or scales of other columns."""
    asked = columns[-targets:]
    changes = np.array([difference and name in asked for name in columns])
    names = tuple(f"{CHANGE}{name}" if is_change else name for name, is_change in zip(columns, changes, strict=True))
    own = {name: of_column(windows, values, name) for name, values in zip(names, changed(windows, changes).T, strict=True)}
    levels = {name: of_column(windows, windows.values[:, columns.index(name)], name) for name in asked if difference}
    constant = tuple(name for name, (mean, spread) in (own | levels).items() if spread <= 1e-12 * abs(mean))
    found = {name: (mean, 1.0 if name in constant else spread) for name, (mean, spread) in (own | levels).items()}
    if given is not None:
        found, constant = checked(given, found), ()
    means, spreads = np.array([found[name] for name in names]).T
    return Scaling(names, means, spreads, changes, constant, {name: found[name] for name in levels}, targets)


def of_column(windows: Windows, values: Float[np.ndarray, " steps"], name: str) -> tuple[float, float]:
    """Mean and standard deviation in the training part."""
    there = windows.training & ~np.isnan(values)
    with np.errstate(over="ignore", invalid="ignore"):
        mean, spread = (float(values[there].mean()), float(values[there].std())) if there.any() else (0.0, 0.0)
    if not np.isfinite(mean) or not np.isfinite(spread):
        raise ValueError(f"column {name!r}: expected numbers below 1e150, got larger ones; divide them by a power of ten")
    return mean, spread


def checked(given: Scales, found: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """The scales as given. ValueError if they are of other columns, or none."""
    if set(given) != set(found):
        raise ValueError(
            f"scale: expected a mean and a standard deviation of each of {', '.join(found)}, got {', '.join(given)}"
        )
    for name, pair in given.items():
        if len(pair) != 2 or not np.isfinite(pair).all() or pair[1] <= 0:
            raise ValueError(f"scale: {name}: expected a mean and a standard deviation above 0, got {list(pair)}")
    return {name: (float(mean), float(spread)) for name, (mean, spread) in given.items()}


def read_scales(words: str) -> dict[str, list[float]]:
    """The scales out of Scaling.words, as a model keeps them."""
    return {
        match[1]: [float(match[2]), float(match[3])]
        for match in re.finditer(rf"(.*?): ({NUMBER}), ({NUMBER})(?:; |$)", words, re.DOTALL)
    }
