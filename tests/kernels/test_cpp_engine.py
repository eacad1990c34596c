"""The C++ engine gives what the reference engine gives: outputs, last states, every gradient by name, for every cell."""

from collections.abc import Iterator
from typing import Any

import pytest
from cases import CASES, Shape
from pairs import COMPILED, assert_engines_agree, example, packed

SHAPES = [
    Shape(1, 1, 1, 1),
    Shape(2, 1, 1, 5),
    Shape(5, 3, 3, 6),
    Shape(2, 7, 3, 15),
    Shape(5, 2, 40, 16),
    Shape(1, 13, 1, 17),
    Shape(2, 13, 40, 33),
    Shape(5, 7, 3, 65),
]
SMALL = Shape(5, 4, 3, 7)
OPTIONS: dict[str, dict[str, Any]] = {
    "no bias": {"bias": False},
    "both directions": {"bidirectional": True},
    "two layers": {"num_layers": 2},
    "learnt start": {"num_layers": 2, "bidirectional": True, "learn_initial_state": True},
    "projection": {"num_layers": 2, "bidirectional": True, "proj_size": 3},
}
LENGTHS = {"sorted": [5, 4, 2, 1], "unsorted": [2, 5, 1, 3], "all alike": [5, 5, 5, 5], "all end early": [3, 1, 3, 2]}


def possible() -> Iterator[Any]:
    """Every cell in every kind of layer; one that reads its output itself cannot be projected."""
    for name in COMPILED:
        for label, options in OPTIONS.items():
            if "proj_size" not in options or not CASES[name][0].reads_its_output:
                yield pytest.param(name, options, id=f"{name}-{label}")


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "x".join(map(str, shape)))
@pytest.mark.parametrize("name", COMPILED)
def test_any_cell_at_odd_sizes(name: str, shape: Shape) -> None:
    assert_engines_agree(*example(name, shape))


@pytest.mark.parametrize(("name", "options"), list(possible()))
def test_any_cell_in_any_layer(name: str, options: dict[str, Any]) -> None:
    lstm, x, states = example(name, SMALL, **options)
    assert_engines_agree(lstm, x, states)
    assert_engines_agree(lstm, x)


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
@pytest.mark.parametrize(("name", "options"), list(possible()))
def test_any_cell_with_packed_sequences(name: str, options: dict[str, Any], lengths: list[int]) -> None:
    lstm, x, states = example(name, SMALL, **options)
    assert_engines_agree(lstm, packed(x, lengths), states)
