"""The inputs of an ONNX model out of what the user gave: which input the file is, which axis is time, and what fills the others.

Every rule here says in a notice what it did. Where it cannot tell, it refuses and names the option.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from byhand.explorer.load.onnx_data import Data, read_data, read_named
from byhand.interop.onnx_in.given import said

if TYPE_CHECKING:
    from byhand.interop.onnx_in.given import Input

STATE = re.compile(
    r"(.*[._/])?(initial_)?(state|states|hidden|cell|[hc]|[hc]_?0|[hc]x|[hc]n|[hc]_in)([._]?\d+|_in)?", re.IGNORECASE
)
RATE = re.compile(r"(sr|fs|rate|sample_?rate|sampling_?rate)", re.IGNORECASE)
BATCH = re.compile(r"(n|b|bs|.*batch.*)", re.IGNORECASE)
TIME = re.compile(r"(t|s|.*(time|seq|step|length|sample|frame).*)", re.IGNORECASE)


class Filled(NamedTuple):
    """values: what every call gets, by name. name, value, axis: the input that the file is for, laid out, and where time is; None of an
    .npz. states: inputs that are states, which a call hands on to the next. features: names of a table's columns.
    """

    values: dict[str, Any]
    name: str | None
    value: Tensor | None
    axis: int
    states: list[str]
    features: list[str] | None
    notices: list[str]


def fill(
    known: Sequence[Input], path: Path | None, given: Sequence[str], zeros: Sequence[str], time_axis: int | None
) -> Filled:
    """All inputs of a model.

    Args:
        known: what it takes.
        path: the user's file.
        given: NAME=VALUE.
        zeros: names of inputs that are to be zeros.
        time_axis: of the input that the file is for; found by sizes and names if not given.

    Raises:
        ValueError: an input is left over, or what was given does not fit; the message says what the inputs are and what to type.
        OSError: the file cannot be read.
    """
    by_name = {one.name: one for one in known}
    values, notices = typed(by_name, given), list[str]()
    unknown = [name for name in zeros if name not in by_name]
    if unknown:
        raise ValueError(f"--zeros: expected an input of the model, got {', '.join(unknown)}; it has {said(known)}")
    if path is not None and path.suffix.lower() == ".npz":
        values |= read_named(path, list(known))
    states = [name for name in by_name if name not in values and (name in zeros or is_state(by_name[name]))]
    rest = [one for one in known if one.name not in values and one.name not in states and not is_rate(one)]
    if not rest and path is not None and len(states) == 1 and states[0] not in zeros:  # called as a state, and the only input
        rest, states = [by_name[states[0]]], []
    main: Input | None = None
    data: Data | None = None
    if path is not None and path.suffix.lower() != ".npz":
        if len(rest) != 1:
            what = "none left that is no state" if not rest else f"several: {said(rest)}"
            raise ValueError(
                f"{path}: expected one input of the model for it, got {what}; the others: --set"
                " NAME=VALUE, --zeros NAME, or all in an .npz"
            )
        main, rest = rest[0], []
        data = read_data(path, main)
    for one in [one for one in known if is_rate(one) and one.name not in values and one.name not in states]:
        if data is None or data.rate is None:
            rest.append(one)
            continue
        values[one.name] = torch.full(fixed(one), data.rate, dtype=one.dtype)
        notices.append(f"{one.name} is {data.rate}, the rate of {path.name if path is not None else ''}")
    if rest:
        raise ValueError(
            f"expected values for {said(rest)}: --input FILE, --set NAME=VALUE or --zeros NAME; the model's inputs are {said(known)}"
        )
    value, axis = laid_out(main, data, time_axis, path) if main is not None and data is not None else (None, 0)
    if main is not None and value is not None and path is not None:
        notices.insert(0, f"{main.name} is {path.name} as {list(value.shape)}, time along axis {axis}")
    sizes = named_sizes(by_name, values | ({main.name: value} if main is not None else {}))
    for name in states:
        values[name] = zeros_for(by_name[name], sizes)
        notices.append(
            f"{name} begins with zeros {list(values[name].shape)}; another value: --input FILE.npz or --set {name}=VALUE"
        )
    carried = [one.name for one in known if one is not main and (one.name in zeros or is_state(one))]
    return Filled(values, main.name if main else None, value, axis, carried, data.features if data else None, notices)


def typed(known: Mapping[str, Input], given: Sequence[str]) -> dict[str, Any]:
    """NAME=VALUE as tensors. ValueError."""
    found: dict[str, Any] = {}
    for one in given:
        name, sign, text = one.partition("=")
        if not sign or name not in known:
            raise ValueError(
                f"--set: expected NAME=VALUE for an input of the model, got {one!r}; it has {said(list(known.values()))}"
            )
        try:
            found[name] = torch.tensor(json.loads(text)).to(known[name].dtype)
        except (ValueError, TypeError, RuntimeError, RecursionError) as problem:
            raise ValueError(f"--set {name}: expected a number, or a list of them as [1, 2], got {text[:60]!r}") from problem
    return found


def is_state(one: Input) -> bool:
    """Whether an input is called as states are, and of numbers that have zeros."""
    return (
        STATE.fullmatch(one.name) is not None
        and one.dtype is not None
        and one.dtype.is_floating_point
        and one.sizes is not None
    )


def is_rate(one: Input) -> bool:
    """Whether it is a whole number called as rates of sound are."""
    numbers = one.dtype is not None and not one.dtype.is_floating_point
    return (
        RATE.fullmatch(one.name) is not None
        and numbers
        and one.sizes is not None
        and all(size in (1, None) for size in one.sizes)
    )


def fixed(one: Input) -> list[int]:
    return [size if isinstance(size, int) else 1 for size in one.sizes or ()]


def named_sizes(known: Mapping[str, Input], values: Mapping[str, Any]) -> dict[str, int]:
    """What the free sizes that have names are, in the values that are there."""
    found: dict[str, int] = {}
    for name, value in values.items():
        for size, there in zip(known[name].sizes or (), value.shape, strict=False):
            if isinstance(size, str):
                found[size] = int(there)
    return found


def zeros_for(one: Input, sizes: Mapping[str, int]) -> Tensor:
    """Free sizes are as in the other inputs, by name; else 1."""
    shape = [size if isinstance(size, int) else sizes.get(size or "", 1) for size in one.sizes or ()]
    return torch.zeros(shape, dtype=one.dtype)


def laid_out(one: Input, data: Data, time_axis: int | None, path: Path | None) -> tuple[Tensor, int]:
    """The file's values as the input has its axes, and the axis of time. ValueError."""
    if one.dtype is None or one.sizes is None:
        raise ValueError(f"{path}: the model's {one} takes arrays only: give them in an .npz")
    values = data.values.to(one.dtype)
    places = [axis for axis in range(len(one.sizes)) if fits(one, values, axis)]
    if time_axis is not None:
        places = [axis for axis in places if axis == time_axis % max(1, len(one.sizes))]
    elif len(places) > 1:
        places = by_names(one, places, values) or places
    if len(places) != 1:
        what = "in more than one way: say which axis is time with --time-axis" if places else "which do not fit"
        raise ValueError(
            f"{path}: the model's {one} got {list(values.shape)} (steps{', columns' * (values.dim() > 1)}), {what}"
        )
    return values.reshape(shape_of(one, values, places[0])), places[0]


