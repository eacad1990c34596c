"""Text: read from files, predicted symbol by symbol, and sampled."""

from byhand.tasks.text.text import Text

__all__ = ["Text"]
