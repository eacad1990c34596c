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

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from byhand.explain.places import inside, name_of
from byhand.explain.running import differentiable, run, same_random_numbers
from byhand.nn import LSTM
from byhand.record import record
from byhand.scope import join
from byhand.sites import layers, names, places
from byhand.trace import Trace, steps_of, unknown

if TYPE_CHECKING:
    from jaxtyping import Float

AT_ONCE = 16  # units whose derivatives are held in memory together


@dataclass(frozen=True, eq=False)
class Connectivity:
    """How strongly a state at one time listens to the layer's inputs of every time.

    values: for every step and input feature. name: of the state, "l0.c"; at: its time; unit: None for all; item: the sequence.
    """

    values: Float[Tensor, "time input"]
    name: str
    at: int
    unit: int | None
    item: int

    def over_time(self) -> Float[Tensor, " time"]:
        """All features of a step together, Euclidean."""
        return self.values.norm(dim=-1)


def connectivity(
    model: nn.Module, x: Any, *, at: int, site: str | None = None, unit: int | None = None, item: int = 0
) -> Connectivity:
    """Which inputs a state at time `at` listens to.

    x: the model's input, a tuple for several arguments. site: the state, or any other value of a layer, as in "l0.c"; of the first
    layer the long memory if not given. unit: one of its units; all if not given. item: the sequence of the batch. The inputs are those
    of the first layer of the byhand.LSTM that the site is in, after an embedding if there is one. TypeError, ValueError, IndexError,
    UnknownSiteError.
    """
    paths = layers(model, "connectivity")
    site = default_site(model) if site is None else site
    if site not in names(paths):
        raise unknown("connectivity", site, names(paths))
    place = site.rpartition(".")[0]
    first = first_place(paths, place)
    seed = int(torch.empty((), dtype=torch.int64).random_().item()) if model.training else 0
    with torch.enable_grad(), same_random_numbers(seed), record(model, [site], detach=False) as trace:
        run(model, differentiable(x))
        return listening(trace, site, first, at, unit, item)


def default_site(model: nn.Module) -> str:
    module, path = next(iter(layers(model, "connectivity").items()))
    assert hasattr(module, "cell")
    state = "c" if "c" in module.cell.state else module.cell.state[0]  # type: ignore[union-attr, operator]
    return name_of(join(path, places(module)[0]), state)  # type: ignore[arg-type]


def first_place(paths: dict[nn.Module, str], place: str) -> str:
    """Where the inputs of a place's stack come in. ValueError for a single cell, which sees one step at a time."""
    for module, path in paths.items():
        if isinstance(module, LSTM) and place in [join(path, one) for one in module.places]:
            return join(path, module.places[0])
    raise ValueError(
        f"connectivity expected a site of a byhand.LSTM, got one of {place or 'an LSTMCell'}, which sees single steps"
    )


def listening(trace: Trace, site: str, first: str, at: int, unit: int | None, item: int) -> Connectivity:
    steps = steps_of(trace.run(site.rpartition(".")[0]).sites[site.rpartition(".")[2]])
    x = trace.run(first).input
    batch, width = steps[0].shape
    at, item = inside(at, len(steps), "at", "connectivity"), inside(item, batch, "item", "connectivity")
    unit = None if unit is None else inside(unit, width, "unit", "connectivity")
    if not bool(trace.valid(first)[at, item]):
        raise IndexError(f"sequence {item} has ended before time {at}")
    if not x.requires_grad:
        raise ValueError(
            "connectivity found no gradient by the layer's input: a model must not detach it, nor hold an embedding frozen"
        )
    state = steps[at][item]
    if not bool(state.isfinite().all()):
        raise ValueError(
            f"connectivity found {site} at time {at} not finite, and so all that leads there: see byhand.check_finite"
        )
    wanted = torch.eye(width, dtype=state.dtype, device=state.device)
    wanted = wanted if unit is None else wanted[unit].unsqueeze(0)
    squares = torch.zeros_like(x[:, item])
    for part in wanted.split(AT_ONCE):
        # (∂s_t[k] / ∂x_s[j])² for some k, then their sum
        (by_input,) = torch.autograd.grad(state, x, part, retain_graph=True, is_grads_batched=True, allow_unused=True)
        squares = squares + (0.0 if by_input is None else by_input[:, :, item].square().sum(0))
    return Connectivity(squares.sqrt(), site, at, unit, item)
