"""Whether a checkpoint is one, and fits what it is to be used for; told before anything is made of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pickle import UnpicklingError
from typing import Any

import torch

from byhand.tasks import Form
from byhand.train.model import SequenceModel


def settings_in(path: str) -> dict[str, Any]:
    """Of the model in a checkpoint. ValueError unless fit has written it."""
    expected = f"--ckpt_path {path}: expected a checkpoint that byhand fit has kept"
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, EOFError, LookupError, TypeError, ValueError, UnicodeDecodeError) as error:
        raise ValueError(f"{expected}, got a file that is damaged or none ({type(error).__name__})") from None
    except OSError as error:
        raise ValueError(f"{expected}, got: {error.strerror or error}") from None
    settings = content.get(SequenceModel.CHECKPOINT_HYPER_PARAMS_KEY, {}) if isinstance(content, dict) else {}
    if "form" not in settings:
        raise ValueError(f"{expected}, got one of another program")
    return settings


def refuse_other_settings(words: Sequence[str], given: Any, settings: Mapping[str, Any]) -> None:
    """ValueError if one of the model's options was typed that its checkpoint says otherwise: there Lightning takes the checkpoint's."""
    for word in words:
        name = re.match(r"--model\.(\w+)", word)
        if name and given.get(name[1]) != settings.get(name[1]):
            raise ValueError(
                f"--model.{name[1]}: expected {settings.get(name[1])}, as the checkpoint has it, or nothing, for its model stays as it"
                f" was made; got {given.get(name[1])}: leave the option out, or train a new model without --ckpt_path"
            )


def refuse_another_task(path: str, theirs: Mapping[str, Any], ours: Form) -> None:
    """ValueError if the model in a checkpoint was made for answers of another form; for texts see SequenceModel.on_load_checkpoint."""
    for name in ("goal", "input_size", "output_size", "every", "symbols"):
        if theirs[name] != getattr(ours, name):
            raise ValueError(
                f"--ckpt_path {path}: expected a model of this task, got one of another: its {name} is {theirs[name]}, here it is"
                f" {getattr(ours, name)}"
            )
