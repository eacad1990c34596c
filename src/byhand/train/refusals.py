"""What a user is told, in a line, of words and files that make no sense."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pickle import UnpicklingError
from traceback import walk_tb

from jsonargparse import ArgumentError
from lightning.fabric.utilities.exceptions import MisconfigurationException

# What a user can be told: words and files that make no sense, folders that cannot be written. All else is a mistake of ours.
REFUSED = (ArgumentError, ValueError, TypeError, OSError, MisconfigurationException, UnpicklingError)
KEY = re.compile(r'^Parser key "([^"]+)"', re.MULTILINE)  # where jsonargparse was when it went wrong
EXPECTED = re.compile(
    r"^[\s-]*Expected a (<class '(?P<type>\w+)'>|typing\.Literal\[(?P<words>.+?)\](?=\.|$)|(?P<import>dot import))",
    re.MULTILINE,
)
OF_A_CLASS = re.compile(r"Problem with given class_path '(?:[\w.]*\.)?(\w+)':\n\s*(?:Option '(\w+)' is not accepted|(.*))")
GOT = re.compile(r"(?:Got value: |^\s*Given value: (?:NestedArg\(.*val=)?)(.*?)\)?$", re.MULTILINE)


def one_line(error: BaseException) -> str:
    """What was wrong: of an option which, what was expected, what was got; of all else what was found in the first place."""
    found = list(causes(error))
    places = [one for one in map(str, found) if KEY.match(one)]
    option = ".".join(dict.fromkeys(KEY.findall("\n".join(places))))
    expected = dict.fromkeys(map(readable, EXPECTED.finditer(places[-1]))) if places else {}
    of_a_class = OF_A_CLASS.search(places[-1]) if places else None
    if of_a_class:
        name, unknown, reason = of_a_class.groups()
        return f"--{option}: {name}: " + (reason or f"has no option {unknown}; --{option}.help {name} lists those that it has")
    if expected:
        got = next(match[1] for match in map(GOT.search, map(str, reversed(found))) if match)
        return f"--{option}: expected {' or '.join(expected)}, got {got}"
    lines = [line.strip().removeprefix("- ") for line in str(found[-1]).splitlines() if line.strip()]
    reason = lines[0] if lines else type(error).__name__
    if reason.endswith(":") and len(lines) > 1:
        reason += f" {lines[1]}"
    return f"--{option}: {reason}" if option else reason


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error and, as long as it is jsonargparse that speaks, what led to it, as far as a user can be told of it."""
    yield error
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if isinstance(before, REFUSED) and of_the_parser(error):
        yield from causes(before)


def of_the_parser(error: BaseException) -> bool:
    """Whether jsonargparse has raised it, by itself or out of what else went wrong."""
    frames = list(walk_tb(error.__traceback__))
    return isinstance(error, ArgumentError) or (bool(frames) and "jsonargparse" in frames[-1][0].f_code.co_filename)


def readable(match: re.Match[str]) -> str:
    if match["words"]:
        return "one of " + match["words"].replace("'", "")
    if match["import"]:
        return "a class that can be imported"
    return {"NoneType": "null"}.get(match["type"], match["type"])
