#!/bin/sh
# ncps 1.0.1: timespans of ncps.torch.CfC and LTC, (batch, time) or (batch, time, 1), are right for a batch of 1 only. Most other batches raise
# an error of shapes. A batch as large as the number of units runs, and is wrong: the elapsed time of sample k is used for unit k of every
# sample. Seen, for 4 samples and 4 units against the same samples one by one: CfC 0.31 off, LTC 0.55 off; without timespans 1e-7.
# What to do: batches of 1.
set -eu
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0
"$folder/env/bin/pip" install --quiet --disable-pip-version-check ncps==1.0.1 numpy==2.4.6
"$folder/env/bin/python" - <<'PYTHON'
from importlib.metadata import version

import torch
from ncps.torch import LTC, CfC


def difference(model, x, spans):
    """Between a batch and the same samples one by one."""
    together, _ = model(x, timespans=spans)
    alone = [model(x[k : k + 1], timespans=None if spans is None else spans[k : k + 1])[0] for k in range(len(x))]
    return (together - torch.cat(alone)).abs().max().item()


torch.manual_seed(0)
samples = units = 4
x, spans = torch.randn(samples, 6, 3), torch.rand(samples, 6) * 2 + 0.1
with torch.no_grad():
    for kind in (CfC, LTC):
        model = kind(3, units)
        plain, two, three = difference(model, x, None), difference(model, x, spans), difference(model, x, spans[..., None])
        print(version("ncps"), kind.__name__, f"without timespans {plain:.1e}, (batch, time) {two:.2f}, (batch, time, 1) {three:.2f}")
        assert plain < 1e-6 and min(two, three) > 0.05, "the behaviour has changed"
        try:
            model(x[:2], timespans=spans[:2])
        except RuntimeError as refused:
            print("2 samples:", str(refused)[:70])
        else:
            raise AssertionError("the behaviour has changed")
PYTHON
