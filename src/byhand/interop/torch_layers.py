"""TorchLSTM: byhand's layer as a torch.nn.LSTM, for code that asks isinstance(module, torch.nn.LSTM); and torch's other layers so.

Each class here has four parts in this order: Apart; byhand's layer, which computes; Registers or Flat, which keep torch's upkeep of
parameters out; torch's class.
A subclass of torch's layer, with code of its own, gets such a class under it, so that its super().forward reaches byhand's engine.
"""

from __future__ import annotations

import copyreg
import sys
from collections.abc import Callable
from functools import cache
from types import new_class
from typing import Any
from weakref import ref

import torch
from torch import Tensor, fx, nn

from byhand import cells
from byhand.nn import LSTM, LSTMCell

AS_TORCH = "write byhand.convert(model, back=True) first"


class Registers:
    """Stands between byhand's constructor and torch's, which would register the parameters a second time."""

    def __init__(self) -> None:
        nn.Module.__init__(self)  # type: ignore[arg-type]


class Apart:
    """Comes first: keeps torch.compile from byhand's insides. It leaves a torch.nn.LSTM to run as it is, but would compile, piece by piece,
    what that calls; and what byhand does with addresses is not for it.
    """

    def forward(self, *arguments: Any, **options: Any) -> Any:
        """As byhand's layer. RuntimeError in torch.fx.symbolic_trace through a subclass: the layer would be a node inside itself."""
        run = super().forward  # type: ignore[misc]
        if any(isinstance(one, fx.Proxy) for one in arguments) and hasattr(type(self), "torchs"):
            raise RuntimeError(f"torch.fx.symbolic_trace cannot follow the code of {type(self).__name__}: {AS_TORCH}")
        if "torch._dynamo" not in sys.modules or torch.compiler.is_compiling():
            return run(*arguments, **options)
        return uncompiled()(run, *arguments, **options)


@cache
def uncompiled() -> Callable[..., Any]:
    """What calls a function outside torch.compile; made late, since it loads the half of torch that compiles."""
    return torch.compiler.disable(lambda function, *arguments, **options: function(*arguments, **options))


class Flat(Registers):
    """What torch.nn.RNNBase keeps in lists beside its parameters, read from the parameters whenever it is asked for.

    So nothing here can be out of date, and torch's upkeep of the lists is switched off. `_flat_weights` cannot be set: byhand reads
    each weight by its name.
    """

    __setattr__ = nn.Module.__setattr__
    __getstate__ = object.__getstate__
    __setstate__ = nn.Module.__setstate__
    _apply = nn.Module._apply
    _replicate_for_data_parallel = nn.Module._replicate_for_data_parallel

    @property
    def _all_weights(self: Any) -> list[list[str]]:
        return [self.layer_parameters(place).names() for place in self.sublayers]

    @property
    def _flat_weights_names(self) -> list[str]:
        return [name for names in self._all_weights for name in names]

    @property
    def _flat_weights(self) -> list[Tensor | None]:
        return [getattr(self, name, None) for name in self._flat_weights_names]

    @property
    def _flat_weight_refs(self) -> list[ref[Tensor] | None]:
        return [None if weight is None else ref(weight) for weight in self._flat_weights]

    def _init_flat_weights(self) -> None:
        """Nothing to do."""

    def _update_flat_weights(self) -> None:
        """Nothing to do."""


class TorchLSTM(Apart, LSTM, Flat, nn.LSTM):  # type: ignore[misc]
    """A byhand.LSTM that is a torch.nn.LSTM: isinstance(module, torch.nn.LSTM) is True.

    For libraries that ask for the class: torchrl's LSTMModule, initialisers that loop over torch.nn.LSTM, code that reads `mode` or
    `_flat_weights`. Arguments, results and everything else are those of byhand.LSTM; cells with two states only, as torch's has.
    What the class costs stands in docs/decisions/0008.

    Args:
        *arguments: those of byhand.LSTM.
        **options: those of byhand.LSTM.

    Raises:
        TypeError: as byhand.LSTM.
        ValueError: as byhand.LSTM; or the cell has another number of states than two.
    """

    mode = "LSTM"

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if len(self.cell.state) != 2:
            raise ValueError(
                f"TorchLSTM expected a cell with two states, as torch.nn.LSTM has, got {self.cell.name!r} with"
                f" {', '.join(self.cell.state)}: write byhand.LSTM"
            )


