"""Arguments as a file gives them: completed by the defaults, held against names and types before anything runs."""

from __future__ import annotations

import inspect
import os
import types
from collections.abc import Callable, Collection, Mapping
from typing import Any, Literal, Union, get_args, get_origin

from byhand.errors import StudyError
from byhand.study.errors import refuse_unknown

NAMES = {int: "a whole number", float: "a number", bool: "true or false", str: "a word", types.NoneType: "null"}
NAMES |= {list[str]: "a list of words"}
PLAIN = (int, float, bool, str, types.NoneType)
_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def parameters(function: Callable[..., Any], apart: Collection[str] = ()) -> dict[str, inspect.Parameter]:
    """Those that can be given by name, but `apart`."""
    try:
        signature = inspect.signature(function, eval_str=True)
    except NameError:  # an annotation that only type checkers can read
        signature = inspect.signature(function)
    return {name: one for name, one in signature.parameters.items() if name not in apart and one.kind in _NAMED}


def complete(
    function: Callable[..., Any], given: Mapping[str, Any], where: str, *, apart: Collection[str] = ()
) -> dict[str, Any]:
    """All arguments of a call: equal calls give equal dicts. StudyError for a name it has not, a type it takes not, one missing."""
    known = parameters(function, apart)
    refuse_unknown(where, given, known)
    missing = [name for name, one in known.items() if one.default is one.empty and name not in given]
    if missing:
        raise StudyError(f"{where}: expected {', '.join(missing)}, got nothing of that name")
    return {
        name: fitting(f"{where}: {name}", given[name], one) if name in given else one.default for name, one in known.items()
    }


def fitting(where: str, value: Any, parameter: inspect.Parameter) -> Any:
    """The value as the parameter's type. Types other than numbers, words, truth values and choices are left to the function."""
    if parameter.annotation is parameter.empty or isinstance(parameter.annotation, str):
        return value
    for wanted in _alternatives(parameter.annotation):
        fits, found = _as(value, wanted)
        if fits:
            return found
    names = " or ".join(_name(wanted) for wanted in _alternatives(parameter.annotation))
    quotes = ": put it in quotes" if "word" in names and not isinstance(value, dict) and value is not None else ""
    raise StudyError(f"{where}: expected {names}, got {value!r}{quotes}")


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    """The types of a union; of a path, which files can only give as a word, str."""
    each = get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)
    return tuple(dict.fromkeys(str if (get_origin(one) or one) is os.PathLike else one for one in each))


def _as(value: Any, wanted: Any) -> tuple[bool, Any]:
    if get_origin(wanted) is Literal:
        return value in get_args(wanted), value
    if wanted == list[str]:
        return isinstance(value, list) and all(isinstance(one, str) for one in value), value
    if wanted not in PLAIN:
        return True, value
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return True, float(value)
    if wanted is int and isinstance(value, float) and value.is_integer():
        return True, int(value)
    return type(value) is wanted, value


def _name(wanted: Any) -> str:
    if get_origin(wanted) is Literal:
        return " or ".join(map(repr, get_args(wanted)))
    return NAMES.get(wanted, str(wanted))
