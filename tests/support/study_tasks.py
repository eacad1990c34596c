"""Tasks for the tests of studies: one that takes its time and says who works at it, and some that fail. notes: a folder, for all."""

import os
import signal
import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.exc import OperationalError

from byhand.tasks import Adding, Sequences
from byhand.tasks.task import Part


class Noted(Adding):
    def __init__(
        self, notes: str, length: int = 4, batch_size: int = 4, batches: int = 5, sequences: int = 16, seed: int = 0
    ) -> None:
        super().__init__(length, batch_size, batches, sequences, seed)
        self.notes = Path(notes)


class Slow(Noted):
    """A second for five steps, unless there is a file "at once"; the process leaves a file by its number."""

    def batch(self, part: Part, epoch: int, index: int, size: int) -> Sequences:
        if part == "train" and not (self.notes / "at once").exists():
            (self.notes / f"{os.getpid()}").touch()
            time.sleep(0.2)
        return super().batch(part, epoch, index, size)


class Failing(Noted):
    """Fails with seed 1 as long as there is a file "fail"."""

    def batch(self, part: Part, epoch: int, index: int, size: int) -> Sequences:
        if self.seed == 1 and (self.notes / "fail").exists():
            raise RuntimeError(f"no batch for seed {self.seed}\nand a second line")
        return super().batch(part, epoch, index, size)


class Dying(Noted):
    """Kills its process twice, and leaves a file by the time."""

    def batch(self, part: Part, epoch: int, index: int, size: int) -> Sequences:
        if part == "train":
            (self.notes / "deaths").mkdir(exist_ok=True)
            if len(list((self.notes / "deaths").iterdir())) == 2:
                return super().batch(part, epoch, index, size)
            (self.notes / "deaths" / str(time.monotonic())).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().batch(part, epoch, index, size)


class Filling(Noted):
    """From its first step on the disk is full for this process, as long as there is a file "full", which the first of all makes."""

    def batch(self, part: Part, epoch: int, index: int, size: int) -> Sequences:
        if part == "train" and not (self.notes / "at once").exists():
            (self.notes / "at once").touch()
            (self.notes / "full").touch()
        if part == "train" and not event.contains(Engine, "before_cursor_execute", self.refuse):
            event.listen(Engine, "before_cursor_execute", self.refuse)
        return super().batch(part, epoch, index, size)

    def refuse(self, connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith(("INSERT", "UPDATE")) and (self.notes / "full").exists():
            raise OperationalError(statement, {}, sqlite3.OperationalError("database or disk is full"))
