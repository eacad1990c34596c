"""A model of byhand's own zoo, with the sequences that it brings along."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from byhand import zoo
from byhand.explorer.document.document import counted
from byhand.explorer.document.targets import Targets
from byhand.explorer.load.model import Alphabet, Trained, visible

PREFIX = "zoo:"


def name_in_zoo(path: Path) -> str | None:
    """What follows zoo: in what was typed; None for a file, even one of such a name."""
    typed = str(path)
    return typed.removeprefix(PREFIX) if typed.startswith(PREFIX) and not path.exists() else None


def of_zoo(name: str, count: int) -> Trained:
    """A model, with `count` sequences of its example, or all there are. ValueError for a name that is not in the zoo; LoadError."""
    model = zoo.load(name)
    form, card = model.form, model.card
    alphabet = Alphabet(form.symbols, other=form.others) if form.symbols is not None else None
    read = [visible(symbol) for symbol in form.symbols or ()]
    answers = read if form.symbols is not None and form.outputs == len(form.symbols) else list(form.answers or ()) or None
    about = f"{card.about} Worth a look: {card.look}"
    options: dict[str, Any] = {"head": model.head, "squash": form.squash, "names": answers, "name": "model", "about": about}
    options["features"] = (read if model.embedding is None else None) if read else list(form.features or ()) or None
    return Trained(
        model,
        f"{card.title}: {model.lstm.cell.name}, {counted(model.lstm.hidden_size, 'unit')}",
        model.lstm.input_size,
        options,
        shown(model, count),
        alphabet,
        form.features if form.scale is not None else None,
        torch.tensor([form.scale]) if form.scale is not None else None,
        sequence_model=True,
    )


def shown(model: zoo.ZooModel, count: int) -> dict[str, Any]:
    """The first sequences of its example, without the steps that lie past the end of them all."""
    x, _, lengths = model.example
    found = min(count, x.shape[1])
    steps = [len(x)] * found if lengths is None else lengths[:found].tolist()
    x = x[: max(steps), :found]
    names = model.form.sequences or [f"test sequence {number}" for number in range(found)]
    example: dict[str, Any] = {"x": (x, None if lengths is None else lengths[:found]), "items": list(names[:found])}
    example["targets"] = targets_of(model, found, max(steps))
    if model.form.symbols is not None:
        symbols = model.form.symbols
        example["characters"] = [[visible(symbols[one]) for one in x[:length, row]] for row, length in enumerate(steps)]
    return example


def targets_of(model: zoo.ZooModel, count: int, steps: int) -> Targets:
    """The right answers to the first sequences of its example; of a table with what takes them to its own unit."""
    form, target = model.form, model.example.target
    if form.every:
        return Targets(target[:steps, :count])
    if form.scale is None:
        return Targets(target[:count])
    mean, spread = form.scale
    return Targets(target[:count].flatten(1), [spread] * form.outputs, [mean] * form.outputs)
