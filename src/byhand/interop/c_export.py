"""export_c: a layer as one C file for devices without Python."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from byhand.engine.observe import unobserved
from byhand.errors import UntraceableError
from byhand.files.atomic import write_whole
from byhand.interop.c_out.run import TOLERANCE, certified
from byhand.interop.c_out.source import Network, source
from byhand.interop.c_out.weights import laid_out
from byhand.interop.parity import ParityReport
from byhand.nn import LSTM
from byhand.nn.modes import evaluating

KINDS = {torch.float32: "float", torch.float64: "double"}


def export_c(
    layer: LSTM,
    file: str | os.PathLike[str],
    *,
    head: nn.Linear | tuple[Tensor, Tensor | None] | None = None,
    name: str | None = None,
    certify: bool = False,
) -> ParityReport | None:
    """Write a layer as one C file, weights included, that takes a signal step by step.

    The file is a header in C99, and in C++, that needs the C standard library alone and allocates nothing. For one sequence it has
    NAME_memory, the states; NAME_reset(&memory), before the first step; and NAME_step(&memory, x, y), one step of x (input,) to y
    (output,). Masks stand at their means. Every cell that is computed unit by unit can be written, and stacks of layers and projections.

    Args:
        layer: The layer, in float32 or float64, of one direction.
        file: Where to write to, as in "gru.h"; what was there is replaced.
        head: A linear layer on the outputs, or its weight (outputs, width) and bias (outputs,).
        name: What the names in the file begin with; made of the file's name if not given.
        certify: Compile the file here and run it beside the layer before it is kept: 1e-6 in float32, 1e-12 in float64.

    Returns:
        The differences, and the time of a step beside that of layer.stepper(); None without `certify`.

    Raises:
        TypeError: The layer is no byhand.LSTM, or the head no linear layer.
        ValueError: The layer has two directions or reads from the end, another number type or device, hooks or a forward of its own, a
            cell that is not computed unit by unit; the
            head does not fit; or the name is none that C takes.
        RuntimeError: The compiled file gives other values, with the figures; nothing is left. Or a record, edit or use_engine is open.
        CompilerError: With `certify`, there is no compiler to certify with.
        OSError: The file cannot be written.
    """
    path = Path(file)
    check_layer(layer)
    with evaluating(layer):  # or reading a parametrised weight, such as one of spectral_norm, would move it on
        network = network_of(layer, head, name_of(path, name))
        text = source(network, path.name)
        report = certified(text, network, layer.stepper(), next(layer.parameters()).dtype) if certify else None
    if report is not None and not report.ok:
        raise RuntimeError(f"export_c: {path.name} gives other values than the layer, and was not written:\n{report}")
    write_whole(path, text.encode())
    return report


def check_layer(layer: Any) -> None:
    """TypeError, ValueError for what a file would get wrong, and RuntimeError where somebody watches or changes layers."""
    if not isinstance(layer, LSTM):
        raise TypeError(f"export_c expected a byhand.LSTM, got a {type(layer).__name__}: byhand.load_weights(...) makes one")
    if not unobserved():
        raise RuntimeError("export_c expected no open record, edit or use_engine around it: call it outside the block")
    if layer.bidirectional or any(one.reverse for one in layer.sublayers):
        raise ValueError("export_c expected a layer that reads forward alone: a step cannot know what comes after it")
    if type(layer).forward is not LSTM.forward:
        raise ValueError(f"export_c expected byhand's own layers, got a {type(layer).__name__} with a forward of its own")
    if layer._forward_hooks or layer._forward_pre_hooks:
        raise ValueError(
            "export_c expected a layer without hooks, which the file would not call: remove them (of a pruned layer with"
            " torch.nn.utils.prune.remove)"
        )
    for name, value in layer.named_parameters():
        if value.dtype not in TOLERANCE or value.device.type != "cpu":
            raise ValueError(
                f"export_c expected float32 or float64 on the cpu, got {name} in {value.dtype} on {value.device}:"
                " export_c(copy.deepcopy(layer).float().cpu(), ...)"
            )


def network_of(layer: LSTM, head: Any, name: str) -> Network:
    """All that is written. ValueError for a cell that is not computed unit by unit; TypeError, ValueError for the head."""
    dtype = next(layer.parameters()).dtype
    with torch.no_grad():
        try:
            layers = [laid_out(call) for call in layer.first_calls(1)]
        except UntraceableError as problem:
            raise ValueError(f"export_c writes cells that are computed unit by unit: {problem}") from problem
        found = head_of(head, layer, dtype)
    kind = KINDS[dtype]
    sizes = f"{layer.input_size} inputs, {layer.hidden_size} units"
    sizes += f", projected to {layer.proj_size}" if layer.proj_size else ""
    sizes += f", {layer.num_layers} layers" if layer.num_layers > 1 else ""
    sizes += f", {len(found[0])} outputs" if found is not None else ""
    about = f"{layer.cell.name}: {sizes}, in {kind}. Written by byhand."
    return Network(name, kind, about, layer.cell.equations(), layers, found)


def head_of(head: Any, layer: LSTM, dtype: torch.dtype) -> tuple[Tensor, Tensor | None] | None:
    """Its weight and bias. TypeError, ValueError."""
    if head is None:
        return None
    pair = (head.weight, head.bias) if isinstance(head, nn.Linear) else head
    if (
        not isinstance(pair, tuple)
        or len(pair) != 2
        or not (isinstance(pair[0], Tensor) and isinstance(pair[1], Tensor | None))
    ):
        raise TypeError(f"export_c expected head: a torch.nn.Linear, or its weight and bias, got {type(head).__name__}")
    weight, bias = pair
    width = layer.proj_size or layer.hidden_size
    if weight.dim() != 2 or weight.shape[1] != width or weight.dtype != dtype:
        raise ValueError(
            f"export_c expected head to read {width} outputs in {dtype}, got a weight of shape {tuple(weight.shape)} in {weight.dtype}"
        )
    if bias is not None and (bias.shape != weight.shape[:1] or bias.dtype != dtype):
        raise ValueError(
            f"export_c expected a bias of shape ({len(weight)},) in {dtype}, got {tuple(bias.shape)} in {bias.dtype}"
        )
    return weight.detach(), None if bias is None else bias.detach()


def name_of(path: Path, name: str | None) -> str:
    """The prefix of all names. ValueError."""
    made = re.sub(r"\W+", "_", path.stem, flags=re.ASCII).strip("_") if name is None else name
    if name is None and (not made or made[0].isdigit()):
        made = f"lstm_{made}".rstrip("_")
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", made):
        raise ValueError(f"export_c expected name: letters, digits and _, beginning with a letter; got {made!r}")
    return made
