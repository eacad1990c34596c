"""Pictures: compared with those that were looked at, legible at any size, the same under any settings; what they refuse."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
import torch
from drawn_texts import problems, texts
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.testing.compare import compare_images
from pictured import FIGURES, broken, layer, traced, waves

import byhand
from byhand import cells, explain, plots
from byhand.errors import UnknownSiteError
from byhand.plots.ablation import HELD
from byhand.plots.axes import canvas, time_axis
from byhand.plots.panels import BELOW, stretches
from byhand.plots.style import (
    BROWN,
    CANDIDATE,
    FORGET,
    INPUT,
    OUTPUT,
    STYLE,
    TEAL,
    luminance,
    memory_map,
    share_map,
    shortened,
    signed_map,
    visible,
)
from tools.gallery import DPI, KEPT, PAGE, PAGES, SMALL, blocks, png, run

TOLERANCE = 3.0  # root mean square of 255: letters set by another release of FreeType pass, another curve does not
LONG_CELL = cells.zoneout(cells.full_gate_recurrence(cells.peephole))


@pytest.mark.parametrize("name", FIGURES)
def test_picture_is_the_one_that_was_looked_at(name: str, tmp_path: Path) -> None:
    new, kept = tmp_path / f"{name}.png", KEPT / f"{name}.png"
    new.write_bytes(png(FIGURES[name](), SMALL))
    difference = compare_images(str(kept), str(new), TOLERANCE)
    assert difference is None, f"{difference}\nIf the new picture is the better one: python tools/gallery.py --renew"


def test_comparison_sees_another_curve(tmp_path: Path) -> None:
    new = tmp_path / "gates.png"
    new.write_bytes(png(plots.gates(traced(1, 4, size=1.2), characters=["Mon", "Tue", "Wed", "Thu"]), SMALL))
    assert "RMS" in compare_images(str(KEPT / "gates.png"), str(new), TOLERANCE)


def test_every_kept_picture_is_compared() -> None:
    assert {path.stem for path in KEPT.glob("*.png")} == set(FIGURES)


SIZES = [
    (1, 1, cells.lstm),
    (1, 4, cells.gru),
    (1, 50, LONG_CELL),
    (1, 2000, cells.lstm),
    (3, 1, cells.slstm),
    (3, 4, LONG_CELL),
    (3, 50, cells.min_lstm),
    (3, 2000, cells.gru),
    (12, 1, cells.lstm),
    (12, 4, cells.lstm_1997),
    (12, 50, cells.slstm),
    (12, 2000, cells.lstm),
    (200, 1, cells.gru),
    (200, 4, cells.slstm),
    (200, 50, cells.lstm),
    (200, 2000, cells.lstm),
]


@pytest.mark.parametrize(("units", "steps", "cell"), SIZES, ids=lambda one: getattr(one, "name", str(one)))
def test_no_text_touches_another_or_leaves_the_picture(units: int, steps: int, cell: byhand.Cell) -> None:
    """Over time, for the second of two sequences, which ends early; some in both directions."""
    lengths = (steps, max(1, steps // 2))
    trace = traced(units, steps, cell, lengths=lengths, bidirectional=cell is cells.gru)
    place, letters = trace.places[-1], ["W" if steps > 40 else "Wow"] * steps
    figures = [
        plots.gates(trace, place, item=1, characters=letters),
        plots.memories(trace, place, item=1),
        plots.unit(trace, units - 1, place, item=1, characters=letters),
    ]
    for figure in figures:
        assert problems(figure) == []


@pytest.mark.parametrize(("units", "steps", "cell"), [SIZES[0], SIZES[5], SIZES[10], SIZES[14]], ids=repr)
def test_no_text_of_what_is_explained_touches_another(units: int, steps: int, cell: byhand.Cell) -> None:
    trace = traced(units, steps, cell, lengths=(steps, max(1, steps // 2)), num_layers=2)
    figures = [
        plots.ledger(explain.ledger(trace, 0, units - 1), item=1, characters=["Wow"] * steps),
        plots.time_lapse([(1000 * epoch, trace) for epoch in range(8)], 1, characters=["W"] * steps),
        plots.half_life(explain.half_life(trace)),
        plots.saturation(explain.saturation(trace)),
    ]
    for figure in figures:
        assert problems(figure) == []


@pytest.mark.parametrize("steps", [1, 200])
@pytest.mark.parametrize("units", [1, 30])
def test_no_text_of_what_needs_a_model_touches_another(units: int, steps: int) -> None:
    model, x = layer(units, num_layers=2), waves(steps, 2, 3)

    def last(output: tuple[torch.Tensor, object]) -> torch.Tensor:
        return output[0][-1].square().sum()

    paths = explain.gradient_paths(model, x, last)
    figures = [
        plots.gradient_paths(paths, {f"the {index}th of several others": paths for index in range(3)}),
        plots.connectivity(explain.connectivity(model, x, at=0, site="l1.h"), characters=["W"] * steps),
        plots.ablation(explain.ablation(model, x, last, sites=["l0.*"], units=range(min(units, 2)))),
    ]
    for figure in figures:
        assert problems(figure) == []


WORDS = ["Pack", "my", "box", "with", "five", "dozen", "liquor", "jugs", "internationalisation"]
LETTERS = "the quick\nbrown fox"


def ticks(axis: mpl.axis.Axis) -> dict[int, str]:
    """Step -> its label, of those that are drawn."""
    return {round(tick.get_loc()): tick.label1.get_text() for tick in axis.get_major_ticks()}


@pytest.mark.parametrize("steps", [1, 2, 9, 40, 70, 110, 300, 2500])
@pytest.mark.parametrize("tokens", [list(LETTERS), WORDS, ["W"], ["漢字"]], ids=["letters", "words", "wide", "unknown"])
def test_what_was_read_stands_at_every_length(steps: int, tokens: list[str]) -> None:
    """All of it, or every few steps with their numbers; never none, and nothing touches anything."""
    read = [tokens[step % len(tokens)] for step in range(steps)]
    with mpl.style.context(["default", STYLE]):
        figure = canvas("Ticks", 4.0)
        time_axis(figure.add_subplot(), np.arange(steps), read)
        assert problems(figure) == []
    found = ticks(figure.axes[0].xaxis)
    distances = {later - step for step, later in pairwise(found)}
    assert found and len(distances) <= 1
    for step, label in found.items():
        assert label in (visible(read[step]), f"{visible(read[step])}\n{step}", f"{visible(read[step])}  {step}")
    every = next(iter(distances), 1)
    assert len(found) == -(-steps // every) and (len(found) > 1 or steps == 1)
    assert (f"every {every}" in figure.axes[0].get_xlabel()) == (every > 1)


@pytest.mark.parametrize("steps", [6, 30, 60, 200])
def test_the_ledger_is_lettered_on_both_axes(steps: int) -> None:
    read = [LETTERS[step % len(LETTERS)] for step in range(steps)]
    figure = plots.ledger(explain.ledger(traced(1, steps)), characters=read)
    assert problems(figure) == []
    across, down = ticks(figure.axes[1].xaxis), ticks(figure.axes[0].yaxis)
    for step, label in across.items():
        assert label.split("\n")[0] == visible(read[step])
    for step, label in down.items():
        assert label.split("  ")[-1] == visible(read[step])
    assert min(len(across), len(down)) >= min(steps, 10)


def test_ticks_of_a_part_are_at_round_steps() -> None:
    figure = plots.gates(traced(2, 400), steps=(103, 399), characters=["x"] * 400)
    found = ticks(figure.axes[-1].xaxis)
    assert len(found) > 5 and all(step % 10 == 0 for step in found) and found[120] == "x\n120"


def test_every_plot_over_time_takes_what_was_read() -> None:
    trace, model, x = traced(3, 5), layer(3), waves(5, 1, 3)
    read = [1, torch.tensor(2), float("nan"), " the", None]
    figures = [
        plots.gates(trace, characters=read),
        plots.memories(trace, characters=read),
        plots.unit(trace, 0, characters=read),
        plots.time_lapse([(0, trace)], characters=read),
        plots.connectivity(explain.connectivity(model, x, at=3), characters=read),
        plots.gradient_paths(explain.gradient_paths(model, x, lambda output: output[0].sum()), characters=read),
    ]
    for figure in figures:
        shown = next(found for axes in figure.axes[::-1] if len(found := ticks(axes.xaxis)) == 5)
        assert list(shown.values()) == ["1", "2", "nan", "␣the", "∅"]


def test_single_units_have_a_scale_of_their_own() -> None:
    rows = [explain.Ablated("l0.f", unit, held, 0.0, 100.0 if unit is None else 0.5) for unit in (None, 0, 1) for held in HELD]
    figure = plots.ablation(explain.Ablation(1.0, tuple(rows)))
    whole, single = figure.axes
    assert whole.get_xlim()[1] > 100 and single.get_xlim()[1] < 1
    assert [label.get_text() for label in single.get_yticklabels()] == ["l0.f[0]", "l0.f[1]"]
    assert whole.get_position().y0 > single.get_position().y1 and problems(figure) == []


def test_overlaps_are_found() -> None:
    figure = Figure(figsize=(2, 1))
    figure.text(0.1, 0.5, "one")
    figure.text(0.12, 0.5, "other")
    figure.text(0.9, 0.1, "leaves the picture")
    found = problems(figure)
    assert any("overlap" in one for one in found) and any("outside" in one for one in found)


def test_long_names_are_shortened() -> None:
    model = torch.nn.ModuleDict({"encoder_of_the_first_of_many_parts": torch.nn.ModuleDict({"x" * 80: layer(2, LONG_CELL)})})
    with byhand.record(model) as trace:
        next(one for one in model.modules() if isinstance(one, byhand.LSTM))(waves(4, 1, 3))
    figure = plots.gates(trace)
    assert problems(figure) == []
    assert "…" in texts(figure)[-1][0] or any("…" in text for text, _ in texts(figure))


def test_what_is_drawn_is_what_was_recorded() -> None:
    trace = traced(3, 20)
    figure = plots.gates(trace, units=[2, 0], steps=(5, 15))
    for axes, gate in zip(figure.axes, "figo", strict=True):
        assert [line.get_xdata()[0] for line in axes.lines] == [5, 5]
        for line, unit in zip(axes.lines, (2, 0), strict=True):
            assert np.array_equal(line.get_ydata(), trace[f"l0.{gate}"][5:15, 0, unit].numpy())
    many = traced(9, 20)
    for axes, gate in zip((axes for axes in plots.gates(many).axes if axes.images), "figo", strict=True):
        assert np.array_equal(axes.images[0].get_array(), many[f"l0.{gate}"][:, 0].T.numpy())


def test_ledger_shows_its_entries_and_their_sum() -> None:
    ledger = explain.ledger(traced(2, 4), unit=1)
    first, middle, last, _ = plots.ledger(ledger).axes
    rows = np.ma.filled(middle.images[0].get_array(), 0) + np.ma.filled(first.images[0].get_array(), 0) * [[1, 0, 0, 0]]
    assert np.allclose(rows.sum(1), ledger.memory[:, 0].numpy()) and np.allclose(last.images[0].get_array()[:, 0], rows.sum(1))


def test_colours_are_the_four_and_memories_are_symmetric() -> None:
    figure = plots.gates(traced(9, 9))
    maps = [axes.images[0].get_cmap() for axes in figure.axes if axes.images]
    assert [mpl.colors.to_hex(one(1.0)).upper() for one in maps] == [FORGET, INPUT, CANDIDATE, OUTPUT]
    low, high = next(axes.images[0].get_clim() for axes in plots.memories(traced(9, 9)).axes if axes.images)
    assert low == -high
    assert mpl.colors.to_hex(memory_map()(0.5)) == "#ffffff"


@pytest.mark.parametrize("colours", [*map(share_map, (FORGET, INPUT, OUTPUT)), signed_map(CANDIDATE), memory_map()])
def test_maps_grow_darker_away_from_0_without_colour(colours: mpl.colors.Colormap) -> None:
    start = 0.0 if luminance(colours(0.0)[:3]) > 0.99 else 0.5
    grey = [luminance(colours(value)[:3]) for value in np.linspace(start, 1, 9)]
    assert all(one - other > 0.01 for one, other in pairwise(grey))
    assert luminance(colours(0.0)[:3]) == pytest.approx(1) or luminance(colours(0.0)[:3]) < 0.3


def test_nothing_hangs_on_colour_alone() -> None:
    """Units of one panel differ in dashes and markers, panels in their titles."""
    axes = plots.gates(traced(4, 30)).axes
    assert len({line.get_linestyle() + str(line._dash_pattern) + line.get_marker() for line in axes[0].lines}) == 4
    assert [one.get_title(loc="left")[0] for one in axes] == list("figo")
    grid = plots.saturation(explain.saturation(traced(4, 30, num_layers=2))).axes
    assert [one.get_title(loc="left")[0] for one in grid] == list("fio")
    layers = [marks.get_paths()[0].vertices.tolist() for marks in grid[0].collections]
    assert layers[0] != layers[1]


def test_half_lives_of_0_and_infinity_have_their_own_bars() -> None:
    odd = torch.tensor([torch.inf, 0.0, torch.nan])
    few, many = torch.tensor([3.0, 1e6]), 10 ** torch.linspace(-1, 3, 300)
    figure = plots.half_life({"l0.c": torch.cat([odd, few]), "l1.c": torch.cat([odd, many])})
    assert problems(figure) == []
    for axes in figure.axes:
        assert {"0", "∞", "?"} <= {text for text, box in texts(figure) if text in "0∞?"}
        assert any(bar.get_hatch() for bar in axes.patches)
    assert sum(bar.get_height() for bar in figure.axes[1].patches) == 303


def test_over_many_steps_several_units_are_a_map_and_one_is_a_line() -> None:
    several, one = plots.gates(traced(2, 400)), plots.gates(traced(2, 400), units=1)
    assert several.axes[0].images and not several.axes[0].lines
    assert one.axes[0].lines and not one.axes[0].images


def test_rows_of_a_long_map_do_not_run_into_each_other() -> None:
    """Five units over many steps, 1 and -1 by turns: all but the borders of the rows stand in the two ends' own colours."""
    trace = traced(5, 2000)
    trace.run("l0").sites["c"] = torch.tensor([1.0, -1.0, 1.0, -1.0, 1.0]).expand(2000, 1, 5)
    figure = plots.memories(trace)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    box = figure.axes[0].get_window_extent()
    column = np.asarray(canvas.buffer_rgba())[::-1][int(box.y0) + 2 : int(box.y1) - 2, int(box.x0 + box.x1) // 2, :3].astype(
        int
    )
    ends = [np.array(mpl.colors.to_rgb(colour)) * 255 for colour in (TEAL, BROWN)]
    own = [min(abs(pixel - end).max() for end in ends) < 10 for pixel in column]
    assert len(own) - sum(own) <= 12


