"""Whole trainings: `byhand fit` against the same training with nn.LSTM and Lightning's defaults (plain_fit.py), process by process.

Of each configuration both are run in turn, round after round, each in a process and a folder of its own; medians count. A run not
counted comes first, in which byhand compiles its kernel. Run on an idle machine:

    python -m benchmarks.fit [CONFIG ...] [--rounds 3] [--max_steps N]

whole     seconds of the process, from its start to its end: imports, configuration, data, training, log, checkpoints.
fit       of these, Lightning's fit: training, validations, log, checkpoints.
val_loss  of the last validation, by which one sees that it is the same training: they differ by rounding, which grows.

A ratio is the median of those within a round. table and embedded_reber run as long as their configurations say, adding an eighth of
that, text a sixth.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.fit_clock import FILE
from byhand.configs import FOLDER

ROOT = Path(__file__).parents[1]
# Four kinds of task, and how long each is trained: options of the trainer.
LIMITS: dict[str, dict[str, Any]] = {
    "adding": {"max_epochs": 5},
    "text": {"max_steps": 262},
    "table": {"max_epochs": 50},
    "embedded_reber": {"max_epochs": 10},
}
CONTENDERS = ("nn.LSTM", "byhand")


class Taken(NamedTuple):
    """Seconds of the whole process and of its fit; its optimiser steps and last val_loss."""

    whole: float
    fit: float
    steps: int
    val_loss: float


def words(contender: str, name: str, limits: dict[str, Any]) -> list[str]:
    """What is run."""
    config = str(FOLDER / f"{name}.yaml")
    if contender == "nn.LSTM":
        return ["benchmarks.plain_fit", config, "--trainer", json.dumps(limits)]
    clock = "--trainer.callbacks+=benchmarks.fit_clock.FitClock"
    return ["byhand", "fit", "--config", config, clock, *(f"--trainer.{key}={value}" for key, value in limits.items())]


def taken(contender: str, name: str, limits: dict[str, Any]) -> Taken:
    """Run one training. RuntimeError, with what it said, if it fails."""
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", *words(contender, name, limits)],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        whole = time.perf_counter() - start
        if done.returncode:
            raise RuntimeError(f"{contender}, {name}: exit code {done.returncode}\n{done.stderr[-2000:]}")
        found = json.loads((Path(folder) / FILE).read_text(encoding="utf-8"))
    return Taken(whole, found["seconds"], found["steps"], found["metrics"].get("val_loss", float("nan")))


def measure(name: str, limits: dict[str, Any], rounds: int) -> dict[str, list[Taken]]:
    """Rounds of both contenders, each beginning with the other one."""
    for contender in CONTENDERS:
        taken(contender, name, limits | {"max_steps": 2})  # not counted
    found: dict[str, list[Taken]] = {contender: [] for contender in CONTENDERS}
    for turn in range(rounds):
        for contender in CONTENDERS if turn % 2 == 0 else CONTENDERS[::-1]:
            found[contender].append(taken(contender, name, limits))
            print(f"{name}, round {turn + 1}: {contender} {found[contender][-1].whole:.2f} s", file=sys.stderr)
    return found


def rows(name: str, found: dict[str, list[Taken]]) -> list[str]:
    """The lines of a configuration."""
    lines = []
    for contender, several in found.items():
        whole, fit = (statistics.median(one[at] for one in several) for at in (0, 1))
        ratios = [
            statistics.median(theirs[at] / ours[at] for theirs, ours in zip(found["nn.LSTM"], several, strict=True))
            for at in (0, 1)
        ]
        last = several[-1]
        shown = f"{whole:9.2f}{ratios[0]:7.2f}x{fit:9.2f}{ratios[1]:7.2f}x{last.steps:8}{last.val_loss:10.4f}"
        lines.append(f"{name:16}{contender:9}{shown}")
    return lines


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("configs", nargs="*", metavar="CONFIG", help=f"of {', '.join(LIMITS)} (all)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each contender, of which the median counts (3)")
    parser.add_argument("--max_steps", type=int, help="end every training after this many optimiser steps")
    options = parser.parse_args(argv)
    unknown = set(options.configs) - set(LIMITS)
    if unknown:
        parser.error(f"expected configurations of {', '.join(LIMITS)}, got {', '.join(sorted(unknown))}")
    if options.rounds < 1:
        parser.error(f"expected --rounds of at least 1, got {options.rounds}")
    print(f"{'seconds':25}{'whole':>9}{'faster':>8}{'fit':>9}{'faster':>8}{'steps':>8}{'val_loss':>10}")
    for name in options.configs or LIMITS:
        limits = LIMITS[name] | ({} if options.max_steps is None else {"max_steps": options.max_steps})
        print("\n".join(rows(name, measure(name, limits, options.rounds))), flush=True)


if __name__ == "__main__":
    main()
