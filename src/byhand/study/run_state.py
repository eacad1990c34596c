"""Where a run stands, by the trials that were made of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from optuna.trial import FrozenTrial, TrialState

State = Literal["new", "waiting", "running", "done", "failed"]
MOST_LOSSES = 10  # a run that takes its worker with it so often counts as failed once


@dataclass(frozen=True)
class RunState:
    """Of a run. new: not queued, or lost and not yet queued again. failures: attempts that ended with an error."""

    state: State
    failures: int = 0
    message: str = ""
    result: Mapping[str, Any] | None = None
    worker: str = ""


def run_state(trials: Iterable[FrozenTrial]) -> RunState:
    """Of the run that these are all trials of."""
    by_number = sorted(trials, key=lambda trial: trial.number)
    failed = [trial for trial in by_number if trial.state == TrialState.FAIL]
    reported = [trial for trial in failed if "error" in trial.user_attrs]
    losses = len(failed) - len(reported)
    failures = len(reported) + losses // MOST_LOSSES
    for state, name in ((TrialState.COMPLETE, "done"), (TrialState.RUNNING, "running"), (TrialState.WAITING, "waiting")):
        for trial in by_number:
            if trial.state == state:
                attributes = trial.user_attrs
                return RunState(name, failures, "", attributes.get("result"), attributes.get("worker", ""))  # type: ignore[arg-type]
    if failed and "error" in failed[-1].user_attrs:
        return RunState("failed", failures, failed[-1].user_attrs["error"], worker=failed[-1].user_attrs.get("worker", ""))
    if losses and losses % MOST_LOSSES == 0:
        return RunState("failed", failures, f"took its worker with it {losses} times: out of memory?")
    return RunState("new", failures)