@pytest.mark.parametrize(
    ("units", "steps", "striped"), [(12, 30, True), (20, 100, True), (21, 30, False), (12, 101, False), (4, 30, False)]
)
def test_memories_below_zero_are_striped_where_there_is_room(units: int, steps: int, striped: bool) -> None:
    """Brown and teal are equally dark: without colours, stripes alone tell them apart."""
    trace = traced(units, steps)
    figure = plots.memories(trace)
    assert ("below 0" in [text for text, _ in texts(figure)]) == striped
    below = (trace["l0.c"][:, 0] < 0).numpy()
    stripes = [bars for bars in figure.axes[0].collections if bars.get_hatch() == BELOW["hatch"]]
    assert sum(len(bars.get_paths()) for bars in stripes) == (sum(len(stretches(unit)) for unit in below.T) if striped else 0)
    trace.run("l0").sites["c"] = trace["l0.c"].abs()
    trace.run("l0").sites["h"] = trace["l0.h"].abs()
    assert "below 0" not in [text for text, _ in texts(plots.memories(trace))]


def test_end_of_a_sequence_and_nan_are_hatched_and_named() -> None:
    ended = plots.memories(traced(2, 9, lengths=(9, 4)), item=1)
    assert "the sequence has ended" in [text for text, _ in texts(ended)]
    assert any(bars.get_hatch() and len(bars.get_paths()) == 1 for bars in ended.axes[0].collections)
    assert "not a finite number" in [text for text, _ in texts(plots.memories(broken()))]
    whole = [text for text, _ in texts(plots.memories(traced(2, 9)))]
    assert "the sequence has ended" not in whole and "not a finite number" not in whole


