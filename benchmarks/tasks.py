"""How fast the tasks make their batches: with the options that they have by default, one after another, in one process.

    python -m benchmarks.tasks [--seconds 1] [--batch-size 32]

A training step on such a batch takes some milliseconds; a task should take a small part of one.
"""

import argparse
import inspect
import time
from typing import Any

import torch

from byhand import tasks
from byhand.tasks import Task


def measure(task: Task, seconds: float) -> tuple[int, float]:
    """How many steps a batch has, and how many batches a second there are: the first epoch over and over."""
    size, index, steps = task.batch_size, 0, 0
    task.batch("train", 0, 0, size)  # what is made once
    start = time.perf_counter()
    while time.perf_counter() - start < seconds:
        steps += len(task.batch("train", 0, index % task.count("train", size), size).input)
        index += 1
    return round(steps / index), index / (time.perf_counter() - start)


def ready() -> dict[str, type[Task]]:
    """The tasks that need nothing of one's own, such as a file."""
    kinds = {name: kind for name in tasks.__all__ if issubclass(kind := getattr(tasks, name), Task) and kind is not Task}
    options = {name: inspect.signature(kind).parameters.values() for name, kind in kinds.items()}
    return {name: kind for name, kind in kinds.items() if all(one.default is not one.empty for one in options[name])}


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--seconds", type=float, default=1.0, help="for each task (1)")
    parser.add_argument("--batch-size", type=int, default=32, help="sequences of a batch (32)")
    options = parser.parse_args(argv)
    if options.seconds <= 0 or options.batch_size < 1:
        parser.error(
            f"expected --seconds above 0 and --batch-size of at least 1, got {options.seconds} and {options.batch_size}"
        )
    torch.set_num_threads(1)
    print(f"{'task':18}{'steps':>7}{'batches/s':>12}{'ms a batch':>12}")
    for name, kind in ready().items():
        task: Any = kind
        steps, speed = measure(task(batch_size=options.batch_size), options.seconds)
        print(f"{name:18}{steps:7}{speed:12.0f}{1000 / speed:12.3f}", flush=True)


if __name__ == "__main__":
    main()
