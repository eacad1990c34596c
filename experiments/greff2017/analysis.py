"""Each variant against V, the LSTM with peepholes: median of the paired differences, and what the test says of it."""

from pathlib import Path

from experiments.program import Number, Records, against, main, middle, of, pairs


def metric(task: str) -> str:
    return "test_mse" if task.startswith("adding") else "test_loss"


def numbers(records: Records) -> list[Number]:
    """For each task and variant: the median of its metric, of its differences from V over the seeds, and the probability of such."""
    found = []
    for task, variant in pairs(records):
        runs = of(records, task=task, variant=variant)
        found.append(Number(f"{task}: {variant}: {metric(task)}, median", middle(runs, metric(task)), len(runs)))
    return found + against(records, "V", metric)


if __name__ == "__main__":
    main(Path(__file__).parent, numbers)
