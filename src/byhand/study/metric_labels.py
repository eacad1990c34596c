"""Metrics in words, for the axes of pictures and the heads of tables."""

from __future__ import annotations

WORDS = {
    "loss": "loss",
    "mse": "mean squared error",
    "mae": "mean absolute error",
    "wrong": "share of wrong answers",
    "accuracy": "share of right answers",
    "bits": "bits per answer",
    "solved": "share of sequences solved",
}
PARTS = {"test": "test part", "val": "validation part", "train": "training part"}


def in_words(metric: str) -> str:
    """As in "mean squared error on the test part"; the name itself where no words are known."""
    if metric == "steps":
        return "steps of training"
    if metric == "seconds":
        return "seconds of training"
    part, _, name = metric.partition("_")
    return f"{WORDS[name]} on the {PARTS[part]}" if part in PARTS and name in WORDS else metric
