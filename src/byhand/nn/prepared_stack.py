"""Of a module and a kind of input: every layer and direction prepared, for as long as the parameters are where they were."""

from __future__ import annotations

from operator import add
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from byhand.engine import dispatch
from byhand.engine.frozen import packed
from byhand.engine.packing import Packing
from byhand.engine.protocol import Engine, Prepared

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

    from byhand.engine.call import Call

    Calls = tuple[list[Call], tuple[Tensor, ...]]  # of all layers, and the first states as the module's caller gives them


class PreparedStack(NamedTuple):
    """Of a module and shape of input. parameters: name, tensor and address, as they were then; slots: how many, with those that are None.
    sublayers: every layer and direction, in the order of the states; none if this way is not for such calls. zeros: the first states,
    laid out as the module's caller gives them, (sublayers, batch, width) or for a single step (batch, width). engines: as they were
    then. by_tensors: whether all of them would rather be given tensors than addresses, with a graph or without.
    """

    parameters: tuple[tuple[str, Tensor, int], ...]
    slots: int
    sublayers: tuple[Prepared, ...]
    directions: int
    weights: tuple[tuple[Tensor | None, ...], ...]  # of each sublayer: the five of a call, then its vectors
    zeros: tuple[Tensor, ...]
    engines: tuple[Engine, ...]
    by_tensors: bool = False


Kind = tuple[bool, int, int, torch.dtype, torch.device]  # of input: whether it is packed, batch, width
_prepared: WeakKeyDictionary[nn.Module, dict[Kind, PreparedStack]] = WeakKeyDictionary()


def stack_of(
    module: nn.Module, key: Kind, calls: Callable[[Tensor], Calls | None], input: Tensor, frozen: str | None = None
) -> PreparedStack:
    """What is known of the module and this kind of input; prepared now if it is not, or the parameters are others. frozen: in which
    number type weights that cannot change are packed.
    """
    of_module = _prepared.get(module)
    if of_module is None:
        of_module = _prepared[module] = {}
    stack = of_module.get(key)
    if stack is None or not is_current(module, stack):
        if len(of_module) > 16:  # ever new shapes
            of_module.clear()
        _, batch, width, *_ = key
        stack = of_module[key] = prepare(module, input.new_empty(1, batch, width, requires_grad=False), calls, frozen)
    return stack


def states_of(stack: PreparedStack, hx: Any) -> tuple[Tensor, ...] | None:
    """The first states, laid out as the module's caller gives them; None if it has to go the usual way."""
    if not stack.sublayers or hx is None:
        return stack.zeros if stack.sublayers else None
    state = (hx,) if len(stack.zeros) == 1 else hx
    if type(state) is not tuple or len(state) != len(stack.zeros) or not all(map(matches, state, stack.zeros)):
        return None
    return state


def through(
    stack: PreparedStack, input: Tensor, state: tuple[Tensor, ...], packing: Packing | None = None
) -> tuple[Tensor, list[Tensor]] | None:
    """Output and states, in the graph where gradients are enabled and wanted; None if it has to go the usual way."""
    if stack.by_tensors:
        return differentiable(stack, input, state, packing)
    if torch.is_grad_enabled() and (
        input.requires_grad
        or any(one.requires_grad for _, one, _ in stack.parameters)
        or any(one.requires_grad for one in state)
    ):
        return differentiable(stack, input, state, packing)
    return call(stack, input, state, packing)


def is_current(module: nn.Module, stack: PreparedStack) -> bool:
    """Whether the parameters are the same tensors in the same places; their values may have changed."""
    there = module._parameters
    for name, tensor, place in stack.parameters:  # a generator would take as long again
        if there.get(name) is not tensor or tensor.data_ptr() != place:
            return False
    return stack.engines is dispatch.ENGINES and len(there) == stack.slots


def matches(given: Any, expected: Tensor) -> bool:
    """Whether it is a plain tensor laid out as the expected one."""
    return (
        type(given) is Tensor
        and given.shape == expected.shape
        and given.dtype == expected.dtype
        and given.device == expected.device
        and given.is_contiguous()
    )


def prepare(module: nn.Module, input: Tensor, calls: Callable[[Tensor], Calls | None], frozen: str | None) -> PreparedStack:
    """Without sublayers if a call of this kind is not plain, so that nobody asks again while the parameters are the same."""
    names = [(name, one, one.data_ptr()) for name, one in module._parameters.items() if one is not None]
    refused = PreparedStack(tuple(names), len(module._parameters), (), 1, (), (), dispatch.ENGINES)
    own = [parameter for _, parameter, _ in names]
    if 0 in input.shape or len(own) != sum(1 for _ in module.parameters()):
        return refused
    with torch.inference_mode(False):  # what is kept serves later calls, too
        found = calls(input)
    if found is None:
        return refused
    sublayers, weights = [], []
    for one in found[0]:
        flat = (*one.weights[:5], *one.weights.vectors)
        if frozen is None and any(
            not each.is_contiguous() or not any(each is parameter for parameter in own) for each in flat if each is not None
        ):
            return refused  # computed from the parameters again at each call
        sublayer = dispatch.prepare(one) if frozen is None else packed(one, frozen)
        if sublayer is None:
            return refused
        sublayers.append(sublayer)
        weights.append(flat)
    directions = 1 + any(one.reverse for one in found[0])
    by_tensors = all(getattr(one, "by_tensors", False) for one in sublayers)
    return refused._replace(
        sublayers=tuple(sublayers), directions=directions, weights=tuple(weights), zeros=found[1], by_tensors=by_tensors
    )


def call(
    stack: PreparedStack, input: Tensor, state: tuple[Tensor, ...], packing: Packing | None
) -> tuple[Tensor, list[Tensor]]:
    """Through all layers."""
    states = [torch.empty_like(one) for one in stack.zeros]
    first, last = [one.data_ptr() for one in state], [one.data_ptr() for one in states]
    if len(stack.sublayers) == 1:
        return stack.sublayers[0].run(input, first, last, packing), states
    sizes = [input.element_size() * one.shape[-2] * one.shape[-1] for one in states]
    x, outputs = input, []
    for index, sublayer in enumerate(stack.sublayers):
        if index:
            first, last = list(map(add, first, sizes)), list(map(add, last, sizes))
        outputs.append(sublayer.run(x, first, last, packing))
        if len(outputs) == stack.directions:
            x, outputs = joined(outputs), []
    return x, states


def joined(outputs: list[Tensor]) -> Tensor:
    """The outputs of all directions side by side."""
    return outputs[0] if len(outputs) == 1 else torch.cat(outputs, -1)


def differentiable(
    stack: PreparedStack, input: Tensor, state: tuple[Tensor, ...], packing: Packing | None
) -> tuple[Tensor, list[Tensor]] | None:
    """The same, in the graph; None if an engine has no derivative of packed rows."""
    if len(stack.sublayers) == 1:
        made = stack.sublayers[0].differentiable(input, stack.weights[0], state, packing)
        return None if made is None else (made[0], [*made[1:]])
    x, outputs, lasts = input, [], []
    for index, (sublayer, weights) in enumerate(zip(stack.sublayers, stack.weights, strict=True)):
        made = sublayer.differentiable(x, weights, [one[index] for one in state], packing)
        if made is None:
            return None
        output, *last = made
        lasts.append(last)
        outputs.append(output)
        if len(outputs) == stack.directions:
            x, outputs = joined(outputs), []
    return x, [torch.stack(each) for each in zip(*lasts, strict=True)]
