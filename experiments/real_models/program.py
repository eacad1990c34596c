"""What the three programs share: their options, what they print, and what becomes of a problem."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from byhand.explorer.explorer import Explorer
from byhand.interop.parity import ParityReport
from experiments.real_models.packages import FOLDER

TOLERANCE = 1e-5


def main(
    name: str,
    parts: Callable[[argparse.Namespace], tuple[ParityReport, Explorer, list[str], Callable[[], Figure]]],
    *,
    sound: bool,
    words: list[str] | None = None,
) -> int:
    """Print the certificate and what was measured, write the page and the picture. Gives the exit code: 2 for what cannot be done.

    parts: the certificate, the explorer, lines of what was measured, and the picture. sound: whether there is a --wav.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m experiments.real_models.{name}", description=sys.modules[parts.__module__].__doc__
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--out", type=Path, default=FOLDER, help=f"the folder of the page and the picture ({FOLDER})")
    if sound:
        parser.add_argument("--wav", type=Path, help="speech of yours, one channel (espeak-ng's if not given)")
    options = parser.parse_args(words)
    try:
        report, explorer, measured, picture = parts(options)
        print(report)
        print(*measured, sep="\n")
        options.out.mkdir(parents=True, exist_ok=True)
        print(explorer.save(options.out / f"{name}.html"))
        picture().savefig(options.out / f"{name}.png", dpi=110)
        print(options.out / f"{name}.png")
    except (OSError, ValueError, ModuleNotFoundError) as problem:
        print(f"{parser.prog}: {problem}", file=sys.stderr)
        return 2
    return 0 if report.ok else 1


def row(title: str, values: dict[Any, float], form: str = ".2f") -> str:
    """Measured numbers in a line."""
    return f"{title}: " + ", ".join(f"{name}: {value:{form}}" for name, value in values.items())
