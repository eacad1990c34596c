"""Checks of what a layer is given. Every refusal says what was got, what was expected and, where it is not plain, what to type.

Where torch.nn.LSTM refuses too, the error has its type and begins with its words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from byhand.engine import transforms
from byhand.engine.packing import packing_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from byhand.nn.config import Config


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
    if packed:
        check_packing(input.batch_sizes, len(data))


def check_packing(batch_sizes: Tensor, rows: int) -> None:
    """RuntimeError for sizes that a PackedSequence made by hand may have, and torch's functions never give; not asked where sizes are
    recorded and have no numbers.
    """
    if not torch.compiler.is_compiling() and transforms.is_plain() and packing_of(batch_sizes, rows) is None:
        raise RuntimeError(
            f"a PackedSequence expected batch_sizes of at least 1 that never increase and add up to its rows of data, got"
            f" {batch_sizes.tolist()} for {rows} rows: make it with pack_sequence or pack_padded_sequence"
        )


def check_length(x: Tensor, given: Tensor | PackedSequence, *, batch_first: bool) -> None:
    """x: time-major. RuntimeError if there is no step."""
    if x.shape[0] == 0:
        hint = " (batch_first=True reads it as (batch, time, input))" if batch_first else ""
        shape = tuple(given.data.shape)
        raise RuntimeError(f"Expected sequence length to be larger than 0 in RNN, got an input of shape {shape}{hint}")


def check_tuple(hx: object, names: Sequence[str]) -> tuple[Tensor, ...]:
    """The states as a tuple, one a name; a list will do, as in torch. A cell with one state takes a bare tensor. TypeError, ValueError."""
    wanted = names[0] if len(names) == 1 else f"({', '.join(names)})"
    if len(names) == 1 and isinstance(hx, Tensor):
        return (hx,)
    if not isinstance(hx, tuple | list):
        raise TypeError(f"hx should be {'a tensor' if len(names) == 1 else 'a tuple'} {wanted}, got a {type(hx).__name__}")
    if len(hx) != len(names):
        raise ValueError(f"hx should be {wanted}, one tensor for each state, got {len(hx)}")
    for name, value in zip(names, hx, strict=True):
        if not isinstance(value, Tensor):
            hint = "; leave hx out to start from zeros" if value is None else ""
            raise TypeError(f"hx should hold tensors {wanted}, got {type(value).__name__} for {name}{hint}")
    return tuple(hx)


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


def check_reset(reset: object, shape: tuple[int, ...], x: Tensor) -> None:
    """The mask of the steps before which a sequence starts again. TypeError, ValueError or RuntimeError."""
    if not isinstance(reset, Tensor) or reset.dtype != torch.bool:
        got = f"one of {reset.dtype}: write reset.bool()" if isinstance(reset, Tensor) else f"a {type(reset).__name__}"
        raise TypeError(f"reset should be a tensor of booleans, got {got}")
    if tuple(reset.shape) != tuple(shape):
        raise ValueError(f"reset should say for each step of each sequence, {tuple(shape)}, got shape {tuple(reset.shape)}")
    if reset.device != x.device:
        raise RuntimeError(
            f"reset should be at {x.device} like the input, found it at {reset.device}: write reset.to({str(x.device)!r})"
        )


def check_step(kind: str, config: Config, weight: Tensor, input: object, hx: object) -> tuple[Tensor, ...]:
    """The arguments of LSTMCell; gives the states (batch, hidden). TypeError, ValueError or RuntimeError."""
    names, hidden = config.cell.state, config.hidden_size
    if not isinstance(input, Tensor):
        raise TypeError(f"{kind}: Expected input to be a Tensor, got {type(input).__name__}")
    if input.dim() not in (1, 2):
        raise ValueError(
            f"{kind}: Expected input to be 1D or 2D, got {input.dim()}D instead; its shape is {tuple(input.shape)}"
        )
    check_values("input", input, weight)
    expected = config.input_size
    if input.size(-1) != expected:
        raise RuntimeError(f"input has inconsistent input_size: got {input.size(-1)} expected {expected}")
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
        check_values(f"hx[{index}]", value, weight)
    return states if input.dim() == 2 else tuple(value.unsqueeze(0) for value in states)
