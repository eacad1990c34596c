"""Files of one random LSTM, GRU or RNN of ONNX, and what the operator's text says of them, in numpy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
DEFAULTS = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"], "RNN": ["Tanh"]}
NUMBERS = {"Affine": 2, "HardSigmoid": 2, "ScaledTanh": 2, "LeakyRelu": 1, "ThresholdedRelu": 1, "Elu": 1}
BOUNDED = ["Sigmoid", "HardSigmoid", "Tanh", "Softsign"]  # gates that grow would make sums beyond all numbers
# Of a function of one value, with alpha and beta. onnxruntime's are spelled in any case.
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "affine": lambda x, a, b: a * x + b,
    "leakyrelu": lambda x, a=0.01: np.where(x >= 0, x, a * x),
    "thresholdedrelu": lambda x, a=1.0: np.where(x > a, x, 0),
    "scaledtanh": lambda x, a, b: a * np.tanh(b * x),
    "hardsigmoid": lambda x, a=0.2, b=0.5: np.clip(a * x + b, 0, 1),
    "elu": lambda x, a=1.0: np.where(x >= 0, x, a * np.expm1(x)),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "softplus": lambda x: np.logaddexp(x, 0),
}


@dataclass
class Case:
    """A node: its kind, attributes, weights, and what is given when it runs."""

    kind: str
    attributes: dict[str, Any]
    weights: dict[str, np.ndarray]
    feeds: dict[str, np.ndarray]
    outputs: list[str] = field(default_factory=list)

    def model(self, opset: int = 14) -> onnx.ModelProto:
        """A file of the node, all weights as initializers."""
        order = ["X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P"][: 8 if self.kind == "LSTM" else 6]
        names = [name if name in self.weights or name in self.feeds else "" for name in order]
        while not names[-1]:
            names.pop()
        inputs = [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), [None] * value.ndim)
            for name, value in self.feeds.items()
        ]
        node = helper.make_node(self.kind, names, self.outputs, name="the/node", **self.attributes)
        kind = helper.np_dtype_to_tensor_dtype(self.feeds["X"].dtype)
        made = [helper.make_tensor_value_info(name, kind, [None] * (4 if name == "Y" else 3)) for name in self.outputs if name]
        constants = [numpy_helper.from_array(value, name) for name, value in self.weights.items()]
        graph = helper.make_graph([node], "one", inputs, made, constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def random_case(seed: int, kind: str | None = None, *, layout: bool = False) -> Case:
    """Anything that the operator can say; activations with their numbers written out, or the defaults. layout: whether it may be 1."""
    rng = np.random.default_rng(seed)
    kind = kind or str(rng.choice(["LSTM", "LSTM", "GRU", "RNN"]))
    direction = str(rng.choice(["forward", "reverse", "bidirectional"]))
    sides, gates = 1 + (direction == "bidirectional"), GATES[kind]
    time, batch, inputs, hidden = (int(rng.integers(*ends)) for ends in ((1, 9), (1, 6), (1, 6), (1, 7)))

    def some(*sizes: int, scale: float = 0.7) -> np.ndarray:
        return rng.normal(0, scale, sizes).astype(np.float32)

    def maybe(chance: float = 0.5) -> bool:
        return bool(rng.random() < chance)

    attributes: dict[str, Any] = {"hidden_size": hidden, "direction": direction}
    if maybe(0.2):
        del attributes["hidden_size"]
    if maybe(0.3):
        attributes["clip"] = float(np.float32(rng.uniform(0.1, 1.5)))
    if kind == "LSTM" and maybe(0.25):
        attributes["input_forget"] = 1
    if kind == "GRU" and maybe(0.6):
        attributes["linear_before_reset"] = 1
    if layout and maybe():
        attributes["layout"] = 1
    if maybe(0.4):
        attributes |= random_activations(rng, kind, sides, alike=maybe(0.7))
    weights = {"W": some(sides, gates * hidden, inputs), "R": some(sides, gates * hidden, hidden)}
    if maybe(0.8):
        weights["B"] = some(sides, 2 * gates * hidden)
    if kind == "LSTM" and maybe(0.4):
        weights["P"] = some(sides, 3 * hidden)
    feeds = {"X": some(time, batch, inputs, scale=1.0)}
    if maybe():
        feeds["sequence_lens"] = rng.integers(0, time + 1, batch).astype(np.int32)
    states = ["initial_h", "initial_c"][: 1 + (kind == "LSTM")]
    feeds |= {name: some(sides, batch, hidden) for name in states if maybe()}
    if attributes.get("layout"):
        feeds |= {name: np.ascontiguousarray(value.swapaxes(0, 1)) for name, value in feeds.items() if value.ndim == 3}
    outputs = [name if maybe(0.85) else "" for name in ("Y", "Y_h", "Y_c")[: 1 + len(states)]]
    return Case(kind, attributes, weights, feeds, outputs if any(outputs) else ["Y"])


def random_activations(rng: np.random.Generator, kind: str, sides: int, *, alike: bool) -> dict[str, Any]:
    """Names, those of LSTM and GRU in any case, as onnxruntime takes them, and numbers in order. alike: in both directions."""
    names = [
        str(rng.choice(BOUNDED if at == 0 and kind != "RNN" else [*NUMBERS, *BOUNDED, "Relu", "Softplus"]))
        for at in range(len(DEFAULTS[kind]))
    ]
    names += names if sides == 2 else []
    if sides == 2 and not alike:
        names[-1] = "Softsign"
    numbers = [[float(np.float32(rng.uniform(0.1, 0.6))) for _ in range(NUMBERS.get(name, 0))] for name in names]
    if alike and sides == 2:
        numbers[len(numbers) // 2 :] = numbers[: len(numbers) // 2]
    found: dict[str, Any] = {"activations": [name if kind == "RNN" or rng.random() < 0.8 else name.lower() for name in names]}
    alpha, beta = [one[0] for one in numbers if one], [one[1] for one in numbers if len(one) > 1]
    return found | ({"activation_alpha": alpha} if alpha else {}) | ({"activation_beta": beta} if beta else {})


def by_the_text(case: Case) -> dict[str, np.ndarray]:
    """The outputs in float64, by the operator's equations. Where a sequence has no step, the last states are the first ones; the clip is of
    the sums that go into f and g, as runtimes read it.
    """
    named = {
        name: value.astype(np.float64) if value.dtype.kind == "f" else value
        for name, value in (case.weights | case.feeds).items()
    }
    first = bool(case.attributes.get("layout"))
    if first:
        named |= {name: named[name].swapaxes(0, 1) for name in ("X", "initial_h", "initial_c") if name in named}
    time, batch, _ = named["X"].shape
    sides, hidden = named["R"].shape[0], named["R"].shape[2]
    lengths = named.get("sequence_lens", np.full(batch, time))
    output = np.zeros((time, sides, batch, hidden))
    last = [np.zeros((sides, batch, hidden)) for _ in range(1 + (case.kind == "LSTM"))]
    functions = functions_of(case)
    direction = case.attributes.get("direction", "forward")
    for side in range(sides):
        backward = direction == "reverse" or side == 1
        for row in range(batch):
            state = [
                named[name][side, row] if name in named else np.zeros(hidden)
                for name in ("initial_h", "initial_c")[: len(last)]
            ]
            steps = range(int(lengths[row]))
            for step in reversed(steps) if backward else steps:
                state = one_step(case, functions[side], named, side, named["X"][step, row], state)
                output[step, side, row] = state[0]
            for value, end in zip(last, state, strict=True):
                value[side, row] = end
    made: dict[str, np.ndarray] = dict(zip(["Y", "Y_h", "Y_c"], [output, *last], strict=False))
    if first:
        made = {name: value.transpose(2, 0, 1, 3) if name == "Y" else value.swapaxes(0, 1) for name, value in made.items()}
    return made


def functions_of(case: Case) -> list[list[Callable[..., Any]]]:
    """f, g, h of each side, alpha and beta used up in order."""
    sides = len(case.weights["W"])
    names = case.attributes.get("activations") or DEFAULTS[case.kind] * sides
    counts = {name.lower(): count for name, count in NUMBERS.items()}
    alpha, beta = (iter(case.attributes.get(f"activation_{which}", ())) for which in ("alpha", "beta"))
    found = []
    for name in map(str.lower, names):
        numbers = [next(source, None) for source in (alpha, beta)[: counts.get(name, 0)]]
        given = [one for one in numbers if one is not None]
        found.append(lambda x, name=name, given=given: FUNCTIONS[name](x, *given))
    size = len(DEFAULTS[case.kind])
    return [found[at : at + size] for at in range(0, len(found), size)]


def one_step(case: Case, functions: list, named: dict, side: int, x: np.ndarray, state: list[np.ndarray]) -> list[np.ndarray]:
    hidden = len(state[0])
    limit = case.attributes.get("clip", np.inf)
    bias = named.get("B", np.zeros((2, 2 * GATES[case.kind] * hidden)))[side]
    own, recurrent = np.split(bias, 2)
    w, r = named["W"][side], named["R"][side]
    a = np.split(w @ x + own, GATES[case.kind])
    u = np.split(r @ state[0] + recurrent, GATES[case.kind])

    def clip(value: np.ndarray) -> np.ndarray:
        return np.clip(value, -limit, limit)

    if case.kind == "RNN":
        return [functions[0](clip(a[0] + u[0]))]
    f, g, *rest = functions
    if case.kind == "GRU":
        z, reset = f(clip(a[0] + u[0])), f(clip(a[1] + u[1]))
        if case.attributes.get("linear_before_reset"):
            inner = a[2] + reset * u[2]
        else:
            inner = a[2] + r[2 * hidden :] @ (reset * state[0]) + recurrent[2 * hidden :]
        return [(1 - z) * g(clip(inner)) + z * state[0]]
    c = state[1]
    p = np.split(named.get("P", np.zeros((2, 3 * hidden)))[side], 3)
    i = f(clip(a[0] + u[0] + p[0] * c))
    forget = 1 - i if case.attributes.get("input_forget") else f(clip(a[2] + u[2] + p[2] * c))
    c = forget * c + i * g(clip(a[3] + u[3]))
    o = f(clip(a[1] + u[1] + p[1] * c))
    return [o * rest[0](c), c]
