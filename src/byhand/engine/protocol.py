"""What an engine is: all that dispatch, prepared calls, the stepper, doctor and check_engine ever ask of one.

A module with these names is an engine, or any object. dispatch.ENGINES lists them, in the order in which they are tried.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from byhand.engine.call import Call, Result
    from byhand.engine.packing import Packing


class Engine(Protocol):
    """Computes calls: one layer and direction over a whole sequence each."""

    @property
    def name(self) -> str:
        """The name that use_engine takes."""
        ...

    def refuses(self, call: Call) -> str | None:
        """Why it cannot run this call, in a phrase; None if it can."""
        ...

    def run(self, call: Call) -> Result:
        """The answer, in autograd's graph where gradients are enabled and wanted."""
        ...

    def prepare(self, call: Call, *, pack: bool = False, frozen: str | None = None) -> Prepared | None:
        """The call bound to its shape, for calls that differ in input and states only; None if it has nothing faster for it.

        pack: lay the weights out for many calls, as they are now; without, they are read where they are at each call.
        frozen: with pack, in which low precision the packed weights are multiplied, as byhand.engine.frozen says. Not given to an
            engine otherwise.
        """
        ...

    def traced(self, call: Call) -> Result | None:
        """The call as one operator, for torch.compile, torch.export, traces and dispatch modes; None if there is none for it."""
        ...


class Prepared(Protocol):
    """A call of one number of sequences, ready to be repeated, with any number of steps. Nothing is checked: the caller sees to shapes,
    number types and contiguity.

    packing: of packed sequences; input and output are then (rows, width).
    """

    def run(
        self,
        input: Float[Tensor, "time batch input"],
        first: Sequence[int],
        last: Sequence[int],
        packing: Packing | None = None,
    ) -> Tensor:
        """The output, without a graph. first, last: addresses of each state (batch, width), which is read there and written there;
        views of them would take longer to make than a step does.
        """
        ...

    def stepping(self, state: Sequence[Tensor]) -> Callable[[Tensor], Tensor]:
        """A function from the next step's input (batch, input) to its output (batch, hidden); moves `state` on in place."""
        ...

    def differentiable(
        self,
        input: Tensor,
        weights: Sequence[Tensor | None],
        first: Sequence[Tensor],
        packing: Packing | None = None,
    ) -> tuple[Tensor, ...] | None:
        """The output and the last states, in autograd's graph. weights: the five of a call, then the vectors. first: (batch, width), or
        (1, batch, width), and the last states come alike. None if packed sequences have to be padded for it.
        """
        ...
