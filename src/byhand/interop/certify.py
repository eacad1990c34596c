"""certify: how far a byhand layer is from a layer of another program, in values, states and gradients, at odd sizes."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from byhand.cells.outside_modes import run_with_context
from byhand.engine.observe import unwatched
from byhand.interop.load import package_of
from byhand.interop.parity import ParityReport, relative, versions_of
from byhand.interop.sides import Answer, Asked, FunctionSide, Side, TorchSide
from byhand.nn import LSTM

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12}
SIZES = ((7, 3), (7, 1), (1, 3), (1, 1))  # steps, sequences
LENGTHS = (7, 3, 1)
TORCHS = (nn.LSTM, nn.GRU, nn.RNN, LSTM)


def certify(
    layer: LSTM,
    other: Any,
    *,
    prefix: str | Sequence[str] | None = None,
    lengths: bool | None = None,
    flipped: bool = False,
    tolerance: float | None = None,
) -> ParityReport:
    """Compare a byhand.LSTM with a layer of another program, both in eval mode, on the same random numbers.

    Compared are outputs and last states of 7 steps and of 1, of 3 sequences and of 1; of sequences of the lengths 7, 3 and 1; and with
    given first states; and, with torch and with Keras on its torch backend, the gradients by the input and by every weight. The reverse
    half of outputs is a value of its own. Neither side is changed.

    Args:
        layer: the layer.
        other: a layer of torch.nn or another byhand.LSTM; a layer or model of Keras; or, for any other program, a function other(x) ->
            (outputs, states) of numpy's arrays: x and outputs are laid out as `layer` has them, states are (layers * directions, batch,
            size), h or (h, c), or None where there are none. With other(x, lengths), say so with lengths=True.
        prefix: the layer in a Keras model, or a list of those that follow each other, lowest first.
        lengths: whether sequences of several lengths are compared; None: wherever the other side is known to take them.
        flipped: the other reads from the end (Keras's go_backwards=True): `layer` gets the sequences flipped, as load_weights(...,
            flipped=True) says.
        tolerance: the greatest difference, relative to the greatest number of a value where that is above 1. If not given, 1e-5 in
            float32 and 1e-12 in float64. Layers in half precision are compared in float32.

    Returns:
        The report; print it, or keep report.to_json().

    Raises:
        TypeError: `layer` is no byhand.LSTM, or `other` is none of these, or a function gives something else.
        ValueError: `other` is a Keras layer that byhand does not read, or has other sizes.
    """
    if not isinstance(layer, LSTM):
        raise TypeError(f"certify expected a byhand.LSTM, got a {type(layer).__name__}: byhand.load_weights(...) makes one")
    with unwatched():
        return run_with_context(compared, layer, other, prefix, lengths, flipped, tolerance)


def compared(
    layer: LSTM, other: Any, prefix: Any, lengths: bool | None, flipped: bool, tolerance: float | None
) -> ParityReport:
    """The report."""
    ours = TorchSide(layer)
    theirs = side_of(layer, other, prefix, ours.dtype, lengths=bool(lengths), flipped=flipped)
    values: dict[str, float] = {}
    for where, asked in runs(layer, ours.dtype, theirs, lengths=lengths is not False and not flipped):
        mine = ours.run(Asked(asked.x.flip(0), None, asked.states) if flipped else asked, weighing(asked.lengths))
        if flipped:
            mine = replace(mine, gradients={**mine.gradients, "input": mine.gradients["input"].flip(0)})
        try:
            made = theirs.run(asked, weighing(asked.lengths))
        except RuntimeError as problem:
            raise ValueError(
                f"certify expected {theirs.what} to run at {where}, got: {' '.join(str(problem).split())}"
            ) from problem
        for name, value in differences(layer, asked, mine, made):
            values[f"{name}, {where}"] = value
    limit = TOLERANCE[theirs.dtype] if tolerance is None else tolerance
    what = f"byhand.LSTM with cell {layer.cell.name} beside {theirs.what}"
    notes = ["differences of numbers beyond 1 are relative to the greatest of their value", *theirs.notes]
    return ParityReport(what, values, limit, versions_of(theirs.packages), tuple(dict.fromkeys(notes)))


def side_of(layer: LSTM, other: Any, prefix: Any, dtype: torch.dtype, *, lengths: bool, flipped: bool) -> Side:
    """The other side. TypeError."""
    if package_of(other) == "keras":
        return import_module("byhand.interop.keras_side").KerasSide(other, prefix, flipped=flipped, dtype=dtype)
    if prefix is not None:
        raise TypeError(
            f"certify expected a Keras model with prefix={prefix!r}, got a {type(other).__name__}: give the layer itself"
        )
    if isinstance(other, TORCHS):
        return TorchSide(copy.deepcopy(other).to(dtype) if next(other.parameters()).dtype != dtype else other)
    if not callable(other) or isinstance(other, nn.Module):
        raise TypeError(
            f"certify expected a layer of torch.nn or Keras, or a function, got a {type(other).__name__}: write a function that takes an"
            " array x and gives (outputs, states) as arrays"
        )
    return FunctionSide(other, batch_first=layer.batch_first, lengths=lengths, dtype=dtype)


def runs(layer: LSTM, dtype: torch.dtype, theirs: Side, *, lengths: bool) -> Iterator[tuple[str, Asked]]:
    """What both are asked, and its name."""
    generator = torch.Generator().manual_seed(0)

    def random(*sizes: int) -> Tensor:
        return torch.randn(sizes, generator=generator, dtype=torch.float64).to(dtype)

    for time, batch in SIZES:
        yield f"T {time}, B {batch}", Asked(random(time, batch, layer.input_size))
    time, batch = max(LENGTHS), len(LENGTHS)
    if lengths and theirs.takes_lengths:
        x = random(time, batch, layer.input_size)
        yield f"lengths {' '.join(map(str, LENGTHS))}", Asked(x, torch.tensor(LENGTHS))
    if theirs.takes_states:
        rows = layer.num_layers * (1 + layer.bidirectional)
        widths = [layer.proj_size or layer.hidden_size, layer.hidden_size][: len(layer.cell.state)]
        yield (
            "given first states",
            Asked(random(time, batch, layer.input_size), None, tuple(random(rows, batch, w) for w in widths)),
        )


def weighing(lengths: Tensor | None) -> Callable[[Tensor, tuple[Tensor, ...]], Tensor]:
    """The number that gradients are of: outputs and states, each with a weight of its own; nothing of what is after a sequence's end."""

    def weigh(outputs: Tensor, states: tuple[Tensor, ...]) -> Tensor:
        if lengths is not None:
            outputs = outputs.masked_fill(ended(outputs, lengths), 0)
        parts = [(one * torch.linspace(-1, 1, one.numel()).to(one).view(one.shape)).sum() for one in (outputs, *states)]
        return torch.stack(parts).sum()

    return weigh


