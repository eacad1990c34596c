"""find_units: finds what was planted and nothing in noise, with p values that are as rare as they say; scores as scipy's or by hand."""

from __future__ import annotations

import math
import sys

import pytest
import torch
from torch import Tensor

from byhand import LSTM, Trace, record
from byhand.errors import UnknownSiteError
from byhand.explain import FoundUnits, find_units, rank_scores, tracks
from byhand.trace.run import Run


def trace_of(values: Tensor, valid: Tensor | None = None, **more: Tensor) -> Trace:
    valid = torch.ones(values.shape[:2], dtype=torch.bool) if valid is None else valid
    initial = {name: torch.zeros(values.shape[1:]) for name in ("h", "c")}
    return Trace({"l0": [Run("lstm", torch.zeros(*values.shape[:2], 1), valid, initial, {"h": values, **more})]})


def slow(generator: torch.Generator, time: int, units: int, keep: Tensor | float = 0.9) -> Tensor:
    """Noise that remembers: each step keeps a part of the one before."""
    state, found = torch.zeros(units), []
    for step in torch.randn(time, units, generator=generator):
        state = keep * state + step
        found.append(state)
    return torch.stack(found)


def text_of(generator: torch.Generator, words: int) -> str:
    """Words of chance in lines of chance, some of them in quotes."""
    found = []
    for length, kind in zip(
        torch.randint(2, 8, (words,), generator=generator).tolist(),
        torch.randint(0, 12, (words,), generator=generator).tolist(),
        strict=True,
    ):
        word = "lorem ipsum"[:length]
        found.append(
            f'"{word} {word}"' if kind < 3 else f"{word}\n" if kind == 3 else f"{word} {length}" if kind == 4 else word
        )
    return " ".join(found)


def planted(seed: int) -> tuple[Trace, str]:
    """A counter and a flag, each with noise of its own, among 200 units of noise, slow and fast."""
    generator = torch.Generator().manual_seed(seed)
    text = text_of(generator, 900)
    units = slow(generator, len(text), 202, torch.linspace(0, 0.97, 202))
    units[:, 60] = torch.tanh(tracks.column(text) / 40) + 0.05 * torch.randn(len(text), generator=generator)
    units[:, 7] = -tracks.inside_quotes(text) + 0.2 * torch.randn(len(text), generator=generator)
    return trace_of(units[:, None]), text


@pytest.mark.parametrize("seed", range(3))
def test_the_planted_are_found_and_no_noise(seed: int) -> None:
    trace, text = planted(seed)
    found = find_units(trace, tracks.text(text), shifts=2000)
    column, quotes = found.best(1, "column")[0], found.best(1, "inside quotes")[0]
    assert (column.name, quotes.name) == ("l0.h[60]", "l0.h[7]")
    assert max(column.p, quotes.p) < 0.001
    assert column.score > 0.8
    assert quotes.score < -0.9
    assert quotes.auc is not None
    assert quotes.auc == pytest.approx((1 - quotes.score) / 2)
    assert {one.unit for one in found.best(2)} == {60, 7}
    others = [one for one in found.rows() if one.unit not in (60, 7)]
    assert len(others) >= 1000
    assert min(one.p for one in others) >= 0.001


def test_without_anything_p_is_rarely_small() -> None:
    """Of 60 traces of noise with tracks of noise, all slow, about 60 x 0.1 have a least p of at most 0.1."""
    least = []
    for seed in range(60):
        generator = torch.Generator().manual_seed(seed)
        units, wave = slow(generator, 1000, 20, 0.8), slow(generator, 1000, 2, 0.95)
        found = find_units(trace_of(units[:, None]), {"wave": wave[:, 0], "flag": wave[:, 1] > 0}, shifts=200, seed=seed)
        least.append(min(one.p for one in found.rows()))
    assert sum(p <= 0.1 for p in least) <= 13  # more with a chance of one in 200
    assert sum(p <= 0.5 for p in least) >= 18  # fewer with a chance of one in 500


def test_shuffled_steps_would_have_found_noise() -> None:
    """Why tracks are turned and not shuffled: two slow noises go together far better than shuffled ones."""
    generator = torch.Generator().manual_seed(3)
    units, wave = slow(generator, 2000, 30, 0.99), slow(generator, 2000, 1, 0.99)[:, 0]
    found = find_units(trace_of(units[:, None]), {"wave": wave}, shifts=500)
    best = max(abs(one.score) for one in found.rows())
    ranks = rank_scores.centred_ranks(units[1000:].t())
    mixed = [wave[1000:][torch.randperm(1000, generator=generator)] for _ in range(200)]
    shuffled = max(float(rank_scores.scores(ranks, one).abs().max()) for one in mixed)
    assert best > 2 * shuffled
    assert min(one.p for one in found.rows()) > 0.05


