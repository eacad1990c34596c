#!/bin/sh
# torch 2.13.0: torch.nn.LSTM with torch.nn.utils.parametrizations.spectral_norm(n_power_iterations=1) on a weight makes four power iterations in
# each forward in training mode, not one: the layer reads the parametrised weight four times. torch.nn.Linear makes one. Inside
# parametrize.cached() it is one.
# Seen: {"Linear": 1, "LSTM": 4, "LSTM, cached": 1}.
set -eu
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.3.4
"$folder/env/bin/python" - <<'PYTHON'
import contextlib

import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize


def iterations(layer, name, x, around):
    parametrizations.spectral_norm(layer, name, n_power_iterations=1)
    norm, count = layer.parametrizations[name][0], []
    method = norm._power_method
    norm._power_method = lambda *arguments: (count.append(1), method(*arguments))[1]
    with around():
        layer.train()(x)
    return len(count)


plain = contextlib.nullcontext
found = {
    "Linear": iterations(nn.Linear(3, 4), "weight", torch.randn(2, 3), plain),
    "LSTM": iterations(nn.LSTM(3, 4), "weight_hh_l0", torch.randn(5, 2, 3), plain),
    "LSTM, cached": iterations(nn.LSTM(3, 4), "weight_hh_l0", torch.randn(5, 2, 3), parametrize.cached),
}
print(torch.__version__, found)
assert found == {"Linear": 1, "LSTM": 4, "LSTM, cached": 1}, "the behaviour has changed"
PYTHON
