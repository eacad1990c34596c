"""What convert measures: a layer before and after, on one input, leaving no mark in the layer.

A bare copy of the layer is run: its class, attributes and weights as they are, without its hooks, parametrisations and training mode.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from byhand.engine.observe import active
from byhand.nn import LSTM, LSTMCell

if TYPE_CHECKING:
    from collections.abc import Mapping

ROUNDINGS = (
    100  # how much larger a difference may be than one rounding of the largest number, or than what one of the input makes
)
SHARP = 0.01  # an allowance for the outputs, which lie within ±1, with which a wrong equation would still be seen


class Measured(NamedTuple):
    """Outputs and states, and gradients by input and weights."""

    outputs: list[Tensor]
    gradients: list[Tensor]


class Allowance(NamedTuple):
    """The greatest differences, in outputs and in gradients, that rounding explains."""

    outputs: float
    gradients: float


def plain_class(module: nn.Module) -> type[nn.Module]:
    """The class, without the one that torch puts over it for parametrisations."""
    return type(module).__mro__[1] if parametrize.is_parametrized(module) else type(module)


def weight_names(module: nn.Module) -> list[str]:
    """The names by which the layer reads its weights, whatever stands behind them."""
    if isinstance(module, LSTM):
        return [name for place in module.sublayers for name in module.layer_parameters(place).names()]
    if isinstance(module, LSTMCell):
        return module.layer_parameters.names()
    if isinstance(module, nn.RNNBase):
        return [name for names in module._all_weights for name in names]
    return [name for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh") if getattr(module, name) is not None]


@torch.no_grad()
def first_weight(module: nn.Module) -> Tensor:
    """A parameter, what a parametrisation makes, or a plain tensor."""
    return getattr(module, weight_names(module)[0])


def bare(module: nn.Module, *, tamed: bool) -> nn.Module:
    """A copy with copied weights and without hooks and parametrisations; all else that it holds it shares with the module.

    Half precision becomes float32, in which a fault is not taken for rounding. tamed: NaN and infinity become 0, and large
    weights are scaled down.
    """
    kind, names = plain_class(module), weight_names(module)
    with torch.no_grad():
        read = {name: getattr(module, name).detach().clone() for name in names}
    weights = {name: nn.Parameter(tame(value) if tamed else value) for name, value in read.items()}
    parameters, buffers, parts = (
        {name: one for name, one in held.items() if name not in (*names, "parametrizations")}
        for held in (module._parameters, module._buffers, module._modules)
    )
    half = any(value.dtype in (torch.float16, torch.bfloat16) for value in read.values())
    if half:  # what is shared must not be cast
        parameters, buffers, parts = deepcopy((parameters, buffers, parts))
    copy = kind.__new__(kind)
    vars(copy).update({name: value for name, value in vars(module).items() if name not in names})
    vars(copy).update(_parameters=parameters | weights, _buffers=buffers, _modules=parts, training=False)
    if "_flat_weights" in vars(copy):
        copy._init_flat_weights()  # type: ignore[operator]
    return copy.float() if half else copy


def tame(value: Tensor) -> Tensor:
    """Finite, and no larger than weights are at their start, so that a layer of any size keeps rounding small."""
    most = value.shape[-1] ** -0.5 if value.dim() == 2 else 1.0
    value = value.nan_to_num(nan=0, posinf=0, neginf=0)
    return value * (most / value.abs().max().clamp(min=most)) if value.numel() else value


def random_input(module: nn.Module) -> Tensor:
    """The same for the same sizes: (3, input) for a cell, else (5, 3, input)."""
    like = first_weight(module)
    single = isinstance(module, nn.RNNCellBase | LSTMCell)
    shape = [*([3] if single else [5, 3]), int(module.input_size)]  # type: ignore[arg-type]
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(like)


def measure(module: nn.Module, x: Tensor) -> Measured:
    """Run a bare copy and differentiate it. Code that draws random numbers draws the same each time, and the caller's are not used up."""
    x = x.detach().requires_grad_()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        outputs = flat(module.forward(x))
    loss = sum((one * torch.linspace(-1, 1, one.numel()).to(one).view_as(one)).sum() for one in outputs)
    weights = [getattr(module, name) for name in weight_names(module)]
    gradients = torch.autograd.grad(loss, [x, *weights], materialize_grads=True)  # type: ignore[arg-type]
    return Measured([one.detach() for one in outputs], list(gradients))


def flat(result: Any) -> list[Tensor]:
    return [result] if isinstance(result, Tensor) else [one for part in result for one in flat(part)]


def allowance(module: nn.Module, x: Tensor, measured: Measured) -> Allowance:
    """What rounding explains: by the size of the numbers, and by what a rounding of the input does to the layer itself."""
    rounding = torch.finfo(x.dtype).eps
    nudged, weights = measure(module, x * (1 + rounding)), [getattr(module, name) for name in weight_names(module)]
    return Allowance(
        *(
            ROUNDINGS * (rounding * max(1.0, largest([*one, *weights])) + greatest(one, other))
            for one, other in zip(measured, nudged, strict=True)
        )
    )


def largest(values: Sequence[Tensor]) -> float:
    """Infinite if any value is not finite."""
    return max((one.detach().abs().nan_to_num(nan=torch.inf).max().item() for one in values if one.numel()), default=0.0)


def greatest(one: Sequence[Tensor], other: Sequence[Tensor]) -> float:
    """The greatest difference; infinite if any value is not finite."""
    return largest([a - b for a, b in zip(one, other, strict=True)])


def reaches_engine(module: nn.Module, x: Tensor) -> bool:
    """Whether the layer's forward asks a byhand engine."""
    watch = Watch(module)
    with active(watch), torch.no_grad():
        module.forward(x)
    return watch.called


class Watch:
    """The observer behind reaches_engine."""

    reads = in_graph = called = False

    def __init__(self, module: nn.Module) -> None:
        self.paths: Mapping[nn.Module, str] = {module: ""}

    def edits(self, place: str) -> Mapping[str, Any]:
        return {}

    def observe(self, place: str, call: object, result: object) -> None:
        self.called = True
