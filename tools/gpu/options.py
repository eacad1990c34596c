"""The command line."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NoReturn

from tools.gpu.machine import INTERPRETED, ROOT

MINUTES = 9.0
JOURNAL = ROOT / "runs" / "gpu"


class Parser(argparse.ArgumentParser):
    """Whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {' '.join(message.split())}\n")


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read and check it; SystemExit with code 2 and one line if something cannot be done."""
    parser = Parser(
        "gpu", description="The GPU engine on this machine's GPU: right first, then how fast. A second start goes on."
    )
    parser.add_argument("--minutes", type=float, default=MINUTES, help=f"no case begins after these ({MINUTES:g})")
    parser.add_argument("--only", default="", metavar="TEXT", help="only cases with this in their name")
    parser.add_argument("--again", action="store_true", help="those that were wrong the last time, too")
    parser.add_argument("--list", action="store_true", help="print the names of all cases, and whether they are done")
    parser.add_argument(
        "--interpret", action="store_true", help="small shapes in Triton's interpreter, without a GPU; no times"
    )
    parser.add_argument("--folder", type=Path, help="of the journal (runs/gpu; in the interpreter a temporary one)")
    parser.add_argument("--processes", type=int, help="that check side by side (as many as cores and memory allow)")
    options = parser.parse_args(arguments)
    if not options.minutes > 0:
        parser.error(f"--minutes expected a number above 0, got {options.minutes:g}")
    if options.processes is not None and options.processes < 1:
        parser.error(f"--processes expected at least 1, got {options.processes}")
    if options.folder is None and not INTERPRETED:
        options.folder = JOURNAL
    return options
