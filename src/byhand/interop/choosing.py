"""Which recurrent layer of a model is meant: its name, or the end of it, out of those that are there."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

SHOWN = 12  # names in a message
ARGUMENT = re.compile(r"\bprefix=('[^']*'|\"[^\"]*\")(, or name those that follow each other in a list)?")
EDGES = re.compile(r"^[./]+|[./]+$")


def chosen(names: Sequence[str], prefix: str | None, where: str, *, error: type[ValueError] = ValueError) -> str:
    """The one that is meant.

    Args:
        names: of the layers that are there, with their parts between dots or slashes.
        prefix: a name, or the end of one from a dot or slash on; None where there is one only. A dot or slash at its end says nothing.
        where: the model or file, for messages.
        error: what to raise, LoadError for a file.

    Raises:
        ValueError: there is none, none is called so, or several are.
    """
    if not names:
        raise error(f"{where}: expected a recurrent layer that byhand can read, got none")
    if prefix is None:
        if len(names) > 1:
            raise error(
                f"{where}: got {len(names)} recurrent layers, {shortened(names)}: choose one, as in prefix={names[0]!r}, or name"
                " those that follow each other in a list"
            )
        return names[0]
    wanted = EDGES.sub("", prefix)
    meant = [name for name in names if name == wanted] or [n for n in names if n.endswith((f".{wanted}", f"/{wanted}"))]
    if len(meant) != 1:
        found = f"several, {shortened(meant)}" if meant else f"none; there are {shortened(names)}"
        raise error(f"{where}: expected prefix={prefix!r} to name one recurrent layer, got {found}")
    return meant[0]


def shortened(names: Sequence[str]) -> str:
    """The first of them, for a message."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(name or "one without a name" for name in names[:SHOWN]) + more


def as_option(said: str, option: str, several: str = "") -> str:
    """A message with an option of the command line in the place of the argument prefix. several: in the place of the advice of a list."""
    return ARGUMENT.sub(lambda match: f"{option} {match[1]}" + several * bool(match[2]), said)


def meant(titles: Mapping[str, str], wanted: str) -> list[str]:
    """The layers of an ONNX model, out of OnnxModel.titles, that someone means by a name, a title, or the end of one."""
    exact = [name for name, title in titles.items() if wanted in (name, title)]
    return exact or [name for name, title in titles.items() if name.endswith(wanted) or title.endswith(wanted)]
