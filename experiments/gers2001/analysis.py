"""How far beyond n = 10, to which it was trained, each cell still counts."""

from pathlib import Path

from experiments.program import Number, Records, main, middle, of, pairs


def numbers(records: Records) -> list[Number]:
    """For each cell."""
    found = []
    for task, variant in pairs(records):
        runs = of(records, task=task, variant=variant)
        found.append(Number(f"{variant}: share of strings solved, median", middle(runs, "test_solved"), len(runs)))
        found.append(
            Number(
                f"{variant}: share of runs that solve all", sum(one["test_solved"] == 1 for one in runs) / len(runs), len(runs)
            )
        )
    return found


if __name__ == "__main__":
    main(Path(__file__).parent, numbers)
