"""plots.text: every character in its cell, in the colour of its value; letters that can be read on it; what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from pictured import TEXT, broken, traced

from byhand import plots
from byhand.errors import UnknownSiteError
from byhand.plots.encoding import Look
from byhand.plots.style import FORGET, luminance
from byhand.plots.text import MOST, set_in_lines

LONG = (5 * TEXT)[:95]


def cells(figure: Figure, panel: int = 0) -> np.ndarray:
    return np.ma.filled(figure.axes[panel].images[0].get_array(), np.nan)


def letters(figure: Figure, panel: int = 0) -> list[tuple[float, float, tuple[float, ...]]]:
    """Column, line and colour of all letters."""
    found = []
    for one in figure.axes[panel].collections:
        assert isinstance(one, PathCollection)
        tone = to_rgb(np.asarray(one.get_facecolor())[0])
        found += [(float(x), float(y), tone) for x, y in np.asarray(one.get_offsets())]
    return found


def test_each_character_has_the_colour_of_its_value() -> None:
    trace = traced(6, 95)
    figure = plots.text(trace, [2, 5], site="c", characters=LONG, steps=(3, 90), wrap=40)
    for panel, unit in enumerate((2, 5)):
        values, seen = trace["l0.c"][3:90, 0, unit].tolist(), cells(figure, panel)
        line = column = 0
        for value, character in zip(values, LONG[3:90], strict=True):
            if column == 40:
                line, column = line + 1, 0
            assert seen[line, column] == pytest.approx(value)
            column += 1
            if character == "\n":
                line, column = line + 1, 0
        assert np.isfinite(seen).sum() == 87
    assert figure.axes[0].images[0].get_clim() == figure.axes[1].images[0].get_clim()


def test_letters_stand_on_their_cells_and_can_be_read() -> None:
    figure = plots.text(traced(6, 95), 5, characters=LONG, wrap=40)
    image, seen, found = figure.axes[0].images[0], cells(figure), letters(figure)
    assert len(found) == sum(one != " " for one in LONG)
    for column, line, tone in found:
        under = luminance(to_rgb(image.cmap(image.norm(seen[int(line), int(column)]))[:3]))
        light, dark = sorted((luminance(tone), under), reverse=True)
        ends_line = int(column) == np.isfinite(seen[int(line)]).sum() - 1
        assert (light + 0.05) / (dark + 0.05) > (3 if ends_line else 4.5)  # WCAG 2, of signs and of letters


def test_lines_by_hand() -> None:
    def lines(characters: list[str] | str, wrap: int) -> list[str]:
        found: dict[int, str] = {}
        for one in set_in_lines(characters, wrap):
            assert len(found.get(one.line, "")) == one.column
            found[one.line] = found.get(one.line, "") + one.sign
        return [found.get(line, "") for line in range(max(found) + 1)]

    assert lines("ab\n\ncde f", 3) == ["ab↵", "↵", "cde", " f"]
    assert lines(["the", "cat", "sat"], 7) == ["the cat", "sat"]
    assert lines(["a", "extraordinary"], 5) == ["a", "extra", "ordin", "ary"]
    assert lines("\tx\x00\U0001f600", 9) == ["⇥x▯▯"]
    assert lines(["", "ab"], 9) == ["∅ ab"]


def test_a_word_is_of_one_colour_and_the_blank_of_none() -> None:
    trace = traced(6, 3)
    seen = cells(plots.text(trace, 1, characters=["the", "black", "cat"], wrap=20))
    values = trace["l0.h"][:, 0, 1].tolist()
    assert seen[0, :3] == pytest.approx(values[0])
    assert seen[0, 4:9] == pytest.approx(values[1])
    assert np.isnan(seen[0, [3, 9, 13]]).all()


def test_the_text_ends_where_the_sequence_does() -> None:
    trace = traced(6, 30, lengths=(30, 22))
    assert np.isfinite(cells(plots.text(trace, 1, batch=1, characters=LONG[:30]))).sum() == 22


def test_what_is_no_number_is_crossed_out() -> None:
    figure = plots.text(broken(), 1, site="c", characters="abcdefghijkl")
    crossed = [one for one in letters(figure) if one[2] == to_rgb("0.6")]
    assert [column for column, _, _ in sorted(crossed)] == [7, 8, 9, 10, 11]


def test_a_gate_has_its_colour() -> None:
    figure = plots.text(traced(6, 95), 1, site="f", characters=LONG)
    image = figure.axes[0].images[0]
    assert image.get_clim() == (0.0, 1.0)
    assert image.cmap(1.0)[:3] == pytest.approx(to_rgb(FORGET), abs=0.01)
    assert isinstance(Look("f", "", FORGET, share=True).map(0.5), tuple)


def test_what_it_refuses() -> None:
    trace = traced(6, 95)
    with pytest.raises(ValueError, match="a character for each of the 95 steps, got 3"):
        plots.text(trace, characters="abc")
    with pytest.raises(IndexError, match=r"l0\.h has units 0 to 5, got 6"):
        plots.text(trace, 6, characters=LONG)
    with pytest.raises(UnknownSiteError, match=r"'l0\.q'"):
        plots.text(trace, site="q", characters=LONG)
    with pytest.raises(ValueError, match="wrap from 20 to 120 characters, got 5"):
        plots.text(trace, characters=LONG, wrap=5)
    with pytest.raises(TypeError, match="expected a Trace"):
        plots.text(LONG, characters=LONG)  # type: ignore[arg-type]
    many = traced(6, MOST // 2 + 1)
    with pytest.raises(ValueError, match=r"at most 6,000 characters in a picture, got 3,001 for 2 units: .* steps=\(0, 1500\)"):
        plots.text(many, [0, 1], characters="a" * (MOST // 2 + 1))
    ended = traced(6, 30, lengths=(30, 22))
    with pytest.raises(ValueError, match="of a sequence that has steps among those shown"):
        plots.text(ended, batch=1, characters=LONG[:30], steps=(25, 30))