class TorchGRU(Apart, LSTM, Flat, nn.GRU):  # type: ignore[misc]
    """A byhand.LSTM(cell=cells.gru) that is a torch.nn.GRU."""

    mode = "GRU"

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, cell=cells.gru, **options)


class TorchRNN(Apart, LSTM, Flat, nn.RNN):  # type: ignore[misc]
    """A byhand.LSTM(cell=cells.rnn) that is a torch.nn.RNN with tanh."""

    mode = "RNN_TANH"
    nonlinearity = "tanh"

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, cell=cells.rnn, **options)


class TorchLSTMCell(Apart, LSTMCell, Registers, nn.LSTMCell):  # type: ignore[misc]
    """A byhand.LSTMCell that is a torch.nn.LSTMCell."""


class TorchGRUCell(Apart, LSTMCell, Registers, nn.GRUCell):  # type: ignore[misc]
    """A byhand.LSTMCell(cell=cells.gru) that is a torch.nn.GRUCell."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, cell=cells.gru, **options)


class TorchRNNCell(Apart, LSTMCell, Registers, nn.RNNCell):  # type: ignore[misc]
    """A byhand.LSTMCell(cell=cells.rnn) that is a torch.nn.RNNCell with tanh."""

    nonlinearity = "tanh"

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, cell=cells.rnn, **options)


TWINS: dict[type[nn.Module], type[nn.Module]] = {
    nn.LSTM: TorchLSTM,
    nn.GRU: TorchGRU,
    nn.RNN: TorchRNN,
    nn.LSTMCell: TorchLSTMCell,
    nn.GRUCell: TorchGRUCell,
    nn.RNNCell: TorchRNNCell,
}


@cache
def twin(torchs: type[nn.Module]) -> type[nn.Module]:
    """The class that is `torchs`, one of torch's or a subclass of one, and computes as byhand does.

    A subclass comes first, so that its code runs as it did and its super() finds byhand before torch.
    """
    if torchs in TWINS:
        return TWINS[torchs]
    root = next(one for one in TWINS if issubclass(torchs, one))
    named = {
        "torchs": torchs,
        "__module__": __name__,
        "__doc__": f"{torchs.__name__}, on byhand's engine.",
        "__reduce_ex__": reduced,
        "__prepare_scriptable__": unscriptable,
    }
    return new_class(f"Byhand{torchs.__name__}", (torchs, TWINS[root]), exec_body=lambda space: space.update(named))


def reduced(module: Any, protocol: Any) -> Any:
    """For pickles and copies: they name the subclass, not its twin, which no module has by name."""
    made: Any = module.torchs.__reduce_ex__(module, protocol)
    return (blank, (module.torchs,), *made[2:]) if made[0] is copyreg.__newobj__ else made  # type: ignore[attr-defined]


def unscriptable(module: Any) -> nn.Module:
    """In place of byhand's, which gives torch's layer and would leave out the code of the subclass."""
    raise NotImplementedError(f"torch.jit.script cannot read {type(module).__name__}: {AS_TORCH}, or use torch.jit.trace")


def torchs_of(twin: type[nn.Module]) -> type[nn.Module] | None:
    """The class of torch's, or the subclass, that a twin was made of; None if it is no twin."""
    return vars(twin).get("torchs") or next((torchs for torchs, made in TWINS.items() if made is twin), None)


def blank(torchs: type[nn.Module]) -> nn.Module:
    """A twin without attributes, which a pickle fills."""
    made = twin(torchs)
    return made.__new__(made)
