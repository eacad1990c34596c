"""convert: every recurrent layer of torch's inside a model becomes byhand's, in place and with the same parameters; and back.

A module changes its class and stays the object that it was, so whatever refers to it or to its parameters (optimisers, hooks, ties,
other modules, parametrisations, pruning) goes on as before.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from byhand.cells.outside_modes import run_with_context
from byhand.engine.observe import unwatched
from byhand.interop import probing
from byhand.interop.conversion_report import Converted, Report
from byhand.interop.probing import Allowance, Measured, plain_class
from byhand.interop.swaps import KINDS, Swap, plan_back, plan_there, restore, swap
from byhand.nn import LSTM, LSTMCell
from byhand.nn.modes import evaluating


def convert(model: nn.Module, *, back: bool = False, keep_class: bool = False, check: bool = True) -> Report:
    """Swap every nn.LSTM, nn.GRU, nn.RNN and their cells inside for byhand's layer, in place; back=True the other way.

    Each layer is run before and after, in eval mode, outside the caller's modes (autocast, inference mode), on the engine of use_engine
    inside such a block, on a copy without its hooks and parametrisations; only then is anything changed. A layer in half precision is
    measured in float32, one whose own weights are not finite, or make chaos of rounding, with its weights scaled down.

    Args:
        model: A module, or a layer itself.
        back: From byhand's layers to torch's; a subclass gets its own class back.
        keep_class: Each new layer also is what it was: `isinstance(layer, torch.nn.LSTM)` stays True, for libraries that ask for it
            (docs/libraries.md). A subclass of torch's layer keeps its class in any case, and its super().forward reaches byhand.
        check: False converts without running anything.

    Returns:
        A report: what was converted, the greatest differences, and in `left` what was not, and why: TorchScript, quantised layers,
        relu, subclasses whose code does not ask torch's layer.

    Raises:
        TypeError: The model is no module.
        ValueError: A byhand layer has no twin in torch (another cell, learnt first states), or both `back` and `keep_class` are
            True. Nothing is changed.
        RuntimeError: A layer would compute something else than before. Nothing is changed.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"convert expected a module, got a {type(model).__name__}")
    if back and keep_class:
        raise ValueError("convert expected back=True or keep_class=True, got both: torch's layers have their class")
    plan, left = plan_back(model) if back else plan_there(model, keep_class=keep_class)
    swaps, modules = [], []
    for one in plan:
        found = checked(one) if check else converted(one, note="not checked")
        if isinstance(found, str):
            left[one.path] = found
        else:
            swaps.append(one)
            modules.append(found)
    make(swaps)
    return Report(tuple(modules), left)


def checked(one: Swap) -> Converted | str:
    """compared(), outside the caller's modes, unobserved, on the engine that was asked for by name, if one was."""
    with unwatched():
        found: Converted | str = run_with_context(compared, one)
        return found


def make(swaps: list[Swap]) -> None:
    """All of them, or, if anything goes wrong, none."""
    done: list[tuple[nn.Module, type[nn.Module], dict[str, Any]]] = []
    try:
        for one in swaps:
            done.append((one.module, type(one.module), dict(vars(one.module))))
            swap(one)
    except BaseException:
        for module, was, state in done:
            restore(module, was, state)
        raise


class UnfitError(Exception):
    """Why a subclass of torch's layer is left as it is."""


def compared(one: Swap) -> Converted | str:
    """What a layer gives before and after; or why it is left as it is. RuntimeError if it would compute something else."""
    try:
        with evaluating(one.module):
            return measured(one)
    except UnfitError as why:
        return f"{plain_class(one.module).__name__} {why}"


def measured(one: Swap) -> Converted:
    if probing.first_weight(one.module).is_meta:
        return converted(one, note="on the meta device")
    try:
        copy, x, before, allowed, note = measured_before(one.module)
    except Exception as problem:
        why = f"does not run on an input of the usual shape ({first_line(problem)})"
        if one.foreign:
            raise UnfitError(f"{why}: convert(check=False) converts it unseen") from problem
        return converted(one, note=why)
    if one.foreign and allowed.outputs >= probing.SHARP:
        raise UnfitError("gives something else each time it is run")
    swap(one, copy)
    try:
        asks = not one.foreign or not issubclass(one.new, LSTM | LSTMCell) or probing.reaches_engine(copy, x)
        after = probing.measure(copy, x)
    except Exception as problem:
        raise refusal(one, f"would fail: {first_line(problem)}") from problem
    if not asks:
        raise UnfitError("does not compute by calling super().forward")
    forward, backward = map(probing.greatest, before, after)
    if forward > allowed.outputs or backward > allowed.gradients:
        raise refusal(
            one,
            f"would compute something else: its outputs would differ by {forward:.1e}, gradients by {backward:.1e}, where"
            f" {allowed.outputs:.1e} and {allowed.gradients:.1e} are what rounding explains",
        )
    return converted(one, forward, backward, note, max(allowed))


def measured_before(module: nn.Module) -> tuple[nn.Module, torch.Tensor, Measured, Allowance, str]:
    """A copy of the layer, an input, what it gives, what differences rounding explains, and how its weights were changed for it."""
    for tamed in (False, True):
        copy = probing.bare(module, tamed=tamed)
        x = probing.random_input(copy)
        before = probing.measure(copy, x)
        allowed = probing.allowance(copy, x, before)
        if allowed.outputs < probing.SHARP:
            break
    return copy, x, before, allowed, "measured with its weights scaled down" if tamed else ""


def refusal(one: Swap, what: str) -> Exception:
    if one.foreign:
        return UnfitError(f"has code of its own that {what}")
    return RuntimeError(f"convert found that {one.path or 'the layer'} {what}; nothing was changed")


def first_line(problem: BaseException) -> str:
    return f"{type(problem).__name__}: {problem}".splitlines()[0]


def converted(
    one: Swap, forward: float = math.nan, backward: float = math.nan, note: str = "", allowed: float = math.nan
) -> Converted:
    with evaluating(one.module):
        dtype, size = probing.first_weight(one.module).dtype, sum(each.numel() for each in one.module.parameters())
    was, now = (named(kind, one) for kind in (plain_class(one.module), one.new))
    return Converted(one.path, was, now, dtype, size, forward, backward, note, allowed)


def named(kind: type[nn.Module], one: Swap) -> str:
    """A class, as the report names it."""
    if issubclass(kind, LSTM | LSTMCell):
        return f"{kind.__name__}({one.kind.cell})"
    return f"nn.{kind.__name__}" if any(kind is known.torchs for known in KINDS) else kind.__name__
