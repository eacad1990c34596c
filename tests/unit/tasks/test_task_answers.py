"""What each task asks for, once more, in plain Python."""

import re
from itertools import pairwise
from typing import Any

import pytest
import torch
from generated import EMBEDDED, INNER, REBER, answers, columns, lengths, same, split, streams
from torch import Tensor

from byhand.tasks import (
    Adding,
    AnBn,
    Companies,
    ContinualReber,
    CopyMemory,
    EmbeddedReber,
    Multiplication,
    Parity,
    TemporalOrder,
    Timing,
)
from byhand.tasks.embedded_reber import strings
from byhand.tasks.task import IGNORE_INDEX, PARTS
from LSTM import COMPANIES


def marked_steps(read: list[list[float]], length: int) -> tuple[int, int]:
    """The two steps with marker 1, after a look at all markers."""
    markers = [marker for _, marker in read]
    first, second = sorted(step for step, marker in enumerate(markers) if marker == 1)
    rest = {step: marker for step, marker in enumerate(markers) if step not in (first, second)}
    assert all(marker == (-1 if step in (0, len(read) - 1) else 0) for step, marker in rest.items())
    assert first < min(10, length // 2) and second < length // 2 and length <= len(read) <= length + length // 10
    return first, second


@pytest.mark.parametrize("length", [4, 20, 100])
def test_adding_and_multiplication(length: int) -> None:
    for made, lowest, at_start in ((Adding(length), -1, 0), (Multiplication(length), 0, 1)):
        batch = made.batch("train", 0, 0, 500)
        seen = set()
        for read, (target,) in zip(columns(batch), batch.target.tolist(), strict=True):
            steps = marked_steps(read, length)
            one, other = (read[step][0] for step in steps)
            assert 0 not in steps or read[0][0] == at_start
            assert target == pytest.approx(one * other if lowest == 0 else 0.5 + (one + other) / 4, abs=1e-6)
            assert all(lowest <= value <= 1 for value, _ in read)
            seen |= set(steps)
        assert seen == set(range(length // 2))
        assert {len(read) for read in columns(batch)} == set(range(length, length + length // 10 + 1))


@pytest.mark.parametrize("length", [10, 57, 100])
@pytest.mark.parametrize(
    ("kind", "windows", "names"),
    [
        ("6a", [(10, 20), (50, 60)], ["XX", "XY", "YX", "YY"]),
        ("6b", [(10, 20), (33, 43), (66, 76)], ["XXX", "XXY", "XYX", "XYY", "YXX", "YXY", "YYX", "YYY"]),
    ],
)
def test_temporal_order(kind: Any, windows: list[tuple[int, int]], names: list[str], length: int) -> None:
    batch = TemporalOrder(kind, length).batch("train", 0, 0, 600)
    found: list[set[int]] = [set() for _ in windows]
    for read, target in zip(columns(batch), batch.target.tolist(), strict=True):
        letters = "".join("abcdBEXY"[number] for number in read)
        assert re.fullmatch("E[abcdXY]+B", letters) and length <= len(letters) <= length + length // 10
        where = [step for step, letter in enumerate(letters) if letter in "XY"]
        assert "".join(letters[step] for step in where) == names[target]
        for steps, step in zip(found, where, strict=True):
            steps.add(step)
    for steps, (least, most) in zip(found, windows, strict=True):
        assert steps == set(range(int(least * length / 100), int(most * length / 100) + 1))
    assert set(batch.target.tolist()) == set(range(len(names)))


def test_the_reber_grammar_of_these_tests() -> None:
    """By the examples of a teacher: people.willamette.edu/~gorr/classes/cs449/reber.html."""
    assert all(re.fullmatch(INNER, text) for text in ("BTSSXXTVVE", "BPVVE", "BTXXVPSE", "BPVPXVPXVPXVVE", "BTSXXVPSE"))
    assert not any(re.fullmatch(INNER, text) for text in ("BTSSPXSE", "BPTVVB", "BTXXVVSE", "BPVSPSE", "BTSSSE"))


@pytest.fixture(scope="module")
def endings() -> set[str]:
    """Ways to end a string, from anywhere in it."""
    drawn = strings(EmbeddedReber(seed=1).batch("train", 0, 0, 2000))
    return {text[-length:] for text in drawn for length in range(1, 9)} | {""}


def may_follow(read: str, endings: set[str]) -> set[str]:
    """By trial: what can be ended in some way."""
    return {letter for letter in REBER if any(EMBEDDED.fullmatch(read + letter + ending) for ending in endings)}


def letters_of(row: Tensor) -> set[str]:
    return {REBER[number] for number, legal in enumerate(row.tolist()) if legal}


def test_embedded_reber(endings: set[str]) -> None:
    batch = EmbeddedReber().batch("train", 0, 0, 300)
    drawn = strings(batch)
    assert all(EMBEDDED.fullmatch(text) for text in drawn)
    assert [len(text) - 1 for text in drawn] == lengths(batch) and min(map(len, drawn)) == 9
    for sequence, (text, told) in enumerate(zip(drawn, answers(batch), strict=True)):
        assert text[1:] == "".join(REBER[number] for number in told)
        assert letters_of(batch.legal[len(text) - 3, sequence]) == {text[1]}
    known = {}
    for sequence, text in enumerate(drawn[:60]):
        for step in range(len(text) - 1):
            read = text[: step + 1]
            known.setdefault(read, may_follow(read, endings))
            assert letters_of(batch.legal[step, sequence]) == known[read], read


def test_embedded_reber_as_its_documentation_tells_it(endings: set[str]) -> None:
    text = "BTBTSSXSETE"
    told = [may_follow(text[: step + 1], endings) for step in range(len(text) - 1)]
    assert told == [set(one) for one in ("TP", "B", "TP", "SX", "SX", "SX", "XS", "E", "T", "E")]


@pytest.mark.parametrize("part", PARTS)
def test_continual_reber_goes_on_from_batch_to_batch(part: Any, endings: set[str]) -> None:
    made = ContinualReber(steps=25, batch_size=6, pieces=40, test_pieces=9)
    batches = list(made.loader(part))
    assert len(batches) == (40 if part == "train" else 9)
    for one, following in pairwise(batches):
        assert torch.equal(one.target[-1], following.input[0])
    for number, stream in enumerate(streams(batches)):
        found = split(stream)
        assert len(found) > 10 and len(found[-1]) < 60
        read, legal = stream[1:], torch.cat([batch.legal[:, number] for batch in batches])
        assert [batch.target[step, number].item() for batch in batches for step in range(25)] == [*map(REBER.index, read)]
        within = [text[: step + 1] for text in found for step in range(len(text))]
        for so_far, row in list(zip(within, legal, strict=False))[:100]:
            assert letters_of(row) == (may_follow(so_far, endings) or {"B"}), so_far


def test_continual_reber_in_any_order() -> None:
    made = ContinualReber(steps=5)
    in_turn = [made.batch("train", 1, index, 4) for index in range(6)]
    for index in (5, 0, 3, 3, 4):
        assert same(made.batch("train", 1, index, 4), in_turn[index])
        made.batch("train", 2, index, 4)
        made.batch("test", 1, index, 4)
    assert same(ContinualReber(steps=5).batch("train", 1, 4, 4), in_turn[4])


@pytest.mark.parametrize("delay", [1, 4, 30])
def test_copy_memory(delay: int) -> None:
    batch = CopyMemory(delay).batch("train", 0, 0, 50)
    for read, told in zip(columns(batch), answers(batch), strict=True):
        assert len(read) == delay + 20 and set(read[:10]) <= set(range(8))
        assert read[10:] == [8] * (delay - 1) + [9] + [8] * 10
        assert told == [8] * (delay + 10) + read[:10]


@pytest.mark.parametrize("symbols", [2, 3])
@pytest.mark.parametrize(("part", "least", "most"), [("train", 2, 5), ("val", 2, 5), ("test", 1, 12)])
def test_an_bn(symbols: Any, part: Any, least: int, most: int) -> None:
    made = AnBn(symbols, least=2, most=5, test_least=1, test_most=12)
    alphabet = "SabT" if symbols == 2 else "SabcT"
    language = ["S" + "".join(letter * n for letter in alphabet[1:-1]) + "T" for n in range(1, 20)]
    batch = made.batch(part, 0, 0, 200)
    found = set()
    for sequence, (read, told) in enumerate(zip(columns(batch), answers(batch), strict=True)):
        text = "".join(alphabet[number] for number in [*read, told[-1]])
        assert text in language and text[1:] == "".join(alphabet[number] for number in told)
        found.add(text.count("a"))
        for step in range(len(read)):
            legal = {one[step + 1] for one in language if one.startswith(text[: step + 1])}
            assert {alphabet[at] for at in batch.legal[step, sequence].nonzero().flatten().tolist()} == legal
    assert found == set(range(least, most + 1))


def test_parity() -> None:
    running, final = (Parity(9, running=how).batch("train", 0, 0, 50) for how in (True, False))
    for read, told in zip(columns(running), answers(running), strict=True):
        assert told == [sum(read[: step + 1]) % 2 for step in range(9)]
    assert [sum(read) % 2 for read in columns(final)] == final.target.tolist()


@pytest.mark.parametrize(("least", "most", "intervals"), [(1, 2, 1), (3, 6, 4), (49, 50, 3)])
def test_timing(least: int, most: int, intervals: int) -> None:
    batch, seen = Timing(least, most, intervals).batch("train", 0, 0, 200), set()
    for read, told in zip(columns(batch), answers(batch), strict=True):
        spikes = [step for step, spike in enumerate(read) if spike]
        assert set(read) <= {0, 1} and spikes[0] == 0 and spikes[-1] == len(read) - 1 and len(spikes) == intervals + 1
        passed = {end: end - start - least for start, end in pairwise(spikes)}
        assert told == [passed.get(step, IGNORE_INDEX) for step in range(len(read))]
        seen |= set(passed.values())
    assert seen == set(range(most - least + 1))


def test_timing_as_its_worked_example() -> None:
    batches = (Timing(2, 3, 2, seed=seed).batch("train", 0, 0, 1) for seed in range(100))
    targets = [IGNORE_INDEX, IGNORE_INDEX, IGNORE_INDEX, 1, IGNORE_INDEX, 0]
    assert any((columns(one), answers(one)) == ([[1, 0, 0, 1, 0, 1]], [targets]) for one in batches)


def test_a_table_of_answers_has_the_steps_that_are_asked_for() -> None:
    made = Timing(2, 3, 2)
    batch = made.batch("train", 0, 0, 3)
    rows = list(made.rows(batch, torch.zeros_like(batch.target)))
    assert [(row["sequence"], row["step"]) for row in rows] == [
        (sequence, step) for sequence in range(3) for step in batch.input[:, sequence].nonzero().flatten().tolist() if step
    ]
    assert {row["target"] for row in rows} <= {0, 1} and {row["answer"] for row in rows} == {0}


def test_companies() -> None:
    made = Companies()
    for loader in (made.train_dataloader(), made.val_dataloader(), made.test_dataloader()):
        for batch, (prices, last) in zip(loader, COMPANIES.values(), strict=True):
            assert columns(batch) == [[[price] for price in prices]] and batch.target.tolist() == [[last]]
    assert made.batch("train", 7, 0, 2).input.shape == (4, 2, 1)
