"""Processes that answer tasks, so that a kernel that hangs or breaks its process costs one case and not the run.

After a failed launch CUDA answers nothing more in the same process. So whoever answers with an error leaves, and a new one takes the next
task; whoever does not answer in time is killed.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from tools.gpu.machine import ROOT

Answer = dict[str, Any]
STARTING = 90.0  # seconds that the first task of a process has more: it imports torch, and makes a context on the device
COMMAND = [sys.executable, "-W", "ignore", "-m", "tools.gpu.worker"]
GRACE = 20.0  # seconds that tasks under way have when the time is up


class Task(NamedTuple):
    """kind, name: what is to be done; worker.py finds it by these. seconds: within which it must answer."""

    kind: str
    name: str
    seconds: float = 120.0


class Worker:
    """One process, and the task that it has."""

    def __init__(self) -> None:
        self.stderr = tempfile.TemporaryFile()  # noqa: SIM115 (it is read when the process has ended)
        path = os.pathsep.join([str(ROOT), str(ROOT / "src")])
        self.process = subprocess.Popen(
            COMMAND,
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.stderr,
            start_new_session=True,  # so that Ctrl-C reaches the run alone, which ends them
        )
        self.received, self.until, self.fresh, self.began = b"", 0.0, True, time.monotonic()
        self.task: Task | None = None

    def give(self, task: Task) -> None:
        """Send it a task."""
        assert self.process.stdin is not None
        self.task, self.began = task, time.monotonic()
        self.until = self.began + task.seconds + (STARTING if self.fresh else 0)
        self.fresh = False
        try:
            self.process.stdin.write(json.dumps(task[:2]).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended, which is seen where its answer is read

    def hear(self) -> Answer | None:
        """Its answer, if it is whole; how it ended, if it has."""
        assert self.process.stdout is not None
        more = os.read(self.process.stdout.fileno(), 1 << 20)
        self.received += more
        if not more:
            return {"ok": False, "said": self.how_it_ended(), "leaves": True}
        if not self.received.endswith(b"\n"):
            return None
        answer, self.received = json.loads(self.received), b""
        return answer

    def how_it_ended(self) -> str:
        """In one line."""
        code = self.process.wait()
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with {code}"
        self.stderr.seek(0)
        last = self.stderr.read().decode("utf-8", "replace").strip().splitlines()[-1:]
        return " ".join([f"its process ended {how}", *(f"({line[:300]})" for line in last)])

    def end(self) -> None:
        """Kill it, and all that it started."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for file in (self.process.stdin, self.process.stdout, self.stderr):
            if file is not None:
                file.close()


def answers(tasks: Sequence[Task], count: int, until: float) -> Iterator[tuple[Task, Answer]]:
    """Every task with its answer, as they come, from `count` processes; those that are not done by `until` are left out.

    An answer has "ok" (None where there was nothing to do), "said" and "seconds"; all else is the task's own.
    """
    waiting, workers = list(reversed(tasks)), list[Worker]()
    with selectors.DefaultSelector() as selector:

        def leave(worker: Worker) -> None:
            selector.unregister(worker.process.stdout)  # type: ignore[arg-type]
            workers.remove(worker)
            worker.end()

        try:
            while True:
                now = time.monotonic()
                if waiting and now < until:
                    idle = next((one for one in workers if one.task is None), None)
                    if idle is None and len(workers) < count:
                        idle = Worker()
                        workers.append(idle)
                        selector.register(idle.process.stdout, selectors.EVENT_READ, idle)  # type: ignore[arg-type]
                    if idle is not None:
                        idle.give(waiting.pop())
                        continue
                busy = [one for one in workers if one.task is not None]
                if not busy or now > until + GRACE:
                    return
                next_end = min(until + GRACE, *(one.until for one in busy))
                for key, _ in selector.select(max(0.0, next_end - now) + 0.01):
                    worker = key.data
                    answer = worker.hear()
                    if answer is None:
                        continue
                    task, worker.task = worker.task, None
                    if answer.pop("leaves", False):
                        leave(worker)
                    if task is not None:
                        yield task, {"seconds": round(time.monotonic() - worker.began, 3)} | answer
                for worker in [one for one in busy if one.task is not None and one.until < time.monotonic()]:
                    task = worker.task
                    leave(worker)
                    assert task is not None
                    yield task, {"ok": False, "said": f"no answer within {task.seconds:g} s", "seconds": task.seconds}
        finally:
            for worker in list(workers):
                leave(worker)
