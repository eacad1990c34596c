"""Variants held together give what each gives alone, whatever the model around the layer does."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_sequence

import byhand
from byhand import LSTM, LSTMCell, at, cells, edit, explain, record, use_engine
from byhand.engine import dispatch
from byhand.engine.call import Call, Result
from byhand.trace import variants as module_of_variants
from byhand.trace.layers import layers
from byhand.trace.variants import Variants

TIME, BATCH, INPUT, HIDDEN = 6, 3, 2, 5


def values(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def changes_of(place: str, sites: tuple[str, ...]) -> list[dict[str, Any]]:
    """Variants of every kind: numbers, vectors, times, sequences, functions, several sites at once, nothing."""
    first, second, last = (f"{place}{site}" for site in (sites[0], sites[1], sites[-1]))
    return [
        {first: 0.0},
        {first: at(1.0, unit=2)},
        {second: values(HIDDEN), last: at(0.5, time=slice(2, None), unit=[0, -1])},
        {},
        {second: at(values(TIME, 1, HIDDEN)[: 1 if place.startswith("cell") else TIME], unit=1)},
        {first: at(-1.0, unit=3), second: at(0.25, unit=3)},
    ]


@contextmanager
def counted() -> Iterator[list[Call]]:
    """The calls that engines are asked to run."""
    seen: list[Call] = []
    run = dispatch.run

    def counting(call: Call) -> Result:
        seen.append(call)
        return run(call)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("byhand.engine.observe.run", counting)
        yield seen


def flat(made: Any) -> list[Tensor]:
    if isinstance(made, PackedSequence):
        return [made.data]
    return [made] if isinstance(made, Tensor) else [one for each in made for one in flat(each)]


def assert_alike(model: nn.Module, changes: list[dict[str, Any]], run: Callable[[], Any]) -> list[Call]:
    """Each variant's outputs are those of the model edited alone; gives the calls that it took."""
    variants = Variants(layers(model, "test"))
    with torch.no_grad():
        expected = []
        for one in changes:
            with edit(model, one):
                expected.append(run())
        with counted() as calls:
            with variants.first():
                run()
            variants.plan(changes)
            for index, wanted in enumerate(expected):
                with variants.held(index):
                    made = run()
                for value, other in zip(flat(made), flat(wanted), strict=True):
                    torch.testing.assert_close(value, other, rtol=1e-12, atol=1e-12)
                    assert value.stride() == other.stride()
    return calls


CELLS = {"lstm": cells.lstm, "gru": cells.gru, "peephole": cells.peephole, "layernorm": cells.layernorm_lstm}
LAYOUTS = {
    "plain": {},
    "batch first": {"batch_first": True},
    "stack": {"num_layers": 2, "bidirectional": True},
    "projection": {"proj_size": 3},
    "learnt": {"learn_initial_state": True},
}


@pytest.mark.parametrize(
    ("cell", "engine"),
    [(cell, engine) for cell in CELLS for engine in ("cpp", "reference") if (cell, engine) != ("layernorm", "cpp")],
)
def test_every_cell_on_both_engines(cell: str, engine: str) -> None:
    layer, x = LSTM(INPUT, HIDDEN, cell=CELLS[cell], dtype=torch.float64), values(TIME, BATCH, INPUT)
    with use_engine(engine):
        calls = assert_alike(layer, changes_of("l0.", CELLS[cell].sites), lambda: layer(x))
    assert len(calls) == 2 and calls[1].input.shape[1] == 5 * BATCH  # as it is; and all that hold anything


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout(layout: str) -> None:
    layer, x = LSTM(INPUT, HIDDEN, dtype=torch.float64, **LAYOUTS[layout]), values(TIME, BATCH, INPUT)
    sites = ("i", "f", "o", "c", "m") if "proj_size" in LAYOUTS[layout] else cells.lstm.sites
    changes = changes_of("l0.", sites)
    if "num_layers" in LAYOUTS[layout]:
        changes += [{"l1.reverse.f": 0.0, "l0.reverse.c": at(1.0, time=2)}]
    given = x.transpose(0, 1) if layer.batch_first else x
    assert len(assert_alike(layer, changes, lambda: layer(given))) == 2 * len(layer.sublayers)


