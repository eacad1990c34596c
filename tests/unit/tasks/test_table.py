"""Table: how it is cut into windows, what is missing, and what is written."""

import csv
import logging
import math
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from generated import same
from tables import WAVE, errors, lines, slices, wave, windows, written

from byhand.tasks import Table
from byhand.tasks.table.baselines import season_of
from byhand.tasks.task import PARTS, Batches
from byhand.train import train


@pytest.mark.parametrize(("window", "horizon"), [(1, 1), (5, 1), (5, 4), (12, 3)])
def test_windows_are_plain_slices(tmp_path: Path, window: int, horizon: int) -> None:
    made = Table(wave(tmp_path), "y", time="t", window=window, horizon=horizon)
    assert made.form == (1, horizon, "regression", False, False, False, 0.0, "", made.scaling.words, None)
    for part, first, last in (("train", 0, 0.7), ("val", 0.7, 0.85), ("test", 0.85, 1)):
        assert windows(made, part) == slices(WAVE, window, horizon, first, last)
    (future,) = windows(made, "future")
    assert future[0] == WAVE[-window:] and all(map(math.isnan, future[1]))


def test_the_worked_example_of_the_documentation(tmp_path: Path) -> None:
    values = [5.0, 11, 16, 23, 36, *[20.0] * 15]
    made = Table(wave(tmp_path, values), "y", window=3)
    assert windows(made, "train")[:2] == [([5, 11, 16], [23]), ([11, 16, 23], [36])]
    scaling = made.scaling._replace(means=np.full(2, 20.0), spreads=np.full(2, 10.0))
    scaled = scaling.apply(made.windows["train"])[:4, 0]
    assert scaled.tolist() == pytest.approx([-1.5, -0.9, -0.4, 0.3])


def test_scaled_by_the_training_part_alone(tmp_path: Path) -> None:
    made = Table(wave(tmp_path), "y", window=5)
    seventy = WAVE[:70]
    mean, spread = statistics.fmean(seventy), statistics.pstdev(seventy)
    assert made.scaling.means.tolist() == pytest.approx([mean] * 2) and made.scaling.spreads.tolist() == pytest.approx(
        [spread] * 2
    )
    batch = made.pick("test", torch.tensor([0]))
    assert batch.input.flatten().tolist() == pytest.approx([(one - mean) / spread for one in WAVE[80:85]], abs=1e-5)
    assert batch.target.item() == pytest.approx((WAVE[85] - mean) / spread, abs=1e-5)


@pytest.mark.parametrize(("start", "changed"), [(70, ("val", "test")), (85, ("test",))])
def test_later_parts_leave_no_trace_in_earlier_ones(tmp_path: Path, start: int, changed: tuple[str, ...]) -> None:
    values: list[Any] = WAVE.copy()
    values[20] = values[21] = values[68] = ""  # the last: what follows it must not fill it
    one = Table(wave(tmp_path, values), "y", time="t", window=5)
    values[start:] = [1000 - 9 * one for one in values[start:]]
    other = Table(wave(tmp_path, values), "y", time="t", window=5)
    assert (one.season, str(one.scaling)) == (other.season, str(other.scaling))
    for part in PARTS:
        assert same(one.pick(part, torch.arange(8)), other.pick(part, torch.arange(8))) == (part not in changed)


@pytest.mark.parametrize(("horizon", "season"), [(1, None), (1, 3), (9, None), (9, 4), (2, 12)])
def test_baselines_on_the_windows_of_the_test(tmp_path: Path, horizon: int, season: int | None) -> None:
    made = Table(wave(tmp_path), "y", window=12, horizon=horizon, season=season)
    scaled = [(one - made.scaling.means[0]) / made.scaling.spreads[0] for one in WAVE]
    seen, asked = zip(*slices(scaled, 12, horizon, 0.85, 1), strict=True)
    assert made.season == (season or 7)
    assert made.baselines == {"persistence": errors(seen, asked, 1), "seasonal-naive": errors(seen, asked, season or 7)}


def test_metrics_of_a_model_are_of_the_same_windows_in_the_same_unit(tmp_path: Path) -> None:
    made = Table(wave(tmp_path), "y", window=12, horizon=2)
    model, outcome = train(made, {"hidden_size": 8, "learning_rate": 0.02}, max_epochs=30)
    with torch.no_grad():
        batch = made.pick("test", torch.arange(made.total("test")))
        answer, _ = model(batch.input)
    assert outcome.metrics["test_mse"] == pytest.approx(float(((answer - batch.target) ** 2).mean()))
    assert outcome.metrics["test_mse"] < made.baselines["persistence"]["mse"]


