"""Cells by name, as saved models give them: all that byhand makes, and those of one's own."""

import dataclasses
from pathlib import Path

import pytest
import saved_models
from saved_models import (
    DERIVED,
    OWN,
    PLAIN,
    assert_same,
    filled,
    load,
    made_from,
    save,
)

from byhand import LSTM, cells
from byhand.cells.names import find
from byhand.errors import LoadError

one_engine = saved_models.one_engine


def test_every_name_is_found_again() -> None:
    """And of every cell derived from a derived one: each of them is equal to the cell of its name."""
    twice = [made for cell in DERIVED for made in made_from(cell)]
    for cell in (*PLAIN, *DERIVED, *twice):
        assert find(cell.name) == cell, cell.name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "mine",
        "my own cell",
        "Cell",
        "Noise('lstm', 0.5, True)",
        "no_input_gate",
        "no_input_gate(mine)",
        "no_input_gate(lstm, lstm)",
        "no_input_gate( lstm)",
        "no_input_gate(cell=lstm)",
        "no_input_gate(*lstm)",
        "zoneout(lstm, **lstm)",
        "zoneout(lstm)",
        "zoneout(lstm, h=0.5 * 1, c=0.5)",
        "zoneout(lstm, h='a', c=0.5)",
        "zoneout(lstm, h=2, c=0.5)",
        "lstm_1997_blocks(True)",
        "lstm.step",
        "cells.lstm",
        "(lambda: lstm)()",
        "__import__('os').abort()",
        "[lstm][0]",
        "lstm if abort() else lstm",
        "lstm\0",
        "ｌｓｔｍ",
        "\ud800",
        "-" * 200_000 + "1",
        "(" * 100_000,
        "zoneout(" * 100 + "lstm" + ", h=0.05, c=0.5)" * 100,
        "no_input_gate(" * 60_000 + "lstm" + ")" * 60_000,
    ],
    ids=lambda name: name[:24].encode("ascii", "replace").decode(),
)
def test_other_names_are_nobodys(name: str) -> None:
    assert find(name) is None


def test_a_cell_of_ones_own(tmp_path: Path) -> None:
    lstm = filled(2, 3, cell=OWN)
    save(lstm, tmp_path)
    assert_same(load(LSTM, tmp_path, cell=OWN), lstm)
    with pytest.raises(
        LoadError, match=r"out of byhand.cells, got one named 'mine': write from_pretrained\(folder, cell=\.\.\.\)"
    ):
        load(LSTM, tmp_path)
    with pytest.raises(LoadError, match="expected cell=mine, with which the model was saved, got cell=lstm"):
        load(LSTM, tmp_path, cell=cells.lstm)
    with pytest.raises(TypeError, match=r"write cell=cells\.zoneout\(cells\.lstm\)"):
        load(LSTM, tmp_path, cell=cells.zoneout)  # type: ignore[arg-type]
    with pytest.raises(
        LoadError, match=r"can hold, got: weight_ih_l0 is torch.float32 \(12, 2\) in .*, torch.float32 \(9, 2\) by its"
    ):
        load(LSTM, tmp_path, cell=dataclasses.replace(cells.gru, name="mine"))


def test_a_known_cell_may_be_given_but_no_other(tmp_path: Path) -> None:
    lstm = filled(2, 3, cell=cells.peephole)
    save(lstm, tmp_path)
    assert_same(load(LSTM, tmp_path, cell=cells.peephole), lstm)
    for other in (cells.lstm, dataclasses.replace(cells.peephole, truncated=True)):
        with pytest.raises(LoadError, match=f"expected cell=peephole, with which the model was saved, got cell={other}"):
            load(LSTM, tmp_path, cell=other)
