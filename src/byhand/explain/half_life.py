"""Half-life: after how many steps half of what a unit wrote is left.

    half-life = ln ½ / mean(ln f_t)

the time after which a quantity that shrinks each step by the geometric mean of the forget gates has halved. ∞ where nothing is
forgotten on average, 0 where a gate once let nothing through. The first step of a sequence is left out of the mean: what it
forgets was not written by the sequence.

The memory of a gate held at f decays as f^n = exp(−n / T) with T = −1 / ln f, the timescale of Mahto, Vo, Turek & Huth,
Multi-timescale Representation Learning in LSTM Language Models, ICLR 2021, after Tallec & Ollivier, Can Recurrent Neural Networks
Warp Time?, ICLR 2018; the half-life is T ln 2.

>>> half_lives(torch.tensor([[0.5, 1.0, 0.25, 0.0]])).tolist()
[1.0, inf, 0.5, 0.0]
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from byhand.explain.additive import additive_states
from byhand.explain.lookup import cell_of, checked, name_of
from byhand.explain.recurrence import Memory, memory

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from byhand.cells import Cell
    from byhand.trace import Trace


def half_life(trace: Trace, *, cell: Cell | None = None) -> dict[str, Float[Tensor, " hidden"]]:
    """The half-life of each unit's memory in steps, for every memory that is added to.

    Several calls of a layer are taken as one sequence where each begins with the memory that the one before has left. Places
    whose cells have no such memory are left out.

    Args:
        trace: a recorded run.
        cell: the cell that made the trace, where it is not one of byhand's.

    Returns:
        Name of a memory, as in "l0.c", -> half-lives (hidden,); NaN where no sequence has a second step.

    Raises:
        TypeError: `trace` is no Trace, or `cell` is no cell.
        ValueError: nothing was recorded, or a memory was edited.
        LookupError: the cell is not known, the memory was not recorded, or the calls of a layer differ in batch size.
    """
    found = {}
    trace = checked(trace, "half_life")
    for place in trace.places:
        for state in additive_states(cell_of(trace, place, cell)):
            found[name_of(place, state)] = half_lives(kept(memory(trace, place, state, cell=cell)))
    return found


def kept(whole: Memory) -> Float[Tensor, "steps hidden"]:
    """The shares that were kept at all steps but the first of each sequence."""
    return whole.keep[whole.goes_on]


def half_lives(keep: Float[Tensor, "steps hidden"]) -> Float[Tensor, " hidden"]:
    """A negative share forgets as fast as its size says."""
    # half-life = ln ½ / mean(ln f_t)
    mean = keep.abs().log().mean(0)
    return torch.where(mean < 0, math.log(0.5) / mean, torch.where(mean >= 0, torch.inf, torch.nan))
