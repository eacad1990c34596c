"""LSTM and LSTMCell: torch.nn's interface over any cell."""

from byhand.nn.lstm import LSTM
from byhand.nn.lstm_cell import LSTMCell

__all__ = ["LSTM", "LSTMCell"]
