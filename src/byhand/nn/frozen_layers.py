"""Frozen layers: their weights are packed once, and cannot change."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from byhand.cells.outside_modes import run_outside_modes
from byhand.engine import dispatch, transforms
from byhand.engine import frozen as engine
from byhand.nn import export, prepared
from byhand.nn.config import Config
from byhand.nn.inputs import bare
from byhand.nn.lstm import LSTM
from byhand.nn.lstm_cell import ARGUMENTS, LSTMCell
from byhand.nn.modes import evaluating
from byhand.nn.reverse import ReverseLSTM
from byhand.nn.stepper import Stepper

if TYPE_CHECKING:
    from byhand.engine.call import Call, Result
    from byhand.engine.names import Sublayer

    State = Tensor | tuple[Tensor, ...]


class Frozen(nn.Module):
    """What frozen layers have in common. They hold no parameters: nothing can change the weights, and no state_dict has them."""

    def __init__(self, layer: LSTM | LSTMCell, weights: str) -> None:
        super().__init__()
        self.input_size, self.hidden_size, self.weights = layer.input_size, layer.hidden_size, weights
        self._layer = (plain(layer),)  # in a tuple: no submodule
        self.training = False

    @property
    def layer(self) -> Any:
        """A layer with the weights, which nobody else holds."""
        return self._layer[0]

    def run_call(self, module: nn.Module, sublayer: Sublayer, call: Call) -> Result:
        """One layer and direction, where no engine has packed it."""
        return engine.run(call, self.weights)

    def short(self, input: Any, hx: Any, *, batch_first: bool = False) -> Any:
        """Output and states from packed weights; None where they are not for such a call."""
        if dispatch.is_chosen():
            return None
        return prepared.run(self, input, hx, self.layer.plain_calls, batch_first=batch_first, frozen=self.weights)

    def check(self, input: Any, hx: Any) -> None:
        """RuntimeError where a derivative is wanted, or the model is to be exported."""
        data = input.data if isinstance(input, PackedSequence) else input
        given = (data, *(hx if isinstance(hx, tuple | list) else (hx,)))
        if torch.is_grad_enabled() and any(isinstance(one, Tensor) and one.requires_grad for one in given):
            raise RuntimeError(
                "a frozen layer has no derivative, got an input or a state that requires gradients: call it under torch.no_grad(), or"
                " call the model that it was made from"
            )
        if transforms.is_forward_mode():
            raise RuntimeError(
                "a frozen layer has no derivative, got a call in forward-mode differentiation (torch.func.jvp, torch.autograd.forward_ad):"
                " call the model that it was made from"
            )
        if export.is_leaving(input) or torch.compiler.is_exporting():
            raise RuntimeError(
                "a frozen layer cannot be traced or exported: export the model that it was made from, and quantise the result"
            )

    def _apply(self, fn: Any, recurse: bool = True) -> NoReturn:
        raise RuntimeError(
            "a frozen layer cannot be moved or converted by .to(), .float() and the like: move the model that it was made from, then"
            " byhand.frozen(model)"
        )

    def extra_repr(self) -> str:
        """The layer's own, the number type of the weights, and how far it is from the layer."""
        return f"{self.layer.extra_repr()}, weights={self.weights}, difference={self.difference:.1e}"

    @property
    def difference(self) -> float:
        """The greatest difference of outputs and last states from the layer that it was made from, on 8 random sequences of unit variance
        (64 steps long, for a cell 1).
        """
        if self._difference is None:  # measured outside the caller's modes and choice of an engine
            self._difference = run_outside_modes(self.measured)
        assert self._difference is not None
        return self._difference

    _difference: float | None = None

    @torch.no_grad()
    def measured(self) -> float:
        """See difference."""
        random = torch.Generator().manual_seed(0)
        shape = (64, 8) if isinstance(self.layer, LSTM) else (8,)
        if getattr(self.layer, "batch_first", False):
            shape = shape[::-1]
        x = torch.randn(*shape, self.input_size, generator=random)
        pairs = zip(leaves(self(x)), leaves(self.in_float32(x)), strict=True)
        return max((mine - its).abs().max().item() for mine, its in pairs)

    def in_float32(self, x: Tensor) -> Any:
        """What the layer that it was made from gives."""
        return self.layer(x)


