"""One-line error messages for arguments and files that make no sense."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pickle import UnpicklingError
from traceback import walk_tb
from typing import Any

from jsonargparse import ArgumentError
from lightning.fabric.utilities.exceptions import MisconfigurationException

from byhand.tasks import TASKS
from byhand.tasks.task import at_least

# The user's errors: arguments and files that make no sense, folders that cannot be written. All else is a mistake of ours.
REFUSED = (ArgumentError, ValueError, TypeError, OSError, MisconfigurationException, UnpicklingError)
KEY = re.compile(r'^Parser key "([^"]+)"', re.MULTILINE)  # where jsonargparse was when it went wrong
EXPECTED = re.compile(
    r"^[\s-]*Expected a (<class '(?P<type>\w+)'>|typing\.Literal\[(?P<words>.+?)\](?=\.|$)|(?P<import>dot import))",
    re.MULTILINE,
)
OF_A_CLASS = re.compile(r"Problem with given class_path '(?:[\w.]*\.)?(\w+)':\n\s*(?:Option '(\w+)' is not accepted|(.*))")
NAN = "returned nan values"  # what torch says of the anomaly
NO_TASK = re.compile(r"the following arguments are required: (\w+)\.data\b")
GOT = re.compile(r"(?:Got value: |^\s*Given value: (?:NestedArg\(.*val=)?)(.*?)\)?$", re.MULTILINE)
TO_TRAIN = f"expected a task: write --config adding, or --data with one of {', '.join(TASKS)}"
TO_USE = (
    "expected a task and a model: write --config runs/NAME/version_N/config.yaml --ckpt_path runs/NAME/version_N/checkpoints/best.ckpt,"
    " as fit prints it"
)


def is_refusal(error: BaseException) -> bool:
    """Whether the error is the user's to mend. Of torch's own errors that is NaN alone, which --trainer.detect_anomaly looks for."""
    return isinstance(error, REFUSED) or NAN in str(error)


def check_trainer(trainer: Any, *, pieces: bool) -> None:
    """Raises ValueError for options of Lightning's trainer that it takes, and then fails at or does the wrong thing.

    pieces: whether batches are cut into pieces (--model.tbptt_steps), a step each.
    """
    for name, least in (("accumulate_grad_batches", 1), ("check_val_every_n_epoch", 1), ("gradient_clip_val", 0)):
        value = getattr(trainer, name)
        if value is not None:
            at_least(f"--trainer.{name}", value, least)
    if pieces and trainer.gradient_clip_val is not None:
        raise ValueError(
            f"--trainer.gradient_clip_val: expected nothing beside --model.tbptt_steps: write --model.clip {trainer.gradient_clip_val}"
        )
    if pieces and trainer.accumulate_grad_batches != 1:
        raise ValueError(
            "--trainer.accumulate_grad_batches: expected 1 beside --model.tbptt_steps, for each piece of a batch is a step; got"
            f" {trainer.accumulate_grad_batches}: write a larger --data.batch_size"
        )
    if "spawn" in str(trainer.strategy):
        raise ValueError(f"--trainer.strategy: expected ddp, which starts its processes by itself; got {trainer.strategy}")
    if trainer.barebones:
        raise ValueError(
            "--trainer.barebones: expected false, for it forbids what this command does besides training; for a training that keeps"
            " nothing: --trainer.enable_checkpointing false --trainer.logger false"
        )


def one_line(error: BaseException) -> str:
    """What was wrong: of an option which, what was expected, what was got; of all else what was found in the first place."""
    if NAN in str(error):
        return f"{error} Nothing more can be learned: try a lower --model.learning_rate, or a --model.clip that is not 0"
    found = list(causes(error))
    no_task = NO_TASK.search(str(found[-1]))
    if no_task:
        return TO_TRAIN if no_task[1] == "fit" else TO_USE
    places = [one for one in map(str, found) if KEY.match(one)]
    option = ".".join(dict.fromkeys(KEY.findall("\n".join(places))))
    expected = dict.fromkeys(map(readable, EXPECTED.finditer(places[-1]))) if places else {}
    of_a_class = OF_A_CLASS.search(places[-1]) if places else None
    if of_a_class:
        name, unknown, reason = of_a_class.groups()
        return f"--{option}: {name}: " + (reason or f"has no option {unknown}; --{option}.help {name} lists those that it has")
    if expected:
        got = next(match[1] for match in map(GOT.search, map(str, reversed(found))) if match)
        return f"--{option}: expected {' or '.join(expected)}, got {got}"
    lines = [line.strip().removeprefix("- ") for line in str(found[-1]).splitlines() if line.strip()]
    reason = lines[0] if lines else type(error).__name__
    if reason.endswith(":") and len(lines) > 1:
        reason += f" {lines[1]}"
    return f"--{option}: {reason}" if option else reason


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error and, as long as jsonargparse raised it, what caused it, as far as a user can mend that."""
    yield error
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if isinstance(before, REFUSED) and of_the_parser(error):
        yield from causes(before)


def of_the_parser(error: BaseException) -> bool:
    """Whether jsonargparse has raised it, by itself or out of what else went wrong."""
    frames = list(walk_tb(error.__traceback__))
    return isinstance(error, ArgumentError) or (bool(frames) and "jsonargparse" in frames[-1][0].f_code.co_filename)


def readable(match: re.Match[str]) -> str:
    if match["words"]:
        return "one of " + match["words"].replace("'", "")
    if match["import"]:
        return "a class that can be imported"
    return {"NoneType": "null"}.get(match["type"], match["type"])
