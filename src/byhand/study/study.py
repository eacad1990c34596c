"""A study as programs use it: run it, ask how far it is, take its results."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from byhand.errors import StudyError
from byhand.study import report
from byhand.study.check import check, check_results
from byhand.study.compare import Row
from byhand.study.database import address, answering, connect, exists, for_reading_only
from byhand.study.plan import Plan
from byhand.study.pool import Pool
from byhand.study.queue import Queue
from byhand.study.run import watch
from byhand.study.run_state import RunState
from byhand.study.specification import LOST_AFTER, Specification, read
from byhand.study.status import Status, status
from byhand.study.task_classes import Look, remembered


class Study:
    """What a file describes, with the folder that its queue and its report are kept in. Made by `load`."""

    def __init__(self, specification: Specification, folder: Path | None = None, *, imports: bool = True) -> None:
        self.specification, self.imports = specification, imports
        self.folder = folder or standard_folder(specification.name)
        self.plan = Plan(specification)
        self.url = address(specification.storage, self.folder)
        self.stopped = False  # whether the last run was asked to stop
        self._queue: Queue | None = None

    def run(self, *, workers: int = 1, threads: int = 1, show: bool = True) -> Status:
        """Run what is not done yet, until all is done or has failed.

        Runs that failed before are tried once more, `retries` times at most. Ctrl-C: once to finish the runs
        under way, twice to drop them. A program that calls this needs `if __name__ == "__main__":`, for its workers import
        it.

        Args:
            workers: number of processes.
            threads: torch threads of each process.
            show: whether progress is printed.

        Returns:
            Where the study stands then.

        Raises:
            StudyError: `workers` or `threads` is below 1, the study was loaded without imports, the folder cannot be written
                to, or the database cannot be reached.
        """
        if not self.imports:
            raise StudyError("run: expected a study that was loaded with imports, got one without: byhand.study.load(path)")
        for name, value in (("workers", workers), ("threads", threads)):
            if value < 1:
                raise StudyError(f"{name}: expected at least 1, got {value}")
        with answering(self.url):
            queue = self._open()
            pool = Pool(self.specification, queue, self.url, self.folder, threads)
            now, self.stopped = watch(self.plan, queue, pool, workers=workers, show=show)
        return now

    def status(self) -> Status:
        """How far it is. Makes no database where there is none."""
        return status(self.plan, self._run_states())

    def table(self, *, search: bool = False) -> list[dict[str, Any]]:
        """A record for every run that is done, or of the search: task, variant, seed, searched values, every metric ("test_mse"),
        steps, seconds, settings, host, torch, threads, key.
        """
        return report.records(self.plan, self._run_states(), search=search)

    def compared(self) -> dict[str, list[Row]]:
        """The comparison of the variants with the base, by task."""
        return report.compared(self.plan, self._run_states())

    def report(self) -> list[Path]:
        """Write results.csv, report.md and pictures into the folder. StudyError if nothing is done yet, or the folder is not to be
        written to.
        """
        run_states = self._run_states()
        if not report.records(self.plan, run_states):
            raise StudyError(f"{self.specification.name}: expected runs that are done, got none yet: {self.command('run')}")
        self._make_folder()
        try:
            return report.write(self.plan, run_states, status(self.plan, run_states), self.folder)
        except OSError as error:
            raise StudyError(f"{error.strerror or error}: make room, or name another folder with --folder FOLDER") from error

    def command(self, name: str) -> str:
        """What to type."""
        elsewhere = ["--folder", str(self.folder)] if self.folder != standard_folder(self.specification.name) else []
        return shlex.join(["byhand", "study", name, str(self.specification.path), *elsewhere])

    def _run_states(self) -> Mapping[str, RunState]:
        with answering(self.url):
            if self._queue is None and not exists(self.url):
                return {}
            reading = for_reading_only(self.url)
            queue = self._queue or self._named(reading=reading)
            if not reading:
                queue.recover()
            run_states = queue.run_states()
        if not self.imports:
            check_results(self.specification, self.plan.runs(run_states), run_states)
        return run_states

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


def standard_folder(name: str) -> Path:
    return Path("runs/studies") / name


def load(path: str | Path, *, folder: str | Path | None = None, imports: bool = True) -> Study:
    """Return the study in this file. Runs and writes nothing.

    Args:
        path: of the file.
        folder: where its queue and report are; runs/studies/NAME if None.
        imports: whether the tasks and cells of one's own that the file names are imported, and all are made once, to check them.
            Otherwise what is known of such tasks is what the queue remembers of them, and the study cannot be run.

    Returns:
        The study, checked.

    Raises:
        StudyError: a ValueError, for whatever the file says that cannot be meant.
    """
    kept = None if folder is None else Path(folder)
    specification = read(Path(path)) if imports else read(Path(path), partial(_remembering, folder=kept))
    check(specification, imports=imports)
    return Study(specification, kept, imports=imports)


def _remembering(name: str, storage: str | None, folder: Path | None) -> Look:
    """Look for classes of tasks in the queue of the study of this name."""

    def configs() -> list[Mapping[str, Any]]:
        url = address(storage, folder or standard_folder(name))
        if not exists(url):
            return []
        with answering(url):
            trials = Queue(connect(url, LOST_AFTER, reading=for_reading_only(url)), name).trials()
        return [trial.user_attrs["config"] for trial in sorted(chain(*trials.values()), key=lambda one: one.number)]

    return remembered(configs)
