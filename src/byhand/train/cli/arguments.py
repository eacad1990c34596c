"""What is typed, as the parser has to read it."""

from __future__ import annotations

from collections.abc import Iterator

from byhand import configs
from byhand.train.cli import yaml_text


def expanded(words: list[str]) -> list[str]:
    """Return the words with a file in the place of each configuration's name and, for --quick, its shorter version after each.

    Raises:
        ValueError: for a name that no configuration has, or where there is no shorter version.
    """
    quick, found, configurations = "--quick" in words, [], 0
    rest = iter(word for word in words if word != "--quick")
    for word in rest:
        name = configuration(word, rest)
        if name is None:
            found.append(word)
            continue
        configurations += 1
        found += ["--config", *files(name, quick=quick)]
    if quick and not configurations:
        raise ValueError("--quick: expected a configuration that has a shorter version, as in --config adding")
    return found


def configuration(word: str, rest: Iterator[str]) -> str | None:
    """Return what a word, or the next one, which it takes from the rest, names as a configuration."""
    if word in ("-c", "--config"):
        return next(rest, None)
    if word.startswith("--config="):
        return word.removeprefix("--config=")
    return word[2:].removeprefix("=") if word.startswith("-c") and not word.startswith("--") else None


def files(name: str, *, quick: bool) -> list[str]:
    """Return the file of a configuration; for quick, the shorter one behind it, with its option. What is YAML itself stays."""
    if not quick and not isinstance(yaml_text.collection(name), str):
        return [name]
    path = configs.find(name)
    if not quick:
        return [str(path)]
    shorter = configs.shorter(path)
    if not shorter.is_file():
        raise ValueError(f"--quick: expected a shorter version of {path} in {shorter}; leave --quick out, or write that file")
    return [str(path), "--config", str(shorter)]
