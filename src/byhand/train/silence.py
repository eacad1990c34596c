"""Lightning's advice, kept from those it is not for."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

LOGGERS = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]


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
