"""Engines that tests make out of two functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from byhand.engine import reference
from byhand.engine.call import Call, Result


class MadeEngine(NamedTuple):
    """An engine without prepared calls and operator; by default it refuses nothing and runs the loop."""

    name: str
    refuses: Callable[[Call], str | None] = reference.refuses
    run: Callable[[Call], Result] = reference.run

    def prepare(self, call: Call, *, pack: bool = False) -> None:
        """Nothing."""

    def traced(self, call: Call) -> None:
        """Nothing."""
