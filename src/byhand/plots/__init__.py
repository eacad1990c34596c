"""Pictures: a Trace, or what byhand.explain made of it, in; a matplotlib Figure out.

Of a trace: gates, memories, unit, text, time_lapse. Of what byhand.explain gives: ledger, half_life, saturation,
gradient_paths, connectivity, ablation. Each figure is made with
byhand's own style and leaves matplotlib's settings alone; nothing is shown: a notebook shows a figure by itself, and
figure.savefig(file) writes it.
"""

from byhand.plots.ablation import ablation
from byhand.plots.connectivity import connectivity
from byhand.plots.gradient_paths import gradient_paths
from byhand.plots.half_life import half_life
from byhand.plots.ledger import ledger
from byhand.plots.over_time import gates, memories
from byhand.plots.saturation import saturation
from byhand.plots.text import text
from byhand.plots.time_lapse import time_lapse
from byhand.plots.unit import unit

__all__ = [
    "ablation",
    "connectivity",
    "gates",
    "gradient_paths",
    "half_life",
    "ledger",
    "memories",
    "saturation",
    "text",
    "time_lapse",
    "unit",
]
