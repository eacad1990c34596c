"""A model with torch's own recurrent layers, as a copy in which they are byhand's: the model itself stays as it is."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

from torch import Tensor, nn

from byhand.interop.swaps import plan_there
from byhand.interop.torch import convert
from byhand.nn import LSTM, LSTMCell


class Shown(NamedTuple):
    """The model whose values are shown. converted: whether it is a copy. notices: which layers it could not have, and why."""

    model: Any
    converted: bool = False
    notices: tuple[str, ...] = ()


def with_our_layers(model: Any) -> Shown:
    """Itself where it has a layer of byhand's, or none of torch's.

    Raises:
        ValueError: no layer of torch's in it can be one of byhand's; the message says why.
        TypeError: the model cannot be copied.
        RuntimeError: a layer would compute something else, as in convert.
    """
    if not isinstance(model, nn.Module) or any(isinstance(one, LSTM | LSTMCell) for one in model.modules()):
        return Shown(model)
    plan, left = plan_there(model, keep_class=False)
    if not plan and not left:
        return Shown(model)
    made, left = (None, left) if not plan else converted_copy(model)
    why = [f"{path or 'the layer itself'}: {reason}" for path, reason in left.items()]
    if made is None:
        raise ValueError(
            f"explore expected layers of byhand's in {type(model).__name__}, or of torch's that it can convert; got {'; '.join(why)}"
        )
    return Shown(made, True, tuple(f"not shown, for it cannot be converted: {one}" for one in why))


def in_copy(part: Any, model: Any, made: Any) -> Any:
    """The module that stands in the copy where this one stands in the model; itself if it is none of the model's."""
    path = next((path for path, one in model.named_modules() if one is part), None) if isinstance(part, nn.Module) else None
    return part if path is None else made.get_submodule(path)


def converted_copy(model: nn.Module) -> tuple[nn.Module | None, dict[str, str]]:
    """With the very parameters of the model; None if nothing could be converted. And what was left, with the reasons."""
    made = copied(model)
    report = convert(made)
    return made if report.modules else None, dict(report.left)


def copied(model: nn.Module) -> nn.Module:
    """Parameters and what Lightning's trainer holds are shared, all else is copied: buffers, which a call may change, too."""
    shared: list[Any] = list(model.parameters())
    for module in model.modules():
        own = vars(module)
        shared += [
            one for one in own.values() if isinstance(one, Tensor) and not one.is_leaf
        ]  # as of torch.nn.utils.weight_norm
        shared += [own["_trainer"]] if own.get("_trainer") is not None else []
    try:
        return copy.deepcopy(model, {id(one): one for one in shared})
    except Exception as problem:
        raise TypeError(
            f"explore converts the layers of {type(model).__name__} on a copy, which cannot be made"
            f" ({type(problem).__name__}: {' '.join(str(problem).split())}): byhand.convert(model) first, which changes it in place"
        ) from problem
