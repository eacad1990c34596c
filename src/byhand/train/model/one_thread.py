"""An optimiser's update on one thread, where it has few numbers to change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.optim import Optimizer

FEW = 100_000  # numbers, whose fused update takes a tenth of a millisecond on one thread


def on_one_thread(optimiser: Optimizer) -> Optimizer:
    """Return this optimiser, from now on with updates on one thread; the closure that it is given, as by Lightning, runs on all.

    A fused update wakes all threads for every parameter. Of a small model it has nothing for them to do, and where the machine is
    busy it waits milliseconds for them.
    """
    before: list[int] = []

    def narrow() -> None:
        before.append(torch.get_num_threads())
        torch.set_num_threads(1)

    def starts(
        _: Optimizer, arguments: tuple[Any, ...], named: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        closure: Callable[[], Any] | None = named.get("closure", arguments[1] if len(arguments) > 1 else None)
        if closure is None:
            narrow()
            return None

        def then_narrow() -> Any:
            loss = closure()
            narrow()
            return loss

        return arguments[:1], named | {"closure": then_narrow}

    def ended(*_: Any) -> None:
        torch.set_num_threads(before.pop())

    optimiser.register_step_pre_hook(starts)
    optimiser.register_step_post_hook(ended)
    return optimiser
