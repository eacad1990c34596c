"""The zoo's files: a model, its card and its example in one safetensors file with a checksum."""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from byhand.errors import LoadError
from byhand.files.tensors import UNREADABLE, Content, read_tensors, write_tensors
from byhand.zoo.card import Card, Cards
from byhand.zoo.model import Example, Form, ZooModel

FORMAT = "byhand zoo 1"
FOLDER = Path(__file__).parent / "models"
ENDING = ".safetensors"
EXAMPLE = "example."  # before the names of its tensors; all others are the model's


def names() -> list[str]:
    """The names of the models in the zoo, which load takes."""
    return sorted(path.name.removesuffix(ENDING) for path in FOLDER.glob(f"*{ENDING}"))


def load(name: str | os.PathLike[str]) -> ZooModel:
    """Return a trained model of the zoo, ready to use; bit for bit the one that was trained.

    Needs neither Lightning nor a network, and draws no random numbers.

    Args:
        name: one of byhand.zoo.names(), or the path of a file that `byhand zoo make` has written.

    Returns:
        The model, on the CPU and in eval mode.

    Raises:
        ValueError: there is no such model.
        LoadError: the file is damaged or missing.
    """
    path = path_of(name)
    tensors, content = read(path)
    try:
        form: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in content["form"].items()
        }
        values = {key: value.clone() for key, value in tensors.items()}  # safetensors' own may lie unaligned in memory
        model = ZooModel(Form(**form), card_of(content), example_of(values))
        model.load_state_dict({key: value for key, value in values.items() if not key.startswith(EXAMPLE)}, assign=True)
    except UNREADABLE as problem:
        raise damaged(path, problem) from problem
    return model.eval()


def cards() -> Cards:
    """Return the cards of all models; printed, they are a table. LoadError for a damaged file."""
    return Cards({name: card(name) for name in names()})


def card(name: str | os.PathLike[str]) -> Card:
    """The card of one. ValueError, LoadError, as from load."""
    path = path_of(name)
    _, content = read(path)
    try:
        return card_of(content)
    except UNREADABLE as problem:
        raise damaged(path, problem) from problem


def path_of(name: str | os.PathLike[str]) -> Path:
    """ValueError for a name that is not in the zoo."""
    if str(name).endswith(ENDING):
        return Path(name)
    if name not in names():
        raise ValueError(f"byhand.zoo expected one of {', '.join(names())}; got {str(name)!r}")
    return FOLDER / f"{name}{ENDING}"


def read(path: Path) -> tuple[dict[str, Tensor], Content]:
    try:
        return read_tensors(path, FORMAT, FORMAT)
    except UNREADABLE as problem:
        raise damaged(path, problem) from problem


def damaged(path: Path, problem: BaseException) -> LoadError:
    got = problem.strerror if isinstance(problem, OSError) and problem.strerror else problem
    return LoadError(
        f"{path}: expected a model that byhand zoo make has written, whole; got {' '.join(str(got).split())}. One that came with"
        " byhand is put back by installing byhand again"
    )


def save(model: ZooModel, path: Path) -> Path:
    """Write a model with its card and example, whole or not at all. OSError."""
    example = {f"{EXAMPLE}{name}": small(value) for name, value in model.example._asdict().items() if value is not None}
    card = {name: value for name, value in asdict(model.card).items() if name != "sha256"}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_tensors(path, FORMAT, model.state_dict() | example, {"card": card, "form": asdict(model.form)})
    return path


def card_of(content: Content) -> Card:
    return replace(Card(**content["card"]), sha256=content["sha256"])


def example_of(values: dict[str, Tensor]) -> Example:
    """Whole numbers as torch's functions want them."""
    found = {name: values.get(f"{EXAMPLE}{name}") for name in Example._fields}
    whole = {
        name: value.long() if value is not None and not value.is_floating_point() else value for name, value in found.items()
    }
    return Example(**whole)  # type: ignore[arg-type]


def small(value: Tensor) -> Tensor:
    """Whole numbers in two bytes: symbols, classes and lengths are all small."""
    return value.contiguous() if value.is_floating_point() else value.to(torch.int16)
