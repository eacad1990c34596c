"""Companies: what was the price on the first day? The task of LSTM.py, where this library began.

Two companies, four days each; they differ on the first day only, and on the fifth their prices are those of the first again:

    A   0  0.5  0.25  1   then 0
    B   1  0.5  0.25  1   then 1

Two sequences are all there is: validation and test are the training. They come one after the other, A then B, never shuffled.

Chance: always 0.5 has a squared error of 0.25. An answer is right within 0.1.

The example is Josh Starmer's (StatQuest); what was published about it is in experiments/statquest.
"""

from __future__ import annotations

import torch

from byhand.tasks.generated import Stored
from byhand.tasks.task import PARTS, Form, Sequences

PRICES = ((0.0, 0.5, 0.25, 1.0), (1.0, 0.5, 0.25, 1.0))


class Companies(Stored):
    """Two companies, four days each; the fifth is asked for.

    Args:
        batch_size: 1, a step of the optimiser for each company, or 2.
        seed: of no effect: nothing is drawn.
    """

    form = Form(input_size=1, output_size=1, goal="regression", tolerance=0.1)
    about = "reads the prices of a company on four days and answers with the price of the fifth, which is that of the first"
    shuffle = False
    outputs = ("prediction",)

    def __init__(self, batch_size: int = 1, seed: int = 0) -> None:
        super().__init__(batch_size, seed)
        prices = torch.tensor(PRICES).T.unsqueeze(-1)
        self.data = dict.fromkeys(PARTS, Sequences(prices, prices[0]))
        self.baselines = {"always 0.5": {"mse": 0.25, "mae": 0.5, "wrong": 1.0}}
