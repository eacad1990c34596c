"""Docstrings as reStructuredText. They are written for who reads them as they are: `code`, and stars and bars that mean themselves."""

from __future__ import annotations

import re

CODE = re.compile(r"`+[^`\n]+`+")
EXAMPLE = (">>>", "...")


def as_rst(lines: list[str]) -> list[str]:
    """Each line escaped, but those of examples, with what they print."""
    made, inside = [], False
    for line in lines:
        inside = bool(line.strip()) and (inside or line.lstrip().startswith(EXAMPLE))
        made.append(line if inside else escaped(line))
    return made


def escaped(line: str) -> str:
    """`code` in double backticks; in all else what reStructuredText would take for markup is taken for itself."""
    end, made = 0, []
    for match in CODE.finditer(line):
        made += [plain(line[end : match.start()]), f"``{match[0].strip('`')}``"]
        end = match.end()
    return "".join([*made, plain(line[end:])])


def plain(text: str) -> str:
    return re.sub(r"(?<=\w)_(?=\W|$)|[*|]", lambda match: "\\" + match[0], text)
