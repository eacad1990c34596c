"""The kernels that a call needs, of the tier that is chosen for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from byhand.engine.triton.kernel import Kernel, kernel, sizes_of
from byhand.engine.triton.sliced import cooperative, sliced
from byhand.engine.triton.tiers import Tier, choose

if TYPE_CHECKING:
    from byhand.engine.call import Call


def kernel_of(call: Call) -> Kernel:
    """Of the tier that runs it; what a derivative is made from is the same for all."""
    make = {Tier.resident: kernel, Tier.cooperative: cooperative, Tier.stepwise: sliced}
    tier = choose(call).tier
    assert tier is not None  # or the engine would have refused the call
    return make[tier](call.cell, *sizes_of(call))
