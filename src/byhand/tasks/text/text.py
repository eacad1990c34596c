"""Text: every character of a text is guessed from those before it.

The symbols are the characters of the training part, and one more for all others. The text is cut by position: the first 90 % are
for training, the next 5 for validation, the last 5 for the test. A part is cut into as many streams of equal length as a batch has
sequences; each batch holds the next `steps` characters of every stream, and the model's memory goes on from batch to batch.

A worked example: the part "to be or not" in 2 streams, "to be " and "or not", 3 steps a batch. Asked for in the first batch are
"to " and "or ", in the second "be " and "not"; what comes in is one character behind.

- So that no stream of validation or test starts cold, each first reads the steps / 2 characters before it, which are not asked for.
- At most batch_size − 1 characters at the end of a part are left out.
- A character that the training part lacks is read, and asked for, as the one symbol for all such; there is no way to predict it
  well, and which one it was costs nothing.

Chance, computed on the whole test part when it is asked for: uniform (every symbol alike), unigram (each as often as in the training
part), 5-gram (the same with the four characters before, see models.counting_bits), and gzip -9, of the test part alone or
behind the training part, whichever is shorter.

Without a text of your own it is what Python's help() says about the language, about 465,000 characters in the alphabetical order of
its topics; it differs a little between versions of Python. Some topics repeat whole sections of others, farther apart than the
32768 bytes that gzip remembers.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from functools import cached_property
from math import isfinite, log2
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch

from byhand.nn.sampling import Predictor, sample
from byhand.tasks.task import IGNORE_INDEX, Form, Part, Sequences, Task, at_least
from byhand.tasks.text.models import counting_bits, gzip_bits
from byhand.tasks.text.reading import python_topics, read_text

if TYPE_CHECKING:
    from jaxtyping import Int

LOG = logging.getLogger(__name__)
SHARES: dict[Part, tuple[float, float]] = {"train": (0.0, 0.9), "val": (0.9, 0.95), "test": (0.95, 1.0)}


class TextModel(Predictor, Protocol):
    """One that says which characters it knows, as byhand.train.SequenceModel does."""

    form: Form


class Text(Task):
    """A text of your own: the next character is asked for.

    Args:
        path: a file in UTF-8, or a folder: all its *.txt and *.md; None: what Python's help() says.
        steps: characters of a stream in a batch.
        batch_size: streams side by side.
        prompt: what `text` goes on from; if there is none, the end of the training part, which is not repeated.
        characters: how many are written; see byhand.nn.sampling.
        temperature: of writing: 1 as the model says, lower for likelier characters only, 0 always the likeliest.
        alphabet: the known characters, that of a model's form if it was trained on another text; None: those of the training part.
        seed: of what is written.

    Attributes:
        alphabet: the characters in order; the symbol after them stands for all others.
        report: what was read.

    Raises:
        ValueError: the file is no text, or too short for its batches; or an argument is out of range.
        OSError: the file cannot be read.
    """

    about = "reads text, character by character, and says which character comes next"
    monitor = "val_bits"
    writes = "text"
    files = ("path",)

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        steps: int = 100,
        batch_size: int = 32,
        prompt: str = "",
        characters: int = 1000,
        temperature: float = 1.0,
        alphabet: str | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(batch_size, seed)
        at_least("steps", steps, 1)
        at_least("characters", characters, 0)
        if not (isfinite(temperature) and temperature >= 0):
            raise ValueError(f"temperature: expected a number of at least 0, got {temperature}")
        self.steps, self.prompt, self.characters, self.temperature = steps, prompt, characters, temperature
        self.whole = python_topics() if path is None else read_text(path)
        for part in SHARES:
            self._stream(part, batch_size)
        self.parts = {part: self.whole[slice(*self._limits(part))] for part in SHARES}
        if alphabet == "":
            raise ValueError("alphabet: expected the known characters, got none; leave it out for those of the training part")
        self.alphabet = "".join(sorted(set(self.parts["train"] if alphabet is None else alphabet)))
        self.symbols = torch.from_numpy(self.encode(self.whole))
        among = len(self.alphabet) + 1
        self.form = Form(among, among, "classification", every=True, symbols=True, stateful=True, alphabet=self.alphabet)
        others = {part: int((self.encode(text) == len(self.alphabet)).sum()) for part, text in self.parts.items()}
        self.report = (
            f"{path or 'pydoc_data.topics'}: {len(self.whole)} characters,"
            f" {len(self.alphabet)} {'different in the training part' if alphabet is None else 'known, as given'}; others:"
            f" {others['train']} in the training part, {others['val']} in the validation part, {others['test']} in the test part"
        )
        LOG.info("%s", self.report)

    def encode(self, text: str) -> Int[np.ndarray, " characters"]:
        """Each character's place in the alphabet; that behind its end for all others."""
        known = np.frombuffer(self.alphabet.encode("utf-32-le"), np.uint32)
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
        at = np.searchsorted(known, codes)
        return np.where(known[np.minimum(at, len(known) - 1)] == codes, at, len(known)).astype(np.int32)

    def _limits(self, part: Part) -> tuple[int, int]:
        first, last = SHARES[part]
        return int(first * len(self.whole)), int(last * len(self.whole))

    def _stream(self, part: Part, size: int) -> tuple[int, int, int]:
        """Where the first character that is asked for stands, how many are asked for in each stream, and how many are read before."""
        first, last = self._limits(part)
        first, length = max(first, 1), (last - max(first, 1)) // size
        before = 0 if part == "train" else self.steps // 2
        if length < 1 or before >= first:
            least = max(size, 1)
            raise ValueError(
                f"text: expected at least {least} characters in the {part} part for {size} streams and more than {self.steps // 2} before"
                f" it, got {max(0, last - first)} after {first} of {len(self.whole)} in all; use a longer text, or a smaller batch_size"
                " or steps"
            )
        return first, length, before

    def count(self, part: Part, size: int) -> int:
        _, length, before = self._stream(part, size)
        return -(-(length + before) // self.steps)

    def batch(self, part: Part, epoch: int, index: int, size: int) -> Sequences:
        first, length, before = self._stream(part, size)
        step = torch.arange(index * self.steps, min((index + 1) * self.steps, length + before)).unsqueeze(1)
        at = first - before + step + length * torch.arange(size)
        target = torch.where(step < before, IGNORE_INDEX, self.symbols[at].long())
        return Sequences(self.symbols[at - 1].long(), target)

    @cached_property
    def baselines(self) -> Mapping[str, Mapping[str, float]]:  # type: ignore[override]
        """Bits per character of the whole test part. Seconds for a megabyte."""
        first = self._limits("test")[0]
        train, test = self.encode(self.parts["train"]), self.encode(self.parts["test"])
        before, symbols = self.symbols[first - 4 : first].numpy(), self.form.output_size
        likeliest = np.bincount(train).argmax()
        bits, how = gzip_bits(self.parts["test"], self.parts["train"])
        return {
            "uniform": {"bits": log2(symbols)},
            "unigram": {
                "bits": counting_bits(train, test, before, 1, symbols),
                "accuracy": float((test == likeliest).mean()),
            },
            f"gzip -9, {how}": {"bits": bits},
            "5-gram": {"bits": counting_bits(train, test, before, 5, symbols)},
        }

    def text(self, model: TextModel) -> str:
        """The prompt and what the model writes behind it. ValueError for a prompt with unknown characters, or a model of another text."""
        if model.form.alphabet != self.alphabet:
            raise ValueError(
                f"text: expected a model of the {len(self.alphabet)} characters of this text, got one of {len(model.form.alphabet)},"
                " others: write Text(path, alphabet=model.form.alphabet)"
            )
        start = self.encode(self.prompt)
        if (start == len(self.alphabet)).any():
            others = "".join(sorted(set(self.prompt) - set(self.alphabet)))
            raise ValueError(f"prompt: expected characters of the text that was trained on, got {others!r} among them")
        if not len(start):
            start = self.encode(self.parts["train"][-self.steps :])
        drawn = sample(
            model,
            torch.from_numpy(start).long(),
            self.characters,
            temperature=self.temperature,
            seed=self.seed,
            never=len(self.alphabet),
        )
        return self.prompt + "".join(self.alphabet[one] for one in drawn)
