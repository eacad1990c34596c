"""How each model of the zoo is made: a configuration that comes with byhand, what is changed in it, and what the card says beside."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Recipe:
    """What it takes to make a model again, and the words of its card.

    config: a configuration that comes with byhand. data, model, trainer: what differs from it, as in its sections. metric: of the score;
    higher: whether more of it is better. spread: how far from the card's score another training may come; the seeds on the card are no
    farther apart. rival: another model of the zoo whose score stands among the baselines. symbols: what the numbers stand for that come
    in, where its form does not say. features, answers, sequences: what inputs, outputs and sequences of the example are called. shown:
    how many sequences of the test part are its example, and how many batches of them one after the other.
    """

    config: str
    title: str
    about: str
    source: str
    licence: str
    metric: str
    spread: float
    higher: bool = False
    data: dict[str, Any] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)
    trainer: dict[str, int] = field(default_factory=dict)
    seed: int = 0
    rival: str | None = None
    symbols: str | None = None
    features: tuple[str, ...] | None = None
    answers: tuple[str, ...] | None = None
    sequences: tuple[str, ...] | None = None
    shown: tuple[int, int] = (32, 1)


DRAWN = "drawn from a seed by byhand itself."
NONE = "MIT, as byhand."
ADDING = {"hidden_size": 16, "learning_rate": 0.01, "schedule": "cosine", "gate_biases": {"i": [-3.0]}}

RECIPES = {
    "companies": Recipe(
        config="companies",
        title="the two companies of the lesson",
        about="Twelve numbers (and four biases that torch has twice) and a head: what was the price on the first day, four days ago?",
        source="written down in byhand, after Josh Starmer's example (StatQuest); these two sequences are training and test alike.",
        licence=NONE,
        metric="mse",
        spread=0.002,
        features=("price",),
        answers=("price of the first day",),
        sequences=("company A", "company B"),
    ),
    "adding": Recipe(
        config="adding",
        title="two marked numbers among a hundred, added",
        about="Two of a hundred numbers are marked, and after the last step their sum is asked for: an LSTM of 16 units keeps it, over a"
        " wait of at least 50 steps.",
        source=DRAWN,
        licence=NONE,
        metric="mse",
        spread=0.001,
        model=ADDING,
        trainer={"max_epochs": 6},
        features=("value", "marker"),
        answers=("sum",),
    ),
    "adding_rnn": Recipe(
        config="adding",
        title="the same sum, by a plain RNN, which fails",
        about="The task of adding, trained for as long, with about as many weights, in a plain tanh RNN of 32 units: it does no better than"
        " to say the mean, at either of the rates that were tried, 0.003 and 0.01, and in three times as many steps neither.",
        source=DRAWN,
        licence=NONE,
        metric="mse",
        spread=0.003,
        model=ADDING | {"cell": "rnn", "hidden_size": 32, "learning_rate": 0.003, "forget_bias": None, "gate_biases": None},
        trainer={"max_epochs": 6},
        rival="adding",
        features=("value", "marker"),
        answers=("sum",),
    ),
    "an_bn": Recipe(
        config="an_bn",
        title="as many b as a: a counter",
        about="Strings SaaabbbT are read symbol by symbol, and each time the next one is asked for. It was trained to n = 10 and is tested"
        " to n = 30: it counts, where it could have learnt strings by heart. Not every seed comes to that.",
        source=DRAWN,
        licence=NONE,
        metric="solved",
        spread=0.65,
        higher=True,
        symbols="SabT",
    ),
    "embedded_reber": Recipe(
        config="embedded_reber",
        title="a grammar whose last symbol but one hangs on its second",
        about="Strings of a small grammar are read symbol by symbol, and each time the next one is asked for; the last but one is T or P,"
        " as the second was, however long ago.",
        source=DRAWN,
        licence=NONE,
        metric="solved",
        spread=0.02,
        higher=True,
        symbols="BTSXPVE",
    ),
    "digits": Recipe(
        config="digits",
        title="handwritten digits, row by row",
        about="Which digit is it? 8 rows of 8 pixels are read from the top; the answer is given after the last.",
        source="the 1797 digits that scikit-learn ships: Alpaydin & Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning"
        " Repository, 1998.",
        licence="CC BY 4.0.",
        metric="accuracy",
        spread=0.02,
        higher=True,
        model={"hidden_size": 64, "num_layers": 1, "dropout": 0.0, "bidirectional": False},
        answers=tuple("0123456789"),
        shown=(270, 1),
    ),
    "sunspots": Recipe(
        config="table",
        title="next year's sunspots, from the last forty years",
        about="The yearly number of sunspots, 1700 to 2008: forty years come in, the next one is asked for; the test is the last 15 %."
        " Errors are in standard deviations of the training years.",
        source="the sunspots that statsmodels ships, of the National Geophysical Data Center.",
        licence="public domain.",
        metric="mse",
        spread=0.04,
        features=("SUNACTIVITY",),
        answers=("SUNACTIVITY",),
        sequences=tuple(f"{year - 40} to {year - 1}, for {year}" for year in range(1962, 2009)),
        shown=(47, 1),
    ),
    "python_help": Recipe(
        config="text",
        title="the next character of what Python's help() says",
        about="An LSTM of 256 units reads the help texts of the language, in the alphabetical order of their topics, and says which"
        " character comes next; the test is the last 5 %. model.write('The ') goes on writing.",
        source="pydoc_data.topics of the Python that trains it",
        licence="Python Software Foundation License (PSF-2.0), Copyright © 2001 Python Software Foundation.",
        metric="bits",
        spread=0.03,
        trainer={"max_steps": 1572, "max_epochs": -1},
        shown=(8, 6),
    ),
}
