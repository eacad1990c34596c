"""record: see every value of every step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from byhand.engine.names import join
from byhand.engine.observe import EditFunction, active
from byhand.nn import LSTMCell
from byhand.trace import Trace
from byhand.trace import trace as traces
from byhand.trace.layers import layers, names
from byhand.trace.run import Run, steps_of, unknown

if TYPE_CHECKING:
    from byhand.engine.call import Call, Result


class Recorder:
    """The observer behind record."""

    reads = True

    def __init__(
        self, paths: Mapping[nn.Module, str], patterns: Sequence[str] | None, *, gradients: bool, detach: bool
    ) -> None:
        self.paths, self.patterns, self.gradients, self.detach = paths, patterns, gradients, detach
        self.in_graph = not detach
        self.trace = Trace()
        self.single = {path for module, path in paths.items() if isinstance(module, LSTMCell)}

    def edits(self, place: str) -> Mapping[str, EditFunction]:
        return {}

    def observe(self, place: str, call: Call, result: Result) -> None:
        """Keep a call. A single cell's calls are the steps of one."""
        run = self.run_of(place, call, result)
        runs = self.trace.runs.setdefault(place, [])
        if place in self.single and runs and runs[-1].input.shape[1] == run.input.shape[1]:
            runs[-1] = traces.join(place, [runs[-1], run])
        else:
            runs.append(run)

    def run_of(self, place: str, call: Call, result: Result) -> Run:
        assert result.sites is not None
        sites: dict[str, Tensor | Sequence[Tensor]] = {
            site: list(values) for site, values in result.sites.items() if self.wants(join(place, site))
        }
        grads = self.watch(sites, result) if self.gradients else None
        dtype = call.weights.input.dtype  # of a layer in low precision; its sites may have been computed in a higher one
        if dtype not in (torch.float32, torch.float64):
            sites = {site: [step.to(dtype) for step in steps] for site, steps in sites.items()}
        valid = call.valid if call.valid is not None else call.input.new_ones(call.input.shape[:2], dtype=torch.bool)
        initial = dict(zip(call.cell.state, call.state, strict=True))
        run = Run(call.cell.name, call.input, valid, initial, sites, grads, restart=restart(call))
        return traces.detach(run) if self.detach else run

    def watch(self, sites: Mapping[str, Tensor | Sequence[Tensor]], result: Result) -> dict[str, list[Tensor | None]]:
        """Lists that backward fills with the gradients of each step."""
        if result.on_gradients is None:
            return {site: watch(steps_of(steps)) for site, steps in sites.items()}
        grads: dict[str, list[Tensor | None]] = {site: [None] * len(steps) for site, steps in sites.items()}

        def listen(by_site: Mapping[str, Tensor]) -> None:
            for site, so_far in grads.items():
                new = by_site[site].unbind(0)
                so_far[:] = [grad if old is None else old + grad for old, grad in zip(so_far, new, strict=True)]

        result.on_gradients(listen)
        return grads

    def wants(self, name: str) -> bool:
        return self.patterns is None or any(fnmatchcase(name, pattern) for pattern in self.patterns)


def restart(call: Call) -> dict[str, Tensor]:
    """State -> what each step starts again with, NaN where it goes on; empty where no sequence starts again."""
    if call.cut is None:
        return {}
    cut = call.cut.unsqueeze(-1)
    return {state: torch.where(cut, value, torch.nan) for state, value in zip(call.cell.state, call.restart, strict=True)}


def watch(steps: Sequence[Tensor]) -> list[Tensor | None]:
    """A list that backward fills with the gradient of each step."""
    grads: list[Tensor | None] = [None] * len(steps)

    def arrived(time: int) -> Callable[[Tensor], None]:
        def add(grad: Tensor) -> None:
            so_far = grads[time]
            grads[time] = grad.detach() if so_far is None else so_far + grad.detach()

        return add

    for time, step in enumerate(steps):
        if step.requires_grad:
            step.register_hook(arrived(time))
    return grads


@contextmanager
def record(
    model: nn.Module, sites: Sequence[str] | None = None, *, gradients: bool = False, detach: bool = True
) -> Iterator[Trace]:
    """Record every value of every step, of every byhand.LSTM and LSTMCell inside.

    The results of the model are bit for bit what they are without.

    Args:
        model: any module with byhand layers inside.
        sites: patterns of names, as in ["*.c", "l0.f"]; all if not given.
        gradients: whether trace.grad holds the gradient by each value, after backward.
        detach: False keeps the values in the graph, so that a loss can be made of them; then the reference engine runs.

    Yields:
        The Trace, which fills as the model runs.

    Raises:
        TypeError: `model` is no module, or `sites` is a string.
        ValueError: there is no byhand layer in the model.
        UnknownSiteError: a pattern matches no name.
        RuntimeError: `gradients` inside torch.no_grad().
    """
    paths = layers(model, "record")
    known = names(paths)
    if isinstance(sites, str):
        raise TypeError(f"record expected a list of names or patterns, got {sites!r}: write [{sites!r}]")
    for pattern in sites or ():
        if not any(fnmatchcase(name, pattern) for name in known):
            raise unknown("record", pattern, known)
    if gradients and not torch.is_grad_enabled():
        raise RuntimeError("record(gradients=True) expected gradients to be on, got torch.no_grad() around it")
    recorder = Recorder(paths, sites, gradients=gradients, detach=detach)
    with active(recorder):
        yield recorder.trace
