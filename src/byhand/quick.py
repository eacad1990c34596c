"""Short calls: what was found out at the last call of the same shape need not be found out again.

For a single step the checks and the listing of arguments take ten times as long as the arithmetic. A call that is plain in every way
goes straight to the kernel here, with the same result to the bit; any other takes the usual way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from byhand.batch import read_batch
from byhand.engine.cpp import engine as cpp
from byhand.engine.cpp.gradient import Fixed, Layer
from byhand.engine.cpp.ready import INPUT, Ready

if TYPE_CHECKING:
    from byhand.nn import LSTM

MOST = 4096  # steps times sequences up to which it is worth the while


class Known(NamedTuple):
    """Of a layer and shape of input. parameters: name, tensor and address, as they were then; widths: of the states."""

    parameters: tuple[tuple[str, Tensor, int], ...]
    layers: tuple[Ready, ...]
    fixed: Fixed
    weights: tuple[tuple[Tensor | None, ...], ...]  # of each layer, as in gradient.flatten
    widths: tuple[int, ...]
    zeros: tuple[Tensor, ...]  # the first states, (batch, width)


_known: WeakKeyDictionary[LSTM, dict[Any, Known | None]] = WeakKeyDictionary()


def run(lstm: LSTM, input: Tensor) -> Any:
    """What lstm(input) gives, or None if it has to go the usual way. The caller has seen to it that nobody watches or chooses."""
    shape = input.shape
    if len(shape) != 3 or shape[0] * shape[1] > MOST or not input.is_contiguous() or not cpp.is_plain() or lstm.batch_first:
        return None
    if lstm.training and (lstm.dropout or lstm.cell.noise):
        return None
    key = (shape, input.dtype, input.device.type)
    of_layer = _known.get(lstm)
    if of_layer is None:
        of_layer = _known[lstm] = {}
    known = of_layer.get(key)
    if known is None or not still(lstm, known):
        if len(of_layer) > 16:  # ever new shapes
            of_layer.clear()
        known = of_layer[key] = look(lstm, input)
    if known is None:
        return None
    if torch.is_grad_enabled() and (input.requires_grad or any(one.requires_grad for _, one, _ in known.parameters)):
        return differentiably(known, input)
    return call(known, input)


def still(lstm: LSTM, known: Known) -> bool:
    """Whether the parameters are the same tensors in the same places; their values may have changed."""
    there = lstm._parameters
    return all(there.get(name) is tensor and tensor.data_ptr() == place for name, tensor, place in known.parameters)


def look(lstm: LSTM, input: Tensor) -> Known | None:
    """None if a call of this kind is not plain."""
    if lstm.bidirectional or lstm.learn_initial_state or len(lstm._parameters) != sum(1 for _ in lstm.parameters()):
        return None
    if 0 in input.shape:
        return None
    batch = read_batch(lstm, input, None)  # which raises all that is wrong
    layers, weights, noise, x = [], [], (), input
    zeros = tuple(value[0].detach() for value in batch.state)
    own = [parameter for parameter in lstm._parameters.values() if parameter is not None]
    for place in lstm.places:
        made = lstm.call(place, x, zeros, None)
        noise = made.noise
        flat = (*made.weights[:5], *made.weights.vectors)
        if any(not one.is_contiguous() or not any(one is parameter for parameter in own) for one in flat if one is not None):
            return None  # made of the parameters anew at each call
        ready = cpp.ready(made, packed=False)
        if ready is None:
            return None
        layers.append(ready)
        weights.append(flat)
        x = input.new_empty(*input.shape[:2], lstm.hidden_size)
    names = [(name, one, one.data_ptr()) for name, one in lstm._parameters.items() if one is not None]
    widths = tuple(one.shape[-1] for one in zeros)
    fixed = Fixed(lstm.cell, reverse=False, valid=None, lengths=None, noise=noise)
    return Known(tuple(names), tuple(layers), fixed, tuple(weights), widths, zeros)


def call(known: Known, input: Tensor) -> Any:
    """Through all layers."""
    (time, batch, _), new, threads = input.shape, input.new_empty, torch.get_num_threads()
    states: tuple[Tensor, ...] = tuple([new(len(known.layers), batch, width) for width in known.widths])
    first, size, x = [one.data_ptr() for one in known.zeros], input.element_size() * batch, input
    for index, ready in enumerate(known.layers):
        y = new(time, batch, known.widths[0])
        last = [one.data_ptr() + index * size * width for one, width in zip(states, known.widths, strict=True)]
        words = ready.bound(first, last, threads)
        words[INPUT], words[ready.output] = x.data_ptr(), y.data_ptr()
        ready.kernel.call(words)
        x = y
    return x, states[0] if len(states) == 1 else states


def differentiably(known: Known, input: Tensor) -> Any:
    """The same, in the graph."""
    x, lasts = input, []
    for weights in known.weights:
        x, *last = Layer.apply(known.fixed, [], [], x, *weights, *known.zeros)  # type: ignore[misc]
        lasts.append(last)
    if len(lasts) == 1:
        states: tuple[Tensor, ...] = tuple([one.unsqueeze(0) for one in lasts[0]])
    else:
        states = tuple([torch.stack(each) for each in zip(*lasts, strict=True)])
    return x, states[0] if len(states) == 1 else states
