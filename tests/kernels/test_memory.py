"""Nothing that a layer hands out shares memory with anything else that it hands out, unless torch's own layer does so too; what is done
to it in place (gradients above all) acts once.
"""

from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any

import pytest
import torch
from cases import CASES, as_hx, as_tuple
from pairs import COMPILED
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

import byhand
from byhand import LSTM, Cell, LSTMCell, cells, record, use_engine

Named = dict[str, Tensor]
SHORT, LONG = (4, 3, 5), (70, 65, 5)  # more steps times sequences than the short way takes
PATHS: dict[str, tuple[dict[str, Any], tuple[int, int, int], int]] = {
    "short": ({}, SHORT, 6),
    "short, stacked": ({"num_layers": 3}, SHORT, 6),
    "long": ({}, LONG, 6),
    "large weights": ({}, SHORT, 330),
    "batch_first": ({"batch_first": True}, SHORT, 6),
    "projected": ({"proj_size": 2}, SHORT, 6),
    "bidirectional, stacked": ({"bidirectional": True, "num_layers": 2}, SHORT, 6),
    "no biases": ({"bias": False}, SHORT, 6),
    "learnt start": ({"learn_initial_state": True}, SHORT, 6),
}
SOME = ("lstm", "gru", "peephole", "rnn", "min_lstm", "slstm", "layernorm_lstm", "full_gate_recurrence(lstm)")


def extent(value: Tensor) -> tuple[int, int]:
    """The addresses from the first to behind the last number."""
    last = sum((size - 1) * stride for size, stride in zip(value.shape, value.stride(), strict=True))
    return value.data_ptr(), value.data_ptr() + (last + 1) * value.element_size()


def overlaps(found: Named) -> list[tuple[str, str]]:
    """The pairs that share addresses."""
    extents = {name: extent(value) for name, value in found.items() if value.numel()}
    return [
        (one, other)
        for (one, (begin, end)), (other, (first, last)) in combinations(extents.items(), 2)
        if begin < last and first < end
    ]


def data(value: Tensor | PackedSequence) -> Tensor:
    return value.data if isinstance(value, PackedSequence) else value


def handed_out(module: nn.Module, x: Any, hx: Any = None) -> Named:
    """All tensors that somebody gets of a call and its derivative, by name; those he gave, too."""
    given = {"input": data(x)} | {f"hx{i}": one for i, one in enumerate(as_tuple(hx) if hx is not None else ())}
    result = module(x, hx)
    output, state = (result[0], result[1]) if not isinstance(module, LSTMCell | nn.LSTMCell | nn.GRUCell) else (None, result)
    found = {f"state{i}": one for i, one in enumerate(as_tuple(state))}
    if output is not None:
        found["output"] = data(output)
    module.zero_grad()
    sum((value * torch.linspace(1, 2, value.numel()).to(value).view_as(value)).sum() for value in found.values()).backward()
    grads = {f"grad {name}": one.grad for name, one in module.named_parameters()}
    grads |= {f"grad {name}": one.grad for name, one in given.items()}
    return found | given | {name: one for name, one in grads.items() if one is not None}


def states_of(cell: Cell, shape: tuple[int, ...], dtype: torch.dtype) -> Any:
    return as_hx(tuple(torch.randn(shape, dtype=dtype, requires_grad=True) for _ in cell.state))


def example(name: str, path: str, dtype: torch.dtype) -> tuple[LSTM, Tensor]:
    options, shape, hidden = PATHS[path]
    cell = CASES[name][0]
    return LSTM(shape[2], hidden, cell=cell, dtype=dtype, **options), torch.randn(shape, dtype=dtype, requires_grad=True)


def torchs(layer: nn.Module, *given: Any) -> list[tuple[str, str]]:
    """The pairs of torch's own layer; none where it has none like it."""
    kind = {"lstm": nn.LSTM, "gru": nn.GRU}.get(layer.cell.name)
    if kind is None or getattr(layer, "learn_initial_state", False):
        return []
    names = ("num_layers", "bias", "batch_first", "bidirectional", *(("proj_size",) if kind is nn.LSTM else ()))
    options = {name: getattr(layer, name) for name in names}
    return overlaps(handed_out(kind(layer.input_size, layer.hidden_size, dtype=layer.weight_ih_l0.dtype, **options), *given))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
