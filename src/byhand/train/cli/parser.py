"""The parser of byhand fit, validate, test and predict: text arrives as it was typed.

jsonargparse reads the value of every option as YAML, on the command line, in files, and again whenever it checks, links or writes what
it has read. Text that looks like something else is lost: "#Passengers" is a comment, "~" is null, "a: b" a mapping, 2020 a number. Here
the type of an option decides: one that takes text gets the text, and numbers, lists, classes are read as before. On the command line
every word is a value; in a file null, ~ and nothing at all are null, and what stands in quotes is text.
"""

from __future__ import annotations

import os
import types
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, Union, get_args, get_origin

from jsonargparse import Namespace
from jsonargparse._typehints import ActionTypeHint
from jsonargparse._util import NestedArg
from lightning.pytorch.cli import LightningArgumentParser

from byhand.train.cli import yaml_text
from byhand.train.cli.yaml_text import Typed

WORDS = {str, types.NoneType, os.PathLike, Path}  # an option that takes nothing else takes every text
NUMBERS = {bool, int, float}


class Parser(LightningArgumentParser):
    """Lightning's parser, with options that take text as it was typed."""

    def __init__(self, *args: Any, parser_mode: str = yaml_text.MODE, **kwargs: Any) -> None:
        super().__init__(*args, parser_mode=parser_mode, **kwargs)

    def add_argument(self, *args: Any, **kwargs: Any) -> Any:
        """Adds an option. jsonargparse copies this method to its groups of options."""
        action: Any = super().add_argument(*args, **kwargs)  # type: ignore[misc]
        if type(action) is ActionTypeHint:
            action.__class__ = Option
        elif action.nargs == 0:  # a flag, which a file gives a value
            action.type = Flag()
        return action


class Flag:
    """The type of a flag, by the name that the help gives it."""

    def __call__(self, word: Any) -> Any:
        return yaml_text.value(word)

    def __repr__(self) -> str:
        return "bool"


class Option(ActionTypeHint):
    """An option with a type. Where that is text, alone or among others, a text stays what it is."""

    @cached_property
    def alternatives(self) -> set[Any]:
        """The types that it takes; of a list[int], list."""
        each = get_args(self._typehint) if get_origin(self._typehint) in (Union, types.UnionType) else (self._typehint,)
        return {get_origin(one) or one for one in each}

    def __call__(self, *given: Any, **options: Any) -> Any:
        """Sets the option to a word of the command line; without one, makes the option, as jsonargparse wants it."""
        if len(given) == 4 and isinstance(given[2], str):
            given = (*given[:2], Typed(given[2]), given[3])
        return super().__call__(*given, **options)

    def _check_type_(self, value: Any, **context: Any) -> Any:
        """Returns the value as the type has it. jsonargparse calls this for every value, from wherever it comes."""
        if isinstance(value, str) and str in self.alternatives:
            return settled(self.as_text(value, **context))
        if takes_anything(self._typehint):
            value = shielded(value)
        elif isinstance(value, str) or not self.is_subclass_typehint(self._typehint, all_subtypes=False, also_lists=True):
            value = settled(value)  # else the options of the class settle what is theirs
        return settled(super()._check_type_(value, **context))

    def as_text(self, value: str, **context: Any) -> Any:
        """Returns a text as it is, unless something else that the option takes was typed."""
        check = super()._check_type_
        found = self.other_than_text(value) if isinstance(value, Typed) else value
        if not isinstance(found, str):
            with suppress(TypeError):
                return check(found, **context)
        if context.get("append"):
            return check([value], **context)
        if self.alternatives <= WORDS:
            return value
        found = check(Typed(value), **context)  # it may be the name of a class
        return value if found is None or isinstance(found, str | int | float) else found

    def other_than_text(self, word: Typed) -> Any:
        """Returns the list, mapping, number or truth value that a word is, if the option may take such; else the word."""
        if word[:1] in ("[", "{") and not self.alternatives <= WORDS:
            return yaml_text.collection(word)
        found = yaml_text.value(word)
        return found if type(found) in NUMBERS & self.alternatives else word

    def serialize(self, value: Any, dump_kwargs: Any = None) -> Any:
        """Returns the value as a file has it."""
        return value if self.is_done(value) else super().serialize(value, dump_kwargs)

    def instantiate_classes(self, value: Any) -> Any:
        """Returns the value with objects in the place of classes and their arguments."""
        return value if self.is_done(value) else super().instantiate_classes(value)

    def is_done(self, value: Any) -> bool:
        """Whether it is text, or holds such, and was checked: jsonargparse would read it once more."""
        return is_plain(value) and (str in self.alternatives or takes_anything(self._typehint))


def takes_anything(typehint: Any) -> bool:
    """Whether Any is in it, for which jsonargparse reads all text again."""
    return typehint is Any or any(map(takes_anything, get_args(typehint)))


def is_plain(value: Any) -> bool:
    """Whether a file can hold it, and no class is in it."""
    match value:
        case list():
            return all(map(is_plain, value))
        case dict():
            return "class_path" not in value and all(isinstance(name, str) and is_plain(one) for name, one in value.items())
    return value is None or isinstance(value, str | int | float)


def shielded(value: Any) -> Any:
    """Returns the value with words read once, and text that is not read again."""

    def read(text: str) -> Any:
        found = yaml_text.value(text)
        return Typed(found) if isinstance(found, str) else found

    return changed(value, read)


def settled(value: Any) -> Any:
    """Returns the value with ordinary text in the place of words."""
    return changed(value, str)


def changed(value: Any, change: Callable[[str], Any]) -> Any:
    """Returns the value with each text in it changed."""
    match value:
        case str():
            return change(value)
        case NestedArg():
            return NestedArg(value.key, changed(value.val, change))
        case list():
            return [changed(one, change) for one in value]
        case dict():
            return {name: changed(one, change) for name, one in value.items()}
        case Namespace():
            for name, one in list(vars(value).items()):
                vars(value)[name] = changed(one, change)
    return value
