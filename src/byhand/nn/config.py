"""Config: the arguments of a layer as one value. It checks itself, and says what follows from them: sublayers, sizes, parameter shapes.

Where torch.nn.LSTM refuses an argument too, the error has its type and begins with its words.
"""

from __future__ import annotations

import math
import warnings
from operator import itemgetter
from typing import Any, NamedTuple

import torch
from torch import nn

from byhand.cells import Cell, lstm
from byhand.engine.names import Sublayer
from byhand.nn.layout import Sizes, remembered, shapes

OURS = ("cell", "forget_bias", "learn_initial_state")  # the arguments that torch.nn.LSTM does not have
PRINTED = (
    "proj_size",
    "num_layers",
    "bias",
    "batch_first",
    "dropout",
    "bidirectional",
    *OURS,
)  # after the sizes, as torch does


class Config(NamedTuple):
    """The arguments of LSTM, but for device and dtype; those of LSTMCell are among them. See LSTM for what each means."""

    input_size: int
    hidden_size: int
    num_layers: int = 1
    bias: bool = True
    batch_first: bool = False
    dropout: float = 0.0
    bidirectional: bool = False
    proj_size: int = 0
    cell: Cell = lstm
    forget_bias: float | None = None
    learn_initial_state: bool = False

    @classmethod
    def of(cls, module: nn.Module) -> Config:
        """Those of an LSTM, as they stand in its attributes now."""
        if torch.compiler.is_dynamo_compiling() or not vars(module).keys() >= FIELDS:  # or a subclass has properties
            return cls(*[getattr(module, name) for name in cls._fields])
        return cls._make(_attributes(vars(module)))

    def checked(self) -> Config:
        """Itself. TypeError or ValueError for arguments that make no layer; a warning for dropout without effect."""
        dropout = self.dropout
        if isinstance(dropout, bool) or not isinstance(dropout, int | float) or not 0 <= dropout <= 1:
            raise ValueError(
                "dropout should be a number in range [0, 1] representing the probability of an element being zeroed, got"
                f" {dropout!r}"
            )
        for name in ("bias", "batch_first"):
            check_flag(name, getattr(self, name))
        for name in ("input_size", "hidden_size", "num_layers"):
            check_size(name, getattr(self, name))
        for name in ("bidirectional", "learn_initial_state"):
            check_flag(name, getattr(self, name))
        if not isinstance(self.proj_size, int) or isinstance(self.proj_size, bool):
            raise TypeError(f"proj_size should be of type int, got: {type(self.proj_size).__name__}")
        if self.proj_size < 0:
            raise ValueError(f"proj_size should be a positive integer or zero to disable projections, got {self.proj_size}")
        if self.proj_size >= self.hidden_size:
            raise ValueError(f"proj_size has to be smaller than hidden_size, got {self.proj_size} and {self.hidden_size}")
        check_cell_argument(self.cell)
        if self.proj_size and self.cell.reads_its_output:
            raise ValueError(f"proj_size expected a cell that reads its output through weight_hh only, got {self.cell.name!r}")
        check_forget_bias(self.cell, self.forget_bias, bias=self.bias)
        if dropout > 0 and self.num_layers == 1:
            warnings.warn(
                "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects num_layers greater"
                f" than 1, but got dropout={dropout} and num_layers={self.num_layers}",
                stacklevel=3,
            )
        return self

    @property
    def sublayers(self) -> tuple[Sublayer, ...]:
        """Every layer and direction, in the order of parameters and states."""
        return sublayers(self.num_layers, self.bidirectional)

    def sizes(self, sublayer: Sublayer) -> Sizes:
        """The sizes of one layer and direction."""
        below = (self.proj_size or self.hidden_size) * (2 if self.bidirectional else 1)
        return Sizes(below if sublayer.layer else self.input_size, self.hidden_size, self.proj_size, self.bias)

    def shapes(self, sublayer: Sublayer) -> dict[str, tuple[int, ...]]:
        """Parameter name -> shape, in torch's order, of one layer and direction."""
        return {name + sublayer.suffix: shape for name, shape in shapes(self.cell, self.sizes(sublayer)).items()}

    def state_shapes(self, batch: int) -> tuple[tuple[int, int, int], ...]:
        """The shape of each state of the whole stack, (layers * directions, batch, width): the output is as wide as it is projected."""
        places, hidden = len(self.sublayers), self.hidden_size
        others = (places, batch, hidden)
        return ((places, batch, self.proj_size or hidden), *[others] * (len(self.cell.state) - 1))

    def extra_repr(self) -> str:
        """The sizes, and what differs from the defaults."""
        usual = Config._field_defaults
        options = [f"{name}={getattr(self, name)}" for name in PRINTED if getattr(self, name) != usual[name]]
        return ", ".join([str(self.input_size), str(self.hidden_size), *options])

    def arguments(self) -> dict[str, Any]:
        """All but the cell, in plain numbers and words: what config.json holds."""
        return {name: value for name, value in self._asdict().items() if name != "cell"}


FIELDS = frozenset(Config._fields)
_attributes = itemgetter(*Config._fields)


@remembered
def sublayers(num_layers: int, bidirectional: bool) -> tuple[Sublayer, ...]:
    directions = (False, True) if bidirectional else (False,)
    return tuple(Sublayer(layer, reverse) for layer in range(num_layers) for reverse in directions)


def check_flag(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise TypeError(f"{name} should be of type bool, got: {type(value).__name__}")


def check_size(name: str, value: object, *, least: int = 1) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} should be of type int, got: {type(value).__name__}")
    if value < least:
        raise ValueError(f"{name} must be greater than {'zero' if least == 1 else least - 1}, got {value}")


def check_cell_argument(cell: object) -> None:
    if isinstance(cell, Cell):
        return
    if callable(cell):
        made = getattr(cell, "__name__", "it")
        call = {"recurrent_dropout": "recurrent_dropout(cells.lstm, 0.25)", "lstm_1997_blocks": "lstm_1997_blocks(2)"}
        written = call.get(made, f"{made}(cells.lstm)")
        raise TypeError(f"cell should be a byhand.cells.Cell, got the function {made}: write cell=cells.{written}")
    raise TypeError(f"cell should be a byhand.cells.Cell, got: {type(cell).__name__}; write cell=byhand.cells.lstm")


def check_forget_bias(cell: Cell, value: object, *, bias: bool) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"forget_bias should be a number or None, got: {type(value).__name__}")
    if not math.isfinite(value):
        raise ValueError(f"forget_bias should be finite, got {value}")
    if "f" not in cell.gates:
        raise ValueError(f"forget_bias expected a cell with a gate f, got {cell.name!r} with gates {', '.join(cell.gates)}")
    if not (bias and cell.biases) and "b_f" not in cell.vectors:
        raise ValueError("forget_bias expected a layer with biases, got bias=False")
