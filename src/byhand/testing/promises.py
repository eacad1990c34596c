"""The promises that a cell keeps, each with the check that finds it broken: what check_cell runs."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.func import functional_call, grad, vmap
from torch.nn.utils.rnn import pack_sequence

from byhand.cells.graph import compiled
from byhand.engine.dispatch import use_engine
from byhand.errors import CellError
from byhand.nn import LSTM
from byhand.nn.engines import engines
from byhand.trace.edit import edit
from byhand.trace.record import record

if TYPE_CHECKING:
    from byhand.cells import Cell

TIME, BATCH, INPUT, HIDDEN = 5, 3, 2, 6


class NotApplicable(Exception):  # noqa: N818 (it is no error)
    """A promise that does not concern this cell, and why."""


PROMISES: dict[str, Callable[[Cell], None]] = {}


def promise(words: str) -> Callable[[Callable[[Cell], None]], Callable[[Cell], None]]:
    def keep(check: Callable[[Cell], None]) -> Callable[[Cell], None]:
        PROMISES[words] = check
        return check

    return keep


def expect(condition: object, message: str) -> None:
    if not condition:
        raise CellError(message)


def arguments(cell: Cell, *shape: int, dtype: torch.dtype = torch.float64) -> list[tuple[Tensor, ...]]:
    """Random x, u, s, p of a step. Masks are between 0 and 1."""
    masks = {noise.name for noise in cell.noise}

    def some(names: tuple[str, ...]) -> tuple[Tensor, ...]:
        return tuple((torch.rand if name in masks else torch.randn)(shape or (BATCH, HIDDEN), dtype=dtype) for name in names)

    return [some(cell.gates), some(cell.gates) if cell.sources else (), some(cell.state), some(cell.parameters)]


def layer(cell: Cell, dtype: torch.dtype = torch.float64) -> LSTM:
    """A layer in eval mode, whose parameters are all random."""
    made = LSTM(INPUT, HIDDEN, cell=cell, dtype=dtype).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(torch.randn_like(parameter) / 2)
    return made


def sequence(dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(TIME, BATCH, INPUT, dtype=dtype)


def outcome(made: LSTM, x: Tensor) -> list[Tensor]:
    y, state = made(x)
    return [y, *(state if isinstance(state, tuple) else (state,))]


def same(one: list[Tensor], other: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@promise("every state is a site, and every result has the step's shape")
def check_shapes(cell: Cell) -> None:
    state, sites = cell.apply(*arguments(cell))
    expect(len(state) == len(cell.state), f"the step gives {len(state)} states, cell.state names {cell.state!r}")
    missing = [name for name in cell.state if name not in sites and name not in cell.gates]
    expect(
        not missing,
        f"the states {missing!r} are not among the sites {tuple(sites)!r}: add them to the dict that the step gives",
    )
    for name, value in (*zip(cell.state, state, strict=True), *sites.items()):
        expect(isinstance(value, Tensor), f"{name} is a {type(value).__name__}, not a tensor")
        expect(value.shape == (BATCH, HIDDEN), f"{name} has shape {tuple(value.shape)}, expected {(BATCH, HIDDEN)}")


@promise("the step is pure")
def check_pure(cell: Cell) -> None:
    given = arguments(cell)
    copies = [tuple(value.clone() for value in part) for part in given]
    first = cell.apply(*given)
    expect(same([v for p in given for v in p], [v for p in copies for v in p]), "the step writes into its arguments")
    second = cell.apply(*given)
    expect(same(list(first[1].values()), list(second[1].values())), "the same arguments give another result the second time")


@promise("unit j depends on unit j only (elementwise)")
def check_elementwise(cell: Cell) -> None:
    if not cell.elementwise:
        raise NotApplicable("the cell says elementwise=False")
    given = arguments(cell)
    whole = cell.apply(*given)[1]
    for unit in range(HIDDEN):
        part = cell.apply(*[tuple(value[..., unit : unit + 1] for value in part) for part in given])[1]
        wrong = [
            name for name in whole if not torch.allclose(part[name], whole[name][..., unit : unit + 1], rtol=1e-12, atol=1e-14)
        ]
        expect(not wrong, f"{wrong} of a unit depend on other units: say elementwise=False")


@promise("sequences of a batch do not mix")
def check_batch(cell: Cell) -> None:
    made, x = layer(cell), sequence()
    together = made(x)[0]
    alone = torch.cat([made(x[:, b : b + 1])[0] for b in range(BATCH)], 1)
    expect(torch.allclose(together, alone, rtol=1e-10, atol=1e-12), "a sequence gives something else alone than in a batch")


@promise("a sequence equals its steps, one call each")
def check_steps(cell: Cell) -> None:
    made, x = layer(cell), sequence()
    whole, steps, state = made(x)[0], [], None
    for step in x:
        y, state = made(step.unsqueeze(0), state)
        steps.append(y)
    expect(
        torch.allclose(whole, torch.cat(steps), rtol=1e-10, atol=1e-12), "what is carried from call to call is not all there is"
    )


@promise("packed sequences equal each one alone")
def check_packed(cell: Cell) -> None:
    made = layer(cell)
    sequences = [torch.randn(length, INPUT, dtype=torch.float64) for length in (2, TIME, 1)]
    packed, _ = made(pack_sequence(sequences, enforce_sorted=False))
    padded, _ = torch.nn.utils.rnn.pad_packed_sequence(packed)
    for b, one in enumerate(sequences):
        expect(torch.allclose(padded[: len(one), b], made(one)[0], rtol=1e-10, atol=1e-12), f"sequence {b} differs when packed")


@promise("recording changes nothing")
def check_recording(cell: Cell) -> None:
    made, x = layer(cell), sequence()
    before = outcome(made, x)
    with record(made) as trace:
        during = outcome(made, x)
    expect(same(before, during), "results differ while they are recorded")
    expect(torch.equal(trace[f"l0.{cell.state[0]}"], before[0]), "the recorded output is not the output")


@promise("every site can be edited; a change by nothing changes nothing")
def check_edits(cell: Cell) -> None:
    made, x = layer(cell), sequence()
    compiled(cell, frozenset(cell.sites))
    with use_engine("reference"):
        before = outcome(made, x)
        with edit(made, {f"l0.{site}": lambda value: value for site in cell.sites}):
            expect(same(before, outcome(made, x)), "results differ under an edit that changes nothing")


@promise("every engine that runs the cell gives the same results and gradients")
def check_engines(cell: Cell) -> None:
    made, x = layer(cell), sequence()

    def everything() -> list[Tensor]:
        results = outcome(made, x)
        reached = [one for one in results if one.requires_grad]
        parameters = list(made.parameters())
        grads = torch.autograd.grad(
            sum((one.sin().sum() for one in reached), torch.zeros(())), parameters, materialize_grads=True
        )
        return [*results, *grads]

    with use_engine("reference"):
        expected = everything()
    for name, state in engines(made, x):
        if state.startswith("ready") and name != "reference":
            with use_engine(name):
                differences = [(a - b).abs().max().item() for a, b in zip(everything(), expected, strict=True)]
            expect(max(differences) < 1e-10, f"engine {name!r} differs by {max(differences):.1e} from the reference")


def differentiable(cell: Cell) -> tuple[LSTM, Callable[..., Tensor], list[Tensor]]:
    made = layer(cell)
    names = [name for name, _ in made.named_parameters()]

    def function(x: Tensor, *values: Tensor) -> Tensor:
        y, state = functional_call(made, dict(zip(names, values, strict=True)), (x,))
        return torch.cat([y.flatten(), *(one.flatten() for one in (state if isinstance(state, tuple) else (state,)))])

    inputs = [torch.randn(2, 2, INPUT, dtype=torch.float64), *(parameter.detach() for parameter in made.parameters())]
    return made, function, [value.clone().requires_grad_() for value in inputs]


@promise("gradients equal finite differences")
def check_gradients(cell: Cell) -> None:
    if cell.truncated:
        raise NotApplicable("its gradient is truncated on purpose")
    _, function, inputs = differentiable(cell)
    torch.autograd.gradcheck(function, inputs)


@promise("second gradients equal finite differences")
def check_second_gradients(cell: Cell) -> None:
    if cell.truncated:
        raise NotApplicable("its gradient is truncated on purpose")
    _, function, inputs = differentiable(cell)
    torch.autograd.gradgradcheck(function, inputs, fast_mode=True)


@promise("forward-mode derivatives equal backward-mode ones")
def check_forward_mode(cell: Cell) -> None:
    _, function, inputs = differentiable(cell)
    tangents = [torch.randn_like(value) for value in inputs]
    with forward_ad.dual_level():
        dual = function(*(forward_ad.make_dual(a.detach(), t) for a, t in zip(inputs, tangents, strict=True)))
        tangent = forward_ad.unpack_dual(dual).tangent
    y = function(*inputs)
    weights = torch.randn_like(y)
    grads = torch.autograd.grad((y * weights).sum(), inputs, allow_unused=True)
    assert tangent is not None
    expected = sum((g * t).sum() for g, t in zip(grads, tangents, strict=True) if g is not None)
    expect(torch.allclose((tangent * weights).sum(), torch.as_tensor(expected), rtol=1e-8), "the two directions disagree")


@promise("vmap over inputs equals a loop")
def check_vmap(cell: Cell) -> None:
    _, function, (x, *values) = differentiable(cell)
    many = torch.randn(3, *x.shape, dtype=x.dtype)
    mapped = vmap(lambda one: function(one, *values))(many)
    looped = torch.stack([function(one, *values) for one in many])
    expect(torch.allclose(mapped, looped, rtol=1e-10, atol=1e-12), "the two differ")


@promise("per-sample gradients by vmap equal a loop")
def check_sample_gradients(cell: Cell) -> None:
    _, function, (x, *values) = differentiable(cell)
    many = torch.randn(3, *x.shape, dtype=x.dtype)

    def loss(parameters: tuple[Tensor, ...], one: Tensor) -> Tensor:
        return function(one, *parameters).square().sum()

    mapped = vmap(grad(loss), in_dims=(None, 0))(tuple(values), many)
    looped = [grad(loss)(tuple(values), one) for one in many]
    for index, found in enumerate(mapped):
        expect(torch.allclose(found, torch.stack([one[index] for one in looped]), rtol=1e-9, atol=1e-11), "the two differ")


@promise("float32 and bfloat16 stay what they are")
def check_dtypes(cell: Cell) -> None:
    for dtype in (torch.float32, torch.bfloat16):
        for name, value in cell.apply(*arguments(cell, dtype=dtype))[1].items():
            expect(value.dtype == dtype, f"{name} of a step in {dtype} is {value.dtype}")
        for value in outcome(layer(cell, dtype), sequence(dtype)):
            expect(value.dtype == dtype, f"a layer in {dtype} gives {value.dtype}")


@promise("large pre-activations give no NaN")
def check_large(cell: Cell) -> None:
    for size in (30.0, 100.0, 1000.0):
        x, u, s, p = arguments(cell, dtype=torch.float32)
        sites = cell.apply(tuple(v.sign() * size for v in x), u, s, p)[1]
        wrong = [name for name, value in sites.items() if torch.isnan(value).any()]
        expect(not wrong, f"pre-activations of ±{size:g} give NaN in {wrong}")


@promise("the cell can be pickled, and equals itself")
def check_pickle(cell: Cell) -> None:
    try:
        again: Any = pickle.loads(pickle.dumps(cell))
    except (pickle.PicklingError, AttributeError) as problem:
        raise CellError(f"{problem}: define the step with def at the top of a module") from problem
    expect(again == cell, "what comes back is another cell")
