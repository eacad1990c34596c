"""Gradient paths: what reaches every step's memory, along the memory itself and through the gates.

The gradient of a loss L by the memory c_t is a sum over all paths from c_t to L. Held apart are the paths that never enter a gate:

    along_t = (∂h_t/∂c_t)|gates · ∂L/∂h_t|readout + f_{t+1} ⊙ along_{t+1}      along the memory: the constant error carousel
    gates_t = dL/dc_t − along_t                                                 through at least one gate or candidate

where "|gates" holds gates and candidates constant, and "|readout" counts what leaves the layer at t, not what its own next step
reads. `along` is the gradient of Hochreiter & Schmidhuber's truncated learning; with f = 1 it reaches any step undiminished. Where
the recurrent weights are 0, nothing goes through the gates. A state with no such path, as the plain RNN's, has in `along` only what
is read at t itself.

Computed as two gradients, of the model as it is and of the model with gates and candidates of one place taken as constants.

Hochreiter & Schmidhuber, Long Short-Term Memory, Neural Computation 9(8), 1997.

One unit whose gates do not read the short memory, f = ½ throughout: every step back halves what the last one gets.

>>> import byhand
>>> layer = byhand.LSTM(1, 1, dtype=torch.float64)
>>> _ = layer.weight_hh_l0.data.zero_()
>>> with byhand.edit(layer, {"l0.f": 0.5}):
...     found = gradient_paths(layer, torch.ones(3, 1, 1, dtype=torch.float64), lambda output: output[1][1].sum())
>>> found["l0.c"].along.flatten().tolist(), found["l0.c"].gates.flatten().tolist()
([0.25, 0.5, 1.0], [0.0, 0.0, 0.0])
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from byhand.edits import edit
from byhand.explain.additive import additive_states, direct_sites, reads_itself
from byhand.explain.places import is_reverse, name_of
from byhand.explain.running import differentiable, function, run, same_random_numbers, scalar
from byhand.nn import LSTMCell
from byhand.record import record
from byhand.scope import EditFunction, join, opened
from byhand.sites import layers, places
from byhand.trace import Trace, steps_of, unknown

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

    from byhand.cells import Cell
    from byhand.engine.call import Call, Result

    Target = Callable[[Any], Tensor]


class Norms(NamedTuple):
    """Euclidean, over the units."""

    total: Float[Tensor, "time batch"]
    along: Float[Tensor, "time batch"]
    gates: Float[Tensor, "time batch"]


@dataclass(frozen=True, eq=False)
class Paths:
    """total = along + gates, the gradient by a memory; 0 where a sequence has ended. Times are the caller's."""

    total: Float[Tensor, "time batch hidden"]
    along: Float[Tensor, "time batch hidden"]
    gates: Float[Tensor, "time batch hidden"]
    valid: Bool[Tensor, "time batch"]
    cell: str

    def norms(self) -> Norms:
        """How much reaches each step. NaN where a sequence has ended."""
        sizes = (torch.where(self.valid, part.norm(dim=-1), torch.nan) for part in (self.total, self.along, self.gates))
        return Norms(*sizes)


def gradient_paths(model: nn.Module, x: Any, target: Target, *, places: Sequence[str] | None = None) -> dict[str, Paths]:
    """Name of a memory, as in "l0.c", -> the gradient of target(model(x)) by it at every step, split by where it came along.

    x: the model's input, a tuple for several arguments. target: a function of the model's output that gives one number. places: as
    in ["l0"], all if not given. The model runs once for each place and once more. TypeError, ValueError, UnknownSiteError; LookupError
    if a layer is called several times.
    """
    cells = cells_of(model)
    function(target, "gradient_paths", "target")
    if isinstance(places, str):
        raise TypeError(f"gradient_paths expected a list of places, got {places!r}: write [{places!r}]")
    for place in places or ():
        if place not in cells:
            raise unknown("gradient_paths", place, list(cells))
    wanted = list(cells) if places is None else list(places)
    cuts = {place: cut(model, place, cells[place]) for place in wanted}
    seed = int(torch.empty((), dtype=torch.int64).random_().item()) if model.training else 0
    outputs = Outputs(layers(model, "gradient_paths"))
    with opened(outputs):
        trace, totals = gradients(model, x, target, {place: main_state(cells[place]) for place in wanted}, seed, outputs)
    found = {}
    for place in wanted:
        state = main_state(cells[place])
        if cuts[place]:
            held: dict[str, Any] = dict.fromkeys(cuts[place], constant)
            with edit(model, held):
                along = gradients(model, x, target, {place: state}, seed)[1][place]
        else:
            along = read_at_once(totals[place], outputs.gradients[place], trace.valid(place), reverse=is_reverse(place))
        name = name_of(place, state)
        found[name] = Paths(totals[place], along, totals[place] - along, trace.valid(place), cells[place].name)
    return found