def test_scores_by_hand() -> None:
    generator = torch.Generator().manual_seed(0)
    values = torch.randint(0, 6, (120, 1, 3), generator=generator).float()  # with ties
    flag, real = torch.rand(120, generator=generator) < 0.3, torch.randint(0, 9, (120,), generator=generator)
    found = find_units(trace_of(values), {"flag": flag, "real": real}, shifts=50)
    for name, part in (("chosen", slice(0, 60)), ("scores", slice(60, 120))):
        got = getattr(found, name)["l0.h"]
        for unit in range(3):
            one = values[part, 0, unit].tolist()
            on = [value for value, is_on in zip(one, flag[part].tolist(), strict=True) if is_on]
            off = [value for value, is_on in zip(one, flag[part].tolist(), strict=True) if not is_on]
            auc = sum((a > b) + (a == b) / 2 for a in on for b in off) / (len(on) * len(off))
            assert got[found.tracks.index("flag"), unit] == pytest.approx(2 * auc - 1, abs=1e-12)
            both = torch.tensor([ranks(one), ranks(real[part].tolist())]).double()
            assert got[found.tracks.index("real"), unit] == pytest.approx(float(both.corrcoef()[0, 1]), abs=1e-12)


def ranks(values: list[float]) -> list[float]:
    return [sum(other < one for other in values) + (sum(other == one for other in values) + 1) / 2 for one in values]


def test_p_by_hand() -> None:
    """Of z, the signs of the first half and the maximum, with a roll for each shift."""
    generator = torch.Generator().manual_seed(1)
    values, wave = slow(generator, 200, 4), slow(generator, 200, 2)
    values[:, 1] += 2 * wave[:, 0]
    found = find_units(trace_of(values[:, None]), {"a": wave[:, 0], "b": wave[:, 1] > 0}, shifts=10_000)
    assert found.shifts == 91  # all that are not near 0 or 100, 5 to 95
    second = rank_scores.centred_ranks(values[100:].t())
    z, turned = [], []
    for row, track in enumerate((wave[100:, 0], (wave[100:, 1] > 0).float())):
        b = rank_scores.centred(track)
        every = torch.stack([second @ b.roll(shift) for shift in range(100)], 1)
        size, over = every.square().mean(1).sqrt(), every[:, 5:96]
        sign = found.chosen["l0.h"][row].sign()
        z.append(sign * (second @ b) / size)
        turned.append(sign[:, None] * over / size[:, None])
    greatest = torch.cat(turned).max(0).values
    for row in range(2):
        expected = [(1 + int((greatest >= one - 1e-9).sum())) / 92 for one in z[row]]
        assert found.p["l0.h"][row].tolist() == pytest.approx(expected)


def test_halves_are_sequences_where_there_are_several() -> None:
    """A unit that carries the track in the first two sequences alone has no score in the others; padding counts nowhere."""
    generator = torch.Generator().manual_seed(0)
    lengths = torch.tensor([300, 180, 250, 260])
    valid = torch.arange(300)[:, None] < lengths
    flag = (slow(generator, 300, 4) > 0).float()
    values = 0.1 * torch.randn(300, 4, 2, generator=generator)
    values[:, :2, 0] += flag[:, :2]
    values[:, :, 1] += flag
    values[~valid] = math.nan
    flag[~valid] = 1e9
    found = find_units(trace_of(values, valid), {"flag": flag})
    assert found.steps == (480, 510)
    assert found.chosen["l0.h"][0].min() > 0.95
    assert abs(found.scores["l0.h"][0, 0]) < 0.2
    assert found.scores["l0.h"][0, 1] > 0.95
    assert found.p["l0.h"][0, 0] > 0.05
    assert found.p["l0.h"][0, 1] < 0.01


