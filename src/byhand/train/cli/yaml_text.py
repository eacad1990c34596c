"""YAML in which text survives: as the commands read it in files and words, and as they write it."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import yaml
from jsonargparse import get_loader, set_dumper, set_loader

MODE = "text"  # the name of our loader and our dumper with jsonargparse
STANDARD = "tag:yaml.org,2002:"
PLAIN = {f"{STANDARD}{name}" for name in ("str", "int", "float", "bool", "timestamp", "value")}


class Typed(str):
    """A word of the command line, or of a file without quotes: text, or something else, as the type of its option says."""


class Loader(yaml.SafeLoader):
    """Reads a file: null is None, all other scalars are text."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        if isinstance(node, yaml.ScalarNode) and not node.style and node.tag in PLAIN:
            return Typed(node.value)
        return super().construct_object(node, deep)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        found = super().construct_mapping(node, deep)
        return {str(name) if isinstance(name, Typed) else name: value for name, value in found.items()}


def load(content: str, path: str | None = None) -> Any:
    """Returns what a file holds, which jsonargparse gives with its path, or what it has written itself."""
    return get_loader("yaml")(str(content)) if path is None else yaml.load(content, Loader)


def collection(word: str) -> Any:
    """Returns the list or mapping of texts that a word is; the word itself if it is none."""
    with suppress(yaml.YAMLError):
        return yaml.load(str(word), yaml.BaseLoader)
    return word


def value(word: Any) -> Any:
    """Returns what YAML takes a word for, a number or truth value say; the word itself if that is nothing, or it is no word."""
    if not isinstance(word, Typed):
        return word
    with suppress(yaml.YAMLError, TypeError):  # TypeError: jsonargparse's own, for "?"
        return get_loader("yaml")(str(word))
    return word


class Dumper(yaml.SafeDumper):
    """Writes text so that every reader of YAML finds it again: they do not agree on what a number is (1e5), and PyYAML's own breaks lines
    at characters that it has written as they are (U+0085).
    """


def quoted(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = '"' if not text.isprintable() else "'" if text[:1] in tuple("+-.0123456789") else None
    return dumper.represent_scalar(f"{STANDARD}str", text, style)


def dump(data: Any) -> str:
    return yaml.dump(data, Dumper=Dumper, default_flow_style=False, allow_unicode=True, sort_keys=False)


Dumper.add_representer(str, quoted)
set_loader(MODE, load, (yaml.YAMLError,))
set_dumper(MODE, dump)
