"""What is said to whoever wrote the study."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches
from typing import Any

from byhand.errors import StudyError


def refuse_unknown(where: str, got: Collection[Any], known: Collection[str]) -> None:
    """StudyError for the first name that is not known, with the one that may have been meant."""
    for name in got:
        if name not in known:
            near = get_close_matches(str(name), known, 1)
            raise StudyError(
                f"{where}: expected names out of {', '.join(known)}; got {name!r}" + (f": {near[0]}?" if near else "")
            )


def first_line(error: BaseException) -> str:
    """Of what an error says; its kind, if it says nothing."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
