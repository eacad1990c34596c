"""Why there is no kernel for a cell."""

from __future__ import annotations

import logging
from functools import cache
from typing import TYPE_CHECKING

import torch

from byhand.engine.cpp.kernel import kernel
from byhand.engine.cpp.toolchain import compiler
from byhand.errors import CompilerError, UntraceableError
from byhand.ir import partition

if TYPE_CHECKING:
    from byhand.cells import Cell

logger = logging.getLogger("byhand")


def refuses_cell(cell: Cell, dtype: torch.dtype) -> str | None:
    """Why there is no kernel for this cell, or None: then there is one from here on."""
    return refusal(cell, dtype, *compiler.settings())


@cache
def refusal(cell: Cell, dtype: torch.dtype, *settings: str | None) -> str | None:
    """settings: what a person may change so that another compiler or folder is found."""
    try:
        partition(cell)
        kernel(cell, dtype)
    except UntraceableError as problem:
        if cell.elementwise:
            say_once(cell.name, str(problem))
        return str(problem)
    except CompilerError as problem:
        if dtype != torch.bfloat16:  # which is then computed in float32
            say_once("", str(problem))
        return str(problem)
    return None


@cache
def say_once(cell: str, problem: str) -> None:
    """Log one line for people who wonder where the speed is."""
    what = f"cell {cell!r} runs" if cell else "lstm, gru and rnn run on torch's own kernels, all other cells"
    logger.warning("%s on the reference engine, a Python loop, for want of compiled code: %s", what, problem)
