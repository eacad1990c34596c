"""The kernel's arguments: one list of fields decides what C++ reads and where Python writes it."""

import subprocess
from pathlib import Path

import pytest
import torch
from conftest import ROOT

from byhand import LSTM, cells, use_engine
from byhand.engine.cpp import arguments, kernel, source
from byhand.engine.cpp import engine as cpp
from byhand.engine.cpp.toolchain import compiler
from byhand.ir import partition
from byhand.testing import check_engine

INCLUDE = ROOT / "src/byhand/engine/cpp/include"


def test_another_order_of_the_fields_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel compiled from the fields in reverse, in a layer, a prepared call, a stepper and with every gradient."""
    monkeypatch.setattr(arguments, "FIELDS", tuple(reversed(arguments.FIELDS)))
    kernel.kernel.cache_clear()
    try:
        cell = cells.peephole
        assert kernel.kernel(cell, torch.float64).at.time > 0  # the first before, not now
        check_engine(cpp, chosen=(cell,))
        lstm = LSTM(3, 4, cell=cell, dtype=torch.float64)
        x = torch.randn(1, 2, 3, dtype=torch.float64)
        with use_engine("reference"), torch.no_grad():
            expected = lstm(x)[0]
        with torch.no_grad():
            torch.testing.assert_close(lstm(x)[0], expected)
            torch.testing.assert_close(lstm.stepper(2)(x[0]), expected[0])
    finally:
        kernel.kernel.cache_clear()


def test_every_field_has_a_place_of_its_own() -> None:
    at = arguments.Arguments(states=3, parameters=2)
    places = [getattr(at, field.name) for field in arguments.FIELDS]
    taken = [index for place in places for index in (range(at.size)[place] if isinstance(place, slice) else [place])]
    assert taken == list(range(at.size))
    with pytest.raises(AttributeError):
        at.no_such_field  # noqa: B018


def test_headers_for_editors_are_those_that_are_printed() -> None:
    for name, text in source.printed(cells.lstm, partition(cells.lstm), torch.float32).items():
        assert (INCLUDE / name).read_text() == text, f"{name}: write printed(cells.lstm, ...)[{name!r}] there"


@pytest.mark.parametrize("path", sorted(INCLUDE.glob("*.h")), ids=lambda path: path.name)
def test_each_header_includes_what_it_needs(path: Path) -> None:
    command = compiler.find()
    assert command, "these tests need a C++ compiler"
    words = [*command, "-std=c++20", "-fsyntax-only", "-x", "c++", str(path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_kernel_has_each_header_once() -> None:
    text = source.source(cells.gru, partition(cells.gru), torch.float64)
    assert text.count("struct Call {") == text.count("struct Cell {") == text.count("struct Forward {") == 1
    assert '#include "' not in text and "#pragma once" not in text
