#!/bin/sh
# Keras 3.15.1 on its torch backend, CPU: a layer with dtype="float64", whose weights and outputs say float64, multiplies in float32. LSTM and
# GRU with default options go to torch's own layer and are exact; the same LSTM in an RNN, and a SimpleRNN, are off by 1e-8 to 1e-7.
# set_floatx("float64") changes nothing. Cause: keras.backend.result_type("float64", "float64") is "float32" on every backend but TensorFlow,
# and ops.matmul computes in that.
# Seen: result type float32; error of LSTM below 1e-15, of RNN(LSTMCell) and SimpleRNN above 1e-9.
set -eu
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.3.4
"$folder/env/bin/pip" install --quiet --disable-pip-version-check keras==3.15.1
KERAS_BACKEND=torch "$folder/env/bin/python" - <<'PYTHON'
import keras
import numpy as np
import torch

keras.config.set_floatx("float64")
rng = np.random.default_rng(0)
x = rng.normal(size=(2, 7, 3))


def numpy_of(value):
    return value.value.detach().numpy()


def lstm(cell):
    """The outputs, in numpy."""
    w, u, b = (numpy_of(one) for one in (cell.kernel, cell.recurrent_kernel, cell.bias))
    h = c = np.zeros((2, 5))
    outputs = []
    for t in range(7):
        i, f, g, o = np.split(x[:, t] @ w + h @ u + b, 4, axis=1)
        i, f, o = (1 / (1 + np.exp(-one)) for one in (i, f, o))
        c = f * c + i * np.tanh(g)
        h = o * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs, 1)


def simple(cell):
    w, u, b = (numpy_of(one) for one in (cell.kernel, cell.recurrent_kernel, cell.bias))
    h, outputs = np.zeros((2, 5)), []
    for t in range(7):
        h = np.tanh(x[:, t] @ w + h @ u + b)
        outputs.append(h)
    return np.stack(outputs, 1)


layers = {
    "LSTM": (keras.layers.LSTM(5, return_sequences=True, dtype="float64"), lstm),
    "RNN(LSTMCell)": (keras.layers.RNN(keras.layers.LSTMCell(5, dtype="float64"), return_sequences=True, dtype="float64"), lstm),
    "SimpleRNN": (keras.layers.SimpleRNN(5, return_sequences=True, dtype="float64"), simple),
}
errors = {}
for name, (layer, expected) in layers.items():
    output = layer(torch.from_numpy(x))
    assert output.dtype == torch.float64, "the behaviour has changed"
    errors[name] = float(np.abs(output.detach().numpy() - expected(layer.cell)).max())
kind = keras.backend.result_type("float64", "float64")
print(keras.__version__, "result type:", kind, "errors:", errors)
assert kind == "float32", "the behaviour has changed"
assert errors["LSTM"] < 1e-14 and 1e-9 < errors["RNN(LSTMCell)"] < 1e-5 and 1e-9 < errors["SimpleRNN"] < 1e-5, "the behaviour has changed"
PYTHON
