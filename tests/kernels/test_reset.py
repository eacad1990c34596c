"""reset=: sequences that start again in the middle of a batch. Held against torch.nn.LSTM and nn.GRU, run step by step with states that
are set by hand, and against every piece run alone.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch
from cases import CASES, as_hx, as_tuple, layer, normal
from cases import Shape as Sizes
from pairs import COMPILED, threads
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import byhand
from byhand import LSTM, cells, edit, record, use_engine

TIME, BATCH, INPUT, HIDDEN = 9, 4, 3, 6
ENGINES = ("cpp", "reference")


def mask(time: int = TIME, batch: int = BATCH, share: float = 0.3) -> Tensor:
    return torch.rand(time, batch, generator=torch.Generator().manual_seed(1)) < share


def weighed(values: list[Tensor]) -> Tensor:
    return sum((one * torch.linspace(-1, 2, one.numel()).to(one).view_as(one)).sum() for one in values)  # type: ignore[return-value]


def results(run: Callable[[], tuple[Tensor, Any]], by: list[Tensor]) -> list[Tensor]:
    """Output, last states, and the gradients of a weighed sum of them."""
    output, state = run()
    values = [output, *as_tuple(state)]
    return [*values, *torch.autograd.grad(weighed(values), by, materialize_grads=True)]


def assert_same(ours: list[Tensor], theirs: list[Tensor], most: float = 1e-11) -> None:
    for index, (one, other) in enumerate(zip(ours, theirs, strict=True)):
        torch.testing.assert_close(one, other, rtol=most, atol=most, msg=lambda said, i=index: f"value {i}: {said}")


def by_hand(theirs: nn.Module, x: Tensor, hx: Any, reset: Tensor) -> tuple[Tensor, Any]:
    """Torch's layer, a step at a time, its states multiplied by 0 where an episode begins."""
    outputs, state = [], as_tuple(hx)
    for t in range(len(x)):
        state = tuple(one * ~reset[t].view(1, -1, 1) for one in state)
        output, new = theirs(x[t : t + 1], as_hx(state))
        outputs.append(output)
        state = as_tuple(new)
    return torch.cat(outputs), as_hx(state)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("kind", "cell", "options"),
    [
        (nn.LSTM, cells.lstm, {}),
        (nn.LSTM, cells.lstm, {"num_layers": 2}),
        (nn.LSTM, cells.lstm, {"proj_size": 2}),
        (nn.GRU, cells.gru, {"num_layers": 2}),
        (nn.RNN, cells.rnn, {}),
    ],
    ids=str,
)
def test_as_torch_with_states_that_are_set_by_hand(kind: Any, cell: Any, options: dict[str, Any], engine: str) -> None:
    theirs = kind(INPUT, HIDDEN, dtype=torch.float64, **options)
    ours = LSTM(INPUT, HIDDEN, cell=cell, dtype=torch.float64, **options)
    ours.load_state_dict(theirs.state_dict())
    x, reset = normal(TIME, BATCH, INPUT).requires_grad_(), mask()
    layers = options.get("num_layers", 1)
    widths = [options.get("proj_size", HIDDEN), HIDDEN][: len(cell.state)]
    hx = as_hx(tuple(normal(layers, BATCH, width).requires_grad_() for width in widths))
    with use_engine(engine):
        found = results(lambda: ours(x, hx, reset=reset), [x, *as_tuple(hx), *ours.parameters()])
    assert_same(found, results(lambda: by_hand(theirs, x, hx, reset), [x, *as_tuple(hx), *theirs.parameters()]))


def in_pieces(lstm: LSTM, x: Tensor, reset: Tensor) -> Tensor:
    """The outputs of every piece between two cuts, run alone."""
    rows = []
    for b in range(x.shape[1]):
        starts = [0, *(t for t in range(1, len(x)) if reset[t, b]), len(x)]
        pieces = [lstm(x[a:z, b : b + 1])[0] for a, z in pairwise(starts)]
        rows.append(torch.cat(pieces))
    return torch.cat(rows, 1)