def test_sunspots_are_the_default() -> None:
    made = Table()
    assert "309 rows" in made.report and made.season == 11
    assert [made.total(part) for part in PARTS] == [176, 46, 47]
    batch = made.batch("test", 0, 0, 3)
    first = next(iter(made.rows(batch, batch.target)))
    assert first == {"sequence": 0, "time": "1962", "ahead": 1, "target": 37.6, "answer": pytest.approx(37.6)}
    made = Table(horizon=2, predict="future")
    (batch,) = made.predict_dataloader()
    assert [row["time"] for row in made.rows(batch, torch.zeros(1, 2))] == ["2009", "2010"]
    with pytest.raises(
        ValueError, match=r"^sunspots: expected a column 'sunspots', got none; its columns are YEAR, SUNACTIVITY$"
    ):
        Table(target="sunspots")


def test_training_is_shuffled_anew_in_each_epoch_and_the_rest_is_not(tmp_path: Path) -> None:
    made = Table(wave(tmp_path), "y", window=5, seed=1)
    epochs = [
        torch.cat([made.batch("train", epoch, at, 32).origin for at in range(made.count("train", 32))]) for epoch in (0, 1)
    ]
    assert epochs[0].tolist() != epochs[1].tolist() and [sorted(one.tolist()) for one in epochs] == [list(range(65))] * 2
    assert same(made.batch("train", 1, 0, 32), Table(wave(tmp_path), "y", window=5, seed=1).batch("train", 1, 0, 32))
    assert made.batch("test", 4, 0, 32).origin.tolist() == list(range(80, 95))


def test_two_processes_share_the_windows_and_know_them(tmp_path: Path) -> None:
    made = Table(wave(tmp_path), "y", time="t", window=5, batch_size=6)
    joint = made.batch("test", 0, 0, 12)
    told = []
    for rank in range(2):
        share = Batches(made, "test", rank, 2)[0, 0]
        assert share.input.shape == (5, 6, 1)
        told += [row["time"] for row in made.rows(share, share.target)]
    assert told == [row["time"] for row in made.rows(joint, joint.target)] == [str(at) for at in range(85, 97)]


def test_several_columns_come_in(tmp_path: Path) -> None:
    other = [at * at for at in range(100)]
    path = written(tmp_path, lines(range(100), other, WAVE, names="t,square,y"))
    made = Table(path, "y", features=["square"], window=2)
    assert made.form.input_size == 1 and windows(made, "train")[0] == ([0, 1], [WAVE[2]])
    made = Table(path, "y", features=["y", "square"], window=2)
    assert made.form.input_size == 2 and windows(made, "train")[0] == ([[WAVE[0], 0], [WAVE[1], 1]], [WAVE[2]])
    assert "square: mean 1598.5" in made.report


def test_several_series_are_split_each_for_itself(tmp_path: Path) -> None:
    values = {"b": WAVE[:40], "a": [100 + one for one in WAVE[:20]], "c": WAVE[:3]}
    rows = [(name, at, value) for name, its in values.items() for at, value in enumerate(its)]
    rows.sort(key=lambda row: row[1])  # one after the other, in turn
    path = written(tmp_path, lines(*zip(*rows, strict=True), names="who,t,y"))
    made = Table(path, "y", time="t", series="who", window=4, horizon=2)
    for part, first, last in (("train", 0, 0.7), ("val", 0.7, 0.85), ("test", 0.85, 1)):
        expected = [one for its in values.values() for one in slices(its, 4, 2, first, last)]
        assert windows(made, part) == [([round(x, 3) for x in one], [round(x, 3) for x in two]) for one, two in expected]
    assert [seen for seen, _ in windows(made, "future")] == [[round(one, 3) for one in values[name][-4:]] for name in "ba"]
    assert made.scaling.means[0] == pytest.approx(statistics.fmean([*values["b"][:28], *values["a"][:14], *values["c"][:2]]))
    batch = made.batch("test", 0, 0, 99)
    told = [(row["series"], row["time"], row["ahead"], row["target"]) for row in made.rows(batch, batch.target)]
    expected = [
        (name, str(at + ahead), ahead + 1, values[name][at + ahead])
        for name in "ba"
        for at in range(int(0.85 * len(values[name])), len(values[name]) - 1)
        for ahead in range(2)
    ]
    assert told == expected


