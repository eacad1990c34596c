"""check_cell: the conformance suite, for people who write their own cell.

    from byhand.testing import check_cell
    print(check_cell(my_cell))

Each check says what it promises; a cell that passes them all can be trained, recorded, edited, differentiated twice, mapped over and saved.
In a test suite of your own, one test a promise:

    @pytest.mark.parametrize("promise", byhand.testing.promises())
    def test_my_cell(promise):
        byhand.testing.check_promise(my_cell, promise)
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from byhand.errors import CellError
from byhand.nn.config import check_cell_argument
from byhand.testing.promises import PROMISES, NotApplicable

if TYPE_CHECKING:
    from byhand.cells import Cell


@dataclass(frozen=True)
class CellReport:
    """results: promise -> "kept", or "does not apply: why"."""

    cell: str
    results: dict[str, str]

    def __str__(self) -> str:
        return "\n".join([f"cell {self.cell}", *(f"  {promise:58} {result}" for promise, result in self.results.items())])


def promises() -> tuple[str, ...]:
    """What is promised, in words, in the order in which check_cell looks."""
    return tuple(PROMISES)


def check_promise(cell: Cell, promise: str) -> str:
    """Look whether a cell keeps one promise.

    Args:
        cell: Yours.
        promise: One of promises().

    Returns:
        "kept", or "does not apply: " and the reason.

    Raises:
        CellError: The promise is broken: what was found.
        ValueError: There is no such promise.
        TypeError: For anything but a cell.
    """
    check_cell_argument(cell)
    if promise not in PROMISES:
        raise ValueError(f"check_promise expected one of promises(), got {promise!r}")
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch's own, from inside its forward mode
        torch.manual_seed(0)
        try:
            PROMISES[promise](cell)
        except NotApplicable as reason:
            return f"does not apply: {reason}"
        except CellError:
            raise
        except Exception as problem:  # whatever a cell does wrong is for its author to see
            raise CellError(f"{type(problem).__name__}: {problem}") from problem
    return "kept"


def check_cell(cell: Cell) -> CellReport:
    """Run every check. CellError, naming every broken promise and what was found, if there is one; TypeError for anything but a cell."""
    check_cell_argument(cell)
    results, broken = {}, {}
    for promise in PROMISES:
        try:
            results[promise] = check_promise(cell, promise)
        except CellError as problem:
            broken[promise] = str(problem)
    if broken:
        found = "\n".join(f"- {promise}: {problem}" for promise, problem in broken.items())
        raise CellError(f"cell {cell.name!r} breaks {len(broken)} of {len(PROMISES)} promises:\n{found}")
    return CellReport(cell.name, results)
