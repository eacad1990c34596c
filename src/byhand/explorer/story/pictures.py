"""The pictures of a story, as SVG in data addresses."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib import rc_context

from byhand import plots
from byhand.explain import Ablation
from byhand.explorer.load.model import Trained
from byhand.explorer.story.measure import Measured
from byhand.plots.axes import canvas
from byhand.plots.style import SLATE, STYLE, TEAL, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from byhand.train.callbacks.losses import Loss
SHOWN, ENTRIES = 8, 200  # units in a picture; steps of a ledger that one can hold


@styled
def curve(losses: Sequence[Loss]) -> Figure:
    """The loss at each validation, and that of training since the one before."""
    figure = canvas("Loss over the training", 3.2)
    axes = figure.subplots()
    steps = [one.step for one in losses]
    axes.plot(steps, [one.train for one in losses], "--", color=SLATE, label="training")
    axes.plot(steps, [one.val for one in losses], "o-", ms=3, color=TEAL, label="validation")
    axes.set(xlabel="steps of the optimiser", ylabel="loss")
    if min(one.val for one in losses) > 0:
        axes.set_yscale("log")
    axes.legend()
    return figure


def matter(found: Measured) -> Figure:
    """The units that matter most, alone, held at 0."""
    best = {(one.site, one.number) for one in found.units[:SHOWN]}
    rows = tuple(row for row in found.ablation.rows if (row.site, row.unit) in best)
    return plots.ablation(Ablation(found.ablation.base, rows))


def keep(found: Measured) -> Figure | None:
    return plots.half_life(found.half_lives) if found.half_lives else None


def wrote(found: Measured, shown: Trained) -> Figure | None:
    if found.ledger is None or len(found.ledger.memory) > ENTRIES:
        return None
    letters = (shown.example or {}).get("characters")
    return plots.ledger(found.ledger, characters=letters and letters[found.broken.item])


def address(figure: Figure) -> str:
    """As it stands in src. Without a date, so that equal stories are equal files."""
    drawn = io.BytesIO()
    with rc_context({"svg.hashsalt": STYLE["svg.hashsalt"]}):  # read when it is written, not when it is drawn
        figure.savefig(drawn, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(drawn.getvalue()).decode()
