#!/bin/sh
# torch 2.13.0: torch.onnx.export (dynamo=True, the default) of an nn.LSTM with proj_size says that it succeeded, and onnx.checker accepts the
# file; the projection's weights are in no node. ONNX's LSTM has no projection, so the node says hidden_size=3 beside W of 4 x 5 rows, and
# onnxruntime refuses to run it. dynamo=False refuses to export.
# Seen: W [1, 20, 4], hidden_size 3, no tensor of weight_hr's shape (3, 5) or (5, 3); onnxruntime 1.32.0 fails; dynamo=False: SymbolicValueError.
set -eu
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.3.4 onnx==1.23.2 onnxscript==0.7.2 onnxruntime==1.32.0
cd "$folder"
"$folder/env/bin/python" - <<'PYTHON'
import warnings

import onnx
import onnxruntime
import torch
from torch import nn

warnings.simplefilter("ignore")
lstm, x = nn.LSTM(4, 5, proj_size=3).eval(), torch.randn(6, 2, 4)
torch.onnx.export(lstm, (x,), "model.onnx", verbose=False)
model = onnx.load("model.onnx")
onnx.checker.check_model(model)
(node,) = [one for one in model.graph.node if one.op_type == "LSTM"]
hidden = [one.i for one in node.attribute if one.name == "hidden_size"]
shapes = [tuple(one.dims) for one in model.graph.initializer]
kept = [shape for shape in shapes if shape in ((3, 5), (5, 3))]
try:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession("model.onnx", options)
    session.run(None, {session.get_inputs()[0].name: x.numpy()})
    ran = True
except Exception:
    ran = False
try:
    torch.onnx.export(lstm, (x,), "other.onnx", dynamo=False)
    refused = False
except torch.onnx.errors.SymbolicValueError:
    refused = True
print(torch.__version__, "hidden_size", hidden, "weights of the projection", kept, "runs", ran, "dynamo=False refuses", refused)
assert (hidden, kept, ran, refused) == ([3], [], False, True), "the behaviour has changed"
PYTHON
