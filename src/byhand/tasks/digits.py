"""Digits: 1797 handwritten digits of 8×8 pixels, read row by row or pixel by pixel.

Each image is a sequence: 8 steps of 8 pixels, or 64 steps of one, from the top left in the order of reading; a pixel's 0 … 16 are
scaled to 0 … 1. After the last step the digit, 0 … 9, is asked for.

A worked example: the first image of the set is a zero. Its first row holds 0 0 5 13 9 1 0 0; so by rows the first step is
0 0 0.3125 0.8125 0.5625 0.0625 0 0, by pixels the first three steps are 0, 0, 0.3125; the answer is 0.

Chance: the most frequent digit of the test part, always said, is right in about 10 of 100.

Alpaydin & Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998; the copy that scikit-learn
ships is its test part.
"""

from __future__ import annotations

from math import log2
from typing import Literal, get_args

import torch

from byhand.tasks.generated import Stored, generator, take
from byhand.tasks.task import PARTS, Form, Part, Sequences

By = Literal["rows", "pixels"]
SHARES = (0.7, 0.15)  # for training and for validation; the rest for the test


class Digits(Stored):
    """Handwritten digits, read line by line or pixel by pixel.

    Args:
        by: "rows", 8 steps of 8 pixels, or "pixels", 64 steps of 1.
        batch_size: sequences in a batch.
        seed: which digits are for training (70 %), validation (15 %) and test (15 %), each digit in the same shares; and the order
            in training.

    Raises:
        ValueError: `by` is neither.
    """

    def __init__(self, by: By = "rows", batch_size: int = 32, seed: int = 0) -> None:
        super().__init__(batch_size, seed)
        if by not in get_args(By):
            raise ValueError(f"by: expected 'rows' or 'pixels', got {by!r}")
        from sklearn.datasets import load_digits  # noqa: PLC0415 (it takes a second, which other tasks need not wait)

        pixels, digits = load_digits(return_X_y=True)
        pixels, digits = torch.as_tensor(pixels, dtype=torch.float32) / 16, torch.as_tensor(digits, dtype=torch.long)
        features = 8 if by == "rows" else 1
        self.by, self.outputs = by, [str(digit) for digit in range(10)]
        way = "row by row" if by == "rows" else "pixel by pixel"
        self.about = f"reads the picture of a handwritten digit {way} and says which digit it is"
        self.form = Form(input_size=features, output_size=10, goal="classification")
        every = Sequences(
            pixels.view(len(pixels), -1, features).transpose(0, 1).contiguous(), digits, origin=torch.arange(len(digits))
        )
        self.data = {part: take(every, rows, every=False) for part, rows in split(digits, seed).items()}
        counts = self.data["test"].target.bincount(minlength=10)
        share = float(counts.max() / counts.sum())
        self.baselines = {f"always {int(counts.argmax())}": {"accuracy": share}, "uniform": {"bits": log2(10)}}


def split(classes: torch.Tensor, seed: int) -> dict[Part, torch.Tensor]:
    """Part -> the numbers of its rows, in order. Of each class the same share in each part, drawn by the seed."""
    rows: dict[Part, list[torch.Tensor]] = {part: [] for part in PARTS}
    for one in classes.unique().tolist():
        its = (classes == one).nonzero().flatten()
        its = its[torch.randperm(len(its), generator=generator(seed, one))]
        train, val = (round(share * len(its)) for share in SHARES)
        for part, some in zip(PARTS, its.tensor_split((train, train + val)), strict=True):
            rows[part].append(some)
    return {part: torch.cat(some).sort().values for part, some in rows.items()}
