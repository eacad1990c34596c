"""The cells: values to hand to LSTM(cell=...), and functions that make a cell from a cell.

Values: lstm, peephole, cifg, gru, gru_reset_before, layernorm_lstm, slstm, min_lstm, rnn, lstm_1997.
Functions Cell -> Cell: no_input_gate, no_forget_gate, no_output_gate, no_input_activation, no_output_activation,
full_gate_recurrence, zoneout, recurrent_dropout, with_activations, clipped, coupled_input; and lstm_1997_blocks(size).
"""

from byhand.cells.ablations import (
    no_forget_gate,
    no_input_activation,
    no_input_gate,
    no_output_activation,
    no_output_gate,
)
from byhand.cells.cell import Cell, Noise
from byhand.cells.cifg import cifg
from byhand.cells.clipped import clipped
from byhand.cells.coupled_input import coupled_input
from byhand.cells.full_gate_recurrence import full_gate_recurrence
from byhand.cells.gru import gru
from byhand.cells.gru_reset_before import gru_reset_before
from byhand.cells.layernorm_lstm import layernorm_lstm
from byhand.cells.lstm import lstm
from byhand.cells.lstm_1997 import lstm_1997, lstm_1997_blocks
from byhand.cells.min_lstm import min_lstm
from byhand.cells.peephole import peephole
from byhand.cells.recurrent_dropout import recurrent_dropout
from byhand.cells.rnn import rnn
from byhand.cells.slstm import slstm
from byhand.cells.with_activations import with_activations
from byhand.cells.zoneout import zoneout

__all__ = [
    "Cell",
    "Noise",
    "cifg",
    "clipped",
    "coupled_input",
    "full_gate_recurrence",
    "gru",
    "gru_reset_before",
    "layernorm_lstm",
    "lstm",
    "lstm_1997",
    "lstm_1997_blocks",
    "min_lstm",
    "no_forget_gate",
    "no_input_activation",
    "no_input_gate",
    "no_output_activation",
    "no_output_gate",
    "peephole",
    "recurrent_dropout",
    "rnn",
    "slstm",
    "with_activations",
    "zoneout",
]
