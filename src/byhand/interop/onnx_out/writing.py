"""A model written whole: torch's exporter for what is not a layer, byhand's printers for the layers, torch's own among them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from byhand.interop.onnx_out.calls import Alone, Called, Inputs
from byhand.interop.onnx_out.expand import Expansion
from byhand.interop.onnx_out.layer import Layer
from byhand.interop.onnx_out.operators import operator_of
from byhand.interop.onnx_out.torch_export import exported
from byhand.interop.probing import first_weight
from byhand.interop.swaps import Swap, plan_there, restore, swap
from byhand.nn import LSTM
from byhand.nn.config import Config


@contextmanager
def torchs_as_byhands(model: nn.Module) -> Iterator[None]:
    """Torch's own recurrent layers in the model are byhand's inside the block; subclasses with code of their own stay as they are."""
    plan = [one for one in plan_there(model, keep_class=False)[0] if not one.foreign]
    done: list[tuple[Swap, type[nn.Module], dict[str, Any]]] = []
    try:
        for one in plan:
            done.append((one, type(one.module), dict(vars(one.module))))
            swap(one)
        yield
    finally:
        for one, was, state in done:
            restore(one.module, was, state)


def written(
    called: Called, given: Inputs, outputs: Sequence[str] | None, form: str, opset: int, dtype: torch.dtype
) -> tuple[Any, list[Layer]]:
    """The model with its layers in ONNX's operators, and the layers."""
    tensors = tuple(given.tensors.values())
    with torch.no_grad():
        called(*tensors)
    names = list(called.names if outputs is None else outputs)
    if len(names) != len(called.names) or not names or len({*names, *given.tensors}) < len(names) + len(given.tensors):
        raise ValueError(
            f"export_onnx expected {len(called.names)} names for the outputs, other than those of the inputs, got {names}"
        )
    with torchs_as_byhands(called.model), torch.no_grad():
        try:
            model, modules = exported(called, tensors, list(given.tensors), names, given.axes, opset)
        except ValueError:
            raise
        except Exception as problem:  # the exporter has errors of many kinds
            raise RuntimeError(
                f"torch.onnx.export cannot write this model; nothing is left on disk: {' '.join(str(problem).split())[:400]}"
            ) from problem
        layers = [layer_of(called.model, one, number, form) for number, one in enumerate(modules)]
        Expansion(model, layers, opset, dtype).run()
    return model, layers


def layer_of(model: nn.Module, module: Any, number: int, form: str) -> Layer:
    """How a layer is written. One that is no submodule of the model has its number in its name."""
    found = next((path for path, one in model.named_modules() if one is module), f"{type(module).__name__}_{number}")
    path = found.removeprefix("layer") if isinstance(model, Alone) else found
    config = Config.of(module) if isinstance(module, LSTM) else module.reader.config
    exact = form == "auto" and not config.proj_size and first_weight(module).dtype == torch.float32
    return Layer(module, path, config, operator_of(config.cell) if exact else None, set())
