"""What a task is: the batches it hands out, what it asks of a model, and what a guess would get."""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import lightning as L
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, DistributedSampler, SequentialSampler

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

Part = Literal["train", "val", "test", "future"]  # future: what lies beyond the data, of tasks that predict it
PARTS: tuple[Part, ...] = ("train", "val", "test")
IGNORE_INDEX = -100  # the target of a step where no answer is asked for
EARLIER_GOALS = {"values": "regression", "classes": "classification", "successors": "next_symbol"}


class _Fields(NamedTuple):
    input_size: int
    output_size: int
    goal: Literal["regression", "classification", "next_symbol"]
    every: bool = False
    symbols: bool = False
    stateful: bool = False
    tolerance: float = 0.0
    alphabet: str = ""
    fitted: str = ""
    units: list[float] | None = None


class Form(_Fields):
    """What a task asks of a model, in numbers and words that a checkpoint can hold.

    Args:
        input_size: features of a step or, if symbols, how many different symbols there are.
        output_size: numbers that an answer has.
        goal: "regression" (real numbers; squared error), "classification" (one of output_size; cross-entropy) or "next_symbol"
            (of which several may be legal; cross-entropy). Their earlier names are taken, too: "values", "classes", "successors".
        every: an answer at every step, not one after the last.
        symbols: inputs are whole numbers.
        stateful: the sequences of a batch go on where those of the batch before ended.
        tolerance: of "regression": how near an answer has to be to count as right; 0 if there is no such thing.
        alphabet: the characters that the symbols stand for, in order, if they stand for such.
        fitted: in words, what a task and its models take from the training part, such as scales.
        units: of "regression": what the error of each output is multiplied with in metrics; None: 1.
    """

    __slots__ = ()
    __signature__ = inspect.signature(_Fields)

    if not TYPE_CHECKING:  # for whom, as for __signature__, it takes the fields

        def __new__(cls, *values: Any, **named: Any) -> Form:
            made = super().__new__(cls, *values, **named)
            return made._replace(goal=EARLIER_GOALS.get(made.goal, made.goal))


class Sequences(NamedTuple):
    """A batch. Steps past a sequence's length hold zeros, and their targets IGNORE_INDEX.

    Args:
        input: (time, batch, features), or whole numbers (time, batch) if the form says symbols.
        target: (batch, outputs) or whole numbers (batch,); with a leading time if the form says every.
        lengths: of each sequence; None if all are of full length.
        legal: of "next_symbol": which symbols may come next.
        origin: where in its data the task found each sequence, for its own use in rows; None if it does not matter.
    """

    input: Float[Tensor, "time batch features"] | Int[Tensor, "time batch"]
    target: Tensor
    lengths: Int[Tensor, " batch"] | None = None
    legal: Bool[Tensor, "time batch symbols"] | None = None
    origin: Int[Tensor, " batch"] | None = None


class Task(L.LightningDataModule):
    """Batches for training, validation and test, the same for the same seed, each part different.

    Args:
        batch_size: sequences a process gets; with more processes the joint batch is theirs together, and independent of how
            it is shared out.
        seed: draws the data, or their order.

    Attributes:
        form: what it asks of a model.
        about: what its models do, in words that go on after "An LSTM that", as in "reads a text and ..."; empty: not said.
        monitor: the metric that selects the best checkpoint, the one of its lowest value.
        writes: what byhand predict makes: "csv", a table of `rows`, or "text", what the method text(model) gives.
        files: the options that name files, or folders of such.
        outputs: what each number that a model gives is called, or each class; None: they have no names.
        baselines: baseline -> metric, without its part -> its value on the test part.

    Raises:
        ValueError: `batch_size` is below 1, or `seed` below 0.
    """

    form: Form
    about: str = ""
    monitor = "val_loss"
    writes: Literal["csv", "text"] = "csv"
    files: tuple[str, ...] = ()
    outputs: Sequence[str] | None = None
    baselines: Mapping[str, Mapping[str, float]]

    def __init__(self, batch_size: int, seed: int) -> None:
        super().__init__()
        at_least("batch_size", batch_size, 1)
        at_least("seed", seed, 0)
        self.batch_size, self.seed = batch_size, seed

    @abstractmethod
    def count(self, part: Part, size: int) -> int:
        """How many batches of `size` sequences an epoch of this part has."""

    @abstractmethod
    def batch(self, part: Part, epoch: int, index: int, size: int) -> Sequences:
        """Return one batch; always the same for the same arguments and seed.

        Args:
            part: "train", "val", "test" or, of tasks that predict it, "future".
            epoch: the epoch's number, from 0.
            index: the batch's number in the epoch, from 0.
            size: sequences of a batch; the last one may have fewer.

        Returns:
            The batch.
        """

    def loader(self, part: Part) -> DataLoader[Sequences]:
        """Of this process's share of each batch. ValueError if a batch has fewer sequences than there are processes."""
        world, rank = (self.trainer.world_size, self.trainer.global_rank) if self.trainer is not None else (1, 0)
        if world > 1:
            self._check_shares(part, world)
        batches = Batches(self, part, rank, world)
        return DataLoader(batches, batch_size=None, sampler=Order(batches))

    def _check_shares(self, part: Part, world: int) -> None:
        """A mean over no sequences is none; only the last batch of an epoch can be small."""
        size = self.batch_size * world
        last = self.batch(part, 0, self.count(part, size) - 1, size).input.shape[1]
        if last < world:
            raise ValueError(
                f"{part}: expected at least a sequence for each of {world} processes, got {last} in the last batch: take another"
                " batch_size, or fewer processes"
            )

    def train_dataloader(self) -> DataLoader[Sequences]:
        return self.loader("train")

    def val_dataloader(self) -> DataLoader[Sequences]:
        return self.loader("val")

    def test_dataloader(self) -> DataLoader[Sequences]:
        return self.loader("test")

    def predict_dataloader(self) -> DataLoader[Sequences]:
        return self.loader("test")

    def advice(self, *, short: bool) -> str | None:
        """What may help a model that a baseline beats on the test part, as far as the data say; None: they do not. short: whether its
        training was so short that it may be to blame.
        """
        return None

    def transfer_batch_to_device(self, batch: Sequences, device: torch.device, dataloader_idx: int) -> Sequences:
        """Move a batch; at once if it is there, where Lightning would ask every tensor.

        Args:
            batch: the batch.
            device: where it is needed.
            dataloader_idx: as Lightning gives it.

        Returns:
            The batch on that device.
        """
        return batch if batch.input.device == device else super().transfer_batch_to_device(batch, device, dataloader_idx)

    def rows(self, batch: Sequences, answer: Tensor) -> Iterator[dict[str, Any]]:
        """What predict writes of a batch, a row a sequence or, if the form says so, a step that is asked for. answer: laid out like the
        target.
        """
        target = batch.target if batch.target.dim() == answer.dim() else batch.target.unsqueeze(-1)
        steps, sequences = (answer.shape[0], answer.shape[1]) if self.form.every else (1, answer.shape[0])
        for sequence in range(sequences):
            for step in range(steps if batch.lengths is None or not self.form.every else int(batch.lengths[sequence])):
                at = (step, sequence) if self.form.every else (sequence,)
                if self.form.goal != "regression" and target[at] == IGNORE_INDEX:
                    continue
                where = {"sequence": sequence} | ({"step": step} if self.form.every else {})
                yield where | named("target", target[at]) | named("answer", answer[at])


