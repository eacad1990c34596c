#!/bin/sh
# torch 2.13.0, CPU build: once torch.backends.cudnn.rnn.fp32_precision = "ieee" has been set, which is how the documentation has recurrent
# layers multiply without tf32, torch.export.export refuses every model, with no recurrent layer and no GPU, too: it reads the older switch
# cudnn.allow_tf32, which no longer answers. The message advises to use the newer switches alone, as was done. torch.backends.cudnn.allow_tf32 =
# False, which says the same and more, exports.
# Seen: RuntimeError "... cuDNN conv and cuDNN RNN have different TF32 flags ..." of nn.LSTM and of nn.Linear; none after allow_tf32 = False.
set -eu
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.3.4
"$folder/env/bin/python" -W ignore - <<'PYTHON'
import torch
from torch import nn


def exported(model, x):
    try:
        torch.export.export(model, (x,))
    except RuntimeError as error:
        return str(error).partition(".")[0]
    return "exported"


models = {"LSTM": (nn.LSTM(2, 3), torch.randn(4, 1, 2)), "Linear": (nn.Linear(2, 3), torch.randn(1, 2))}
before = {name: exported(*one) for name, one in models.items()}
torch.backends.cudnn.rnn.fp32_precision = "ieee"
newer = {name: exported(*one) for name, one in models.items()}
torch.backends.cudnn.rnn.fp32_precision = "tf32"
torch.backends.cudnn.allow_tf32 = False
older = {name: exported(*one) for name, one in models.items()}
print(torch.__version__, "before:", before, "with the newer switch:", newer, "with the older one:", older)
assert set(before.values()) == set(older.values()) == {"exported"}, "the behaviour has changed"
assert all("have different TF32 flags" in one for one in newer.values()), "the behaviour has changed"
PYTHON
