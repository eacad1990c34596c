"""The configurations that come with byhand: a training a task, NAME.yaml, and what makes it short, quick/NAME.yaml.

The first line of each says what is trained. Whoever types one's name gets a file of that name in the current folder first: byhand configs
NAME --copy puts one there, to be changed.
"""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).parent
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
TYPED = re.compile(r"(?:configs/)?((?:quick/)?\w+)(?:\.yaml)?")  # configs/ is where they lay up to version 0.1


def find(word: str) -> Path:
    """Return the file that a word names: as it is typed; NAME.yaml in the current folder; the one that comes with byhand.

    Raises:
        ValueError: where there is none.
    """
    for path in (Path(word), Path(f"{word}.yaml")):
        if path.exists() and not path.is_dir():
            return path
    own = TYPED.fullmatch(word)
    path = FOLDER / f"{own[1]}.yaml" if own else FOLDER
    if not path.is_file():
        raise ValueError(
            f"--config {word}: expected a file, or the name of a configuration that comes with byhand: {', '.join(NAMES)}"
        )
    return path


def shorter(path: Path) -> Path:
    """Where the shorter version of a configuration lies: quick/NAME.yaml beside it."""
    return path.parent / "quick" / path.name


def summary(path: Path) -> str:
    """What a configuration trains: its first line."""
    return path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