def cells_of(model: nn.Module) -> dict[str, Cell]:
    return {
        join(path, place): module.cell  # type: ignore[misc]
        for module, path in layers(model, "gradient_paths").items()
        for place in places(module)  # type: ignore[arg-type]
    }


def main_state(cell: Cell) -> str:
    """The long memory, or the state that does its work."""
    return next(iter(additive_states(cell)), cell.state[0])


def cut(model: nn.Module, place: str, cell: Cell) -> list[str]:
    """The names of gates and candidates, to be held constant; none for a state that is read at once. ValueError if a cell has
    neither.
    """
    states = {main_state(cell), cell.state[0]}
    sites = direct_sites(cell)
    if not states & set(sites):
        own = [site for site in sites if site in cell.gates or site not in cell.state]
        return [name_of(place, site) for site in own]
    where = f"gradient_paths cannot part the paths of cell {cell.name!r} at {place or 'the layer'}"
    if cell.state[1:] or reads_itself(cell, cell.state[0]):
        raise ValueError(
            f"{where}: a state is made of pre-activations directly; give its gates and candidates sites of their own"
        )
    if any(isinstance(module, LSTMCell) and path == place for module, path in layers(model, "gradient_paths").items()):
        raise ValueError(f"{where}: it is an LSTMCell, whose steps are read and carried on outside; use a byhand.LSTM")
    return []


def constant(value: Tensor) -> Tensor:
    """The same numbers, where gradients arrive and end."""
    return value.detach().requires_grad_()


class Outputs:
    """A scope that keeps what layers hand on, and later its gradients."""

    reads, live = True, True

    def __init__(self, paths: Mapping[nn.Module, str]) -> None:
        self.paths = paths
        self.seen: dict[str, Tensor] = {}
        self.gradients: dict[str, Tensor] = {}

    def edits(self, place: str) -> Mapping[str, EditFunction]:
        return {}

    def see(self, place: str, call: Call, result: Result) -> None:
        self.seen[place] = result.output


def gradients(
    model: nn.Module, x: Any, target: Target, states: Mapping[str, str], seed: int, outputs: Outputs | None = None
) -> tuple[Trace, dict[str, Tensor]]:
    """A run of the model, and the gradients by these states."""
    names = [name_of(place, state) for place, state in states.items()]
    with torch.enable_grad(), same_random_numbers(seed), record(model, names, detach=False) as trace:
        loss = scalar(target(run(model, differentiable(x))), "gradient_paths", "target")
        steps = {place: list(steps_of(trace.run(place).sites[state])) for place, state in states.items()}
        seen = outputs.seen if outputs is not None else {}
        asked = [*(step for values in steps.values() for step in values), *seen.values()]
        given = iter(torch.autograd.grad(loss, asked, allow_unused=True, materialize_grads=True))
        by_state = {place: torch.stack([next(given) for _ in values]) for place, values in steps.items()}
    if outputs is not None:
        outputs.gradients = {place: next(given) for place in seen}
    return trace, by_state


def read_at_once(total: Tensor, by_output: Tensor, valid: Tensor, *, reverse: bool) -> Tensor:
    """For a state without a path of its own: what is read at t itself; at the last step that is all."""
    none = torch.zeros_like(valid[:1])
    following = torch.cat([none, valid[:-1]]) if reverse else torch.cat([valid[1:], none])
    return torch.where((valid & ~following).unsqueeze(-1), total, torch.where(valid.unsqueeze(-1), by_output, 0.0))
