"""The texts of a picture: where they are, whether they touch or leave it."""

from __future__ import annotations

from itertools import combinations
from unittest.mock import patch

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Affine2D, Bbox

TOUCH = 0.5  # points by which boxes may reach into each other: they are a little larger than the letters


def texts(figure: Figure) -> list[tuple[str, Bbox]]:
    """All texts that are really drawn, and their boxes in points."""
    canvas = FigureCanvasAgg(figure)
    drawn: dict[int, Text] = {}
    draw = Text.draw

    def noted(text: Text, *arguments: object, **options: object) -> None:
        drawn[id(text)] = text
        draw(text, *arguments, **options)

    with patch.object(Text, "draw", noted):
        canvas.draw()
    to_points = Affine2D().scale(72 / figure.dpi)
    shown = [text for text in drawn.values() if text.get_visible() and text.get_text().strip()]
    return [(text.get_text(), text.get_window_extent(canvas.get_renderer()).transformed(to_points)) for text in shown]


def problems(figure: Figure) -> list[str]:
    """What overlaps and what is outside."""
    found = texts(figure)
    width, height = (72 * size for size in figure.get_size_inches())
    outside = [
        f"{text!r} is outside: {box.extents.round(1)} of {width:.0f} x {height:.0f}"
        for text, box in found
        if box.x0 < -TOUCH or box.y0 < -TOUCH or box.x1 > width + TOUCH or box.y1 > height + TOUCH
    ]
    return outside + [f"{one!r} and {other!r} overlap" for (one, a), (other, b) in combinations(found, 2) if touching(a, b)]


def touching(a: Bbox, b: Bbox) -> bool:
    across = min(a.x1, b.x1) - max(a.x0, b.x0)
    down = min(a.y1, b.y1) - max(a.y0, b.y0)
    return across > TOUCH and down > TOUCH