def test_same_seed_same_numbers_in_pieces_too(monkeypatch: pytest.MonkeyPatch) -> None:
    trace, text = planted(5)
    some = {name: track[:1500] for name, track in tracks.text(text).items()}
    trace = trace_of(trace["l0.h"][:1500])
    told: list[tuple[int, int]] = []
    first, again = find_units(trace, some, shifts=100), find_units(trace, some, shifts=100)
    other = find_units(trace, some, shifts=100, seed=1)
    monkeypatch.setattr(sys.modules["byhand.explain.find_units"], "AT_ONCE", 20_000)
    pieces = find_units(trace, some, shifts=100, progress=lambda done, total: told.append((done, total)))
    assert str(first) == str(again) == str(pieces)
    assert torch.equal(first.p["l0.h"], again.p["l0.h"])
    assert not torch.equal(first.p["l0.h"], other.p["l0.h"])
    assert len(told) > 5
    assert told[-1] == (202, 202)


def test_of_a_real_layer() -> None:
    """All sites of all layers and directions; a layer or some sites where asked for."""
    torch.manual_seed(0)
    lstm = LSTM(1, 4, num_layers=2, bidirectional=True)
    x = torch.randn(300, 1, 1)
    with record(lstm) as trace:
        lstm(x)
    found = find_units(trace, tracks.series(x[:, 0, 0], period=12), shifts=100)
    assert set(found.chosen) == set(trace)
    assert found.tracks == ("level", "phase (cosine)", "phase (sine)", "slope")
    assert abs(found.best(1, "level")[0].score) > 0.9
    some = find_units(trace, {"level": x[:, 0, 0]}, layer="l1.reverse", sites=["*.c", "*.h"], shifts=100)
    assert set(some.chosen) == {"l1.reverse.c", "l1.reverse.h"}
    assert len(some.best(10)) == 4
    assert len(some.rows()) == 8


def test_it_prints() -> None:
    trace, text = planted(1)
    found = find_units(trace, tracks.text(text) | {"never": [0.0] * len(text)}, shifts=100)
    lines = str(found).splitlines()
    assert lines[0].startswith("202 sites of units x ")
    assert lines[1].split() == ["track", "unit", "chosen", "held", "out", "AUC", "p"]
    assert any(line.startswith("inside quotes  ") and "l0.h[7]" in line for line in lines)
    assert "left out: never, which is always 0 in a half" in lines
    assert isinstance(found, FoundUnits)
    assert found.table(found.best(2)).count("\n") == 2


def test_what_never_moves_is_no_unit() -> None:
    values = torch.randn(100, 1, 3)
    values[:, :, 1] = 1.0
    found = find_units(trace_of(values), {"flag": torch.arange(100) % 3 == 0}, shifts=50)
    assert {one.unit for one in found.rows()} == {0, 2}
    assert found.p["l0.h"].isnan().tolist() == [[False, True, False]]


def test_what_it_refuses() -> None:
    trace = trace_of(torch.randn(100, 1, 3))
    flag = torch.arange(100) % 2
    with pytest.raises(TypeError, match="tracks as a mapping"):
        find_units(trace, flag)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least one track, got none"):
        find_units(trace, {})
    with pytest.raises(ValueError, match=r"'flag' as \(time, batch\) = \(100, 1\), the steps of the trace, got \(99, 1\)"):
        find_units(trace, {"flag": flag[:99]})
    with pytest.raises(TypeError, match="track 'flag', expected an array of numbers"):
        find_units(trace, {"flag": ["a"] * 100})
    with pytest.raises(ValueError, match="no track to compare: flag: which is 1 at 1 of 50 steps of a half"):
        find_units(trace, {"flag": torch.arange(100) % 50 == 7})
    with pytest.raises(ValueError, match="at least 20 steps in each half, got 15 and 15"):
        find_units(trace_of(torch.randn(30, 1, 2)), {"flag": flag[:30]})
    with pytest.raises(UnknownSiteError, match=r"l0\.h"):
        find_units(trace, {"flag": flag}, sites=["*.q"])
    with pytest.raises(TypeError, match=r"write \['\*\.c'\]"):
        find_units(trace, {"flag": flag}, sites="*.h")
    with pytest.raises(ValueError, match="shifts of at least 1, got 0"):
        find_units(trace, {"flag": flag}, shifts=0)
    broken = torch.randn(100, 1, 3)
    broken[3] = math.nan
    with pytest.raises(ValueError, match=r"NaN in l0\.h: byhand\.check_finite"):
        find_units(trace_of(broken), {"flag": flag})
    with pytest.raises(UnknownSiteError, match="find_units knows no 'quotes'"):
        find_units(trace, {"flag": flag}, shifts=20).best(1, "quotes")


