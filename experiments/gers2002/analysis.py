"""The share of intervals told to the step, with and without peepholes, and of runs that tell nearly all."""

from pathlib import Path

from experiments.program import Number, Records, judged, main


def numbers(records: Records) -> list[Number]:
    """For each cell."""
    return judged(
        records, "test_accuracy", 0.99, median_of="share of intervals told, median", solved_by="share of runs above .99"
    )


if __name__ == "__main__":
    main(Path(__file__).parent, numbers)
