"""What is to be shown: a model's run on its input, recorded; or a trace that was recorded before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from byhand.cells.names import find
from byhand.engine.names import join
from byhand.explain.calls import joined, listed
from byhand.explain.execution import run as run_with
from byhand.explain.lookup import place_among
from byhand.explorer.document.call_site import Given, call_document, head_inputs, listening
from byhand.nn import LSTM
from byhand.nn.modes import evaluating
from byhand.trace import Trace
from byhand.trace.layers import layers, places
from byhand.trace.record import record

if TYPE_CHECKING:
    from byhand.cells import Cell
    from byhand.engine.names import Sublayer

    Stacks = dict[str, nn.Module]  # path -> an LSTM or LSTMCell


@dataclass(frozen=True)
class Recording:
    """trace: one call of each place, or several joined along time. lstm: the one layer stack, and its path in the model; None where
    there is not exactly one. call: how the layer was called, for whoever wants to call it again. why_not: why the page cannot compute it.
    """

    trace: Trace
    lstm: LSTM | None
    path: str
    cell: Cell | None
    call: dict[str, Any] | None = None
    why_not: str | None = None
    given: Given | None = None  # the layer's one call
    head_inputs: Sequence[Tensor] = ()  # of each call of the model's head

    @property
    def places(self) -> tuple[str, ...]:
        return self.trace.places

    def place(self, name: str) -> Sublayer | None:
        """The layer and direction of this name; None where it is not known."""
        stack = self.lstm.sublayers if self.lstm is not None else ()
        return next((one for one in stack if join(self.path, one) == name), None)


def stacks_of(model: nn.Module, layer: int | str | None) -> Stacks:
    """The LSTMs and LSTMCells inside; or the one that `layer` names. ValueError, UnknownSiteError, TypeError."""
    found = {path: module for module, path in layers(model, "explore").items()}
    if layer is None or layer in found:
        return found if layer is None else {str(layer): found[str(layer)]}
    whose = {join(path, place): path for path, module in found.items() for place in places(module)}  # type: ignore[arg-type]
    path = whose[place_among(list(whose), layer, "explore", "layer")]
    return {path: found[path]}


def recorded(
    model: nn.Module | Trace,
    x: Any,
    hx: Any,
    lengths: Any,
    *,
    sites: bool,
    layer: int | str | None = None,
    call: int | None = None,
    head: object = None,
) -> Recording:
    """Run the model in eval mode, without gradients, and record it. sites: whether more than inputs, first memories and the last layer's
    outputs is wanted. layer, call, head: see explore.

    TypeError, ValueError, IndexError; whatever the model makes of its input.
    """
    if isinstance(model, Trace):
        return of_trace(model, (x, hx, lengths), layer, call)
    stacks = stacks_of(model, layer)
    ((path, lstm),) = list(stacks.items()) if len(stacks) == 1 else [("", None)]
    stack = lstm if isinstance(lstm, LSTM) else None
    if x is None:
        raise TypeError("explore expected an input to show the model on, got none: byhand.explore(model, x)")
    wanted = None if sites or stack is None else read_sites(path, stack)
    watched = head_inputs(model, head)
    with torch.no_grad(), evaluating(model), record(model, wanted) as trace, listening(stack) as calls, watched as read:
        run(model, x, hx, lengths)
    shown = of_stacks(trace, stacks)
    if not shown.runs:
        missing = f"{type(model).__name__} to call {listed([path or 'itself' for path in stacks])}"
        raise ValueError(f"explore expected {missing}, which it did not on this input")
    given = calls[0] if calls else None
    return Recording(
        along_time(shown, call),
        stack,
        path,
        same_cell(list(stacks.values())),
        call_document(model, x, lengths, given),
        why_not(model, shown, stacks, stack, call, again=any(one.reset for one in calls)),
        given,
        read,
    )


def read_sites(path: str, stack: LSTM) -> list[str]:
    """The outputs of the last layer, and of one that is run on the input, without which that would not be recorded."""
    top = [one for one in stack.sublayers if one.layer == stack.num_layers - 1]
    return [join(path, one, stack.cell.state[0]) for one in dict.fromkeys([stack.sublayers[0], *top])]


def why_not(model: nn.Module, shown: Trace, stacks: Stacks, stack: LSTM | None, call: int | None, *, again: bool) -> str | None:
    """Why the page cannot compute what it shows; None if it can. again: whether sequences start again within a call."""
    name, calls = type(model).__name__, max(map(len, shown.runs.values()))
    if len(stacks) > 1:
        paths = list(stacks)
        return f"{name} holds several recurrent layers ({', '.join(map(repr, paths))}); one by itself: layer={paths[0]!r}"
    if stack is None:
        return f"{name} holds a single cell, whose steps are put together outside"
    if calls > 1:
        what = "shown are all calls, one after the other" if call is None else f"shown is call {call % calls} of {calls}"
        return f"{name} calls its LSTM several times; {what}"
    return f"{name} starts sequences again within a call (reset), which the page does not" if again else None


def of_stacks(trace: Trace, stacks: Stacks) -> Trace:
    """What these modules computed."""
    names = {join(path, place) for path, module in stacks.items() for place in places(module)}  # type: ignore[arg-type]
    return Trace({place: runs for place, runs in trace.runs.items() if place in names})


def along_time(trace: Trace, call: int | None) -> Trace:
    """A call of each place, or all of them along time. IndexError, ValueError if the sequences are not the same in all."""
    most = max(map(len, trace.runs.values()))
    if call is not None and call not in range(-most, most):
        raise IndexError(f"explore expected a call from 0 to {most - 1}, got {call!r}")
    kept = trace.runs if call is None else trace.call(call).runs
    whole = Trace({place: [joined(place, runs, None, "explore")] for place, runs in kept.items()})
    counts = {place: whole.valid(place).shape[1] for place in whole.places}
    if len(set(counts.values())) > 1:
        found = listed([f"{count} sequences in {place}" for place, count in counts.items()])
        raise ValueError(f"explore found {found}, which are not of one batch: choose, as in layer={whole.places[-1]!r}")
    return whole


def of_trace(trace: Trace, others: Sequence[Any], layer: int | str | None, call: int | None) -> Recording:
    if any(one is not None for one in others):
        raise TypeError("explore(trace) shows what was recorded, so it takes no input, hx or lengths: leave them out")
    if not trace.runs:
        raise ValueError("explore expected a trace of something, got an empty one: run the model inside byhand.record")
    if layer is not None:
        inside = {place: runs for place, runs in trace.runs.items() if place.startswith(f"{layer}.")}
        place = place_among(trace.places, layer, "explore", "layer") if not inside else ""
        trace = Trace(inside or {place: trace.runs[place]})
    trace = along_time(trace, call).detached()
    names = {trace.cell(place) for place in trace.places}
    cell = find(names.pop()) if len(names) == 1 else None
    return Recording(trace, None, "", cell, why_not="it was made from a trace, which holds no weights")


def same_cell(modules: Sequence[Any]) -> Cell | None:
    cells = {module.cell for module in modules}
    return cells.pop() if len(cells) == 1 else None


def run(model: nn.Module, x: Any, hx: Any, lengths: Any) -> None:
    """Call it: x as the model takes it; of a model that is no LSTM, a tuple of its arguments or a mapping of them."""
    if isinstance(model, LSTM):
        if type(x) is tuple:
            raise TypeError(
                "explore takes the first states of a byhand.LSTM as hx, got a tuple: byhand.explore(lstm, x, hx=hx)"
            )
        model(x if lengths is None else packed_up(model, x, lengths), hx)
        return
    if hx is not None or lengths is not None:
        raise TypeError(
            f"explore takes hx and lengths for a byhand.LSTM; what {type(model).__name__} takes goes into x: (first, second), or"
            " {'name': value}"
        )
    run_with(model, x)


def packed_up(lstm: LSTM, x: Any, lengths: Any) -> PackedSequence:
    if not isinstance(x, Tensor) or x.dim() != 3:
        raise TypeError("explore expected a tensor of several padded sequences beside lengths: (time, batch, input)")
    steps, batch = (x.shape[1], x.shape[0]) if lstm.batch_first else x.shape[:2]
    given = torch.as_tensor(lengths).cpu()
    if given.shape != (batch,) or not bool(((given >= 1) & (given <= steps)).all()):
        raise ValueError(f"explore expected {batch} lengths from 1 to {steps}, got {given.tolist()}")
    return pack_padded_sequence(x, given, batch_first=lstm.batch_first, enforce_sorted=False)
