"""The sequences that the page shows: their inputs, first memories and, where it does not compute, their maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from byhand.explorer.layer_documents import labels
from byhand.explorer.maps import Chosen, Plan, map_document, plan_for
from byhand.explorer.packing import packed, quantised

if TYPE_CHECKING:
    from torch import Tensor

    from byhand.explorer.recording import Recording

INPUTS = 500_000  # characters of all inputs together; of one that alone is larger, all the same
MAPS = 1_600_000
LEAST = 100_000  # characters of one sequence's maps: rather fewer sequences than maps with nothing to see


class Item(NamedTuple):
    """One sequence of the batch."""

    row: int
    name: str
    steps: int
    characters: list[str] | None


def shown(recording: Recording, names: Sequence[str] | None, characters: str | Sequence[Sequence[str]] | None) -> list[Item]:
    """All sequences. TypeError, ValueError for names and characters that do not fit."""
    lengths = recording.trace.valid(recording.places[0]).sum(0).tolist()
    given = labels("items", names, len(lengths), "sequence")
    found = given or [f"sequence {index + 1}" for index in range(len(lengths))]
    texts = characters_of(characters, lengths)
    return [Item(index, found[index], steps, texts[index]) for index, steps in enumerate(lengths)]


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
    notices = []
    first = recording.trace.input(recording.places[0])
    inputs: list[dict[str, Any]] = []
    room = INPUTS
    for item in items:
        pack = packed(first[: item.steps, item.row])
        if maps and len(pack["data"]) > INPUTS:
            pack = quantised(first[: item.steps, item.row])
            notices.append(f"the input of {item.name} is rounded to 255 levels")
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
    told = plan.notice()
    if told is not None:
        notices.append(f"So that the file stays small, {told}. In full: byhand.explore(..., full=['l0', 'l1.unit 3']).")
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
            site: map_document(recording.trace.run(place).value(site)[: item.steps, item.row], plan, chosen, place)
            for site in recording.trace.run(place).sites
        }
        for place in recording.places
    }
