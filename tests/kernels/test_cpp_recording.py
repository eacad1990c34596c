"""Recording on the C++ engine: the same results to the bit, and every site as the reference engine has it."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from cases import CASES, Shape
from pairs import COMPILED, assert_equal, example, on, packed, run, threads, weighed
from torch import Tensor

from byhand import LSTM, record, use_engine

SHAPE = Shape(5, 4, 3, 9)
LAYERS: dict[str, dict[str, Any]] = {
    "plain": {},
    "two layers both ways": {"num_layers": 2, "bidirectional": True},
    "projected": {"proj_size": 3, "bidirectional": True},
}
KINDS: dict[str, Callable[[Tensor], Any]] = {"whole": lambda x: x, "packed": lambda x: packed(x, [2, 5, 1, 3])}
PLACES = [
    pytest.param(name, options, id=f"{name}-{label}")
    for name in COMPILED
    for label, options in LAYERS.items()
    if "proj_size" not in options or not CASES[name][0].reads_its_output
]
in_any_layer = pytest.mark.parametrize(("name", "options"), PLACES)
of_any_kind = pytest.mark.parametrize("given", KINDS.values(), ids=KINDS)


def seen(engine: str, lstm: LSTM, *given: Any) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Every site, and the gradient by it, by name."""
    torch.manual_seed(4)
    with use_engine(engine), record(lstm, gradients=True) as trace:
        results, _ = run(lstm, *given)
        weighed(results).backward()
    return dict(trace), dict(trace.grad)


@of_any_kind
@in_any_layer
def test_results_are_what_they_are_without(name: str, options: dict[str, Any], given: Callable[[Tensor], Any]) -> None:
    lstm, x, states = example(name, SHAPE, **options)
    plain = on("cpp", lstm, given(x), states)
    with record(lstm):
        assert_equal(on("cpp", lstm, given(x), states), plain)
    torch.manual_seed(4)
    with torch.no_grad(), use_engine("cpp"), record(lstm):
        assert_equal(run(lstm, given(x), states)[0], {name: plain[name] for name in plain if not name.startswith("grad")})


@of_any_kind
@in_any_layer
def test_sites_are_those_of_the_reference(name: str, options: dict[str, Any], given: Callable[[Tensor], Any]) -> None:
    lstm, x, states = example(name, SHAPE, **options)
    (found, _), (wanted, _) = (seen(engine, lstm, given(x), states) for engine in ("cpp", "reference"))
    assert list(found) == list(wanted)
    for site, value in wanted.items():
        torch.testing.assert_close(
            found[site], value, rtol=0, atol=1e-12, equal_nan=True, msg=lambda text, s=site: f"{s}: {text}"
        )


@of_any_kind
@in_any_layer
def test_gradients_by_sites_are_those_of_the_reference(
    name: str, options: dict[str, Any], given: Callable[[Tensor], Any]
) -> None:
    lstm, x, states = example(name, SHAPE, **options)
    (_, found), (_, wanted) = (seen(engine, lstm, given(x), states) for engine in ("cpp", "reference"))
    assert list(found) == list(wanted)
    for site, value in wanted.items():
        torch.testing.assert_close(
            found[site], value, rtol=1e-11, atol=1e-11, equal_nan=True, msg=lambda text, s=site: f"{s}: {text}"
        )


@of_any_kind
def test_sites_made_by_several_threads(given: Callable[[Tensor], Any]) -> None:
    lstm, x, states = example("lstm", Shape(5, 4, 3, 400))
    with threads(3):
        (found, _), (wanted, _) = (seen(engine, lstm, given(x), states) for engine in ("cpp", "reference"))
    for site, value in wanted.items():
        torch.testing.assert_close(found[site], value, rtol=0, atol=1e-12, equal_nan=True)
