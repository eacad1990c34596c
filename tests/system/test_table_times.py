"""Table: times are written as they stand in the table, whatever unit pandas keeps them in; what comes next in their form."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from tables import WAVE, lines, wave, written

from byhand.tasks import Table

AFTER = {  # the last times of a table -> the next one
    ("%Y-%m", "MS"): "2028-05",
    ("%Y", "YS"): "2120",
    ("%Y-%m-%d", "D"): "2020-04-10",
    ("%Y/%m/%d", "D"): "2020/04/10",
    ("%Y%m%d", "D"): "20200410",
    ("%Y-%m-%d %H:%M", "h"): "2020-01-05 04:00",
    ("%Y-%m-%d %H", "h"): "2020-01-05 04",
    ("%Y-%m-%dT%H:%M:%S", "h"): "2020-01-05T04:00:00",
    ("%Y-%m-%dT%H:%MZ", "h"): "2020-01-05T04:00Z",
    ("%Y-%m-%d %H:%M:%S+02", "h"): "2020-01-05 04:00:00+02",
    ("%Y-%m-%dT%H:%M:%S-0330", "D"): "2020-04-10T00:00:00-0330",
    ("%Y-%m-%d %H:%M:%S +05:45", "h"): "2020-01-05 04:00:00 +05:45",
}


def future(made: Table) -> list[str]:
    made.predicted = "future"
    batch = made.batch("future", 0, 0, 1)
    return [row["time"] for row in made.rows(batch, torch.zeros(1, made.form.output_size))]


def known(made: Table) -> list[str]:
    batch = made.batch("test", 0, 0, 99)
    return [row["time"] for row in made.rows(batch, batch.target)]


@pytest.mark.parametrize(("form", "freq"), AFTER)
def test_a_join_with_the_table_finds_every_row(tmp_path: Path, form: str, freq: str) -> None:
    times = [one.strftime(form) for one in pd.date_range("2020-01-01", periods=100, freq=freq)]
    path = wave(tmp_path, WAVE, times)
    made = Table(path, "y", time="t", window=3)
    batch = made.batch("test", 0, 0, 99)
    predictions = pd.DataFrame(made.rows(batch, batch.target))
    both = predictions.merge(pd.read_csv(path, dtype={"t": str}), left_on="time", right_on="t")
    assert len(both) == len(predictions) == 15
    np.testing.assert_allclose(both["target"], both["y"])
    assert future(made) == [AFTER[form, freq]]


FORMATS = {
    "%d.%m.%Y": ("D", "10.04.2020"),
    "%m/%d/%Y %I:%M %p": ("h", "01/05/2020 04:00 AM"),
    "%b %d, %Y": ("D", "Apr 10, 2020"),
    "%YM%m": ("MS", "2028M05"),
    "%Y-%m-%d %H:%M:%S.%f": ("h", "2020-01-05 04:00:00.000000"),
    "%H:%M %z %d.%m.%Y": ("h", "04:00 +0000 05.01.2020"),
}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("short", [False, True])
def test_in_ways_of_one_s_own(tmp_path: Path, form: str, short: bool) -> None:
    """short: without zeros in front of days and months."""
    freq, after = FORMATS[form]
    dates = pd.date_range("2020-01-01", periods=100, freq=freq, tz="UTC" if "%z" in form else None)
    few = form.replace("%d", "%-d").replace("%m", "%-m") if short else form
    times = [one.strftime(few) for one in dates]
    rows = [[time, cell] for time, cell in zip(times, WAVE, strict=True)]
    path = written(tmp_path, pd.DataFrame(rows, columns=["t", "y"]).to_csv(index=False))
    made = Table(path, "y", time="t", time_format=form, window=3)
    assert known(made) == times[-15:]
    assert future(made) == [(dates[-1] + dates.freq).strftime(few) if short else after]


def test_as_precise_as_the_most_precise_one(tmp_path: Path) -> None:
    """As a program writes them that leaves out what is 0."""
    times = [str(one.to_pydatetime()) for one in pd.date_range("2020-01-01", periods=100, freq="500ms")]
    made = Table(wave(tmp_path, WAVE, times), "y", time="t", window=3, horizon=2)
    assert len({len(one) for one in times}) == 2 and set(known(made)) == set(times[-15:])
    assert future(made) == ["2020-01-01 00:00:50.000000", "2020-01-01 00:00:50.500000"]


@pytest.mark.parametrize(
    "times", [[1_700_000_000_123_456_789 + at * 10**9 for at in range(100)], [f"{at:04d}" for at in range(100)]]
)
def test_whole_numbers_stay_as_they_are(tmp_path: Path, times: list[Any]) -> None:
    made = Table(wave(tmp_path, WAVE, times), "y", time="t", window=3)
    assert known(made) == [str(one) for one in times[-15:]]
    assert future(made) == ["0100" if isinstance(times[0], str) else str(times[-1] + 10**9)]


UNITS = ("s", "ms", "us", "ns")
STEPS = {"h": "1:00:00", "D": "1 day", "B": "1 working day", "ME": "1 month", "7D": "7 days"}


@pytest.mark.parametrize("freq", STEPS)
@pytest.mark.parametrize("unit", [*UNITS, "mixed", "text"])
def test_no_unit_of_time_changes_anything(tmp_path: Path, unit: str, freq: str) -> None:
    """A column of Parquet in one unit, one that was concatenated out of two, or text of which one cell has nanoseconds."""
    dates = pd.date_range("2020-01-31", periods=101, freq=freq)
    times, after = dates[:-1], dates[-1]
    kept = [at for at in range(100) if at != 50]
    if unit == "text":
        text = [f"{one:%Y-%m-%dT%H:%M:%S}" for one in times]
        text[0] += ".000000000"
        path = written(tmp_path, lines([text[at] for at in kept], [WAVE[at] for at in kept], names="t,y"))
        assert pd.to_datetime(pd.read_csv(path)["t"], format="ISO8601").dtype == "datetime64[ns]"
    else:
        first, rest = ("us", "ns") if unit == "mixed" else (unit, unit)
        column = pd.concat(
            [pd.Series(times[:9]).astype(f"datetime64[{first}]"), pd.Series(times[9:]).astype(f"datetime64[{rest}]")]
        )
        frame = pd.DataFrame({"t": column.to_numpy(), "y": WAVE})
        assert frame["t"].dtype == f"datetime64[{'ns' if unit == 'mixed' else unit}]"
        frame.iloc[kept].to_parquet(path := str(tmp_path / "data.parquet"))
    made = Table(path, "y", time="t", window=3)
    assert f"a step is {STEPS[freq]}\n" in made.report and "steps without a row: 1: 1 behind row" in made.report
    other = Table(
        wave(tmp_path, [WAVE[at] for at in kept], [str(times[at]) for at in kept], "plain.csv"), "y", time="t", window=3
    )
    for part in ("train", "val", "test"):
        assert torch.equal(made.batch(part, 0, 0, 99).input, other.batch(part, 0, 0, 99).input)
    assert pd.to_datetime(known(made)).tolist() == times[-15:].tolist()
    assert pd.to_datetime(future(made)).tolist() == [after]


def test_a_newer_table_in_another_unit(tmp_path: Path) -> None:
    times = pd.date_range("2020-01-01", periods=130, freq="h")
    for name, unit, rows in (("old", "s", slice(0, 100)), ("new", "ns", slice(100, 130))):
        column = pd.Series(times[rows]).astype(f"datetime64[{unit}]").to_numpy()
        pd.DataFrame({"t": column, "y": [*WAVE, *WAVE][rows]}).to_parquet(tmp_path / f"{name}.parquet")
    made = Table(tmp_path / "new.parquet", "y", time="t", window=3, fit_path=tmp_path / "old.parquet", horizon=2)
    assert "new.parquet: 30 rows, 1 series, a step is 1:00:00" in made.report
    assert future(made) == ["2020-01-06 10:00:00", "2020-01-06 11:00:00"]


def test_nanoseconds_are_kept(tmp_path: Path) -> None:
    times = pd.date_range("2020-01-01", periods=100, freq="250ns")
    made = Table(wave(tmp_path, WAVE, [one.isoformat() for one in times]), "y", time="t", window=3)
    assert "a step is 250 nanoseconds" in made.report and known(made) == [one.isoformat() for one in times[-15:]]
    assert future(made) == ["2020-01-01T00:00:00.000025000"]


def test_zones_of_parquet(tmp_path: Path) -> None:
    """As pandas writes them as CSV."""
    times = pd.date_range("2024-10-25", periods=100, freq="h", tz="Europe/Berlin")
    frame = pd.DataFrame({"t": times, "y": WAVE})
    frame.to_parquet(tmp_path / "data.parquet")
    made = Table(tmp_path / "data.parquet", "y", time="t", window=3)
    assert "a step is 1:00:00\n" in made.report and "without a row" not in made.report
    assert known(made) == pd.read_csv(io.StringIO(frame.to_csv(index=False)))["t"].tolist()[-15:]
    assert future(made) == ["2024-10-29 03:00:00+01:00"]
