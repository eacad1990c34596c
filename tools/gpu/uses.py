"""What people do with layers on a GPU, in each tier."""

from __future__ import annotations

import torch

from byhand.benchmarks.cuda import computed_in
from byhand.engine.triton import tiers
from tools.gpu import layers, streams
from tools.gpu.checks import UNPROVEN
from tools.gpu.machine import INTERPRETED
from tools.gpu.pool import Answer

LIMIT = 1e-11  # of values and gradients in float64, of the size of what is right or of 1
USES = layers.USES | streams.USES


def every_use() -> list[str]:
    """Names: each use in each tier."""
    return [f"{words} / {tier.value}" for words in USES for tier in tiers.BUILT]


def answer(name: str) -> Answer:
    """Run one use: "ok" is None where it needs what is not there, or the tier refuses the layer."""
    words, _, tier = name.rpartition(" / ")
    torch.manual_seed(1)
    try:
        with computed_in("ieee"), tiers.only(tiers.Tier(tier)):
            found = USES[words]()
    except RuntimeError as problem:  # of use_engine, which falls back to nothing
        if not str(problem).startswith("engine 'triton' was asked for"):
            raise
        broken = UNPROVEN in str(problem)
        return {"ok": False if broken else None, "said": str(problem), "leaves": broken and not INTERPRETED}
    if isinstance(found, str):
        return {"ok": None, "said": found}
    return {"ok": found <= LIMIT, "said": f"{found:.1e} off, {LIMIT:.0e} allowed", "numbers": {"ours": found}}
