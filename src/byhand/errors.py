"""Every error class of byhand, under one base class; each also derives from the built-in error that it is a case of.

Wrong arguments raise Python's own TypeError, ValueError, IndexError or RuntimeError, as torch's layers do.
"""

from __future__ import annotations

__all__ = [
    "ByhandError",
    "CellError",
    "CompilerError",
    "EngineError",
    "LoadError",
    "NotAdditiveError",
    "StudyError",
    "UnknownSiteError",
    "UntraceableError",
]


class ByhandError(Exception):
    """The base class of all errors defined here."""


class LoadError(ByhandError, ValueError):
    """A file or folder does not hold a model, training, trace or snapshots as they were saved: what was expected, what was found."""


class CellError(ByhandError, AssertionError):
    """A cell breaks promises of byhand.testing.check_cell; the message lists which."""


class EngineError(ByhandError, AssertionError):
    """An engine differs from the reference engine, by byhand.testing.check_engine; the message lists where and by how much."""


class UntraceableError(ByhandError, TypeError):
    """A cell's step cannot be written as a program; the message names the operation that is in the way, and its line."""


class CompilerError(ByhandError, RuntimeError):
    """There is no compiled code: what was tried, what went wrong, what to type."""


class UnknownSiteError(ByhandError, KeyError):
    """A trace has no site of this name; the message lists those that it has."""

    def __str__(self) -> str:
        return self.args[0]


class NotAdditiveError(ByhandError, ValueError):
    """A state is not the sum of a kept part of itself and a written part; the message says why."""


class StudyError(ByhandError, ValueError):
    """A study's file, folder or database is not as it has to be: what was expected, what was found, where."""
