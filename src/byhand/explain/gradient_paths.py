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

from byhand.engine.names import is_reverse, join
from byhand.engine.observe import active
from byhand.explain.additive import additive_states, direct_sites, reads_itself
from byhand.explain.calls import joined
from byhand.explain.execution import Watched, differentiable, differentiable_inputs, function, run, same_random_numbers, scalar
from byhand.explain.lookup import name_of
from byhand.explain.progress import progress
from byhand.nn import LSTMCell
from byhand.trace.edit import edit
from byhand.trace.layers import layers, places
from byhand.trace.record import record
from byhand.trace.run import Run, steps_of, unknown

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

    from byhand.cells import Cell

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


def gradient_paths(
    model: nn.Module, x: Any, target: Target, *, places: Sequence[str] | None = None, call: int | None = None
) -> dict[str, Paths]:
    """The gradient of target(model(x)) by a memory at every step, split by the way that it came.

    The model runs once for each place and once more.

    Args:
        model: any module with byhand layers inside.
        x: its input: a tuple for several arguments, a mapping for named ones.
        target: a function of the model's output that gives one number.
        places: as in ["l0"] or ["decoder.l0"]; all that the model calls if not given.
        call: only this call of each place, counted from 0. If not given, the calls of a layer that is called several times stand one
            after the other along time.

    Returns:
        Name of a memory, as in "l0.c", -> its paths.

    Raises:
        TypeError: an argument is of the wrong type, or `target` gives no tensor.
        ValueError: there is no byhand layer, the model calls none, or its calls differ in batch size; `target` does not give
            one finite number with a gradient; or the paths of a cell cannot be held apart.
        IndexError: there is no such call.
        UnknownSiteError: there is no such place.
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
    states = {place: main_state(cells[place]) for place in wanted}
    found = {}
    with progress("gradient_paths") as tell:
        whole = gradients(model, x, target, states, seed, call, every=places is not None)
        for done, (place, (total, by_output, seen)) in enumerate(whole.items(), 1):
            tell(done, len(whole) + 1)
            if cuts[place]:
                held: dict[str, Any] = dict.fromkeys(cuts[place], constant)
                with edit(model, held):
                    along = gradients(model, x, target, {place: states[place]}, seed, call)[place].by_state
            else:
                along = read_at_once(total, by_output, seen, cells[place].name, place)
            found[name_of(place, states[place])] = Paths(total, along, total - along, seen.valid, cells[place].name)
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


class Gradients(NamedTuple):
    """By a state at every step, and by what the layer handed on, call by call; and the calls themselves, joined along time."""

    by_state: Float[Tensor, "time batch hidden"]
    by_output: list[Tensor]
    run: Run


def gradients(
    model: nn.Module,
    x: Any,
    target: Target,
    states: Mapping[str, str],
    seed: int,
    call: int | None,
    *,
    every: bool = True,
) -> dict[str, Gradients]:
    """A run of the model, and the gradients by these states; without `every`, only of the places that it calls."""
    names = [name_of(place, state) for place, state in states.items()]
    paths = layers(model, "gradient_paths")
    watched = Watched(paths)
    with torch.enable_grad(), same_random_numbers(seed), record(model, names, detach=False) as trace:
        with active(watched), differentiable_inputs(paths):
            loss = scalar(target(run(model, differentiable(x))), "gradient_paths", "target")
        called = [place for place in states if every or place in trace.runs]
        if not called:
            raise ValueError("gradient_paths found that the model calls none of its byhand layers on this input")
        runs = {place: joined(place, trace.runs.get(place, []), call, "gradient_paths") for place in called}
        steps = {place: list(steps_of(runs[place].sites[states[place]])) for place in called}
        asked = [step for place in called for step in (*steps[place], *watched.outputs[place])]
        given = iter(torch.autograd.grad(loss, asked, allow_unused=True, materialize_grads=True))
        return {
            place: Gradients(
                torch.stack([next(given) for _ in steps[place]]), [next(given) for _ in watched.outputs[place]], runs[place]
            )
            for place in called
        }


def read_at_once(total: Tensor, by_output: Sequence[Tensor], run: Run, cell: str, place: str) -> Tensor:
    """For a state without a path of its own: what is read at t itself; at the last step that is all. ValueError for several calls."""
    if len(by_output) > 1:
        raise ValueError(
            f"gradient_paths cannot part the paths of cell {cell!r} at {place or 'the layer'}: it is called {len(by_output)} times, so that"
            " what its next step reads goes outside; call it once with the whole sequence"
        )
    valid = run.valid
    none = torch.zeros_like(valid[:1])
    following = torch.cat([none, valid[:-1]]) if is_reverse(place) else torch.cat([valid[1:], none])
    return torch.where((valid & ~following).unsqueeze(-1), total, torch.where(valid.unsqueeze(-1), by_output[0], 0.0))