def test_empty_cells_are_filled_with_the_value_before_and_never_asked_for(tmp_path: Path) -> None:
    values: list[Any] = WAVE.copy()
    for at, cell in zip((10, 20, 40, 41, 60), ("", "NaN", "n/a", "NULL", " "), strict=True):
        values[at] = cell
    made = Table(wave(tmp_path, values), "y", time="t", window=3)
    filled: list[Any] = [one if isinstance(one, float) else None for one in values]
    filled[10], filled[20], filled[60] = WAVE[9], WAVE[19], WAVE[59]
    usable = [at for at in range(100) if filled[at] is not None]
    train_steps = usable[: int(0.7 * 98)]
    expected = [
        ([filled[at - 3], filled[at - 2], filled[at - 1]], [filled[at]])
        for at in train_steps
        if at >= 3 and None not in filled[at - 3 : at] and at not in (10, 20, 60)
    ]
    assert windows(made, "train") == expected
    assert "column 'y': empty cells: 5, in the rows 12, 22, 42, 43, 62" in made.report
    assert "steps with a value filled in, the one before: 3" in made.report
    assert (
        "steps with missing values left out: 2; where more than 1 are missing in succession no window reaches across: 2 pieces"
        in made.report
    )
    assert "windows left out that a cut goes through: 3" in made.report
    assert "windows left out with an answer that is missing: 3" in made.report
    more = Table(wave(tmp_path, values), "y", time="t", window=3, fill=2)
    assert more.total("train") + more.total("val") + more.total("test") == 97 - 5
    none = Table(wave(tmp_path, values), "y", time="t", window=3, fill=0)
    assert "filled in" not in none.report and "5 pieces" in none.report


def test_without_a_time_column_an_empty_row_is_a_step(tmp_path: Path) -> None:
    text = "y\n" + "\n".join(str(one) if at not in (5, 30, 31) else "" for at, one in enumerate(WAVE)) + "\n\n\n"
    made = Table(written(tmp_path, text), "y", window=3)
    assert made.windows["train"].row[:7].tolist() == [2, 3, 4, 5, 6, 7, 8]
    assert "column 'y': empty cells: 3, in the rows 7, 32, 33" in made.report
    batch = made.batch("test", 0, 0, 1)
    (row,) = made.rows(batch, batch.target)
    assert row == {
        "sequence": 0,
        "row": int(made.windows["test"].row[86 - 3]),
        "ahead": 1,
        "target": WAVE[row["row"] - 2],
        "answer": row["answer"],
    }
    text = lines(range(100), WAVE, names="t,y").replace("\n50,", "\n,\n\n50,")
    assert "rows without any cell, skipped: 52, 53" in Table(written(tmp_path, text), "y", time="t", window=3).report


def test_steps_without_a_row_are_missing_too(tmp_path: Path) -> None:
    times = [*range(10), *range(11, 30), *range(33, 104)]
    made = Table(wave(tmp_path, WAVE, times), "y", time="t", window=3)
    held = made.windows["train"]
    assert held.values[:13, 0].tolist() == [*WAVE[:10], WAVE[9], *WAVE[10:12]]
    assert "steps without a row: 4: 1 behind row 11, 3 behind row 30" in made.report
    seen = windows(made, "train")
    assert (WAVE[7:10], [WAVE[9]]) not in seen  # a filled value is no answer
    assert ([WAVE[8], WAVE[9], WAVE[9]], [WAVE[10]]) in seen
    assert (WAVE[25:28], [WAVE[28]]) in seen and (WAVE[26:29], [WAVE[29]]) not in seen  # the gap is behind WAVE[28]
    assert (WAVE[29:32], [WAVE[32]]) in seen and (WAVE[28:31], [WAVE[31]]) not in seen
    row = int(np.flatnonzero(held.row == 30)[0])
    assert held.piece[row + 1] != held.piece[row] and held.time[row + 1] == 33


def test_what_is_missing_at_the_ends_is_left_out(tmp_path: Path) -> None:
    values: list[Any] = ["", "", *WAVE[2:97], "", "", ""]
    made = Table(wave(tmp_path, values), "y", time="t", window=3, fill=5, predict="future")
    assert made.windows["train"].values[0, 0] == WAVE[2] and len(made.windows["train"].row) == 95
    (batch,) = made.predict_dataloader()
    ((row),) = made.rows(batch, torch.zeros(1, 1))
    assert row == {"sequence": 0, "time": "97", "ahead": 1, "target": None, "answer": pytest.approx(made.scaling.means[1])}