@pytest.mark.parametrize(
    ("name", "path"),
    [(name, path) for name in SOME for path in PATHS if path != "projected" or not CASES[name][0].reads_its_output],
)
def test_nothing_overlaps(name: str, path: str, dtype: torch.dtype) -> None:
    layer, x = example(name, path, dtype)
    assert set(overlaps(handed_out(layer, x))) <= set(torchs(layer, x.detach().requires_grad_()))


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
@pytest.mark.parametrize(
    ("name", "path"),
    [("lstm", path) for path in PATHS] + [(name, path) for name in ("gru", "rnn") for path in PATHS if path != "projected"],
)
def test_nothing_of_torchs_own_kernels_overlaps(name: str, path: str, dtype: torch.dtype) -> None:
    layer, x = example(name, path, dtype)
    with use_engine("aten"):
        found = overlaps(handed_out(layer, x))
    assert set(found) <= set(torchs(layer, x.detach().requires_grad_()))


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("engine", ["cpp", "aten", "reference"])
@pytest.mark.parametrize("path", [path for path in PATHS if path not in ("long", "large weights", "learnt start")])
def test_nothing_overlaps_with_given_states_packed_and_recorded(path: str, engine: str) -> None:
    layer, x = example("lstm", path, torch.float64)
    places, batch = len(layer.sublayers), x.shape[0 if layer.batch_first else 1]
    width = layer.proj_size or layer.hidden_size
    hx = tuple(torch.randn(places, batch, size, dtype=x.dtype, requires_grad=True) for size in (width, layer.hidden_size))
    time = x.shape[1 if layer.batch_first else 0]
    lengths = torch.tensor([time, 1, *[time - 1] * (batch - 2)])
    packed = pack_padded_sequence(x.detach(), lengths, batch_first=layer.batch_first, enforce_sorted=False)
    rows = packed.data.clone().requires_grad_()
    for given in (x, PackedSequence(rows, *packed[1:])):
        with use_engine(engine), record(layer, gradients=True) as trace:
            found = handed_out(layer, given, hx)
        found |= {f"trace {name}": trace[name] for name in trace} | {f"trace grad {name}": trace.grad[name] for name in trace}
        for place in trace.places:
            found |= {f"trace {place} input": trace.input(place)}
            found |= {f"trace {place} first {state}": trace.initial(f"{place}.{state}") for state in layer.cell.state}
        assert not overlaps(found)


@pytest.mark.parametrize("name", COMPILED)
def test_every_cell_in_a_single_step(name: str) -> None:
    cell = CASES[name][0]
    module = LSTMCell(4, 6, cell=cell, dtype=torch.float64)
    x = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    assert not overlaps(handed_out(module, x, states_of(cell, (3, 6), torch.float64)))
    with use_engine("reference"), record(module) as trace:
        found = handed_out(module, x, states_of(cell, (3, 6), torch.float64))
    assert not overlaps(found | {f"trace {site}": trace[site] for site in trace})


def lazy(x: Any, u: Any, s: Any, p: Any) -> Any:
    """One new state twice, and an old one as it was."""
    h = torch.tanh(x.a + u.a)
    return (h, h, s.old), {"h": h, "again": h, "old": s.old}


def test_a_step_that_returns_one_tensor_twice() -> None:
    cell = Cell(name="lazy", gates=("a",), state=("h", "again", "old"), step=lazy)
    for engine in ("cpp", "reference"):
        with use_engine(engine):
            module = LSTMCell(2, 3, cell=cell)
            assert not overlaps(
                handed_out(module, torch.randn(2, 2, requires_grad=True), states_of(cell, (2, 3), torch.float32))
            )
            assert not overlaps(handed_out(LSTM(2, 3, cell=cell), torch.randn(4, 2, 2, requires_grad=True)))


def test_a_stepper_and_a_compiled_layer() -> None:
    layer = LSTM(3, 4, 2)
    stepper, x = layer.stepper(batch=2), torch.randn(2, 3)
    outputs = {f"output {i}": stepper(x) for i in range(3)} | {f"state {i}": one for i, one in enumerate(stepper.state)}
    assert not overlaps(outputs | {"input": x})
    compiled = torch.compile(layer, backend="aot_eager")
    assert not overlaps(handed_out(compiled, torch.randn(4, 2, 3, requires_grad=True)))


def test_a_trace_stays_what_it_was_when_its_caller_writes_over_what_he_gave_and_got() -> None:
    layer, x = LSTM(3, 4), torch.randn(5, 2, 3)
    hx = tuple(torch.randn(1, 2, 4) for _ in range(2))
    for engine in ("cpp", "reference"):
        with use_engine(engine), torch.no_grad(), record(layer) as trace:
            y, last = layer(x, hx)
        places = {name: trace[name].clone() for name in trace} | {"input": trace.input("l0").clone()}
        for one in (y, *last, x, *hx):
            one.zero_()
        assert all(torch.equal(trace[name], places[name]) for name in trace)
        assert torch.equal(trace.input("l0"), places["input"]) and trace.initial("l0.c").abs().min() > 0
        x, hx = torch.randn(5, 2, 3), tuple(torch.randn(1, 2, 4) for _ in range(2))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize(
    "options",
    [{}, {"batch_first": True}, {"proj_size": 2}, {"num_layers": 2}, {"bidirectional": True}],
    ids=str,
)
@pytest.mark.parametrize("hidden", [4, 330])
@pytest.mark.filterwarnings("ignore:LSTM with projections")
def test_what_may_be_written_in_place_is_what_torch_lets_one_write(
    options: dict[str, Any], dtype: torch.dtype, hidden: int
) -> None:
    for index in range(3):
        found = []
        for kind in (nn.LSTM, LSTM):
            torch.manual_seed(0)
            layer, x = kind(3, hidden, dtype=dtype, **options), torch.randn(5, 2, 3, dtype=dtype)
            y, last = layer(x)
            (y, *last)[index].mul_(2.0)
            refused = ""
            try:
                (y.sum() + last[0].sum() + last[1].sum()).backward()
            except RuntimeError as refusal:
                refused = str(refusal)
            assert not refused or "modified by an inplace operation" in refused
            found.append([] if refused else [one.grad for one in layer.parameters()])
        for theirs, ours in zip(*found, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4 if dtype == torch.float32 else 1e-10, atol=1e-5)


