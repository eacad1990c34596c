"""What is typed, as the parser has to read it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def shortened(words: list[str]) -> list[str]:
    """Without the word --quick: after each configuration comes its shorter version, quick/NAME.yaml beside it. ValueError if there is
    none.
    """
    if "--quick" not in words:
        return words
    found, configurations = [], 0
    rest = iter(word for word in words if word != "--quick")
    for word in rest:
        found.append(word)
        name = configuration(word, rest, found)
        if name is None:
            continue
        configurations += 1
        path = Path(name)
        quick = path.parent / "quick" / path.name
        if not quick.is_file():
            raise ValueError(f"--quick: expected a shorter version of {path} in {quick}; leave --quick out, or write that file")
        found += ["--config", str(quick)]
    if not configurations:
        raise ValueError("--quick: expected a configuration that has a shorter version, as in --config configs/adding.yaml")
    return found


def configuration(word: str, rest: Iterator[str], found: list[str]) -> str | None:
    """The file that a word, or the next one, names as a configuration; the next one is then among the found."""
    if word in ("-c", "--config"):
        name = next(rest, None)
        found += [] if name is None else [name]
        return name
    if word.startswith("--config="):
        return word.removeprefix("--config=")
    return word[2:] if word.startswith("-c") and not word.startswith("--") else None
