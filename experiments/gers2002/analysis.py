"""The share of intervals recognised, the runs that recognise nearly all, and each network against the paper's."""

from pathlib import Path

from experiments.program import Number, Records, against, judged, main


def numbers(records: Records) -> list[Number]:
    """For each network, on each task."""
    words = {"median_of": "share of intervals recognised, median", "solved_by": "share of runs above .99"}
    found = judged(records, "test_accuracy", 0.99, **words, by_task=True)
    return found + against(records, "peephole, not squashed", lambda _: "test_accuracy")


if __name__ == "__main__":
    main(Path(__file__).parent, numbers)