def test_given_states_resets_one_sequence_and_packed_ones() -> None:
    layer = LSTM(INPUT, HIDDEN, 2, dtype=torch.float64)
    state, x = (values(2, BATCH, HIDDEN), values(2, BATCH, HIDDEN, seed=2)), values(TIME, BATCH, INPUT)
    reset = torch.tensor([[False] * BATCH, [True, False, False], *[[False] * BATCH] * 3, [False, True, True]])
    packed = pack_sequence([values(length, INPUT) for length in (3, TIME, 1)], enforce_sorted=False)
    ordered = pack_sequence([values(length, INPUT) for length in (TIME, 3, 1)])
    alone = tuple(one[:, 0] for one in state)
    runs = {
        "states": lambda: layer(x, state),
        "reset": lambda: layer(x, state, reset),
        "one sequence": lambda: layer(x[:, 0], alone, reset[:, 0]),
        "packed": lambda: layer(packed, state),
        "in order": lambda: layer(ordered),
    }
    changes = [*changes_of("l0.", cells.lstm.sites), {"l1.f": at(0.0, unit=1), "l0.i": 1.0}]
    for name, run in runs.items():
        assert len(assert_alike(layer, changes, run)) == 4, name
    by_sequence = [{"l0.f": at(0.0, batch=1)}, {"l1.c": at(values(BATCH, HIDDEN), batch=[0, 2])}]
    for name in ("states", "reset", "packed", "in order"):
        assert len(assert_alike(layer, by_sequence, runs[name])) == 4, name


def test_functions_run_together_too() -> None:
    layer, x = LSTM(INPUT, HIDDEN, dtype=torch.float64), values(TIME, BATCH, INPUT)
    changes = [{"l0.f": lambda f: f / 2}, {"l0.f": at(lambda f: -f, unit=1)}, {"l0.c": [at(0.0, unit=0), lambda c: c + 1]}]
    assert len(assert_alike(layer, changes, lambda: layer(x))) == 2


class Reader(nn.Module):
    """A layer that is called twice, one after it, and a cell stepped in a loop."""

    def __init__(self) -> None:
        super().__init__()
        kind = {"dtype": torch.float64}
        self.lstm, self.next = LSTM(INPUT, HIDDEN, **kind), LSTM(HIDDEN, HIDDEN, **kind)
        self.cell = LSTMCell(HIDDEN, HIDDEN, **kind)

    def forward(self, x: Tensor) -> list[Tensor]:
        output, state = self.lstm(x)
        again, _ = self.lstm(x.flip(0))
        output += 1.0  # the model may write into what it gets
        following, _ = self.next(output)
        for _ in range(3):
            state = self.cell(following[-1], (state[0].view(BATCH, HIDDEN), state[1].view(BATCH, HIDDEN)))
        return [output, again, following, *state]


def test_what_comes_before_runs_once_and_what_follows_runs_each_time() -> None:
    model, x = Reader(), values(TIME, BATCH, INPUT)
    count = len(changes_of("", cells.lstm.sites)) - 1
    calls = assert_alike(model, changes_of("lstm.l0.", cells.lstm.sites), lambda: model(x))
    assert len(calls) == 6 + 2 + count * 4  # both calls of the first layer together
    calls = assert_alike(model, changes_of("next.l0.", cells.lstm.sites), lambda: model(x))
    assert len(calls) == 6 + 1 + count * 3  # nothing of the first layer
    calls = assert_alike(model, changes_of("cell.", cells.lstm.sites), lambda: model(x))
    assert len(calls) == 6 + 1 + count * 2  # the first step together


