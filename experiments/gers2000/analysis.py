"""Share of pieces of 50 symbols that are predicted legally throughout, and of runs in which nearly all are."""

from pathlib import Path

from experiments.program import Number, Records, judged, main


def numbers(records: Records) -> list[Number]:
    """For each network."""
    return judged(
        records, "test_solved", 0.9999, median_of="share of pieces solved, median", solved_by="share of runs without an error"
    )


if __name__ == "__main__":
    main(Path(__file__).parent, numbers)
