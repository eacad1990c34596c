"""What guessers get is what the tasks say they get, by the metrics that models are measured with."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
from generated import REBER, TASKS, lengths, split, streams
from torch import Tensor

from byhand.tasks import Adding, AnBn, Companies, ContinualReber, CopyMemory, EmbeddedReber, Multiplication, Sequences, Task
from byhand.tasks.embedded_reber import strings
from byhand.tasks.task import IGNORE_INDEX
from byhand.train.model.objectives import GOALS


def score(made: Task, size: int, guess: Callable[[Sequences], Tensor], part: Any = "test") -> dict[str, float]:
    """What a guesser gets, by the metrics that a model is measured with."""
    goal = GOALS[made.form.goal](made.form)
    metrics = goal.metrics()
    for index in range(made.count(part, size)):
        batch = made.batch(part, 0, index, size)
        goal.update(metrics, guess(batch), batch)
    return {name: float(metric.compute()) for name, metric in metrics.items()}


def assert_baseline(made: Task, name: str, guess: Callable[[Sequences], Tensor], size: int = 500) -> None:
    found = score(made, size, guess)
    wanted = made.baselines[name]
    assert {metric: found[metric] for metric in wanted} == pytest.approx(dict(wanted), rel=0.03, abs=0.01)


def logits(numbers: Tensor, among: int) -> Tensor:
    """Of who is sure."""
    return torch.nn.functional.one_hot(numbers, among) * 30.0


def evenly(possible: Tensor) -> Tensor:
    """Of who takes any of these for equally likely, and says one by the toss of a coin."""
    return possible * 30.0 + torch.rand(possible.shape) * 1e-3


@pytest.mark.parametrize("length", [4, 20, 100])
def test_baselines_of_values(length: int) -> None:
    always = {"always 0.5": 0.5}
    made = Multiplication(length, sequences=8000)
    always["always the mean"] = torch.cat([made.batch("train", 0, at, 500).target for at in range(30)]).mean().item()
    for one, (name, value) in zip((Adding(length, sequences=8000), made), always.items(), strict=True):
        assert_baseline(one, name, lambda batch, value=value: torch.full_like(batch.target, value))


@pytest.mark.parametrize("name", ["TemporalOrder 6a", "TemporalOrder 6b", "Parity running", "Parity final", "Timing"])
def test_baselines_of_classes(name: str) -> None:
    made = TASKS[name](sequences=8000)
    assert_baseline(made, "guessing", lambda batch: torch.rand(*batch.target.shape, made.form.output_size) * 1e-3)


@pytest.mark.parametrize("delay", [7, 100])
def test_baseline_of_copy_memory(delay: int) -> None:
    made = CopyMemory(delay)

    def guess(batch: Sequences) -> Tensor:
        possible = torch.zeros(*batch.target.shape, 9)
        possible[:-10, :, 8] = possible[-10:, :, :8] = 1
        return evenly(possible)

    assert_baseline(made, "blank, then guessing", guess)
    assert made.baselines["blank, then guessing"]["bits"] == pytest.approx(10 * 3 / (delay + 20))


def frequencies(made: Task) -> Tensor:
    """Of each symbol, logarithms, counted in training, over as many batches as the test has."""
    targets = [made.batch("train", 0, index, 500).target for index in range(made.count("test", 500))]
    counts = torch.cat([target.flatten() for target in targets])
    return counts[counts != IGNORE_INDEX].bincount(minlength=made.form.output_size).clamp(min=1e-9).log()


def test_baselines_of_embedded_reber() -> None:
    made = EmbeddedReber(sequences=8000)
    frequent = frequencies(made)

    def forgetful(batch: Sequences) -> Tensor:
        possible, (t, p) = batch.legal.clone(), (REBER.index("T"), REBER.index("P"))
        for sequence, length in enumerate(lengths(batch)):
            possible[length - 2, sequence, [t, p]] = True
        return evenly(possible)

    assert_baseline(made, "the most frequent symbol", lambda batch: frequent.expand(*batch.target.shape, 7))
    assert_baseline(made, "knows all but the second symbol", forgetful)
    assert_baseline(made, "knows the grammar", lambda batch: evenly(batch.legal))


@pytest.mark.parametrize("steps", [1, 5, 30])
def test_baselines_of_continual_reber(steps: int) -> None:
    """The second symbol comes again before the last of each string; to see the end of a piece's last string, draw more."""
    made, size, pieces = ContinualReber(steps, test_pieces=8), 1000, 8
    frequent = frequencies(made)
    texts = streams([made.batch("test", 0, index, size) for index in range(pieces + 80 // steps)])
    repeats = torch.zeros(pieces * steps + 1, size, dtype=torch.bool)
    for number, text in enumerate(texts):
        end = 0
        for one in split(text)[:-1]:
            end += len(one)
            if end - 2 < len(repeats):
                repeats[end - 2, number] = True
    asked = iter(repeats[1:].split(steps))

    def forgetful(batch: Sequences) -> Tensor:
        again = next(asked).unsqueeze(-1) & torch.tensor([letter in "TP" for letter in REBER])
        return evenly(batch.legal | again)

    assert_baseline(made, "knows all but the second symbol", forgetful, size)
    assert_baseline(made, "the most frequent symbol", lambda batch: frequent.expand(*batch.target.shape, 7), size)
    assert_baseline(made, "knows the grammar", lambda batch: evenly(batch.legal), size)


@pytest.mark.parametrize(("symbols", "least", "most"), [(2, 1, 30), (3, 2, 9), (2, 4, 4)])
def test_baselines_of_an_bn(symbols: Any, least: int, most: int) -> None:
    made = AnBn(symbols, test_least=least, test_most=most, sequences=4000)

    def language(batch: Sequences) -> Tensor:
        """Who knows the most n, knows also that no further a comes then; it stays legal."""
        found = torch.full((*batch.target.shape, made.form.output_size), -50.0).masked_fill(batch.legal, -25.0)
        for a in range(1, most + 1):
            going_on = torch.tensor((most - a) / (most - max(a, least) + 1) if a >= least else 1.0)
            found[a, batch.input[a] == 1, 1] = going_on.log().clamp(min=-25)
            found[a, batch.input[a] == 1, 2] = (1 - going_on).log().clamp(min=-25)
        certain = (batch.legal.sum(-1) == 1).unsqueeze(-1) & batch.legal
        return found.masked_fill(certain, 0.0)

    assert_baseline(made, "the letter before", lambda batch: logits(batch.input.clamp(min=1), made.form.output_size))
    assert_baseline(made, "knows the language and how n is drawn", language)


@pytest.mark.parametrize("name", [*TASKS, "Companies"])
def test_baselines_name_metrics_that_there_are(name: str) -> None:
    made = (TASKS | {"Companies": Companies})[name]()
    known = GOALS[made.form.goal](made.form).metrics()
    assert made.baselines and all(guess and guess.keys() <= known.keys() for guess in made.baselines.values())


def test_the_most_frequent_symbol_is_known_by_counting() -> None:
    """The exact shares, from the machine, against those of many strings."""
    drawn = "".join(text[1:] for text in strings(EmbeddedReber(seed=2).batch("train", 0, 0, 20_000)))
    (_, count), share = Counter(drawn).most_common(1)[0], len(drawn)
    assert count / share == pytest.approx(5 / 22, rel=0.02)


def test_baseline_of_companies() -> None:
    found = score(Companies(), 2, lambda batch: torch.full_like(batch.target, 0.5))
    assert {name: value for name, value in found.items() if name != "loss"} == Companies().baselines["always 0.5"]
