"""The live pages of byhand.zoo, where the package has one: the gallery's first row."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Any

import byhand
from byhand.__main__ import main
from byhand.files.atomic import write_whole
from tools.website.live import picture


def models() -> Any:
    """The module; None in a byhand without it."""
    return importlib.import_module("byhand.zoo") if importlib.util.find_spec("byhand.zoo") else None


def names() -> list[str]:
    zoo = models()
    return list(zoo.names()) if zoo else []


def caption(name: str) -> str:
    """The first sentence of what its card says that it is."""
    return models().load(name).card.about.partition(". ")[0].rstrip(".")


def save(name: str, file: Path) -> None:
    """The page that `byhand explore zoo:NAME` writes, and a still picture beside it. RuntimeError if it is refused."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if main(["explore", f"zoo:{name}", "--save", str(file)]):
        raise RuntimeError(f"byhand explore zoo:{name}: expected a page, got a refusal, printed above")
    model = models().load(name)
    x, _, lengths = model.example
    one = x[: int(lengths[0]) if lengths is not None else None, :1]
    with byhand.use_engine("reference"), byhand.record(model) as trace:
        model(one)
    write_whole(file.with_suffix(".png"), picture(trace))
