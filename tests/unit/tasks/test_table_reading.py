"""Table: which files and times are read, and which are refused."""

import math
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from generated import same
from hypothesis import given, settings
from hypothesis import strategies as st
from tables import WAVE, lines, slices, wave, windows, written

from byhand.tasks import Table
from byhand.tasks.task import PARTS


def test_rows_in_another_order_are_sorted_and_that_is_told(tmp_path: Path) -> None:
    backwards = Table(wave(tmp_path, WAVE[::-1], [*range(99, -1, -1)]), "y", time="t", window=3)
    assert "the rows are not in the order of 't': they were sorted" in backwards.report
    assert windows(backwards, "test") == slices(WAVE, 3, 1, 0.85, 1)


CALENDARS = {
    "days": (pd.date_range("2023-12-01", periods=100), "1 day", "2024-03-10"),
    "minutes": (pd.date_range("2024-02-28 23:00", periods=100, freq="15min"), "0:15:00", "2024-03-01T00:00:00"),
    "weeks": (pd.date_range("2024-01-03", periods=100, freq="7D"), "7 days", "2025-12-03"),
    "months": (pd.date_range("2016-01-15", periods=100, freq="MS") + pd.Timedelta("14D"), "1 month", "2024-06-15"),
    "ends of months": (pd.date_range("2016-01-31", periods=100, freq="ME"), "1 month", "2024-05-31"),
    "quarters": (pd.date_range("2000-01-01", periods=100, freq="QS"), "3 months", "2025-01-01"),
    "years": (pd.date_range("1924-07-01", periods=100, freq="YS-JUL"), "12 months", "2024-07-01"),
    "working days": (pd.bdate_range("2024-01-03", periods=100), "1 working day", "2024-05-22"),
}


@pytest.mark.parametrize("name", CALENDARS)
def test_steps_on_the_calendar(tmp_path: Path, name: str) -> None:
    dates, step, after = CALENDARS[name]
    texts = [str(one.date()) if name != "minutes" else one.isoformat() for one in dates]
    made = Table(wave(tmp_path, WAVE, texts), "y", time="t", window=3, horizon=2, predict="future")
    assert f"a step is {step}\n" in made.report and "missing" not in made.report
    (batch,) = made.predict_dataloader()
    assert next(row["time"] for row in made.rows(batch, torch.zeros(1, 2))) == after
    kept = [at for at in range(100) if at not in (50, 60, 61)]
    made = Table(wave(tmp_path, [WAVE[at] for at in kept], [texts[at] for at in kept]), "y", time="t", window=3)
    assert "steps without a row: 3: 1 behind row 51, 2 behind row 60" in made.report, made.report
    batch = made.batch("test", 0, 0, 99)
    assert [row["time"] for row in made.rows(batch, batch.target)] == texts[-len(batch.target) :]


def test_times_with_zones_and_in_ways_of_ones_own(tmp_path: Path) -> None:
    dates = pd.date_range("2024-03-30", periods=100, freq="h", tz="Europe/Berlin")  # over the change to summer time
    made = Table(wave(tmp_path, WAVE, [one.isoformat() for one in dates]), "y", time="t", window=3, predict="future")
    assert "a step is 1:00:00\n" in made.report and "missing" not in made.report
    (batch,) = made.predict_dataloader()
    ((row),) = made.rows(batch, torch.zeros(1, 1))
    assert row["time"] == "2024-04-03T05:00:00+02:00"
    days = [one.strftime("%d.%m.%Y") for one in pd.date_range("2024-01-01", periods=100)]
    made = Table(wave(tmp_path, WAVE, days), "y", time="t", window=3, time_format="%d.%m.%Y", predict="future")
    (batch,) = made.predict_dataloader()
    assert [row["time"] for row in made.rows(batch, torch.zeros(1, 1))] == ["10.04.2024"]
    with pytest.raises(
        ValueError, match=r"column 't', row 2: expected a number, or a time such as 2024-01-31 .*, got '01.01.2024'"
    ):
        Table(wave(tmp_path, WAVE, days), "y", time="t")
    mixed = [one.isoformat() for one in dates[:99]] + ["2024-04-03T05:00:00"]
    with pytest.raises(ValueError, match="row 101: expected a time with its distance from UTC as in other rows, got"):
        Table(wave(tmp_path, WAVE, mixed), "y", time="t")


