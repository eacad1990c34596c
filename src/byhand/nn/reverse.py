"""ReverseLSTM: a layer that reads from the end of each sequence only, as files of other frameworks have them; torch has none."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NoReturn

from byhand.engine.names import Sublayer
from byhand.nn.config import Config
from byhand.nn.lstm import LSTM

if TYPE_CHECKING:
    from byhand.nn.parameters import Gate


class ReverseConfig(Config):
    """The arguments of a layer whose one direction is the reverse one."""

    __slots__ = ()

    @property
    def sublayers(self) -> tuple[Sublayer, ...]:
        """The one."""
        return (Sublayer(0, reverse=True),)


class ReverseLSTM(LSTM):
    """One layer that reads each sequence from its end to its start: the reverse half of a bidirectional layer.

    Inputs and outputs are in the order of time; the last state is the one after the first step. Its place is called "l0.reverse", its
    parameters weight_ih_l0_reverse and so on. No file of save_pretrained holds it, and no stepper runs it.

    Args:
        input_size: features of a step.
        hidden_size: units.
        **options: bias, batch_first, cell, device and dtype, as in LSTM.

    Raises:
        TypeError: as LSTM.
        ValueError: as LSTM.
    """

    def __init__(self, input_size: int, hidden_size: int, **options: Any) -> None:
        super().__init__(input_size, hidden_size, **options)
        if self.num_layers != 1 or self.bidirectional:
            raise ValueError("ReverseLSTM expected one layer of one direction: write LSTM(bidirectional=True) for two")

    def _layer_config(self) -> Config:
        return ReverseConfig(*Config.of(self))

    def gates(self, layer: int = 0, direction: int = 1) -> dict[str, Gate]:
        """Return views of its parameters, as LSTM.gates. IndexError for anything but layer 0, direction 1."""
        if (layer, direction) != (0, 1):
            raise IndexError(f"gates expected layer 0 and direction 1, the only one here, got {layer!r} and {direction!r}")
        return self._gates_of(Sublayer(0, reverse=True))

    def save_pretrained(self, folder: str | os.PathLike[str]) -> NoReturn:
        """ValueError: a folder would be read back as a layer that reads forward."""
        raise ValueError(
            "save_pretrained expected a layer that reads forward, got one that reads from the end: keep its state_dict()"
        )
