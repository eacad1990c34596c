"""A cell with other activation functions.

    i = a(W_i·x + U_i·h + b_i)      gates: every gate but the candidate
    g = b(W_g·x + U_g·h + b_g)      candidate: g of an LSTM, n of a GRU or an RNN
    h′ = o ⊙ k(c′)                  output: what the exposed cell state goes through

In place of σ, tanh and tanh, any of byhand.cells.activations with its numbers: a straight line is cheap (the hard sigmoid), a ReLU
does not saturate. The site of another output activation is called squashed_c, not tanh_c.

>>> from byhand.cells import lstm
>>> cell = with_activations(lstm, gates="hard_sigmoid(0.2, 0.5)", output="relu")
>>> cell
with_activations(lstm, gates='hard_sigmoid(0.2, 0.5)', output='relu')
>>> cell.worked({"i": 0.62, "f": 1.62, "g": -0.32, "o": 0.59}, c=1.0)
{'i': 0.624, 'f': 0.824, 'g': -0.3095, 'o': 0.618, 'c': 0.6309, 'squashed_c': 0.6309, 'h': 0.3899}

The operators LSTM, GRU and RNN of ONNX have them (activations f, g, h), and the layers of Keras (recurrent_activation, activation), whose
hard sigmoid is, from Keras 3 on, hard_sigmoid(0.16666666666666666, 0.5).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from byhand.cells import graph as graphs
from byhand.cells.activations import Activation, read
from byhand.cells.gate_sums import site_of_gate
from byhand.cells.rewrite import activated, changed, require_cell, require_site

if TYPE_CHECKING:
    from torch import fx

    from byhand.cells.cell import Cell

CANDIDATES = ("g", "n")  # as this package calls the gate that holds the candidate
OUTPUTS = {"tanh_c": "squashed_c", "squashed_c": "squashed_c"}  # site -> its name with another activation


@dataclass(frozen=True)
class Activate:
    """Another activation function at a site, which has another name from then on, if one is given."""

    site: str
    activation: Activation
    renamed: str

    def __call__(self, graph: fx.Graph, cell: Cell) -> None:
        node = graphs.sites(graph)[self.site]
        inner = activated(cell, self.site, node)
        with graph.inserting_before(node):
            new = graph.call_function(self.activation.function, (inner, *self.activation.numbers))
        node.replace_all_uses_with(new)
        graphs.rename_site(graph, self.site, self.renamed)


def with_activations(
    cell: Cell,
    *,
    gates: str | Activation | None = None,
    candidate: str | Activation | None = None,
    output: str | Activation | None = None,
) -> Cell:
    """Return `cell` with other activation functions, each one out of byhand.cells.activations.

    Args:
        cell: an elementwise cell, such as lstm, peephole, gru or rnn.
        gates: in place of the sigmoid of every gate but the candidate, such as "hard_sigmoid(0.2, 0.5)"; as it is if not given.
        candidate: in place of the tanh of the candidate (gate g or n), such as "relu"; as it is if not given.
        output: in place of the tanh of the exposed cell state (site tanh_c), such as "identity"; as it is if not given.

    Returns:
        The cell, under a name that byhand.cells.names reads back.

    Raises:
        TypeError: `cell` is no cell, or an activation neither a text nor an Activation.
        ValueError: no such activation, none given, or the cell has no such part, or one that is not one activation function.
    """
    require_cell(cell, "with_activations")
    given = {"gates": gates, "candidate": candidate, "output": output}
    chosen = {part: read(one) for part, one in given.items() if one is not None}
    if not chosen:
        raise ValueError(
            "with_activations expected another activation, got none: write with_activations(cell, gates='hard_sigmoid')"
        )
    name = f"with_activations({cell.name}, {', '.join(f'{part}={str(one)!r}' for part, one in chosen.items())})"
    made = cell
    for part, activation in chosen.items():
        for site in sites_of_part(cell, part):
            renamed = OUTPUTS[site] if part == "output" and activation.name != "tanh" else site
            made = changed(made, Activate(site, activation, renamed), name)
    labels = {OUTPUTS.get(site, site): label for site, label in cell.labels.items()} if "output" in chosen else cell.labels
    return replace(made, name=name, labels=labels)


def sites_of_part(cell: Cell, part: str) -> list[str]:
    """The sites of the cell's gates, candidate or output. ValueError if it has none."""
    if part == "output":
        found = [site for site in OUTPUTS if site in cell.sites]
        if not found:
            require_site(cell, "tanh_c", "with_activations(output=...)")
        return found
    wanted = [gate for gate in cell.gates if (gate in CANDIDATES) == (part == "candidate")]
    if not wanted:
        kind = "a gate 'g' or 'n'" if part == "candidate" else "gates beside its candidate"
        raise ValueError(
            f"with_activations({part}=...) expected a cell with {kind}, got {cell.name!r}, which has {cell.gates!r}"
        )
    try:
        return [site_of_gate(cell, gate) for gate in wanted]
    except ValueError as problem:
        raise ValueError(f"with_activations({part}=...) cannot be made of {cell.name!r}: {problem}") from None
