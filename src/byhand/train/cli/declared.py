"""What a checkpoint says of its model, held against its tensors and against what was typed, before anything is made or imported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from byhand.cells import names as cell_names
from byhand.errors import LoadError

# What Lightning adds to the settings of a model that its command line has made, for its own load_from_checkpoint.
INSTANTIATOR = ("_instantiator", "lightning.pytorch.cli.instantiate_module")

Settings = dict[str, Any]


def verified(make: Callable[..., nn.Module], content: Any, given: Settings, *, typed: str | None, remedy: str) -> Settings:
    """Return the settings of the model in a checkpoint, those given in their place.

    Args:
        make: what makes a model of settings.
        content: what the checkpoint holds.
        given: settings that replace its own.
        typed: the cell that the user has named, if any.
        remedy: how to name a cell of one's own, with {} where its name stands.

    Raises:
        LoadError: for what is no checkpoint of byhand fit, whose cell would have to be imported, or whose tensors are not those of
            its settings.
    """
    settings = content.get("hyper_parameters") if isinstance(content, dict) else None
    if not isinstance(settings, dict) or "form" not in settings or not isinstance(content.get("state_dict"), dict):
        raise LoadError("one of another program")
    settings = {name: value for name, value in settings.items() if (name, value) != INSTANTIATOR} | given
    check_cell(settings.get("cell"), typed, remedy)
    check_tensors(make, settings, content["state_dict"])
    return settings


def check_cell(name: object, typed: str | None, remedy: str) -> None:
    """LoadError for a cell of somebody's own that a file names and the user does not: to find it means to run its module."""
    if cell_names.is_own(name) and name != typed:
        raise LoadError(
            f"a model of the cell {name!r}, whose module is imported only if you name it too: {remedy.format(name)}"
        )


def check_tensors(make: Callable[..., nn.Module], settings: Settings, state: Mapping[str, Any]) -> None:
    """LoadError unless the model that `make` makes of these settings has the names and shapes in `state`. No memory is taken for it."""
    try:
        expected, got = _shapes(_outline(make, settings, state).state_dict()), _shapes(state)
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as problem:
        raise LoadError(f"settings that make no model: {' '.join(str(problem).split())}") from problem
    if expected != got:
        wrong = next(name for name in (*expected, *got) if expected.get(name) != got.get(name))
        raise LoadError(f"{wrong!r}: {got.get(wrong, 'none')}, where its settings make {expected.get(wrong, 'none')}")


def _outline(make: Callable[..., nn.Module], settings: Settings, state: Mapping[str, Any]) -> nn.Module:
    layers = settings.get("num_layers", 1)
    if not isinstance(layers, int) or layers > len(state):
        raise ValueError(f"num_layers {layers!r}, with {len(state)} tensors")
    with torch.device("meta"):
        return make(**settings)


def _shapes(state: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in state.items()}
