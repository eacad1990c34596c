#!/bin/sh
# pytorch-forecasting 1.8.0: its LSTM (pytorch_forecasting.layers or models.nn.rnn) lets a batch hold sequences of length 0, whose states are to stay
# what they were. They do not: the sequence gets the first state of another sequence of the batch, and its cell state is filled from h.
# Seen, for sequence 1 of length 0 with h0 = [10, 20, 30] and c0 = -h0: h = [1, 2, 3], c = [1, 2, 3], which is h0 of sequence 0.
set -eu
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0
"$folder/env/bin/pip" install --quiet --disable-pip-version-check pytorch-forecasting==1.8.0
"$folder/env/bin/python" - <<'PYTHON'
from importlib.metadata import version

import torch
from pytorch_forecasting.models.nn.rnn import LSTM

torch.manual_seed(0)
layer = LSTM(2, 3, batch_first=True)
h0 = torch.tensor([[[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]]])
_, (h, c) = layer(torch.randn(2, 4, 2), (h0, -h0), lengths=torch.tensor([4, 0]), enforce_sorted=False)
print(version("pytorch-forecasting"), "sequence 1: h", h[0, 1].tolist(), "c", c[0, 1].tolist())
assert h[0, 1].tolist() == [1.0, 2.0, 3.0] and c[0, 1].tolist() == [1.0, 2.0, 3.0], "the behaviour has changed"
PYTHON
