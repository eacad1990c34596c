"""Successes, sequences until then, and errors on 2,560 (Reber: 256) new sequences."""

from collections.abc import Collection
from pathlib import Path

from experiments.program import Number, Records, main, middle, of, pairs

ONLINE = ("embedded Reber",)  # a sequence a step; 32 elsewhere
METRIC = {"embedded Reber": "test_solved", "temporal order 6a": "test_accuracy"}


def errors(task: str, record: dict) -> float:
    """The share of sequences of the test part that are answered wrongly."""
    if task in METRIC:
        return 1 - record[METRIC[task]]
    return record["test_wrong"]


def numbers(records: Records, online: Collection[str] = ONLINE) -> list[Number]:
    """For each task and network. online: tasks learnt a sequence a step."""
    found = []
    for task, variant in pairs(records):
        runs = of(records, task=task, variant=variant)
        name = f"{task}: {variant}"
        allowed = 0.01 if task == "multiplication, T = 100" else 1 / 2560
        solved = [one for one in runs if errors(task, one) <= allowed + 1e-6]
        found.append(Number(f"{name}: runs that solve it", len(solved), len(runs)))
        sequences = [one | {"sequences": one["steps"] * (1 if task in online else 32)} for one in solved]
        found.append(Number(f"{name}: sequences, median of those", middle(sequences, "sequences"), len(solved)))
        sequences_asked = 256 if task == "embedded Reber" else 2560
        wrong = [{"wrong": errors(task, one) * sequences_asked} for one in runs]
        found.append(Number(f"{name}: wrong, median", middle(wrong, "wrong"), len(runs)))
        if "test_mse" in runs[0]:
            found.append(Number(f"{name}: mean squared error, median", middle(runs, "test_mse"), len(runs)))
    return found


if __name__ == "__main__":
    main(Path(__file__).parent, numbers)
