"""Table: a series or rows of numbers from a file, read, scaled and cut into windows."""

from byhand.tasks.table.table import Table

__all__ = ["Table"]
