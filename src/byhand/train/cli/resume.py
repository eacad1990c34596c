"""Checks whether a checkpoint is one, and fits what it is to be used for, before anything is made of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from byhand.errors import LoadError
from byhand.files.archive import read_archive
from byhand.tasks.task import EARLIER_GOALS, Form
from byhand.train.callbacks.losses import Loss, losses_in
from byhand.train.cli.declared import verified
from byhand.train.model.sequence_model import SequenceModel

# Settings of how a model is trained, not of what it is.
TRAINING = ("dropout", "optimiser", "learning_rate", "weight_decay", "schedule", "warmup", "clip", "tbptt_steps")
DECIDING = ("goal", "input_size", "output_size", "every", "symbols", "stateful")  # of a form, what makes another task


class Kept(NamedTuple):
    """What a checkpoint says of its training. settings: of the model. epochs, steps: that are done. whole: whether one can go on.
    losses: at its validations, as far as they were kept.
    """

    path: str
    settings: Mapping[str, Any]
    epochs: int
    steps: int
    whole: bool
    losses: tuple[Loss, ...] = ()

    @property
    def form(self) -> Mapping[str, Any]:
        form = self.settings["form"]
        return form | {"goal": EARLIER_GOALS.get(form["goal"], form["goal"])}

    @property
    def fitted(self) -> str:
        """The form's; of checkpoints up to version 0.1 one of a single scale was read as YAML."""
        words = self.form.get("fitted", "")
        return words if isinstance(words, str) else "; ".join(f"{name}: {scale}" for name, scale in words.items())


def read_kept(path: str, cell: str | None) -> Kept:
    """LoadError unless fit has written it, every number is as it was written, its tensors are those of its settings, and its cell is
    byhand's or this one, which was typed.
    """
    try:
        return kept_in(path, read_archive(path), cell)
    except (LoadError, LookupError, TypeError) as problem:
        got = problem if isinstance(problem, LoadError) else "one that is not whole"
        raise LoadError(f"--ckpt_path {path}: expected a checkpoint that byhand fit has kept, got {got}") from problem


def kept_in(path: str, content: Any, cell: str | None) -> Kept:
    settings = verified(SequenceModel, content, {}, typed=cell, remedy="--model.cell {}")
    whole = "optimizer_states" in content and "loops" in content
    epochs = content["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"] if whole else 0
    return Kept(path, settings, epochs, content["global_step"] if whole else 0, whole, losses_in(content))


def refuse_other_settings(words: Sequence[str], given: Any, kept: Kept) -> None:
    """ValueError if one of the model's options was typed that its checkpoint says otherwise: there Lightning takes the checkpoint's."""
    for word in words:
        name = re.match(r"--model\.(\w+)", word)
        if name and given.get(name[1]) != kept.settings.get(name[1]):
            tune = ", or begin a new training with its weights: --fine_tune for --ckpt_path" if name[1] in TRAINING else ""
            raise ValueError(
                f"--model.{name[1]}: expected {kept.settings.get(name[1])}, as the checkpoint has it, or nothing, for its model stays as"
                f" it was made; got {given.get(name[1])}: leave the option out, or train a new model without a checkpoint{tune}"
            )


def refuse_what_is_done(kept: Kept, trainer: Any) -> None:
    """ValueError if there is nothing left to train, or nothing to go on with."""
    if not kept.whole:
        raise ValueError(
            f"--ckpt_path {kept.path}: expected how a training stands, got weights only: they can be tested, not gone on with"
        )
    if kept.steps >= trainer.max_steps > 0:
        raise ValueError(f"all {kept.steps} steps are done: give a greater --trainer.max_steps to go on")
    if kept.epochs >= (trainer.max_epochs or -1) > 0:
        raise ValueError(f"all {kept.epochs} epochs are done: give a greater --trainer.max_epochs to go on")


def refuse_other_data(kept: Kept, form: Form) -> None:
    """ValueError if a training is to go on with data in other scales than it was begun with."""
    if kept.fitted and kept.fitted != form.fitted:
        raise ValueError(
            f"--ckpt_path {kept.path}: expected the data that its training was begun with ({kept.fitted}), got others ({form.fitted}):"
            f" to train on with them write --fine_tune {kept.path} in its place"
        )


def refuse_another_task(kept: Kept, form: Form) -> None:
    """ValueError if the model in a checkpoint was made for answers of another form; for texts see SequenceModel.on_load_checkpoint."""
    for name in DECIDING:
        if kept.form[name] != getattr(form, name):
            raise ValueError(
                f"--ckpt_path {kept.path}: expected a model of this task, got one of another: its {name} is {kept.form[name]}, here it"
                f" is {getattr(form, name)}"
            )
