"""The workers of one machine: started, watched, replaced when they die, sent home."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy.engine import URL

from byhand.study import worker
from byhand.study.database import patiently
from byhand.study.queue import Queue, new_name
from byhand.study.specification import Specification

Ask = Callable[[Callable[[], Any]], Any]
METHOD = "spawn"  # a process of its own from the start: nothing of the parent's threads or files
MOST_DEATHS = 20  # of workers, without a run done between them, before it is given up


class Member(NamedTuple):
    name: str
    process: BaseProcess
    line: Connection  # while it is open, work goes on; what the worker waits for comes in through it


class Death(NamedTuple):
    """Of a worker. number: its place among them, from 1. cause: in words. keys: of the runs that it had under way, one at most."""

    number: int
    cause: str
    keys: list[str]


class Pool:
    """Worker processes that fill from the queue of one study."""

    def __init__(self, specification: Specification, queue: Queue, url: URL, folder: Path, threads: int) -> None:
        self.arguments = (specification, url, folder)
        self.queue, self.threads = queue, threads
        self.members: list[Member] = []
        self.deaths = 0  # since a run was done
        self.died: list[Death] = []  # all
        self.reported = 0  # how many of them
        self.heard: list[str] = []  # what workers wait for, since the last look
        self.broken = False  # a worker ended with an error of its own
        self.ask: Ask = patiently  # how the database is asked

    def start(self, count: int) -> None:
        """Start `count` workers."""
        context = multiprocessing.get_context(METHOD)
        for _ in range(count):
            line, listening = context.Pipe()
            name = new_name()
            process = context.Process(target=worker.process, args=(*self.arguments, name, self.threads, listening))
            _start_deaf(process)
            listening.close()
            self.members.append(Member(name, process, line))

    def look(self, *, replace: bool) -> None:
        """Take note of those that have ended; who was killed is replaced, as is who was ended by its run, and the run queued again that
        was under way.
        """
        self.heard = [said for member in self.members for said in _said(member.line)]
        for member in [one for one in self.members if not one.process.is_alive()]:
            held = self._leave(member, lost=True)
            if member.process.exitcode == 0 and not held:
                continue
            self.deaths += 1
            self.died.append(Death(len(self.died) + 1, self._cause(member.process.exitcode or 0), held))
            if ((member.process.exitcode or 0) > 0 and not held) or self.deaths > MOST_DEATHS:
                self.broken = True
            elif replace:
                self.start(1)

    def finish(self) -> None:
        """Let all end after the run under way."""
        for member in self.members:
            member.line.close()

    def stop(self) -> None:
        """End all at once; what they ran is waiting again."""
        for member in self.members:
            member.process.kill()
        for member in list(self.members):
            self._leave(member, lost=False)

    def _cause(self, code: int) -> str:
        """Of a worker's death, by how it ended."""
        if code < 0:
            number = -code
            name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
            return f"killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
        if code == 0:
            return "ended in the middle of a run"
        last = _last_line(self.arguments[2] / worker.LOG)
        return f"ended with status {code}" + (f": {last}" if last else "")

    def _leave(self, member: Member, *, lost: bool) -> list[str]:
        """The keys of the runs that it had under way: one at most."""
        member.process.join()
        member.line.close()
        self.members.remove(member)
        return self.ask(lambda: self.queue.release(member.name, lost=lost))


def _said(line: Connection) -> list[str]:
    """What has come in through it."""
    said = list[str]()
    with suppress(EOFError, OSError):  # closed, at either end
        while line.poll():
            said.append(line.recv())
    return said


def _last_line(log: Path) -> str:
    """Of what workers have said; none if that cannot be read."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 4096))
            lines = file.read().decode(errors="replace").split("\n")
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _start_deaf(process: BaseProcess) -> None:
    """A terminal sends Ctrl-C to all its processes; those started while it is ignored go on ignoring it."""
    try:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    except ValueError:  # not in the main thread
        process.start()
        return
    try:
        process.start()
    finally:
        signal.signal(signal.SIGINT, before)
