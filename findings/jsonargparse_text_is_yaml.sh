#!/bin/sh
# jsonargparse 4.53.0 reads what it is given for an option of type `str | None` as YAML: a comment and `~` become None, and that for a value that
# is already a str of Python, too. So the name of a column like "#Passengers" never reaches the program, and nothing is said.
# Seen: parse_args: None None None; parse_object: None; a dict[str, Any]: {"a": 5, "b": {"a": "b"}, "c": None}.
set -eu
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check 'jsonargparse[signatures]==4.53.0'
"$folder/env/bin/python" - <<'PYTHON'
from importlib.metadata import version
from typing import Any

from jsonargparse import ArgumentParser

parser = ArgumentParser()
parser.add_argument("--x", type=str | None)
parser.add_argument("--d", type=dict[str, Any])
words = [parser.parse_args([f"--x={text}"]).x for text in ("#x", "~", "# note: 5")]
given = parser.parse_object({"x": "#x"}).x
held = parser.parse_object({"d": {"a": "5", "b": "a: b", "c": "#x"}}).d
print(version("jsonargparse"), words, given, held)
assert words == [None, None, None] and given is None and held == {"a": 5, "b": {"a": "b"}, "c": None}, "the behaviour has changed"
PYTHON
