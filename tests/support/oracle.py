"""Every cell once more, in plain numpy: what byhand's cells are held against.

Written from the papers, without torch and without byhand. A cell is a function of one step, cell(at, *states) -> new states, where
`at` knows the weights gate by gate and at.see(name, value) gives a value its name. Shapes are time, batch, input or hidden.

All functions are analytic, so derivatives are had to the last digit by the complex step: Im f(x + 1e-30j) / 1e-30.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]  # float64, or complex128 for the complex step
Named = dict[str, Array]
Replace = Callable[[Array, int], Array]  # (value of a site, time) -> what stands in its place

TINY = 1e-30
EPSILON = 1e-5  # torch's, inside the square root of a layer norm; Ba et al. have none


class At(NamedTuple):
    """One step: the input (batch, input), the weights and masks by name, and the rows of each gate."""

    x: Array
    weights: Named
    rows: dict[str, slice]
    see: Callable[[str, Array], Array]

    def __call__(self, name: str) -> Array:
        """A vector or a mask."""
        return self.weights[name]

    def from_input(self, gate: str) -> Array:
        return self.x @ self.weights["weight_ih"][self.rows[gate]].T + self.bias("bias_ih", gate)

    def from_memory(self, gate: str, *memories: Array) -> Array:
        read = np.concatenate(memories, axis=-1)
        return read @ self.weights["weight_hh"][self.rows[gate], : read.shape[-1]].T + self.bias("bias_hh", gate)

    def bias(self, name: str, gate: str) -> Array:
        return self.weights[name][self.rows[gate]] if name in self.weights else np.zeros(1)

    def net(self, gate: str, *memories: Array) -> Array:
        """What a gate gets from the input and from memories, not yet squashed."""
        return self.from_input(gate) + self.from_memory(gate, *memories)


class Oracle(NamedTuple):
    """states: in order. block: how many cells share the gates i and o; 1 if none do."""

    gates: tuple[str, ...]
    states: tuple[str, ...]
    step: Callable[..., tuple[Array, ...]]
    block: int = 1


class Answer(NamedTuple):
    """output and every site: (time, batch, hidden). last: (batch, hidden) each."""

    output: Array
    last: tuple[Array, ...]
    sites: Named


def run(
    oracle: Oracle,
    weights: Named,
    x: Array,
    states: tuple[Array, ...],
    *,
    reverse: bool = False,
    masks: Named | None = None,
    replace: Mapping[str, Replace] | None = None,
) -> Answer:
    """A whole sequence. masks: any shape that broadcasts to (time, batch, hidden). replace: sites that are changed as they come."""
    time, hidden = len(x), states[0].shape[-1]
    rows = rows_of(oracle, hidden)
    spread = {name: np.broadcast_to(mask, (time, *states[0].shape)) for name, mask in (masks or {}).items()}
    seen: list[Named] = [{} for _ in range(time)]
    outputs = list(x)
    for t in reversed(range(time)) if reverse else range(time):

        def see(name: str, value: Array, t: int = t) -> Array:
            seen[t][name] = replace[name](value, t) if replace and name in replace else value
            return seen[t][name]

        states = oracle.step(At(x[t], weights | {name: mask[t] for name, mask in spread.items()}, rows, see), *states)
        outputs[t] = states[0]
    return Answer(np.stack(outputs), states, {name: np.stack([values[name] for values in seen]) for name in seen[0]})


def rows_of(oracle: Oracle, hidden: int) -> dict[str, slice]:
    found, start = {}, 0
    for gate in oracle.gates:
        height = hidden // oracle.block if gate in ("i", "o") else hidden
        found[gate] = slice(start, start + height)
        start += height
    return found


def derivatives(total: Callable[[Named], Any], named: Named) -> Named:
    """The derivatives of a total by every element, by complex steps: no difference is taken, so nothing is rounded away."""
    found = {name: np.zeros(value.shape) for name, value in named.items()}
    for name, value in named.items():
        for index in np.ndindex(value.shape):
            moved = value.astype(complex)
            moved[index] += TINY * 1j
            found[name][index] = total(named | {name: moved}).imag / TINY
    return found


def sigma(z: Array) -> Array:
    """The logistic function 1 / (1 + e^-z), by its relation to tanh."""
    return (1 + np.tanh(z / 2)) / 2


def layer_norm(v: Array) -> Array:
    """Ba et al. 2016, over the last axis."""
    deviation = v - v.mean(axis=-1, keepdims=True)
    return deviation / np.sqrt((deviation**2).mean(axis=-1, keepdims=True) + EPSILON)


def odyssey(*variants: str, peepholes: bool) -> Oracle:
    """The vanilla LSTM of Greff et al. 2017 and its variants, which change one thing in it: NIG NFG NOG NIAF NOAF FGR.

    Without peepholes (their NP) it is what is called an LSTM today.
    """

    def step(at: At, y: Array, c: Array, *gates_before: Array) -> tuple[Array, ...]:
        def gate(name: str, memory: Array) -> Array:
            if f"N{name.upper()}G" in variants:
                return np.ones_like(memory)
            peephole = at(f"p_{name}") * memory if peepholes else 0.0
            return at.see(name, sigma(at.net(name, y, *gates_before) + peephole))

        i, f = gate("i", c), gate("f", c)
        z = at.net("g", y)
        z = at.see("g", z if "NIAF" in variants else np.tanh(z))
        c = at.see("c", z * i + c * f)
        o = gate("o", c)
        told = c if "NOAF" in variants else at.see("tanh_c", np.tanh(c))
        y = at.see("h", told * o)
        return (y, c, i, f, o) if "FGR" in variants else (y, c)

    gates = tuple(gate for gate in "ifgo" if f"N{gate.upper()}G" not in variants)
    return Oracle(gates, ("h", "c", "i", "f", "o") if "FGR" in variants else ("h", "c"), step)


def cifg_step(at: At, y: Array, c: Array) -> tuple[Array, ...]:
    """Greff et al. 2017, variant CIFG, with the forget gate as the one that has weights."""
    f = at.see("f", sigma(at.net("f", y)))
    i = at.see("i", 1 - f)
    z = at.see("g", np.tanh(at.net("g", y)))
    o = at.see("o", sigma(at.net("o", y)))
    c = at.see("c", z * i + c * f)
    return at.see("h", at.see("tanh_c", np.tanh(c)) * o), c


def gru_step(at: At, h: Array) -> tuple[Array, ...]:
    """The formulas in the documentation of torch.nn.GRU."""
    r = at.see("r", sigma(at.net("r", h)))
    z = at.see("z", sigma(at.net("z", h)))
    n = at.see("n", np.tanh(at.from_input("n") + r * at.from_memory("n", h)))
    return (at.see("h", (1 - z) * n + z * h),)


def gru_reset_before_step(at: At, h: Array) -> tuple[Array, ...]:
    """Cho et al. 2014, with torch's signs: the candidate reads what the reset gate lets through."""
    r = at.see("r", sigma(at.net("r", h)))
    z = at.see("z", sigma(at.net("z", h)))
    n = at.see("n", np.tanh(at.net("n", r * h)))
    return (at.see("h", (1 - z) * n + z * h),)


