"""The operator in autograd's graph.

By hand, since what torch.library.register_autograd makes of it takes longer than the kernel does for a short sequence: it goes through
the dispatcher once more, and looks for tensors in nested lists.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from byhand.cells.names import named

Kernel = Callable[..., list[Tensor]]


class Recorded(torch.autograd.Function):
    """below: gives what the operator gives, without a graph. given: what comes after the tensors in the operator's schema."""

    @staticmethod
    def forward(ctx: Any, below: Kernel, given: tuple[Any, ...], *tensors: Tensor | None) -> tuple[Tensor, ...]:
        valid, cut, ctx.cell, ctx.reverse, _ = given
        cell = named(ctx.cell)
        ctx.states, ctx.masks = len(cell.state), len(cell.noise)
        ctx.set_materialize_grads(False)
        made = below(*tensors[:6], list(tensors[6:]), *given)
        ctx.save_for_backward(valid, cut, *tensors, *made)
        return tuple(made)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Any, ...]:
        count = len(ctx.needs_input_grad) - 2
        needed = list(ctx.needs_input_grad[2 : 2 + count - ctx.masks])
        valid, cut, *stored = ctx.saved_tensors
        tensors, kept, wanted = stored[:count], stored[count:], grads[: 1 + ctx.states]
        given = (*tensors[:6], tensors[6:], valid, cut, ctx.cell, ctx.reverse)
        there, there_are = [one for one in wanted if one is not None], [one is not None for one in wanted]
        found = iter(torch.ops.byhand.layer_backward(*given, kept, there, there_are, needed))
        return None, None, *(next(found) if need else None for need in needed), *[None] * ctx.masks


def recording(kernel: Kernel) -> Kernel:
    """The operator as autograd's dispatch key has it: in the graph where gradients are enabled and wanted. kernel: the CPU's."""

    def recorded(keyset: torch._C.DispatchKeySet, *given: Any) -> list[Tensor]:
        *first, rest = given[:7]
        if torch.is_grad_enabled() and any(one is not None and one.requires_grad for one in (*first, *rest)):
            below = partial(below_autograd, kernel, keyset)
            return list(Recorded.apply(below, given[7:], *first, *rest))  # type: ignore[arg-type]
        return below_autograd(kernel, keyset, *given)

    return recorded


def below_autograd(kernel: Kernel, keyset: torch._C.DispatchKeySet, *given: Any) -> list[Tensor]:
    """What the operator gives without a graph: the kernel at once where nothing lies between, else whatever torch has put there."""
    below = keyset & torch._C._after_ADInplaceOrView_keyset
    if below.highestPriorityTypeId() == torch._C.DispatchKey.CPU:
        return kernel(*given)
    with torch._C._AutoDispatchBelowAutograd():
        return torch.ops.byhand.layer.default.redispatch(keyset & torch._C._after_autograd_keyset, *given)
