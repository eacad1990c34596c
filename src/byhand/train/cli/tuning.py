"""Fine-tuning: a new training that starts with the weights of an old one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from byhand.tasks.table.scaling import read_scales
from byhand.train.callbacks.checkpoint_files import WholeCheckpoints
from byhand.train.cli.resume import TRAINING, Kept, refuse_other_settings
from byhand.train.model.sequence_model import SequenceModel


def take_over(words: Sequence[str], config: Any, kept: Kept) -> None:
    """Into the configuration: the settings of the model in a checkpoint, but for those of its training; and the scales and characters
    that it knows. ValueError if others were typed.
    """
    of_model = [word for word in words if not re.match(rf"--model\.({'|'.join(TRAINING)})\b", word)]
    refuse_other_settings(of_model, config.model, kept)
    for name, value in kept.settings.items():
        if name in config.model and name not in ("form", *TRAINING):
            config.model[name] = value
    data = config.data.init_args
    if kept.form.get("fitted") and "scale" in data:
        scale = read_scales(kept.fitted)
        if data.scale not in (None, scale):
            raise ValueError(f"--data.scale: expected that of {kept.path}, {scale}, or nothing; got {data.scale}")
        data.scale = scale


def start_from(model: SequenceModel, kept: Kept) -> None:
    """With the weights in a checkpoint, in their own precision."""
    weights = WholeCheckpoints().load_checkpoint(kept.path, lambda storage, _: storage, weights_only=True)["state_dict"]
    model.to(weights["head.weight"].dtype).load_state_dict(weights)


def description(kept: Kept) -> str:
    """What a fine-tuning starts from, in a line."""
    scales = f"; its scales are kept: {kept.fitted}" if kept.fitted else ""
    return f"fine-tuning {kept.path}, trained for {kept.steps} steps in {kept.epochs} epochs{scales}"