def between(z: Array, low: float, high: float) -> Array:
    """Clipped; beyond the bounds no derivative passes."""
    return np.where(z.real < low, low, np.where(z.real > high, high, z))


def onnx_lstm(*, clip: float) -> Oracle:
    """ONNX's LSTM as onnxruntime computes it, with peepholes, input_forget=1, clip, and as activations f, g and h
    HardSigmoid(0.25, 0.4), Softsign and ScaledTanh(1.2, 0.7).
    """

    def squashed(at: At, gate: str, y: Array, peephole: Array) -> Array:
        return between(0.25 * between(at.net(gate, y) + peephole, -clip, clip) + 0.4, 0.0, 1.0)

    def step(at: At, y: Array, c: Array) -> tuple[Array, ...]:
        i = at.see("i", squashed(at, "i", y, at("p_i") * c))
        f = at.see("f", 1 - i)
        g = between(at.net("g", y), -clip, clip)
        g = at.see("g", g / (1 + np.where(g.real < 0, -g, g)))
        c = at.see("c", f * c + i * g)
        o = at.see("o", squashed(at, "o", y, at("p_o") * c))
        return at.see("h", o * at.see("squashed_c", 1.2 * np.tanh(0.7 * c))), c

    return Oracle(("i", "g", "o"), ("h", "c"), step)


