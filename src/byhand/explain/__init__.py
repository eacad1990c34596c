"""What a trace means: pure functions of a Trace, or of a module and its input where gradients are needed.

Of a trace: ledger (who wrote what into a memory, and what is left of it), half_life (how long each unit keeps what it writes),
saturation (how often each gate is shut or open).
"""

from byhand.explain.additive import NotAdditiveError
from byhand.explain.half_life import half_life
from byhand.explain.ledger import Entry, Ledger, ledger
from byhand.explain.saturation import Saturation, saturation

__all__ = [
    "Entry",
    "Ledger",
    "NotAdditiveError",
    "Saturation",
    "half_life",
    "ledger",
    "saturation",
]
