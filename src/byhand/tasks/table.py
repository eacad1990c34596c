"""Table: the next values of a series out of the last, from a table of the user's.

A window of so many steps of the chosen columns comes in; after its last step the next `horizon` values of the target are asked for.
Columns come scaled: less their mean, divided by their standard deviation, both of the training part. Errors are told in this unit,
for the model as for the guesses; what predict writes is in the unit of the table.

A worked example, window 3, horizon 1: of 5, 11, 16, 23, 36 the first window is 5, 11, 16 and its answer 23, the next 11, 16, 23 with
the answer 36. If the training part has the mean 20 and the standard deviation 10, the first comes as −1.5, −0.9, −0.4, the answer 0.3.

- Parts: of each series the first 70 % of the steps are for training, then 15 % for validation and 15 % for the test. A window
  belongs where its answers do, and may look back into the part before.
- Missing: see table_series; in short, up to `fill` steps in succession have the value before them, and no window reaches across more.
  A window whose answers are not all in the table is left out, as is one with answers in two parts. What was found is in `report`,
  and in the log: as a warning if anything is missing.
- A column that never changes in the training part is not divided by anything.

Chance: persistence (the last value seen, for every step) and seasonal-naive (the value a season before), on the windows of the test.

To predict in a later process the task is made anew with the same options, and finds the same scales and season in the same file. For
a table of newer data give that as path, and the one that was trained on as fit_path.

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

from byhand.tasks.forecasts import errors, season_of, seasonal_naive
from byhand.tasks.kinds import Numbered
from byhand.tasks.table_reading import read_table
from byhand.tasks.table_scaling import fit_scaling
from byhand.tasks.table_series import Wanted
from byhand.tasks.table_windows import read_windows
from byhand.tasks.task import Form, Part, Sequences, at_least

if TYPE_CHECKING:
    from jaxtyping import Int

LOG = logging.getLogger(__name__)
Predicted = Literal["test", "future"]
Step = Literal["found", "rows"]


class Table(Numbered):
    """A series of numbers, of a table of your own; windows of it come in, what follows them is asked for.

    Args:
        path: a CSV (UTF-8, names of columns in its first row) or Parquet file; None: sunspots.
        target: the column that is predicted.
        features: the columns that come in; None: the target alone.
        time: the column that orders the rows: numbers, or times as ISO 8601 writes them; None: rows are in order.
        series: the column that names the series each row belongs to; None: there is one.
        window: steps that come in.
        horizon: values that are asked for.
        season: of seasonal-naive, in steps, at most the window; None: found in the training part, see forecasts.season_of.
        fill: so many missing steps in succession are filled.
        step: "found", by the time column, or "rows": every row is the next step, whatever the time.
        time_format: as of strftime, where times are not ISO 8601.
        predict: what predict is about: the "test" part, or the "future": of each series the window at its end.
        fit_path: another table, which gives training and validation part, scales and season; that at path is then for the test, as
            a whole.
        separator: between the columns of a CSV; None: a comma, in a .tsv a tab.
        decimal: point, in a CSV.
        batch_size: windows in a batch.
        seed: the order in training.

    report: what was read, and what was missing. scaling: means and standard deviations. ValueError or OSError for what cannot be
    read, naming row and column.
    """

    monitor = "val_mse"
    files = ("path", "fit_path")

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        target: str | None = None,
        features: str | list[str] | None = None,
        time: str | None = None,
        series: str | None = None,
        window: int = 40,
        horizon: int = 1,
        season: int | None = None,
        fill: int = 1,
        step: Step = "found",
        time_format: str | None = None,
        predict: Predicted = "test",
        fit_path: str | os.PathLike[str] | None = None,
        separator: str | None = None,
        decimal: str = ".",
        batch_size: int = 32,
        seed: int = 0,
    ) -> None:
        super().__init__(batch_size, seed)
        for name, value, least in (("window", window, 1), ("horizon", horizon, 1), ("fill", fill, 0)):
            at_least(name, value, least)
        one_of("step", step, get_args(Step))
        one_of("predict", predict, get_args(Predicted))
        one_of("decimal", decimal, (".", ","))
        if season is not None and not 1 <= season <= window:
            raise ValueError(
                f"season: expected at least 1 and at most the window, {window}, got {season}; give a longer window"
            )
        if path is None:
            if fit_path is not None:
                raise ValueError("path: expected the table to predict, as there is a fit_path; or give the only table as path")
            target, time = target or "SUNACTIVITY", time or "YEAR"
        elif target is None:
            names = ", ".join(map(str, read_table(path, separator).cells.columns))
            raise ValueError(f"target: expected the name of the column to predict, one of {names}: --data.target COLUMN")
        features = [target] if features is None else [features] if isinstance(features, str) else features
        if not features or len(set(features)) < len(features):
            raise ValueError(f"features: expected different columns, at least one, got {features}")
        self.window, self.horizon, self.time, self.series = window, horizon, time, series
        self.predicted: Predicted = predict
        wanted, sizes = Wanted((*features, target), time, series, fill, step, time_format, decimal), (window, horizon)
        fitted = tested = read_windows(path if fit_path is None else fit_path, separator, wanted, sizes)
        if fit_path is not None:
            tested = read_windows(path, separator, wanted, sizes, fitted.clock)
        self.clock = tested.clock
        self.windows = {"train": fitted.windows, "val": fitted.windows, "test": tested.windows, "future": tested.windows}
        for part in ("train", "val", predict):
            self.total(part)
        self.scaling = fit_scaling(fitted.windows, wanted.columns)
        self.form = Form(len(features), horizon, "values", fitted=self.scaling.words)
        scaled = {id(one): self.scaling.apply(one) for one in (fitted.windows, tested.windows)}
        self.scaled = {part: scaled[id(windows)] for part, windows in self.windows.items()}
        self.season = season or season_of(fitted.windows.longest(), window)
        how = "" if season else ", found in training" if self.season > 1 else ": none was found in training"
        told = [*fitted.told, *(tested.told if fit_path else ()), str(self.scaling)]
        self.report = "\n".join([*told, f"season of seasonal-naive: {self.season}{how}"])
        notable = fitted.notable or tested.notable or self.scaling.constant
        (LOG.warning if notable else LOG.info)("%s", self.report)
        self.baselines = self._guess()

    def _guess(self) -> dict[str, dict[str, float]]:
        starts = torch.from_numpy(self.windows["test"].starts["test"])
        if not len(starts):
            return {}
        target = self.scaled["test"][:, -1]
        seen = target[starts[:, None] + torch.arange(self.window)].numpy()
        asked = target[starts[:, None] + torch.arange(self.window, self.window + self.horizon)].numpy()
        guesses = {"persistence": 1, "seasonal-naive": self.season}
        return {name: errors(seasonal_naive(seen, season, self.horizon), asked) for name, season in guesses.items()}

    def total(self, part: Part) -> int:
        """ValueError if there is no window in this part."""
        windows = self.windows[part]
        found = len(windows.starts[part])
        if not found:
            longest = np.bincount(windows.piece, minlength=1).max() if len(windows.piece) else 0
            where = "at the end of a series" if part == "future" else f"with the next {self.horizon} in the {part} part"
            raise ValueError(
                f"table: expected windows of {self.window} steps {where}, got none: of {len(windows.row)} steps without missing values the"
                f" longest stretch has {longest}; use a smaller window or horizon, or a larger fill"
            )
        return found

    def pick(self, part: Part, rows: Int[Tensor, " batch"]) -> Sequences:
        start, scaled = torch.from_numpy(self.windows[part].starts[part])[rows], self.scaled[part]
        input = scaled[start + torch.arange(self.window).unsqueeze(1), : self.form.input_size]
        if part == "future":
            target = torch.full((len(rows), self.horizon), torch.nan)
        else:
            target = scaled[start.unsqueeze(1) + torch.arange(self.window, self.window + self.horizon), -1]
        return Sequences(input, target, origin=start)

    def predict_dataloader(self) -> DataLoader[Sequences]:
        return self.loader(self.predicted)

    def rows(self, batch: Sequences, answer: Tensor) -> Iterator[dict[str, Any]]:
        """One for each step ahead: the series and the time (if the table has them, else the row), the target as it stands in the table,
        None in the future, and the answer in its unit.
        """
        windows = self.windows[self.predicted]
        assert batch.origin is not None
        answers = self.scaling.undo(answer).tolist()
        for sequence, (start, values) in enumerate(zip(batch.origin.tolist(), answers, strict=True)):
            for ahead, value in enumerate(values, 1):
                at = start + self.window + ahead - 1
                known = self.predicted == "test"
                row: dict[str, Any] = {"sequence": sequence}
                if self.series is not None:
                    row["series"] = windows.names[int(windows.whose[start])]
                if self.time is not None:
                    time = windows.time[at] if known else self.clock.after(windows.time[start + self.window - 1], ahead)
                    row["time"] = self.clock.label(time)
                else:
                    row["row"] = int(windows.row[at]) if known else None
                yield row | {"ahead": ahead, "target": float(windows.values[at, -1]) if known else None, "answer": value}


def one_of(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise ValueError(f"{name}: expected {' or '.join(map(repr, known))}, got {value!r}")