@pytest.mark.parametrize("options", [{}, {"bidirectional": True}, {"learn_initial_state": True}, {"proj_size": 2}], ids=str)
@pytest.mark.parametrize("name", COMPILED)
def test_every_cell_as_its_pieces_alone(name: str, options: dict[str, Any]) -> None:
    cell = CASES[name][0]
    if cell.noise:
        options = options | {}
    if options.get("proj_size") and cell.reads_its_output:
        with pytest.raises(ValueError, match="proj_size expected a cell"):
            layer(cell, Sizes(TIME, BATCH, INPUT, HIDDEN), **options)
        return
    lstm = layer(cell, Sizes(TIME, BATCH, INPUT, HIDDEN), **options)
    x, reset = normal(TIME, BATCH, INPUT).requires_grad_(), mask()
    by = [x, *lstm.parameters()]
    alone = results(lambda: (in_pieces(lstm, x, reset), ()), by)
    for engine in ENGINES:
        with use_engine(engine):
            assert_same(results(lambda: (lstm(x, reset=reset)[0], ()), by), alone, 1e-10)


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("sizes", [(5, 4, 300), (40, 3, 65), (2, 1, 129), (70, 70, 5)], ids=str)
@pytest.mark.parametrize("options", [{}, {"bidirectional": True}, {"proj_size": 33}], ids=str)
def test_large_weights_and_threads(options: dict[str, Any], sizes: tuple[int, int, int], count: int) -> None:
    time, batch, hidden = sizes
    if options.get("proj_size", 0) >= hidden:
        options = {"proj_size": 2}
    lstm = LSTM(INPUT, hidden, dtype=torch.float64, **options)
    x, reset = normal(time, batch, INPUT).requires_grad_(), mask(time, batch)
    found = []
    for engine in ENGINES:
        with use_engine(engine), threads(count):
            found.append(results(lambda: lstm(x, reset=reset), [x, *lstm.parameters()]))
    assert_same(*found, most=1e-10)


def test_the_layouts_of_a_mask() -> None:
    x, reset = normal(TIME, BATCH, INPUT), mask()
    lstm = LSTM(INPUT, HIDDEN, dtype=torch.float64)
    expected = lstm(x, reset=reset)[0]
    swapped = LSTM(INPUT, HIDDEN, dtype=torch.float64, batch_first=True)
    swapped.load_state_dict(lstm.state_dict())
    torch.testing.assert_close(swapped(x.transpose(0, 1), reset=reset.t())[0], expected.transpose(0, 1))
    torch.testing.assert_close(lstm(x[:, 1], reset=reset[:, 1])[0], expected[:, 1])
    lengths = torch.tensor([5, 9, 2, 9])
    for engine in ENGINES:
        with use_engine(engine):
            packed, _ = lstm(pack_padded_sequence(x, lengths, enforce_sorted=False), reset=reset)
        padded, _ = pad_packed_sequence(packed)
        there = (torch.arange(TIME).unsqueeze(1) < lengths).unsqueeze(-1)
        torch.testing.assert_close(padded, torch.where(there, expected, 0))


@pytest.mark.parametrize("engine", ENGINES)
def test_nothing_starts_again_after_its_end(engine: str) -> None:
    """What a mask holds where a sequence has ended changes neither its last states nor, read backwards, its first."""
    x, lengths = normal(TIME, BATCH, INPUT), torch.tensor([5, 9, 2, 9])
    lstm = LSTM(INPUT, HIDDEN, bidirectional=True, dtype=torch.float64)
    hx = tuple(normal(2, BATCH, HIDDEN) for _ in range(2))
    ended = torch.arange(TIME).unsqueeze(1) >= lengths
    packed = pack_padded_sequence(x, lengths, enforce_sorted=False)
    with use_engine(engine):
        (output, state), (expected, last) = (lstm(packed, hx, reset=reset) for reset in (mask() | ended, mask() & ~ended))
    torch.testing.assert_close([output.data, *state], [expected.data, *last], rtol=0, atol=0)


