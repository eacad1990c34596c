"""Text coloured by what one unit, or a few, computed at each character, as Karpathy, Johnson & Fei-Fei, Visualizing and Understanding
Recurrent Networks, arXiv 1506.02078, 2015, print it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from matplotlib.collections import PathCollection
from matplotlib.font_manager import FontProperties, findfont
from matplotlib.ft2font import FT2Font
from matplotlib.textpath import TextPath
from matplotlib.transforms import Affine2D

from byhand.plots.axes import canvas
from byhand.plots.encoding import look_of
from byhand.plots.panels import scale, typical
from byhand.plots.selection import window
from byhand.plots.style import VISIBLE, luminance, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

    from byhand.plots.encoding import Look
    from byhand.plots.selection import Window
    from byhand.trace import Trace

MONO = "DejaVu Sans Mono"  # comes with matplotlib, so that pictures are the same everywhere
ADVANCE, LINE = 0.602, 1.45  # of the size of the type: how wide a character is, and how high a line
POINTS, LEAST = 9.5, 7.0  # the size of the type, and the least, for lines of many characters
ROOM = 8.2  # inches of a line
MOST = 6000  # characters of a picture, all units together
WRAP = 90
NARROW = 5.0  # inches of a picture, for its title
DARK = 0.179  # below this luminance white letters have the greater contrast, above it black ones: at least 4.5, as WCAG 2 asks of letters
FAINT, PALE = "0.4", 0.6  # of signs for newlines, and above which luminance: a contrast of at least 3, as for signs


class Placed(NamedTuple):
    """A character in a line and column. step: of the steps shown; None between two words."""

    sign: str
    line: int
    column: int
    step: int | None


@styled
def text(
    trace: Trace,
    unit: int | Sequence[int] = 0,
    layer: int | str = 0,
    *,
    characters: Sequence[str],
    site: str = "h",
    batch: int = 0,
    steps: tuple[int, int] | None = None,
    wrap: int = WRAP,
) -> Figure:
    """Draw a text coloured by what a unit computed at each character, wrapped as in print; several units below one another.

    Args:
        trace: a recorded run.
        unit: the unit's number, or several.
        layer: its number, or a name as in "l1.reverse" or "encoder.l0". Several calls of the layer are one text.
        characters: what was read, one for each step: letters, or words, which then stand apart.
        site: which value colours them, as in "h" or "c"; gates in their own colour, memories brown below 0 and teal above.
        batch: which of its sequences; where it ends the text ends.
        steps: (first, one after the last); all if not given.
        wrap: characters of a line, 20 to 120; lines also end at newlines, which are shown as ↵.

    Returns:
        The figure, a panel a unit, with one colour bar for all.

    Raises:
        TypeError: `trace` is no Trace, or an argument is of the wrong type.
        ValueError: nothing was recorded, there is not one character for each step, or there are more than 6,000 in the picture.
        UnknownSiteError: there is no such layer or site.
        LookupError: the calls of the layer differ in batch size.
        IndexError: there is no such sequence, unit or step.
    """
    if isinstance(wrap, bool) or not isinstance(wrap, int) or not 20 <= wrap <= 120:
        raise ValueError(f"text expected wrap from 20 to 120 characters, got {wrap!r}")
    shown = window(trace, layer, batch, unit, steps, characters, "text")
    look, values = look_of(shown.trace, shown.place, site), shown.values(site)
    there = shown.valid.nonzero()[0]
    if shown.characters is None or not len(there):
        raise ValueError("text expected characters=, one for each step, of a sequence that has steps among those shown")
    placed = set_in_lines([shown.characters[step] for step in there], wrap)
    units = shown.rows(site, shown.width(site))
    if len(placed) * len(units) > MOST:
        raise ValueError(
            f"text expected at most {MOST:,} characters in a picture, got {len(placed):,} for {len(units)} unit{'s' * (len(units) > 1)}:"
            f" choose some, as in steps=({shown.start}, {shown.start + MOST // len(units) // 2})"
        )
    return drawn(shown, look, values[there], units, placed, wrap)


def drawn(shown: Window, look: Look, values: np.ndarray, units: Sequence[int], placed: list[Placed], wrap: int) -> Figure:
    lines = placed[-1].line + 1
    points = max(LEAST, min(POINTS, ROOM * 72 / (ADVANCE * wrap)))
    height = lines * LINE * points / 72
    one = f"unit {units[0]}" if len(units) == 1 else f"{len(units)} units"
    width = wrap * ADVANCE * points / 72
    title = f"Text by {look.title.replace('   ', ', ')} of {one}: {shown.where}"
    figure = canvas(title, (height + 0.42) * len(units) + 0.75, max(width + 1.4, NARROW))
    limits = look.range(typical(values) if look.colour is None else values)
    grid = figure.subplots(len(units), 1, squeeze=False)[:, 0]
    images = []
    for axes, number, row in zip(grid, units, values.T, strict=True):
        axes.set_title(f"unit {number}", color=look.ink)
        images.append(page(axes, look, limits, placed, row, (lines, wrap), points))
    scale(list(grid), images[0], look.label(*limits).replace("\n", " "), aspect=max(6, 4 * height * len(units)))
    return figure


def page(
    axes: Axes,
    look: Look,
    limits: tuple[float, float],
    placed: list[Placed],
    values: np.ndarray,
    shape: tuple[int, int],
    points: float,
) -> AxesImage:
    """One unit's text: a coloured cell a character, and the letters on it."""
    cells = np.full(shape, np.nan)
    for one in placed:
        if one.step is not None:
            cells[one.line, one.column] = values[one.step]
    colours = look.map.with_extremes(bad=(1, 1, 1, 0))
    image = axes.imshow(np.ma.masked_invalid(cells), cmap=colours, vmin=limits[0], vmax=limits[1], aspect="auto")
    axes.set_axis_off()
    size = Affine2D().scale(1 / 72) + axes.figure.dpi_scale_trans  # type: ignore[union-attr]
    by_sign: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for one in placed:
        under = luminance(colours(image.norm(cells[one.line, one.column]))) if np.isfinite(cells[one.line, one.column]) else 1.0
        tone = "white" if under < DARK else FAINT if under > PALE and one.sign == VISIBLE["\n"] else "black"
        if one.sign != " ":
            by_sign.setdefault((one.sign, tone), []).append((one.column, one.line))
        if one.step is not None and not np.isfinite(values[one.step]):
            by_sign.setdefault(("×", "0.6"), []).append((one.column, one.line))
    for (sign, tone), where in by_sign.items():
        letters = PathCollection(
            [glyph(sign, points)], offsets=where, offset_transform=axes.transData, facecolor=tone, linewidth=0
        )
        letters.set_transform(size)
        letters.set_snap(False)  # else strokes along the pixels come out bold, or not at all
        axes.add_collection(letters, autolim=False)
    return image


