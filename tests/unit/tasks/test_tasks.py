"""What every generated task promises: batches that depend on their key alone, of the form that is announced; and what it refuses."""

import inspect
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from conftest import ROOT
from generated import TASKS, lengths, same

from benchmarks import tasks as benchmark
from byhand import configs, tasks
from byhand.tasks import (
    Adding,
    AnBn,
    Companies,
    ContinualReber,
    CopyMemory,
    Digits,
    EmbeddedReber,
    Multiplication,
    Parity,
    Table,
    Task,
    TemporalOrder,
    Text,
    Timing,
)
from byhand.tasks.generated import Generated
from byhand.tasks.task import IGNORE_INDEX, PARTS, Batches, Order, Sequences
from byhand.train.model.sequence_model import SequenceModel

every_task = pytest.mark.parametrize("name", TASKS)


@every_task
def test_a_batch_depends_on_seed_part_epoch_and_index_and_on_nothing_else(name: str) -> None:
    made = TASKS[name](seed=3)
    first = made.batch("train", 2, 1, 8)
    made.batch("val", 0, 0, 8)
    torch.rand(1)
    assert same(first, made.batch("train", 2, 1, 8)) and same(first, TASKS[name](seed=3).batch("train", 2, 1, 8))
    others = [TASKS[name](seed=4).batch("train", 2, 1, 8)]
    others += [made.batch(*at, 8) for at in (("train", 2, 2), ("train", 1, 1), ("val", 2, 1), ("test", 2, 1))]
    drawn = [first, *others]
    assert not any(same(one, other) for at, one in enumerate(drawn) for other in drawn[:at])


@every_task
@pytest.mark.parametrize("part", PARTS)
def test_batches_have_the_form_that_is_announced(name: str, part: Any) -> None:
    made = TASKS[name]()
    batch, form = made.batch(part, 0, 0, 16), made.form
    steps = len(batch.input)
    inside = torch.arange(steps).unsqueeze(1) < torch.tensor(lengths(batch))
    assert inside[-1].any()
    if form.symbols:
        assert batch.input.shape == (steps, 16) and batch.input.dtype == torch.long
        assert batch.input.min() >= 0 and batch.input.max() < form.input_size
    else:
        assert batch.input.shape == (steps, 16, form.input_size) and batch.input.dtype == torch.float32
    assert not batch.input[~inside].any()
    if form.goal == "regression":
        assert batch.target.shape == (16, form.output_size) and batch.target.dtype == torch.float32
    else:
        assert batch.target.shape == ((steps, 16) if form.every else (16,)) and batch.target.dtype == torch.long
        asked = batch.target[inside] if form.every else batch.target
        if name == "Timing":  # which asks at spikes only
            asked = asked[asked != IGNORE_INDEX]
        assert asked.min() >= 0 and asked.max() < form.output_size
        assert not form.every or (batch.target[~inside] == IGNORE_INDEX).all()
    assert (batch.legal is not None) == (form.goal == "next_symbol")
    if batch.legal is not None:
        assert batch.legal.shape == (steps, 16, form.output_size) and batch.legal.dtype == torch.bool
        assert batch.legal.gather(-1, batch.target.clamp(min=0).unsqueeze(-1))[inside].all()
        assert not batch.legal[~inside].any()


@every_task
def test_a_model_reads_it(name: str) -> None:
    made = TASKS[name]()
    model, batch = SequenceModel(made.form._asdict(), hidden_size=3), made.batch("train", 0, 0, 4)
    output, _ = model(batch.input, batch.lengths)
    loss = model.goal.loss(output, batch)
    loss.backward()
    model.goal.update(model.scores["val"], output, batch)
    assert loss.isfinite() and all(parameter.grad.isfinite().all() for parameter in model.parameters())