def shape_of(one: Input, values: Tensor, axis: int) -> list[int]:
    """Time along this axis, columns along the last, 1 elsewhere."""
    shape = [1] * len(one.sizes or ())
    if values.dim() > 1 and axis != len(shape) - 1:
        shape[-1] = values.shape[1]
    shape[axis] = len(values)
    return shape


def fits(one: Input, values: Tensor, axis: int) -> bool:
    assert one.sizes is not None
    last = axis == len(one.sizes) - 1
    if values.dim() > 1 and values.shape[1] > 1 and last:
        return False
    return all(
        not isinstance(size, int) or size == there for size, there in zip(one.sizes, shape_of(one, values, axis), strict=True)
    )


def by_names(one: Input, places: Sequence[int], values: Tensor) -> list[int]:
    """The one axis called as time is, or left when those called as a batch is are taken away; of sound the last."""
    sizes = dict(enumerate(one.sizes or ()))
    timed = [axis for axis in places if isinstance(sizes[axis], str) and TIME.fullmatch(str(sizes[axis]))]
    if len(timed) == 1:
        return timed
    left = [
        axis
        for axis in places
        if not (sizes[axis] == 1 or (isinstance(sizes[axis], str) and BATCH.fullmatch(str(sizes[axis]))))
    ]
    if len(left) == 1:
        return left
    return [places[-1]] if values.dim() == 1 and one.dtype is not None and one.dtype.is_floating_point else []
