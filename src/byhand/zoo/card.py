"""The card of a model in the zoo: what it was trained on and how, how good it is, and what is worth a look."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from typing import Any

WIDTH = 100


@dataclass(frozen=True)
class Card:
    """All that its maker knows of a model.

    Attributes:
        name: as byhand.zoo.load takes it.
        title: in words.
        about: the task, and what is special about the model, in a sentence or two.
        task: the class in byhand.tasks and its arguments, as in a configuration.
        data: where the data come from.
        licence: of the data; of the weights it is byhand's.
        model: arguments of byhand.train.SequenceModel.
        trainer: how long it was trained.
        parameters: how many numbers were learnt.
        seed: of the weights and of the order in training.
        command: what to type to make it again.
        metric: what the scores are, as byhand.train calls it.
        better: "lower" or "higher".
        score: on the test part of the task.
        spread: how far from the score a model may be that is made again.
        seeds: seed -> score, of all that were trained.
        baselines: who else -> the same metric.
        look: what is worth a look in it, computed from its weights.
        made_with: what -> version.
        sha256: of the file's values and words.
    """

    name: str
    title: str
    about: str
    task: dict[str, Any]
    data: str
    licence: str
    model: dict[str, Any]
    trainer: dict[str, int]
    parameters: int
    seed: int
    command: str
    metric: str
    better: str
    score: float
    spread: float
    seeds: dict[str, float]
    baselines: dict[str, float]
    look: str
    made_with: dict[str, str]
    sha256: str = field(default="", compare=False)

    def __str__(self) -> str:
        rows = {
            "task": call(self.task["class_path"], self.task["init_args"]),
            "data": f"{self.data} Licence: {self.licence}",
            "model": f"{call('SequenceModel', self.model)}, {self.parameters:,} parameters",
            "training": ", ".join(f"{name} {value}" for name, value in self.trainer.items()) + f", seed {self.seed}",
            "score": f"{self.described_score()} ± {self.spread:g} on the test part ({self.better} is better)",
            "seeds": ", ".join(f"{seed}: {number(value)}" for seed, value in self.seeds.items()),
            "baselines": "; ".join(f"{who}: {number(value)}" for who, value in self.baselines.items()),
            "look": self.look,
            "again": self.command,
            "made with": ", ".join(f"{what} {version}" for what, version in self.made_with.items()),
            "sha256": self.sha256,
        }
        lines = [f"{self.name}: {self.title}", *textwrap.wrap(self.about, WIDTH), ""]
        for name, text in rows.items():
            lines += textwrap.wrap(text, WIDTH, initial_indent=f"{name:<11}", subsequent_indent=" " * 11)
        return "\n".join(lines)

    def described_score(self) -> str:
        return f"{self.metric} {number(self.score)}"

    def reproduced_by(self, score: float) -> bool:
        """Whether a model that is made again has this score, within the spread."""
        return abs(score - self.score) <= self.spread


class Cards(dict[str, Card]):
    """Name -> card; printed, a table."""

    def __repr__(self) -> str:
        rows = [("name", "what", "parameters", "score", "baselines")]
        for name, card in self.items():
            beside = ", ".join(f"{who}: {number(value)}" for who, value in card.baselines.items())
            rows.append((name, card.title, f"{card.parameters:,}", card.described_score(), beside))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def number(value: float) -> str:
    return f"{value:.4g}"


def call(name: str, arguments: dict[str, Any]) -> str:
    return f"{name}({', '.join(f'{key}={value!r}' for key, value in arguments.items())})"
