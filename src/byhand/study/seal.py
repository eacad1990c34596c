"""Seals: digests that trials are kept with, so that a database in which a digit has changed is refused, not believed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from optuna.trial import FrozenTrial, TrialState

QUEUED, ENDED = "seal", "result_seal"  # the attributes that hold them: of what was queued, of what came out
OF_QUEUED = ("key", "task", "variant", "config")


def seal(content: Mapping[str, Any]) -> str:
    """Equal for equal plain data, as it is before and after a database has kept it."""
    plain = json.loads(json.dumps(content))
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:20]


def sealed(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of a trial that is to be queued, with their seal."""
    return {**attributes, QUEUED: seal(attributes)}


def seal_of_result(key: str, result: Mapping[str, Any]) -> str:
    return seal({"key": key, "result": result})


def is_whole(trial: FrozenTrial) -> bool:
    """Whether a trial is as it was written, by its seals; those of earlier releases have none."""
    held = trial.user_attrs
    if QUEUED not in held:
        return True
    if held[QUEUED] != seal({name: held.get(name) for name in OF_QUEUED}):
        return False
    return trial.state != TrialState.COMPLETE or held.get(ENDED) == seal_of_result(held["key"], held.get("result", {}))
