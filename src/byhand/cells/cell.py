"""What a cell is: its names, its wiring, and one pure function for one step."""

from __future__ import annotations

import keyword
from collections import namedtuple
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import torch

from byhand.cells.inner_product import with_products
from byhand.cells.outside_modes import outside_modes

if TYPE_CHECKING:
    from torch import Tensor

    Step = Callable[[Any, Any, Any, Any], tuple[tuple[Tensor, ...], dict[str, Tensor]]]


class Noise(NamedTuple):
    """A random mask that is drawn outside the step and handed in by name.

    Args:
        name: the field of p in which the step finds the mask.
        rate: a probability.
        scaled: True: a dropout multiplier, 0 with probability `rate` and 1 / (1 - rate) otherwise; its mean, 1, in eval mode.
            False: 1 with probability `rate` and 0 otherwise; its mean, `rate`, in eval mode.
        every: "step": drawn for each step; "sequence": drawn once for a sequence.
    """

    name: str
    rate: float
    scaled: bool
    every: Literal["step", "sequence"] = "step"

    @property
    def mean(self) -> float:
        return 1.0 if self.scaled else self.rate

    def draw(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """A mask of that shape, with dtype and device of `like`."""

        def filled(value: float) -> Tensor:
            return torch.full(shape, value, dtype=like.dtype, device=like.device)

        if self.scaled:
            return torch.bernoulli(filled(1 - self.rate)) / (1 - self.rate)
        return torch.bernoulli(filled(self.rate))


printers: dict[str, Callable[..., Any]] = {}  # what byhand.ir, which stands on the cells, makes of a cell: equations, latex


@cache
def record_of(*names: str) -> Any:
    """The tuple type with these fields, in which a step finds its gates, states and vectors by name."""
    return namedtuple("Values", names)


@dataclass(frozen=True)
class Cell:
    """A recurrent cell: a value, shared freely and never changed.

    Args:
        name: how it is printed, and found again when a model is loaded.
        gates: names of the row blocks of weight_ih and weight_hh, in order; each block has hidden_size rows.
        state: names of what is carried from step to step; the first is the output.
        step: step(x, u, s, p) -> (new state, sites). x.i is gate i's part of W·x_t + b, u.i its part of U·h_{t-1} + b_hh (u
            is None where `recurrent` is empty; a function for the gates of `inner`), s.c the state c before, p.p_i a vector or
            a mask. Pure; every tensor in it is (..., hidden). Sites are the named intermediate values, {"i": i, ...}, the new states
            among them.
        recurrent: the states that the recurrent product reads; a mapping gate -> states where gates differ in that.
        vectors: learnable per-unit vectors; a mapping name -> constant where they do not start like the weights.
        noise: masks drawn outside the step.
        shared: gate or state -> number of neighbouring units that have it in common (memory cell blocks); 1 if not named.
        biases: 2 as in torch (b_ih, b_hh), 1 (b_ih), or 0 where the step adds its own.
        truncated: no gradient flows back through the recurrent product (Hochreiter & Schmidhuber 1997).
        elementwise: unit j of every result depends on unit j of the arguments only.
        inner: gates whose recurrent product the step makes itself, of what it has computed: u.n(v) is U_n·v + b_hh, (..., hidden),
            with gate n's rows of weight_hh and b_hh. Such a cell reads one state and is not elementwise.
        labels: words for gates, states and sites.
        cite: the source.

    Raises:
        ValueError: the names do not fit together.
    """

    name: str
    gates: tuple[str, ...]
    state: tuple[str, ...]
    step: Step
    recurrent: tuple[str, ...] | Mapping[str, tuple[str, ...]] = ("h",)
    vectors: tuple[str, ...] | Mapping[str, float] = ()
    noise: tuple[Noise, ...] = ()
    shared: Mapping[str, int] = field(default_factory=dict)
    biases: Literal[0, 1, 2] = 2
    truncated: bool = False
    elementwise: bool = True
    inner: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    cite: str = ""

    def __post_init__(self) -> None:
        for kind, names in (("gates", self.gates), ("state", self.state), ("vectors and noise", self.parameters)):
            wrong = [name for name in names if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_")]
            if wrong or len(set(names)) < len(names) or isinstance(names, str):
                self._refuse(f"{kind} of distinct names that Python accepts as variables, got {names!r}")
        if not self.gates or not self.state:
            self._refuse(f"at least one gate and one state, got gates={self.gates!r}, state={self.state!r}")
        read = self.recurrent.values() if isinstance(self.recurrent, Mapping) else [self.recurrent]
        unknown = sorted({name for names in read for name in names} - set(self.state))
        if unknown:
            self._refuse(f"recurrent to name states out of {self.state!r}, got {unknown!r}")
        if isinstance(self.recurrent, Mapping) and set(self.recurrent) != set(self.gates):
            self._refuse(f"recurrent to say for each of {self.gates!r} what it reads, got {sorted(self.recurrent)!r}")
        wrong_shares = {name: size for name, size in self.shared.items() if name not in (*self.gates, *self.state) or size < 1}
        if wrong_shares:
            self._refuse(f"shared to give gates or states a number of units from 1, got {wrong_shares!r}")
        if len(set(self.sources)) < len(self.sources):
            self._refuse(f"recurrent to name each state once, got {self.recurrent!r}")
        if isinstance(self.inner, str) or len({*self.inner} & {*self.gates}) < len(self.inner):
            self._refuse(f"inner to name gates out of {self.gates!r}, each once, got {self.inner!r}")
        plain = len(self.sources) == 1 and not (
            isinstance(self.recurrent, Mapping) or self.shared or self.truncated or self.elementwise
        )
        if self.inner and not plain:
            self._refuse(
                "a cell with inner products to have elementwise=False, one recurrent state for all gates, no shared units and no"
                f" truncated gradient, got inner={self.inner!r}"
            )
        if not callable(self.step):
            self._refuse(f"step to be a function step(x, u, s, p), got {self.step!r}")

    def _refuse(self, expected: str) -> None:
        raise ValueError(f"Cell {self.name!r} expected {expected}")

    def __hash__(self) -> int:
        return hash((self.name, self.gates, self.state, self.step))

    def __deepcopy__(self, memo: dict[int, Any]) -> Cell:
        return self

    def __repr__(self) -> str:
        return self.name

    def __format__(self, spec: str) -> str:
        return format(self.name, spec)

    def __str__(self) -> str:
        """The name, what it is made of and its equations, as print shows them."""
        return "\n".join([self._heading(), *(f"    {line}" for line in self._lines()), *([self.cite] if self.cite else [])])

    def _repr_markdown_(self) -> str:
        """The same for a notebook."""
        lines = self._lines()
        derived = self.elementwise and all(" = " in line for line in lines)
        block = printers["latex"](lines) if derived else "\n".join(["```", *lines, "```"])
        return "\n\n".join(
            [f"**{self.name}**{self._heading().removeprefix(self.name)}", block, *([self.cite] if self.cite else [])]
        )

    def _heading(self) -> str:
        parts = {
            "gates": self.gates,
            "states": self.state,
            "vectors": tuple(self.vectors),
            "masks": [one.name for one in self.noise],
        }
        return f"{self.name}: " + "; ".join(f"{kind} {', '.join(names)}" for kind, names in parts.items() if names)

    def _lines(self) -> tuple[str, ...]:
        try:
            return self.equations()
        except TypeError as problem:
            return (f"no equations: {problem}",)

    def equations(self) -> tuple[str, ...]:
        """The equation of every site, in the order in which a step computes them, such as "c′ = f ⊙ c + i ⊙ g"; ′ is after the step.

        They are read off the step itself, and checked against it. Of a cell that is not elementwise, they are those of its file.

        Raises:
            UntraceableError: a TypeError, if the step cannot be written so, or does not do the same each time.
        """
        return printers["equations"](self)

    @property
    def sources(self) -> tuple[str, ...]:
        """The states that the recurrent product reads, in the order of its columns."""
        if isinstance(self.recurrent, Mapping):
            return tuple(name for name in self.state if any(name in read for read in self.recurrent.values()))
        return tuple(self.recurrent)

    @property
    def parameters(self) -> tuple[str, ...]:
        """The fields of p, which are the vectors, then the masks."""
        return (*self.vectors, *(noise.name for noise in self.noise))

    def apply(self, x: tuple, u: tuple, s: tuple, p: tuple) -> tuple[tuple[Tensor, ...], dict[str, Tensor]]:
        """`step` on plain tuples, in the order of gates, gates (or nothing), state, parameters. u has a function for a gate of `inner`, or
        a tensor, one weight a unit.
        """
        gates = record_of(*self.gates)
        given = with_products(gates(*u), self.inner) if u else None
        return self.step(gates(*x), given, record_of(*self.state)(*s), record_of(*self.parameters)(*p))

    @property
    def sites(self) -> tuple[str, ...]:
        """The names of all that a step computes, in order."""
        return sites_of(self)

    @property
    def reads_its_output(self) -> bool:
        """Whether a step reads its last output itself, and not only through the recurrent product; it then cannot be projected."""
        return reads_its_output(self)

    def worked(self, x: Mapping[str, float], **others: float) -> dict[str, float]:
        """Compute one step on plain numbers.

        Args:
            x: gate -> its pre-activation.
            **others: states, vectors, masks and, as u_GATE, recurrent pre-activations, or of a gate of `inner` the weight of the unit
                by itself; 0 if not given.

        Returns:
            Site -> value, to four decimals.
        """

        def pick(names: tuple[str, ...], given: Mapping[str, float]) -> tuple[Tensor, ...]:
            return tuple(torch.tensor([given.get(name, 0.0)], dtype=torch.float64) for name in names)

        recurrent = {name.removeprefix("u_"): value for name, value in others.items() if name.startswith("u_")}
        u = pick(self.gates, recurrent) if self.sources else ()
        _, sites = self.apply(pick(self.gates, x), u, pick(self.state, others), pick(self.parameters, others))
        return {name: round(value.item(), 4) + 0.0 for name, value in sites.items()}


def tried(cell: Cell, *, output_width: int = 2) -> dict[str, Tensor]:
    """The sites of a step on ones, two units wide."""

    def ones(names: tuple[str, ...]) -> tuple[Tensor, ...]:
        return tuple(torch.ones(1, 2) for _ in names)

    state = (torch.ones(1, output_width), *ones(cell.state[1:]))
    with torch.no_grad():
        return cell.apply(ones(cell.gates), ones(cell.gates) if cell.sources else (), state, ones(cell.parameters))[1]


@outside_modes
def sites_of(cell: Cell) -> tuple[str, ...]:
    return tuple(tried(cell))


@outside_modes
def reads_its_output(cell: Cell) -> bool:
    try:
        tried(cell, output_width=3)  # which meets the others only where it is read
    except RuntimeError:
        return True
    return False
