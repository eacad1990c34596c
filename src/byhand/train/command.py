"""byhand fit, validate, test, predict: Lightning's command line over SequenceModel and the tasks."""

from __future__ import annotations

import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, ProgressBar
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI, SaveConfigCallback
from lightning.pytorch.loggers import TensorBoardLogger

from byhand.tasks import Task
from byhand.train.callbacks import Gates, Reproducible
from byhand.train.checkpoints import refuse_another_task, refuse_other_settings, settings_in
from byhand.train.last import Interrupted, Interruptible, Last
from byhand.train.model import SequenceModel
from byhand.train.optimisation import check_end
from byhand.train.progress import progress
from byhand.train.refusals import REFUSED, one_line
from byhand.train.report import Report
from byhand.train.silence import without_advice
from byhand.train.truncated import check_can_be_cut
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

    kept: Mapping[str, Any]  # the settings of the model in the checkpoint, if there is one

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """The links, what an option is if nobody says, and two options of our own."""
        parser.link_arguments("data.form", "model.form", compute_fn=as_dict, apply_on="instantiate")
        parser.add_lightning_class_args(ModelCheckpoint, "checkpoint")
        parser.set_defaults({f"checkpoint.{name}": value for name, value in CHECKPOINT.items()})
        parser.add_argument("--name", default="run", help="of the folder with the results: runs/NAME/version_N")
        parser.add_argument(
            "--quick", action="store_true", help="add the shorter version of --config that lies in quick/ beside it"
        )
        parser.add_argument("--output", default="predictions.csv", help="the file that predict writes")

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """What a checkpoint is made of is told before anything is made of it. A text is read with the characters that its model knows."""
        super().parse_arguments(parser, args)
        subcommand = self.config.subcommand
        config = self.config[subcommand]
        if config.ckpt_path is not None:
            self.kept = settings_in(config.ckpt_path)
            refuse_other_settings(words_of(args), config.model, self.kept)
            if "alphabet" in self.kept["form"] and "alphabet" in config.data.init_args:
                config.data.init_args.alphabet = self.kept["form"]["alphabet"]
        elif subcommand != "fit":
            raise ValueError("expected the model: write --ckpt_path runs/NAME/version_N/checkpoints/best.ckpt, as fit tells")
        if subcommand in ("validate", "test"):
            config.verbose = False  # Report prints the table

    def instantiate_classes(self) -> None:
        """What does not fit together is told before a training writes anything."""
        super().instantiate_classes()
        config = self.config[str(self.subcommand)]
        if config.ckpt_path is not None:
            refuse_another_task(config.ckpt_path, self.kept["form"], self.datamodule.form)
        if self.subcommand == "fit":
            check_end(self.model.schedule, self.trainer)
        if self.subcommand == "fit" and self.model.tbptt_steps:
            check_can_be_cut(self.model, self.datamodule.batch("train", 0, 0, self.datamodule.batch_size))

    def instantiate_trainer(self, **kwargs: Any) -> L.Trainer:
        """With our callbacks; with a logger, unless none is wanted; in a folder of its own."""
        config = self.config[str(self.subcommand)]
        training = self.subcommand == "fit"
        if config.trainer.logger in (None, False):
            logger = TensorBoardLogger(config.trainer.default_root_dir, name=config.name)
            kwargs["logger"] = logger if training and config.trainer.logger is None else False
            if training and not kwargs["logger"]:
                kwargs["default_root_dir"] = logger.log_dir
        theirs = self._get(self.config_init, "trainer").callbacks or []
        trainer: Any = super().instantiate_trainer(**kwargs)
        if config.trainer.enable_progress_bar is not False and not any(isinstance(one, ProgressBar) for one in theirs):
            trainer.callbacks[:] = [one for one in trainer.callbacks if not isinstance(one, ProgressBar)]
            trainer.callbacks.insert(0, progress())
        for keeper in [one for one in trainer.callbacks if isinstance(one, ModelCheckpoint)]:
            if not training:  # there is nothing to keep
                trainer.callbacks.remove(keeper)
            elif keeper.monitor is None:
                keeper.monitor = self.datamodule.monitor
            if training and keeper.save_last:
                keeper.save_last = False
                trainer.callbacks.append(Last())
        if self.subcommand == "predict" and self.datamodule.writes == "text":
            trainer.limit_predict_batches = 1  # what is written comes out of the model itself
        ours: list[Callback] = [Report(), Reproducible(seed_of(config))]
        ours += [Interruptible(), Gates()] if training else []
        ours += [Predictions(config.output)] if self.subcommand == "predict" else []
        trainer.callbacks[:0] = ours
        return trainer


def words_of(args: ArgsType) -> list[str]:
    return list(args) if isinstance(args, list) else []


def as_dict(form: Any) -> dict[str, Any]:
    return form._asdict()


def seed_of(config: Any) -> int:
    return int(config.seed_everything) if isinstance(config.seed_everything, int) else 0


def main(arguments: list[str]) -> int:
    """fit, validate, test or predict with these words; gives the exit code: 2 for what cannot be done, 130 after Ctrl-C."""
    with quiet(), interruptions():
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
        except Interrupted:
            return 130
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


@contextmanager
def interruptions() -> Iterator[None]:
    """Ctrl-C is a KeyboardInterrupt here as elsewhere, which Lightning makes an exit of."""
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            signal.signal(signal.SIGINT, before)
            raise KeyboardInterrupt from None
        raise


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
