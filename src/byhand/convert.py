"""convert: every torch.nn.LSTM inside a model becomes a byhand.LSTM, in place and with the same parameters; and back.

A module changes its class and stays the object that it was, so whatever refers to it or to its parameters (optimisers, hooks, ties,
other modules, parametrisations) goes on as before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn.utils import parametrize

from byhand import cells
from byhand.nn import LSTM, LSTMCell

if TYPE_CHECKING:
    from torch import Tensor

    from byhand.cells import Cell

# torch's class, ours, the cell, and what torch calls it
KINDS: tuple[tuple[type[nn.Module], type[nn.Module], Cell, str], ...] = (
    (nn.LSTM, LSTM, cells.lstm, "LSTM"),
    (nn.GRU, LSTM, cells.gru, "GRU"),
    (nn.LSTMCell, LSTMCell, cells.lstm, "LSTM"),
    (nn.GRUCell, LSTMCell, cells.gru, "GRU"),
)
TORCHS_OWN = ("_flat_weights", "_flat_weight_refs", "_flat_weights_names", "_all_weights", "mode")
OURS_ALONE = ("cell", "forget_bias", "learn_initial_state")


@dataclass(frozen=True)
class Converted:
    """One module. The differences are the greatest, on random input in eval mode, between what it gave before and what it gives
    now: in outputs and last states, and in the gradients by its input and parameters. NaN where it could not be run; `note` says why.
    """

    path: str
    was: str
    now: str
    dtype: torch.dtype
    parameters: int
    forward: float
    backward: float
    note: str = ""


@dataclass(frozen=True)
class Report:
    """What convert did. left: path -> why a module was left as it is."""

    modules: tuple[Converted, ...]
    left: dict[str, str]

    @property
    def max_difference(self) -> float:
        """The greatest difference of all, forward and backward; 0 if nothing was converted."""
        return max((value for one in self.modules for value in (one.forward, one.backward)), default=0.0)

    def __str__(self) -> str:
        rows = [("module", "was", "now", "dtype", "parameters", "forward", "backward", "")]
        for one in self.modules:
            dtype = str(one.dtype).removeprefix("torch.")
            differences = f"{one.forward:.1e}", f"{one.backward:.1e}"
            rows.append((one.path or "(itself)", one.was, one.now, dtype, str(one.parameters), *differences, one.note))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([*lines, *(f"{path or '(itself)'} left as it is: {why}" for path, why in self.left.items())])


def convert(model: nn.Module, *, back: bool = False) -> Report:
    """Swap every nn.LSTM, nn.GRU, nn.LSTMCell and nn.GRUCell inside for its byhand twin, in place; back=True the other way.

    Gives a report with the greatest differences, module by module. Subclasses of torch's layers with code of their own are left as they
    are and named in it. ValueError, and nothing is changed, if a byhand layer has no twin in torch (another cell, learnt first
    states); RuntimeError, and nothing is changed, if a module would compute something else than before.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"convert expected a module, got a {type(model).__name__}")
    plan, left = plan_back(model) if back else plan_there(model)
    done: list[tuple[nn.Module, type[nn.Module], dict[str, Any]]] = []
    modules = []
    try:
        for path, module, kind in plan:
            before, was, state = probe(module), type(module), dict(vars(module))
            done.append((module, was, state))
            (to_torch if back else to_byhand)(module, kind)
            modules.append(compared(path, module, was, before, probe(module)))
    except BaseException:
        for module, was, state in done:
            restore(module, was, state)
        raise
    return Report(tuple(modules), left)


Plan = list[tuple[str, nn.Module, tuple[type[nn.Module], type[nn.Module], "Cell", str]]]


def plain_class(module: nn.Module) -> type[nn.Module]:
    """The class, without the one that torch puts over it for parametrisations."""
    return type(module).__mro__[1] if parametrize.is_parametrized(module) else type(module)


def plan_there(model: nn.Module) -> tuple[Plan, dict[str, str]]:
    plan, left = [], {}
    for path, module in model.named_modules():
        for kind in KINDS:
            if plain_class(module) is kind[0]:
                plan.append((path, module, kind))
            elif isinstance(module, kind[0]) and plain_class(module) is not kind[0]:
                left[path] = f"{plain_class(module).__name__} is a subclass of nn.{kind[0].__name__} with code of its own"
    return plan, left


