"""Whether a checkpoint is one, and fits what it is to be used for; told before anything is made of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pickle import UnpicklingError
from typing import Any, NamedTuple

import torch

from byhand.tasks import Form
from byhand.train.model import SequenceModel

DECIDING = ("goal", "input_size", "output_size", "every", "symbols", "stateful")  # of a form, what makes another task


class Kept(NamedTuple):
    """What a checkpoint says of its training. settings: of the model. epochs, steps: that are done. whole: whether one can go on."""

    path: str
    settings: Mapping[str, Any]
    epochs: int
    steps: int
    whole: bool

    @property
    def form(self) -> Mapping[str, Any]:
        return self.settings["form"]


def read_kept(path: str) -> Kept:
    """ValueError unless fit has written it."""
    expected = f"--ckpt_path {path}: expected a checkpoint that byhand fit has kept"
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, EOFError, LookupError, TypeError, ValueError, UnicodeDecodeError) as error:
        raise ValueError(f"{expected}, got a file that is damaged or none ({type(error).__name__})") from None
    except OSError as error:
        raise ValueError(f"{expected}, got: {error.strerror or error}") from None
    settings = content.get(SequenceModel.CHECKPOINT_HYPER_PARAMS_KEY, {}) if isinstance(content, dict) else {}
    if "form" not in settings or "state_dict" not in content:
        raise ValueError(f"{expected}, got one of another program")
    whole = "optimizer_states" in content and "loops" in content
    epochs = content["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"] if whole else 0
    return Kept(path, settings, epochs, content["global_step"] if whole else 0, whole)


def refuse_other_settings(words: Sequence[str], given: Any, kept: Kept) -> None:
    """ValueError if one of the model's options was typed that its checkpoint says otherwise: there Lightning takes the checkpoint's."""
    for word in words:
        name = re.match(r"--model\.(\w+)", word)
        if name and given.get(name[1]) != kept.settings.get(name[1]):
            raise ValueError(
                f"--model.{name[1]}: expected {kept.settings.get(name[1])}, as the checkpoint has it, or nothing, for its model stays as"
                f" it was made; got {given.get(name[1])}: leave the option out, or train a new model without --ckpt_path"
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


def refuse_another_task(kept: Kept, form: Form) -> None:
    """ValueError if the model in a checkpoint was made for answers of another form; for texts see SequenceModel.on_load_checkpoint."""
    for name in DECIDING:
        if kept.form[name] != getattr(form, name):
            raise ValueError(
                f"--ckpt_path {kept.path}: expected a model of this task, got one of another: its {name} is {kept.form[name]}, here it"
                f" is {getattr(form, name)}"
            )
