"""What Triton's interpreter gets wrong, put right, so that the GPU engine's kernels can be held against the reference engine without a GPU.

Import this in a process that was started with TRITON_INTERPRET=1, which Triton reads at its import. In Triton 3.6 to 3.9 the interpreter
multiplies the bits of bfloat16 as integers and cuts float32 off where it is to be rounded to bfloat16, multiplies in float32 where tf32 is
asked for, and answers None to every function of libdevice.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import triton.language as tl
from triton.language.extra import libdevice
from triton.runtime import interpreter

from byhand.engine.triton import refusal


def wide(values: np.ndarray) -> np.ndarray:
    """bfloat16, as its bits, in float32."""
    return (np.ascontiguousarray(values).astype(np.uint32) << 16).view(np.float32).reshape(values.shape)


def tf32(values: np.ndarray) -> np.ndarray:
    """float32 rounded to 10 bits of mantissa, to the nearest, ties away from zero, as the GPU's cvt.rna.tf32.f32 does."""
    return ((np.ascontiguousarray(values).view(np.uint32) + 0x1000) & 0xFFFFE000).view(np.float32).reshape(values.shape)


def convert(values: np.ndarray, given: Any, wanted: Any, rounding: Any) -> np.ndarray:
    """float32 to bfloat16, to the nearest, ties to even; other number types as the interpreter does it."""
    if given != tl.float32 or wanted != tl.bfloat16:
        return CONVERT(values, given, wanted, rounding)
    bits = np.ascontiguousarray(values).view(np.uint32)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    return np.where(np.isnan(values), (bits >> 16) | 0x40, rounded).astype(np.uint16).reshape(values.shape)


def product(a: Any, b: Any, precision: str) -> np.ndarray:
    """The product a · b with sums in float32, or in float64 of float64."""
    if a.dtype.scalar == tl.bfloat16:
        return np.matmul(wide(a.data), wide(b.data))
    if a.dtype.scalar == tl.float16:
        return np.matmul(a.data.astype(np.float32), b.data.astype(np.float32))
    if a.dtype.scalar == tl.float32 and "TF32X3" in precision:
        high = tf32(a.data), tf32(b.data)
        low = tf32(a.data - high[0]), tf32(b.data - high[1])
        return np.matmul(low[0], high[1]) + np.matmul(high[0], low[1]) + np.matmul(*high)
    if a.dtype.scalar == tl.float32 and "TF32" in precision:
        return np.matmul(tf32(a.data), tf32(b.data))
    return np.matmul(a.data, b.data)


def create_dot(_: Any, a: Any, b: Any, d: Any, input_precision: Any, *_more: Any) -> Any:
    """The interpreter's matrix product."""
    made = product(a, b, str(input_precision).upper())
    return interpreter.TensorHandle(made.astype(d.data.dtype) + d.data, d.dtype.scalar)


def each(function: Callable[..., float]) -> Callable[..., np.ndarray]:
    return np.vectorize(function, otypes=[np.float64])


FUNCTIONS: dict[str, Callable[..., np.ndarray]] = {
    "tanh": np.tanh,
    "expm1": np.expm1,
    "log1p": np.log1p,
    "pow": np.power,
    "atan2": np.arctan2,
    "rint": np.rint,
    "erfc": each(math.erfc),
    "tan": np.tan,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
}


def of_tensors(function: Callable[..., np.ndarray]) -> Callable[..., Any]:
    """A function of arrays as one of Triton's tensors in the interpreter; numbers broadcast."""

    def call(*given: Any) -> Any:
        handles = [one.handle for one in given]
        with np.errstate(all="ignore"):
            made = np.asarray(function(*(one.data for one in handles))).astype(handles[0].data.dtype)
        scalar = given[0].dtype.scalar
        return tl.tensor(interpreter.TensorHandle(made, scalar), tl.block_type(scalar, list(made.shape)))

    return call


CONVERT = interpreter._convert_float
interpreter._convert_float = convert
if os.environ.get("TRITON_INTERPRET") != "1":
    raise RuntimeError("Triton reads TRITON_INTERPRET at its import: type TRITON_INTERPRET=1 in front of the command")
DOT = interpreter.InterpreterBuilder.create_dot
interpreter.InterpreterBuilder.create_dot = create_dot  # type: ignore[method-assign]
for name, function in FUNCTIONS.items():
    setattr(libdevice, name, of_tensors(function))
refusal.DEVICES.add("cpu")
