"""Thousands of damaged files of every kind that byhand reads: half with a bit flipped, half cut short. Tests take a sample of them.

    python tests/support/many_damaged_files.py [--count 4000]

Prints how many are refused and how many read as if they were whole, for nothing depends on the bit that was hit; ends with an error
at the first that reads otherwise, or raises another error than its reader's own, or takes more memory than twice the file and 50 MB.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from damage import READERS, ROOM, outcomes, peak, whole
from studies import made, pretended, results, run_here

from byhand import LoadError
from byhand.study import StudyError, load, worker


def study() -> tuple[Path, Callable[[], Any]]:
    """The database of a study that is done, and how to read it."""
    worker.perform = pretended
    folder = Path("study")
    database = run_here(made(folder, seeds=2)).folder / "study.db"

    def read() -> tuple[Any, str]:
        this = load(folder / "study.yaml", folder=folder / "kept")
        return results(this), this.status().line

    return database, read


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=4000, help="damaged files of each kind (4000)")
    count = parser.parse_args().count
    print(f"{'kind':12}{'bytes':>9}{'damaged':>9}{'refused':>9}{'as whole':>9}{'MB more':>9}{'seconds':>9}")
    for kind in (*READERS, "study"):
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            if kind == "study":
                (path, read), refused = study(), StudyError
            else:
                path, refused = whole(READERS[kind][0]), LoadError
                read = lambda path=path, kind=kind: READERS[kind][1](path)  # noqa: E731
            good, found = path.read_bytes(), list[tuple[int, int]]()
            read()
            begun = time.monotonic()
            memory = peak(lambda: found.append(outcomes(path, good, read, refused, count=count, seed=kind)))  # noqa: B023
            took = time.monotonic() - begun
            assert memory < 2 * len(good) + ROOM, memory
            print(f"{kind:12}{len(good):9}{count:9}{found[0][0]:9}{found[0][1]:9}{memory / 1e6:9.1f}{took:9.0f}", flush=True)
            os.chdir("/")


if __name__ == "__main__":
    main()