def named(name: str, value: Tensor) -> dict[str, float]:
    """One number under its name, several numbered from 1."""
    numbers = value.flatten().tolist()
    return {name: numbers[0]} if len(numbers) == 1 else {f"{name}_{at + 1}": number for at, number in enumerate(numbers)}


def at_least(name: str, value: float, least: float) -> None:
    if not value >= least:
        raise ValueError(f"{name}: expected at least {least}, got {value}")


class Batches(Dataset[Sequences]):
    """A part's batches, by epoch and index; of each the share of one process."""

    def __init__(self, task: Task, part: Part, rank: int, world: int) -> None:
        self.task, self.rank, self.world = task, rank, world
        self.part: Part = part

    def __len__(self) -> int:
        return self.task.count(self.part, self.task.batch_size * self.world)

    def __getitem__(self, at: tuple[int, int]) -> Sequences:
        batch = self.task.batch(self.part, *at, self.task.batch_size * self.world)
        return share(batch, self.rank, self.world, every=self.task.form.every)


class Order(DistributedSampler[Any], SequentialSampler):
    """(epoch, index) of every batch, so that stopping and going on changes nothing. Lightning takes it for what shares the data out
    among processes, which Batches does; and for a sequential one, so that it puts none of its own in its place (overfit_batches).
    """

    def __init__(self, batches: Batches) -> None:
        super().__init__(batches, num_replicas=1, rank=0)
        self.batches = batches

    def __iter__(self) -> Iterator[Any]:
        for index in range(self.had(), len(self.batches)):
            yield self.current_epoch(), index

    def had(self) -> int:
        """Batches of this epoch that a training which goes on within it has had before it stopped."""
        trainer = self.batches.task.trainer
        if self.batches.part != "train" or trainer is None:
            return 0
        return trainer.fit_loop.epoch_loop.batch_progress.current.ready

    def current_epoch(self) -> int:
        """Asked for when a batch is read: a resumed training makes its iterators before it knows where it stands. With overfit_batches
        every epoch has the batches of the first.
        """
        trainer: Any = self.batches.task.trainer
        if self.batches.part != "train" or (trainer is not None and trainer.overfit_batches):
            return 0
        return self.epoch if trainer is None else trainer.current_epoch

    def __len__(self) -> int:
        return len(self.batches)


def share(batch: Sequences, rank: int, world: int, *, every: bool) -> Sequences:
    """The sequences of one process out of `world`."""
    if world == 1:
        return batch

    def part(value: Tensor | None, dim: int) -> Tensor | None:
        return None if value is None else value.tensor_split(world, dim)[rank]

    return Sequences(
        part(batch.input, 1),  # type: ignore[arg-type]
        part(batch.target, 1 if every else 0),  # type: ignore[arg-type]
        part(batch.lengths, 0),
        part(batch.legal, 1),
        part(batch.origin, 0),
    )
