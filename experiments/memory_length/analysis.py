"""The share of sequences answered rightly, and of runs that have learnt it, by the length: what the cell is for."""

from pathlib import Path

from experiments.curves import Point, draw, wilson
from experiments.program import Number, Records, judged, main

SOLVED = "share of runs above .99"


def numbers(records: Records) -> list[Number]:
    """For each length and cell."""
    return judged(records, "test_accuracy", 0.99, median_of="accuracy, median", solved_by=SOLVED, by_task=True)


def picture(found: list[Number], path: Path) -> None:
    """A line a cell: the share of its runs that have learnt it, over the length."""
    lines: dict[str, list[Point]] = {}
    for one in found:
        length, cell, what = one.quantity.split(": ")
        if what == SOLVED:
            interval = wilson(round(one.ours * one.runs), one.runs)
            lines.setdefault(cell, []).append(Point(int(length.removeprefix("length ")), one.ours, interval))
    runs = max(one.runs for one in found)
    draw(
        lines,
        path,
        title="How far back each cell can look",
        x="steps of a sequence",
        y=f"share of {runs} runs that learn the order",
        ticks=sorted({int(point.x) for points in lines.values() for point in points}),
    )


if __name__ == "__main__":
    main(Path(__file__).parent, numbers, picture)