class FrozenLSTM(Frozen):
    """An LSTM whose weights cannot change; made by byhand.frozen.

    weights: the number type in which they are multiplied. Without `reset`, and invisible to record and edit; train() changes nothing.
    """

    def __init__(self, layer: LSTM, weights: str) -> None:
        super().__init__(layer, weights)
        self._first = first_states(layer) if layer.learn_initial_state else ()

    def forward(self, input: Tensor | PackedSequence, hx: State | None = None) -> tuple[Tensor | PackedSequence, State]:
        """As LSTM.forward in eval mode, without a derivative. TypeError, ValueError, RuntimeError."""
        if torch.compiler.is_dynamo_compiling():
            uncompiled: Any = torch.compiler.disable(self.forward)
            return uncompiled(input, hx)
        self.check(input, hx)
        layer: LSTM = self.layer
        with torch.no_grad():
            if hx is None and self._first and isinstance(input, Tensor | PackedSequence):
                hx = self.first_states(input)
            made = self.short(input, hx, batch_first=layer.batch_first)
            if made is not None:
                return made[0], bare(made[1])
            return layer.run(input, hx, None, self.run_call)

    def in_float32(self, x: Tensor) -> Any:
        return self.layer(x, self.first_states(x) if self._first else None)

    def stepper(self, batch: int = 1) -> Stepper:
        """As LSTM.stepper, on the frozen weights. ValueError."""
        return Stepper(self.layer._layer_config(), partial(self.first_calls, batch), batch, weights=self.weights)

    def first_calls(self, batch: int) -> list[Call]:
        """Each layer's call, as LSTM.first_calls."""
        calls: list[Call] = self.layer.first_calls(batch)
        if not self._first:
            return calls
        states = zip(*(one.unsqueeze(1).expand(-1, batch, -1) for one in self._first), strict=True)
        return [call._replace(state=state) for call, state in zip(calls, states, strict=True)]

    def first_states(self, input: Tensor | PackedSequence) -> State:
        """The learnt states, laid out as hx is given with such an input."""
        if isinstance(input, Tensor) and input.dim() != 3:
            return bare(self._first)
        packed = isinstance(input, PackedSequence)
        batch = int(input.batch_sizes[0]) if packed else input.shape[0 if self.layer.batch_first else 1]
        return bare([one.unsqueeze(1).expand(-1, batch, -1).contiguous() for one in self._first])


class FrozenLSTMCell(Frozen):
    """An LSTMCell whose weights cannot change; made by byhand.frozen. weights: as in FrozenLSTM."""

    def forward(self, input: Tensor, hx: State | None = None) -> State:
        """As LSTMCell.forward in eval mode, without a derivative. TypeError, ValueError, RuntimeError."""
        if torch.compiler.is_dynamo_compiling():
            uncompiled: Any = torch.compiler.disable(self.forward)
            return uncompiled(input, hx)
        self.check(input, hx)
        layer: LSTMCell = self.layer
        with torch.no_grad():
            made = self.short(input.unsqueeze(0), hx) if isinstance(input, Tensor) and input.dim() == 2 else None
            return layer.run(input, hx, self.run_call) if made is None else bare(made[1])


@torch.no_grad()
def plain(layer: LSTM | LSTMCell) -> LSTM | LSTMCell:
    """The same layer with copies of its weights as they are now, whatever they are computed from."""
    if isinstance(layer, LSTM):
        kind = ReverseLSTM if isinstance(layer, ReverseLSTM) else LSTM
        made: LSTM | LSTMCell = kind.blank(Config.of(layer)._replace(learn_initial_state=False, dropout=0.0), torch.float32)
    else:
        made = LSTMCell(**{name: getattr(layer, name) for name in ARGUMENTS}, device="meta")
    with evaluating(layer):
        for name in list(made._parameters):
            made._parameters[name] = nn.Parameter(getattr(layer, name).detach().clone(), requires_grad=False)
    return made.eval()


@torch.no_grad()
def first_states(layer: LSTM) -> tuple[Tensor, ...]:
    """Copies of the states that a layer has learnt to start from, (layers, width) each."""
    return tuple(getattr(layer, f"initial_{name}").detach().clone() for name in layer.cell.state)


def leaves(made: Any) -> list[Tensor]:
    """All tensors of an output."""
    return [made] if isinstance(made, Tensor) else [one for part in made for one in leaves(part)]
