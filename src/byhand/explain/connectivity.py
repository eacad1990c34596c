"""Connectivity: which inputs a memory listens to.

    strength(s, j) = √(Σ_k (∂s_t[k] / ∂x_s[j])²)

how much the state at time t, over all units k (or one), would move with input feature j of step s. Along time it shows how far back
a state reaches, and where a gate lost what came before. A derivative at one point, not an experiment: for that see ablation.

The gradient of single units by their inputs, as maps of what they respond to: Simonyan, Vedaldi & Zisserman, Deep Inside
Convolutional Networks, arXiv 1312.6034, 2013; for the memory over long contexts as "connectivity": Madsen, Visualizing memorization in
RNNs, Distill 2019.

A unit that keeps all, its input gate at ½ and its candidate the tanh of the input: every zero counts alike.

>>> import byhand
>>> layer = byhand.LSTM(1, 1, dtype=torch.float64)
>>> _ = layer.weight_ih_l0.data.fill_(1.0), layer.weight_hh_l0.data.zero_(), layer.bias_ih_l0.data.zero_(), layer.bias_hh_l0.data.zero_()
>>> with byhand.edit(layer, {"l0.f": 1.0, "l0.i": 0.5}):
...     connectivity(layer, torch.zeros(3, 1, 1, dtype=torch.float64), at=1).values.flatten().tolist()
[0.5, 0.5, 0.0]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from byhand.engine.names import join
from byhand.engine.observe import active
from byhand.explain.calls import joined
from byhand.explain.execution import Watched, differentiable, differentiable_inputs, run, same_random_numbers
from byhand.explain.lookup import inside, name_of
from byhand.explain.progress import progress
from byhand.explain.renaming import renamed
from byhand.trace import Trace
from byhand.trace.layers import layers, names, places
from byhand.trace.record import record
from byhand.trace.run import Run, steps_of, unknown

if TYPE_CHECKING:
    from jaxtyping import Float

AT_ONCE = 16  # units whose derivatives are held in memory together


@dataclass(frozen=True, eq=False)
class Connectivity:
    """How strongly a state at one time listens to the layer's inputs of every time.

    Attributes:
        values: the strength for every step and input feature.
        name: the state's name, as in "l0.c".
        at: the state's time.
        unit: the unit; None: all together.
        item: the sequence of the batch.
    """

    values: Float[Tensor, "time input"]
    name: str
    at: int
    unit: int | None
    item: int

    def over_time(self) -> Float[Tensor, " time"]:
        """All features of a step together, Euclidean."""
        return self.values.norm(dim=-1)


@renamed(item="batch")
def connectivity(
    model: nn.Module,
    x: Any,
    *,
    at: int,
    site: str | None = None,
    unit: int | None = None,
    batch: int = 0,
    call: int | None = None,
) -> Connectivity:
    """Find which inputs a state at time `at` listens to.

    The inputs are those of the first layer of the byhand.LSTM that the site is in, after an embedding if there is one; of an LSTMCell,
    its own. Where a model hands outputs back in, as a decoder does, what follows from that counts.

    Args:
        model: any module with byhand layers inside.
        x: its input: a tuple for several arguments, a mapping for named ones.
        at: the time. The calls of a layer that is called several times stand one after the other along time.
        site: the state, or any other value of a layer, as in "l0.c" or "decoder.l0.c"; the long memory of the first layer if not given.
        unit: one of its units; all if not given.
        batch: which of its sequences.
        call: only this call of the layer, counted from 0.

    Returns:
        The strength of every input feature at every step.

    Raises:
        TypeError: `model` is no module.
        ValueError: there is no byhand layer, the model does not call this one, its calls differ in batch size, or the state is
            not finite.
        IndexError: there is no such time, unit, sequence or call, or the sequence has ended before.
        UnknownSiteError: there is no such site.
    """
    paths = layers(model, "connectivity")
    site = default_site(model) if site is None else site
    if site not in names(paths):
        raise unknown("connectivity", site, names(paths))
    module, first = stack_of(paths, site.rpartition(".")[0])
    seed = int(torch.empty((), dtype=torch.int64).random_().item()) if model.training else 0
    watched = Watched({module: paths[module]})
    with (
        progress("connectivity", "derivatives") as tell,
        torch.enable_grad(),
        same_random_numbers(seed),
        record(model, [site], detach=False) as trace,
    ):
        with active(watched), differentiable_inputs([module]):
            run(model, differentiable(x))
        return listening(trace, site, watched.inputs.get(first, []), at, unit, batch, call, tell)


def default_site(model: nn.Module) -> str:
    module, path = next(iter(layers(model, "connectivity").items()))
    assert hasattr(module, "cell")
    state = "c" if "c" in module.cell.state else module.cell.state[0]  # type: ignore[union-attr, operator]
    return name_of(join(path, places(module)[0]), state)  # type: ignore[arg-type]


def stack_of(paths: dict[nn.Module, str], place: str) -> tuple[nn.Module, str]:
    """The module that a place is in, and the place where its inputs come in."""
    return next(
        (module, join(path, places(module)[0]))  # type: ignore[arg-type]
        for module, path in paths.items()
        if place in [join(path, one) for one in places(module)]  # type: ignore[arg-type]
    )


def listening(
    trace: Trace,
    site: str,
    inputs: Sequence[Tensor],
    at: int,
    unit: int | None,
    item: int,
    call: int | None,
    tell: Callable[[int, int], None],
) -> Connectivity:
    place, _, name = site.rpartition(".")
    runs = trace.runs.get(place, [])
    seen = joined(place, runs, call, "connectivity")
    inputs = inputs if call is None else of_call(inputs, runs, call)
    steps = steps_of(seen.sites[name])
    batch, width = steps[0].shape
    at, item = inside(at, len(steps), "at", "connectivity"), inside(item, batch, "item", "connectivity")
    unit = None if unit is None else inside(unit, width, "unit", "connectivity")
    if not bool(seen.valid[at, item]):
        raise IndexError(f"sequence {item} has ended before time {at}")
    state = steps[at][item]
    if not bool(state.isfinite().all()):
        raise ValueError(
            f"connectivity found {site} at time {at} not finite, and so all that leads there: see byhand.check_finite"
        )
    wanted = torch.eye(width, dtype=state.dtype, device=state.device)
    wanted = wanted if unit is None else wanted[unit].unsqueeze(0)
    squares = [torch.zeros_like(x[:, item]) for x in inputs]
    parts = wanted.split(AT_ONCE)
    for done, part in enumerate(parts, 1):
        # (∂s_t[k] / ∂x_s[j])² for some k, then their sum
        by_inputs = torch.autograd.grad(state, inputs, part, retain_graph=True, is_grads_batched=True, allow_unused=True)
        for number, by_input in enumerate(by_inputs):
            squares[number] += 0.0 if by_input is None else by_input[:, :, item].square().sum(0)
        tell(done, len(parts))
    return Connectivity(torch.cat(squares).sqrt(), site, at, unit, item)


def of_call(inputs: Sequence[Tensor], runs: Sequence[Run], call: int) -> list[Tensor]:
    """The inputs of one run: of a single cell, those of its steps."""
    call %= len(runs)
    start = sum(len(run.valid) for run in runs[:call])
    times = list(accumulate(map(len, inputs), initial=0))
    return [x for x, time in zip(inputs, times, strict=False) if start <= time < start + len(runs[call].valid)]
