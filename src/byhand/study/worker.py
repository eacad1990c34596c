"""A worker: a process that takes runs from the queue until there are none left."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from sqlalchemy.engine import URL

from byhand.study.database import connect, patiently
from byhand.study.errors import first_line
from byhand.study.plan import Plan, validated, value_of
from byhand.study.queue import Claim, Queue
from byhand.study.runs import perform
from byhand.study.specification import Specification
from byhand.study.task_plan import TaskPlan
from byhand.study.trouble import reason

LOG = "workers.log"  # in the study's folder: what workers print
PAUSE = 1.0  # seconds before a worker without work looks again


def work(
    plan: Plan, queue: Queue, stop: Callable[[float], bool], waiting: Callable[[BaseException], None] = lambda error: None
) -> None:
    """Carry out runs until all are done or failed. stop: waits at most this many seconds, and says whether to end now. waiting: called
    with what is raised where the database does not answer.
    """
    ask = partial(patiently, waiting=waiting)
    while not stop(0):
        ask(queue.recover)
        run_states = ask(queue.run_states)
        runs = {run.key: run for run in plan.runs(run_states)}
        ask(partial(queue.fill, runs.values(), run_states))
        claim = ask(partial(queue.claim, runs.keys(), waiting))
        if claim is not None:
            run(claim, plan.specification.tasks[runs[claim.key].task], searched=plan.specification.search is not None)
            continue
        over = all(key in run_states and run_states[key].state in ("done", "failed") for key in runs)
        if over or stop(PAUSE):  # others do what is left; should one be lost, its run is ours
            return


def run(claim: Claim, plan: TaskPlan, *, searched: bool) -> None:
    """One run, to its end; what it raises is noted with it. searched: the metric's counterpart in validation is needed, too."""
    begun = time.monotonic()
    with claim.alive():
        try:
            found = perform(claim.config)
            for needed in {plan.metric, validated(plan.metric) if searched else plan.metric} - {"steps", "seconds"}:
                if needed not in found["metrics"]:
                    raise ValueError(f"the training gave no {needed}: was it over before the first validation?")
        except (Exception, SystemExit) as error:  # noqa: BLE001 (a run may raise anything; the others go on)
            message = f"{type(error).__name__}: {first_line(error)}"
            claim.fail(message, traceback.format_exc())
            return
        found |= {
            "took": time.monotonic() - begun,
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
            "host": socket.gethostname(),
        }
        claim.finish(found, value_of(found, plan))


def end(number: int, frame: Any) -> None:
    """At once, as a process does that has no say in it; Lightning would make an error of the run's out of it."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def process(specification: Specification, url: URL, folder: Path, name: str, threads: int, parent: Connection) -> None:
    """What a worker's process does. It ends after the run under way when the parent closes the connection, or dies. Through this it
    says what it waits for; the log may be on the disk that is full.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    signal.signal(signal.SIGTERM, end)
    os.environ.pop("SLURM_NTASKS", None)  # by which Lightning would take the job's processes for its own
    log = os.open(folder / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(log, stream.fileno())
    warnings.simplefilter("once")
    torch.set_num_threads(threads)
    one_at_a_time = threading.Lock()

    def waiting(error: BaseException) -> None:
        with one_at_a_time, suppress(OSError):  # a parent that has died
            parent.send(reason(error))

    queue = Queue(connect(url, specification.lost_after), specification.name, worker=name)
    work(Plan(specification), queue, parent.poll, waiting)
