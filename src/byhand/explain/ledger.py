"""The ledger: who wrote what into a memory, and how much of it is left.

A memory that is kept in part and added to at each step is, at any time, a sum with one entry for every step so far. For the LSTM

    c_T = Σ_t (Π_{s>t} f_s) ⊙ i_t ⊙ g_t + (Π_s f_s) ⊙ c_0

The gates are taken as they were: an entry says what is left of what was written, not what would be there had the input been
another, for a gate that reads the short memory depends on earlier steps too.

The sum is the unrolled equation c_t = f_t ⊙ c_{t-1} + i_t ⊙ g_t of Hochreiter & Schmidhuber, Neural Computation 9(8), 1997, and Gers,
Schmidhuber & Cummins, Neural Computation 12(10), 2000; read as weights over past steps in Levy, Lee, FitzGerald & Zettlemoyer,
Long Short-Term Memory as a Dynamically Computed Element-wise Weighted Sum, ACL 2018.

A half is kept at each of three steps, and 8 is written at the first:

>>> entries(torch.tensor([[0.5], [0.5], [0.5]]), torch.tensor([[8.0], [0.0], [0.0]]))[:, 0, 0].tolist()
[8.0, 4.0, 2.0]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from byhand.explain.lookup import checked, in_order, inside, name_of, place_of
from byhand.explain.recurrence import Memory, memory

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

    from byhand.cells import Cell
    from byhand.trace import Trace


class Entry(NamedTuple):
    """What one step left behind; written_at None: what is left of the first memory."""

    written_at: int | None
    amount: float


@dataclass(frozen=True, eq=False)
class Ledger:
    """What is left of everything that was written into one unit's memory. Times are the caller's, in either direction.

    Attributes:
        values: entry (t, s): what is left at t, once that step is done, of what was written at s; 0 where s is not yet done
            at t. NaN where a sequence has ended before t.
        initial: what is left of the memory that it began with.
        memory: the memory itself, the sum of both.
        keep: the share kept at each step.
        write: what is written at each step.
        valid: False where a sequence has ended.
        place: the layer and direction, as in "l0".
        unit: the unit's number.
        state: the memory, as in "c".
        cell: the cell's name.
        reverse: whether this is a reverse direction.
    """

    values: Float[Tensor, "read written batch"]
    initial: Float[Tensor, "read batch"]
    memory: Float[Tensor, "time batch"]
    keep: Float[Tensor, "time batch"]
    write: Float[Tensor, "time batch"]
    valid: Bool[Tensor, "time batch"]
    place: str
    unit: int
    state: str
    cell: str
    reverse: bool

    @property
    def name(self) -> str:
        """As in the trace: "l0.c"."""
        return name_of(self.place, self.state)

    def at(self, time: int, batch: int = 0) -> list[Entry]:
        """Return all entries of one time.

        Args:
            time: the step; negative ones count from the end.
            batch: the sequence.

        Returns:
            An Entry for each step up to then, and one for the first memory; the greatest first.

        Raises:
            IndexError: there is no such time or sequence, or the sequence has ended before `time`.
        """
        times, sequences = self.memory.shape
        time, batch = inside(time, times, "a time", "the ledger"), inside(batch, sequences, "a sequence", "the ledger")
        if not bool(self.valid[time, batch]):
            raise IndexError(f"sequence {batch} has ended before time {time}: it has {int(self.valid[:, batch].sum())} steps")
        written = range(time, times) if self.reverse else range(time + 1)
        found = [Entry(one, self.values[time, one, batch].item()) for one in written if bool(self.valid[one, batch])]
        found.append(Entry(None, self.initial[time, batch].item()))
        return sorted(found, key=lambda entry: -abs(entry.amount))

    def __repr__(self) -> str:
        times, sequences = self.memory.shape
        return f"Ledger of {self.name}, unit {self.unit}: {times} x {times} entries of {sequences} sequences"


def ledger(trace: Trace, layer: int | str = 0, unit: int = 0, *, state: str | None = None, cell: Cell | None = None) -> Ledger:
    """The ledger of one unit's memory: what each step wrote, and how much of it is left at every later step.

    Exact for every cell whose memory is kept in part and added to. Several calls of the layer are joined along time; where
    one does not begin with what the one before has left, and where a sequence starts again, the ledger starts over with the
    memory that it begins with.

    Args:
        trace: a recorded run.
        layer: its number, or a place as in "l1.reverse" or "encoder.l0".
        unit: the unit's number.
        state: which memory; the cell state (or what does its work) if not given.
        cell: the cell that made the trace, where it is not one of byhand's.

    Returns:
        The ledger of this unit, for all sequences.

    Raises:
        TypeError: `trace` is no Trace, `layer` neither number nor name, or `cell` no cell.
        ValueError: nothing was recorded, or the memory was edited.
        NotAdditiveError: a ValueError: the memory is not kept in part and added to; the message says why.
        UnknownSiteError: there is no such layer or state, or the state was not recorded.
        LookupError: the cell is not known, or the calls of the layer differ in batch size.
        IndexError: there is no such unit.
    """
    trace = checked(trace, "ledger")
    place = place_of(trace, layer, "ledger")
    whole = memory(trace, place, state, cell=cell)
    return of_unit(whole, place, inside(unit, whole.after.shape[-1], "a unit", "ledger"), trace.cell(place))


def of_unit(whole: Memory, place: str, unit: int, cell: str) -> Ledger:
    keep, write, before = (value[..., unit] for value in (whole.keep, whole.write, whole.before))
    begins = whole.valid & ~whole.goes_on
    left = torch.where(begins, 0.0, keep)  # nothing of what an earlier stretch has written
    values = torch.where(whole.valid.unsqueeze(1), entries(left, write), torch.nan)
    # what is left of the first memory: (Π_s f_s) ⊙ c_0, where c_0 is that with which the stretch began
    initial = torch.where(whole.valid, remaining(left, torch.where(begins, keep * before, 0.0)), torch.nan)
    after = torch.where(whole.valid, whole.after[..., unit], torch.nan)

    def turned(value: Tensor) -> Tensor:
        return in_order(value, reverse=whole.reverse)

    values = turned(turned(values).transpose(0, 1)).transpose(0, 1)
    return Ledger(
        values,
        turned(initial),
        turned(after),
        turned(torch.where(whole.valid, keep, torch.nan)),
        turned(torch.where(whole.valid, write, torch.nan)),
        turned(whole.valid),
        place,
        unit,
        whole.state,
        cell,
        whole.reverse,
    )


def remaining(keep: Float[Tensor, "time batch"], begun: Float[Tensor, "time batch"]) -> Float[Tensor, "time batch"]:
    """What is left at each time of all that stretches began with."""
    left, found = torch.zeros_like(keep[0]), []
    for kept, new in zip(keep, begun, strict=True):
        left = kept * left + new
        found.append(left)
    return torch.stack(found)


def entries(keep: Tensor, write: Tensor) -> Tensor:
    """(time, batch) twice -> (read, written, batch). No product is divided by another, so a gate at 0 does no harm."""
    time = torch.arange(len(keep), device=keep.device)
    later = (time.unsqueeze(1) > time).unsqueeze(-1)
    # Π_{s>t} f_s: the running product, along the time of reading, of f_s where s > t and of 1 elsewhere
    survival = torch.where(later, keep.unsqueeze(1), 1.0).cumprod(0)
    # (Π_{s>t} f_s) ⊙ i_t ⊙ g_t, and nothing before it is written
    return torch.where((time.unsqueeze(1) >= time).unsqueeze(-1), survival * write, 0.0)
