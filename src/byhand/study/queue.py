"""The queue: a trial of an Optuna study for every attempt at a cell.

A cell is done if a trial of it is complete. What makes this safe when workers die, sleep or start at once:
- A trial is taken by one worker: its state goes from waiting to running in one transaction.
- Two trials of one cell, as two machines may queue them at the same moment, do no harm: of the living only the first counts, and
  who takes another drops it.
- A worker gives a sign of life before it takes a trial and while it runs it. Without one for `lost_after` seconds the trial counts
  as failed, and its cell is queued anew. Should the worker wake up, its result is refused: the trial is over.
"""

from __future__ import annotations

import socket
import threading
import time
import uuid
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from byhand.study.cells import Cell
from byhand.study.database import patiently
from byhand.study.standing import Standing, standing

ALIVE = (TrialState.WAITING, TrialState.RUNNING)


def new_name() -> str:
    """Of a worker."""
    return f"{socket.gethostname()}:{uuid.uuid4().hex[:12]}"


class Queue:
    """name: of the study in the storage; made if there is none. goal: minimise or maximise, for Optuna's own tools.
    worker: what this process is called, if another one shall know; no two may be called the same.
    """

    def __init__(self, storage: RDBStorage, name: str, *, goal: str = "minimise", worker: str | None = None) -> None:
        self.storage = storage
        direction = "minimize" if goal == "minimise" else "maximize"
        try:
            self.study = optuna.load_study(storage=storage, study_name=name)
        except KeyError:
            self.study = optuna.create_study(storage=storage, study_name=name, direction=direction, load_if_exists=True)
        self.number = storage.get_study_id_from_name(name)
        self.worker = worker or new_name()

    def trials(self) -> dict[str, list[FrozenTrial]]:
        """All, by the key of their cell."""
        found: dict[str, list[FrozenTrial]] = {}
        for trial in self.study.get_trials(deepcopy=False):
            if "key" in trial.user_attrs:
                found.setdefault(trial.user_attrs["key"], []).append(trial)
        return found

    def standings(self) -> dict[str, Standing]:
        return {key: standing(trials) for key, trials in self.trials().items()}

    def fill(self, cells: Iterable[Cell], standings: Mapping[str, Standing], *, retries: int = 0) -> int:
        """Queue what is not; failed cells, too, that failed no more often than `retries`. Gives how many were queued."""
        wanted = {cell.key: cell for cell in cells}
        count = 0
        for key, cell in wanted.items():
            now = standings.get(key, Standing("new"))
            if now.state == "new" or (now.state == "failed" and now.failures <= retries):
                attributes = {"key": key, "task": cell.task, "variant": cell.variant, "config": dict(cell.config)}
                self.study.enqueue_trial({"cell": key}, user_attrs=attributes)
                count += 1
        return count

    def recover(self) -> None:
        """Give up the trials of workers that show no sign of life; their cells are new again."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # said to be experimental
            optuna.storages.fail_stale_trials(self.study)

    def claim(self, keys: Collection[str]) -> Claim | None:
        """The first waiting trial of one of these cells, now running and ours; None if there is none."""
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
            key = trial.user_attrs.get("key")
            if key is None or key not in keys:
                continue
            number = self._id(trial)
            # Before it is taken: a trial that runs without ever having shown a sign of life would count as alive for ever.
            self.storage.record_heartbeat(number)
            try:
                if not self.storage.set_trial_state_values(number, TrialState.RUNNING):
                    continue
                if self._superseded(trial):
                    self.storage.set_trial_state_values(number, TrialState.PRUNED)
                    continue
                self.storage.set_trial_user_attr(number, "worker", self.worker)
            except UpdateFinishedTrialError:
                continue
            return Claim(self.storage, number, key, trial.user_attrs["config"])
        return None

    def release(self, worker: str, *, lost: bool) -> int:
        """Give up what this worker runs: it is known to have ended. lost: it died; otherwise it was stopped on purpose. Gives how many
        cells that was.
        """
        count = 0
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if trial.user_attrs.get("worker") == worker:
                try:
                    self.storage.set_trial_state_values(self._id(trial), TrialState.FAIL if lost else TrialState.PRUNED)
                    count += 1
                except UpdateFinishedTrialError:
                    continue
        return count

    def _superseded(self, mine: FrozenTrial) -> bool:
        """Whether another trial of the same cell is complete, or older and alive."""
        others = [one for one in self.trials()[mine.user_attrs["key"]] if one.number != mine.number]
        return any(one.state == TrialState.COMPLETE or (one.state in ALIVE and one.number < mine.number) for one in others)

    def _id(self, trial: FrozenTrial) -> int:
        return self.storage.get_trial_id_from_study_id_trial_number(self.number, trial.number)


@dataclass(frozen=True)
class Claim:
    """A trial that this process runs."""

    storage: RDBStorage
    number: int
    key: str
    config: Mapping[str, Any]

    @contextmanager
    def alive(self) -> Iterator[None]:
        """Signs of life from another thread."""
        over = threading.Event()

        def beat() -> None:
            while not over.wait(self.storage.get_heartbeat_interval()):
                try:
                    self.storage.record_heartbeat(self.number)
                except (StorageInternalError, SQLAlchemyError):
                    continue  # the database may answer the next time

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def finish(self, result: dict[str, Any], value: float) -> bool:
        """Keep the result; False if the trial was given up meanwhile, and the result with it."""
        return self._end(TrialState.COMPLETE, {"result": result, "ended": time.time()}, [value])

    def fail(self, error: str, traceback: str) -> bool:
        """Note what went wrong; False as in finish."""
        return self._end(TrialState.FAIL, {"error": error, "traceback": traceback, "ended": time.time()})

    def _end(self, state: TrialState, attributes: dict[str, Any], values: list[float] | None = None) -> bool:
        def write() -> bool:
            for name, one in attributes.items():
                self.storage.set_trial_user_attr(self.number, name, one)
            return self.storage.set_trial_state_values(self.number, state, values)

        try:
            return patiently(write)
        except UpdateFinishedTrialError:
            return False
