"""Which modules of a model convert changes, into what class, and how: a module changes its class and stays the object that it was."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn.utils import parametrize

from byhand import cells
from byhand.cells import Cell
from byhand.interop.probing import plain_class
from byhand.interop.torch_layers import TWINS, torchs_of, twin
from byhand.nn import LSTM, LSTMCell
from byhand.nn.config import OURS
from byhand.nn.modes import evaluating


class Kind(NamedTuple):
    """A layer of torch's and byhand's that computes the same. mode: what torch.nn.RNNBase calls it."""

    torchs: type[nn.Module]
    ours: type[nn.Module]
    cell: Cell
    mode: str


KINDS: tuple[Kind, ...] = (
    Kind(nn.LSTM, LSTM, cells.lstm, "LSTM"),
    Kind(nn.GRU, LSTM, cells.gru, "GRU"),
    Kind(nn.RNN, LSTM, cells.rnn, "RNN_TANH"),
    Kind(nn.LSTMCell, LSTMCell, cells.lstm, "LSTM"),
    Kind(nn.GRUCell, LSTMCell, cells.gru, "GRU"),
    Kind(nn.RNNCell, LSTMCell, cells.rnn, "RNN_TANH"),
)
TORCHS_OWN = ("_flat_weights", "_flat_weight_refs", "_flat_weights_names", "_all_weights", "mode", "nonlinearity")
RECURRENT = re.compile("(LSTM|GRU|RNN)(Cell)?$")


class Swap(NamedTuple):
    """One module, and the class that it is to have. foreign: a subclass of torch's layer with code that neither torch nor byhand wrote."""

    path: str
    module: nn.Module
    kind: Kind
    new: type[nn.Module]
    foreign: bool = False


Plan = tuple[list[Swap], dict[str, str]]  # and why other modules are left: path -> reason


def plan_there(model: nn.Module, *, keep_class: bool) -> Plan:
    """From torch's layers to byhand's."""
    plan: list[Swap] = []
    left: dict[str, str] = {}
    for path, module in model.named_modules():
        kind = next((kind for kind in KINDS if isinstance(module, kind.torchs)), None)
        if kind is None or isinstance(module, LSTM | LSTMCell):
            continue
        was = plain_class(module)
        foreign = was is not kind.torchs
        why = refusal(module, kind)
        if why:
            left[path] = why
        else:
            plan.append(Swap(path, module, kind, twin(was) if keep_class or foreign else kind.ours, foreign))
    return plan, left | strangers(model, [*(swap.path for swap in plan), *left])


def plan_back(model: nn.Module) -> Plan:
    """From byhand's layers to torch's. ValueError for one that torch has no layer for."""
    plan: list[Swap] = []
    left: dict[str, str] = {}
    for path, module in model.named_modules():
        if not isinstance(module, LSTM | LSTMCell):
            continue
        was = plain_class(module)
        new = torchs_of(was)
        if new is None and was not in (LSTM, LSTMCell):
            left[path] = (
                f"{was.__name__} is a subclass of byhand.{'LSTM' if isinstance(module, LSTM) else 'LSTMCell'} with code of its own"
            )
            continue
        kind = next((one for one in KINDS if isinstance(module, one.ours) and module.cell == one.cell), None)
        if kind is None or getattr(module, "learn_initial_state", False):
            what = f"cell={module.cell.name}" if kind is None else "learn_initial_state=True"
            raise ValueError(
                f"convert(back=True) found {path or 'a layer'} with {what}, for which torch has no layer; nothing was changed"
            )
        if kind.torchs is not nn.LSTM and getattr(module, "proj_size", 0):
            raise ValueError(
                f"convert(back=True) found {path or 'a layer'}, a {kind.torchs.__name__} with a projection, which torch has not;"
                " nothing was changed"
            )
        plan.append(Swap(path, module, kind, new or kind.torchs, new is not None and new not in TWINS))
    return plan, left


