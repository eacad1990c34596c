"""Running a model again and again on the same input: the same random numbers each time, gradients wherever they can be."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

if TYPE_CHECKING:
    from byhand.engine.call import Call, Result
    from byhand.engine.observe import EditFunction

F = TypeVar("F")


def run(model: nn.Module, x: Any) -> Any:
    """What the model makes of its input; see taken."""
    match taken(model, x):
        case "*x":
            return model(*x)
        case "**x":
            return model(**x)
        case _:
            return model(x)


def taken(model: nn.Module, x: Any) -> Literal["x", "*x", "**x"]:
    """How a model takes its input: a tuple holds several arguments, a mapping those of the names that it has, if it has such."""
    if isinstance(x, Mapping):
        return "**x" if fits(model, **x) else "x"
    return "*x" if type(x) is tuple else "x"


def fits(model: nn.Module, *given: Any, **named: Any) -> bool:
    """Whether the model can be called with these arguments, by their number and names."""
    try:
        inspect.signature(model.forward).bind(*given, **named)
    except TypeError:
        return False
    return True


@contextmanager
def same_random_numbers(seed: int) -> Iterator[None]:
    """Dropout, zoneout and the like draw the same inside every such block, and nothing is drawn as far as the outside can tell."""
    with torch.random.fork_rng():
        if torch.accelerator.is_available():
            torch.manual_seed(seed)
        else:  # without the seeds of devices that are not there, which cost more than a short run
            torch.default_generator.manual_seed(seed)
        yield


def differentiable(x: Any) -> Any:
    """The same input, such that gradients by all that is made of it can be had."""
    if isinstance(x, PackedSequence):
        return x._replace(data=differentiable(x.data))
    if isinstance(x, Tensor):
        return x.detach().requires_grad_() if x.is_floating_point() else x
    if type(x) is tuple or type(x) is list:
        return type(x)(differentiable(one) for one in x)
    return {name: differentiable(one) for name, one in x.items()} if type(x) is dict else x


class Watched:
    """A scope that keeps what layers are handed and what they hand on, call by call, in the graph."""

    reads, in_graph = True, True

    def __init__(self, paths: Mapping[nn.Module, str]) -> None:
        self.paths = paths
        self.inputs: dict[str, list[Tensor]] = {}
        self.outputs: dict[str, list[Tensor]] = {}

    def edits(self, place: str) -> Mapping[str, EditFunction]:
        return {}

    def observe(self, place: str, call: Call, result: Result) -> None:
        self.inputs.setdefault(place, []).append(call.input)
        self.outputs.setdefault(place, []).append(result.output)


@contextmanager
def differentiable_inputs(modules: Iterable[nn.Module]) -> Iterator[None]:
    """Inside the block, gradients by what these layers are handed can be had, even where nothing before them has one: a constant, as
    the first input of a decoder, symbols, or what comes out of a frozen embedding.
    """

    def hand(_: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        if given:
            return (live(given[0]), *given[1:]), named
        return given, named | {"input": live(named["input"])} if "input" in named else named

    def live(x: Any) -> Any:
        value = x.data if isinstance(x, PackedSequence) else x
        return x if not isinstance(value, Tensor) or value.requires_grad else differentiable(x)

    with ExitStack() as hooks:
        for module in modules:
            hooks.enter_context(module.register_forward_pre_hook(hand, with_kwargs=True))
        yield


def function(value: F, purpose: str, what: str) -> F:
    """The same. TypeError for what cannot be called."""
    if not callable(value):
        raise TypeError(f"{purpose} expected {what} to be a function, got {value!r}")
    return value


def scalar(value: Any, purpose: str, what: str) -> Tensor:
    """TypeError or ValueError unless it is one number, finite and with a graph."""
    value = single(value, purpose, what)
    if not value.requires_grad:
        raise ValueError(f"{purpose} expected {what} to depend on the model's memories, got a value without a gradient")
    if not bool(value.isfinite()):
        raise ValueError(
            f"{purpose} expected {what} to give a finite number, got {value.item()}: byhand.check_finite finds the module"
        )
    return value


def single(value: Any, purpose: str, what: str) -> Tensor:
    """As a scalar. TypeError or ValueError unless it is a tensor of one number."""
    if not isinstance(value, Tensor):
        raise TypeError(f"{purpose} expected {what} to give a tensor of one number, got a {type(value).__name__}")
    if value.numel() != 1:
        raise ValueError(f"{purpose} expected {what} to give one number, got shape {tuple(value.shape)}: add .sum() or .mean()")
    return value.reshape(())
