"""SequenceModel: an LSTM of any cell under a linear head, trained by Lightning on any task."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Self, cast

import lightning as L
import torch
from lightning.pytorch.plugins.precision import DoublePrecision
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

from byhand.cells.names import choose
from byhand.errors import LoadError
from byhand.files.archive import read_archive
from byhand.nn import LSTM
from byhand.nn.headed import features_of, output_state, run_with_head
from byhand.tasks.task import Form, Sequences
from byhand.train.cli.declared import verified
from byhand.train.model import accumulated
from byhand.train.model.initialisation import start
from byhand.train.model.objectives import GOALS, SQUASHES
from byhand.train.model.optimisation import OPTIMISERS, SCHEDULES, check_end, make_optimiser, planned_steps, rate
from byhand.train.model.truncated import detached, train_in_pieces

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from byhand.nn.lstm import State
HOW_TO_NAME_A_CELL = 'SequenceModel.load_from_checkpoint(path, cell="{}")'


class SequenceModel(L.LightningModule):
    """byhand.LSTM and a linear head.

    Everything is a number or a word, so that checkpoints load with weights_only=True.

    Args:
        form: what the task asks for, the fields of byhand.tasks.Form; the command line takes it from the task.
        cell: its name as it is printed, such as peephole or no_input_gate(lstm); of your own: module:name.
        hidden_size: units of a layer.
        num_layers: layers, each reading the one below.
        dropout: the share of values between layers that is left out in training.
        bidirectional: a second LSTM in each layer reads from the end.
        proj_size: the size that the hidden state is projected to; 0: no projection.
        forget_bias: where forget gates start, in cells that have such; null: as torch draws them.
        gate_biases: gate -> where its bias starts, in every layer: one number for all units, {i: -3}, or one for each unit (or block
            that shares the gate), {i: [-3, -6]}.
        init_range: all other weights and biases start evenly in -range … range; 0: as torch draws them.
        squash: what the head's numbers are put through: none, or sigmoid; classes are then learnt by squared error, not
            cross-entropy.
        embedding_size: whole numbers come in as learnt vectors of that size; 0: one-hot.
        optimiser: adam, rmsprop, sgd or momentum.
        learning_rate: the full rate, see schedule.
        weight_decay: how much weights shrink, times the rate, at every step.
        schedule: constant; down to 0 by cosine or linear over the whole training; or halved at the ends of equal quarters (halving).
        warmup: steps up to the full rate.
        clip: the norm that gradients are clipped to; 0: not clipped.
        tbptt_steps: length of the pieces that sequences are cut into, each an optimiser step, states carried on; 0: not cut.

    Raises:
        ValueError: a value is out of range, or does not fit the task.
    """

    def __init__(
        self,
        form: dict[str, Any],
        cell: str = "lstm",
        hidden_size: int = 32,
        num_layers: int = 1,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        forget_bias: float | None = 1.0,
        gate_biases: dict[str, float | list[float]] | None = None,
        init_range: float = 0.0,
        squash: str = "none",
        embedding_size: int = 0,
        optimiser: str = "adam",
        learning_rate: float = 0.01,
        weight_decay: float = 0.0,
        schedule: str = "constant",
        warmup: int = 0,
        clip: float = 1.0,
        tbptt_steps: int = 0,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.form = Form(**form)
        self.optimiser, self.learning_rate, self.weight_decay = optimiser, learning_rate, weight_decay
        self.schedule, self.warmup, self.clip, self.tbptt_steps = schedule, warmup, clip, tbptt_steps
        self.embedding_size, self.squash = embedding_size, squash
        self._check(bidirectional=bidirectional)
        made = choose(cell)
        self.embedding = nn.Embedding(self.form.input_size, embedding_size) if embedding_size else None
        features = embedding_size or self.form.input_size
        has_forget_gate = "f" in made.gates
        options = {"proj_size": proj_size, "forget_bias": forget_bias if has_forget_gate else None}
        self.lstm = LSTM(features, hidden_size, num_layers, dropout=dropout, bidirectional=bidirectional, cell=made, **options)
        self.head = nn.Linear((proj_size or hidden_size) * (2 if bidirectional else 1), self.form.output_size)
        start(self, self.lstm, init_range, gate_biases or {})
        self.goal = GOALS[self.form.goal](self.form, squash)
        self.scores = nn.ModuleDict({part: nn.ModuleDict(self.goal.metrics()) for part in ("val", "test")})
        self.automatic_optimization = not tbptt_steps
        self.pieces = 1  # that the last batch was cut into
        self.accumulated: dict[str, Tensor] = {}  # gradients of a training that stopped before their step
        self.carried: dict[str, State] = {}  # part -> the memories that a stateful task carries from batch to batch

    def __setattr__(self, name: str, value: Any) -> None:
        """Lightning notes which hook it calls, forty times a step; torch would look each time whether that is a parameter."""
        if name == "_current_fx_name":
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    def _check(self, *, bidirectional: bool) -> None:
        if bidirectional and (self.form.stateful or self.form.goal == "next_symbol"):
            raise ValueError(
                "SequenceModel expected bidirectional=False: in this task what comes next is asked for, and it would be read"
            )
        for name, known in (("optimiser", OPTIMISERS), ("schedule", SCHEDULES), ("squash", SQUASHES)):
            if getattr(self, name) not in known:
                raise ValueError(f"SequenceModel expected {name} to be one of {', '.join(known)}; got {getattr(self, name)!r}")
        for name in ("weight_decay", "warmup", "clip", "tbptt_steps", "embedding_size"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"SequenceModel expected {name} of at least 0; got {getattr(self, name)}")
        if not 0 < self.learning_rate < float("inf"):
            raise ValueError(f"SequenceModel expected a finite learning_rate above 0; got {self.learning_rate}")
        if self.squash != "none" and self.form.alphabet:
            raise ValueError(
                f"SequenceModel expected squash none, for text is drawn by how likely characters are; got {self.squash!r}"
            )
        if self.embedding_size and not self.form.symbols:
            raise ValueError(
                f"SequenceModel expected embedding_size 0, for this task's inputs are no symbols; got {self.embedding_size}"
            )

    def forward(
        self,
        input: Float[Tensor, "time batch features"] | Int[Tensor, "time batch"],
        lengths: Int[Tensor, " batch"] | None = None,
        state: State | None = None,
    ) -> tuple[Float[Tensor, "... outputs"], State]:
        """Run the LSTM and the head on a batch.

        Args:
            input: (time, batch, features), or whole numbers (time, batch) if the form says symbols.
            lengths: of each sequence; None if all are of full length.
            state: the states before the first step, as byhand.LSTM takes them; zeros if not given.

        Returns:
            What the head gives, squashed: (batch, outputs), with a leading time if the form says every; and the states after
            the last step.
        """
        read, after = run_with_head(self.lstm, self.head, self.features(input), lengths, state, every=self.form.every)
        return self.goal.squash.apply(read), after

    def features(self, input: Tensor) -> Float[Tensor, "time batch features"]:
        if not self.form.symbols:
            return input
        return features_of(input, self.form.input_size, self.embedding, self.head.weight.dtype)

    def gate_start(self, gate: str) -> float:
        """Where the settings have its bias start, on average; 0 where torch draws it."""
        bias = (self.hparams["gate_biases"] or {}).get(gate, self.hparams["forget_bias"] if gate == "f" else None)
        return float(torch.tensor(bias or 0.0).mean())

    def run(self, part: str, batch: Sequences) -> Tensor:
        """What the head gives; a stateful task's memories are carried on from the part's batch before, if it had as many sequences."""
        output, after = self(batch.input, batch.lengths, self.carried_to(part, batch))
        self.carry_on(part, detached(after))
        return output

    def carried_to(self, part: str, batch: Sequences) -> State | None:
        """The memories with which this batch starts; None where there are none, or not of as many sequences."""
        before = self.carried.get(part)
        return before if before is not None and output_state(before).shape[1] == batch.input.shape[1] else None

    def carry_on(self, part: str, after: State) -> None:
        """Keep the memories for the part's next batch, if the task carries them."""
        if self.form.stateful:
            self.carried[part] = after

    def training_step(self, batch: Sequences, index: int) -> Tensor | None:
        if self.tbptt_steps:
            return train_in_pieces(self, batch)
        loss = self.goal.loss(self.run("train", batch), batch) * self.share_of(batch)
        if self.is_read(index):
            self.log("train_loss", loss, batch_size=batch.input.shape[1], prog_bar=True, sync_dist=True)
        return loss

    def is_read(self, index: int) -> bool:
        """Whether anyone reads what this batch logs: the log, a validation after it, or who looks at the end. To note it at every step
        would cost a small model a fifth of its time.
        """
        trainer: Any = self.trainer
        step = self.global_step + 1
        batches = trainer.fit_loop.epoch_loop.total_batch_idx if trainer.check_val_every_n_epoch is None else index
        turns = ((step, trainer.log_every_n_steps), (batches + 1, trainer.val_check_batch))
        return trainer.is_last_batch or step == trainer.max_steps or any(every and at % every == 0 for at, every in turns)

    def share_of(self, batch: Sequences) -> float:
        """What a mean over this process's answers has to be multiplied with, so that the mean over processes is that over all answers."""
        if self.trainer.world_size == 1:
            return 1.0
        asked = self.goal.asked(batch)
        return self.trainer.world_size * float(asked) / float(self.trainer.strategy.reduce(asked.clone(), reduce_op="sum"))

    def configure_gradient_clipping(
        self, optimizer: Any, gradient_clip_val: Any = None, gradient_clip_algorithm: Any = None
    ) -> None:
        """Clip by `clip`, unless the trainer has a value of its own."""
        value = gradient_clip_val if gradient_clip_val is not None else self.clip
        if value:
            self.clip_gradients(optimizer, value, gradient_clip_algorithm or "norm")

    def planned_steps(self) -> float:
        """Of the optimiser, in the whole training; where batches are cut, as far as is known from the last one."""
        return planned_steps(self.trainer, self.pieces)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        given = (self.learning_rate, self.weight_decay, self.trainer.precision_plugin)
        optimiser = make_optimiser(self.optimiser, list(self.parameters()), *given)
        if self.schedule == "constant" and not self.warmup:
            return optimiser  # a schedule would be asked at every step
        check_end(self.schedule, self.trainer.max_epochs, self.trainer.max_steps)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, rate(self.schedule, self.warmup, self.planned_steps))
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def evaluate(self, part: str, batch: Sequences) -> None:
        output, scores = self.run(part, batch), cast("Any", self.scores[part])
        if int(self.goal.asked(batch)):
            self.goal.update(scores, output, batch)
        for name, score in scores.items():
            self.log(f"{part}_{name}", score, batch_size=batch.input.shape[1], prog_bar=name == "loss")

    def validation_step(self, batch: Sequences, index: int) -> None:
        self.evaluate("val", batch)

    def test_step(self, batch: Sequences, index: int) -> None:
        self.evaluate("test", batch)

    def predict_step(self, batch: Sequences, index: int) -> Tensor:
        """The answers, in the task's terms."""
        return self.goal.answer(self.run("predict", batch))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """The words and numbers suffice to make the model again: whether the command line made it is no matter. Memories that are carried,
        and gradients that wait for their step, are kept for who goes on in the middle of an epoch.
        """
        checkpoint[self.CHECKPOINT_HYPER_PARAMS_KEY].pop("_instantiator", None)
        checkpoint["carried"] = self.carried.get("train")
        checkpoint["accumulated"] = accumulated.under_way(self)

    @classmethod
    def load_from_checkpoint(
        cls,
        checkpoint_path: Any,
        map_location: Any = None,
        hparams_file: Any = None,
        strict: bool | None = None,
        weights_only: bool | None = None,
        **kwargs: Any,
    ) -> Self:
        """Return the model in a checkpoint of byhand fit, as Lightning's method does, from a file that is verified first.

        Addresses and open files are left to Lightning.

        Args:
            checkpoint_path: the file.
            map_location: where tensors are loaded to, as in torch.load.
            hparams_file: a .yaml or .csv file with settings, for a checkpoint without them.
            strict: whether the names of the weights must be those of the model; True if not given.
            weights_only: as in torch.load.
            **kwargs: settings that replace those of the checkpoint. A cell of your own has to be among them,
                cell="module:name": no file has a module imported by itself.

        Returns:
            The model.

        Raises:
            LoadError: the file is damaged, of another program, or its tensors are not those of its settings.
        """
        path: Any = checkpoint_path
        if isinstance(path, str | os.PathLike) and "://" not in str(path):
            try:
                content = read_archive(path)
                if hparams_file is None:
                    kwargs = verified(cls, content, kwargs, typed=kwargs.get("cell"), remedy=HOW_TO_NAME_A_CELL)
                if "pytorch-lightning_version" not in content:
                    raise LoadError("one that is not whole")
            except LoadError as problem:
                expected = f"{checkpoint_path}: expected a checkpoint that byhand fit has kept"
                raise LoadError(f"{expected}, got {problem}") from problem
        return super().load_from_checkpoint(checkpoint_path, map_location, hparams_file, strict, weights_only, **kwargs)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """ValueError for the weights of a model whose symbols stand for other characters."""
        theirs = checkpoint[self.CHECKPOINT_HYPER_PARAMS_KEY]["form"].get("alphabet", "")
        if theirs and theirs != self.form.alphabet:
            raise ValueError(
                f"checkpoint: expected a model of the {len(self.form.alphabet)} characters of this text, got one of {len(theirs)}, others:"
                " give the text the option alphabet, the model's form.alphabet"
            )
        fitted = checkpoint[self.CHECKPOINT_HYPER_PARAMS_KEY]["form"].get("fitted", "")
        if fitted and fitted != self.form.fitted:
            raise ValueError(
                f"checkpoint: expected the data that its model was trained on ({fitted}), got others ({self.form.fitted}): give the file of"
                " the training as --data.fit_path, and the new one as --data.path"
            )
        if self._trainer is not None and isinstance(self._trainer.precision_plugin, DoublePrecision):
            self.double()  # else Lightning does so after it has read the weights, which would be rounded
        if checkpoint.get("carried") is not None:
            self.carried["train"] = checkpoint["carried"]
        self.accumulated = checkpoint.get("accumulated") or {}

    def on_train_start(self) -> None:
        accumulated.put_back(self, self.accumulated)
        self.accumulated = {}

    def on_train_epoch_start(self) -> None:
        self.carried.pop("train", None)

    def on_validation_epoch_start(self) -> None:
        self.carried.pop("val", None)

    def on_test_epoch_start(self) -> None:
        self.carried.pop("test", None)

    def on_predict_epoch_start(self) -> None:
        self.carried.pop("predict", None)
