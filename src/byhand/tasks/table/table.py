"""Table: the next values of a series out of the last, from a table of the user's.

A window of `window` steps of the chosen columns comes in; after it the next `horizon` values of the target are asked for.
Columns come scaled: less their mean, divided by their standard deviation, both of the training part. Errors are given in this unit,
for the model as for the baselines; what predict writes is in the unit of the table.

A worked example, window 3, horizon 1: of 5, 11, 16, 23, 36 the first window is 5, 11, 16 and its answer 23, the next 11, 16, 23 with
the answer 36. If the training part has the mean 20 and the standard deviation 10, the first comes as −1.5, −0.9, −0.4, the answer 0.3.

- Parts: of each series the first 70 % of the steps are for training, then 15 % for validation and 15 % for the test. A window
  belongs where its answers do, and may look back into the part before.
- Missing: see series.py; in short, up to `fill` steps in succession have the value before them, and no window reaches across more.
  A window whose answers are not all in the table is left out, as is one with answers in two parts. What was found is in `report`,
  and in the log: as a warning if anything is missing.
- A column that never changes in the training part is not divided by anything.

Chance: persistence (the last value seen, for every step) and seasonal-naive (the value a season before), on the windows of the test.

To predict in a later process the task is made again with the same options, and finds the same scales and season in the same file. For
a table of newer data give that as path, and the one that was trained on as fit_path. To train on with newer data: `byhand fit
--fine_tune CHECKPOINT`, which passes the scales of the old ones on as `scale`.

Without a table of your own: sunspots a year, 1700 to 2008, as statsmodels ships them.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from byhand.tasks.generated import Indexed
from byhand.tasks.table.advice import advice
from byhand.tasks.table.baselines import errors, season_of, seasonal_naive
from byhand.tasks.table.order import Wanted
from byhand.tasks.table.reading import read_table
from byhand.tasks.table.rows import rows
from byhand.tasks.table.scaling import fit_scaling
from byhand.tasks.table.windows import read_windows
from byhand.tasks.table.words import about
from byhand.tasks.task import Form, Part, Sequences, at_least

if TYPE_CHECKING:
    from jaxtyping import Float, Int

LOG = logging.getLogger(__name__)
Predicted = Literal["test", "future"]
Step = Literal["found", "rows"]


class Table(Indexed):
    """A series of numbers, of a table of your own; windows of it come in, what follows them is asked for.

    Args:
        path: a file of CSV (UTF-8) or Parquet; None: sunspots.
        target: the column that is predicted, or several.
        features: the columns that come in; None: the targets alone.
        time: the column that orders the rows: numbers, or times as ISO 8601 writes them; several, such as a date and a time, are read as
            one; None: rows are in order.
        series: the column that names the series each row belongs to, or several that do so together; None: there is one.
        window: steps that come in.
        horizon: values that are asked for.
        season: of seasonal-naive, in steps, at most the window; None: found in the training part, see baselines.season_of.
        fill: how many missing steps in succession are filled at most.
        step: "found", by the time column, or "rows": every row is the next step, whatever the time.
        time_format: as of strftime, where times are not ISO 8601.
        predict: what predict is about: the "test" part, or the "future": of each series the window at its end.
        fit_path: another table, which gives training and validation part, scales and season; that at path is then for the test, as
            a whole.
        separator: between the columns of a text, " " for any number of blanks; None: found.
        decimal: "." or ",", of numbers in a text; the other one then parts thousands; None: found.
        header: how many rows of a text hold the names of the columns, 0 for none: then they are called 1, 2, 3, by their place; None:
            found.
        missing: what stands where a value is missing, a word or a number such as -9999, or several; empty cells, ?, NA, NaN, null and
            none are missing in any case. [] says that no number is.
        zone: the place whose clocks the times are of, such as Europe/Berlin, if an hour comes twice when they are put back.
        difference: the targets come in, and are learnt, as changes from step to step, for series that leave the range of their training
            part; predictions and errors are of the values all the same.
        scale: column -> its mean and standard deviation, as of the table that a model was trained on before; None: found in the training
            part.
        batch_size: windows in a batch.
        seed: the order in training.

    Attributes:
        report: what was read, and what was missing.
        scaling: means and standard deviations.

    Raises:
        ValueError: for what cannot be read, naming row and column; or an argument is out of range.
        OSError: the file cannot be read.
    """

    monitor = "val_mse"
    files = ("path", "fit_path")

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        target: str | list[str] | None = None,
        features: str | list[str] | None = None,
        time: str | list[str] | None = None,
        series: str | list[str] | None = None,
        window: int = 40,
        horizon: int = 1,
        season: int | None = None,
        fill: int = 1,
        step: Step = "found",
        time_format: str | None = None,
        predict: Predicted = "test",
        fit_path: str | os.PathLike[str] | None = None,
        separator: str | None = None,
        decimal: str | None = None,
        header: int | None = None,
        missing: str | float | list[str | float] | None = None,
        zone: str | None = None,
        difference: bool = False,
        scale: dict[str, list[float]] | None = None,
        batch_size: int = 32,
        seed: int = 0,
    ) -> None:
        super().__init__(batch_size, seed)
        check(window, horizon, season, fill, header, step, predict, decimal)
        if path is None:
            if fit_path is not None:
                raise ValueError("path: expected the table to predict, as there is a fit_path; or give the only table as path")
            target, time = target or "SUNACTIVITY", time or "YEAR"
        elif target is None:
            names = ", ".join(map(str, read_table(path, separator, header).cells.columns))
            raise ValueError(f"target: expected the name of the column to predict, one of {names}: --data.target COLUMN")
        targets = different("target", target)
        columns = (*(targets if features is None else different("features", features)), *targets)
        self.window, self.horizon, self.targets, self.columns = window, horizon, targets, columns
        self.time, self.series = different("time", time or []), different("series", series or [])
        self.zone, self.difference = zone, difference
        self.predicted: Predicted = predict
        kept = (fill, step, time_format, zone, decimal, missing)
        wanted = Wanted(columns, len(targets), self.time, self.series, *kept)
        self.seen = window + difference  # steps of a window: a change is between two
        reading, sizes = (separator, header, wanted), (self.seen, horizon)
        fitted = tested = read_windows(path if fit_path is None else fit_path, *reading, sizes)
        if fit_path is not None:
            tested = read_windows(path, *reading, sizes, fitted.clock)
        self.clock, self.written, self.gap = tested.clock, tested.form, fitted.gap or tested.gap
        self.windows = {"train": fitted.windows, "val": fitted.windows, "test": tested.windows, "future": tested.windows}
        for part in ("train", "val", predict):
            self.total(part)
        self.scaling = fit_scaling(fitted.windows, columns, len(targets), difference=difference, given=scale)
        size = len(columns) - len(targets)
        units = np.repeat(self.scaling.spreads[size:] / self.scaling.units, horizon).tolist() if difference else None
        self.about = about(columns[:size], targets, window, horizon)
        self.form = Form(size, horizon * len(targets), "regression", fitted=self.scaling.words, units=units)
        scaled = {id(one): self.scaling.apply(one) for one in (fitted.windows, tested.windows)}
        self.scaled = {part: scaled[id(windows)] for part, windows in self.windows.items()}
        self.season = season or season_of(fitted.windows.longest(size), window)
        how = "" if season else ", found in training" if self.season > 1 else ": none was found in training"
        given = ["scales as given, of an earlier training:"] if scale else []
        lines = [*fitted.lines, *(tested.lines if fit_path else ()), *given, str(self.scaling)]
        self.report = "\n".join([*lines, f"season of seasonal-naive: {self.season}{how}"])
        notable = fitted.notable or tested.notable or self.scaling.constant
        (LOG.warning if notable else LOG.info)("%s", self.report)
        self.baselines = self._guess()

    def _guess(self) -> dict[str, dict[str, float]]:
        starts = self.windows["test"].starts["test"]
        if not len(starts):
            return {}
        targets = self.levels("test") / self.scaling.units
        seen, asked = (
            np.concatenate([one[starts[:, None] + steps] for one in targets.T])
            for steps in (np.arange(self.seen), self.seen + np.arange(self.horizon))
        )
        guesses = {"persistence": 1, "seasonal-naive": self.season}
        return {name: errors(seasonal_naive(seen, season, self.horizon), asked) for name, season in guesses.items()}

    @property
    def outputs(self) -> list[str]:  # type: ignore[override]
        """What each number that a model gives is called."""
        targets = self.scaling.columns[-len(self.targets) :]
        if self.horizon == 1:
            return [f"next {target}" for target in targets]
        return [f"{target}, {step} ahead" for target in targets for step in range(1, self.horizon + 1)]

    def levels(self, part: Part) -> Float[np.ndarray, "steps targets"]:
        """The targets as they stand in the table."""
        return self.windows[part].values[:, -len(self.targets) :]

    def last(self, part: Part, start: Int[np.ndarray, " windows"]) -> Float[np.ndarray, "windows targets"]:
        """The last values that windows have seen."""
        return self.levels(part)[start + self.seen - 1]

    def total(self, part: Part) -> int:
        """ValueError if there is no window in this part."""
        windows = self.windows[part]
        found = len(windows.starts[part])
        if not found:
            longest = np.bincount(windows.piece, minlength=1).max() if len(windows.piece) else 0
            where = "at the end of a series" if part == "future" else f"with the next {self.horizon} in the {part} part"
            night = f", or --data.step=rows if the time behind row {self.gap} is none of the series, as at night"
            raise ValueError(
                f"table: expected windows of {self.seen} steps {where}, got none: of {len(windows.row)} steps without missing values the"
                f" longest stretch has {longest}; use a smaller window or horizon, or a larger fill{night if self.gap else ''}"
            )
        return found

    def pick(self, part: Part, rows: Int[Tensor, " batch"]) -> Sequences:
        start = torch.from_numpy(self.windows[part].starts[part])[rows]
        first = start + self.seen - self.window
        input = self.scaled[part][first + torch.arange(self.window).unsqueeze(1), : self.form.input_size]
        if part == "future":
            target = torch.full((len(rows), self.form.output_size), torch.nan)
        else:
            at = start.numpy()
            levels = self.levels(part)[at[:, None] + self.seen + np.arange(self.horizon)]
            target = torch.from_numpy(self.scaling.asked(levels, self.last(part, at)).astype(np.float32))
        return Sequences(input, target, origin=start)

    def predict_dataloader(self) -> DataLoader[Sequences]:
        return self.loader(self.predicted)

    def advice(self, *, short: bool) -> str | None:
        return advice(self, short=short)

    def rows(self, batch: Sequences, answer: Tensor) -> Iterator[dict[str, Any]]:
        """One for each step ahead: the series and the time (if the table has them, else the row), the targets as they stand in the table,
        None in the future, and the answers in their units.
        """
        return rows(self, batch, answer)


def check(
    window: int, horizon: int, season: int | None, fill: int, header: int | None, step: str, predict: str, decimal: str | None
) -> None:
    """ValueError for a value that its option cannot have."""
    least = {"window": (window, 1), "horizon": (horizon, 1), "fill": (fill, 0), "header": (header or 0, 0)}
    for name, (value, lowest) in least.items():
        at_least(name, value, lowest)
    one_of("step", step, get_args(Step))
    one_of("predict", predict, get_args(Predicted))
    one_of("decimal", decimal or ".", (".", ","))
    if season is not None and not 1 <= season <= window:
        raise ValueError(f"season: expected at least 1 and at most the window, {window}, got {season}; give a longer window")


def different(name: str, given: str | Sequence[str]) -> tuple[str, ...]:
    """The names of one column or several. ValueError if one comes twice, or there is none where some have to be."""
    names = (given,) if isinstance(given, str) else tuple(given)
    if len(set(names)) < len(names) or not (names or name in ("time", "series")):
        raise ValueError(f"{name}: expected different columns, at least one, got {list(names)}")
    return names


def one_of(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise ValueError(f"{name}: expected {' or '.join(map(repr, known))}, got {value!r}")
