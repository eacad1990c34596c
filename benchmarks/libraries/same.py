"""What every library is tried with: a training with torch's layer, then the same with byhand's, and how far apart they end."""

import json
import traceback
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

import byhand
from byhand.interop.torch import Report

Swap = Callable[[nn.Module], Any]
Training = Callable[[Swap], Iterable[Tensor]]

WAYS: dict[str, Swap] = {
    "convert": byhand.convert,
    "convert(keep_class=True)": lambda model: byhand.convert(model, keep_class=True),
}
LIMIT = 1e-6


class Row(NamedTuple):
    """One line of the table. difference: the greatest, as a share of the largest number where that is above 1; None if refused."""

    library: str
    version: str
    what: str
    way: str
    difference: float | None
    verdict: str


def rows(
    library: str,
    what: str,
    train: Training,
    *,
    ways: dict[str, Swap] = WAYS,
    limit: float = LIMIT,
    refusal: dict[str, str] | None = None,
) -> Iterator[Row]:
    """Train with torch's layer and in each way with byhand's.

    Args:
        library: Its name as a package.
        what: What is tried with it.
        train: Takes what swaps the layers of a model, which it calls once it has made one, and gives the tensors it ends with.
        ways: Name -> what swaps; it gives a report, or what stands in the layer's place.
        limit: The greatest difference that counts as none.
        refusal: Way -> words of the error with which this way is refused.
    """
    wanted = ended(train, lambda _: None)
    for name, way in ways.items():
        swapped: list[object] = []

        def swap(model: nn.Module, way: Swap = way, swapped: list[object] = swapped) -> Any:
            report = way(model)
            swapped.extend(report.modules if isinstance(report, Report) else [report])
            return report

        number = version(library)
        expected = (refusal or {}).get(name)
        try:
            found = ended(train, swap)
        except Exception as problem:  # noqa: BLE001 (whatever a library raises is what the table is for)
            said = str(problem).splitlines()[0]
            right = expected is not None and expected in str(problem)
            if not right:
                traceback.print_exc()
            yield Row(library, number, what, name, None, f"refused: {said}" if right else f"FAILS: {said}")
            continue
        difference = max(
            (a - b).abs().max().item() / max(1.0, a.abs().max().item()) for a, b in zip(wanted, found, strict=True)
        )
        right = difference <= limit and expected is None and bool(swapped)
        yield Row(library, number, what, name, difference, f"same to {limit:.0e}" if right else "DIFFERS")


def ended(train: Training, swap: Swap) -> list[Tensor]:
    """What a training ends with, as it is then."""
    torch.manual_seed(0)
    return [value.detach().clone() for value in train(swap)]


def write(found: Iterable[Row]) -> None:
    """For the process that makes the table."""
    for row in found:
        print("ROW", json.dumps(row), flush=True)
