"""How far beyond n = 10, to which it was trained, each cell still counts. The curve over n: experiments.gers2001.curve."""

from pathlib import Path

from experiments.program import Number, Records, judged, main


def numbers(records: Records) -> list[Number]:
    """For each cell."""
    return judged(
        records, "test_solved", 1.0, median_of="share of strings solved, median", solved_by="share of runs that solve all"
    )


if __name__ == "__main__":
    main(Path(__file__).parent, numbers)
