"""Arguments that have a new name, and go on to be taken by their earlier one."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

Given = ParamSpec("Given")
Made = TypeVar("Made")


def renamed(**names: str) -> Callable[[Callable[Given, Made]], Callable[Given, Made]]:
    """Take arguments by their earlier names too: earlier="now". TypeError if both are given."""

    def wrapped(function: Callable[Given, Made]) -> Callable[Given, Made]:
        @functools.wraps(function)
        def call(*values: Given.args, **named: Given.kwargs) -> Made:
            for earlier, now in names.items():
                if earlier not in named:
                    continue
                if now in named:
                    raise TypeError(
                        f"{function.__name__} got both {now}= and {earlier}=, the earlier name of the same: type {now}= alone"
                    )
                named[now] = named.pop(earlier)
            return function(*values, **named)

        return call

    return wrapped
