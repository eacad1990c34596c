"""How the weights go into the page, so that it stays small enough to open at once; and what rounding them costs."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from byhand.engine.names import join
from byhand.explorer.document.packing import rounded, size
from byhand.explorer.document.recording import stacks_of
from byhand.nn import LSTM, parameters
from byhand.trace import Trace
from byhand.trace.record import record

if TYPE_CHECKING:
    from byhand.explorer.document.recording import Recording

BUDGET = 6_000_000  # characters of a page
PAGE = 900_000  # of them for the page itself and its inputs
HALF = 24_000_000  # characters of rounded weights, which a browser still opens within a second or so

Errors = dict[str, dict[str, float]]  # place -> site -> how far the page's values may be from the model's own


def weights_size(lstm: LSTM, dtype: str | None = None) -> int:
    """Characters that all of them take; dtype: of the matrices, as it is if None."""
    own, count = own_dtype(lstm), 0
    for place in lstm.sublayers:
        found = parameters.weights(lstm.layer_parameters(place))
        for value in (*found[:-1], *found.vectors):
            count += size(value.numel(), (dtype or own) if value.dim() > 1 else own) if isinstance(value, Tensor) else 0
    return count


def own_dtype(lstm: LSTM) -> str:
    return "f8" if next(lstm.parameters()).dtype == torch.float64 else "f4"


def kept_as(model: nn.Module | Trace, layer: int | str | None, *, whole: bool) -> tuple[str | None, str | None]:
    """The type of the weights in the page, None for their own; and why they are not put in, None if they are or it is not known yet."""
    if isinstance(model, Trace) or whole:
        return None, None
    stacks = list(stacks_of(model, layer).values())
    if len(stacks) > 1 or not isinstance(stacks[0], LSTM) or weights_size(stacks[0]) <= BUDGET - PAGE:
        return None, None
    if own_dtype(stacks[0]) == "f8" and weights_size(stacks[0], "f4") <= BUDGET - PAGE:
        return "f4", None
    if weights_size(stacks[0], "f2") <= HALF:
        return "f2", None
    count = sum(parameter.numel() for parameter in stacks[0].parameters())
    return None, (
        f"its {count:,} weights were left out to keep the file small. For a live page: explore(..., full=['weights'])"
    )


def notice(dtype: str) -> str:
    """What a reader should know of rounded weights."""
    name = {"f2": "float16", "f4": "float32"}[dtype]
    return (
        f"The weights are rounded to {name} to keep the file small. Values are shown with the digits that agree with the model's own,"
        " before any change. For all digits: explore(..., full=['weights'])"
    )


def errors_of(recording: Recording, dtype: str) -> tuple[Errors, Tensor]:
    """How far the values go from the recorded ones if the matrices are rounded; and the rounded layers' output, (time, batch, width)."""
    assert recording.lstm is not None
    assert recording.given is not None
    small = copy.deepcopy(recording.lstm).eval()
    with torch.no_grad():
        for parameter in small.parameters():
            if parameter.dim() > 1:
                parameter.copy_(rounded(parameter, dtype))
        small.double()
        with record(small) as trace:
            small(doubled(recording.given.input), doubled(recording.given.states))
    found: Errors = {}
    for sublayer in small.sublayers:
        ours, theirs = recording.trace.run(join(recording.path, sublayer)), trace.run(str(sublayer))
        found[join(recording.path, sublayer)] = {
            site: distance(theirs.value(site), ours.value(site)) for site in theirs.sites if site in ours.sites
        }
    last = [trace.run(str(one)).value(small.cell.state[0]) for one in small.sublayers if one.layer == small.num_layers - 1]
    return found, torch.cat(last, -1)


def distance(value: Tensor, other: Tensor) -> float:
    """The greatest difference; what is no number or infinite on both sides is alike."""
    return (value.double() - other.double()).abs().nan_to_num(0.0).amax().item() if value.numel() else 0.0


def doubled(value: Any) -> Any:
    """In float64: a tensor, a packed sequence, several first states, None."""
    match value:
        case None:
            return None
        case PackedSequence() | Tensor():
            return value.to(torch.float64)
    return tuple(map(doubled, value))
