"""What a trace means: pure functions of a Trace, or of a module and its input where gradients are needed.

Of a trace: ledger (who wrote what into a memory, and what is left of it), half_life (how long each unit keeps what it writes),
saturation (how often each gate is shut or open), find_units (which units carry what can be said of every step; tracks makes such),
match (where else the units of a span are on). Of a model and its input: gradient_paths (what reaches every step, along the memory
and through the gates), connectivity (which inputs a state listens to), ablation (what a score loses when a gate is held), diagnose (what is
wrong with it, or looks it).
"""

from byhand.errors import NotAdditiveError
from byhand.explain import tracks
from byhand.explain.ablation import Ablated, Ablation, ablation
from byhand.explain.connectivity import Connectivity, connectivity
from byhand.explain.diagnose.diagnose import diagnose
from byhand.explain.diagnose.findings import Diagnosis, Finding
from byhand.explain.find_units import find_units
from byhand.explain.found_units import FoundUnit, FoundUnits
from byhand.explain.gradient_paths import Norms, Paths, gradient_paths
from byhand.explain.half_life import half_life
from byhand.explain.ledger import Entry, Ledger, ledger
from byhand.explain.match import match
from byhand.explain.matches import Match, Matches, Span
from byhand.explain.saturation import Saturation, saturation

__all__ = [
    "Ablated",
    "Ablation",
    "Connectivity",
    "Diagnosis",
    "Entry",
    "Finding",
    "FoundUnit",
    "FoundUnits",
    "Ledger",
    "Match",
    "Matches",
    "Norms",
    "NotAdditiveError",
    "Paths",
    "Saturation",
    "Span",
    "ablation",
    "connectivity",
    "diagnose",
    "find_units",
    "gradient_paths",
    "half_life",
    "ledger",
    "match",
    "saturation",
    "tracks",
]
