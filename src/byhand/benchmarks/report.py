"""The tables on the screen."""

import statistics
from collections.abc import Callable, Iterator, Sequence

from byhand.benchmarks.results import QUANTITIES, Row

WORST = 5  # shapes that a summary names
HEAD = ("contender", "engine", "baseline", "its own", "faster", "GFLOP/s", "of peak")


def tables(rows: Sequence[Row]) -> Iterator[str]:
    """One for each quantity and baseline; a line for each contender of a case but the baseline itself."""
    for (quantity, baseline), some in grouped(rows, lambda row: (row.quantity, row.baseline)):
        others = [row for row in some if row.contender != baseline]
        if not others:
            continue
        baselines = {row.case: row for row in some if row.contender == baseline}
        lines = [(row.case, *values(row, baselines[row.case])) for row in others]
        widths = [max(map(len, column)) for column in zip(("case", *HEAD), *lines, strict=True)]
        laid_out = (layout(line, widths) for line in (("case", *HEAD), *lines))
        yield "\n".join(["", heading(quantity, baseline), *laid_out, *(overall(row) for row in grouped(others, by_contender))])


def heading(quantity: str, baseline: str) -> str:
    title, unit, _ = QUANTITIES[quantity]
    if quantity == "memory":
        return f'{title}, {unit}; "faster" is how many times less than {baseline} (above 1 is good)'
    return f'{title}, {unit}; "faster" is how many times faster than {baseline} (its time / their own; above 1 is good)'


def values(row: Row, baseline: Row) -> tuple[str, ...]:
    gflops = "" if row.gflops is None else f"{row.gflops:.3g}"
    share = "" if row.share is None else f"{row.share:.1%}"
    return row.contender, row.engine, f"{baseline.median:.4g}", f"{row.median:.4g}", f"{row.faster:.3f}x", gflops, share


def layout(line: Sequence[str], widths: Sequence[int]) -> str:
    """Words to the left, numbers to the right."""
    words = [text.ljust(width) for text, width in zip(line[:3], widths, strict=False)]
    return "  ".join([*words, *(text.rjust(width) for text, width in zip(line[3:], widths[3:], strict=True))])


def by_contender(row: Row) -> tuple[str]:
    return (row.contender,)


def overall(group: tuple[tuple[str, ...], list[Row]]) -> str:
    (contender, *_), rows = group
    ratios = [row.faster for row in rows]
    mean, below = statistics.geometric_mean(ratios), sum(ratio < 1 for ratio in ratios)
    return f"{contender}: geometric mean {mean:.3f}x, least {min(ratios):.3f}x, below 1.0x {below} of {len(ratios)}"


def summaries(rows: Sequence[Row]) -> Iterator[str]:
    """A line for each quantity and contender, and the shapes where it does worst."""
    for (quantity, baseline), some in grouped(rows, lambda row: (row.quantity, row.baseline)):
        others = [row for row in some if row.contender != baseline]
        if others:
            yield f"\n{heading(quantity, baseline)}"
        for group in grouped(others, by_contender):
            worst = sorted(group[1], key=lambda row: row.faster)[:WORST]
            yield f"{overall(group)}\n  worst: " + ", ".join(f"{row.case} {row.faster:.3f}x" for row in worst)


def grouped(rows: Sequence[Row], key: Callable[[Row], tuple[str, ...]]) -> list[tuple[tuple[str, ...], list[Row]]]:
    """In the order in which keys first appear."""
    found: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return list(found.items())