def ended(outputs: Tensor, lengths: Tensor) -> Tensor:
    """Where a sequence has ended, (time, batch, 1)."""
    return (torch.arange(len(outputs)).unsqueeze(1) >= lengths).unsqueeze(-1)


def differences(layer: LSTM, asked: Asked, mine: Answer, made: Answer) -> Iterator[tuple[str, float]]:
    """Name of a value -> difference. What stands after a sequence's end is nobody's and not compared."""
    ours, theirs = mine.outputs, made.outputs
    if asked.lengths is not None and ours.shape == theirs.shape:
        ours, theirs = (one.masked_fill(ended(one, asked.lengths), 0) for one in (ours, theirs))
    if layer.bidirectional and ours.shape == theirs.shape:
        width = ours.shape[-1] // 2
        yield "outputs", relative(ours[..., :width], theirs[..., :width])
        yield "reverse outputs", relative(ours[..., width:], theirs[..., width:])
    else:
        yield "outputs", relative(ours, theirs)
    if made.states:
        same = len(mine.states) == len(made.states)
        pairs = zip(layer.cell.state, mine.states, made.states, strict=True) if same else []
        yield from ((f"last {name}", relative(one, other)) for name, one, other in pairs)
        if not same:
            yield "last states", math.inf
    for name, value in made.gradients.items():
        found = mine.gradients.get(name)
        yield f"gradient by {name}", math.inf if found is None else relative(found, value)