def set_in_lines(characters: Sequence[str], wrap: int) -> list[Placed]:
    """Each character in its line; words are kept whole where they fit into one, with a blank between two."""
    words = any(len(one) > 1 for one in characters)
    found: list[Placed] = []
    line = column = 0
    for step, one in enumerate(characters):
        apart = bool(column) and words and not one[:1].isspace()
        if column and column + min(len(one) + apart, wrap) > wrap:
            line, column, apart = line + 1, 0, False
        if apart:
            found.append(Placed(" ", line, column, None))
            column += 1
        for sign in one or VISIBLE[""]:
            if column >= wrap:
                line, column = line + 1, 0
            found.append(Placed(sign_of(sign), line, column, step))
            column += 1
            if sign == "\n":
                line, column = line + 1, 0
    return [one for one in found if one.column < wrap]


def sign_of(character: str) -> str:
    """As it can be drawn: a blank stays one, in a text; what the font lacks is a box."""
    sign = " " if character == " " else VISIBLE.get(character, character)
    return sign if ord(sign) in mono() and (sign == " " or sign.isprintable()) else "▯"


@cache
def mono() -> frozenset[int]:
    """The characters that the font has."""
    return frozenset(FT2Font(findfont(MONO)).get_charmap())


@cache
def glyph(sign: str, points: float) -> TextPath:
    """Its outline in points, about the middle of its cell."""
    return TextPath((-ADVANCE * points / 2, -0.33 * points), sign, size=points, prop=FontProperties(family=MONO), usetex=False)
