"""byhand fit, validate, test, predict: Lightning's command line over SequenceModel and the tasks."""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import lightning as L
import torch
from jsonargparse import ArgumentError
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI, SaveConfigCallback
from lightning.pytorch.loggers import TensorBoardLogger

from byhand.tasks import Task
from byhand.train.callbacks import Gates, Reproducible
from byhand.train.model import SequenceModel
from byhand.train.progress import Interruptible, progress
from byhand.train.report import Report
from byhand.train.silence import without_advice
from byhand.train.writing import Predictions

TRAINER: dict[str, Any] = {
    "default_root_dir": "runs",
    "max_epochs": 10,
    "log_every_n_steps": 10,
    "num_sanity_val_steps": 0,
    "enable_model_summary": False,
    "use_distributed_sampler": False,  # a task shares its batches out itself
}
CHECKPOINT: dict[str, Any] = {"filename": "best", "save_last": True, "enable_version_counter": False}


class Command(LightningCLI):
    """Lightning's, where the task tells the model its form, and the checkpoint what to watch."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """The links, what an option is if nobody says, and two options of our own."""
        parser.link_arguments("data.form", "model.form", compute_fn=as_dict, apply_on="instantiate")
        parser.add_lightning_class_args(ModelCheckpoint, "checkpoint")
        parser.link_arguments("data.monitor", "checkpoint.monitor", apply_on="instantiate")
        parser.set_defaults({f"checkpoint.{name}": value for name, value in CHECKPOINT.items()})
        parser.add_argument("--name", default="run", help="of the folder with the results: runs/NAME/version_N")
        parser.add_argument(
            "--quick", action="store_true", help="add the shorter version of --config that lies in quick/ beside it"
        )
        parser.add_argument("--output", default="predictions.csv", help="the file that predict writes")

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Whether the checkpoint is one is told before anything is made of it. A text is read with the characters that its model knows."""
        super().parse_arguments(parser, args)
        subcommand = self.config.subcommand
        config = self.config[subcommand]
        if config.ckpt_path is not None:
            form = form_in(config.ckpt_path)
            if "alphabet" in form and "alphabet" in config.data.init_args:
                config.data.init_args.alphabet = form["alphabet"]
        elif subcommand != "fit":
            raise ValueError("expected the model: write --ckpt_path runs/NAME/version_N/checkpoints/best.ckpt, as fit tells")
        if subcommand in ("validate", "test"):
            config.verbose = False  # Report prints the table

    def instantiate_trainer(self, **kwargs: Any) -> L.Trainer:
        """With our callbacks; with a logger, if there is something to log."""
        config = self.config[str(self.subcommand)]
        training = self.subcommand == "fit"
        if config.trainer.logger is None:
            kwargs["logger"] = TensorBoardLogger(config.trainer.default_root_dir, name=config.name) if training else False
        trainer: Any = super().instantiate_trainer(**kwargs)
        ours: list[Callback] = [Report(), Reproducible(seed_of(config))]
        if training:
            ours += [Interruptible(), Gates()]
        else:  # what keeps checkpoints has nothing to do
            trainer.callbacks[:] = [one for one in trainer.callbacks if not isinstance(one, ModelCheckpoint)]
        if self.subcommand == "predict" and self.datamodule.writes == "text":
            trainer.limit_predict_batches = 1  # what is written comes out of the model itself
        if self.subcommand == "predict":
            ours.append(Predictions(config.output))
        if config.trainer.enable_progress_bar is not False:
            trainer.callbacks[:] = [one for one in trainer.callbacks if not hasattr(one, "refresh_rate")]
            ours.append(progress())
        trainer.callbacks[:0] = ours
        return trainer


def form_in(path: str) -> dict[str, Any]:
    """Of the model in a checkpoint. ValueError or OSError unless fit has written it."""
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
    return settings["form"]


def as_dict(form: Any) -> dict[str, Any]:
    return form._asdict()


def seed_of(config: Any) -> int:
    return int(config.seed_everything) if isinstance(config.seed_everything, int) else 0


def main(arguments: list[str]) -> int:
    """fit, validate, test or predict with these words; gives the exit code: 2 for what cannot be done, 130 after Ctrl-C."""
    with quiet():
        try:
            arguments = shortened(arguments)
            command = Command(
                SequenceModel,
                Task,
                subclass_mode_data=True,
                seed_everything_default=0,
                trainer_defaults=TRAINER,
                parser_kwargs={"prog": "byhand", "exit_on_error": False},
                save_config_callback=SaveConfigCallback if arguments[0] == "fit" else None,
                args=arguments,
            )
        except REFUSED as error:
            print(f"byhand {arguments[0]}: {one_line(error)}", file=sys.stderr)
            return 2
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()  # else its threads are there when the process ends, which may abort it
    callbacks: list[Callback] = command.trainer.callbacks  # type: ignore[attr-defined]
    return 130 if any(isinstance(one, Interruptible) and one.interrupted for one in callbacks) else 0


def shortened(arguments: list[str]) -> list[str]:
    """Without the word --quick: after each configuration comes its shorter version, quick/NAME.yaml beside it. ValueError if there is
    none.
    """
    if "--quick" not in arguments:
        return arguments
    words = [word for word in arguments if word != "--quick"]
    for at in reversed([at for at, word in enumerate(words[:-1]) if word in ("-c", "--config")]):
        path = Path(words[at + 1])
        quick = path.parent / "quick" / path.name
        if not quick.is_file():
            raise ValueError(f"--quick: expected a shorter version of {path} in {quick}; leave --quick out, or write that file")
        words[at + 2 : at + 2] = ["--config", str(quick)]
    return words


# What a user can be told: words and files that make no sense, folders that cannot be written. All else is a mistake of ours.
REFUSED = (ArgumentError, ValueError, TypeError, OSError, MisconfigurationException, UnpicklingError)


def one_line(error: BaseException) -> str:
    """What was wrong in the first place, without where jsonargparse was at work when it was."""
    while isinstance(before := error.__cause__ or (None if error.__suppress_context__ else error.__context__), REFUSED):
        error = before
    lines = [line.strip().removeprefix("- ") for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


@contextmanager
def quiet() -> Iterator[None]:
    """Warnings that are left come as one line each. That a disk is full, TensorBoard's writing thread need not say: it is said where
    the checkpoint is written.
    """
    told = threading.excepthook
    try:
        with without_advice():
            warnings.showwarning = lambda message, *_: print(f"byhand: {message}", file=sys.stderr)
            threading.excepthook = lambda what: None if isinstance(what.exc_value, OSError) else told(what)
            yield
    finally:
        threading.excepthook = told