def test_irregular_times(tmp_path: Path) -> None:
    times = [*range(49), 48.5, *range(49, 99)]
    times.sort()
    message = (
        "data.csv: column 't', row 51: expected a whole number of steps of 1 since '48' in row 50, got '48.5', and 1 more such; give"
        " --data.step=rows to take every row as the next step"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Table(wave(tmp_path, WAVE, times), "y", time="t")
    made = Table(wave(tmp_path, WAVE, times), "y", time="t", step="rows", window=3)
    assert windows(made, "val") == slices(WAVE, 3, 1, 0.7, 0.85)
    batch = made.batch("future", 0, 0, 1)
    made.predicted = "future"
    assert [row["time"] for row in made.rows(batch, torch.zeros(1, 1))] == [None]


def test_parquet_is_as_csv(tmp_path: Path) -> None:
    dates = pd.date_range("2024-01-01", periods=100)
    values: list[Any] = [*WAVE[:50], None, *WAVE[51:]]
    frame = pd.DataFrame({"t": dates, "who": ["a", "b"] * 50, "y": values, "n": range(100)})
    frame.to_csv(tmp_path / "data.csv", index=False)
    frame.to_parquet(tmp_path / "data.parquet")
    frame.astype({"t": str, "y": str}).to_parquet(tmp_path / "text.parquet")
    frame.set_index("t").to_parquet(tmp_path / "index.pq")
    options: Any = {"target": "y", "features": ["y", "n"], "time": "t", "series": "who", "window": 3}
    made = [Table(tmp_path / name, **options) for name in ("data.csv", "data.parquet", "text.parquet", "index.pq")]
    for other in made[1:]:
        for part in PARTS:
            assert same(made[0].batch(part, 0, 0, 9), other.batch(part, 0, 0, 9))
        assert other.report.replace(str(other.report.split(":")[0]), "data.csv").replace("rows 51", "rows 52") == made[0].report


def test_tables_as_they_are_written_elsewhere(tmp_path: Path) -> None:
    """Separator and decimals are found, or given; another than those of the table is refused."""
    text = lines(range(100), WAVE, names="t,y").replace(",", ";").replace(".", ",").replace("\n", "\r\n")
    for options in ({}, {"separator": ";"}, {"decimal": ","}, {"separator": ";", "decimal": ","}):
        made = Table(written(tmp_path, "\ufeff" + text), "y", time="t", window=3, **options)
        assert windows(made, "test") == slices(WAVE, 3, 1, 0.85, 1)
    hint = "; its columns seem to be parted by ';': give --data.separator=';'"
    with pytest.raises(
        ValueError,
        match=re.escape("data.csv: expected a table of CSV, got: C error: Expected 1 fields in line 2, saw 2" + hint),
    ):
        Table(written(tmp_path, text), "y", separator=",")
    with pytest.raises(ValueError, match=re.escape("data.csv: expected a column 'y', got none; its columns are t;y" + hint)):
        Table(written(tmp_path, text.replace(",", ".")), "y", separator=",")
    with pytest.raises(
        ValueError,
        match=r"column 'y', row 2: expected a number, got '10,0'; so in 15 rows: .*; if decimals are written with a comma:"
        " --data.decimal=','",
    ):
        Table(written(tmp_path, text), "y", decimal=".")


GOOD = lines(range(100), WAVE, names="t,y")
BAD: list[tuple[str, dict[str, Any], str]] = [
    (GOOD, {}, "target: expected the name of the column to predict, one of t, y: --data.target COLUMN"),
    (GOOD, {"target": "Y"}, "data.csv: expected a column 'Y', got none; did you mean 'y'? its columns are t, y"),
    (GOOD, {"target": "y", "time": "time"}, "data.csv: expected a column 'time', got none; its columns are t, y"),
    (GOOD, {"target": "y", "features": []}, "features: expected different columns, at least one, got []"),
    (GOOD, {"target": "y", "features": ["t", "t"]}, "features: expected different columns, at least one, got ['t', 't']"),
    (GOOD, {"target": "y", "window": 0}, "window: expected at least 1, got 0"),
    (GOOD, {"target": "y", "horizon": 0}, "horizon: expected at least 1, got 0"),
    (GOOD, {"target": "y", "fill": -1}, "fill: expected at least 0, got -1"),
    (
        GOOD,
        {"target": "y", "season": 41},
        "season: expected at least 1 and at most the window, 40, got 41; give a longer window",
    ),
    (GOOD, {"target": "y", "season": 0}, "season: expected at least 1 and at most the window, 40, got 0; give a longer window"),
    (GOOD, {"target": "y", "step": "day"}, "step: expected 'found' or 'rows', got 'day'"),
    (GOOD, {"target": "y", "predict": "all"}, "predict: expected 'test' or 'future', got 'all'"),
    (GOOD, {"target": "y", "decimal": ";"}, "decimal: expected '.' or ',', got ';'"),
    (GOOD, {"target": "y", "separator": ""}, "separator: expected one character, such as ',' or ';', got ''"),
    (GOOD, {"target": "y", "time": "t", "time_format": "%Q"}, "time_format: expected one such as %Y-%m-%d %H:%M, got '%Q'"),
    (
        GOOD,
        {"target": "y", "window": 90},
        "table: expected windows of 90 steps with the next 1 in the train part, got none: of 100 steps without missing values the longest"
        " stretch has 100; use a smaller window or horizon, or a larger fill",
    ),
    (GOOD, {"target": "y", "horizon": 16}, "table: expected windows of 40 steps with the next 16 in the val part, got none"),
    (
        "t,y\n1,2\n",
        {"target": "y"},
        "table: expected windows of 40 steps with the next 1 in the train part, got none: of 1 steps",
    ),
    ("t,y\n", {"target": "y"}, "data.csv: expected rows, got a table without any"),
    ("t,y\n,\n,\n", {"target": "y", "time": "t"}, "data.csv: expected rows, got a table without any"),
    ("", {"target": "y"}, "data.csv: expected a table, got an empty file"),
    ("y\n1\n2\0\n", {"target": "y"}, "data.csv: expected a table as text, got zero bytes"),
    ("t,y\n1,2,3\n", {"target": "y"}, "data.csv: expected a table of CSV, got: C error: Expected 2 fields in line 2, saw 3"),
    *(  # none of them is surely row names as R writes them: a name may be missing elsewhere, a row may end with a separator
        (text, {"target": "y"}, "data.csv: expected a table of CSV, got: C error: Expected 2 fields in line 2, saw 3")
        for text in (
            "t,y\n1,5,\n2,6,\n3,7,\n",
            '"t","y"\n1,5,0\n2,6,0\n3,7,0\n',
            '"t","y"\n"1",5,\n"2",6,\n',
            "t,y\na,5,0\nb,6,0\n",
        )
    ),
    ('t,y\n1,"2\n', {"target": "y"}, "data.csv: expected a table of CSV, got: C error: EOF inside string starting at row 1"),
    ("y,y\n1,2\n", {"target": "y"}, "data.csv: expected one column 'y', got 2; rename the others"),
    (
        GOOD.replace("\n7,", "\n7,x").replace("\n9,", "\n9,$").replace("\n12,", "\n12,1 "),
        {"target": "y"},
        f"data.csv: column 'y', row 9: expected a number, got 'x{WAVE[7]}'; so in 3 rows: 9, 11, 14; numbers are"
        " written as 1234.5, 1.2e3, 1,234.5 or 1.2M, with a currency or % in all rows or in none",
    ),
    (GOOD.replace("\n7,", "\n7,inf\n8,"), {"target": "y"}, "data.csv: column 'y', row 9: expected a number, got 'inf'"),
    (GOOD.replace("\n7,", "\n7,1e999\n8,"), {"target": "y"}, "data.csv: column 'y', row 9: expected a number, got '1e999'"),
    (GOOD.replace("\n7,", "\n7,1_000\n8,"), {"target": "y"}, "data.csv: column 'y', row 9: expected a number, got '1_000'"),
    (GOOD.replace("\n7,", "\n7,True\n8,"), {"target": "y"}, "data.csv: column 'y', row 9: expected a number, got 'True'"),
    (GOOD.replace("\n7,", "\n7,٣\n8,"), {"target": "y"}, "data.csv: column 'y', row 9: expected a number, got '٣'"),
    (
        GOOD.replace("\n7,", "\n,"),
        {"target": "y", "time": "t"},
        "data.csv: column 't', row 9: expected a number, as in most rows, got",
    ),
    (
        GOOD.replace("\n7,", "\nnow,"),
        {"target": "y", "time": "t"},
        "data.csv: column 't', row 9: expected a number, as in most rows, got",
    ),
    (
        GOOD.replace("\n7,", "\n1e999,"),
        {"target": "y", "time": "t"},
        "data.csv: column 't', row 9: expected a number, as in most rows, got",
    ),
    (
        GOOD.replace("\n7,", "\n5,"),
        {"target": "y", "time": "t"},
        "data.csv: column 't': expected every time once, got '5' in row 7 and row 9, and 0 more such; give no --data.time if the"
        " rows stand in the order of time",
    ),
    (
        lines([*range(10), 3], ["a"] * 11, range(11), names="t,who,y"),
        {"target": "y", "time": "t", "series": "who"},
        "data.csv: column 't': expected every time once, got '3' of 'a' in row 5 and row 12, and 0 more such; give no"
        " --data.time if the rows stand in the order of time",
    ),
    (
        lines(range(3), ["a", "", "a"], range(3), names="t,who,y"),
        {"target": "y", "series": "who"},
        "data.csv: column 'who', row 3: expected the name of a series, got ''",
    ),
    (
        GOOD.replace("\n90,", "\n90,1e300\n91,"),
        {"target": "y", "window": 3},
        "column 'y', row 92: 1e+300 is too far from the training part's",
    ),
    (
        GOOD.replace("\n9,", "\n9,1e300\n10,"),
        {"target": "y", "window": 3},
        "column 'y': expected numbers below 1e150, got larger ones",
    ),
]


@pytest.mark.parametrize(("text", "options", "message"), BAD)
def test_what_makes_no_sense_is_refused(tmp_path: Path, text: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        Table(written(tmp_path, text), **options)


def test_files_that_are_no_tables_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"^table: expected a CSV or Parquet file, got '.*none.csv', which does not exist$"
    ):
        Table(tmp_path / "none.csv", "y")
    with pytest.raises(FileNotFoundError, match=r"which is a folder$"):
        Table(tmp_path, "y")
    with pytest.raises(
        ValueError, match=r"^data.xlsx: expected a name that ends in .csv or .parquet; save the table as CSV, in UTF-8$"
    ):
        Table(written(tmp_path, GOOD, "data.xlsx"), "y")
    with pytest.raises(ValueError, match=r"^data.parquet: expected a table of Parquet, got: "):
        Table(written(tmp_path, GOOD, "data.parquet"), "y")
    (tmp_path / "latin.csv").write_bytes("t,größe\n1,2\n".encode("latin1"))
    with pytest.raises(
        ValueError, match=r"^latin.csv: expected UTF-8, got byte 0xf6 in row 1; save the table as CSV in UTF-8$"
    ):
        Table(tmp_path / "latin.csv", "größe")
    with pytest.raises(ValueError, match=r"^path: expected the table to predict, as there is a fit_path"):
        Table(fit_path=wave(tmp_path))
    path = wave(tmp_path)

    def closed(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", closed)
    with pytest.raises(PermissionError, match=r"^data.csv: cannot be read: Permission denied$"):
        Table(path, "y")


CELL = st.one_of(
    st.floats().map(str),
    st.integers().map(str),
    st.sampled_from(["", "NA", "x", '"', "2024-01-01", "1e400", "now", "0x1"]),
    st.text(max_size=5),
)


NUMBER = st.one_of(
    st.floats(-1e4, 1e4).map(lambda one: f"{one:,.2f}"),
    st.integers(-9999, 9999).map(lambda one: f"{one:,}"),
    st.sampled_from(
        ["-9999", "1.5M", "12K", "5%", "$3", "?", "1 000", "999.9", "−1", "2024Q1", "202401", "12:00", "01/02/2024"]
    ),
)
DAY = st.sampled_from(["2024-01-31", "2024-02-29", "2024-03-31", "0001-01-01", "9999-12-31"])
TIME = st.one_of(
    st.dates().map(str), st.datetimes().map(str), DAY, st.integers(-(10**18), 10**18).map(str), st.floats().map(str)
)


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(
        st.lists(TIME, min_size=8, max_size=40, unique=True).map(
            lambda times: lines(times, range(len(times)), names="t,y").encode()
        ),
        st.lists(st.integers(0, 40), min_size=8, max_size=40, unique=True).map(
            lambda times: lines(times, [time if time % 5 else "" for time in times], names="t,y").encode()
        ),
        st.lists(st.floats(allow_nan=False), min_size=8, max_size=40).map(
            lambda values: lines(range(len(values)), values, names="t,y").encode()
        ),
        st.binary(max_size=200),
        st.text(max_size=200).map(str.encode),
        st.text("ty12.,;\t|#\"'\n -?%KM$", max_size=200).map(str.encode),
        st.lists(st.tuples(NUMBER, NUMBER), min_size=8, max_size=40).map(
            lambda rows: "\n".join(["t;y", *map(";".join, rows)]).encode()
        ),
        st.lists(st.tuples(CELL, CELL), max_size=40).map(lambda rows: "\n".join(["t,y", *map(",".join, rows)]).encode()),
        st.lists(st.floats(-1e6, 1e6), min_size=20, max_size=60, unique=True).map(
            lambda values: lines(values, values[::-1], names="t,y").encode()
        ),
    ),
    st.sampled_from([None, "t"]),
    st.sampled_from([None, "t"]),
    st.sampled_from(["found", "rows"]),
)
def test_hostile_tables_are_tables_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, time: str | None, series: str | None, step: Any
) -> None:
    path = tmp_path_factory.getbasetemp() / "hostile.csv"
    path.write_bytes(content)
    try:
        made = Table(path, "y", time=time, series=series, window=2, step=step)
    except ValueError as error:
        if not re.match(r"(hostile\.csv|table|column '.*'(, row \d+)?): ", str(error)):
            raise
        return
    for part in PARTS:
        batch = made.pick(part, torch.arange(made.total(part)))
        assert batch.input.isfinite().all() and batch.target.isfinite().all()
    assert all(math.isfinite(value) for guess in made.baselines.values() for value in guess.values())
    assert all(one <= other for one, other in pairwise(made.windows["test"].starts["test"].tolist()))
    made.predicted = "future"
    for index in range(made.count("future", 32) if len(made.windows["future"].starts["future"]) else 0):
        batch = made.batch("future", 0, index, 32)
        assert all(math.isfinite(row["answer"]) for row in made.rows(batch, torch.zeros(len(batch.target), 1)))


