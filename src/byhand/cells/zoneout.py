"""Zoneout: a regulariser that lets memories skip a step.

At every step each unit keeps, with some probability, the value it had, instead of being dropped to zero: the network learns to do
without any single update, and the gradient gets shortcuts through time.

    c″ = d_c ⊙ c + (1 − d_c) ⊙ c′        d_c: 1 with the rate of c, else 0
    h″ = d_h ⊙ h + (1 − d_h) ⊙ h′        d_h: 1 with the rate of h, else 0

where c′, h′ are what the cell computes. In eval mode d_c and d_h are their rates.

Not dropout: nothing is set to 0. h′ comes from c′, not from c″, as in the paper.

>>> from byhand.cells import lstm
>>> zoneout(lstm, h=0.5, c=0.5).worked({"i": 0.62, "f": 1.62, "g": -0.32, "o": 0.59}, c=1.0, d_c=1.0)["c"]
1.0

Krueger, Maharaj, Kramár, Pezeshki, Ballas, Ke, Goyal, Bengio, Courville & Pal, Zoneout: Regularizing RNNs by Randomly Preserving
Hidden Activations, ICLR 2017.
"""

from dataclasses import dataclass, replace
from typing import Any

from byhand.cells.cell import Cell, Noise
from byhand.cells.rewrite import require_site


@dataclass(frozen=True)
class Zoned:
    """The step of `cell`, some of whose states are mixed with what they were."""

    cell: Cell
    states: tuple[str, ...]

    def __call__(self, x: Any, u: Any, s: Any, p: Any) -> Any:
        state, sites = self.cell.step(x, u, s, p)
        mixed = list(state)
        sites = dict(sites)
        for index, name in enumerate(self.cell.state):
            if name in self.states:
                d = getattr(p, f"d_{name}")
                # c″ = d_c ⊙ c + (1 − d_c) ⊙ c′
                mixed[index] = d * getattr(s, name) + (1 - d) * state[index]
                sites[f"new_{name}"], sites[name] = state[index], mixed[index]
        return tuple(mixed), sites


def zoneout(cell: Cell, *, h: float = 0.05, c: float = 0.5) -> Cell:
    """Return `cell` with zoneout: each unit of h and c keeps its old value with some probability at every step.

    The default rates are the paper's for characters.

    Args:
        cell: any cell; of h and c, those that it has are changed.
        h: the probability for the hidden state h, from 0 to 1.
        c: the probability for the cell state c, from 0 to 1.

    Returns:
        The cell with the masks d_h and d_c among its noise.

    Raises:
        TypeError: `cell` is no cell.
        ValueError: a rate is outside 0…1.
    """
    require_site(cell, cell.state[0] if isinstance(cell, Cell) else "", "zoneout")
    rates = {name: rate for name, rate in (("h", h), ("c", c)) if name in cell.state}
    for name, rate in rates.items():
        if not 0 <= rate <= 1:
            raise ValueError(f"zoneout expected a rate from 0 to 1 for {name}, got {rate}")
    named = ", ".join(f"{name}={rate}" for name, rate in rates.items())
    return replace(
        cell,
        name=f"zoneout({cell.name}, {named})",
        step=Zoned(cell, tuple(rates)),
        noise=(*cell.noise, *(Noise(f"d_{name}", rate, scaled=False) for name, rate in rates.items())),
        cite=f"Krueger et al. 2017; {cell.cite}",
    )
