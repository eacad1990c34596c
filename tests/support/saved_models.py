"""Models to save, what makes two of them the same, and processes that are stopped while they save."""

import dataclasses
import errno
import io
import itertools
import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from byhand import LSTM, cells, use_engine
from byhand.cells import Cell
from byhand.cells.names import FUNCTIONS, VALUES
from byhand.nn.config import Config

FILES = ["README.md", "config.json", "model.safetensors"]
SETTINGS = {
    "clipped": [((0.5,), {}), ((3,), {})],
    "lstm_1997_blocks": [],
    "recurrent_dropout": [((0.3,), {}), ((1e-05,), {"every": "sequence"})],
    "with_activations": [
        ((), {"gates": "hard_sigmoid"}),
        ((), {"candidate": "leaky_relu( 1e-05 )"}),
        ((), {"output": "scaled_tanh(-1.5, 2)"}),
    ],
    "zoneout": [((), {}), ((), {"h": 0, "c": 0.25})],
}


@pytest.fixture(autouse=True)
def one_engine() -> Iterator[None]:
    """Files are what is tested here; nothing need be compiled for them."""
    with use_engine("reference"):
        yield


def save(lstm: LSTM, folder: Any) -> None:
    """The method, as a function."""
    lstm.save_pretrained(folder)


def load(cls: Any, folder: Any, **options: Any) -> Any:
    """The method, as a function."""
    return cls.from_pretrained(folder, **options)


def made_from(cell: Cell) -> Iterator[Cell]:
    """All that byhand's functions make of a cell."""
    for name in FUNCTIONS:
        for arguments, named in SETTINGS.get(name, [((), {})]):
            with suppress(ValueError):  # not every cell has the site that the function changes
                yield FUNCTIONS[name](cell, *arguments, **named)


PLAIN = [*VALUES.values(), cells.lstm_1997_blocks(2)]
DERIVED = [made for cell in PLAIN for made in made_from(cell)]
OWN = dataclasses.replace(cells.lstm, name="mine")


def filled(*arguments: Any, **options: Any) -> LSTM:
    """An LSTM none of whose values are where they started."""
    torch.manual_seed(3)
    lstm = LSTM(*arguments, **options)
    with torch.no_grad():
        for parameter in lstm.parameters():
            parameter.copy_(torch.randn(parameter.shape))
    return lstm


def bits(value: Tensor) -> tuple[torch.dtype, tuple[int, ...], bytes]:
    return value.dtype, tuple(value.shape), bytes(value.detach().contiguous().view(torch.uint8).flatten().tolist())


def content(lstm: LSTM) -> dict[str, Any]:
    """All that makes an LSTM what it is."""
    values = {name: bits(value) for name, value in lstm.state_dict().items()}
    return values | {name: getattr(lstm, name) for name in Config._fields}


def outputs(lstm: LSTM, *, training: bool) -> list[tuple[torch.dtype, tuple[int, ...], bytes]]:
    torch.manual_seed(5)
    x = torch.randn(7, 2, lstm.input_size).to(lstm.get_parameter("weight_ih_l0"))
    was, _ = lstm.training, lstm.train(training)
    output, states = lstm(x)
    lstm.train(was)
    return [bits(value) for value in (output, *(states if isinstance(states, tuple) else (states,)))]


def assert_same(loaded: LSTM, saved: LSTM) -> None:
    assert content(loaded) == content(saved)
    for training in (True, False):
        assert outputs(loaded, training=training) == outputs(saved, training=training)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


OLD = filled(3, 40, 2)
NEW = filled(
    2, 30, bidirectional=True, proj_size=7, cell=cells.recurrent_dropout(cells.peephole, 0.3), learn_initial_state=True
)
STEPS = ((io, "open"), (os, "open"), (os, "fsync"), (os, "replace"), (os, "close"))


def held(folder: Path) -> str:
    """Which of the two models a folder holds, whole."""
    found = content(load(LSTM, folder))
    (name,) = [name for name, model in (("old", OLD), ("new", NEW)) if found == content(model)]
    return name


def fail() -> None:
    raise OSError(errno.ENOSPC, "injected: no space left")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def interrupted(number: int, act: Callable[[], None], steps: tuple[tuple[Any, str], ...] = STEPS) -> Iterator[None]:
    """Act just before the call of that number, counting from 1, of any of these functions."""
    calls = itertools.count(1)

    def watched(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            if next(calls) == number:
                act()
            return function(*arguments, **named)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for module, name in steps:
            patch.setattr(module, name, watched(getattr(module, name)))
        yield


def half_saved(folder: Path, old: LSTM, new: LSTM) -> None:
    """As a save of `new` over `old` leaves it that ends after its first step."""
    save(old, folder)
    with interrupted(2, fail, ((os, "replace"),)), pytest.raises(OSError, match="injected"):
        save(new, folder)
    assert len(json.loads((folder / "config.json").read_bytes())["models"]) == 2


def forked(work: Callable[[], None]) -> int:
    """A process that does the work and nothing else; not even pytest learns of it."""
    process = os.fork()
    if process == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return process


def exit_code(process: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def save_for_ever(folder: Path, ready: int) -> None:
    for model in itertools.cycle((NEW, OLD)):
        os.write(ready, b".")
        save(model, folder)


@contextmanager
def saving(folder: Path) -> Iterator[Callable[[], bytes]]:
    """A process that keeps saving the two models in turn, until the block ends. Gives a function that waits until it begins another."""
    ready, write = os.pipe()
    process = forked(lambda: save_for_ever(folder, write))
    try:
        yield lambda: os.read(ready, 1)
    finally:
        os.kill(process, signal.SIGKILL)
        assert exit_code(process) == -signal.SIGKILL
        os.close(ready)
        os.close(write)
