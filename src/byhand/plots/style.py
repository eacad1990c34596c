"""How all pictures look: colours, type, and texts that fit.

The four colours of the gates are the same everywhere in byhand. They are from the palette of Okabe & Ito, Color Universal Design, 2008,
made for people who do not tell red from green; each gate has a panel and a letter of its own besides.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import Any, ParamSpec

from matplotlib import font_manager, style
from matplotlib.colors import Colormap, LinearSegmentedColormap, to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font

P = ParamSpec("P")

FORGET, INPUT, CANDIDATE, OUTPUT = "#0072B2", "#009E73", "#E69F00", "#CC79A7"
SLATE, BROWN, TEAL = "#5B6B7C", "#8C510A", "#01665E"  # other gates; less than 0; more than 0
INK, FAINT = "0.15", "0.82"
FONT = "DejaVu Sans"  # comes with matplotlib, so that pictures are the same everywhere
TITLE, LABEL, SMALL = 13.0, 10.5, 9.5  # points

STYLE: dict[Any, Any] = {
    "font.family": FONT,
    "font.size": LABEL,
    "figure.titlesize": TITLE,
    "figure.titleweight": "bold",
    "figure.constrained_layout.h_pad": 0.06,
    "figure.constrained_layout.w_pad": 0.08,
    "axes.titlesize": LABEL,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.titlepad": 4.0,
    "axes.labelsize": SMALL,
    "axes.labelcolor": INK,
    "axes.edgecolor": "0.55",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.7,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "xtick.color": "0.55",
    "ytick.color": "0.55",
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": SMALL,
    "text.color": INK,
    "text.parse_math": False,  # a dollar in a text is a dollar
    "hatch.linewidth": 0.6,
    "svg.hashsalt": "byhand",  # equal pictures, equal files
}


def styled(function: Callable[P, Figure]) -> Callable[P, Figure]:
    """The picture looks the same whatever the user's own matplotlib settings are, and leaves them alone."""

    @wraps(function)
    def made(*arguments: P.args, **options: P.kwargs) -> Figure:
        with style.context(["default", STYLE]):
            figure = function(*arguments, **options)
            for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
                axis.get_ticklabels()  # made when first asked for: in this style, not in that of a later drawing
            return figure

    return made


def mixed(colour: str, other: str, share: float) -> str:
    """A colour with that share of another in it."""
    red, green, blue = ((1 - share) * a + share * b for a, b in zip(to_rgb(colour), to_rgb(other), strict=True))
    return to_hex((red, green, blue))


def ink(colour: str) -> str:
    """A darker tone, for lines and letters on white."""
    return mixed(colour, "black", 0.3)


def luminance(colour: Any) -> float:
    """How light it looks without colour, 0 to 1: relative luminance as WCAG 2 defines it."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in to_rgb(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@cache
def share_map(colour: str) -> Colormap:
    """White at 0, the colour at 1."""
    return coloured("white", colour)


@cache
def signed_map(colour: str) -> Colormap:
    """Slate below 0, white at 0, the colour above."""
    return coloured(SLATE, "white", colour)


@cache
def memory_map() -> Colormap:
    """Brown below 0, white at 0, teal above."""
    return coloured(BROWN, "white", TEAL)


def coloured(*colours: str) -> Colormap:
    """An odd number of steps, so that there is one for the middle."""
    return LinearSegmentedColormap.from_list("byhand", list(colours), N=257).with_extremes(bad="0.88")


def shortened(text: str, most: int) -> str:
    """The text in at most `most` characters, its middle left out."""
    text = " ".join(text.split())
    half = (most - 1) // 2
    return text if len(text) <= most else f"{text[: most - 1 - half]}…{text[-half:]}"


@cache
def font() -> FT2Font:
    return FT2Font(font_manager.findfont(FONT))


def inches(text: str, points: float = SMALL) -> float:
    """How wide a text is."""
    font().set_size(points, 72)
    return sum(font().load_char(ord(one)).linearHoriAdvance for one in text) / 65536 / 72


@cache
def drawable() -> frozenset[int]:
    """The characters that the font has."""
    return frozenset(font().get_charmap())


VISIBLE = {" ": "␣", "\n": "↵", "\t": "⇥", "": "∅"}  # as the explorer writes them


def visible(token: str) -> str:
    """A character or word as it can be drawn: blanks as signs, alone and at the ends of a word; what the font lacks as a box."""
    if token in VISIBLE:
        return VISIBLE[token]
    inner = token.strip()
    first = len(token) - len(token.lstrip()) if inner else len(token)
    before, after = token[:first], token[first + len(inner) :]
    signs = "".join(VISIBLE.get(one, "␣") for one in before), "".join(VISIBLE.get(one, "␣") for one in after)
    text = shortened(f"{signs[0]}{inner.replace(chr(10), VISIBLE[chr(10)])}{signs[1]}", 12)
    return "".join(one if ord(one) in drawable() and one.isprintable() else "▯" for one in text)
