"""What a model is given: its inputs by name, held against what the file says of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from byhand.interop.onnx_in.runtime import onnx
from byhand.interop.onnx_in.values import array


@dataclass(frozen=True)
class Input:
    """One input of a model. dtype: torch's; None for text and for what torch does not have. sizes: numbers, names or None where a size is
    free; None if nothing is said of them. sequence: whether it is a sequence of tensors, or something else than one tensor.
    """

    name: str
    dtype: torch.dtype | None
    kind: str
    sizes: tuple[int | str | None, ...] | None
    sequence: bool = False

    def __str__(self) -> str:
        """As in "state: float32 [2, batch, 128]"."""
        sizes = "" if self.sizes is None else f" [{', '.join('?' if one is None else str(one) for one in self.sizes)}]"
        return f"{self.name}: {self.kind}{sizes}"


def inputs_of(proto: Any, names: Sequence[str]) -> list[Input]:
    """Those of a graph that have to be given."""
    there = {one.name: one for one in proto.input}
    return [input_of(there[name]) for name in names]


def input_of(value: Any) -> Input:
    helper, types = onnx().helper, onnx().TensorProto.DataType
    if value.type.WhichOneof("value") != "tensor_type":
        return Input(value.name, None, value.type.WhichOneof("value") or "unknown", None, sequence=True)
    kind = value.type.tensor_type
    if kind.elem_type == types.STRING:
        dtype, word = None, "text"
    else:
        word = str(helper.tensor_dtype_to_np_dtype(kind.elem_type))
        found = getattr(torch, word, None)
        dtype = found if isinstance(found, torch.dtype) else None
    sizes = None
    if kind.HasField("shape"):
        sizes = tuple(one.dim_value if one.HasField("dim_value") else one.dim_param or None for one in kind.shape.dim)
        sizes = tuple(None if one == 0 else one for one in sizes)  # a size of 0 is written where none is meant
    return Input(value.name, dtype, word, sizes)


def read_inputs(known: Sequence[Input], given: tuple[Any, ...], named: Mapping[str, Any]) -> dict[str, Any]:
    """Name -> array. TypeError or ValueError, which says what the model's inputs are."""
    if len(given) == 1 and isinstance(given[0], Mapping):
        named, given = {**given[0], **named}, ()
    if len(given) > len(known):
        raise ValueError(f"the model expected {len(known)} inputs, got {len(given)}: {said(known)}")
    found = dict(zip([one.name for one in known], given, strict=False))
    twice = sorted(found.keys() & named.keys())
    wrong = [name for name in named if name not in {one.name for one in known}]
    missing = [one.name for one in known if one.name not in found and one.name not in named]
    if wrong or missing or twice:
        parts = [f"none called {', '.join(wrong)}"] * bool(wrong) + [f"{', '.join(missing)} missing"] * bool(missing)
        parts += [f"{', '.join(twice)} twice"] * bool(twice)
        raise ValueError(f"the model expected {said(known)}; got {'; '.join(parts)}")
    values = {**found, **named}
    return {one.name: checked(one, values[one.name]) for one in known}


def said(known: Sequence[Input]) -> str:
    """All inputs, in words."""
    return "; ".join(map(str, known)) if known else "no inputs"


def checked(one: Input, value: Any) -> Any:
    """The array of a value. TypeError, ValueError."""
    if one.sequence:
        return (
            [array(each) if isinstance(each, Tensor) else each for each in value] if isinstance(value, list | tuple) else value
        )
    if isinstance(value, bool | int | float | list | tuple) and one.dtype is not None:
        value = made(one, value)
    found: Any = array(value) if isinstance(value, Tensor) else value
    if not hasattr(found, "dtype") or not hasattr(found, "shape"):
        raise TypeError(f"input {one} expected a tensor or an array, got a {type(value).__name__}")
    if (str(found.dtype) if found.dtype.kind not in "OUS" else "text") != one.kind:
        hint = f": write {one.name}.to(torch.{one.kind})" if one.dtype is not None and isinstance(value, Tensor) else ""
        raise TypeError(f"input {one} got values of {found.dtype}{hint}")
    fits = one.sizes is None or (
        len(found.shape) == len(one.sizes)
        and all(not isinstance(size, int) or size == there for size, there in zip(one.sizes, found.shape, strict=True))
    )
    if not fits:
        raise ValueError(f"input {one} got sizes {list(found.shape)}")
    return found


def made(one: Input, value: Any) -> Tensor:
    """Numbers of Python's, in the input's own type. TypeError, ValueError."""
    try:
        found = torch.tensor(value)
    except (TypeError, ValueError, RuntimeError, OverflowError) as problem:
        raise TypeError(f"input {one} expected numbers, got {str(value)[:60]} ({problem})") from problem
    if found.is_floating_point() and one.dtype is not None and not one.dtype.is_floating_point:
        raise TypeError(f"input {one} expected whole numbers, got {str(value)[:60]}")
    return found.to(one.dtype)