def test_no_call_takes_much_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x = LSTM(INPUT, HIDDEN, dtype=torch.float64), values(TIME, BATCH, INPUT)
    changes: list[dict[str, Any]] = [{"l0.f": at(0.1 * unit, unit=unit)} for unit in range(HIDDEN)]
    alone = module_of_variants.bytes_of(layer, x)
    for bound, sizes in ((2 * alone, [1, 2, 2, 1]), (alone - 1, [1] * 6), (100 * alone, [1, 5])):
        monkeypatch.setattr(module_of_variants, "BYTES", bound)
        calls = assert_alike(layer, changes, lambda: layer(x))
        assert [one.input.shape[1] // BATCH for one in calls] == sizes


class Odd(nn.Module):
    """A layer between things that must not be taken as the first run's."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__()
        self.lstm, self.runs, self.kind = LSTM(INPUT, HIDDEN, dtype=torch.float64, **arguments), 0, ""

    def forward(self, x: Tensor) -> Tensor:
        self.runs += 1
        if self.kind == "input":
            x = x + self.runs
        if self.kind == "weights":
            self.lstm.weight_ih_l0.mul_(0.5)
        if self.kind == "swapped":
            self.lstm.weight_ih_l0 = nn.Parameter(self.lstm.weight_ih_l0 / 2)
        if self.kind == "gradients":
            with torch.enable_grad():
                x = x.clone().requires_grad_()
                return torch.autograd.grad(self.lstm(x)[0].sum(), x)[0]
        if self.kind == "record":
            with record(self.lstm) as trace:
                self.lstm(x)
            return trace["l0.c"]
        return self.lstm(x)[0]


@pytest.mark.parametrize("kind", ["input", "weights", "swapped", "gradients", "record"])
def test_what_differs_from_run_to_run_runs_each_time(kind: str) -> None:
    x = values(TIME, BATCH, INPUT)
    changes: list[dict[str, Any]] = [{"l0.f": 0.0}, {"l0.i": at(1.0, unit=1)}, {}]
    changes = [{f"lstm.{name}": change for name, change in one.items()} for one in changes]
    torch.manual_seed(3)
    first = Odd()
    first.kind, expected = kind, []
    second = Odd()
    second.load_state_dict(first.state_dict())
    second.kind = kind
    with torch.no_grad():
        first(x)
        for one in changes:
            with edit(first, one):
                expected.append(first(x))
        variants = Variants(layers(second, "test"))
        with counted() as calls:
            with variants.first():
                second(x)
            variants.plan(changes)
            for index, wanted in enumerate(expected):
                with variants.held(index):
                    torch.testing.assert_close(second(x), wanted, rtol=1e-12, atol=1e-12)
    assert len(calls) == 1 + len(changes)


def test_what_is_drawn_is_drawn_each_time() -> None:
    """In training a layer with masks draws as ever, so that what is drawn after it stays the same."""
    model = nn.Sequential(nn.Dropout(0.5), Odd(num_layers=2, dropout=0.5), nn.Dropout(0.5)).train()
    x = values(TIME, BATCH, INPUT)
    found = []
    for engine in ("reference", "cpp"):
        torch.manual_seed(4)
        with use_engine(engine):
            found.append(explain.ablation(model, x, lambda out: out.square().mean(), units=[0]))
    torch.manual_seed(4)
    seed = int(torch.empty((), dtype=torch.int64).random_().item())
    for one, other in zip(*(each.rows for each in found), strict=True):
        assert other.score == pytest.approx(one.score, rel=1e-12, abs=1e-14)
        if one.held != "mean":
            change = float(one.held == "open")
            with edit(model, {one.site: change if one.unit is None else at(change, unit=one.unit)}), torch.no_grad():
                torch.manual_seed(seed)
                assert model(x).square().mean().item() == pytest.approx(one.score, rel=1e-12, abs=1e-14)


def test_edits_around_it_hold_in_every_variant() -> None:
    layer, x = LSTM(INPUT, HIDDEN, dtype=torch.float64), values(TIME, BATCH, INPUT)
    score = lambda out: out[0].square().mean()  # noqa: E731
    with edit(layer, {"l0.c": at(lambda c: c / 2, batch=1)}):
        found = explain.ablation(layer, x, score, sites=["l0.f"])
    shut = next(row for row in found.rows if row.held == "shut")
    with edit(layer, {"l0.c": at(lambda c: c / 2, batch=1), "l0.f": 0.0}):
        assert score(layer(x)).item() == pytest.approx(shut.score, rel=1e-12)


def test_numbers_that_are_none_run_each_time() -> None:
    layer, x = LSTM(INPUT, HIDDEN), torch.zeros(TIME, BATCH, INPUT)
    x[0, 0, 0] = torch.nan
    variants = Variants(layers(layer, "test"))
    with torch.no_grad(), counted() as calls:
        with variants.first():
            layer(x)
        variants.plan([{"l0.f": 0.0}, {"l0.i": 0.0}])
        for index in range(2):
            with variants.held(index):
                layer(x)
    assert len(calls) == 3


def test_ablation_of_a_layer_takes_two_calls() -> None:
    model = nn.Sequential(Odd(), nn.Linear(HIDDEN, 1, dtype=torch.float64))
    with counted() as calls:
        found = explain.ablation(model, values(TIME, BATCH, INPUT), lambda out: out.mean(), units="all")
    assert len(found.rows) == 3 * 3 * (1 + HIDDEN) and len(calls) == 2
    assert byhand.engine.observe.unobserved()
