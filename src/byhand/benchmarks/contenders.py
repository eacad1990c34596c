"""Who is timed: modules with the same weights and the same input, and the calls that are made of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from copy import deepcopy
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

import byhand
from byhand.benchmarks.cases import Case
from byhand.benchmarks.naive import NaiveLSTM
from byhand.engine import dispatch
from byhand.engine.call import Call as EngineCall

Input = Tensor | PackedSequence
Call = Callable[[], Any]
WITH_GRADIENTS = ("training", "memory")
LOW_PRECISION = (torch.bfloat16, torch.float16)


class NotMeasuredError(Exception):
    """A case that cannot be measured here, and why."""


class Contender(NamedTuple):
    """calls: quantity -> what is timed. operations: floating-point operations of the products of one forward call. engine: that of
    byhand which runs it. around: in what it runs. truth: whose results its own must equal; where there is a yardstick, they may
    differ twice as much as its results do.
    """

    name: str
    calls: Mapping[str, Call]
    operations: float = 0
    precision: str = "float32"
    engine: str = ""
    around: Callable[[], AbstractContextManager[Any]] = nullcontext
    truth: Contender | None = None
    yardstick: Contender | None = None

    @contextmanager
    def scope(self, quantity: str) -> Iterator[None]:
        """In what a quantity is measured; entered once a turn, so that it costs the call nothing."""
        with torch.set_grad_enabled(quantity in WITH_GRADIENTS), self.around():
            yield


class Given(NamedTuple):
    """The input, and the gradient by the outputs: random, so that no two places can be mistaken for each other."""

    x: Input
    pull: Tensor

    def single(self) -> Given:
        """The same numbers in float32."""
        assert isinstance(self.x, Tensor)
        return Given(self.x.detach().float().requires_grad_(), self.pull.float())


class Work(NamedTuple):
    """All contenders of a case; in each quantity the first of those that have it is what the others are compared with."""

    contenders: Sequence[Contender]
    notes: Sequence[str] = ()


def layer(case: Case, asked: str | None) -> Work:
    """nn.LSTM and byhand.LSTM."""
    theirs, ours, given = twins(case)
    engine, first = ready(ours, given.x, asked), contender("nn.LSTM", theirs, given)
    judges: dict[str, Any] = {"truth": first}
    if given.pull.dtype in LOW_PRECISION:
        exact = contender("nn.LSTM in float32", deepcopy(theirs).float(), given.single())
        judges = {"truth": exact, "yardstick": contender("naive", NaiveLSTM(theirs), given)}
    return Work([first, contender("byhand", ours, given, engine=engine, around=chosen(asked), **judges)])


def layer_in_detail(case: Case, asked: str | None) -> Work:
    """Besides: the naive loop, byhand.LSTM recorded, and what stands around its engine (one layer in one direction, not packed)."""
    theirs, ours, given = twins(case)
    engine, first = ready(ours, given.x, asked), contender("nn.LSTM", theirs, given)
    mine = contender("byhand", ours, given, engine=engine, around=chosen(asked), truth=first)
    run = mine.calls["forward"]
    made = [first, contender("naive", NaiveLSTM(theirs), given, truth=first)]
    if isinstance(given.x, Tensor) and len(ours.sublayers) == 1:
        made.append(mine._replace(name="engine", calls={"off": engine_alone(ours, given.x, engine)}))
        mine = mine._replace(calls={**mine.calls, "off": run})
    made.append(mine._replace(calls={**mine.calls, "recording": run}))
    try:
        recording = recording_engine(ours, given.x, asked)
    except NotMeasuredError as reason:
        return Work(made, [f"not recorded; {reason}"])
    made.append(mine._replace(name="recorded", engine=recording, calls={"recording": partial(recorded, ours, given.x)}))
    return Work(made)


def twins(case: Case) -> tuple[nn.LSTM, byhand.LSTM, Given]:
    """Two layers with the same weights, and their input."""
    torch.manual_seed(0)
    width, hidden, options = case.shape.input, case.shape.hidden, dict(case.options)
    theirs, ours = nn.LSTM(width, hidden, **options), byhand.LSTM(width, hidden, **options)
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours, given(case, dtype=options.get("dtype"))


def given(case: Case, **kind: Any) -> Given:
    """Input (time, batch, input), or as batch_first says; if packed, the shortest sequence is a quarter of the longest. kind: dtype and
    device.
    """
    time, batch, width, hidden = case.shape
    x: Input = torch.randn(*((batch, time) if case.options.get("batch_first") else (time, batch)), width, **kind)
    if case.packed:
        x = pack_padded_sequence(x, torch.linspace(time, time // 4, batch).long())
    features = (case.options.get("proj_size") or hidden) * (2 if case.options.get("bidirectional") else 1)
    data(x).requires_grad_()
    return Given(x, torch.randn(*data(x).shape[:-1], features, **kind))


def data(x: Input) -> Tensor:
    return x.data if isinstance(x, PackedSequence) else x


def contender(name: str, module: nn.Module, given: Given, *, resting: nn.Module | None = None, **further: Any) -> Contender:
    """Inference and training. resting: what inference runs, where that is not what is trained."""
    calls = {"forward": partial(resting or module, given.x), "training": partial(train, module, *given)}
    operations = 2 * given.pull.shape[:-1].numel() * sum(value.numel() for value in module.parameters() if value.dim() == 2)
    settings: dict[str, Any] = {"precision": str(given.pull.dtype).removeprefix("torch.")} | further
    return Contender(name, calls, operations, **settings)


def train(module: nn.Module, x: Input, pull: Tensor) -> Any:
    """Outputs, states, and the gradients by the input and all parameters."""
    output, state = module(x)
    return output, state, torch.autograd.grad(data(output), [data(x), *module.parameters()], pull)


def ready(lstm: byhand.LSTM, x: Input, asked: str | None) -> str:
    """The engine that runs it. NotMeasuredError if the one asked for does not."""
    return first_ready(byhand.engines(lstm, x), asked)


def first_ready(states: Sequence[tuple[str, str]], asked: str | None) -> str:
    asked_for = {name: state for name, state in states if asked in (None, name)}
    for name, state in asked_for.items():
        if state.startswith("ready"):
            return name
    raise NotMeasuredError("; ".join(f"engine {name!r}: {state}" for name, state in asked_for.items()))


def chosen(engine: str | None) -> Callable[[], AbstractContextManager[Any]]:
    return nullcontext if engine is None else partial(byhand.use_engine, engine)


def recorded(lstm: byhand.LSTM, x: Input) -> Any:
    with byhand.record(lstm):
        return lstm(x)


def engine_call(lstm: byhand.LSTM, x: Input) -> EngineCall:
    """What the engine is asked for the first layer; the one thing here that reaches into byhand, past its public names."""
    batch = lstm.reader.read(x, None)
    return lstm.call(lstm.sublayers[0], batch.input, tuple(value[0] for value in batch.state), batch.valid)


def engine_alone(lstm: byhand.LSTM, x: Input, engine: str) -> Call:
    run = {one.name: one.run for one in dispatch.ENGINES}[engine]
    return partial(run, engine_call(lstm, x))


def recording_engine(lstm: byhand.LSTM, x: Input, asked: str | None) -> str:
    """An engine that runs a layer may refuse to record it. NotMeasuredError if the one asked for does."""
    return first_ready(dispatch.states(engine_call(lstm, x)._replace(sites=True)), asked)
