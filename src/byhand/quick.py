"""Short calls: what was found out at the last call of the same shape need not be found out again.

For a single step the checks and the listing of arguments take ten times as long as the arithmetic. A call that is plain in every way
goes straight to the kernel here, with the same result to the bit; any other takes the usual way.
"""

from __future__ import annotations

from operator import add
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from byhand.engine.cpp import engine as cpp
from byhand.engine.cpp.gradient import Fixed, Layer
from byhand.engine.cpp.ready import INPUT, Ready
from byhand.engine.cpp.short import Short, ShortLayer, short

if TYPE_CHECKING:
    from byhand.nn import LSTM, LSTMCell

MOST = 4096  # steps times sequences up to which it is worth the while


class Known(NamedTuple):
    """Of a module and shape of input. parameters: name, tensor and address, as they were then. zeros: the first states, laid out as
    the module's caller gives them, (layers, batch, width) or for a single step (batch, width).
    """

    parameters: tuple[tuple[str, Tensor, int], ...]
    layers: tuple[Ready, ...]
    trained: tuple[Short | None, ...]  # the layers where they are differentiated, if they are small enough for it
    fixed: Fixed
    weights: tuple[tuple[Tensor | None, ...], ...]  # of each layer, as in gradient.flatten
    zeros: tuple[Tensor, ...]


_known: WeakKeyDictionary[LSTM | LSTMCell, dict[Any, Known | None]] = WeakKeyDictionary()


def run(module: LSTM | LSTMCell, input: Tensor, hx: Any) -> tuple[Tensor, list[Tensor]] | None:
    """The output for input (time, batch, input), and each state laid out as hx; None if it has to go the usual way, which it has if
    hx is not as it should be. The caller has seen to it that nobody watches or chooses, and that nothing is random.
    """
    shape = input.shape
    if len(shape) != 3 or shape[0] * shape[1] > MOST or not input.is_contiguous() or not cpp.is_plain():
        return None
    key = (shape, input.dtype, input.device.type)
    of_module = _known.get(module)
    if of_module is None:
        of_module = _known[module] = {}
    known = of_module.get(key)
    if known is None or not still(module, known):
        if len(of_module) > 16:  # ever new shapes
            of_module.clear()
        known = of_module[key] = look(module, input)
    if known is None:
        return None
    state = known.zeros
    if hx is not None:
        state = (hx,) if len(known.zeros) == 1 else hx
        if type(state) is not tuple or len(state) != len(known.zeros) or not all(map(alike, state, known.zeros)):
            return None
    if torch.is_grad_enabled() and (
        input.requires_grad
        or any(one.requires_grad for _, one, _ in known.parameters)
        or (hx is not None and any(one.requires_grad for one in state))
    ):
        return differentiably(known, input, state)
    return call(known, input, state)


def still(module: LSTM | LSTMCell, known: Known) -> bool:
    """Whether the parameters are the same tensors in the same places; their values may have changed."""
    there = module._parameters
    return all(there.get(name) is tensor and tensor.data_ptr() == place for name, tensor, place in known.parameters)


def alike(given: Any, expected: Tensor) -> bool:
    """Whether it is a plain tensor laid out as the expected one."""
    return (
        type(given) is Tensor
        and given.shape == expected.shape
        and given.dtype == expected.dtype
        and given.device == expected.device
        and given.is_contiguous()
    )


def look(module: LSTM | LSTMCell, input: Tensor) -> Known | None:
    """None if a call of this kind is not plain."""
    own = [parameter for parameter in module._parameters.values() if parameter is not None]
    if 0 in input.shape or len(own) != sum(1 for _ in module.parameters()):
        return None
    if any(place.reverse for place in module.places) or any(name.startswith("initial_") for name in module._parameters):
        return None
    state = module.first_states(input)  # which raises all that is wrong
    layers, trained, weights, noise, x = [], [], [], (), input
    zeros = tuple(value.view(-1, *value.shape[-2:])[0] for value in state)
    for place in module.places:
        made = module.call(place, x, zeros, None)
        noise = made.noise
        flat = (*made.weights[:5], *made.weights.vectors)
        if any(not one.is_contiguous() or not any(one is parameter for parameter in own) for one in flat if one is not None):
            return None  # made of the parameters anew at each call
        ready = cpp.ready(made, packed=False)
        if ready is None:
            return None
        layers.append(ready)
        fixed = Fixed(module.cell, reverse=False, valid=None, lengths=None, noise=noise)
        trained.append(short(ready.kernel, ready.given, fixed))
        weights.append(flat)
        x = input.new_empty(*input.shape[:2], module.hidden_size)
    names = [(name, one, one.data_ptr()) for name, one in module._parameters.items() if one is not None]
    fixed = Fixed(module.cell, reverse=False, valid=None, lengths=None, noise=noise)
    return Known(tuple(names), tuple(layers), tuple(trained), fixed, tuple(weights), state)


def call(known: Known, input: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, list[Tensor]]:
    """Through all layers."""
    (time, batch, _), new, threads = input.shape, input.new_empty, torch.get_num_threads()
    shapes = [tuple(one.shape) for one in known.zeros]
    states = [new(*shape) for shape in shapes]
    first, last, x = [one.data_ptr() for one in state], [one.data_ptr() for one in states], input
    for index, ready in enumerate(known.layers):
        if index:
            sizes = [input.element_size() * batch * shape[-1] for shape in shapes]
            first, last = list(map(add, first, sizes)), list(map(add, last, sizes))
        y = new(time, batch, shapes[0][-1])
        words = ready.bound(first, last, threads)
        words[INPUT], words[ready.output] = x.data_ptr(), y.data_ptr()
        ready.kernel.call(words)
        x = y
    return x, states


def differentiably(known: Known, input: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, list[Tensor]]:
    """The same, in the graph."""
    x, lasts, single = input, [], known.zeros[0].dim() == 2
    for index, (layer, weights) in enumerate(zip(known.trained, known.weights, strict=True)):
        first = state if single else [one[index] for one in state]
        if layer is None:
            x, *last = Layer.apply(known.fixed, [], [], x, *weights, *first)  # type: ignore[misc]
        else:
            x, *last = ShortLayer.apply(layer, x, *weights, *first)  # type: ignore[misc]
        lasts.append(last)
    if single:
        return x, lasts[0]
    if len(lasts) == 1:
        return x, [one.unsqueeze(0) for one in lasts[0]]
    return x, [torch.stack(each) for each in zip(*lasts, strict=True)]
