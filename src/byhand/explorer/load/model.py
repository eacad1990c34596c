"""A trained model out of a file, and what is known of its inputs and outputs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from byhand.tasks import Task

STEPS = 2000  # of a longer sequence the first ones are shown
CHARACTERS = 20_000  # of a longer text, which the page shows in lines


@dataclass(frozen=True)
class Alphabet:
    """The symbols that a model reads, by number. other: the number of all that are not among them; None: there are no others."""

    symbols: tuple[str, ...]
    other: int | None = None


@dataclass(frozen=True)
class Trained:
    """A model, and what explore knows about it.

    inputs: how many numbers a step has. options: head, names and the like. example: x and the words to it, from the model's own
    task; None where that is not known. alphabet: of a model that reads symbols. columns, scale: the names of the inputs in a table,
    and how they are to be scaled, (inputs, 2) of mean and spread. without: why its own task is not known, where there was one.
    sequence_model: whether it is byhand fit's. changes: which inputs are changes of their columns from step to step. notices: what a
    reader should know of how it was read. task: its own, where that is known.
    """

    model: nn.Module
    title: str
    inputs: int
    options: dict[str, Any] = field(default_factory=dict)
    example: dict[str, Any] | None = None
    alphabet: Alphabet | None = None
    columns: tuple[str, ...] | None = None
    scale: Tensor | None = None
    without: str | None = None
    sequence_model: bool = False
    changes: tuple[bool, ...] = ()
    notices: tuple[str, ...] = ()
    task: Task | None = None

    def shown_on(self, input: Tensor, lengths: Tensor | None = None) -> dict[str, Any]:
        """Input (time, batch, inputs), or (time, batch) of symbols, as explore takes it for this model."""
        if input.is_floating_point():
            input = input.to(next(self.model.parameters()).dtype)
        if self.sequence_model:
            return {"x": (input, lengths)}
        return {"x": input.transpose(0, 1) if getattr(self.model, "batch_first", False) else input, "lengths": lengths}

    @property
    def says_next(self) -> bool:
        """Whether it answers each symbol with the one that comes next."""
        if (of_its_own := getattr(self.model, "says_next", None)) is not None:
            return bool(of_its_own)
        form = getattr(self.model, "form", None)
        return self.alphabet is not None and form is not None and (form.goal == "next_symbol" or bool(form.alphabet))

    @property
    def wanted(self) -> str:
        """What --input has to be."""
        return "a text" if self.alphabet is not None else f"{self.inputs} column{'s' * (self.inputs != 1)} of numbers"


def visible(symbol: str) -> str:
    """A symbol that prints nothing, as one that does."""
    return {"\n": "↵", "\t": "⇥", " ": "␣"}.get(symbol, symbol)


def cut(names: list[str], lengths: list[int], most: int = STEPS) -> list[str]:
    """What there is to say of sequences that are too long."""
    long = [(name, length) for name, length in zip(names, lengths, strict=True) if length > most]
    return [f"of {name}, the first {most} of {length} steps are here" for name, length in long]


def uneven(lengths: list[int]) -> Tensor | None:
    return torch.tensor(lengths) if len(set(lengths)) > 1 else None
