"""What is to be shown: a model's run on its input, recorded; or a trace that was recorded before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from byhand.explorer.calling import call_document, listening
from byhand.nn import LSTM
from byhand.record import record
from byhand.saving.cell_names import find
from byhand.scope import join
from byhand.sites import layers
from byhand.trace import Trace

if TYPE_CHECKING:
    from byhand.cells import Cell
    from byhand.scope import Place


@dataclass(frozen=True)
class Recording:
    """trace: one call of each place. lstm: the one layer stack, and its path in the model; None where there is not exactly one.
    call: how the layer was called, for whoever wants to call it again. why_not: why the page cannot compute it anew.
    """

    trace: Trace
    lstm: LSTM | None
    path: str
    cell: Cell | None
    call: dict[str, Any] | None = None
    why_not: str | None = None

    @property
    def places(self) -> tuple[str, ...]:
        return self.trace.places

    def place(self, name: str) -> Place | None:
        """The layer and direction that goes by this name; None where it is not known."""
        stack = self.lstm.places if self.lstm is not None else ()
        return next((one for one in stack if join(self.path, one) == name), None)


def recorded(model: nn.Module | Trace, x: Any, hx: Any, lengths: Any, *, sites: bool) -> Recording:
    """Run the model in eval mode, without gradients, and record it. sites: whether more than inputs and first memories is wanted.

    TypeError, ValueError; whatever the model makes of its input.
    """
    if isinstance(model, Trace):
        return of_trace(model, (x, hx, lengths))
    stacks = {path: module for module, path in layers(model, "explore").items()}
    ((path, lstm),) = list(stacks.items()) if len(stacks) == 1 else [("", None)]
    stack = lstm if isinstance(lstm, LSTM) else None
    if x is None:
        raise TypeError("explore expected an input to show the model on, got none: byhand.explore(model, x)")
    wanted = None if sites or stack is None else [join(path, stack.places[0], stack.cell.state[0])]
    with torch.no_grad(), evaluating(model), record(model, wanted) as trace, listening(stack) as calls:
        run(model, x, hx, lengths)
    why_not = None
    if not trace.runs:
        raise ValueError(f"explore expected {type(model).__name__} to call its byhand.LSTM, which it did not on this input")
    if stack is None:
        why_not = f"{type(model).__name__} holds several recurrent layers or a single cell ({', '.join(map(repr, stacks))})"
    elif any(len(runs) > 1 for runs in trace.runs.values()):
        why_not = f"{type(model).__name__} calls its LSTM several times; shown are all calls, one after the other"
    call = call_document(model, x, lengths, calls[0] if calls else None)
    whole = trace if why_not is None else trace.joined()
    return Recording(whole, stack, path, same_cell(list(stacks.values())), call, why_not)


def of_trace(trace: Trace, others: Sequence[Any]) -> Recording:
    if any(one is not None for one in others):
        raise TypeError("explore(trace) shows what was recorded, so it takes no input, hx or lengths: leave them out")
    if not trace.runs:
        raise ValueError("explore expected a trace of something, got an empty one: run the model inside byhand.record")
    trace = trace.joined().detached()
    names = {trace.cell(place) for place in trace.places}
    cell = find(names.pop()) if len(names) == 1 else None
    return Recording(trace, None, "", cell, why_not="it was made from a trace, which holds no weights")


def same_cell(modules: Sequence[Any]) -> Cell | None:
    cells = {module.cell for module in modules}
    return cells.pop() if len(cells) == 1 else None


def run(model: nn.Module, x: Any, hx: Any, lengths: Any) -> None:
    """Call it: x as the model takes it; of a model that is no LSTM, a tuple of its arguments or a mapping of them."""
    if isinstance(model, LSTM):
        model(x if lengths is None else packed_up(model, x, lengths), hx)
        return
    if hx is not None or lengths is not None:
        raise TypeError(
            f"explore takes hx and lengths for a byhand.LSTM; what {type(model).__name__} takes goes into x: (first, second), or"
            " {'name': value}"
        )
    if isinstance(x, Mapping):
        model(**x)
    elif isinstance(x, tuple) and not isinstance(x, PackedSequence):
        model(*x)
    else:
        model(x)


def packed_up(lstm: LSTM, x: Any, lengths: Any) -> PackedSequence:
    if not isinstance(x, Tensor) or x.dim() != 3:
        raise TypeError("explore expected a tensor of several padded sequences beside lengths: (time, batch, input)")
    steps, batch = (x.shape[1], x.shape[0]) if lstm.batch_first else x.shape[:2]
    given = torch.as_tensor(lengths).cpu()
    if given.shape != (batch,) or not bool(((given >= 1) & (given <= steps)).all()):
        raise ValueError(f"explore expected {batch} lengths from 1 to {steps}, got {given.tolist()}")
    return pack_padded_sequence(x, given, batch_first=lstm.batch_first, enforce_sorted=False)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Everything in eval mode inside the block: what is drawn at random could not be computed again."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
