"""Parameters that cannot be distinguished, or that nothing depends on, by their gradients.

Two parameters a and b of one shape are one parameter in disguise where, for every input and whatever the parameters are,

    ∂L/∂a = r · ∂L/∂b      with one and the same number r

since then L depends on r·a + b alone (along that line nothing changes), and only that sum can be learnt. So the gradients are taken
for each input at several places, near the model's own parameters and in double precision, and compared: equal direction, equal ratio.
At the model's own parameters alone, two gradients may be alike by chance, or both 0 because a gate is shut.

bias_ih and bias_hh of torch's recurrent layers, and so of byhand's, are such a pair on purpose (a relic of cuDNN's interface): nothing
is said of them.

The general fact, that a parameter is locally identifiable where the gradients span its direction: Rothenberg, Identification in Parametric
Models, Econometrica 39(3), 1971.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from byhand.explain.diagnose.findings import Finding, units
from byhand.nn import LSTM, LSTMCell

Scalar = Callable[[Any, Any], Tensor]  # a model's output and the item it was made from -> one number

DRAWS = 6  # places around the model's own parameters
LARGE = 100_000  # parameters; above, fewer gradients do, since each holds many numbers
FEW_ITEMS = 2
ENOUGH = 3  # gradients other than 0, before anything is said of their ratios
LARGEST = 2.0  # of the numbers of a parameter there; what was trained at far too high a rate has weights in the hundreds
SAME, SAME_IN_FLOAT = 1e-8, 1e-4  # relative


class Called(nn.Module):
    """A model and how it is called, as one module."""

    def __init__(self, model: nn.Module, call: Callable[[nn.Module, Any], Any]) -> None:
        super().__init__()
        self.model, self.call = model, call

    def forward(self, item: Any) -> Any:
        return self.call(self.model, item)


def check_parameters(
    model: nn.Module, call: Callable[[nn.Module, Any], Any], items: Sequence[Any], scalar: Scalar
) -> Iterator[Finding]:
    """Unused and duplicated parameters."""
    names = [name for name, value in model.named_parameters() if value.requires_grad and value.is_floating_point()]
    names = [name for name in names if name not in twin_biases(model)]
    if not names:
        return
    few = sum(value.numel() for value in model.parameters()) > LARGE
    items, draws = (items[:FEW_ITEMS], 2) if few else (items, DRAWS)
    rows = [row for draw in range(draws) for row in all_gradients(Called(model, call), names, items, scalar, draw)]
    norms = torch.stack([torch.stack([grad.norm() for grad in row]) for row in rows])  # (rows, parameters)
    unused = [name for name, norm in zip(names, norms.amax(0).tolist(), strict=True) if norm == 0]
    for name in unused:
        later = " A recurrent layer reads it from the second step on: are the sequences longer than one?"
        yield Finding(
            "unused parameter",
            name,
            f"its gradient is exactly 0 in all {len(rows)} of {len(rows)} gradients taken",
            "Nothing that the model gives depends on it: look for a value that is computed and not used, or one used in its place."
            + (later if name in recurrent(model) else ""),
        )
    for group, ratios in duplicates(names, rows, norms):
        factors = ", ".join(f"that of {name} is {ratio:.6g} times" for name, ratio in zip(group[1:], ratios, strict=True))
        yield Finding(
            "duplicated parameters",
            " and ".join(group),
            f"{factors} the gradient of {group[0]}, in all {len(rows)} of {len(rows)} gradients taken: for every input, and at several"
            " values of the parameters",
            "Whatever multiplies one multiplies the other too, so only their sum can be learnt: look whether each is given the value it"
            " is meant for. (An output gate that reads the short memory twice, and never the input, looks like this.)",
        )


def twin_biases(model: nn.Module) -> set[str]:
    """The second biases of recurrent layers, which are equal to the first by design."""
    return {name for name in recurrent(model) if name.rpartition(".")[2].startswith("bias_hh")}


def recurrent(model: nn.Module) -> list[str]:
    """The parameters of recurrent layers that are not those of the input alone."""
    return [
        f"{path}.{name}" if path else name
        for path, module in model.named_modules()
        if isinstance(module, nn.RNNBase | nn.RNNCellBase | LSTM | LSTMCell)
        for name, _ in module.named_parameters(recurse=False)
        if not name.startswith(("weight_ih", "bias_ih"))
    ]


def check_values(model: nn.Module) -> Iterator[Finding]:
    """Parameters that are not finite, and inputs of matrices whose weights are all exactly 0."""
    for name, value in model.named_parameters():
        bad = value[~value.isfinite()]
        if len(bad):
            yield Finding(
                "not finite",
                name,
                f"{len(bad)} of its {value.numel()} values, the first of them {bad[0].item()}",
                "Go back to a checkpoint from before: no step of training mends it. A lower learning rate or clipped gradients"
                " (lightning: gradient_clip_val=1.0) keep parameters from getting there.",
            )
        if value.dim() != 2 or value.numel() < 2:
            continue
        silent = (value == 0).all(0).nonzero().flatten().tolist()
        if silent:
            yield Finding(
                "zero weights",
                name,
                f"all weights of {units(silent, value.shape[1], 'input')} are exactly 0",
                "What comes in there is not heard at all. Right for a layer that is to start silent, or was pruned; else look where these"
                " weights are set.",
            )


def all_gradients(called: Called, names: list[str], items: Sequence[Any], scalar: Scalar, draw: int) -> Iterator[list[Tensor]]:
    """For each item the gradients by all parameters, near the model's own. In double precision where the model runs in it."""
    try:
        yield from [gradient(called, names, item, scalar, draw, double=True) for item in items]
    except (RuntimeError, TypeError, ValueError):  # it makes tensors of a dtype of its own
        yield from [gradient(called, names, item, scalar, draw, double=False) for item in items]


