"""The share of sequences answered rightly, by their length: what the cell is for."""

from pathlib import Path

from experiments.program import Number, Records, main, middle, of, pairs


def numbers(records: Records) -> list[Number]:
    """For each length and cell."""
    found = []
    for task, variant in pairs(records):
        runs = of(records, task=task, variant=variant)
        found.append(Number(f"{task}: {variant}: accuracy, median", middle(runs, "test_accuracy"), len(runs)))
        solved = sum(one["test_accuracy"] >= 0.99 for one in runs) / len(runs)
        found.append(Number(f"{task}: {variant}: share of runs above .99", solved, len(runs)))
    return found


if __name__ == "__main__":
    main(Path(__file__).parent, numbers)
