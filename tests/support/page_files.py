"""Files for the page to open, as safetensors, torch and onnx write them, and what torch or onnxruntime computes of them."""

from __future__ import annotations

import base64
import io
import warnings
from collections.abc import Mapping
from typing import Any

import numpy
import onnx
import onnxruntime
import safetensors.torch
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

import byhand
from byhand import cells

STEPS = 9
BEFORE = "GRU with the reset before its product"
File = dict[str, Any]


def files() -> list[File]:
    torch.manual_seed(0)
    return [*torch_files(), *onnx_files(), *refused()]


def torch_files() -> list[File]:
    lstm = nn.LSTM(5, 7, 2, bidirectional=True)
    cell = nn.LSTMCell(4, 6)
    made = nn.ModuleDict({"encoder": nn.ModuleDict({"rnn": nn.GRU(3, 5, 2)}), "fc": nn.Linear(5, 2), "norm": nn.BatchNorm1d(2)})
    projected, plain = nn.LSTM(6, 8, 2, proj_size=3, bidirectional=True), nn.RNN(2, 9, bias=False)
    peephole = byhand.LSTM(3, 4, cell=cells.peephole)
    for vector in (peephole.p_i_l0, peephole.p_f_l0, peephole.p_o_l0):
        nn.init.normal_(vector)
    found = [
        file(
            "both ways.safetensors", saved(lstm.state_dict()), [lstm], ["LSTM, 2 layers in both directions, 5 inputs, 7 units"]
        ),
        file(
            "model.safetensors",
            saved(made.state_dict()),
            [made["encoder"]["rnn"]],
            ["encoder.rnn: GRU, 2 layers, 3 inputs, 5 units"],
        )
        | {"left": ["fc.bias, fc.weight", "norm.num_batches_tracked: no floats"]},
        file(
            "projected.safetensors",
            saved(projected.state_dict()),
            [projected],
            ["LSTM, 2 layers in both directions, 6 inputs, 8 units"],
        ),
        file("rnn.safetensors", saved(plain.state_dict()), [plain], ["RNN, 2 inputs, 9 units"]),
        file("cell.safetensors", saved(cell.state_dict()), [of_cell(cell)], ["LSTM, 4 inputs, 6 units"]),
        file("peephole.safetensors", saved(peephole.state_dict()), [peephole], ["LSTM with peepholes, 3 inputs, 4 units"]),
    ]
    for dtype in (torch.float64, torch.float16, torch.bfloat16):
        layer = nn.LSTM(3, 5).to(dtype)
        name = f"{str(dtype).removeprefix('torch.')}.safetensors"
        found.append(file(name, saved(layer.state_dict()), [layer.double()], ["LSTM, 3 inputs, 5 units"]))
    before = byhand.LSTM(3, 5, 2, cell=cells.gru_reset_before)
    named = safetensors.torch.save(dict(before.state_dict()), {"format": "pt", "cell": "gru_reset_before"})
    found.append(file("before.safetensors", named, [before], [f"{BEFORE}, 2 layers, 3 inputs, 5 units"]))
    two = nn.ModuleDict({"a": nn.LSTM(3, 4), "b": nn.GRU(4, 6, bidirectional=True)})
    names = ["a: LSTM, 3 inputs, 4 units", "b: GRU in both directions, 4 inputs, 6 units"]
    return [*found, file("two.safetensors", saved(two.state_dict()), [two["a"], two["b"]], names)]


def of_cell(cell: nn.LSTMCell) -> nn.LSTM:
    layer = nn.LSTM(cell.input_size, cell.hidden_size)
    layer.load_state_dict({f"{name}_l0": value for name, value in cell.state_dict().items()})
    return layer


def saved(state: Mapping[str, Tensor]) -> bytes:
    return safetensors.torch.save({name: value.contiguous() for name, value in state.items()}, {"format": "pt"})


def file(name: str, content: bytes, layers: list[nn.Module], described: list[str]) -> File:
    """values: of each layer, what it computes of some input."""
    values = []
    for layer in layers:
        x = torch.randn(STEPS, 1, layer.input_size, dtype=torch.float64)
        with torch.no_grad():
            y = layer.double()(x)[0]
        values.append({"x": x.flatten().tolist(), "y": y.flatten().tolist()})
    return {"name": name, "content": base64.b64encode(content).decode(), "values": values, "described": described, "left": []}


def onnx_files() -> list[File]:
    stack = nn.LSTM(4, 6, 2, bidirectional=True)
    forward = nn.LSTM(4, 6, 3)
    gru = nn.GRU(3, 5)
    found = [
        run("stack.onnx", exported(stack, 4), 4, "LSTM, 2 layers in both directions, 4 inputs, 6 units"),
        run("forward.onnx", exported(forward, 4), 4, "LSTM, 3 layers, 4 inputs, 6 units"),
        run("gru.onnx", exported(gru, 3), 3, "GRU, 3 inputs, 5 units"),
        run("reset before.onnx", node_file("GRU", linear_before_reset=0), 3, f"{BEFORE}, 3 inputs, 4 units"),
        run(
            "default.onnx", node_file("GRU", direction="reverse"), 3, f"{BEFORE}, from the end to the start, 3 inputs, 4 units"
        ),
    ]
    named = {"direction": "reverse", "activations": ["Sigmoid", "Tanh", "Tanh"]}
    described = "LSTM with peepholes, from the end to the start, 3 inputs, 4 units"
    return [*found, run("peepholes.onnx", node_file("LSTM", peepholes=True, **named), 3, described)]


