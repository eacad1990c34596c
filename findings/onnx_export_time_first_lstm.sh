#!/bin/sh
# torch 2.13.0: torch.onnx.export (dynamo=True, the default) of a time-first nn.LSTM with free time and batch succeeds, and declares the input
# as free; the example's length stands as a number in a Reshape behind the LSTM. A sequence of 12 steps, where the example had 6, comes back
# as 6 steps of twice the batch, without an error, where the size divides; elsewhere the run fails. batch_first=True is right at every size,
# and so is dynamo=False.
# Seen (onnxruntime 1.32.0): input ['time', 'batch', 4]; (12, 3, 4) in: (6, 6, 5) out, where the model gives (12, 3, 5); (9, 5, 4): the run fails.
set -eu
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.3.4 onnx==1.23.2 onnxscript==0.7.2 onnxruntime==1.32.0
cd "$folder"
cat > seen.py <<'PYTHON'
import sys
import warnings

import onnxruntime
import torch
from torch import nn

warnings.simplefilter("ignore")
SIZES = [(6, 3), (12, 3), (9, 5)]  # (time, batch); the first is the example's


class Model(nn.Module):
    def __init__(self, batch_first):
        super().__init__()
        self.lstm = nn.LSTM(4, 5, batch_first=batch_first)

    def forward(self, x):
        return self.lstm(x)[0]


layout, exporter = sys.argv[1:]
torch.manual_seed(0)
model = Model(layout == "batch_first").eval()
x = torch.randn(*SIZES[0], 4)
names = {"input_names": ["x"], "output_names": ["y"], "dynamic_axes": {"x": {0: "time", 1: "batch"}}}
torch.onnx.export(model, (x,), "model.onnx", dynamo=exporter == "dynamo", verbose=False, **names)
options = onnxruntime.SessionOptions()
options.log_severity_level = 4
session = onnxruntime.InferenceSession("model.onnx", options)
found = []
for size in SIZES:
    x = torch.randn(*size, 4)
    with torch.no_grad():
        right = model(x)
    try:
        (y,) = session.run(None, {"x": x.numpy()})
        equal = y.shape == tuple(right.shape) and abs(y - right.numpy()).max() < 1e-6
        found.append("right" if equal else f"{y.shape} for {tuple(right.shape)}")
    except Exception as problem:
        found.append(type(problem).__name__)
print(torch.__version__, layout, exporter, session.get_inputs()[0].shape, found)
expected = ["right"] * 3 if (layout, exporter) != ("time_first", "dynamo") else ["right", "(6, 6, 5) for (12, 3, 5)", "Fail"]
assert found == expected, "the behaviour has changed"
PYTHON
"$folder/env/bin/python" seen.py time_first dynamo
"$folder/env/bin/python" seen.py batch_first dynamo
"$folder/env/bin/python" seen.py time_first torchscript
