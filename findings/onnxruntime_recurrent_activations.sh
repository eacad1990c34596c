#!/bin/sh
# onnxruntime 1.32.0 on a CPU: two activation functions inside the operators RNN, GRU and LSTM are other functions than the operators of
# the same name. Softplus overflows: of 89 and more it is infinite (the operator Softplus gives 89). ThresholdedRelu without activation_alpha
# has the threshold 0; ONNX's text says that defaults are those of the corresponding operators, where it is 1.
# Seen: Softplus(88), (89), (100): 88, inf, inf in RNN, 88, 89, 100 alone. ThresholdedRelu(0.5): 0.5 in RNN, 0 alone.
set -eu
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check onnxruntime==1.32.0 onnx==1.23.2 numpy==2.3.4
"$folder/env/bin/python" - <<'PYTHON'
import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper


def computed(node, value, shape, weights=()):
    """What a model of one node gives for one number."""
    stored = [numpy_helper.from_array(np.array(one, dtype=np.float32), name) for name, one in weights]
    x = helper.make_tensor_value_info("X", TensorProto.FLOAT, shape)
    y = helper.make_tensor_value_info("Y", TensorProto.FLOAT, [1] * (4 if weights else 1))
    graph = helper.make_graph([node], "one_node", [x], [y], stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return float(session.run(None, {"X": np.full(shape, value, dtype=np.float32)})[0].squeeze())


def inside(name, value):
    """The activation in an RNN of one unit, whose weight by the input is 1 and all others 0: h = f(x)."""
    node = helper.make_node("RNN", ["X", "W", "R"], ["Y"], hidden_size=1, activations=[name])
    return computed(node, value, [1, 1, 1], [("W", [[[1.0]]]), ("R", [[[0.0]]])])


def alone(name, value):
    return computed(helper.make_node(name, ["X"], ["Y"]), value, [1])


softplus = {value: (inside("Softplus", value), alone("Softplus", value)) for value in (88.0, 89.0, 100.0)}
threshold = inside("ThresholdedRelu", 0.5), alone("ThresholdedRelu", 0.5)
print("onnxruntime", onnxruntime.__version__, "Softplus in RNN and alone:", softplus, "ThresholdedRelu(0.5):", threshold)
assert softplus == {88.0: (88.0, 88.0), 89.0: (np.inf, 89.0), 100.0: (np.inf, 100.0)}, "the behaviour has changed"
assert threshold == (0.5, 0.0), "the behaviour has changed"
PYTHON
