"""Tables as they are found: read rightly, or refused with the row, the reason and the option that helps."""

import inspect
import logging
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from commands import Here, said
from conftest import ROOT
from table_kinds import DAYS, KINDS, VALUES, Kind, summer_time_ends, yfinance
from tables import written

from byhand.tasks import Table

READ = {name: kind for name, kind in KINDS.items() if callable(kind.right)}
REFUSED = {name: kind for name, kind in KINDS.items() if not callable(kind.right)}


def test_there_are_many() -> None:
    assert len(READ) >= 25 and len(REFUSED) >= 12


@pytest.mark.parametrize("name", READ)
def test_it_is_read_as_pandas_reads_it(tmp_path: Path, name: str) -> None:
    """Every value that is not missing, in the order of time, and its time as it stands in the file."""
    kind = READ[name]
    made = made_of(tmp_path, kind)
    expected = kind.right(kind.text).dropna()
    windows = made.windows["test"]
    targets = [one for one in expected if one != "time"]
    assert len(windows.values) == len(expected)
    np.testing.assert_allclose(windows.values[:, -len(targets) :], expected[targets].to_numpy(float), rtol=1e-12)
    if "time" in expected and made.time:
        assert [" ".join(one) for one in windows.text] == expected["time"].tolist()
    assert f"a step is {kind.step}" in made.report


@pytest.mark.parametrize("name", [name for name, kind in READ.items() if kind.after])
def test_what_comes_next_is_written_as_the_rest(tmp_path: Path, name: str) -> None:
    made = made_of(tmp_path, READ[name])
    made.predicted = "future"
    batch = made.batch("future", 0, 0, 1)
    row = next(iter(made.rows(batch, torch.zeros(1, made.form.output_size))))
    assert " ".join(row[key] for key in row if key.startswith("time")) == READ[name].after


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_in_a_line_that_helps(tmp_path: Path, name: str) -> None:
    kind = REFUSED[name]
    path = written(tmp_path, kind.text, kind.name)
    with pytest.raises(ValueError, match=str(kind.right)) as refused:
        Table(path, **kind.options)
    line = str(refused.value)
    assert "\n" not in line and re.search(r"\b(row|line) \d", line) and ("--data." in line or "numbers are written as" in line)
    assert not re.search("delete|remove|correct the|leave one|leave it empty|rename", line, re.IGNORECASE)


def made_of(folder: Path, kind: Kind) -> Table:
    """With nothing filled in, so that every step is a row of the table."""
    return Table(written(folder, kind.text, kind.name), **({"window": 2, "fill": 0} | kind.options))


def test_the_hour_that_comes_twice_is_an_hour_and_another(tmp_path: Path) -> None:
    text, times = summer_time_ends()
    made = Table(written(tmp_path, text), "load", time="time", zone="Europe/Berlin", window=3)
    assert (made.windows["test"].time == times.tz_convert("UTC").tz_localize(None).to_numpy()).all()
    assert "missing" not in made.report.replace("an answer that is missing", "")
    with pytest.raises(ValueError, match=r"row 106: .*'2024-10-27 02:00'.*clocks of Africa/Cairo|expected every time once"):
        Table(written(tmp_path, text), "load", time="time", zone="Africa/Cairo")
    with pytest.raises(ValueError, match=r"^zone: expected a place such as Europe/Berlin or America/New_York, got 'Nowhere'$"):
        Table(written(tmp_path, text), "load", time="time", zone="Nowhere")
    spring = "\n".join(["time,load", *(f"2024-03-31 0{hour}:30,{hour}" for hour in range(6))])
    with pytest.raises(ValueError, match=r"row 4: expected a time that the clocks of Europe/Berlin show.*--data\.zone"):
        Table(written(tmp_path, spring), "load", time="time", zone="Europe/Berlin", window=1)


def test_how_it_is_laid_out_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "byhand"):
        made = made_of(tmp_path, KINDS["USGS: comments and a row of units"])
        assert caplog.records[-1].levelno == logging.INFO  # nothing to be warned of
    for line in (
        "the columns are parted by '\\t'",
        "comments, skipped: 3, the first in row 1",
        "rows 4 to 5 hold names and units",
    ):
        assert f"  {line}\n" in made.report
    with caplog.at_level(logging.INFO, "byhand"):
        report = made_of(tmp_path, KINDS["investing.com: 2,386.40, 1.01M, 0.35%"]).report
        assert caplog.records[-1].levelno == logging.WARNING
    assert f"column 'Vol.': {VALUES[0] * 10:.1f}K is read as 1,000 times {VALUES[0] * 10:.1f}" in report
    assert "column 'Change %': '%' behind each number, left out" in report
    assert "no row holds names: columns are called 1 to 2, by their place" in made_of(tmp_path, KINDS["no names"]).report


