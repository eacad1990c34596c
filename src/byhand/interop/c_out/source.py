"""The C file: weights, memory, reset and step of a stack of layers, and of a linear head, in C99 and in C++."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from byhand.interop.c_out.functions import definitions, literal, statements

if TYPE_CHECKING:
    from torch import Tensor

    from byhand.interop.c_out.weights import LayerInC

TOP = """
/* @ABOUT@
 *
 *     #include "@FILE@"
 *
 *     static NAME_memory memory;
 *     NUMBER x[NAME_inputs], y[NAME_outputs];
 *
 *     NAME_reset(&memory);
 *     NAME_step(&memory, x, y);
 *
 * Each sequence needs a memory of its own, which is reset before its first step.
 * Needs the C standard library alone, allocates nothing, and @STACK@ bytes of stack. Not for -ffast-math, which takes NaN
 * and infinities for impossible.
@EQUATIONS@ */

#ifndef NAME_included
#define NAME_included

#include <math.h>
#include <string.h>
"""
MULTIPLY = """
/* sums += matrix x, the matrix column by column. */
static inline void NAME_multiply(const NUMBER *matrix, const NUMBER *x, int columns, int rows, NUMBER *sums)
{
    int column = 0, row;
    for (; column + 4 <= columns; column += 4, matrix += 4 * rows) {
        const NUMBER a = x[column], b = x[column + 1], c = x[column + 2], d = x[column + 3];
        for (row = 0; row < rows; ++row)
            sums[row] += (matrix[row] * a + matrix[rows + row] * b) + (matrix[2 * rows + row] * c + matrix[3 * rows + row] * d);
    }
    for (; column < columns; ++column, matrix += rows) {
        const NUMBER a = x[column];
        for (row = 0; row < rows; ++row) sums[row] += matrix[row] * a;
    }
}
"""
WIDTH = 110  # characters in a line of weights


class Network(NamedTuple):
    """What is written. about: one line; equations: of the cell; head: weight (outputs, width) and bias (outputs,)."""

    name: str
    kind: str  # "float" or "double"
    about: str
    equations: Sequence[str]
    layers: Sequence[LayerInC]
    head: tuple[Tensor, Tensor | None] | None


def source(network: Network, file: str) -> str:
    """The whole file, of this name."""
    layers, kind = network.layers, network.kind
    used = {line.function for layer in layers for line in layer.program.lines}
    parts = [
        TOP.strip(),
        sizes(network),
        *definitions(used, kind),
        MULTIPLY.strip(),
        *(array for place, layer in enumerate(layers) for array in weights(place, layer, kind)),
        *([] if network.head is None else head_weights(network.head, kind)),
        memory(layers),
        *(layer_step(place, layer, kind) for place, layer in enumerate(layers)),
        reset(layers),
        step(network),
        "#endif",
    ]
    body = ("\n\n".join(parts) + "\n").replace("NAME", network.name).replace("NUMBER", kind)
    words = {
        "@ABOUT@": network.about,
        "@FILE@": file,
        "@STACK@": f"about {stack(network):,}",
        "@EQUATIONS@": "".join([" *\n", *(f" *     {line}\n" for line in network.equations)]),
    }
    for mark, text in words.items():
        body = body.replace(mark, text.replace("*/", "* /"), 1)
    return body


def stack(network: Network) -> int:
    """The bytes of a step's local arrays, in the widest layer."""
    numbers = max(len(one.preactivations) * one.hidden + one.hidden * (one.projection is not None) for one in network.layers)
    return numbers * (4 if network.kind == "float" else 8)


def width(layer: LayerInC) -> int:
    """Of a layer's output."""
    return layer.hidden if layer.projection is None else layer.projection.shape[1]


def sizes(network: Network) -> str:
    last = width(network.layers[-1])
    outputs = last if network.head is None else network.head[0].shape[0]
    return f"enum {{ NAME_inputs = {len(network.layers[0].input)}, NAME_outputs = {outputs} }};"


def array(name: str, values: Tensor, kind: str) -> str:
    """A constant array, in lines of readable length."""
    lines, line = list[str](), ""
    for word in (literal(value, kind) + "," for value in values.flatten().tolist()):
        if len(line) + len(word) >= WIDTH:
            lines.append(line)
            line = ""
        line += f" {word}" if line else word
    body = "\n    ".join([*lines, line.rstrip(",")])
    return f"static const NUMBER NAME_{name}[{values.numel()}] = {{\n    {body}\n}};"


