"""Which cells ONNX's LSTM, GRU and RNN hold exactly, and how: order of gates, activations, clip, coupled gates, peepholes.

    lstm, peephole             LSTM, rows i o f g, P in the order i o f
    coupled_input(...)         LSTM with input_forget=1: its f is 1 − i, and what stands in f's rows is not read
    cifg                       the same with the rows of f, their sign changed, in the place of i: 1 − σ(v) = σ(−v), to a rounding
    gru                        GRU with linear_before_reset=1, rows z r n
    gru_reset_before           GRU with linear_before_reset=0
    rnn                        RNN
    with other activations     where all gates have one, and ONNX knows it: `activations`, alpha and beta; none at all is Affine(1, 0)
    clipped(...)               `clip`, as onnxruntime computes it: the sums of the gates

ONNX 1.23, operators LSTM, GRU and RNN; what runtimes make of them: docs/onnx.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch

from byhand import cells
from byhand.cells.activations import Activation
from byhand.cells.clipped import Clip
from byhand.cells.coupled_input import Couple
from byhand.cells.rewrite import Bypass, Rewritten
from byhand.cells.with_activations import Activate

if TYPE_CHECKING:
    from torch import Tensor

    from byhand.cells import Cell
    from byhand.engine.call import Weights

SIGMOID, TANH, IDENTITY = Activation("sigmoid"), Activation("tanh"), Activation("identity")
DECIDING = (
    "step",
    "gates",
    "state",
    "recurrent",
    "vectors",
    "noise",
    "shared",
    "biases",
    "inner",
)  # what a cell computes; not its words


@dataclass(frozen=True)
class Operator:
    """An operator that holds a cell.

    Args:
        kind: LSTM, GRU or RNN.
        rows: for each block of the operator's rows the cell's gate; none, where the operator does not read them.
        sites: site -> its activation.
        functions: for each of the operator's activations, in order, the sites that share it.
        vectors: the cell's vectors in the order of P.
        negated: whether gates stand there with their sign changed.
        further: other attributes.
    """

    kind: str
    rows: tuple[str | None, ...]
    sites: Mapping[str, Activation]
    functions: tuple[tuple[str, ...], ...]
    vectors: tuple[str | None, ...] = ()
    negated: tuple[str, ...] = ()
    further: Mapping[str, Any] = field(default_factory=dict)

    def blocks(self, cell: Cell, value: Tensor | None) -> Tensor | None:
        """A weight or bias of all gates, in the operator's order of rows."""
        if value is None:
            return None
        named = dict(zip(cell.gates, value.chunk(len(cell.gates)), strict=True))
        found = [torch.zeros_like(next(iter(named.values()))) if one is None else named[one] for one in self.rows]
        return torch.cat([-part if one in self.negated else part for one, part in zip(self.rows, found, strict=True)])

    def biases(self, cell: Cell, weights: Weights) -> Tensor | None:
        """B: the biases of W·x, then those of U·h; None if there is neither."""
        parts = [self.blocks(cell, one) for one in (weights.bias_input, weights.bias_recurrent)]
        like = next((one for one in parts if one is not None), None)
        return None if like is None else torch.cat([torch.zeros_like(like) if one is None else one for one in parts])

    def peepholes(self, cell: Cell, vectors: Sequence[Tensor]) -> Tensor | None:
        """P; None if the operator needs none."""
        if not self.vectors:
            return None
        named = dict(zip(cell.vectors, vectors, strict=True))
        zeros = torch.zeros_like(next(iter(named.values())))
        return torch.cat([zeros if one is None else named[one] for one in self.vectors])

    def attributes(self, directions: int) -> dict[str, Any]:
        """Those of the node, but for sizes and direction; activations only where they are not ONNX's own."""
        chosen = [self.sites[sites[0]] for sites in self.functions]
        usual = [TANH] if self.kind == "RNN" else [SIGMOID, TANH, TANH][: len(chosen)]
        if chosen == usual:
            return dict(self.further)
        named = [one.onnx for one in chosen] * directions
        alpha, beta = ([numbers[place] for _, numbers in named if len(numbers) > place] for place in (0, 1))
        given = {"activations": [name for name, _ in named], "activation_alpha": alpha, "activation_beta": beta}
        return {name: value for name, value in given.items() if value} | dict(self.further)


LSTM_SITES = {"i": SIGMOID, "f": SIGMOID, "o": SIGMOID, "g": TANH, "tanh_c": TANH}
GRU_SITES = {"r": SIGMOID, "z": SIGMOID, "n": TANH}
COUPLED = (("i", "o"), ("g",), ("tanh_c",))
LSTM = Operator("LSTM", ("i", "o", "f", "g"), LSTM_SITES, (("i", "f", "o"), ("g",), ("tanh_c",)))
GRU = Operator("GRU", ("z", "r", "n"), GRU_SITES, (("r", "z"), ("n",)))
BASES: tuple[tuple[Cell, Operator], ...] = (
    (cells.lstm, LSTM),
    (cells.peephole, replace(LSTM, vectors=("p_i", "p_o", "p_f"))),
    (
        cells.cifg,
        replace(
            LSTM, rows=("f", "o", None, "g"), functions=(("f", "o"), *COUPLED[1:]), negated=("f",), further={"input_forget": 1}
        ),
    ),
    (cells.gru, replace(GRU, further={"linear_before_reset": 1})),
    (cells.gru_reset_before, replace(GRU, further={"linear_before_reset": 0})),
    (cells.rnn, Operator("RNN", ("n",), {"h": TANH}, (("h",),))),
)


def operator_of(cell: Cell) -> Operator | None:
    """The operator that computes the cell; None if there is none."""
    found = _matched(cell)
    if found is None or any(found.sites[one] != found.sites[sites[0]] for sites in found.functions for one in sites):
        return None
    if found.negated and found.sites[found.negated[0]] != SIGMOID:  # 1 − f(v) = f(−v) of the sigmoid only
        return None
    return found


def _matched(cell: Cell) -> Operator | None:
    """The operator of a cell of ours, or of the cell that it was made from, changed as that was."""
    for base, operator in BASES:
        if all(getattr(cell, name) == getattr(base, name) for name in DECIDING):
            return operator
    if not isinstance(cell.step, Rewritten):
        return None
    before = _matched(cell.step.cell)
    return None if before is None else _changed(before, cell.step.change)


def _changed(operator: Operator, change: object) -> Operator | None:
    match change:
        case Activate(site, activation, renamed) if site in operator.sites:
            return with_site(operator, site, activation, renamed)
        case Bypass(site) if site in operator.sites:
            return with_site(operator, site, IDENTITY, site)
        case Clip(limit) if "clip" not in operator.further:
            return replace(operator, further={**operator.further, "clip": limit})
        case Couple() if operator.kind == "LSTM" and not operator.negated:
            vectors = tuple(None if one == "p_f" else one for one in operator.vectors)
            further = {**operator.further, "input_forget": 1}
            functions = (("i", "o"), *operator.functions[1:])
            return replace(operator, rows=("i", "o", None, "g"), functions=functions, vectors=vectors, further=further)
    return None


def with_site(operator: Operator, site: str, activation: Activation, renamed: str) -> Operator:
    """With another activation at a site, which has another name from then on."""
    sites = {renamed if one == site else one: activation if one == site else was for one, was in operator.sites.items()}
    functions = tuple(tuple(renamed if one == site else one for one in shared) for shared in operator.functions)
    return replace(operator, sites=sites, functions=functions)
