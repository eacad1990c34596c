#!/bin/sh
# keras 3.15.1, torch backend: a model with an LSTM or a GRU and Input((None, features)), exported with format="onnx", gives a file that declares a free
# length and reads the first step only, whatever the length. The shape of its output is right, so nothing shows.
# Seen, 9 steps: 0.08 (LSTM) and 0.4 (GRU) off the model's own prediction, and equal to the prediction for the first step alone to 1e-7.
# What to do: an Input with a fixed length, ((9, features)), is exported right for that length.
set -eu
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0
"$folder/env/bin/pip" install --quiet --disable-pip-version-check keras==3.15.1 onnx==1.23.2 onnxruntime==1.31.1 onnxscript==0.7.2
cd "$folder"
KERAS_BACKEND=torch "$folder/env/bin/python" -W ignore - <<'PYTHON'
import keras
import numpy as np
import onnxruntime

x = np.random.default_rng(0).normal(size=(1, 9, 3)).astype(np.float32)
for kind in (keras.layers.LSTM, keras.layers.GRU):
    for length in (None, 9):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((length, 3)), kind(5)])
        model.predict(x, verbose=0)
        model.export("model.onnx", format="onnx", verbose=False)
        session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
        (declared,) = session.get_inputs()
        (output,) = session.run(None, {declared.name: x})
        whole, first = (abs(output - model.predict(part, verbose=0)).max() for part in (x, x[:, :1]))
        print(keras.__version__, kind.__name__, declared.shape, f"off the model {whole:.1e}, off its first step {first:.1e}")
        wrong = whole > 0.01 and first < 1e-6
        assert wrong if length is None else whole < 1e-6, "the behaviour has changed"
PYTHON
