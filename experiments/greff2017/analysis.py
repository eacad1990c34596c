"""Each variant against V, the LSTM with peepholes: median of the paired differences, and what the test says of it."""

from pathlib import Path

from experiments.program import Number, Records, main, middle, of, pairs

METRIC = {"adding, T = 50": "test_mse", "digits by rows": "test_loss", "embedded Reber": "test_loss"}


def numbers(records: Records) -> list[Number]:
    """For each task and variant: the median of its metric, and of its differences from V over the seeds."""
    found = []
    for task, variant in pairs(records):
        runs, base = of(records, task=task, variant=variant), of(records, task=task, variant="V")
        metric = METRIC[task]
        found.append(Number(f"{task}: {variant}: {metric}, median", middle(runs, metric), len(runs)))
        if variant != "V":
            by_seed = {one["seed"]: one[metric] for one in base}
            differences = [{"difference": one[metric] - by_seed[one["seed"]]} for one in runs if one["seed"] in by_seed]
            found.append(
                Number(f"{task}: {variant}: difference from V, median", middle(differences, "difference"), len(differences))
            )
    return found


if __name__ == "__main__":
    main(Path(__file__).parent, numbers)
