"""Small ONNX models with recurrent nodes in many places, in ONNX's own text form; weights are put in by seed."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper, parser

HEAD = '<ir_version: 8, opset_import: ["" : 16, "com.microsoft" : 1]>\n'
LSTM = {"W": (1, 16, 3), "R": (1, 16, 4), "B": (1, 32)}
GRU = {"W2": (1, 15, 4), "R2": (1, 15, 5), "B2": (1, 30)}
PLAIN = """one (float[T,N,3] x, int32[N] lens) => (float[T,N,2] out, float[1,N,5] last)
{
  x2 = Tanh(x)
  y, y_h, y_c = LSTM <hidden_size = 4> (x2, W, R, B, lens)
  y2 = Squeeze(y, axis)
  gain = Mul(y2, two)
  z, last = GRU <hidden_size = 5, linear_before_reset = 1> (gain, W2, R2, B2, lens)
  z2 = Squeeze(z, axis)
  out = MatMul(z2, head)
}"""
IF = """branches (bool go, float[T,N,3] x) => (float[T,1,N,4] y)
{
  x2 = Mul(x, two)
  y = If (go) <
    then_branch = yes () => (float[T,1,N,4] a) { a, a_h, a_c = LSTM <hidden_size = 4> (x2, W, R, B) },
    else_branch = no () => (float[T,1,N,4] b) {
      b = If (go) <
        then_branch = deeper () => (float[T,1,N,4] d) { d, d_h = RNN <hidden_size = 4> (x2, W3, R3) },
        else_branch = other () => (float[T,1,N,4] e) { x3 = Neg(x2)
                                                      e, e_h = RNN <hidden_size = 4, direction = "reverse"> (x3, W3, R3) }
      >
    }
  >
}"""
LOOP = """rounds (float[T,N,3] x, float[1,N,4] h, float[1,N,4] c) => (float[1,N,4] h1, float[1,N,4] c1, float[T,1,1,N,4] ys)
{
  sizes = Shape(x)
  count = Gather <axis = 0> (sizes, none)
  h1, c1, ys = Loop (count, always, h, c) <
    body = round (int64 i, bool go, float[1,N,4] a, float[1,N,4] b) => (bool more, float[1,N,4] a1, float[1,N,4] b1, float[1,1,N,4] y)
    {
      more = Identity(go)
      step = Gather <axis = 0> (x, i)
      whole = Unsqueeze(step, first)
      y, a1, b1 = LSTM <hidden_size = 4> (whole, W, R, B, , a, b)
    }
  >
}"""
SCAN = """scanned (float[N,T,3] x, float[1,N,4] h, float[1,N,4] c) => (float[1,N,4] h1, float[1,N,4] c1, float[1,1,N,4,T] ys)
{
  h1, c1, ys = Scan (h, c, x) <
    num_scan_inputs = 1, scan_input_axes = [1], scan_input_directions = [1], scan_output_axes = [-1], scan_output_directions = [1],
    body = round (float[1,N,4] a, float[1,N,4] b, float[N,3] step) => (float[1,N,4] a1, float[1,N,4] b1, float[1,1,N,4] y)
    {
      whole = Unsqueeze(step, first)
      y, a1, b1 = LSTM <hidden_size = 4> (whole, W, R, B, , a, b)
    }
  >
}"""
# Weights as exporters write them: sliced and joined from others, in other orders.
COMPUTED = """made (float[T,N,3] x) => (float[T,1,N,4] y)
{
  top = Slice(half, start, middle, first)
  bottom = Slice(half, middle, end, first)
  joined = Concat <axis = 0> (top, bottom)
  made = Unsqueeze(joined, first)
  bias = Constant <value = float[1,32] {0.1,0.2,0.3,0.4,0.1,0.2,0.3,0.4,0.1,0.2,0.3,0.4,0.1,0.2,0.3,0.4,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0}> ()
  y = LSTM <hidden_size = 4> (x, made, R, bias)
}"""
CONSTANTS: dict[str, np.ndarray] = {
    "axis": np.array([1]),
    "first": np.array([0]),
    "none": np.array(0),
    "always": np.array(True),
    "two": np.array(2, np.float32),
    "start": np.array([0]),
    "middle": np.array([8]),
    "end": np.array([16]),
    "many": np.array([10**6, 10**6]),
}
RANDOM = LSTM | GRU | {"W3": (1, 4, 3), "R3": (1, 4, 4), "head": (5, 2), "half": (16, 3)}

# Sound comes in frames of 3 samples, with a state from call to call, as in models that hear a stream.
STREAM = """stream (float[batch,samples] sound, float[2,batch,4] state, int64 sr) => (float[batch,1] out, float[2,batch,4] stateN)
{
  scaled = Div(sound, rate)
  hz = Cast <to = 1> (sr)
  rated = Mul(scaled, hz)
  whole = Unsqueeze(rated, none1)
  h, c = Split <axis = 0> (state)
  y, h1, c1 = LSTM <hidden_size = 4> (whole, W, R, B, , h, c)
  stateN = Concat <axis = 0> (h1, c1)
  top = Squeeze(h1, none1)
  out = ReduceMean <axes = [1]> (top)
}"""


def graph(text: str, seed: int = 0, without: tuple[str, ...] = (), *, check: bool = True) -> onnx.ModelProto:
    """The model of a text, with its weights. without: those that it gets when it is run."""
    rng = np.random.default_rng(seed)
    values = {name: rng.normal(0, 0.6, sizes).astype(np.float32) for name, sizes in RANDOM.items()} | CONSTANTS
    model = parser.parse_model(HEAD + text)
    used = {word.strip(" ,()>") for word in text.replace("(", " ").replace(")", " ").replace(",", " ").split()}
    model.graph.initializer.extend(
        numpy_helper.from_array(value, name) for name, value in values.items() if name in used and name not in without
    )
    if check:
        onnx.checker.check_model(model)
    return model


def stream(inputs: int = 3) -> onnx.ModelProto:
    """A model that hears frames of so many samples."""
    rng = np.random.default_rng(0)
    made = parser.parse_model(HEAD + STREAM)
    values = {"W": (1, 16, inputs), "R": (1, 16, 4), "B": (1, 32)}
    made.graph.initializer.extend(
        numpy_helper.from_array(rng.normal(0, 0.6, size).astype(np.float32), name) for name, size in values.items()
    )
    made.graph.initializer.extend(
        [numpy_helper.from_array(np.array([0]), "none1"), numpy_helper.from_array(np.array(8000, np.float32), "rate")]
    )
    onnx.checker.check_model(made)
    return made