def plan_back(model: nn.Module) -> tuple[Plan, dict[str, str]]:
    plan = []
    for path, module in model.named_modules():
        if plain_class(module) not in (LSTM, LSTMCell):
            continue
        assert isinstance(module, LSTM | LSTMCell)
        kinds = [kind for kind in KINDS if plain_class(module) is kind[1] and module.cell == kind[2]]
        if not kinds or getattr(module, "learn_initial_state", False):
            what = f"cell={module.cell.name}" if not kinds else "learn_initial_state=True"
            raise ValueError(
                f"convert(back=True) found {path or 'a layer'} with {what}, for which torch has no layer; nothing was changed"
            )
        if kinds[0][0] is nn.GRU and getattr(module, "proj_size", 0):
            raise ValueError(f"convert(back=True) found {path or 'a layer'}, a GRU with a projection, which torch has not")
        plan.append((path, module, kinds[0]))
    return plan, {}


def swap_class(module: nn.Module, new: type[nn.Module]) -> None:
    """Under the class that parametrisations have put over it, if any."""
    if parametrize.is_parametrized(module):
        own = {name: value for name, value in vars(type(module)).items() if name not in ("__dict__", "__weakref__")}
        new = type(type(module).__name__, (new,), own)
    module.__class__ = new


def to_byhand(module: nn.Module, kind: tuple[type[nn.Module], type[nn.Module], Cell, str]) -> None:
    for name in TORCHS_OWN:
        vars(module).pop(name, None)
    vars(module).update(cell=kind[2], forget_bias=None)
    if kind[1] is LSTM:
        vars(module)["learn_initial_state"] = False
    swap_class(module, kind[1])


def to_torch(module: nn.Module, kind: tuple[type[nn.Module], type[nn.Module], Cell, str]) -> None:
    if isinstance(module, LSTM):
        names = [module.owner(place).names() for place in module.places]
        vars(module).update(mode=kind[3], _all_weights=names, _flat_weights_names=[name for one in names for name in one])
        vars(module).update(_flat_weights=[], _flat_weight_refs=[])
    for name in OURS_ALONE:
        vars(module).pop(name, None)
    swap_class(module, kind[0])
    if isinstance(module, nn.RNNBase):
        module._init_flat_weights()


def restore(module: nn.Module, was: type[nn.Module], state: dict[str, Any]) -> None:
    module.__class__ = was
    vars(module).clear()
    vars(module).update(state)


def probe(module: nn.Module) -> tuple[list[Tensor], list[Tensor]] | str:
    """Outputs and states, and gradients by input and parameters, on an input that is the same for the same sizes; or why not. Runs
    forward itself, so hooks stay silent, and leaves the random state and .grad as they were.
    """
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    weight = next(module.parameters())
    if weight.is_meta:
        return "on the meta device"
    generator = torch.Generator().manual_seed(0)
    single = isinstance(module, nn.LSTMCell | nn.GRUCell | LSTMCell)
    shape = [*([3] if single else [5, 3]), int(module.input_size)]  # type: ignore[arg-type]
    x = torch.randn(shape, generator=generator, dtype=torch.float64).to(weight).requires_grad_()
    training, module.training = module.training, False
    try:
        with torch.enable_grad():
            results = flat(module.forward(x))
            loss = sum((result * torch.linspace(-1, 1, result.numel()).to(result).view_as(result)).sum() for result in results)
            grads = torch.autograd.grad(loss, [x, *parameters])  # type: ignore[arg-type]
    except NotImplementedError as problem:
        return f"torch cannot run it: {problem}"
    finally:
        module.training = training
    return [result.detach() for result in results], list(grads)


def flat(result: Any) -> list[Tensor]:
    return [result] if isinstance(result, torch.Tensor) else [one for part in result for one in flat(part)]


def compared(path: str, module: nn.Module, was: type[nn.Module], before: Any, after: Any) -> Converted:
    """RuntimeError if they differ by more than rounding in their dtype explains."""
    weight = next(module.parameters())
    kind = f"{type(module).__name__}({module.cell})" if isinstance(module, LSTM | LSTMCell) else f"nn.{type(module).__name__}"
    old = f"nn.{was.__name__}" if was.__module__.startswith("torch") else was.__name__
    size = sum(parameter.numel() for parameter in module.parameters())
    note = next((one for one in (before, after) if isinstance(one, str)), "")
    if note:
        return Converted(path, old, kind, weight.dtype, size, float("nan"), float("nan"), note)
    forward, backward = (greatest(a, b) for a, b in zip(before, after, strict=True))
    limit = 100 * torch.finfo(weight.dtype).eps * max(1.0, *(value.abs().max().item() for value in before[1] if value.numel()))
    if not max(forward, backward) <= limit:
        raise RuntimeError(
            f"convert found that {path or 'the layer'} would compute something else: outputs differ by {forward:.1e}, gradients by"
            f" {backward:.1e}, where {limit:.1e} is what rounding explains; nothing was changed"
        )
    return Converted(path, old, kind, weight.dtype, size, forward, backward)


def greatest(before: list[Tensor], after: list[Tensor]) -> float:
    return max(((a - b).abs().max().item() for a, b in zip(before, after, strict=True) if a.numel()), default=0.0)