def refusal(module: nn.Module, kind: Kind) -> str | None:
    """Why a layer of torch's, or a subclass of one, cannot be byhand's; None if it can."""
    if getattr(module, "nonlinearity", "tanh") != "tanh":
        return (
            f"it is an nn.{kind.torchs.__name__} with nonlinearity={module.nonlinearity!r}, for which byhand has no cell"
            " (docs/your-own-cell.md: how to write one)"
        )
    was = plain_class(module)
    byhands = {*dir(TWINS[kind.torchs]), *OURS} - {*dir(kind.torchs), *TORCHS_OWN}
    above = was.__mro__[: was.__mro__.index(kind.torchs)]
    own = {*vars(module), *module._parameters, *module._buffers, *module._modules}.union(*map(vars, above))
    hidden = sorted(name for name in byhands & own if not name.startswith("__"))
    return f"{was.__name__} has a {hidden[0]} of its own, which byhand's layer needs for itself" if hidden else None


def strangers(model: nn.Module, known: Iterable[str]) -> dict[str, str]:
    """Recurrent layers, by their name, that are not torch.nn's: torch's others, then those of which nothing inside has been named."""
    named, found = list(known), {}
    for of_torch in (True, False):
        for path, module in model.named_modules():
            name, script = getattr(module, "original_name", type(module).__name__), isinstance(module, torch.jit.ScriptModule)
            if of_torch and not (RECURRENT.fullmatch(name) and (script or type(module).__module__.startswith("torch."))):
                continue
            if isinstance(module, LSTM | LSTMCell) or not RECURRENT.search(name) or any(inside(path, one) for one in found):
                continue
            parts = [part for part in module.modules() if isinstance(part, LSTM | LSTMCell)]
            if not parts and not any(inside(one, path) for one in [*named, *found]):
                found[path] = why_strange(module)
    return found


def inside(path: str, whole: str) -> bool:
    """Whether a module is, or is in, the other."""
    return f"{path}.".startswith(f"{whole}.") or not whole


def why_strange(module: nn.Module) -> str:
    if isinstance(module, torch.jit.ScriptModule):
        return "it is TorchScript: convert the model before it is scripted or traced"
    name = f"{type(module).__module__}.{type(module).__qualname__}"
    if ".quantiz" in name:
        return f"it is quantised ({name}): convert the model before, or leave it so"
    return f"{name} is none of torch.nn's layers, nor a subclass of one"


def swap(one: Swap, module: nn.Module | None = None) -> None:
    """Make the change, on the module itself or on a copy of it."""
    module = one.module if module is None else module
    if issubclass(one.new, LSTM | LSTMCell):
        to_byhand(module, one)
    else:
        to_torch(module, one)


def to_byhand(module: nn.Module, one: Swap) -> None:
    for name in TORCHS_OWN:
        vars(module).pop(name, None)
    vars(module).update(cell=one.kind.cell, forget_bias=None)
    if one.kind.ours is LSTM:
        vars(module)["learn_initial_state"] = False
    swap_class(module, one.new)


def to_torch(module: nn.Module, one: Swap) -> None:
    if isinstance(module, LSTM):
        names = [module.layer_parameters(place).names() for place in module.sublayers]
        vars(module).update(
            mode=one.kind.mode, _all_weights=names, _flat_weights_names=[name for each in names for name in each]
        )
        vars(module).update(_flat_weights=[], _flat_weight_refs=[])
    if one.kind.cell == cells.rnn:
        vars(module)["nonlinearity"] = "tanh"
    for name in OURS:
        vars(module).pop(name, None)
    swap_class(module, one.new)
    if isinstance(module, nn.RNNBase):
        with evaluating(module):
            module._init_flat_weights()


def swap_class(module: nn.Module, new: type[nn.Module]) -> None:
    """Under the class that parametrisations have put over it, if any."""
    if parametrize.is_parametrized(module):
        own = {name: value for name, value in vars(type(module)).items() if name not in ("__dict__", "__weakref__")}
        new = type(type(module).__name__, (new,), own)
    module.__class__ = new


def restore(module: nn.Module, was: type[nn.Module], state: dict[str, Any]) -> None:
    object.__setattr__(module, "__class__", was)
    vars(module).clear()
    vars(module).update(state)
