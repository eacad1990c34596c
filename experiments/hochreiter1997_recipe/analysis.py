"""The same numbers as of the modern recipe; everything is learnt a sequence a step."""

from pathlib import Path

from experiments.hochreiter1997.analysis import numbers as judged
from experiments.program import Number, Records, main, pairs


def numbers(records: Records) -> list[Number]:
    """For each task."""
    return judged(records, online=[task for task, _ in pairs(records)])


if __name__ == "__main__":
    main(Path(__file__).parent, numbers)
