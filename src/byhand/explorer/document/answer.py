"""The part of the document that says what the model answers: where its head reads, what is asked, and in which unit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from byhand.explorer.document.layers import head_reads, head_values, level_of
from byhand.explorer.document.packing import packed
from byhand.explorer.document.sequences import Item, lengths_of
from byhand.explorer.document.targets import Asked, Targets, read_targets

if TYPE_CHECKING:
    from byhand.explorer.document.recording import Recording

Document = dict[str, Any]
# Of each step; of the last step; of the forward direction's last step and the reverse one's first, where each has read all.
Where = Literal["every", "last", "ends"]
ELSEWHERE = (
    "the head reads something else than the last layer's outputs, so what the model answers is not shown: values of the head here are"
    " those that it would give for these outputs"
)
UNSURE = (
    "what the model answers is not shown, for it is not known where its head reads both directions: explore(..., head=model.head), the"
    " module that the model itself calls"
)


def where_read(recording: Recording) -> Where | Literal["elsewhere"] | None:
    """Where the model's own head reads the last layer's outputs; None where that is not known, as of a head called several times."""
    own, heard = head_reads(recording), recording.head_inputs
    if own is None or len(heard) != 1:
        return None
    read, valid = heard[0].to(own), recording.trace.valid(recording.places[-1]).to(own.device)
    if read.shape in (own.shape, own.transpose(0, 1).shape):
        found = (read if read.shape == own.shape and near(read, own, valid) else read.transpose(0, 1)), own, valid
        return "every" if found[0].shape == own.shape and near(*found) else "elsewhere"
    if own.shape[1] == 1 and read.dim() == 2 and len(read) == len(own) and near(read.unsqueeze(1), own, valid):
        return "every"  # one sequence, without a batch
    if (
        read.shape[-1] == own.shape[-1]
        and read.numel() == int(valid.sum()) * own.shape[-1]
        and read.dim() == 2
        and len(own) > 1
    ):
        return "every"  # a packed sequence's rows
    flat = read.reshape(-1, read.shape[-1])
    for where in ("last", "ends"):
        at = at_end(recording, own, where)
        if flat.shape == at.shape and near(flat, at):
            return where
    return "elsewhere"


def near(one: Tensor, other: Tensor, valid: Tensor | None = None) -> bool:
    """Alike but for rounding. valid: which steps of (time, batch, width) are a sequence's."""
    both = (one, other) if valid is None else (one[valid], other[valid])
    return torch.allclose(*both, rtol=1e-4, atol=1e-5, equal_nan=True)


def at_end(recording: Recording, read: Tensor, where: str) -> Tensor:
    """What is read of each sequence for an answer at its end, (batch, width)."""
    valid = recording.trace.valid(recording.places[-1]).to(read.device)
    rows, last = torch.arange(read.shape[1]), (torch.arange(1, len(valid) + 1).unsqueeze(1).to(read.device) * valid).amax(0) - 1
    found = read[last, rows].clone()
    if where == "ends":
        level = [place for place in recording.places if level_of(place) == level_of(recording.places[-1])]
        half = read.shape[-1] // len(level)
        for number, place in enumerate(level):
            if place.endswith("reverse"):
                found[:, number * half : (number + 1) * half] = read[0, :, number * half : (number + 1) * half]
    return found


def answer_document(
    recording: Recording, items: list[Item], head: Document | None, targets: Any, *, stored: bool
) -> tuple[Document | None, list[Document], list[str]]:
    """For the whole, for each sequence, and what there is to say of it. stored: the page does not compute. TypeError, ValueError."""
    given = targets if isinstance(targets, Targets) else Targets(targets)
    if head is None and given.values is None:
        return None, [{} for _ in items], []
    read = head_reads(recording)
    if read is None:
        return None, [{} for _ in items], []
    width = head["weight"]["shape"][0] if head is not None else read.shape[-1]
    asked, steps = None, lengths_of(recording, recording.places[-1])
    if given.values is not None:
        call = recording.call or {}
        layout = {"batch_first": bool(call.get("batch_first")), "batched": bool(call.get("batched", True))}
        asked = read_targets(given.values, steps, width, **layout)
    where = where_read(recording) if head is not None else None
    both = any(place.endswith("reverse") for place in recording.places)
    if where == "elsewhere":
        return None, [{} for _ in items], [ELSEWHERE]
    if where is None and head is not None and both and asked is not None and not asked.form.every:
        return None, [{} for _ in items], [UNSURE]
    if asked is not None and asked.form.every:
        where = "every"
    elif asked is not None and where in (None, "every"):
        where = "last"
    made = {
        "at": where or "every",
        "kind": kind_of(asked, head, items),
        "spreads": None if given.spreads is None else list(given.spreads),
        "offsets": None if given.offsets is None else list(given.offsets),
    }
    ends = head_values(head, at_end(recording, read, "ends")) if stored and where == "ends" and head is not None else None
    parts = []
    for number, item in enumerate(items):
        part: Document = {"steps": steps[number]}
        part |= {"targets": None if asked is None else packed(asked.values[number])}
        part |= {"offsets": None if given.own_offsets is None else list(given.own_offsets[number])}
        part |= {"labels": None if given.labels is None else list(given.labels[number])}
        part |= {} if ends is None else {"value": packed(ends[item.row].unsqueeze(0))}
        parts.append(part)
    return made, parts, []


def kind_of(asked: Asked | None, head: Document | None, items: list[Item]) -> Literal["numbers", "class", "next"]:
    """next: a class for each step that is the character of the step after it."""
    if asked is None:
        return "class" if head is not None and head["squash"] == "softmax" else "numbers"
    if not asked.form.classes:
        return "numbers"
    names = head["names"] if head is not None else None
    if not asked.form.every or names is None or any(item.characters is None for item in items):
        return "class"
    for value, item in zip(asked.values, items, strict=True):
        assert item.characters is not None
        for target, following in zip(value.flatten()[:-1].tolist(), item.characters[1:], strict=True):
            if not math.isnan(target) and names[int(target)] not in (following, "other"):
                return "class"
    return "next"