def gradient(called: Called, names: list[str], item: Any, scalar: Scalar, draw: int, *, double: bool) -> list[Tensor]:
    generator = torch.Generator().manual_seed(draw)

    def cast(value: Tensor) -> Tensor:
        return value.detach().double() if double and value.is_floating_point() else value.detach()

    model = called.model
    moved = {name: near(cast(value), generator) if name in names else cast(value) for name, value in model.named_parameters()}
    leaves = [moved[name].requires_grad_() for name in names]
    state = moved | {name: cast(value) for name, value in model.named_buffers()}
    with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
        given = converted(item, cast)
        output = torch.func.functional_call(called, {f"model.{name}": value for name, value in state.items()}, (given,))
        value = scalar(output, given)
        if not value.requires_grad:
            raise ValueError("diagnose expected loss to depend on the model's parameters, got a value without a gradient")
        return list(torch.autograd.grad(value, leaves, allow_unused=True, materialize_grads=True))


def near(value: Tensor, generator: torch.Generator) -> Tensor:
    """Somewhat moved, and smaller, so that saturated gates open: in one that is shut entirely all gradients round to 0."""
    if not value.is_floating_point():
        return value
    size = value.abs().max() if value.numel() else value.new_zeros(())
    if size > LARGEST:
        value = value * (LARGEST / size)
    share = 0.25 + 0.75 * torch.rand(value.shape, generator=generator, dtype=torch.float64)
    move = 0.1 * torch.randn(value.shape, generator=generator, dtype=torch.float64)
    width = value.shape[-1] if value.dim() > 1 else 1
    return value * share.to(value) + move.to(value) / width**0.5


def converted(item: Any, cast: Callable[[Tensor], Tensor]) -> Any:
    """The same item with its tensors cast."""
    if isinstance(item, Tensor):
        return cast(item)
    if isinstance(item, nn.utils.rnn.PackedSequence):
        return item._replace(data=cast(item.data))
    if isinstance(item, tuple) and hasattr(item, "_fields"):
        return type(item)(*(converted(one, cast) for one in item))
    if isinstance(item, list | tuple):
        return type(item)(converted(one, cast) for one in item)
    if isinstance(item, dict):
        return {key: converted(one, cast) for key, one in item.items()}
    return item


def duplicates(names: list[str], rows: list[list[Tensor]], norms: Tensor) -> Iterator[tuple[list[str], list[float]]]:
    """Groups of parameters whose gradients are in one ratio in all rows, with the others' ratios to the first."""
    left = [index for index in range(len(names)) if int((norms[:, index] > 0).sum()) >= ENOUGH]
    while left:
        first, *others = left
        found = {other: ratio for other in others if (ratio := proportion(rows, norms, first, other)) is not None}
        if found:
            yield [names[one] for one in (first, *found)], list(found.values())
        left = [other for other in others if other not in found]


def proportion(rows: list[list[Tensor]], norms: Tensor, first: int, other: int) -> float | None:
    """The number r with other = r · first in every row; None if there is none."""
    if rows[0][first].shape != rows[0][other].shape or not torch.equal(norms[:, first] > 0, norms[:, other] > 0):
        return None
    same = SAME if norms.dtype == torch.float64 else SAME_IN_FLOAT
    ratio: Tensor | None = None
    for row, size in zip(rows, norms[:, first], strict=True):
        a, b = row[first], row[other]
        if size > 0:
            ratio = (a * b).sum() / size.square() if ratio is None else ratio
            if not bool((b - ratio * a).norm() <= same * ratio.abs() * size):
                return None
    return None if ratio is None else ratio.item()
