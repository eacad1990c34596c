"""The document: all that the page shows, as JSON. What it must look like stands in frontend/src/document/schema.ts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from byhand.explorer.document.cell import cell_document, unknown_cell
from byhand.explorer.document.layers import head_document, labels, layer_documents, training_document, weights_size
from byhand.explorer.document.maps import chosen_places
from byhand.explorer.document.recording import Recording, recorded, stacks_of
from byhand.explorer.document.sequences import item_documents, shown
from byhand.trace import Trace

if TYPE_CHECKING:
    from byhand.nn.snapshots import Snapshots

WEIGHTS = 1_000_000  # characters; with more, the page shows maps in place of computing
SNAPSHOTS = 1_000_000


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
    training: Snapshots | None = None,
    full: Sequence[str] = (),
    layer: int | str | None = None,
    call: int | None = None,
    title: str | None = None,
    name: str = "lstm",
) -> dict[str, Any]:
    """What byhand.explore shows, whose arguments these are. TypeError, ValueError, each saying what was expected."""
    whole, asked = "weights" in full, [one for one in full if one != "weights"] if not isinstance(full, str) else full
    why_not = too_large(model, layer, whole=whole)
    recording = recorded(model, x, hx, lengths, sites=why_not is not None, layer=layer, call=call)
    if recording.cell is None:
        cell, why_cell = unknown_cell(*names_in(recording)), "its cells differ, or are not byhand's"
    else:
        projected = recording.lstm is not None and bool(recording.lstm.proj_size)
        cell, why_cell = cell_document(recording.cell, projected=projected)
    why_not = recording.why_not or why_cell or why_not
    if why_not is not None and recording.lstm is not None and not has_all_sites(recording):
        recording = recorded(model, x, hx, lengths, sites=True, layer=layer, call=call)
    found_layers = layer_documents(recording, with_weights=why_not is None)
    chosen = chosen_places(asked, {one["place"]: one["hidden"] for one in found_layers})
    sequences, notices = item_documents(shown(recording, items, characters), recording, chosen, maps=why_not is not None)
    width = sum(one["output"] for one in found_layers if one["layer"] == found_layers[-1]["layer"])
    head_found = head_document(head, names, squash=squash, width=width)
    lapse, lapse_notices = None, []
    if training is not None and why_not is None:
        lapse, notice = training_document(training, recording, head_found, SNAPSHOTS)
        lapse_notices = [one for one in (notice, unkept(model, recording, head, with_heads=lapse["heads"] is not None)) if one]
    elif training is not None:
        lapse_notices = ["the time-lapse of the training is left out, for the page does not compute this model"]
    return {
        "schema": 1,
        "title": title if title is not None else title_of(model, recording),
        "name": name,
        "features": labels("features", features, found_layers[0]["input"], "input"),
        "call": recording.call,
        "cell": cell,
        "layers": found_layers,
        "items": sequences,
        "head": head_found,
        "computed": why_not is None,
        "why_not": why_not,
        "notices": [*notices, *lapse_notices],
        "training": lapse,
    }


def too_large(model: nn.Module | Trace, layer: int | str | None, *, whole: bool) -> str | None:
    """Why the weights are not put in; None if they are, or if it is not known yet."""
    if isinstance(model, Trace) or whole:
        return None
    stacks = list(stacks_of(model, layer).values())
    count = sum(parameter.numel() for parameter in stacks[0].parameters())
    if len(stacks) > 1 or not hasattr(stacks[0], "num_layers") or weights_size(stacks[0]) <= WEIGHTS:  # type: ignore[arg-type]
        return None
    return f"its {count:,} weights would make the file large; to put them in all the same: full=['weights']"


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