def clipped_gru_step(at: At, h: Array) -> tuple[Array, ...]:
    """torch.nn.GRU with every gate's sum between −0.5 and 0.5."""
    r = at.see("r", sigma(between(at.net("r", h), -0.5, 0.5)))
    z = at.see("z", sigma(between(at.net("z", h), -0.5, 0.5)))
    n = at.see("n", np.tanh(between(at.from_input("n") + r * at.from_memory("n", h), -0.5, 0.5)))
    return (at.see("h", (1 - z) * n + z * h),)


def rnn_step(at: At, h: Array) -> tuple[Array, ...]:
    """The formula in the documentation of torch.nn.RNN."""
    return (at.see("h", np.tanh(at.net("n", h))),)


def layernorm_step(at: At, h: Array, c: Array) -> tuple[Array, ...]:
    """Ba et al. 2016, equations 20 to 22: one normalisation for the four gates of each product."""

    def vector(kind: str) -> Array:
        return np.concatenate([at(f"{kind}_{gate}") for gate in "ifgo"])

    w_x = np.concatenate([at.from_input(gate) for gate in "ifgo"], axis=-1)
    u_h = np.concatenate([at.from_memory(gate, h) for gate in "ifgo"], axis=-1)
    total = vector("alpha") * layer_norm(w_x) + vector("beta") * layer_norm(u_h) + vector("b")
    i, f, g, o = np.split(total, 4, axis=-1)
    i, f, g, o = at.see("i", sigma(i)), at.see("f", sigma(f)), at.see("g", np.tanh(g)), at.see("o", sigma(o))
    c = at.see("c", f * c + i * g)
    norm_c = at.see("norm_c", layer_norm(c) * at("gamma") + at("delta"))
    return at.see("h", o * at.see("tanh_c", np.tanh(norm_c))), c


def slstm_step(at: At, h: Array, c: Array, n: Array, m: Array) -> tuple[Array, ...]:
    """Beck et al. 2024, without the stabiliser: c and n at their true size, the gates as they are.

    The library carries c, n, i and f divided by a running scale exp(m); here that is divided out and in around the true ones.
    """
    i, f = np.exp(at.net("i", h)), sigma(at.net("f", h))
    before = np.exp(m)
    m = at.see("m", np.log(np.maximum(f * before, i)))
    scale = np.exp(m)
    i, f = at.see("i", i / scale) * scale, at.see("f", f * before / scale) * scale / before
    z, o = at.see("g", np.tanh(at.net("g", h))), at.see("o", sigma(at.net("o", h)))
    true_c, true_n = f * (c * before) + i * z, f * (n * before) + i
    c, n = at.see("c", true_c / scale), at.see("n", true_n / scale)
    return at.see("h", o * (c / n)), c, n, m


