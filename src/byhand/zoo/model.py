"""A model of the zoo: a byhand.LSTM under a linear head, which needs torch alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from byhand.cells import names as cell_names
from byhand.nn.config import Config
from byhand.nn.headed import features_of, run_with_head
from byhand.nn.lstm import LSTM
from byhand.nn.sampling import sample

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from byhand.nn.lstm import State
    from byhand.zoo.card import Card


class Example(NamedTuple):
    """Sequences of the test part of its task.

    Attributes:
        input: (time, batch, features), or whole numbers (time, batch) where the model reads symbols.
        target: the right answers, (batch, ...), with a leading time where there is one at every step; -100 where none is asked for.
        lengths: of each sequence; None if all are of full length.
    """

    input: Tensor
    target: Tensor
    lengths: Tensor | None


@dataclass(frozen=True)
class Form:
    """What it takes to make a model, but for its values, in numbers and words.

    layer: arguments of byhand.LSTM. embedding: symbols and size, where they are learnt vectors. outputs: of the head. every: an answer at
    every step, not one after the last. squash: "softmax" where the outputs say how likely each is. symbols: what the numbers stand for
    that come in; others: the number of all that are not among them. features, answers: what inputs and outputs are called. scale: mean
    and spread, in the data's own unit, of inputs and answers that come scaled. sequences: what those of the example are called.
    """

    layer: dict[str, Any]
    outputs: int
    every: bool
    squash: str
    embedding: tuple[int, int] | None = None
    symbols: tuple[str, ...] | None = None
    others: int | None = None
    features: tuple[str, ...] | None = None
    answers: tuple[str, ...] | None = None
    scale: tuple[float, float] | None = None
    sequences: tuple[str, ...] | None = None


class ZooModel(nn.Module):
    """A trained byhand.LSTM and its linear head, as byhand.zoo.load gives it: on the CPU, in eval mode.

    Attributes:
        lstm: the byhand.LSTM.
        head: the linear layer on its outputs.
        embedding: the vectors of its symbols; None where they come in one-hot, or there are none.
        card: what it was trained on and how, and how good it is.
        example: sequences of the test part of its task.
        form: its sizes, and what its inputs and outputs are called.
    """

    def __init__(self, form: Form, card: Card, example: Example) -> None:
        super().__init__()
        self.form, self.card, self.example = form, card, example
        cell = cell_names.find(form.layer["cell"])
        if cell is None:
            raise ValueError(f"a cell that byhand does not have, {form.layer['cell']!r}")
        config = Config(**{name: value for name, value in form.layer.items() if name != "cell"}, cell=cell)
        self.lstm = LSTM.blank(config, torch.float32)
        self.embedding = nn.Embedding(*form.embedding, device="meta") if form.embedding else None
        width = (config.proj_size or config.hidden_size) * (2 if config.bidirectional else 1)
        self.head = nn.Linear(width, form.outputs, device="meta")

    def forward(
        self,
        input: Float[Tensor, "time batch features"] | Int[Tensor, "time batch"],
        lengths: Tensor | None = None,
        state: Any = None,
    ) -> tuple[Float[Tensor, "... outputs"], State]:
        """Run the LSTM and the head.

        Args:
            input: (time, batch, features), or whole numbers (time, batch) where the model reads symbols, see `encode`.
            lengths: of each sequence; None if all are of full length.
            state: the states before the first step, as byhand.LSTM takes them; zeros if not given.

        Returns:
            What the head gives, (batch, outputs), with a leading time where there is an answer at every step: real numbers, or scores
            whose softmax says how likely each is; and the states after the last step.
        """
        return run_with_head(self.lstm, self.head, self.features(input), lengths, state, every=self.form.every)

    def features(self, input: Tensor) -> Float[Tensor, "time batch features"]:
        """The vectors that the LSTM reads."""
        symbols = self.form.symbols
        return input if symbols is None else features_of(input, len(symbols), self.embedding, self.head.weight.dtype)

    @property
    def symbols(self) -> tuple[str, ...]:
        """What the numbers stand for that it reads. TypeError if it reads no symbols."""
        if self.form.symbols is None:
            raise TypeError(
                f"{self.card.name}: expected a model that reads symbols; this one reads numbers, as in model.example"
            )
        return self.form.symbols

    @property
    def says_next(self) -> bool:
        """Whether it answers each symbol with the one that comes next."""
        return self.form.symbols is not None and self.form.every and self.form.outputs == len(self.form.symbols)

    def encode(self, text: str) -> Int[Tensor, "time 1"]:
        """Read a text as the numbers of its symbols.

        Args:
            text: of symbols that the model knows; one that reads texts takes all others for one symbol.

        Returns:
            Whole numbers (time, 1): a batch of one.

        Raises:
            TypeError: the model reads no symbols.
            ValueError: there is a symbol that it does not know.
        """
        known = {symbol: number for number, symbol in enumerate(self.symbols) if number != self.form.others}
        unknown = [] if self.form.others is not None else [one for one in text if one not in known]
        if unknown or not text:
            raise ValueError(
                f"{self.card.name}: expected a text of {' '.join(known)}, got {(unknown[0] if unknown else text)!r}"
            )
        return torch.tensor([[known.get(one, self.form.others)] for one in text])

    def write(self, prompt: str, characters: int = 200, *, temperature: float = 1.0, seed: int = 0) -> str:
        """Write what comes next, one symbol after the other.

        Args:
            prompt: a text that it can encode.
            characters: how many are written.
            temperature: 1 as the model says, lower for likelier ones only, 0 always the likeliest.
            seed: of the draws.

        Returns:
            The prompt and what the model writes behind it.

        Raises:
            TypeError: the model does not say what comes next.
            ValueError: there is a symbol that it does not know.
        """
        symbols, start = self.symbols, self.encode(prompt)[:, 0]
        if not self.says_next:
            raise TypeError(
                f"{self.card.name}: expected a model that says what comes next, as an_bn; this one gives other answers"
            )
        drawn = sample(self, start, characters, temperature=temperature, seed=seed, never=self.form.others)
        return prompt + "".join(symbols[one] for one in drawn)

    def extra_repr(self) -> str:
        return f"{self.card.name}: {self.card.title}, {self.card.described_score()}; its card: .card"
