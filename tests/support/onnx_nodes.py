"""A layer's weights in a file of one ONNX node, run by onnxruntime: what the cells that ONNX's operators have are held against."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from byhand import LSTM

Array = NDArray[Any]
ORDERS = {"LSTM": "iofg", "GRU": "zrn", "RNN": "n"}  # the operators' gates by our names
UNREAD = 1000.0  # in place of what a cell has no weights for: an operator that read it would show
ENDINGS = ("_l0", "_l0_reverse")


def rows(lstm: LSTM, name: str, order: str, ending: str) -> Array:
    """A parameter of one direction with its gates in this order."""
    value = lstm.get_parameter(name + ending).detach()
    gates = dict(zip(lstm.cell.gates, value.chunk(len(lstm.cell.gates)), strict=True))
    unread = value[: lstm.hidden_size] * 0 + UNREAD
    return np.concatenate([gates.get(gate, unread).numpy() for gate in order])


def peepholes(lstm: LSTM, ending: str) -> Array:
    """The vectors in the operator's order i, o, f."""
    unread = np.full(lstm.hidden_size, UNREAD)
    has = lstm.cell.vectors
    parts = [lstm.get_parameter(f"p_{gate}{ending}").detach().numpy() if f"p_{gate}" in has else unread for gate in "iof"]
    return np.concatenate(parts)


def weights(operator: str, lstm: LSTM) -> dict[str, Array]:
    """W, R, B and, where the cell has peepholes, P, each of both directions."""
    order = ORDERS[operator]
    found = {
        "W": [rows(lstm, "weight_ih", order, ending) for ending in ENDINGS],
        "R": [rows(lstm, "weight_hh", order, ending) for ending in ENDINGS],
        "B": [
            np.concatenate([rows(lstm, "bias_ih", order, ending), rows(lstm, "bias_hh", order, ending)]) for ending in ENDINGS
        ],
    }
    if "p_i" in lstm.cell.vectors:
        found["P"] = [peepholes(lstm, ending) for ending in ENDINGS]
    return {name: np.stack(parts).astype(np.float32) for name, parts in found.items()}


def file_of(operator: str, lstm: LSTM, attributes: Mapping[str, Any], shape: Sequence[int]) -> bytes:
    """A model of one bidirectional node with the layer's weights, for an input of this shape."""
    given, (time, batch, width) = weights(operator, lstm), shape
    first = [f"first_{state}" for state in lstm.cell.state]
    last = [f"last_{state}" for state in lstm.cell.state]
    names = ["X", "W", "R", "B", "lengths", *first, *(["P"] if "P" in given else [])]
    sizes = {"hidden_size": lstm.hidden_size, "direction": "bidirectional"}
    node = helper.make_node(operator, names, ["Y", *last], **sizes, **attributes)
    inputs = [
        helper.make_tensor_value_info("X", TensorProto.FLOAT, [time, batch, width]),
        helper.make_tensor_value_info("lengths", TensorProto.INT32, [batch]),
        *(helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, batch, lstm.hidden_size]) for name in first),
    ]
    outputs = [
        helper.make_tensor_value_info("Y", TensorProto.FLOAT, [time, 2, batch, lstm.hidden_size]),
        *(helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, batch, lstm.hidden_size]) for name in last),
    ]
    stored = [numpy_helper.from_array(value, name) for name, value in given.items()]
    graph = helper.make_graph([node], "one_node", inputs, outputs, stored)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    onnx.checker.check_model(made)
    return made.SerializeToString()


def run(
    operator: str, lstm: LSTM, attributes: Mapping[str, Any], x: Tensor, lengths: Sequence[int], first: Sequence[Tensor]
) -> tuple[Array, list[Array]]:
    """The output (time, batch, 2 * hidden) and the last states (2, batch, hidden)."""
    session = onnxruntime.InferenceSession(file_of(operator, lstm, attributes, x.shape), providers=["CPUExecutionProvider"])
    states = {f"first_{name}": value.numpy() for name, value in zip(lstm.cell.state, first, strict=True)}
    found: Any = session.run(None, {"X": x.numpy(), "lengths": np.array(lengths, dtype=np.int32), **states})
    output, *last = found
    return np.concatenate([output[:, 0], output[:, 1]], axis=-1), last
