"""What a layer may be given. Every refusal says what was got, what was expected and, where it is not plain, what to type.

Where torch.nn.LSTM refuses too, the error has its type and begins with its words.
"""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from byhand.cells import Cell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from byhand.nn import LSTM, LSTMCell


def check_flag(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise TypeError(f"{name} should be of type bool, got: {type(value).__name__}")


def check_size(name: str, value: object, *, least: int = 1) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} should be of type int, got: {type(value).__name__}")
    if value < least:
        raise ValueError(f"{name} must be greater than {'zero' if least == 1 else least - 1}, got {value}")


def check_cell(cell: object) -> None:
    if isinstance(cell, Cell):
        return
    if callable(cell):
        made = getattr(cell, "__name__", "it")
        call = {"recurrent_dropout": "recurrent_dropout(cells.lstm, 0.25)", "lstm_1997_blocks": "lstm_1997_blocks(2)"}
        written = call.get(made, f"{made}(cells.lstm)")
        raise TypeError(f"cell should be a byhand.cells.Cell, got the function {made}: write cell=cells.{written}")
    raise TypeError(f"cell should be a byhand.cells.Cell, got: {type(cell).__name__}; write cell=byhand.cells.lstm")


def check_layer(lstm: LSTM) -> None:
    """The arguments of LSTM, as they stand in its attributes. TypeError or ValueError."""
    dropout = lstm.dropout
    if isinstance(dropout, bool) or not isinstance(dropout, int | float) or not 0 <= dropout <= 1:
        raise ValueError(
            f"dropout should be a number in range [0, 1] representing the probability of an element being zeroed, got {dropout!r}"
        )
    for name in ("bias", "batch_first"):
        check_flag(name, getattr(lstm, name))
    for name in ("input_size", "hidden_size", "num_layers"):
        check_size(name, getattr(lstm, name))
    for name in ("bidirectional", "learn_initial_state"):
        check_flag(name, getattr(lstm, name))
    if not isinstance(lstm.proj_size, int) or isinstance(lstm.proj_size, bool):
        raise TypeError(f"proj_size should be of type int, got: {type(lstm.proj_size).__name__}")
    if lstm.proj_size < 0:
        raise ValueError(f"proj_size should be a positive integer or zero to disable projections, got {lstm.proj_size}")
    if lstm.proj_size >= lstm.hidden_size:
        raise ValueError(f"proj_size has to be smaller than hidden_size, got {lstm.proj_size} and {lstm.hidden_size}")
    check_cell(lstm.cell)
    if lstm.proj_size and lstm.cell.reads_its_output:
        raise ValueError(f"proj_size expected a cell that reads its output through weight_hh only, got {lstm.cell.name!r}")
    check_forget_bias(lstm.cell, lstm.forget_bias, bias=lstm.bias)
    if dropout > 0 and lstm.num_layers == 1:
        warnings.warn(
            "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects num_layers greater than"
            f" 1, but got dropout={dropout} and num_layers={lstm.num_layers}",
            stacklevel=3,
        )


def check_forget_bias(cell: Cell, value: object, *, bias: bool) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"forget_bias should be a number or None, got: {type(value).__name__}")
    if not math.isfinite(value):
        raise ValueError(f"forget_bias should be finite, got {value}")
    if "f" not in cell.gates:
        raise ValueError(f"forget_bias expected a cell with a gate f, got {cell.name!r} with gates {', '.join(cell.gates)}")
    if not (bias and cell.biases) and "b_f" not in cell.vectors:
        raise ValueError("forget_bias expected a layer with biases, got bias=False")


def check_values(name: str, value: Tensor, weight: Tensor) -> None:
    """That a tensor can meet the weights: dtype (unless autocast sees to it) and device."""
    if value.device != weight.device:
        raise RuntimeError(
            f"Input and parameter tensors are not at the same device, found {name} at {value.device} and parameter tensor at"
            f" {weight.device}: write {name}.to({str(weight.device)!r})"
        )
    if value.dtype != weight.dtype and not torch.is_autocast_enabled(value.device.type):
        what = "RNN input" if name == "input" else f"RNN {name}"
        raise ValueError(
            f"{what} dtype ({value.dtype}) does not match weight dtype ({weight.dtype})."
            f" Convert {name}: {name}.to({weight.dtype}), or convert model: model.to({value.dtype})"
        )


def check_input(kind: str, input: object, input_size: int, weight: Tensor) -> None:
    """input: a tensor (time, input), (time, batch, input), (batch, time, input), or a PackedSequence."""
    packed = isinstance(input, PackedSequence)
    data = input.data if packed else input
    if not isinstance(data, Tensor):
        raise TypeError(f"{kind}: Expected input to be a Tensor or a PackedSequence, got {type(input).__name__}")
    if packed and data.dim() != 2:
        raise RuntimeError(f"input must have 2 dimensions, got {data.dim()}: pack sequences of shape (time, {input_size})")
    if data.dim() not in (2, 3):
        raise ValueError(f"{kind}: Expected input to be 2D or 3D, got {data.dim()}D instead; its shape is {tuple(data.shape)}")
    check_values("input", data, weight)
    if data.size(-1) != input_size:
        raise RuntimeError(
            f"input.size(-1) must be equal to input_size. Expected {input_size}, got {data.size(-1)};"
            f" the input has shape {tuple(data.shape)}"
        )


