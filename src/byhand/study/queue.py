"""The queue: a trial of an Optuna study for every attempt at a run.

A run is done if a trial of it is complete. What makes this safe when workers die, sleep or start at once:
- A trial is taken by one worker: its state goes from waiting to running in one transaction.
- Two trials of one run, as two machines may queue them at the same moment, do no harm: of the living only the first counts, and
  who takes another drops it.
- A worker gives a sign of life before it takes a trial and while it runs it. Without one for `lost_after` seconds the trial counts
  as failed, and its run is queued again. Should the worker wake up, its result is refused: the trial is over.
"""

from __future__ import annotations

import socket
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import optuna
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import DateTime, Enum, column, func, select, table
from sqlalchemy.exc import SQLAlchemyError

from byhand.study.database import patiently
from byhand.study.errors import first_line
from byhand.study.run_state import RunState, run_state
from byhand.study.runs import Run
from byhand.study.seal import ENDED, is_whole, seal_of_result, sealed
from byhand.study.trouble import damaged

ALIVE = (TrialState.WAITING, TrialState.RUNNING)
# Of Optuna's tables, what is asked for here.
TRIALS = table("trials", column("trial_id"), column("study_id"), column("state", Enum(TrialState)))
SIGNS = table("trial_heartbeats", column("trial_id"), column("heartbeat", DateTime))


def new_name() -> str:
    """Of a worker."""
    return f"{socket.gethostname()}:{uuid.uuid4().hex[:12]}"


class Queue:
    """name: of the study in the storage; made if there is none. goal: minimise or maximise, for Optuna's own tools.
    worker: what this process is called, if another one shall know; no two may be called the same.
    """

    def __init__(self, storage: RDBStorage, name: str, *, goal: str = "minimise", worker: str | None = None) -> None:
        self.storage = storage
        self.where = storage.engine.url.render_as_string()
        direction = "minimize" if goal == "minimise" else "maximize"
        with self._as_written():
            try:
                self.study = optuna.load_study(storage=storage, study_name=name)
            except KeyError:
                self.study = optuna.create_study(storage=storage, study_name=name, direction=direction, load_if_exists=True)
        self.number = storage.get_study_id_from_name(name)
        self.worker = worker or new_name()

    def trials(self) -> dict[str, list[FrozenTrial]]:
        """All, by the key of their run. StudyError if they are not as they were written."""
        found: dict[str, list[FrozenTrial]] = {}
        with self._as_written():
            trials = self.study.get_trials(deepcopy=False)
        for trial in trials:
            if not is_whole(trial):
                raise damaged(self.where, f"trial {trial.number} differs from its seal")
            if "key" in trial.user_attrs:
                found.setdefault(trial.user_attrs["key"], []).append(trial)
        return found

    @contextmanager
    def _as_written(self) -> Iterator[None]:
        """StudyError for what cannot be read: a state, a time or an attribute that nobody has written so."""
        try:
            yield
        except (AssertionError, LookupError, TypeError, ValueError) as error:
            raise damaged(self.where, first_line(error)) from error

    def run_states(self) -> dict[str, RunState]:
        return {key: run_state(trials) for key, trials in self.trials().items()}

    def fill(self, runs: Iterable[Run], run_states: Mapping[str, RunState], *, retries: int = 0) -> int:
        """Queue what is not; failed runs, too, that failed no more often than `retries`. Gives how many were queued."""
        wanted = {run.key: run for run in runs}
        count = 0
        for key, run in wanted.items():
            now = run_states.get(key, RunState("new"))
            if now.state == "new" or (now.state == "failed" and now.failures <= retries):
                attributes = {"key": key, "task": run.task, "variant": run.variant, "config": dict(run.config)}
                self.study.enqueue_trial({"cell": key}, user_attrs=sealed(attributes))
                count += 1
        return count

    def recover(self) -> None:
        """Give up the trials of workers that show no sign of life, or one from the future; their runs are new again."""
        with self._as_written(), warnings.catch_warnings():
            for number in self._from_the_future():
                with suppress(UpdateFinishedTrialError):
                    self.storage.set_trial_state_values(number, TrialState.FAIL)
            warnings.simplefilter("ignore")  # said to be experimental
            optuna.storages.fail_stale_trials(self.study)

    def _from_the_future(self) -> list[int]:
        """Running trials whose last sign of life is later than the database's clock, by more than a worker may be silent: somebody has
        set that back, and such a sign would count until it has come as far again.
        """
        with self.storage.engine.begin() as connection:
            now = connection.execute(select(func.now())).scalar_one().replace(tzinfo=None)
            latest = now + timedelta(seconds=self.storage.grace_period or 0)
            signs = select(SIGNS.c.trial_id).join(TRIALS, TRIALS.c.trial_id == SIGNS.c.trial_id)
            running = (TRIALS.c.study_id == self.number) & (TRIALS.c.state == TrialState.RUNNING)
            return list(connection.execute(signs.where(running & (SIGNS.c.heartbeat > latest))).scalars())

    def claim(self, keys: Collection[str], waiting: Callable[[BaseException], None] = lambda error: None) -> Claim | None:
        """The first waiting trial of one of these runs, now running and ours; None if there is none. waiting: called with what is
        raised where the database does not answer while it runs.
        """
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
            return Claim(self.storage, number, key, trial.user_attrs["config"], waiting)
        return None

    def release(self, worker: str, *, lost: bool) -> list[str]:
        """Give up what this worker runs: it is known to have ended. lost: it died; otherwise it was stopped on purpose. Gives the keys
        of the runs.
        """
        keys = list[str]()
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if trial.user_attrs.get("worker") == worker:
                try:
                    self.storage.set_trial_state_values(self._id(trial), TrialState.FAIL if lost else TrialState.PRUNED)
                    keys.append(trial.user_attrs["key"])
                except UpdateFinishedTrialError:
                    continue
        return keys

    def _superseded(self, mine: FrozenTrial) -> bool:
        """Whether another trial of the same run is complete, or older and alive."""
        others = [one for one in self.trials()[mine.user_attrs["key"]] if one.number != mine.number]
        return any(one.state == TrialState.COMPLETE or (one.state in ALIVE and one.number < mine.number) for one in others)

    def _id(self, trial: FrozenTrial) -> int:
        return self.storage.get_trial_id_from_study_id_trial_number(self.number, trial.number)


