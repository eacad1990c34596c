"""Tasks for the tests of studies: one that takes its time and says who works at it, one that fails. notes: a folder, for both."""

import os
import time
from pathlib import Path

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
