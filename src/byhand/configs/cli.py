"""byhand configs: what configurations come with byhand; one of them, printed or copied."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from byhand.configs import FOLDER, NAMES, shorter, summary
from byhand.files.atomic import write_whole

MORE = """byhand fit --config NAME trains with one of these, with --quick with its shorter version; a file NAME.yaml in the current
folder is taken in its place. byhand configs NAME prints one, byhand configs NAME --copy writes it here, to be changed."""


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="byhand configs", description="List the configurations that come with byhand; print one, or copy it, to change it."
    )
    made.add_argument("name", nargs="?", metavar="NAME", help="print this one")
    made.add_argument("--copy", action="store_true", help="write it and its shorter version here, over no file that is there")
    return made


def main(arguments: list[str]) -> int:
    """Gives the exit code: 2 for what cannot be done, with one line that says why."""
    options = parser().parse_args(arguments)
    try:
        print(answer(options.name, copy=options.copy))
    except (ValueError, OSError) as problem:
        print(f"byhand configs: {problem}", file=sys.stderr)
        return 2
    return 0


def answer(name: str | None, *, copy: bool) -> str:
    """What is printed. ValueError for a name that there is not, and for files in the way."""
    if name is None and not copy:
        width = max(map(len, NAMES)) + 2
        return "\n".join([*(f"{one:<{width}}{summary(FOLDER / f'{one}.yaml')}" for one in NAMES), "", MORE])
    if name not in NAMES:
        got = "" if name is None else f", got {name}"
        raise ValueError(f"expected the name of a configuration that comes with byhand{got}: {', '.join(NAMES)}")
    return copied(name) if copy else (FOLDER / f"{name}.yaml").read_text(encoding="utf-8").rstrip("\n")


def copied(name: str) -> str:
    """Copy a configuration and its shorter version to the current folder. ValueError where another file is in the way of one."""
    whole = Path(f"{name}.yaml")
    contents = {target: (FOLDER / target).read_bytes() for target in (whole, shorter(whole))}
    for target, content in contents.items():
        if target.exists() and (target.is_dir() or target.read_bytes() != content):
            raise ValueError(
                f"{target}: is there already, and is left as it is: move it away, or type --copy in another folder"
            )
    for target, content in contents.items():
        target.parent.mkdir(exist_ok=True)
        write_whole(target, content)
    return f"wrote {' and '.join(map(str, contents))}, which byhand fit --config {name} takes in this folder from now on"