def stabilised_slstm_step(at: At, h: Array, c: Array, n: Array, m: Array) -> tuple[Array, ...]:
    """Beck et al. 2024, with the stabilised gates."""
    log_i, log_f = at.net("i", h), -np.log1p(np.exp(-at.net("f", h)))
    m_before, m = m, at.see("m", np.maximum(log_f + m, log_i))
    i, f = at.see("i", np.exp(log_i - m)), at.see("f", np.exp(log_f + m_before - m))
    z, o = at.see("g", np.tanh(at.net("g", h))), at.see("o", sigma(at.net("o", h)))
    c, n = at.see("c", f * c + i * z), at.see("n", f * n + i)
    return at.see("h", o * (c / n)), c, n, m


def min_lstm_step(at: At, h: Array) -> tuple[Array, ...]:
    """Feng et al. 2024: gates of the input alone, divided by their sum."""
    f_hat, i_hat = sigma(at.from_input("f")), sigma(at.from_input("i"))
    f, i = at.see("f", f_hat / (f_hat + i_hat)), at.see("i", i_hat / (f_hat + i_hat))
    return (at.see("h", f * h + i * at.see("g", at.from_input("g"))),)


def lstm_1997(block: int = 1) -> Oracle:
    """Hochreiter & Schmidhuber 1997, with blocks of `block` cells; gates are repeated for the cells of a block."""

    def step(at: At, y: Array, c: Array, i: Array, o: Array) -> tuple[Array, ...]:
        # The truncation: no derivative through what is read. A complex step travels in the imaginary part.
        read = [np.real(y), np.real(i[:, ::block]), np.real(o[:, ::block])]
        i = at.see("i", np.repeat(sigma(at.net("i", *read)), block, axis=-1))
        o = at.see("o", np.repeat(sigma(at.net("o", *read)), block, axis=-1))
        g = at.see("g", 4 * sigma(at.net("g", *read)) - 2)
        c = at.see("c", c + i * g)
        return at.see("h", o * at.see("squashed_c", 2 * sigma(c) - 1)), c, i, o

    return Oracle(("i", "o", "g"), ("h", "c", "i", "o"), step, block)


def zoneout(inner: Oracle) -> Oracle:
    """Krueger et al. 2017: h and c keep their old value where the mask d_h or d_c is 1."""
    inner_names = {"h": "new_h", "c": "new_c"}

    def step(at: At, *before: Array) -> tuple[Array, ...]:
        def see(name: str, value: Array) -> Array:
            return at.see(inner_names.get(name, name), value)

        after = inner.step(at._replace(see=see), *before)

        def mix(name: str, old: Array, new: Array) -> Array:
            return at.see(name, old + (1 - at(f"d_{name}")) * (new - old)) if name in inner_names else new

        return tuple(mix(*three) for three in zip(inner.states, before, after, strict=True))

    return inner._replace(step=step)


def recurrent_dropout(inner: Oracle) -> Oracle:
    """Semeniuta et al. 2016: the mask d_g meets the candidate before the candidate meets anything else."""

    def step(at: At, *before: Array) -> tuple[Array, ...]:
        def see(name: str, value: Array) -> Array:
            return at.see(name, at("d_g") * value if name == "g" else value)

        return inner.step(at._replace(see=see), *before)

    return inner._replace(step=step)


LSTM = odyssey(peepholes=False)
PEEPHOLE = odyssey(peepholes=True)
CIFG = Oracle(("f", "g", "o"), ("h", "c"), cifg_step)
GRU = Oracle(("r", "z", "n"), ("h",), gru_step)
GRU_RESET_BEFORE = Oracle(("r", "z", "n"), ("h",), gru_reset_before_step)
CLIPPED_GRU = Oracle(("r", "z", "n"), ("h",), clipped_gru_step)
RNN = Oracle(("n",), ("h",), rnn_step)
LAYERNORM = Oracle(("i", "f", "g", "o"), ("h", "c"), layernorm_step)
SLSTM = Oracle(("i", "f", "g", "o"), ("h", "c", "n", "m"), slstm_step)
STABILISED_SLSTM = SLSTM._replace(step=stabilised_slstm_step)
MIN_LSTM = Oracle(("f", "i", "g"), ("h",), min_lstm_step)
