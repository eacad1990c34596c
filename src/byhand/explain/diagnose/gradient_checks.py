"""Gradients that vanish or explode on their way back through time.

    n_t = |∂L/∂c_t|,  over units and sequences of one input
    vanishing:  n at the first step, of the greatest n                              below 1e-7
    exploding:  n at the first step, of the greatest n in the last quarter          above 1e4

The way back begins at the last step that the loss hears. A quarter, and not that step alone, for the last answer of a sequence may be
so sure that it sends back almost nothing: a trained model of the Reber grammar, which always ends alike, seemed to explode.

Bengio, Simard & Frasconi, Learning Long-Term Dependencies with Gradient Descent is Difficult, IEEE Transactions on Neural Networks 5(2),
1994; Pascanu, Mikolov & Bengio, On the Difficulty of Training Recurrent Neural Networks, ICML 2013.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch

from byhand.explain.diagnose.findings import Finding
from byhand.explain.lookup import name_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Float
    from torch import Tensor

VANISHED = 1e-7  # of the greatest: a step of float32 less
EXPLODED = 1e4
LEAST = 8  # steps


def check_gradients(place: str, state: str, ways: list[Float[Tensor, " time"]]) -> Iterator[Finding]:
    """The worst of several inputs. ways: n_t of each, in the order of this direction."""
    name = name_of(place, state)
    worst: Mapping[str, tuple[float, Tensor]] = {}
    for way in ways:
        if not bool(way.isfinite().all()):
            yield Finding(
                "not finite",
                f"gradient of {name}",
                f"{int((~way.isfinite()).sum())} of {len(way)} steps get a gradient that is not finite",
                "Clip gradients (lightning: gradient_clip_val=1.0), and look for a division by 0 or a logarithm of 0 in the loss.",
            )
            return
        heard = way.nonzero().flatten()
        if len(heard) == 0 or int(heard[-1]) + 1 < LEAST:
            continue
        last = int(heard[-1])
        recent = way[last - last // 4 : last + 1].max()
        shares = {"vanishing gradients": (way[0] / way.max()).item(), "exploding gradients": (recent / way[0]).item()}
        for kind, share in shares.items():
            if kind not in worst or share < worst[kind][0]:
                worst = {**worst, kind: (share, way[: last + 1])}
    yield from findings(name, worst)


def findings(name: str, worst: Mapping[str, tuple[float, Tensor]]) -> Iterator[Finding]:
    share, way = worst.get("vanishing gradients", (1.0, torch.ones(1)))
    if share < VANISHED:
        yield Finding(
            "vanishing gradients",
            name,
            f"of {way.max().item():.2g} at step {int(way.argmax())}, {way[0].item():.2g} is left at the first of {len(way)} steps"
            f" ({share:.1g} of it)",
            "What happens that early teaches nothing. Start the forget gates open (byhand.LSTM(..., forget_bias=1) or higher, by the"
            " length of the sequences), or let the loss hear earlier steps too. byhand.explain.gradient_paths shows where it is lost.",
        )
    share, way = worst.get("exploding gradients", (1.0, torch.ones(1)))
    if share < 1 / EXPLODED:
        yield Finding(
            "exploding gradients",
            name,
            f"from {share * way[0].item():.2g} in the last quarter of {len(way)} steps it grows to {way[0].item():.2g} at the first"
            f" ({1 / share:.2g} times)",
            "Clip gradients by their norm, and start the recurrent weights smaller. byhand.explain.gradient_paths shows whether it"
            " grows through the gates.",
        )
