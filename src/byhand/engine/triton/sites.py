"""The sites of a call, after it: all hidden states are known, so that one product over all steps gives every pre-activation back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from byhand.engine.triton.kernels import kernel_of
from byhand.engine.triton.layer import preactivations, shifted, states_before, sums_in

if TYPE_CHECKING:
    from torch import Tensor

    from byhand.engine.call import Call
    from byhand.engine.triton.values import Outputs


def sites(call: Call, outputs: Outputs) -> dict[str, Tensor]:
    """Every value that the steps computed, (time, batch, hidden); the output among them is that of the call, to the bit."""
    kernel = kernel_of(call)
    (time, batch), cell, parts = call.input.shape[:2], call.cell, kernel.partition
    every = preactivations(kernel, call, states_before(kernel, call, outputs)).view(time, batch, -1, kernel.hidden)
    values = dict(zip(parts.preactivations, every.unbind(2), strict=True))
    for state in kernel.printer.read_again:
        history = outputs.states[state]
        assert history is not None
        values[f"s.{cell.state[state]}"] = shifted(call, history, state).to(sums_in(call))
    parameters = zip(cell.parameters, (*call.weights.vectors, *call.noise), strict=True)
    values |= {f"p.{name}": one.expand(time, batch, kernel.hidden) for name, one in parameters}
    with torch.no_grad():
        made = parts.recompute.run(values)
    return {call.public_name(name): value for name, value in made.items()} | {cell.state[0]: outputs.output.detach().clone()}
