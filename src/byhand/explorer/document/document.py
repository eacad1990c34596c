"""The document: all that the page shows, as JSON. What it must look like stands in frontend/src/document/schema.ts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from byhand.explorer.document.about import checked, sentence
from byhand.explorer.document.alphabet import alphabet_document
from byhand.explorer.document.answer import answer_document
from byhand.explorer.document.cell import cell_document, unknown_cell
from byhand.explorer.document.converted import in_copy, with_our_layers
from byhand.explorer.document.layers import (
    head_document,
    head_error,
    head_reads,
    head_values,
    labels,
    layer_documents,
    training_document,
)
from byhand.explorer.document.maps import chosen_places
from byhand.explorer.document.precision import BUDGET, PAGE, errors_of, kept_as, notice, weights_size
from byhand.explorer.document.recording import Recording, recorded
from byhand.explorer.document.sequences import head_outputs, item_documents, of_item, shown
from byhand.explorer.document.telling import most_telling
from byhand.trace import Trace

if TYPE_CHECKING:
    from byhand.nn.snapshots import Snapshots


def document(
    model: nn.Module | Trace,
    x: Any = None,
    *,
    hx: Any = None,
    lengths: Sequence[int] | Tensor | None = None,
    characters: str | Sequence[Sequence[str]] | None = None,
    features: Sequence[str] | None = None,
    items: Sequence[str] | None = None,
    head: nn.Module | tuple[Tensor, Tensor | None] | None = None,
    names: Sequence[str] | None = None,
    squash: str = "none",
    targets: Any = None,
    training: Snapshots | None = None,
    full: Sequence[str] = (),
    layer: int | str | None = None,
    call: int | None = None,
    title: str | None = None,
    about: str | None = None,
    name: str = "lstm",
) -> dict[str, Any]:
    """What byhand.explore shows, whose arguments these are. TypeError, ValueError, each saying what was expected."""
    given_about = checked(about)
    given, (model, is_copy, left) = model, with_our_layers(model)
    head = in_copy(head, given, model) if is_copy else head
    whole, asked = "weights" in full, [one for one in full if one != "weights"] if not isinstance(full, str) else full
    dtype, why_not = kept_as(model, layer, whole=whole)
    sites = dtype is not None or why_not is not None
    recording = recorded(model, x, hx, lengths, sites=sites, layer=layer, call=call, head=head)
    if recording.cell is None:
        cell, why_cell = unknown_cell(*names_in(recording)), "its cells differ, or are not byhand's"
    else:
        projected = recording.lstm is not None and bool(recording.lstm.proj_size)
        cell, why_cell = cell_document(recording.cell, projected=projected)
    why_not = recording.why_not or why_cell or why_not
    if why_not is not None and recording.lstm is not None and not has_all_sites(recording):
        recording = recorded(model, x, hx, lengths, sites=True, layer=layer, call=call, head=head)
    found_layers = layer_documents(recording, with_weights=why_not is None, dtype=dtype)
    chosen = chosen_places(asked, {one["place"]: one["hidden"] for one in found_layers})
    all_items = shown(recording, items, characters)
    sequences, notices = item_documents(all_items, recording, chosen, maps=why_not is not None)
    width = sum(one["output"] for one in found_layers if one["layer"] == found_layers[-1]["layer"])
    head_found = head_document(head, names, squash=squash, width=width)
    if dtype is not None and why_not is None:
        errors, output = errors_of(recording, dtype)
        for one in found_layers:
            one["errors"] = errors[one["place"]]
        if head_found is not None:
            head_found |= {"error": head_error(head_found, recording, output)}
        notices.append(notice(dtype))
    if head_found is not None and why_not is not None:
        read = head_reads(recording)
        for item, made in zip(all_items, sequences, strict=False):
            made["head"] = None if read is None else head_outputs(head_values(head_found, of_item(read, item)))
    answer, answers, answer_notices = answer_document(recording, all_items, head_found, targets, stored=why_not is not None)
    for made, part in zip(sequences, answers, strict=False):
        made |= {"answer": part or None}
    lapse, lapse_notices = None, []
    if training is not None and why_not is None:
        assert recording.lstm is not None
        room = BUDGET - PAGE - weights_size(recording.lstm)
        lapse, said = training_document(training, recording, head_found, room)
        kept_heads = lapse is not None and lapse["heads"] is not None
        other = None if lapse is None else unkept(model, recording, head, with_heads=kept_heads)
        lapse_notices = [one for one in (said, other) if one]
    elif training is not None:
        lapse_notices = ["the time-lapse of the training is left out, for the page does not compute this model"]
    words = labels("features", features, found_layers[0]["input"], "input")
    return {
        "schema": 1,
        "title": title if title is not None else title_of(model, recording),
        "about": given_about or sentence(found_layers, cell["name"], words, all_items[0].characters),
        "telling": most_telling(recording, all_items[: len(sequences)]),
        "name": name,
        "features": words,
        "alphabet": None
        if why_not is not None
        else alphabet_document(model, recording, all_items[: len(sequences)], words, names),
        "call": recording.call | {"converted": True} if is_copy and recording.call else recording.call,
        "cell": cell,
        "layers": found_layers,
        "items": sequences,
        "head": head_found,
        "answer": answer,
        "computed": why_not is None,
        "why_not": why_not,
        "notices": [*left, *notices, *answer_notices, *lapse_notices],
        "training": lapse,
    }


def unkept(model: Any, recording: Recording, head: Any, *, with_heads: bool) -> str | None:
    """What of a model is not in the snapshots of its training, so that all epochs have it as it is now; None if all is."""
    assert recording.lstm is not None
    heads = list(head.parameters()) if isinstance(head, nn.Module) else [one for one in head or () if one is not None]
    kept = {id(value) for value in (*recording.lstm.parameters(), *heads)}
    parts = [name.rpartition(".")[0] or name for name, value in model.named_parameters() if id(value) not in kept]
    named = list(dict.fromkeys([*parts, *["the head"] * bool(heads and not with_heads)]))
    if not named:
        return None
    listed = ", ".join(named[:4]) + (f" and {len(named) - 4} more" if len(named) > 4 else "")
    return f"in the time-lapse the LSTM is as it was at each epoch; as it is now at all of them: {listed}"


def has_all_sites(recording: Recording) -> bool:
    return all(len(recording.trace.run(place).sites) > 1 for place in recording.places)


def names_in(recording: Recording) -> tuple[str, list[str], list[str]]:
    """The cells', their states' and sites' names, out of a trace."""
    runs = [recording.trace.run(place) for place in recording.places]
    cells = list(dict.fromkeys(run.cell for run in runs))
    states = list(dict.fromkeys(state for run in runs for state in run.initial))
    return " and ".join(cells), states, list(dict.fromkeys(site for run in runs for site in run.sites))


def title_of(model: nn.Module | Trace, recording: Recording) -> str:
    """What stands on the page where no title was given."""
    if isinstance(model, Trace):
        return "A recorded trace"
    stack = recording.lstm
    if stack is None:
        return f"{type(model).__name__}, {len(recording.places)} layers"
    parts = [recording.trace.cell(recording.places[0]), counted(stack.hidden_size, "unit")]
    parts += [counted(stack.num_layers, "layer")] * (stack.num_layers > 1) + ["both directions"] * stack.bidirectional
    return ", ".join(parts)


def counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number > 1)}"