@dataclass(frozen=True)
class Claim:
    """A trial that this process runs. waiting: called with what is raised where the database does not answer."""

    storage: RDBStorage
    number: int
    key: str
    config: Mapping[str, Any]
    waiting: Callable[[BaseException], None] = lambda error: None

    @contextmanager
    def alive(self) -> Iterator[None]:
        """Signs of life from another thread."""
        over = threading.Event()

        def beat() -> None:
            while not over.wait(self.storage.get_heartbeat_interval()):
                try:
                    self.storage.record_heartbeat(self.number)
                except (StorageInternalError, SQLAlchemyError) as error:
                    self.waiting(error)  # the database may answer the next time

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def finish(self, result: dict[str, Any], value: float) -> bool:
        """Keep the result; False if the trial was given up meanwhile, and the result with it."""
        attributes = {"result": result, ENDED: seal_of_result(self.key, result), "ended": time.time()}
        return self._end(TrialState.COMPLETE, attributes, [value])

    def fail(self, error: str, traceback: str) -> bool:
        """Note what went wrong; False as in finish."""
        return self._end(TrialState.FAIL, {"error": error, "traceback": traceback, "ended": time.time()})

    def _end(self, state: TrialState, attributes: dict[str, Any], values: list[float] | None = None) -> bool:
        def write() -> bool:
            for name, one in attributes.items():
                self.storage.set_trial_user_attr(self.number, name, one)
            return self.storage.set_trial_state_values(self.number, state, values)

        try:
            return patiently(write, waiting=self.waiting)
        except UpdateFinishedTrialError:
            return False