def test_the_log_tells_what_was_found(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "byhand"):
        Table(wave(tmp_path), "y", time="t", window=3, horizon=4)
        assert caplog.records.pop().levelno == logging.INFO
        made = Table(wave(tmp_path, [*WAVE[:50], "", *WAVE[51:]]), "y", time="t", window=3)
        assert caplog.records[-1].levelno == logging.WARNING and caplog.records[-1].getMessage() == made.report
        Table(wave(tmp_path, [7] * 100), "y", time="t", window=3)
        assert caplog.records[-1].levelno == logging.WARNING and "y: never changes in training" in caplog.text


def test_a_column_that_never_changes(tmp_path: Path) -> None:
    made = Table(wave(tmp_path, [0.1] * 90 + [3] * 10), "y", window=5)
    assert made.scaling.spreads.tolist() == [1, 1] and made.season == 1
    assert made.pick("train", torch.arange(9)).input.abs().max() < 1e-6
    assert made.pick("test", torch.tensor([14])).target.item() == pytest.approx(2.9)
    assert all(math.isfinite(one) for guess in made.baselines.values() for one in guess.values())


def test_new_data_in_the_scale_of_what_was_trained_on(tmp_path: Path) -> None:
    old = Table(wave(tmp_path), "y", time="t", window=5, horizon=2)
    values = [200.0 + at for at in range(9)]
    new = wave(tmp_path, values, [*range(300, 309)], "new.csv")
    made = Table(new, "y", time="t", window=5, horizon=2, fit_path=wave(tmp_path))
    assert str(made.scaling) == str(old.scaling) and "new.csv: 9 rows" in made.report
    for part in ("train", "val"):
        assert same(made.pick(part, torch.arange(3)), old.pick(part, torch.arange(3)))
    assert windows(made, "test") == [(values[at : at + 5], values[at + 5 : at + 7]) for at in range(3)]
    few = wave(tmp_path, values[:5], [*range(300, 305)], "few.csv")
    made = Table(few, "y", time="t", window=5, horizon=2, fit_path=wave(tmp_path), predict="future")
    (batch,) = made.predict_dataloader()
    assert [(row["time"], row["answer"]) for row in made.rows(batch, torch.zeros(1, 2))] == [
        ("305", pytest.approx(old.scaling.means[1])),
        ("306", pytest.approx(old.scaling.means[1])),
    ]
    assert made.baselines == {}
    with pytest.raises(ValueError, match="expected windows of 5 steps with the next 2 in the test part, got none"):
        made.test_dataloader().__len__()
    with pytest.raises(ValueError, match="expected windows of 5 steps with the next 2 in the test part, got none"):
        Table(few, "y", time="t", window=5, horizon=2, fit_path=wave(tmp_path))
    dated = wave(tmp_path, values, [f"2024-01-0{at}" for at in range(1, 10)], "dated.csv")
    with pytest.raises(ValueError, match="column 't': expected times written as in the table that was trained on"):
        Table(dated, "y", time="t", window=5, fit_path=wave(tmp_path))
    halves = wave(tmp_path, values, [at / 2 for at in range(9)], "halves.csv")
    with pytest.raises(ValueError, match=r"halves.csv: column 't', row 3: expected a whole number of steps of 1 since '0.0'"):
        Table(halves, "y", time="t", window=5, fit_path=wave(tmp_path))


def test_what_predict_writes_can_be_read_as_csv(tmp_path: Path) -> None:
    made = Table(wave(tmp_path), "y", time="t", window=5, horizon=2)
    batch = made.batch("test", 0, 0, 4)
    rows = list(made.rows(batch, batch.target))
    assert len(rows) == 8 and all(list(row) == ["sequence", "time", "ahead", "target", "answer"] for row in rows)
    with (tmp_path / "out.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    back = pd.read_csv(tmp_path / "out.csv")
    assert back["target"].tolist() == [WAVE[85 + at + ahead] for at in range(4) for ahead in range(2)]
    assert back["answer"].tolist() == pytest.approx(back["target"].tolist(), rel=1e-5)


def test_seasons_are_found_and_noise_has_none() -> None:
    time = np.arange(400)
    noise = np.random.default_rng(0).normal(size=400)
    for season in (2, 7, 24, 52):
        assert season_of(np.cos(2 * np.pi * time / season) + 0.1 * noise + 0.01 * time, 60) == season
    assert season_of(noise, 60) == 1 and season_of(noise.cumsum(), 20) == 1
    assert season_of(time * 1.0, 60) == season_of(np.zeros(50), 20) == season_of(np.ones(3), 2) == season_of(np.ones(0), 5) == 1
    assert season_of(np.sin(2 * np.pi * time / 24), 20) == 1  # longer than asked for
