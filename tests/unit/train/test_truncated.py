"""Training in pieces: truncated gradients, and memories that are carried from batch to batch."""

from typing import Any

import pytest
import torch

from byhand.tasks import Adding, Form, Sequences, Task
from byhand.train import SequenceModel, train


class Echo(Task):
    """Streams of random bits; the answer is the bit of three steps ago."""

    form = Form(2, 2, "classification", every=True, symbols=True, stateful=True)

    def __init__(self, steps: int = 12, batches: int = 40) -> None:
        super().__init__(4, 0)
        self.baselines = {"guessing": {"accuracy": 0.5}}
        self.steps, self.batches = steps, batches

    def count(self, part: Any, size: int) -> int:
        return self.batches if part == "train" else min(3, self.batches)

    def batch(self, part: Any, epoch: int, index: int, size: int) -> Sequences:
        source = torch.Generator().manual_seed(len(part) * 100 + epoch)
        bits = torch.randint(2, (self.batches * self.steps + 3, size), generator=source)
        start = index * self.steps
        return Sequences(bits[start + 3 : start + 3 + self.steps], bits[start : start + self.steps])


def test_truncated_gradients_and_carried_memories_learn() -> None:
    found, outcome = train(Echo(), {"hidden_size": 12, "tbptt_steps": 4, "learning_rate": 0.02}, max_epochs=8)
    assert outcome.steps == 8 * 40 * 3  # each batch in three pieces
    assert outcome.metrics["test_accuracy"] > 0.9  # .62 where a piece knows nothing of the one before
    assert set(found.carried) <= {"train", "val", "test"}


def test_a_stateful_batch_goes_on_where_the_one_before_ended() -> None:
    made, batch = SequenceModel(Echo().form._asdict(), hidden_size=6, num_layers=2), Echo().batch("train", 0, 0, 4)
    with torch.no_grad():
        whole = made(batch.input)[0]
        halves = [
            made.run("val", part)
            for part in (Sequences(batch.input[:5], batch.target), Sequences(batch.input[5:], batch.target))
        ]
        torch.testing.assert_close(torch.cat(halves), whole)
        made.on_validation_epoch_start()
        torch.testing.assert_close(made.run("val", Sequences(batch.input[:5], batch.target)), whole[:5])


class Shrinking(Echo):
    """Whose batches change their size: memories of four sequences are none for two."""

    def batch(self, part: Any, epoch: int, index: int, size: int) -> Sequences:
        whole = super().batch(part, epoch, index, size)
        left = size if index % 3 else size // 2
        return Sequences(whole.input[:, :left], whole.target[:, :left])


@pytest.mark.parametrize("steps", [0, 4])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_batches_of_another_size_start_with_empty_memories(cell: str, steps: int) -> None:
    settings = {"hidden_size": 3, "tbptt_steps": steps, "cell": cell, "learning_rate": 1e-9}
    found, outcome = train(Shrinking(batches=5), settings, max_epochs=1)
    assert outcome.steps == 5 * (3 if steps else 1)
    with torch.no_grad():
        alone = found(Shrinking(batches=5).batch("train", 0, 4, 4).input)[1]
    torch.testing.assert_close(found.carried["train"], alone, rtol=0, atol=1e-5)


def test_pieces_that_cannot_be_cut_are_refused() -> None:
    with pytest.raises(ValueError, match="expected a task with an answer at every step"):
        train(Adding(length=8), {"tbptt_steps": 4}, max_steps=2)


def test_a_network_that_reads_both_ways_is_not_asked_what_comes_next() -> None:
    with pytest.raises(ValueError, match="expected bidirectional=False"):
        SequenceModel(Echo.form._asdict(), bidirectional=True)


@pytest.mark.parametrize("part", ["train", "val", "test", "predict"])
def test_streams_start_anew_with_each_epoch(part: str) -> None:
    made, batch = SequenceModel(Echo.form._asdict(), hidden_size=3), Echo().batch("train", 0, 0, 4)
    made.run(part, batch)
    others = [one for one in ("train", "val", "test", "predict") if one != part]
    for one in others:
        getattr(made, f"on_{ {'val': 'validation'}.get(one, one) }_epoch_start")()
    assert part in made.carried
    getattr(made, f"on_{ {'val': 'validation'}.get(part, part) }_epoch_start")()
    assert part not in made.carried