def exported(layer: nn.Module, inputs: int) -> bytes:
    target = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter that writes one node a layer is deprecated
        torch.onnx.export(layer.eval(), (torch.randn(STEPS, 1, inputs),), target, dynamo=False, input_names=["x"])
    return target.getvalue()


def node_file(operator: str, *, peepholes: bool = False, **attributes: Any) -> bytes:
    """One node by hand, with three inputs and four units. As float_data, not raw bytes: both are allowed."""
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[operator]
    random = numpy.random.default_rng(0)
    shapes = {"W": (1, gates * 4, 3), "R": (1, gates * 4, 4), "B": (1, 2 * gates * 4)} | ({"P": (1, 12)} if peepholes else {})
    weights = [
        helper.make_tensor(name, TensorProto.FLOAT, shape, random.standard_normal(shape).ravel())
        for name, shape in shapes.items()
    ]
    names = ["x", "W", "R", "B", *(["", "", "", "P"] if peepholes else [])]
    node = helper.make_node(
        operator, names, ["Y", "", ""][: 3 if operator == "LSTM" else 2], name="by hand", hidden_size=4, **attributes
    )
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [STEPS, 1, 3])
    y = helper.make_tensor_value_info("Y", TensorProto.FLOAT, [STEPS, 1, 1, 4])
    graph = helper.make_graph([node], "g", [x], [y], initializer=weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def run(name: str, content: bytes, inputs: int, described: str) -> File:
    x = torch.randn(STEPS, 1, inputs)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    y = session.run(None, {"x": x.numpy()})[0]
    values = [{"x": x.flatten().tolist(), "y": y.ravel().tolist()}]
    named = base64.b64encode(content).decode()
    return {"name": name, "content": named, "values": values, "described": [described], "left": []}


def refused() -> list[File]:
    """What the page cannot run, each with words of the reason."""
    clipped, relu = node_file("LSTM", clip=1.0), node_file("RNN", activations=["Relu"])
    computed = onnx.load_model_from_string(node_file("LSTM"))
    computed.graph.node[0].input[1] = "made"
    computed.graph.node.insert(0, helper.make_node("Neg", ["W"], ["made"]))
    outside = onnx.load_model_from_string(node_file("LSTM"))
    first = outside.graph.initializer[0]
    first.ClearField("float_data")
    first.data_location = TensorProto.EXTERNAL
    first.external_data.add(key="location", value="weights.bin")
    infinite = nn.LSTM(2, 3)
    with torch.no_grad():
        infinite.weight_hh_l0[1, 1] = torch.inf
    gap = {name.replace("_l1", "_l2"): value for name, value in nn.LSTM(2, 3, 2).state_dict().items()}
    five = {"weight_ih_l0": torch.ones(15, 2), "weight_hh_l0": torch.ones(15, 3)}
    normed = byhand.LSTM(2, 3, cell=cells.layernorm_lstm).state_dict()
    linear = nn.Linear(2, 3).state_dict()
    cifg = safetensors.torch.save(dict(byhand.LSTM(2, 3, cell=cells.cifg).state_dict()), {"format": "pt", "cell": "cifg"})
    whole = numpy_helper.from_array(numpy.ones(3, numpy.int64), "W")
    counted = onnx.load_model_from_string(node_file("LSTM"))
    counted.graph.initializer[0].CopyFrom(whole)
    reasons = [
        ("clipped.onnx", clipped, "clips"),
        ("relu.onnx", relu, "Relu"),
        ("computed.onnx", computed.SerializeToString(), "its W is computed in the file"),
        ("outside.onnx", outside.SerializeToString(), "lies in another file"),
        ("counted.onnx", counted.SerializeToString(), "holds no floats"),
        ("infinite.safetensors", saved(infinite.state_dict()), "not all numbers are finite"),
        ("gap.safetensors", saved(gap), "the levels 0, 2"),
        ("five.safetensors", saved(five), "5 rows of weights"),
        ("normed.safetensors", saved(normed), "does not know"),
        ("cifg.safetensors", cifg, "its cell is cifg"),
        ("linear.safetensors", saved(linear), "no LSTM, GRU or RNN"),
        ("weights.bin", b"", ".safetensors or .onnx"),
        ("empty.safetensors", b"", "0 bytes"),
        ("empty.onnx", b"", "no graph"),
    ]
    return [
        {
            "name": name,
            "content": base64.b64encode(content).decode(),
            "reason": reason,
            "values": [],
            "described": [],
            "left": [],
        }
        for name, content, reason in reasons
    ]