@pytest.mark.parametrize("header", [0, 1, 3])
def test_how_many_rows_hold_names_can_be_said(tmp_path: Path, header: int) -> None:
    """Years are names in one table and values in another."""
    if header == 3:
        kind = yfinance()
        made = Table(written(tmp_path, kind.text), "Close", time="Date", header=3, window=2)
        assert len(made.windows["test"].row) == 60 and made.windows["test"].row[0] == 4
        return
    frame = pd.DataFrame(np.arange(80).reshape(40, 2) % 7)  # whose columns are called 0 and 1
    made = Table(written(tmp_path, frame.to_csv(), "frame.csv"), "1", window=2)
    assert made.windows["test"].values[:, 0].tolist() == frame[1].tolist()
    with pytest.raises(ValueError, match=r"^frame\.csv: expected a column '2'.*--data\.header=0$"):
        Table(tmp_path / "frame.csv", "2", window=2)
    text = "1,2\n" + "".join(f"{at},{at % 7}\n" for at in range(2, 40))
    made = Table(written(tmp_path, text), "2", time="1", header=header, window=2)
    assert made.windows["test"].values[0, 0] == (2 if header == 0 else 2 % 7) and len(made.windows["test"].row) == 39 - header
    with pytest.raises(ValueError, match=r"--data\.header=1"):
        Table(written(tmp_path, text), "2", time="1", window=2)


def test_a_table_that_is_refused_ends_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], here: Here) -> None:
    """On the command line, with the options as they are typed."""
    path = written(tmp_path, KINDS["GHCN: -9999"].text)
    words = [
        "fit",
        "--data",
        "Table",
        "--data.path",
        path,
        "--data.target",
        "TMAX",
        "--data.time",
        "DATE",
        "--data.window",
        "3",
    ]
    assert "row 7: got -9999" in said(capsys, *words)
    more = ["--data.missing=-9999", "--data.fill", "3", "--trainer.max_epochs", "1", "--trainer.logger", "false"]
    assert "steps in 1 epochs" in here_quietly(here, tmp_path, *words, *more)


def here_quietly(here: Here, folder: Path, *words: str) -> str:
    logging.getLogger("byhand").setLevel(logging.ERROR)  # that rows are missing
    try:
        return here(folder, *words)
    finally:
        logging.getLogger("byhand").setLevel(logging.NOTSET)


def test_several_columns_as_they_are_typed_and_joined(tmp_path: Path, here: Here) -> None:
    """Keys, times and targets that predict writes are those of the table."""
    times = [(f"{day}", f"{hour:02d}:00") for day in DAYS[:12] for hour in (0, 12)]
    cells = [
        (*time, key, kind, round(at + key + len(kind), 1), at % 5)
        for at, time in enumerate(times)
        for key in (1, 2)
        for kind in "ab"
    ]
    table = pd.DataFrame(cells, columns=["day", "hour", "key", "kind", "low", "high"])
    table.to_csv(tmp_path / "keys.csv", index=False)
    words = [
        "--data",
        "Table",
        "--data.path",
        "keys.csv",
        "--data.window",
        "3",
        "--data.target",
        "[low, high]",
        "--data.horizon",
        "2",
    ]
    words += ["--data.time", "[day, hour]", "--data.series", "[key, kind]"]
    here(tmp_path, "fit", *words, "--trainer.max_epochs", "1", "--name", "keys")
    run = tmp_path / "runs/keys/version_0"
    files = ["--config", str(run / "config.yaml"), "--ckpt_path", str(run / "checkpoints/best.ckpt")]
    here(tmp_path, "predict", *files, "--output", "test.csv")
    predictions = pd.read_csv(tmp_path / "test.csv")
    left = ["time_day", "time_hour", "series_key", "series_kind"]
    both = predictions.merge(table, left_on=left, right_on=["day", "hour", "key", "kind"])
    assert len(both) == len(predictions) == 4 * 3 * 2
    assert both[["target_low", "target_high"]].to_numpy().tolist() == both[["low", "high"]].to_numpy().tolist()
    here(tmp_path, "predict", *files, "--data.predict", "future", "--output", "future.csv")
    after = pd.read_csv(tmp_path / "future.csv")
    assert after["time_day"].unique().tolist() == [DAYS[12]] and after["time_hour"].tolist() == ["00:00", "12:00"] * 4


def test_the_page_of_the_task_explains_every_option() -> None:
    page = (ROOT / "docs/tasks/table.md").read_text(encoding="utf-8")
    options = set(inspect.signature(Table).parameters)
    assert options == set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
