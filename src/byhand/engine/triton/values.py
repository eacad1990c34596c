"""What a kernel works on and what it gives: tensors, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor


class Inputs(NamedTuple):
    """What a kernel works on: contiguous tensors on one device, all of the weights' number type but `product`.

    product: W·x and its bias, (time, batch, gates*hidden), in the number type of sums. lengths: int32, None if all are of full length.
    cut: uint8, (time, batch), None if no sequence starts again; restart: what they start again from.
    """

    product: Tensor
    recurrent: Tensor | None
    recurrent_bias: Tensor | None
    projection: Tensor | None
    vectors: tuple[Tensor, ...]
    noise: tuple[Tensor, ...]
    state: tuple[Tensor, ...]
    lengths: Tensor | None
    reverse: bool
    cut: Tensor | None = None
    restart: tuple[Tensor, ...] = ()


class Outputs(NamedTuple):
    """given: output, and the other states that the recurrent product reads, (time, batch, width), in the weights' number type. states:
    those that the derivative of the step reads, in that of sums; the same tensors where the two are the same. unprojected: the step's
    own output.
    """

    last: tuple[Tensor, ...]
    given: tuple[Tensor | None, ...]
    states: tuple[Tensor | None, ...]
    unprojected: Tensor | None

    @property
    def output(self) -> Tensor:
        """The layer's output."""
        assert self.given[0] is not None
        return self.given[0]


class Gradients(NamedTuple):
    """In the number type of sums: by every pre-activation, (time, batch, preactivations*hidden), zero after a sequence's end; by the
    projected output; by vectors, by first states, and by those to start again from.
    """

    preactivations: Tensor
    projected: Tensor | None
    vectors: tuple[Tensor, ...]
    state: tuple[Tensor, ...]
    restart: tuple[Tensor, ...] = ()