def test_days_written_without_hyphens(tmp_path: Path) -> None:
    """20240131 is a day, not a number: a step is a day, and the end of a month is no gap."""
    dates = [f"{one:%Y%m%d}" for one in pd.date_range("2024-01-20", periods=100)]
    made = Table(wave(tmp_path, WAVE, dates), "y", time="t", window=3, predict="future")
    assert "a step is 1 day\n" in made.report and "missing" not in made.report
    (batch,) = made.predict_dataloader()
    assert next(row["time"] for row in made.rows(batch, torch.zeros(1, 1))) == "20240429"
    numbers = [10_000_001 + 1_000 * at for at in range(100)]  # not all of them are days
    assert "a step is 1000" in Table(wave(tmp_path, WAVE, numbers), "y", time="t", window=3).report


def test_a_step_of_a_tenth_goes_on_in_tenths(tmp_path: Path) -> None:
    made = Table(
        wave(tmp_path, WAVE, [f"{at / 10:.1f}" for at in range(1, 101)]), "y", time="t", window=3, horizon=3, predict="future"
    )
    (batch,) = made.predict_dataloader()
    assert [row["time"] for row in made.rows(batch, torch.zeros(1, 3))] == ["10.1", "10.2", "10.3"]


def test_a_series_may_be_called_na(tmp_path: Path) -> None:
    rows = lines(["NA"] * 50 + ["null"] * 50, [*range(50)] * 2, WAVE, names="s,t,y")
    made = Table(written(tmp_path, rows), "y", time="t", series="s", window=3, predict="future")
    (batch,) = made.predict_dataloader()
    assert [row["series"] for row in made.rows(batch, torch.zeros(2, 1))] == ["NA", "null"]


@pytest.mark.parametrize(("name", "options"), [("a.tsv", {}), ("a.csv", {"separator": "\\t"}), ("a.txt", {"separator": "\t"})])
def test_tabs(tmp_path: Path, name: str, options: dict[str, str]) -> None:
    text = lines(range(100), WAVE, names="t,y").replace(",", "\t")
    made = Table(written(tmp_path, text, name), "y", time="t", window=3, features="y", **options)  # one feature may be a word
    assert windows(made, "test") == slices(WAVE, 3, 1, 0.85, 1)


def test_a_series_too_short_to_go_on_from_is_named(tmp_path: Path) -> None:
    rows = lines(["long"] * 96 + ["short"] * 4, [*range(96), *range(4)], WAVE, names="s,t,y")
    made = Table(written(tmp_path, rows), "y", time="t", series="s", window=6, predict="future")
    assert "series without 6 whole steps at their end, left out where the future is predicted: short" in made.report
