"""Share of pieces of 50 symbols that are predicted legally throughout, and of runs in which nearly all are."""

from pathlib import Path

from experiments.program import Number, Records, main, middle, of, pairs


def numbers(records: Records) -> list[Number]:
    """For each network."""
    found = []
    for task, variant in pairs(records):
        runs = of(records, task=task, variant=variant)
        found.append(Number(f"{variant}: share of pieces solved, median", middle(runs, "test_solved"), len(runs)))
        perfect = sum(one["test_solved"] >= 0.9999 for one in runs) / len(runs)
        found.append(Number(f"{variant}: share of runs without an error", perfect, len(runs)))
    return found


if __name__ == "__main__":
    main(Path(__file__).parent, numbers)
