#!/bin/sh
# torch 2.13.0 on a CPU: torch.nn.LSTM in bfloat16, and in float32 under autocast, rounds its cell state to bfloat16 after each step. A memory
# that adds 1 a step stops at 256; one that should decay to .145 in a thousand steps, by a forget gate of .998, stays 1. GRU, LSTMCell and
# packed input under autocast keep float32.
# Seen: bfloat16 256.0, autocast 256.0, float16 600.0, float32 600.0; forget gate: 1.0 in bfloat16, .145 in float32.
set -eu
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.3.4
"$folder/env/bin/python" - <<'PYTHON'
import contextlib

import torch
from torch import nn


def memory(bias, steps, dtype, around, start):
    layer = nn.LSTM(1, 1)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
        layer.bias_ih_l0.copy_(torch.tensor(bias))
    layer = layer.to(dtype)
    hx = tuple(torch.full((1, 1, 1), start, dtype=dtype) for _ in range(2))
    with torch.no_grad(), around():
        return layer(torch.zeros(steps, 1, 1, dtype=dtype), hx)[1][1].item()


def autocast():
    return torch.autocast("cpu", dtype=torch.bfloat16)


ways = {
    "bfloat16": (torch.bfloat16, contextlib.nullcontext),
    "autocast": (torch.float32, autocast),
    "float16": (torch.float16, contextlib.nullcontext),
    "float32": (torch.float32, contextlib.nullcontext),
}
counted = {name: memory([40.0] * 4, 600, *way, 0.0) for name, way in ways.items()}
kept = {name: memory([-40.0, 6.25, 0.0, 40.0], 1000, *way, 1.0) for name, way in ways.items() if name != "float16"}
print(torch.__version__, "600 steps counted:", counted, "left of 1 after 1000 steps:", kept)
assert counted == {"bfloat16": 256.0, "autocast": 256.0, "float16": 600.0, "float32": 600.0}, "the behaviour has changed"
assert kept["bfloat16"] == kept["autocast"] == 1.0 and abs(kept["float32"] - 0.145) < 0.001, "the behaviour has changed"
PYTHON
