"""frozen: a copy of a model, its recurrent layers' weights packed once, for inference; in low precision if asked for."""

from __future__ import annotations

from copy import deepcopy
from typing import TypeVar

import torch
from torch import nn

from byhand.engine.frozen import WEIGHTS
from byhand.nn.frozen_layers import FrozenLSTM, FrozenLSTMCell
from byhand.nn.lstm import LSTM
from byhand.nn.lstm_cell import LSTMCell

Model = TypeVar("Model", bound=nn.Module)


def frozen(model: Model, weights: str = "float32") -> Model:
    """Copy a model, with the weights of its recurrent layers packed once, for inference.

    A layer packs its weights at each call, since they may have changed since the last one. Frozen ones cannot change: there are no
    parameters to write into. All else in the model is copied as it is. The copy is in eval mode, and its parameters want no gradients.

    In bfloat16 and int8 the products are made in low precision, while sums, gates and states stay in float32. int8: integers from
    -127 to 127, with one scale for each row of the weights, and for each sequence at each step of what they are multiplied with. So a
    later step or another sequence changes nothing. `print(model)` shows how far each layer is from float32.

    Args:
        model: a byhand.LSTM or byhand.LSTMCell, or a model with such layers inside, in float32 on the CPU.
        weights: "float32", "bfloat16" or "int8".

    Returns:
        The copy. A FrozenLSTM or FrozenLSTMCell stands where each layer was; it takes and gives what the layer does.

    Raises:
        TypeError: the model is no module.
        ValueError: `weights` is something else; there is no layer of byhand's; a layer is not in float32 on the CPU, has hooks, or is a
            subclass with a `forward` of its own; or the model does not call its layers as modules, as one of open_onnx.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"frozen expected a module, got a {type(model).__name__}")
    if weights not in WEIGHTS:
        raise ValueError(f"frozen expected weights {', '.join(map(repr, WEIGHTS))}, got {weights!r}")
    layers = {path: one for path, one in model.named_modules() if isinstance(one, LSTM | LSTMCell)}
    if not layers:
        raise ValueError(
            "frozen expected a model with a byhand.LSTM or byhand.LSTMCell, found none: byhand.convert(model) first"
        )
    for path, module in model.named_modules():
        if reason := getattr(module, "refuses_frozen", None):
            raise ValueError(f"frozen cannot freeze {path or 'the model'}, a {type(module).__name__}: {reason}")
    for path, layer in layers.items():
        check_layer(path or "the layer", layer)
    kinds = {True: FrozenLSTM, False: FrozenLSTMCell}
    instead = {id(layer): kinds[isinstance(layer, LSTM)](layer, weights) for layer in layers.values()}
    return deepcopy(model, instead).eval().requires_grad_(False)  # type: ignore[arg-type]


def check_layer(path: str, layer: LSTM | LSTMCell) -> None:
    """ValueError for a layer that cannot be frozen."""
    kind = LSTM if isinstance(layer, LSTM) else LSTMCell
    if type(layer).forward is not kind.forward:
        raise ValueError(
            f"frozen expected byhand's own layers, got {path}, a {type(layer).__name__} with a forward of its own: leave it as it is, and"
            " freeze the other layers one by one"
        )
    if layer._forward_hooks or layer._forward_pre_hooks:
        raise ValueError(
            f"frozen expected layers without hooks, got {path} with some, which frozen layers do not call: remove them (of a pruned layer"
            " with torch.nn.utils.prune.remove)"
        )
    for name, value in layer.named_parameters():
        if value.dtype != torch.float32 or value.device.type != "cpu":
            raise ValueError(
                f"frozen expected a model in float32 on the cpu, got {path} with {name} in {value.dtype} on {value.device}: write"
                " frozen(copy.deepcopy(model).float().cpu())"
            )
