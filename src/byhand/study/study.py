"""A study as programs use it: run it, ask how far it is, take its results."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import SQLAlchemyError

from byhand.study import report
from byhand.study.check import check
from byhand.study.compare import Row
from byhand.study.crew import Crew
from byhand.study.database import address, connect, exists, for_reading_only
from byhand.study.errors import StudyError, first_line
from byhand.study.plan import Plan
from byhand.study.queue import Queue
from byhand.study.run import watch
from byhand.study.specification import Specification, read
from byhand.study.standing import Standing
from byhand.study.status import Status, status


class Study:
    """What a file describes, with the folder that its queue and its report are kept in. Made by `load`."""

    def __init__(self, specification: Specification, folder: Path | None = None) -> None:
        self.specification = specification
        self.folder = folder or standard_folder(specification)
        self.plan = Plan(specification)
        self.url = address(specification.storage, self.folder)
        self.stopped = False  # whether the last run was asked to stop
        self._queue: Queue | None = None

    def run(self, *, workers: int = 1, threads: int = 1, show: bool = True) -> Status:
        """Run what is not done yet, in so many processes of so many torch threads each, until all is done or has failed; cells that
        failed in an earlier run are tried once more, `retries` times at most. Ctrl-C: once to finish the cells under way, twice to drop
        them. A program that calls this needs `if __name__ == "__main__":`, for its workers import it.

        StudyError if the folder cannot be written to or the database not be reached.
        """
        for name, value in (("workers", workers), ("threads", threads)):
            if value < 1:
                raise StudyError(f"{name}: expected at least 1, got {value}")
        with self._answering():
            queue = self._open()
            crew = Crew(self.specification, queue, self.url, self.folder, threads)
            now, self.stopped = watch(self.plan, queue, crew, workers=workers, show=show)
        return now

    def status(self) -> Status:
        """How far it is. Makes no database where there is none."""
        return status(self.plan, self._standings())

    def table(self, *, search: bool = False) -> list[dict[str, Any]]:
        """A record for every cell that is done, or of the search: task, variant, seed, searched values, every metric ("test_mse"),
        steps, seconds, settings, host, torch, threads, key.
        """
        return report.records(self.plan, self._standings(), search=search)

    def compared(self) -> dict[str, list[Row]]:
        """The comparison of the variants with the base, by task."""
        return report.compared(self.plan, self._standings())

    def report(self) -> list[Path]:
        """Write results.csv, report.md and pictures into the folder. StudyError if nothing is done yet, or the folder is not to be
        written to.
        """
        standings = self._standings()
        if not report.records(self.plan, standings):
            raise StudyError(f"{self.specification.name}: expected cells that are done, got none yet: {self.command('run')}")
        self._make_folder()
        try:
            return report.write(self.plan, standings, status(self.plan, standings), self.folder)
        except OSError as error:
            raise StudyError(f"{error.strerror or error}: make room, or name another folder with --folder FOLDER") from error

    def command(self, name: str) -> str:
        """What to type."""
        elsewhere = ["--folder", str(self.folder)] if self.folder != standard_folder(self.specification) else []
        return shlex.join(["byhand", "study", name, str(self.specification.path), *elsewhere])

    def _standings(self) -> Mapping[str, Standing]:
        with self._answering():
            if self._queue is None and not exists(self.url):
                return {}
            reading = for_reading_only(self.url)
            queue = self._queue or self._named(reading=reading)
            if not reading:
                queue.recover()
            return queue.standings()

    def _open(self) -> Queue:
        if self._queue is None:
            exists(self.url)  # whether it can be reached at all, before a folder is made
            self._make_folder()
            self._queue = self._named(reading=False)
        return self._queue

    def _named(self, *, reading: bool) -> Queue:
        goal = next(iter(self.specification.tasks.values())).goal
        storage = connect(self.url, self.specification.lost_after, reading=reading)
        return Queue(storage, self.specification.name, goal=goal)

    def _make_folder(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not os.access(self.folder, os.W_OK | os.X_OK):
                raise PermissionError("no permission to write")
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> StudyError:
        return StudyError(
            f"{self.folder}: expected a folder to write to, got: {error.strerror or error}: name another with --folder FOLDER"
        )

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """What the database cannot do is said in one line."""
        try:
            yield
        except (SQLAlchemyError, StorageInternalError) as error:
            reason = error.__cause__ or error
            raise StudyError(f"storage: {self.url.render_as_string()} stopped answering: {first_line(reason)}") from error


def standard_folder(specification: Specification) -> Path:
    return Path("runs/studies") / specification.name


def load(path: str | Path, *, folder: str | Path | None = None) -> Study:
    """The study in this file; its queue and report in the folder, runs/studies/NAME if None. Runs and writes nothing.

    StudyError, a ValueError, for whatever the file says that cannot be meant.
    """
    specification = read(Path(path))
    check(specification)
    return Study(specification, None if folder is None else Path(folder))
