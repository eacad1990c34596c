"""The part of the document for training in the page: the cells that can be chosen, each with its programs, and LSTM.py's start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from byhand import cells
from byhand.cells.held import held
from byhand.explorer.document.cell import cell_document, step_program
from byhand.explorer.load.checkpoint import COLOURS

if TYPE_CHECKING:
    from byhand.cells import Cell

# Name in the page's address -> what it is called, and the cell.
CELLS: dict[str, tuple[str, Cell]] = {
    "lstm": ("LSTM", cells.lstm),
    "no_forget_gate": ("LSTM without a forget gate", cells.no_forget_gate(cells.lstm)),
    "peephole": ("LSTM with peepholes", cells.peephole),
    "cifg": ("coupled gates (CIFG)", cells.cifg),
    "gru": ("GRU", cells.gru),
    "rnn": ("plain RNN", cells.rnn),
    "min_lstm": ("minLSTM", cells.min_lstm),
}
LESSON_SEED = 42  # that of LSTM.py, if none is given
GATES = ("blue", "green", "orange", "purple")  # the order in which LSTM.py draws its numbers


def play_document(*, first: bool = False) -> dict[str, Any]:
    """What the Play view needs beyond the script, about 60 kB as JSON: PlayDoc in schema.ts. first: the page opens with it."""
    return {
        "first": first,
        "cells": {name: play_cell(title, cell) for name, (title, cell) in CELLS.items()},
        "lesson": {"seed": LESSON_SEED, "numbers": lesson_start(LESSON_SEED)},
    }


def play_cell(title: str, cell: Cell) -> dict[str, Any]:
    """cell: as in any document. held: the program of byhand.cells.held(cell), whose masks hold any site at any value."""
    document, why_not = cell_document(cell, projected=False)
    program = step_program(held(cell))[0]
    assert why_not is None, why_not
    assert program is not None
    return {"title": title, "cell": document, "held": program, "biases": cell.biases}


def lesson_start(seed: int) -> dict[str, list[float]]:
    """The twelve numbers with which LSTM.py starts for this seed, by their names in a byhand.LSTM(1, 1)."""
    generator = torch.Generator().manual_seed(seed)
    drawn = {colour: [torch.normal(0.0, 1.0, (), generator=generator).item() for _ in range(2)] for colour in GATES}
    recurrent, weights = ([drawn[colour][which] for colour in COLOURS] for which in range(2))
    return {"weight_ih_l0": weights, "weight_hh_l0": recurrent, "bias_ih_l0": [0.0] * 4}