# How a training treats its gradients: the optimiser, then what is done before each step.
Step = Callable[[nn.Module, torch.optim.Optimizer, Callable[[slice], Tensor]], None]


def plain(layer: nn.Module, optimiser: torch.optim.Optimizer, loss: Callable[[slice], Tensor]) -> None:
    loss(slice(None)).backward()


def clipped(layer: nn.Module, optimiser: torch.optim.Optimizer, loss: Callable[[slice], Tensor]) -> None:
    plain(layer, optimiser, loss)
    nn.utils.clip_grad_norm_(layer.parameters(), 0.05)


def clipped_by_value(layer: nn.Module, optimiser: torch.optim.Optimizer, loss: Callable[[slice], Tensor]) -> None:
    plain(layer, optimiser, loss)
    nn.utils.clip_grad_value_(layer.parameters(), 0.01)


def accumulated(layer: nn.Module, optimiser: torch.optim.Optimizer, loss: Callable[[slice], Tensor]) -> None:
    for part in (slice(0, 1), slice(1, 2), slice(2, 3)):
        loss(part).backward()


def accumulated_and_clipped(layer: nn.Module, optimiser: torch.optim.Optimizer, loss: Callable[[slice], Tensor]) -> None:
    accumulated(layer, optimiser, loss)
    nn.utils.clip_grad_norm_(layer.parameters(), 0.05)


def unscaled(layer: nn.Module, optimiser: torch.optim.Optimizer, loss: Callable[[slice], Tensor]) -> None:
    (loss(slice(None)) * 1024).backward()
    for group in optimiser.param_groups:  # what GradScaler.unscale_ does, in float64 too
        for parameter in group["params"]:
            parameter.grad.div_(1024)


def noisy(layer: nn.Module, optimiser: torch.optim.Optimizer, loss: Callable[[slice], Tensor]) -> None:
    plain(layer, optimiser, loss)
    for parameter in layer.parameters():
        parameter.grad.add_(0.001)


SGD, ADAMW = torch.optim.SGD, torch.optim.AdamW
SETUPS: dict[str, tuple[Callable[..., torch.optim.Optimizer], dict[str, Any], Step]] = {
    "clipped": (SGD, {"lr": 0.5}, clipped),
    "clipped by value": (SGD, {"lr": 0.5}, clipped_by_value),
    "accumulated": (SGD, {"lr": 0.1}, accumulated),
    "accumulated and clipped": (SGD, {"lr": 0.5, "momentum": 0.9}, accumulated_and_clipped),
    "unscaled": (SGD, {"lr": 0.1}, unscaled),
    "weight decay": (SGD, {"lr": 0.1, "weight_decay": 0.1}, plain),
    "maximised with weight decay": (SGD, {"lr": 0.01, "weight_decay": 0.1, "maximize": True}, plain),
    "written to by hand": (SGD, {"lr": 0.1}, noisy),
    "fused AdamW, clipped": (ADAMW, {"lr": 0.01, "fused": True}, clipped),
    "foreach AdamW, clipped": (ADAMW, {"lr": 0.01, "foreach": True}, clipped),
    "foreach SGD with Nesterov's momentum": (SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True, "foreach": True}, accumulated),
    "fused SGD, accumulated": (SGD, {"lr": 0.1, "fused": True, "weight_decay": 0.01}, accumulated),
}


def trained(layer: nn.Module, setup: str, x: Tensor) -> Iterator[Tensor]:
    """The parameters after fifty steps."""
    make, options, step = SETUPS[setup]
    optimiser = make(layer.parameters(), **options)

    def loss(part: slice) -> Tensor:
        return (layer(x[part])[0] - 1).square().mean()

    for _ in range(50):
        optimiser.zero_grad()
        step(layer, optimiser, loss)
        optimiser.step()
    return layer.parameters()


@pytest.mark.parametrize("kind", ["lstm", "gru"])
@pytest.mark.parametrize("setup", SETUPS)
def test_fifty_steps_as_with_torch(setup: str, kind: str) -> None:
    x = torch.randn(3, 5, 2, dtype=torch.float64)
    theirs = (nn.LSTM if kind == "lstm" else nn.GRU)(2, 4, 2, batch_first=True, dtype=torch.float64)
    ours = byhand.LSTM(2, 4, 2, batch_first=True, dtype=torch.float64, cell=getattr(cells, kind))
    ours.load_state_dict(theirs.state_dict())
    for mine, other in zip(trained(ours, setup, x), trained(theirs, setup, x), strict=True):
        assert (mine - other).abs().max() <= 1e-12
