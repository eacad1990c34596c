"""YAML as people mean it: 1e-3 is a number, and a name given twice is a mistake, not the loss of the first."""

from __future__ import annotations

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from byhand.errors import StudyError
from byhand.study.errors import first_line


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} stands there twice", key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


# YAML 1.1, which PyYAML reads, takes 1e-3 for a word.
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


def read(path: Path) -> dict[str, Any]:
    """The mapping that the file holds. StudyError if it cannot be read or is none."""
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except OSError as error:
        raise StudyError(f"{path}: expected a study's file, got: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise StudyError(f"{path}: expected text in UTF-8, got: {error}") from error
    except ValueError as error:  # a date that there is not, say
        raise StudyError(f"{path}: expected YAML, got: {first_line(error)}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise StudyError(
            f"{path}{where}: expected YAML, got: {getattr(error, 'problem', None) or first_line(error)}"
        ) from error
    if not isinstance(content, dict):
        raise StudyError(f"{path}: expected name, tasks, variants and so on, got {type(content).__name__}")
    return content
