"""The sequences that the page shows: their inputs, first memories and, where it does not compute, their maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from byhand.explain.calls import listed
from byhand.explorer.document.layers import labels
from byhand.explorer.document.maps import Chosen, Plan, map_document, plan_for
from byhand.explorer.document.packing import levelled, packed, size

if TYPE_CHECKING:
    from torch import Tensor

    from byhand.explorer.document.recording import Recording

INPUTS = 500_000  # characters of all inputs together; of one that alone is larger, all the same
MAPS = 5_000_000
LEAST = 300_000  # characters of one sequence's maps: rather fewer sequences than maps with nothing to see


class Item(NamedTuple):
    """One sequence of the batch."""

    row: int
    name: str
    steps: int
    characters: list[str] | None


def shown(recording: Recording, names: Sequence[str] | None, characters: str | Sequence[Sequence[str]] | None) -> list[Item]:
    """All sequences, as long as the longest of their layers. TypeError, ValueError for names and characters that do not fit."""
    steps = {place: lengths_of(recording, place) for place in recording.places}
    lengths = steps[recording.places[0]]
    given = labels("items", names, len(lengths), "sequence")
    found = given or [f"sequence {index}" for index in range(len(lengths))]
    texts = characters_of(characters, lengths)
    longest = [max(several) for several in zip(*steps.values(), strict=True)]
    return [
        Item(index, found[index], longest[index], text and text + [""] * (longest[index] - len(text)))
        for index, text in enumerate(texts)
    ]


def lengths_of(recording: Recording, place: str) -> list[int]:
    """Of each sequence, up to its last step; between joined calls it may have a gap."""
    valid = recording.trace.valid(place)
    return (torch.arange(1, len(valid) + 1).unsqueeze(1) * valid.cpu()).amax(0).tolist()


def of_item(value: Tensor, item: Item) -> Tensor:
    """The sequence's part of (time, batch, width), to its last step; NaN where this layer has ended before the others."""
    part = value[: item.steps, item.row]
    missing = part.new_full((item.steps - len(part), *part.shape[1:]), torch.nan) if len(part) < item.steps else part[:0]
    return torch.cat([part, missing])


def uneven(recording: Recording) -> str | None:
    """What there is to say where layers have steps of their own, as an encoder and a decoder."""
    counts = {place: len(recording.trace.valid(place)) for place in recording.places}
    if len(set(counts.values())) == 1:
        return None
    found = listed([f"{count} of {place}" for place, count in counts.items()])
    return f"the layers have steps of their own, each counted from its first: {found}"


def characters_of(given: str | Sequence[Sequence[str]] | None, lengths: list[int]) -> Sequence[list[str] | None]:
    """For each sequence what stands at its steps. One text, or one for each sequence; each a text or a list of words."""
    if given is None:
        return [None] * len(lengths)
    texts = [[str(word) for word in text] for text in ([given] if isinstance(given, str) else given)]
    if len(lengths) == 1 and [len(text) for text in texts] != lengths and not isinstance(given, str):
        texts = [[str(word) for word in given]]  # the words of the only sequence
    if [len(text) for text in texts] != lengths:
        raise ValueError(
            f"characters: expected one for each step of each sequence, {lengths} in number; got {[len(text) for text in texts]}"
        )
    return texts


def item_documents(
    items: list[Item], recording: Recording, chosen: Chosen, *, maps: bool
) -> tuple[list[dict[str, Any]], list[str]]:
    """As many as fit, and what there is to say of those that do not."""
    notices = [notice for notice in [uneven(recording)] if notice]
    first = recording.trace.input(recording.places[0])
    inputs: list[dict[str, Any]] = []
    room = INPUTS
    for item in items:
        pack = packed(of_item(first, item))
        if maps and len(pack["data"]) > INPUTS:
            pack = levelled(of_item(first, item), "u1")
            notices.append(f"the input of {item.name} is rounded, and shown with the digits that are certain")
        room -= len(pack["data"])
        if inputs and room < 0:
            break
        inputs.append(pack)
    kept = items[: len(inputs)]
    plan = Plan()
    if maps:
        plan = plan_for([shape for item in kept for shape in shapes(recording, item, chosen)], MAPS)
        if plan.every > 1 or plan.apart > 1:
            kept = kept[: max(1, MAPS // LEAST)]
            plan = plan_for([shape for item in kept for shape in shapes(recording, item, chosen)], MAPS)
    if len(kept) < len(items):
        notices.append(f"of {len(items)} sequences, the first {len(kept)} are here, so that the file stays small")
    if maps:
        notices += [
            f"of {place} the units asked for are here, in full, and no others: {', '.join(map(str, units))}"
            for place, units in chosen.items()
            if units is not None
        ]
    thinning = plan.notice()
    if thinning is not None:
        notices.append(f"So that the file stays small, {thinning}. In full: byhand.explore(..., full=['l0', 'l1.unit 3']).")
    found = [
        {
            "name": item.name,
            "steps": item.steps,
            "input": pack,
            "characters": item.characters,
            "initial": initial(recording, item),
            "maps": site_maps(recording, item, plan, chosen) if maps else None,
        }
        for item, pack in zip(kept, inputs, strict=False)
    ]
    return found, notices


def head_outputs(values: Tensor) -> dict[str, Any]:
    """What the head makes of a sequence, for a page that does not compute it: (steps, outputs)."""
    values = values.float()
    return packed(values) if size(values.numel()) <= INPUTS else levelled(values, "u2")


def shapes(recording: Recording, item: Item, chosen: Chosen) -> list[tuple[int, int]]:
    """Steps and units of all maps of a sequence that may be thinned."""
    return [
        (item.steps, value.shape[-1])
        for place in recording.places
        if place not in chosen
        for value in map(recording.trace.run(place).value, recording.trace.run(place).sites)
    ]


def initial(recording: Recording, item: Item) -> dict[str, dict[str, Any]]:
    found = {}
    for place in recording.places:
        states: dict[str, Tensor] = recording.trace.run(place).initial
        found[place] = {state: packed(value[item.row]) for state, value in states.items()}
    return found


def site_maps(recording: Recording, item: Item, plan: Plan, chosen: Chosen) -> dict[str, dict[str, Any]]:
    return {
        place: {
            site: map_document(of_item(recording.trace.run(place).value(site), item), plan, chosen, place)
            for site in recording.trace.run(place).sites
        }
        for place in recording.places
    }