@pytest.mark.parametrize("settings", ["dark_background", {"font.size": 30, "font.family": "serif", "axes.grid": True}])
def test_looks_the_same_under_any_settings_and_leaves_them(settings: str | dict[str, object]) -> None:
    plain = png(FIGURES["gradient_paths"](), SMALL)
    with mpl.style.context(settings):
        before = dict(mpl.rcParams)
        figure = FIGURES["gradient_paths"]()
        assert dict(mpl.rcParams) == before
        mpl.rcParams["savefig.facecolor"] = "auto"
        assert png(figure, SMALL) == plain


def test_neither_pyplot_nor_a_global_figure() -> None:
    figure = plots.gates(traced(1, 3))
    assert isinstance(figure, Figure)
    assert not [name for name, value in vars(inspect.getmodule(plots.gates)).items() if "pyplot" in str(value)]


def test_a_text_is_shown_as_it_is() -> None:
    assert [visible(one) for one in (" ", "\n", "$x$", "\x07", "漢", "")] == ["␣", "↵", "$x$", "▯", "▯", "∅"]
    assert [visible(one) for one in (" the", "a\nb", "\n\n", "New York", "\r")] == ["␣the", "a↵b", "↵↵", "New York", "␣"]
    assert shortened("abcdefghij", 5) == "abc…ij"[:2] + "…" + "ij"
    figure = plots.gates(traced(1, 4), characters=["$x$", "<b>", "$", "漢"])
    assert {"$x$", "<b>", "$", "▯"} <= {text for text, _ in texts(figure)}


