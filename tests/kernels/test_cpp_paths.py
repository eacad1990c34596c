"""Every way in which a kernel can go about its work gives the same: cells of every kind, at sizes that lead there."""

from typing import NamedTuple

import pytest
import torch
from cases import Shape
from pairs import assert_close, assert_engines_agree, assert_equal, example, on, packed, run, threads

from byhand import use_engine
from byhand.engine.cpp import autograd, values

KINDS = ("lstm", "gru", "peephole", "slstm", "min_lstm", "full_gate_recurrence(peephole)", "zoneout(gru)")


class Path(NamedTuple):
    """threads: how many there may be."""

    shape: Shape
    threads: int = 1


# The conditions are in kernel.h (inputs_apart, forward) and call.h (plan); float64 has 8 to a vector of AVX-512.
PATHS = {
    "weights as they are": Path(Shape(1, 3, 4, 21)),
    "weights as they are, units shared out": Path(Shape(3, 1, 9, 129), 2),
    "rows shared out": Path(Shape(12, 30, 40, 33), 2),
    "rows shared out among three": Path(Shape(12, 30, 40, 33), 3),
    "more threads than rows": Path(Shape(60, 2, 3, 15), 4),
    "units shared out": Path(Shape(5, 7, 3, 65), 2),
    "units shared out among three": Path(Shape(9, 5, 3, 65), 3),
    "input product apart": Path(Shape(3, 5, 150, 129)),
    "input product apart, some steps at a time": Path(Shape(5, 70, 150, 129)),
    "input product apart, rows shared out": Path(Shape(9, 70, 150, 129), 2),
    "input product apart, units shared out": Path(Shape(4, 5, 150, 129), 2),
    "heavy": Path(Shape(3, 7, 3, 261)),
    "heavy, few rows": Path(Shape(3, 5, 3, 261)),
    "input product apart, few rows": Path(Shape(20, 3, 40, 33)),
    "units shared out, for weights just packed": Path(Shape(2, 9, 40, 65), 2),
    "heavy, units shared out": Path(Shape(3, 17, 3, 261), 2),
    "heavy, input product apart": Path(Shape(3, 25, 70, 261)),
    "heavy, input product apart, units shared out": Path(Shape(2, 9, 70, 261), 2),
    "many steps": Path(Shape(201, 2, 2, 5)),
    "many steps, rows shared out": Path(Shape(201, 2, 9, 17), 2),
    "many rows": Path(Shape(2, 401, 2, 5), 2),
}
WHO_MULTIPLIES = {"torch": 0, "the kernel": 1 << 40}  # for the gradients by weights; usually it depends on their size

paths = pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
kinds = pytest.mark.parametrize("name", KINDS)
multiply = pytest.mark.parametrize("large", WHO_MULTIPLIES.values(), ids=WHO_MULTIPLIES)


def gradients_from(large: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose products make the gradients by weights: torch's for more bytes of them, whatever the processor."""
    monkeypatch.setattr(values, "LARGE", large)
    monkeypatch.setattr(values, "processor", lambda: "")


@pytest.mark.parametrize(
    ("processor", "large", "expected"), [("AMD EPYC", 0, False), ("Xeon", 0, True), ("Xeon", 1 << 40, False)]
)
def test_whose_products_are_faster(processor: str, large: int, expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values, "LARGE", large)
    monkeypatch.setattr(values, "processor", lambda: f"model name : {processor}")
    asked: list[str] = []
    monkeypatch.setattr(autograd, "large_products", lambda *_: asked.append("torch") or (None,) * 4)
    lstm, x, states = example("peephole", Shape(4, 3, 2, 5))
    lstm(x, states)[0].sum().backward()
    assert bool(asked) is expected


def lengths_of(shape: Shape) -> list[int]:
    """All different if there are enough steps; unsorted."""
    return [1 + (7 * row + shape.time - 1) % shape.time for row in range(shape.batch)]


@paths
@multiply
@kinds
def test_whole_sequences(name: str, path: Path, large: int, monkeypatch: pytest.MonkeyPatch) -> None:
    gradients_from(large, monkeypatch)
    with threads(path.threads):
        assert_engines_agree(*example(name, path.shape))


@paths
@multiply
@kinds
def test_packed_sequences_both_ways(name: str, path: Path, large: int, monkeypatch: pytest.MonkeyPatch) -> None:
    gradients_from(large, monkeypatch)
    lstm, x, states = example(name, path.shape, bidirectional=True)
    with threads(path.threads):
        assert_engines_agree(lstm, packed(x, lengths_of(path.shape)), states)


@paths
@multiply
@pytest.mark.parametrize("ragged", [False, True], ids=["whole", "packed"])
@pytest.mark.parametrize("name", ["lstm", "peephole"])
def test_projections(name: str, path: Path, large: int, ragged: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    gradients_from(large, monkeypatch)
    lstm, x, states = example(name, path.shape, bidirectional=ragged, proj_size=1 + path.shape.hidden // 3)
    with threads(path.threads):
        assert_engines_agree(lstm, packed(x, lengths_of(path.shape)) if ragged else x, states)


@paths
@kinds
def test_nothing_kept_for_a_derivative(name: str, path: Path) -> None:
    """To the bit what it is with gradients."""
    lstm, x, states = example(name, path.shape)
    outputs = []
    with threads(path.threads), use_engine("cpp"):
        for grad in (True, False):
            torch.manual_seed(2)
            with torch.set_grad_enabled(grad):
                outputs.append(run(lstm, x, states)[0])
    assert_equal(*outputs)


@paths
@kinds
def test_reruns_are_equal_to_the_bit(name: str, path: Path) -> None:
    given = example(name, path.shape)
    with threads(path.threads):
        first = on("cpp", *given)
        for _ in range(2):
            assert_equal(on("cpp", *given), first)


@kinds
def test_the_number_of_threads_makes_no_difference(name: str) -> None:
    given, found = example(name, Shape(6, 9, 20, 40)), []
    for count in (1, 2, 3, 5):
        with threads(count):
            found.append(on("cpp", *given))
    for other in found[1:]:
        assert_close(other, found[0])
