"""Why there is no kernel for a cell."""

from __future__ import annotations

import logging
from functools import cache
from typing import TYPE_CHECKING

import torch

from byhand.engine.cpp.kernel import kernel
from byhand.engine.cpp.shipped import in_words
from byhand.engine.cpp.toolchain import compiler, prebuilt
from byhand.errors import CompilerError, UntraceableError
from byhand.ir import partition

if TYPE_CHECKING:
    from byhand.cells import Cell

logger = logging.getLogger("byhand")


def refuses_cell(cell: Cell, dtype: torch.dtype, frozen: str | None = None) -> str | None:
    """Why there is no kernel for this cell, or None: then there is one from here on. frozen: of weights packed in low precision."""
    return refusal(cell, dtype, frozen, *compiler.settings())


@cache
def refusal(cell: Cell, dtype: torch.dtype, frozen: str | None, *settings: str | None) -> str | None:
    """settings: what a person may change so that another compiler or folder is found."""
    try:
        check_possible(cell)
        partition(cell)
        kernel(cell, dtype, frozen)
    except UntraceableError as problem:
        if cell.elementwise:
            say_once(cell.name, str(problem))
        return str(problem)
    except CompilerError as problem:
        if dtype == torch.bfloat16:  # which is then computed in float32
            return str(problem)
        if frozen is not None:
            logger.warning("layers frozen in %s run as a Python loop, for want of compiled code: %s", frozen, problem)
            return str(problem)
        say_once("", str(problem))
        compiled = in_words()
        return f"{problem}; prebuilt kernels are {compiled}" if compiled else str(problem)
    return None


def check_possible(cell: Cell) -> None:
    """CompilerError where there is neither a compiler nor a prebuilt kernel of any cell: without a second spent on the cell's programs."""
    reason = compiler.refusal() if cell.elementwise else None
    if reason is not None and not prebuilt.listed(prebuilt.folder()):
        raise CompilerError(reason)


@cache
def say_once(cell: str, problem: str) -> None:
    """Log one line for people who wonder where the speed is."""
    what = f"cell {cell!r} runs on the reference engine, a Python loop," if cell else f"{without_a_compiler()},"
    logger.warning("%s for want of compiled code: %s", what, problem)


def without_a_compiler() -> str:
    """What runs then, and on what."""
    others = "lstm, gru and rnn run on torch's own kernels, all other cells on the reference engine, a Python loop"
    compiled = in_words()
    return f"{compiled} run on prebuilt kernels; otherwise {others}" if compiled else others
