"""Live pages of the explorer, and the still pictures that stand for them until they are seen."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
from torch import nn

import byhand
from byhand import plots
from byhand.files.atomic import write_whole
from tools.gallery import png
from tools.website.places import upwards

DPI = 110


@dataclass
class Live:
    """model, x, options: what byhand.explore is given."""

    model: nn.Module
    x: Any
    options: dict[str, Any] = field(default_factory=dict)

    def save(self, file: Path) -> None:
        """Write the page, and its picture beside it: both of what the same run came to."""
        file.parent.mkdir(parents=True, exist_ok=True)
        with byhand.use_engine("reference"), byhand.record(self.model) as trace:  # sooner than a compiler could begin
            self.model(self.x)
            byhand.explore(self.model, self.x, **self.options).save(file)
        write_whole(file.with_suffix(".png"), picture(trace))


def picture(trace: byhand.Trace) -> bytes:
    """What unit 0 did, as a PNG."""
    figure = plots.unit(trace, 0)
    try:
        return png(figure, DPI)
    finally:
        plt.close(figure)


def figure(name: str, page: str, caption: str, opens: str = "") -> str:
    """The HTML of a live page: a picture with a link, which the site's script replaces by the page once it is in sight."""
    address = f"{upwards(page)}live/{name}"
    words = html.escape(caption)
    where = f"{address}.html{'#' + opens if opens else ''}"
    return (
        f'<figure class="live" data-live="{html.escape(where)}" data-title="{words}">'
        f'<a class="live-still" href="{html.escape(where)}"><img src="{address}.png" alt="{words}, as a picture" loading="lazy"></a>'
        f'<figcaption>{words}. <a href="{html.escape(where)}">Open it in a page of its own</a>.</figcaption></figure>'
    )
