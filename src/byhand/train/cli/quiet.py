"""Lightning's advice, kept from those it is not for; its profiler, from trainings that nobody profiles."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from lightning.pytorch.profilers import PassThroughProfiler

LOGGERS = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
NOTHING = nullcontext()
logging.getLogger("lightning.pytorch.profilers").setLevel(logging.INFO)  # who asks for a profile is shown it


class Unprofiled(PassThroughProfiler):
    """The one that times nothing, at once: Lightning's own starts and ends a generator forty times a step."""

    def profile(self, action_name: str) -> AbstractContextManager[None]:  # type: ignore[override]
        return NOTHING


@contextmanager
def without_advice() -> Iterator[None]:
    """Within, Lightning neither logs what it found (devices, tips) nor warns of what suits larger data; its errors stay."""
    levels = [logger.level for logger in LOGGERS]
    for logger in LOGGERS:
        logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="lightning")
            yield
    finally:
        for logger, level in zip(LOGGERS, levels, strict=True):
            logger.setLevel(level)
