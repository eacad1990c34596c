"""Public functions and methods of several arguments say what they take, return and raise."""

import ast
import importlib
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

from public import METHODS, MODULES, NAMED

MORE = ("byhand.testing", "byhand.trace")


def public_functions() -> dict[Callable[..., Any], str]:
    """Function -> its public name, the methods that users call among them."""
    listed = NAMED | {module: importlib.import_module(module).__all__ for module in (*MODULES, *MORE)}
    found: dict[Callable[..., Any], str] = {}
    for module, names in listed.items():
        for name in names:
            value = getattr(importlib.import_module(module), name)
            own = methods(value) if inspect.isclass(value) else [("", value)]
            for suffix, function in own:
                if inspect.isfunction(function):
                    found.setdefault(inspect.unwrap(function), f"{module}.{name}{suffix}")
    return found


def methods(value: type) -> Iterator[tuple[str, Any]]:
    for own in METHODS.get(value.__name__, ()):
        method = inspect.getattr_static(value, own)
        yield f".{own}", getattr(method, "__func__", method)


def missing(function: Callable[..., Any]) -> list[str]:
    """The sections, and the arguments in them, that a docstring lacks."""
    signature = inspect.signature(function)
    arguments = [name for name in signature.parameters if name not in ("self", "cls")]
    if len(arguments) < 2:
        return []
    text = inspect.getdoc(function) or ""
    wanted = {"Args": "Args", **{name: rf"    \*{{0,2}}{name}" for name in arguments}}
    if signature.return_annotation not in (None, "None"):
        wanted["Returns"] = "Returns|Yields"
    if any(isinstance(node, ast.Raise) for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function))))):
        wanted["Raises"] = "Raises"
    return [name for name, pattern in wanted.items() if not re.search(rf"^({pattern}):", text, re.MULTILINE)]


def test_arguments_results_and_errors_are_documented() -> None:
    found = {name: lacks for function, name in public_functions().items() if (lacks := missing(function))}
    assert not found, f"docstrings without these sections or arguments: {found}"


def test_what_is_missing_is_found() -> None:
    def undocumented(x: int, *more: int) -> int:
        """Args: none of its own line."""
        raise ValueError(x)

    def documented(x: int, *more: int) -> int:
        """Add.

        Args:
            x: a number.
            *more: others.

        Returns:
            The sum.
        """
        return x + sum(more)

    def single(x: int) -> int:
        return x

    assert missing(undocumented) == ["x", "more", "Returns", "Raises"]
    assert missing(documented) == missing(single) == []
    assert len(public_functions()) > 60
