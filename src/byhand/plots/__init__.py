"""Pictures: a Trace, or what byhand.explain made of it, in; a matplotlib Figure out."""

from byhand.plots.gates import gates
from byhand.plots.memories import memories

__all__ = ["gates", "memories"]