WRONG: list[tuple[Callable[[], object], type[Exception], str]] = [
    (
        lambda: plots.gates(layer(2)),
        TypeError,
        r"gates expected a Trace, got a LSTM: with byhand.record\(model\) as trace: model\(x\)",
    ),
    (lambda: plots.gates(byhand.Trace()), ValueError, "empty trace: call the model inside `with byhand.record"),
    (lambda: plots.gates(traced(2, 3), "l1"), UnknownSiteError, "knows no 'l1'; it knows l0"),
    (lambda: plots.gates(traced(2, 3), item=1), IndexError, "a sequence from 0 to 0, got 1"),
    (lambda: plots.gates(traced(2, 3), units=[0, 2]), IndexError, "l0.f has units 0 to 1, got 2"),
    (lambda: plots.gates(traced(2, 3), units="all"), TypeError, r"units=\[0, 3\], got 'all'"),
    (lambda: plots.gates(traced(2, 3), steps=(2, 9)), IndexError, r"steps inside \(0, 3\), got \(2, 9\)"),
    (lambda: plots.gates(traced(2, 3), steps=2), TypeError, r"steps=\(0, 3\), got 2"),
    (lambda: plots.gates(traced(2, 3), characters="ab"), ValueError, "each of the 3 steps, got 2"),
    (lambda: plots.gates(traced(2, 3, cells.rnn)), ValueError, "byhand.plots.memories"),
    (lambda: plots.unit(traced(2, 3), 2), IndexError, "0 to 1, got 2"),
    (lambda: plots.ledger(traced(2, 3)), TypeError, r"byhand.explain.ledger\(trace, layer, unit\) gives, got a Trace"),
    (lambda: plots.half_life(traced(2, 3)), TypeError, r"byhand.explain.half_life\(trace\) gives, got a Trace"),
    (lambda: plots.half_life({}), ValueError, "no cell in the trace has one that is added to"),
    (lambda: plots.saturation(traced(2, 3)), TypeError, r"byhand.explain.saturation\(trace\) gives, got a Trace"),
    (lambda: plots.saturation({}), ValueError, "at least one gate"),
    (lambda: plots.gradient_paths({"l0.c": 1}), TypeError, r"byhand.explain.gradient_paths\(model, x, target\) gives"),
    (lambda: plots.connectivity(3), TypeError, r"byhand.explain.connectivity\(model, x, at=t\) gives, got a int"),
    (lambda: plots.ablation([]), TypeError, r"byhand.explain.ablation\(model, x, score\) gives, got a list"),
    (
        lambda: plots.time_lapse(traced(2, 3)),
        TypeError,
        r"pairs of an epoch and a Trace, got a .*lapse.append\(\(epoch, trace\)\)",
    ),
    (lambda: plots.time_lapse([]), ValueError, "no epochs"),
    (lambda: plots.time_lapse([(0, traced(2, 3)), (1, traced(2, 4))]), ValueError, "different lengths"),
]


@pytest.mark.parametrize(("wrong", "kind", "words"), WRONG, ids=lambda one: one if isinstance(one, str) else "")
def test_wrong_use_is_told(wrong: Callable[[], object], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        wrong()


def test_gallery_shows_every_figure() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name in plots.__all__:
        assert f"figure = plots.{name}(" in page, f"docs/gallery.md does not show plots.{name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_pages_run_and_show_their_figures(page: Path) -> None:
    shown = [block.picture for block in blocks(page.read_text(encoding="utf-8")) if block.picture is not None]
    figures = run(page)
    assert list(figures) == shown != []
    for name, figure in figures.items():
        assert problems(figure) == [], name
        kept = PAGE.parent / "pictures" / name
        assert kept.stat().st_size <= 60 * 1024, f"{name} is larger than 60 KB"
        assert mpl.image.imread(kept).shape[1] == round(figure.get_size_inches()[0] * DPI), f"{name} is not of this figure"
