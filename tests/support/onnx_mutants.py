"""ONNX models changed at random where a wrong value could hurt: sizes, types, names, attributes, graphs in each other, other files."""

from __future__ import annotations

import random
from collections.abc import Callable

import onnx
from onnx import helper


def graphs(graph: onnx.GraphProto) -> list[onnx.GraphProto]:
    """A graph and all inside."""
    inner = [one.g for node in graph.node for one in node.attribute if one.type == onnx.AttributeProto.GRAPH]
    return [graph, *(each for one in inner for each in graphs(one))]


def tensor(model: onnx.ModelProto, draw: random.Random) -> onnx.TensorProto:
    return draw.choice(list(model.graph.initializer))


def node(model: onnx.ModelProto, draw: random.Random) -> onnx.NodeProto:
    return draw.choice([one for graph in graphs(model.graph) for one in graph.node])


def sizes(model: onnx.ModelProto, draw: random.Random) -> None:
    one = tensor(model, draw)
    wrong = draw.choice([[2**62], [2**31, 2**31], [-1], [0], [10**9] * 3, [1] * 200, [], [*one.dims, 2], [2**63 - 1] * 4])
    del one.dims[:]
    one.dims.extend(wrong)


def size(model: onnx.ModelProto, draw: random.Random) -> None:
    one = tensor(model, draw)
    if one.dims:
        one.dims[draw.randrange(len(one.dims))] = draw.choice([0, 1, 2, 3, 10**12, -(2**40)])


def kind(model: onnx.ModelProto, draw: random.Random) -> None:
    tensor(model, draw).data_type = draw.choice([*range(-1, 30), 2**31 - 1])


def numbers(model: onnx.ModelProto, draw: random.Random) -> None:
    one = tensor(model, draw)
    draw.choice(
        [
            lambda: one.ClearField("raw_data"),
            lambda: setattr(one, "raw_data", b"1234"),
            lambda: one.float_data.extend([1.0] * 7),
        ]
    )()


def gone(model: onnx.ModelProto, draw: random.Random) -> None:
    del model.graph.initializer[draw.randrange(len(model.graph.initializer))]


def name(model: onnx.ModelProto, draw: random.Random) -> None:
    one = node(model, draw)
    side = draw.choice([one.input, one.output])
    if side:
        side[draw.randrange(len(side))] = draw.choice(["", "nowhere", "x", "y", "W", *one.output, "a" * 10000, "\u2028"])


def order(model: onnx.ModelProto, draw: random.Random) -> None:
    graph = draw.choice(graphs(model.graph))
    nodes = list(graph.node)
    draw.shuffle(nodes)
    del graph.node[:]
    graph.node.extend(nodes)


def attribute(model: onnx.ModelProto, draw: random.Random) -> None:
    one = node(model, draw)
    if not one.attribute or draw.random() < 0.5:
        value = draw.choice([2**62, -1, 0, float("nan"), 1e30, b"\xff\xfe", "bidirectional", [1.0] * 3, ["Relu"] * 3, [2**40]])
        named = draw.choice(
            ["hidden_size", "clip", "direction", "activations", "layout", "activation_alpha", "axis", "num_scan_inputs"]
        )
        one.attribute.append(helper.make_attribute(named, value))
    elif draw.random() < 0.5:
        del one.attribute[draw.randrange(len(one.attribute))]
    else:
        other = one.attribute[draw.randrange(len(one.attribute))]
        other.type = draw.randrange(0, 15)
        other.i, other.f = draw.choice([2**62, -5, 3]), draw.choice([float("inf"), -1.0, 0.5])


def operator(model: onnx.ModelProto, draw: random.Random) -> None:
    one = node(model, draw)
    one.op_type = draw.choice(
        ["LSTM", "GRU", "RNN", "Loop", "Scan", "If", "Tile", "ConstantOfShape", "NoSuchThing", "", "Constant"]
    )
    one.domain = draw.choice(["", "", "ai.onnx", "com.microsoft", "no.such"])


def versions(model: onnx.ModelProto, draw: random.Random) -> None:
    if not model.opset_import:
        return
    draw.choice([
        lambda: setattr(model, "ir_version", draw.choice([0, 1, 3, 10**9])),
        lambda: setattr(model.opset_import[0], "version", draw.choice([0, 1, 6, 10**9, -1])),
        lambda: model.ClearField("opset_import"),
    ])()  # fmt: skip


def deep(model: onnx.ModelProto, draw: random.Random) -> None:
    """Branches in each other, about as deep as protobuf reads them."""
    inner = onnx.GraphProto(name="inner", node=[helper.make_node("Neg", ["x"], ["q"])], output=[onnx.ValueInfoProto(name="q")])
    for _ in range(draw.choice([3, 12, 28])):
        branch = (
            helper.make_node("If", ["always"], ["q"], then_branch=inner, else_branch=inner) if draw.random() < 0.05 else None
        )
        branch = branch or onnx.NodeProto(op_type="If", input=["always"], output=["q"])
        if not branch.attribute:
            branch.attribute.append(onnx.AttributeProto(name="then_branch", type=onnx.AttributeProto.GRAPH, g=inner))
        inner = onnx.GraphProto(name="inner", node=[branch], output=[onnx.ValueInfoProto(name="q")])
        if inner.ByteSize() > 200_000:
            break
    model.graph.node.extend(inner.node)


def elsewhere(model: onnx.ModelProto, draw: random.Random) -> None:
    """Numbers in another file."""
    one = tensor(model, draw)
    one.ClearField("raw_data")
    one.data_location = onnx.TensorProto.EXTERNAL
    places = [
        "../outside.bin",
        "/etc/hostname",
        "link.bin",
        "",
        "inside.bin",
        "no.bin",
        "..",
        ".",
        "a\0b",
        "inside.bin/../../outside.bin",
        "/dev/zero",
    ]
    entries = {
        "location": draw.choice(places),
        "offset": draw.choice(["0", "-1", "4096", "x", str(2**62)]),
        "length": draw.choice(["4", "64", str(2**62), "-8", "y"]),
    }
    for key, value in entries.items():
        if draw.random() < 0.8 or key == "location":
            one.external_data.add(key=key, value=value)


def function(model: onnx.ModelProto, draw: random.Random) -> None:
    """A function that calls itself, or is not there."""
    body = [helper.make_node("Again", ["a"], ["b"], domain="own")]
    model.functions.append(
        helper.make_function("own", draw.choice(["Again", "Other"]), ["a"], ["b"], body, list(model.opset_import))
    )
    model.graph.node.append(helper.make_node("Again", ["x"], ["again"], domain="own"))
    if draw.random() < 0.7:
        model.opset_import.append(helper.make_opsetid("own", 1))


MUTATIONS: list[Callable[[onnx.ModelProto, random.Random], None]] = [
    sizes, size, kind, numbers, gone, name, order, attribute, operator, versions, deep, elsewhere, function,
]  # fmt: skip


def mutant(model: onnx.ModelProto, draw: random.Random) -> bytes:
    """One or two changes of a copy."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for change in draw.choices(MUTATIONS, k=draw.choice([1, 1, 2])):
        if copy.graph.initializer:
            change(copy, draw)
    return copy.SerializeToString()