def check_length(x: Tensor, given: Tensor | PackedSequence, *, batch_first: bool) -> None:
    """x: time-major. RuntimeError if there is no step."""
    if x.shape[0] == 0:
        hint = " (batch_first=True reads it as (batch, time, input))" if batch_first else ""
        shape = tuple(given.data.shape)
        raise RuntimeError(f"Expected sequence length to be larger than 0 in RNN, got an input of shape {shape}{hint}")


def check_tuple(hx: object, names: Sequence[str]) -> tuple[Tensor, ...]:
    """The states as a tuple, one a name; a cell with one state takes a bare tensor. TypeError or ValueError."""
    wanted = names[0] if len(names) == 1 else f"({', '.join(names)})"
    if len(names) == 1 and isinstance(hx, Tensor):
        return (hx,)
    if not isinstance(hx, tuple):
        hint = ": write tuple(hx)" if isinstance(hx, list) else ""
        raise TypeError(
            f"hx should be {'a tensor' if len(names) == 1 else 'a tuple'} {wanted}, got a {type(hx).__name__}{hint}"
        )
    if len(hx) != len(names):
        raise ValueError(f"hx should be {wanted}, one tensor for each state, got {len(hx)}")
    for name, value in zip(names, hx, strict=True):
        if not isinstance(value, Tensor):
            hint = "; leave hx out to start from zeros" if value is None else ""
            raise TypeError(f"hx should hold tensors {wanted}, got {type(value).__name__} for {name}{hint}")
    return hx


def check_hx(hx: object, names: Sequence[str], *, dim: int) -> tuple[Tensor, ...]:
    """The states of a layer stack, each of `dim` dimensions. TypeError, ValueError or RuntimeError."""
    states = check_tuple(hx, names)
    if any(value.dim() != dim for value in states):
        batched = "batched 3-D" if dim == 3 else "unbatched 2-D"
        said = "hx and cx should also be" if len(states) == 2 else "hx should also be"
        dims = ", ".join(f"{value.dim()}-D" for value in states)
        got = f"({dims}) tensors" if len(states) > 1 else f"{dims} tensor"
        raise RuntimeError(f"For {batched} input, {said} {dim}-D but got {got}")
    return states


def check_state(index: int, value: Tensor, shape: tuple[int, ...], weight: Tensor, *, single: bool) -> None:
    """One state of the whole layer stack: (layers * directions, batch, width)."""
    if tuple(value.shape) != shape:
        which = "hidden" if single else f"hidden[{index}]"
        raise RuntimeError(f"Expected {which} size {shape}, got {list(value.shape)}")
    check_values("hx" if single else f"hx[{index}]", value, weight)


def check_single(module: LSTMCell) -> None:
    """The arguments of LSTMCell. TypeError or ValueError."""
    check_flag("bias", module.bias)
    for name in ("input_size", "hidden_size"):
        check_size(name, getattr(module, name))
    check_cell(module.cell)
    check_forget_bias(module.cell, module.forget_bias, bias=module.bias)


def check_step(module: LSTMCell, input: object, hx: object) -> tuple[Tensor, ...]:
    """The arguments of a single step; gives the states (batch, hidden). TypeError, ValueError or RuntimeError."""
    kind, names, hidden = type(module).__name__, module.cell.state, module.hidden_size
    if not isinstance(input, Tensor):
        raise TypeError(f"{kind}: Expected input to be a Tensor, got {type(input).__name__}")
    if input.dim() not in (1, 2):
        raise ValueError(
            f"{kind}: Expected input to be 1D or 2D, got {input.dim()}D instead; its shape is {tuple(input.shape)}"
        )
    check_values("input", input, module.owner.get("weight_ih"))
    if input.size(-1) != module.input_size:
        raise RuntimeError(f"input has inconsistent input_size: got {input.size(-1)} expected {module.input_size}")
    batch = input.size(0) if input.dim() == 2 else 1
    if hx is None:
        return tuple(input.new_zeros(batch, hidden) for _ in names)
    states = check_tuple(hx, names)
    for index, value in enumerate(states):
        if value.dim() not in (1, 2):
            which = "hx" if len(names) == 1 else f"hx[{index}]"
            raise ValueError(f"{kind}: Expected {which} to be 1D or 2D, got {value.dim()}D instead")
        if value.dim() != input.dim():
            raise RuntimeError(f"hidden{index} has {value.dim()} dimensions, expected {input.dim()}, as many as the input")
        if value.size(-1) != hidden:
            raise RuntimeError(f"hidden{index} has inconsistent hidden_size: got {value.size(-1)}, expected {hidden}")
        if value.dim() == 2 and value.size(0) != batch:
            raise RuntimeError(f"Input batch size {batch} doesn't match hidden{index} batch size {value.size(0)}")
        check_values(f"hx[{index}]", value, module.owner.get("weight_ih"))
    return states if input.dim() == 2 else tuple(value.unsqueeze(0) for value in states)