@every_task
def test_what_two_processes_get_is_what_one_gets(name: str) -> None:
    made = TASKS[name](batch_size=5)
    for part, at in (("train", (1, 0)), ("train", (1, 1)), ("test", (0, 1))):
        joint = made.batch(part, *at, 10)
        shares = [Batches(made, part, rank, 2)[at] for rank in range(2)]
        dims = (1, 1 if made.form.every else 0, 0, 1, 0)
        for together, dim, *parts in zip(joint, dims, *shares, strict=True):
            assert (together is None) == (parts[0] is None)
            assert together is None or torch.equal(torch.cat(parts, dim), together)


@pytest.mark.parametrize("name", [name for name in TASKS if name != "ContinualReber"])
@pytest.mark.parametrize("part", ["val", "test"])
def test_what_judges_is_the_same_whatever_the_size_of_batches(name: str, part: Any) -> None:
    """The same sequences, in the same order, each without steps past the end of all of its batch."""

    def sequences(size: int) -> list[tuple[list[Any], ...]]:
        made = TASKS[name](batch_size=size, sequences=13)
        found = []
        for batch in (made.batch(part, 0, index, size) for index in range(made.count(part, size))):
            assert len(batch.input) == max(lengths(batch))
            every = made.form.every
            for at, length in enumerate(lengths(batch)):
                target = batch.target[:length, at] if every else batch.target[at]
                legal = [] if batch.legal is None else batch.legal[:length, at].tolist()
                found.append((batch.input[:length, at].tolist(), target.tolist(), legal))
        return found

    assert sequences(4) == sequences(13) == sequences(5)
    assert len(sequences(4)) == 13


def test_a_batch_is_moved_where_it_is_not_yet() -> None:
    task = Adding(8, batches=1, sequences=4)
    batch = task.batch("train", 0, 0, 3)
    assert task.transfer_batch_to_device(batch, torch.device("cpu"), 0) is batch
    moved = task.transfer_batch_to_device(batch, torch.device("meta"), 0)
    assert isinstance(moved, Sequences) and {one.device.type for one in moved if one is not None} == {"meta"}


def test_the_order_of_an_epoch_is_drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made, drawn = Digits(), []
    monkeypatch.setattr("byhand.tasks.generated.torch.randperm", lambda many, **_: drawn.append(many) or torch.arange(many))
    for epoch in (0, 1):
        for index in range(3):
            made.batch("train", epoch, index, 8)
            made.batch("val", 0, index, 8)
    assert len(drawn) == 2


def test_fewer_sequences_than_processes_are_refused() -> None:
    """A share without sequences has no mean: NaN would spread from it to all."""
    made = Adding(8, batch_size=2, batches=3, sequences=13)
    for world, refused in ((1, False), (2, True), (3, True), (6, True), (7, False)):
        made.trainer = SimpleNamespace(world_size=world, global_rank=world - 1)  # type: ignore[assignment]
        assert len(made.train_dataloader()) == 3
        if refused:
            with pytest.raises(ValueError, match=f"^val: expected at least a sequence for each of {world} processes, got 1 in"):
                made.val_dataloader()
        else:
            assert all(batch.input.shape[1] for batch in made.val_dataloader())
    companies = Companies()
    companies.trainer = SimpleNamespace(world_size=3, global_rank=0)  # type: ignore[assignment]
    with pytest.raises(
        ValueError, match=r"^train: expected at least a sequence for each of 3 processes, got 2 in the last batch"
    ):
        companies.train_dataloader()


@pytest.mark.parametrize("name", [name for name in TASKS if name != "ContinualReber"])
def test_an_epoch_has_its_batches_and_the_other_parts_their_sequences(name: str) -> None:
    made = TASKS[name](batch_size=8, batches=3, sequences=20)
    assert [len(Batches(made, part, 0, 1)) for part in PARTS] == [3, 3, 3]
    assert [batch.input.shape[1] for batch in made.val_dataloader()] == [8, 8, 4]
    assert [batch.input.shape[1] for batch in made.train_dataloader()] == [8, 8, 8]
    order = Order(Batches(made, "train", 0, 1))
    order.set_epoch(5)
    assert list(order) == [(5, 0), (5, 1), (5, 2)]