def weights(place: int, layer: LayerInC, kind: str) -> Iterator[str]:
    """Every array of a layer, with a line that says how it is laid out."""
    gates = ", ".join(layer.preactivations)
    yield f"/* Layer {place}. Sums of a step, {layer.hidden} of each: {gates}. Weights column by column. */"
    yield array(f"l{place}_bias", layer.bias, kind)
    yield array(f"l{place}_input", layer.input, kind)
    if layer.recurrent is not None:
        yield array(f"l{place}_recurrent", layer.recurrent, kind)
    if layer.projection is not None:
        yield array(f"l{place}_projection", layer.projection, kind)
    yield from (array(f"l{place}_p_{name}", value, kind) for name, value in layer.parameters.items())
    yield from (array(f"l{place}_first_{name}", value, kind) for name, value in layer.start.items() if value.any())


def head_weights(head: tuple[Tensor, Tensor | None], kind: str) -> Iterator[str]:
    weight, bias = head
    yield array("head_bias", weight.new_zeros(len(weight)) if bias is None else bias.detach(), kind)
    yield array("head_weight", weight.detach().t(), kind)


def memory(layers: Sequence[LayerInC]) -> str:
    fields = [
        f"    NUMBER l{place}_{name}[{len(value)}];"
        for place, layer in enumerate(layers)
        for name, value in layer.start.items()
    ]
    return "\n".join(["typedef struct {", *fields, "} NAME_memory;"])


def reset(layers: Sequence[LayerInC]) -> str:
    """The states before the first step."""
    lines = ["    memset(memory, 0, sizeof *memory);"]
    for place, layer in enumerate(layers):
        for name, value in layer.start.items():
            if value.any():
                lines.append(
                    f"    memcpy(memory->l{place}_{name}, NAME_l{place}_first_{name}, sizeof memory->l{place}_{name});"
                )
    return "\n".join(["static inline void NAME_reset(NAME_memory *memory)", "{", *lines, "}"])


def layer_step(place: int, layer: LayerInC, kind: str) -> str:
    """One layer's step: sums, then unit by unit the cell, then the projection."""
    hidden, rows, here = layer.hidden, len(layer.preactivations), f"l{place}"
    lines = [
        f"NUMBER sums[{rows * hidden}];",
        f"memcpy(sums, NAME_{here}_bias, sizeof sums);",
        f"NAME_multiply(NAME_{here}_input, x, {len(layer.input)}, {layer.input_rows * hidden}, sums);",
    ]
    if layer.recurrent is not None:
        first, down = (rows - layer.recurrent_rows) * hidden, 0
        for name in layer.sources:
            size = len(layer.start[name])
            matrix = f"NAME_{here}_recurrent" + (f" + {down}" if down else "")
            target = "sums" + (f" + {first}" if first else "")
            lines.append(f"NAME_multiply({matrix}, memory->{here}_{name}, {size}, {layer.recurrent_rows * hidden}, {target});")
            down += size * layer.recurrent_rows * hidden
    inputs = {name: f"sums[{index * hidden} + unit]" for index, name in enumerate(layer.preactivations)}
    inputs |= {f"s.{name}": f"memory->{here}_{name}[unit]" for name in layer.states}
    inputs |= {f"p.{name}": f"NAME_{here}_p_{name}[unit]" for name in layer.parameters}
    output = layer.states[0]
    results = {name: f"memory->{here}_{name}[unit]" for name in layer.states}
    if layer.projection is not None:
        lines.append(f"NUMBER before[{hidden}];")
        results[output] = "before[unit]"
    lines.append(f"for (int unit = 0; unit < {hidden}; ++unit) {{")
    lines += [f"    {line}" for line in statements(layer.program, inputs, results, kind)]
    lines.append("}")
    if layer.projection is not None:
        lines += [
            f"memset(memory->{here}_{output}, 0, sizeof memory->{here}_{output});",
            f"NAME_multiply(NAME_{here}_projection, before, {hidden}, {width(layer)}, memory->{here}_{output});",
        ]
    head = f"static inline void NAME_{here}_step(NAME_memory *memory, const NUMBER *x)"
    return "\n".join([head, "{", *(f"    {line}" for line in lines), "}"])


def step(network: Network) -> str:
    """All layers and the head: a layer reads the output that the one below has just left in the memory."""
    lines, x = list[str](), "x"
    for place, layer in enumerate(network.layers):
        lines.append(f"NAME_l{place}_step(memory, {x});")
        x = f"memory->l{place}_{layer.states[0]}"
    if network.head is None:
        lines.append(f"memcpy(y, {x}, NAME_outputs * sizeof *y);")
    else:
        lines += [
            "memcpy(y, NAME_head_bias, NAME_outputs * sizeof *y);",
            f"NAME_multiply(NAME_head_weight, {x}, {width(network.layers[-1])}, NAME_outputs, y);",
        ]
    head = "static inline void NAME_step(NAME_memory *memory, const NUMBER *x, NUMBER *y)"
    return "\n".join([head, "{", *(f"    {line}" for line in lines), "}"])