def test_a_mask_of_nothing_and_one_of_everything() -> None:
    x, lstm = normal(TIME, BATCH, INPUT), LSTM(INPUT, HIDDEN, dtype=torch.float64)
    torch.testing.assert_close(lstm(x, reset=torch.zeros(TIME, BATCH, dtype=torch.bool))[0], lstm(x)[0])
    alone = torch.cat([lstm(x[t : t + 1])[0] for t in range(TIME)])
    torch.testing.assert_close(lstm(x, reset=torch.ones(TIME, BATCH, dtype=torch.bool))[0], alone)


def test_recorded_edited_and_differentiated_twice() -> None:
    x, reset, lstm = normal(TIME, BATCH, INPUT), mask(), LSTM(INPUT, HIDDEN, dtype=torch.float64)
    sites, y = [], x
    for engine in ENGINES:
        with use_engine(engine), record(lstm, gradients=True) as trace:
            y, _ = lstm(x, reset=reset)
            y.sin().sum().backward()
        assert torch.equal(trace["l0.h"], y.detach())
        sites.append({name: trace[name] for name in trace} | {f"by {name}": trace.grad[name] for name in trace})
    for name, value in sites[0].items():
        torch.testing.assert_close(value, sites[1][name], msg=lambda said, name=name: f"{name}: {said}")
    with edit(lstm, {"l0.f": lambda f: f}), use_engine("reference"):
        torch.testing.assert_close(lstm(x, reset=reset)[0], y)
    small = LSTM(2, 3, dtype=torch.float64)
    assert torch.autograd.gradgradcheck(
        lambda x: small(x, reset=mask(4, 2, 0.5))[0], normal(4, 2, 2).requires_grad_(), fast_mode=True
    )


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_under_transforms() -> None:
    x, reset, lstm = normal(TIME, BATCH, INPUT), mask(), LSTM(INPUT, HIDDEN, 2, dtype=torch.float64)
    expected = lstm(x, reset=reset)[0]
    mapped = torch.func.vmap(lambda x: lstm(x, reset=reset)[0])(torch.stack([x, x]))
    torch.testing.assert_close(mapped[1], expected)
    torch.testing.assert_close(torch.compile(lstm, backend="aot_eager", fullgraph=True)(x, reset=reset)[0], expected)

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = lstm

        def forward(self, x: Tensor, reset: Tensor) -> Tensor:
            return self.lstm(x, reset=reset)[0]

    traced = torch.jit.trace(Model(), (x[:2], reset[:2]), check_trace=False)
    torch.testing.assert_close(traced(x, reset), expected)
    program = torch.export.export(Model(), (x, reset), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},) * 2)
    torch.testing.assert_close(program.module()(x[:4], reset[:4]), lstm(x[:4], reset=reset[:4])[0])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low = LSTM(INPUT, HIDDEN)(x.float(), reset=reset)[0]
    assert low.dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("reset", "kind", "words"),
    [
        (
            torch.zeros(TIME, BATCH),
            TypeError,
            "reset should be a tensor of booleans, got one of torch.float32: write reset.bool()",
        ),
        ([True] * TIME, TypeError, "reset should be a tensor of booleans, got a list"),
        (
            torch.zeros(BATCH, TIME, dtype=torch.bool),
            ValueError,
            r"reset should say for each step of each sequence, \(9, 4\), got shape \(4, 9\)",
        ),
    ],
)
def test_what_is_no_mask(reset: Any, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        LSTM(INPUT, HIDDEN)(torch.randn(TIME, BATCH, INPUT), reset=reset)


def test_a_stepper_that_is_reset_does_the_same() -> None:
    x, reset, lstm = normal(TIME, BATCH, INPUT), mask(), LSTM(INPUT, HIDDEN, 2, dtype=torch.float64, learn_initial_state=True)
    with torch.no_grad():
        lstm.initial_c.normal_()
    stepper, outputs = lstm.stepper(batch=BATCH), []
    for t in range(TIME):
        stepper.reset(reset[t])
        outputs.append(stepper(x[t]))
    torch.testing.assert_close(torch.stack(outputs), lstm(x, reset=reset)[0].detach())
    assert byhand.engines(lstm, x)[0] == ("cpp", "ready")