WRONG: list[tuple[Callable[[], Task], str]] = [
    (lambda: Adding(3), "length: expected at least 4, got 3"),
    (lambda: Multiplication(3), "length: expected at least 4, got 3"),
    (lambda: TemporalOrder("6c"), "kind: expected '6a' or '6b', got '6c'"),
    (lambda: TemporalOrder(length=9), "length: expected at least 10, got 9"),
    (lambda: EmbeddedReber(0), "batch_size: expected at least 1, got 0"),
    (lambda: EmbeddedReber(batches=0), "batches: expected at least 1, got 0"),
    (lambda: EmbeddedReber(sequences=0), "sequences: expected at least 1, got 0"),
    (lambda: ContinualReber(0), "steps: expected at least 1, got 0"),
    (lambda: ContinualReber(pieces=0), "pieces: expected at least 1, got 0"),
    (lambda: ContinualReber(test_pieces=0), "test_pieces: expected at least 1, got 0"),
    (lambda: CopyMemory(0), "delay: expected at least 1, got 0"),
    (lambda: AnBn(4), "symbols: expected 2 or 3, got 4"),
    (lambda: AnBn(least=0), "least: expected at least 1, got 0"),
    (lambda: AnBn(least=5, most=4), "most: expected at least 5, got 4"),
    (lambda: AnBn(test_least=31), "test_most: expected at least 31, got 30"),
    (lambda: Parity(0), "length: expected at least 1, got 0"),
    (lambda: Timing(0), "least: expected at least 1, got 0"),
    (lambda: Timing(5, 5), "most: expected at least 6, got 5"),
    (lambda: Timing(intervals=0), "intervals: expected at least 1, got 0"),
    (lambda: Companies(0), "batch_size: expected at least 1, got 0"),
    (lambda: Companies(seed=-1), "seed: expected at least 0, got -1"),
]


@pytest.mark.parametrize(("make", "message"), WRONG)
def test_wrong_arguments_are_refused(make: Callable[[], Task], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        make()


def test_all_generated_tasks_are_here() -> None:
    tested = {type(make()) for make in TASKS.values()}
    known = [getattr(tasks, name) for name in tasks.__all__]
    assert {task for task in known if issubclass(task, Generated)} <= tested


@pytest.mark.parametrize(
    "kind", [*{type(make()): None for make in TASKS.values()}, Companies, Digits, Table, Text], ids=lambda kind: kind.__name__
)
def test_every_option_is_in_the_documentation(kind: type[Task]) -> None:
    name = re.sub("(?<=[a-z])(?=[A-Z])", "_", kind.__name__).lower()
    text = (ROOT / "docs" / "tasks" / f"{name}.md").read_text()
    listed = {}
    for names, defaults in re.findall(r"^\| (`[^|]*`) \| ([^|]*) \|", text.partition("| option |")[2], re.MULTILINE):
        listed |= dict(zip(re.findall("`(.*?)`", names), defaults.split(", "), strict=True))
    assert listed == {name: str(one.default).lower() for name, one in inspect.signature(kind).parameters.items()}
    assert f"class_path: {kind.__name__}\n" in (configs.FOLDER / f"{name}.yaml").read_text()
    assert f"]({name}.md)" in (ROOT / "docs" / "tasks" / "README.md").read_text()


def test_the_benchmark_measures_every_task(capsys: pytest.CaptureFixture[str]) -> None:
    benchmark.main(["--seconds", "0.001", "--batch-size", "2"])
    measured = {line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]}
    assert measured >= {type(make()).__name__ for make in TASKS.values()} | {"Companies"}
    with pytest.raises(SystemExit):
        benchmark.main(["--seconds", "0"])
    assert "expected --seconds above 0" in capsys.readouterr().err


def test_the_documentation_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = re.findall("```python\n(.*?)```", (ROOT / "docs" / "tasks" / "README.md").read_text(), re.DOTALL)
    exec(block, {})
    assert "0.68" in capsys.readouterr().out