TEXT = """def f(x):
\tif x[0]:
    return {"a (b": 'it'}, don't

"open
x"""


def test_tracks_of_a_text_by_hand() -> None:
    got = {name: values[:, 0].tolist() for name, values in tracks.text(TEXT).items()}
    lines = TEXT.split("\n")
    assert got["column"] == [at for line in lines for at in range(len(line) + 1)][:-1]
    assert got["to newline"][:-1] == [len(line) - at for line in lines[:-1] for at in range(len(line) + 1)]
    assert math.isnan(got["to newline"][-1])
    assert [got["indentation"][TEXT.index(one)] for one in ("def", "\t", "if", "return", "open")] == [0, 8, 8, 4, 0]
    quoted = "".join(one for one, inside in zip(TEXT, got["inside quotes"], strict=True) if inside)
    assert quoted == '"a (b\'it"open\nx'
    depths = [got["bracket depth"][TEXT.index(one)] for one in ("f(", "x)", "[", "0]", "]", "{", "(b", '": ', "}")]
    assert depths == [0, 1, 1, 1, 0, 1, 2, 2, 1]
    assert got["inside brackets"] == [float(one > 0) for one in got["bracket depth"]]
    words = [TEXT[at] for at, start in enumerate(got["start of word"]) if start]
    assert "".join(words) == "dfxix0rabidtox"
    assert [TEXT[at] for at, is_digit in enumerate(got["digit"]) if is_digit] == ["0"]


def test_a_blank_line_ends_an_open_quotation() -> None:
    assert tracks.inside_quotes('"a\n\nb').tolist() == [1, 1, 1, 0, 0]
    assert tracks.inside_quotes("it's 'so'").tolist() == [0, 0, 0, 0, 0, 1, 1, 1, 0]


def test_tracks_of_several_texts_end_where_they_end() -> None:
    got = tracks.text("abc\n", "a")
    assert all(values.shape == (4, 2) and values[1:, 1].isnan().all() for values in got.values())


def test_tracks_of_a_series_by_hand() -> None:
    values = torch.tensor([[1.0, 2.0], [4.0, 2.5], [2.0, math.nan]])
    got = tracks.series(values, period=4, events=[[0, 1], [1, 0], [0, 0]])
    assert list(got) == ["level", "slope", "phase (cosine)", "phase (sine)", "since event"]
    nan = math.nan
    expected = {
        "level": [[1, 2], [4, 2.5], [2, nan]],
        "slope": [[nan, nan], [3, 0.5], [-2, nan]],
        "phase (cosine)": [[1, 1], [0, 0], [-1, nan]],
        "phase (sine)": [[0, 0], [1, 1], [0, nan]],
        "since event": [[nan, 0], [0, 1], [1, nan]],
    }
    for name, right in expected.items():
        torch.testing.assert_close(got[name], torch.tensor(right), equal_nan=True, atol=1e-6, rtol=0)


def test_what_tracks_refuse() -> None:
    with pytest.raises(TypeError, match=r"a list is given as \*texts"):
        tracks.text(["a"])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="not empty"):
        tracks.text("")
    with pytest.raises(ValueError, match="period in steps, above 0, got -1"):
        tracks.series([1.0, 2.0], period=-1)
    with pytest.raises(ValueError, match=r"events of shape \(2,\), got \(1,\)"):
        tracks.series([1.0, 2.0], events=[1])
    with pytest.raises(ValueError, match=r"\(time,\) or \(time, batch\), got the shape \(1, 1, 1\)"):
        tracks.level([[[1.0]]])


def test_a_season_is_not_better_than_another_of_its_period() -> None:
    """Its p is not below 1 / period, and it does not hide what else is carried."""
    generator = torch.Generator().manual_seed(0)
    wave = tracks.phase(torch.zeros(2400), 24)["cosine"]
    flag = slow(generator, 2400, 1)[:, 0] > 0
    values = torch.stack([wave, flag.float(), torch.randn(2400, generator=generator)], 1)
    values = values + 0.1 * torch.randn(2400, 3, generator=generator)
    found = find_units(trace_of(values[:, None]), {"season": wave, "flag": flag}, shifts=1080)
    season, carried = found.best(1, "season")[0], found.best(1, "flag")[0]
    assert (season.unit, carried.unit) == (0, 1)
    assert season.p > 1 / 24
    assert season.score > 0.9
    assert carried.p < 0.001
