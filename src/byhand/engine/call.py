"""What an engine is asked, and what it answers: one layer, one direction, one whole sequence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
    from torch import Tensor

    from byhand.cells import Cell
    from byhand.engine.edits import HeldValues


class Weights(NamedTuple):
    """One layer and direction, with the states that are read; None where the cell or the layer has none."""

    input: Float[Tensor, " gates*hidden input"]
    recurrent: Float[Tensor, " gates*hidden states*hidden"] | None
    bias_input: Float[Tensor, " gates*hidden"] | None
    bias_recurrent: Float[Tensor, " gates*hidden"] | None
    projection: Float[Tensor, "projected hidden"] | None
    vectors: tuple[Float[Tensor, " hidden"], ...]


class Call(NamedTuple):
    """One layer and direction over a whole sequence.

    state: in the order of cell.state, before the first step. noise: in the order of cell.noise; a mask that holds for the whole
    sequence has time 1. valid: False where a sequence has ended; None if all are of full length. edited: the sites that go
    through edit(site, time, value); held(call): what each is held at, None if the edits are not just values.
    sites: whether they are wanted; in_graph: and in the graph, so that a loss can be made of them.
    cut: True where the state before a step is not that of the step before it, in the order of this direction, but restart, one tensor a
    state; False where a sequence has ended; None if there is no such step.
    Where there is a projection, the step's output before the projection is called "m", and "h" is the projected one.
    """

    cell: Cell
    input: Float[Tensor, "time batch input"]
    state: tuple[Float[Tensor, "batch hidden"], ...]
    weights: Weights
    reverse: bool = False
    valid: Bool[Tensor, "time batch"] | None = None
    noise: tuple[Float[Tensor, "time batch hidden"], ...] = ()
    edited: frozenset[str] = frozenset()
    edit: Callable[[str, int, Tensor], Tensor] | None = None
    held: Callable[[Call], Mapping[str, HeldValues] | None] | None = None
    sites: bool = False
    in_graph: bool = False
    cut: Bool[Tensor, "time batch"] | None = None
    restart: tuple[Float[Tensor, "batch hidden"], ...] = ()

    def public_name(self, site: str) -> str:
        """What a site of the step is called outside: the output, where it goes through a projection, is "m" before it."""
        return "m" if self.weights.projection is not None and site == self.cell.state[0] else site

    @property
    def lengths(self) -> Int[Tensor, " batch"] | None:
        """The steps of each sequence; None if all are of full length."""
        return None if self.valid is None else self.valid.sum(0)

    @property
    def has_empty(self) -> bool:
        """Whether a sequence has no step: its last states are its first."""
        return self.valid is not None and not bool(self.valid.any(0).all())

    @property
    def step_edits(self) -> frozenset[str]:
        """The sites to be edited inside the step, by its own names."""
        if not self.edited:
            return self.edited
        return frozenset(site for site in self.cell.sites if self.public_name(site) in self.edited)


Listener = Callable[[Mapping[str, "Tensor"]], None]


class Result(NamedTuple):
    """output: 0 where a sequence has ended. state: after each sequence's own last step. sites: name -> values of the steps, in
    order of time, whatever the direction; None unless asked for. on_gradients: where the sites are not in the graph themselves, takes a
    function that backward will tell the gradients by them, name -> (time, batch, hidden).
    """

    output: Float[Tensor, "time batch projected"]
    state: tuple[Float[Tensor, "batch hidden"], ...]
    sites: Mapping[str, Sequence[Float[Tensor, "batch hidden"]]] | None
    on_gradients: Callable[[Listener], None] | None = None
