"""What a model should answer, as whoever calls explore gives it: read, and held against the sequences and outputs there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

IGNORE_INDEX = -100  # torch's own: nothing is asked of a step
TO_TYPE = (
    "targets: expected {wanted}; got {got}. Give a tensor laid out as the model's output, or a list with an entry for each sequence;"
    " NaN where nothing is asked, of classes -1 or -100 too"
)


class Targets(NamedTuple):
    """values: as explore takes them. spreads, offsets: of each output; an answer in its own unit is offset + spread · output; None: the
    outputs as they are. own_offsets: for each sequence, where they depend on its last step. labels: for each sequence, what each output
    is, "rain 2004".
    """

    values: Any
    spreads: Sequence[float] | None = None
    offsets: Sequence[float] | None = None
    own_offsets: Sequence[Sequence[float]] | None = None
    labels: Sequence[Sequence[str]] | None = None


class Form(NamedTuple):
    """every: a target at each step, not one at the end. classes: whole numbers, each naming an output, not the outputs' values."""

    every: bool
    classes: bool


class Asked(NamedTuple):
    """values: of each sequence, (steps or 1, outputs or 1 of classes), in float64; NaN where nothing is asked."""

    form: Form
    values: list[Tensor]


def read_targets(given: Any, lengths: list[int], width: int, *, batch_first: bool, batched: bool) -> Asked:
    """TypeError, ValueError, each with what was expected. width: how many outputs there are."""
    sequences = split(given, lengths, width, batch_first=batch_first) if is_tensor(given) and batched else None
    if sequences is None:
        entries = [given] if is_tensor(given) else given
        if isinstance(entries, str) or not isinstance(entries, Sequence):
            raise TypeError(TO_TYPE.format(wanted=f"{len(lengths)} of them, one for each sequence", got=type(given).__name__))
        if len(entries) != len(lengths):
            wanted = f"{len(lengths)} of them, one for each sequence"
            raise ValueError(TO_TYPE.format(wanted=wanted, got=str(len(entries))))
        sequences = [numbers(one) for one in entries]
    form = form_of(sequences, lengths, width, whole=all(map(is_whole, sequences)))
    values = [one.double().reshape(-1, 1 if form.classes else width) for one in sequences]
    for row, value in enumerate(values):
        value[:] = classes(value, row, width) if form.classes else finite(value, row)
    return Asked(form, values)


def is_tensor(given: Any) -> bool:
    return isinstance(given, Tensor) or hasattr(given, "__array__")


def is_whole(value: Tensor) -> bool:
    return not value.is_floating_point()


def numbers(given: Any) -> Tensor:
    """A copy, of real numbers. TypeError."""
    try:
        found = torch.as_tensor(given).detach().cpu().clone()
    except (TypeError, ValueError, RuntimeError) as problem:
        wanted = "numbers, of each sequence in one shape"
        raise TypeError(TO_TYPE.format(wanted=wanted, got=" ".join(str(problem).split()))) from problem
    if found.is_complex():
        raise TypeError(TO_TYPE.format(wanted="real numbers", got=str(found.dtype)))
    return found


def split(given: Any, lengths: list[int], width: int, *, batch_first: bool) -> list[Tensor]:
    """A tensor of all sequences, in one for each, without the steps behind a sequence's end. ValueError."""
    value, batch, steps = numbers(given), len(lengths), max(lengths)
    lead = (batch, steps) if batch_first else (steps, batch)
    at_end, at_every = (batch, width), (*lead, width)
    # Where both fit, whole numbers are classes at every step, others the outputs' values at the end.
    ends = tuple(value.shape) in (at_end, (batch,)) and not (tuple(value.shape) == lead and is_whole(value) and width > 1)
    if not ends and tuple(value.shape) not in (at_every, lead):
        one = "a number" if width == 1 else "a class"
        wanted = (
            f"{one} for each sequence, ({batch},), or at each step, {lead}; or {at_end} or {at_every} of the outputs' values"
        )
        raise ValueError(TO_TYPE.format(wanted=wanted, got=f"the shape {tuple(value.shape)}"))
    if ends:
        return list(value)
    each = value if batch_first else value.transpose(0, 1)
    return [one[:length] for one, length in zip(each, lengths, strict=True)]


def form_of(sequences: list[Tensor], lengths: list[int], width: int, *, whole: bool) -> Form:
    """The one that all sequences have. ValueError. whole: where two fit, classes at each step rather than the values of the outputs."""
    fitting = [forms(tuple(one.shape), length, width) for one, length in zip(sequences, lengths, strict=True)]
    for row, found in enumerate(fitting):
        if not found:
            one = "a number" if width == 1 else "a class"
            steps = lengths[row]
            wanted = f"of sequence {row} {one}, ({steps},) of them, or ({width},) or ({steps}, {width}) of the outputs' values"
            raise ValueError(TO_TYPE.format(wanted=wanted, got=f"the shape {tuple(sequences[row].shape)}"))
    common = [form for form in fitting[0] if all(form in found for found in fitting)]
    if not common:
        got = ", ".join(str(tuple(one.shape)) for one in sequences[:4])
        raise ValueError(
            TO_TYPE.format(wanted="the same of every sequence, at each step or one at the end", got=f"the shapes {got}")
        )
    preferred = [form for form in common if form.classes == whole]
    return (preferred or common)[0]


def forms(shape: tuple[int, ...], steps: int, width: int) -> list[Form]:
    """What targets of a sequence with this shape may be."""
    among = width > 1
    known = [
        (Form(every=False, classes=among), ()),
        (Form(every=False, classes=False), (width,)),
        (Form(every=True, classes=among), (steps,)),
        (Form(every=True, classes=False), (steps, width)),
    ]
    return list(dict.fromkeys(form for form, expected in known if shape == expected))


def classes(value: Tensor, row: int, width: int) -> Tensor:
    """With NaN where nothing is asked. ValueError for what is no class."""
    found = value.masked_fill((value == -1) | (value == IGNORE_INDEX), torch.nan)
    bad = (~found.isnan() & ~((found >= 0) & (found < width) & (found == found.floor()))).flatten().nonzero().flatten()
    if len(bad):
        got = f"{value.flatten()[bad[0]].item():g} in sequence {row}"
        at = f", step {int(bad[0])}" if len(value) > 1 else ""
        raise ValueError(TO_TYPE.format(wanted=f"classes, whole numbers from 0 to {width - 1}", got=got + at))
    return found


def finite(value: Tensor, row: int) -> Tensor:
    """ValueError for what is infinite."""
    if bool(value.isinf().any()):
        raise ValueError(TO_TYPE.format(wanted="finite numbers", got=f"an infinite one in sequence {row}"))
    return value
