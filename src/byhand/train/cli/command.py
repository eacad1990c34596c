"""byhand fit, validate, test, predict: Lightning's command line over SequenceModel and the tasks."""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, ProgressBar
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI, SaveConfigCallback

from byhand import configs
from byhand.tasks import Task
from byhand.train.callbacks.callbacks import GateMonitor, Reproducible, StopOnNaN
from byhand.train.callbacks.checkpoint_files import Best, WholeCheckpoints
from byhand.train.callbacks.interruption import Interrupted, Interruptible, Last, Terminable, interruptions
from byhand.train.callbacks.losses import Losses
from byhand.train.callbacks.peers import is_lost_peer, lost_peer
from byhand.train.callbacks.predictions import Predictions
from byhand.train.callbacks.progress import progress
from byhand.train.callbacks.report import Report
from byhand.train.cli.arguments import expanded
from byhand.train.cli.errors import REFUSED, check_trainer, is_refusal, one_line
from byhand.train.cli.parser import Parser
from byhand.train.cli.quiet import Unprofiled, without_advice
from byhand.train.cli.resume import (
    Kept,
    read_kept,
    refuse_another_task,
    refuse_other_data,
    refuse_other_settings,
    refuse_what_is_done,
)
from byhand.train.cli.run_folder import claimed, is_first, unclaim
from byhand.train.cli.tuning import description, start_from, take_over
from byhand.train.model.optimisation import check_end
from byhand.train.model.sequence_model import SequenceModel
from byhand.train.model.truncated import check_can_be_cut

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
    """Lightning's command line, where the task passes the model its form, and the checkpoint the metric to watch."""

    kept: Kept | None = None  # what is in the checkpoint, if there is one
    tunes: bool = False  # whether a new training starts from it
    made: ClassVar[list[Path]] = []  # folders, for this training
    typed: ClassVar[str] = ""  # the only subcommand that the parser needs to know; "": it knows all
    running: ClassVar[L.Trainer | None] = None  # which an error leaves without a command that holds it

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """Lightning's; of these only the one that was typed: to tell the parser all options of one takes an eighth of a second."""
        known = LightningCLI.subcommands()
        return {Command.typed: known[Command.typed]} if Command.typed in known else known

    def init_parser(self, **kwargs: Any) -> LightningArgumentParser:
        """Ours, for which text is what was typed."""
        parser = Parser(**kwargs)
        parser.add_argument(
            "-c",
            "--config",
            action="config",
            help="a file with options, in YAML, or the name of one that comes along (byhand configs); of several the last counts",
        )
        return parser

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """The link, what an option is if nobody says, and options of our own."""
        parser.link_arguments("data.form", "model.form", compute_fn=as_dict, apply_on="instantiate")
        parser.add_lightning_class_args(Best, "checkpoint")
        parser.set_defaults({f"checkpoint.{name}": value for name, value in CHECKPOINT.items()})
        parser.add_argument("--name", type=str, default="run", help="of the folder with the results: runs/NAME/version_N")
        parser.add_argument("--quick", action="store_true", help="the shorter version of --config, from quick/ beside it")
        parser.add_argument(
            "--fine_tune", type=str | None, help="fit: the checkpoint whose weights a new training starts with, on other data"
        )
        parser.add_argument("--output", type=str, default="predictions.csv", help="the file that predict writes")

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """A checkpoint is checked before anything is made of it. A text is read with the characters that its model knows."""
        words = list(args) if isinstance(args, list) else []
        super().parse_arguments(parser, words)
        subcommand = self.config.subcommand
        config = self.config[subcommand]
        if config.seed_everything is True:  # another one each time, kept in config.yaml
            config.seed_everything = int(np.random.SeedSequence().generate_state(1)[0])
        self.tunes = subcommand == "fit" and config.ckpt_path is None and config.fine_tune is not None
        if config.ckpt_path is not None or self.tunes:
            self.kept = read_kept(str(config.fine_tune if self.tunes else config.ckpt_path), config.model.cell)
            if self.tunes:
                take_over(words, config, self.kept)
            else:
                refuse_other_settings(words, config.model, self.kept)
            if subcommand == "fit" and not self.tunes:
                refuse_what_is_done(self.kept, config.trainer)
            if self.kept.form.get("alphabet") and "alphabet" in config.data.init_args:
                config.data.init_args.alphabet = self.kept.form["alphabet"]
        elif subcommand != "fit":
            raise ValueError(
                "expected the model: write --ckpt_path runs/NAME/version_N/checkpoints/best.ckpt, as fit prints it"
            )
        if subcommand in ("validate", "test"):
            config.verbose = False  # Report prints the table

    def check(self, config: Any) -> None:
        """ValueError for what does not fit together, before anything is written."""
        check_trainer(config.trainer, pieces=bool(self.model.tbptt_steps))
        if is_first():
            for line in own_configurations(config):
                print(line)
        if self.kept is not None:
            refuse_another_task(self.kept, self.datamodule.form)
        if self.tunes:
            assert self.kept is not None
            start_from(self.model, self.kept)
            if is_first():
                print(description(self.kept))
        elif self.kept is not None and self.subcommand == "fit":
            refuse_other_data(self.kept, self.datamodule.form)
        if self.subcommand == "fit":
            check_end(self.model.schedule, config.trainer.max_epochs, config.trainer.max_steps)
            if self.model.tbptt_steps:
                check_can_be_cut(self.model, self.datamodule.batch("train", 0, 0, self.datamodule.batch_size))

    def instantiate_trainer(self, **kwargs: Any) -> L.Trainer:
        """With our callbacks; with a logger, unless none is wanted; in a folder of its own, unless it is a trial (fast_dev_run)."""
        config, theirs = self.config[str(self.subcommand)], self._get(self.config_init, "trainer")
        training = self.subcommand == "fit"
        self.check(config)
        keeps = training and config.trainer.enable_checkpointing is not False and not config.trainer.fast_dev_run
        kwargs["enable_checkpointing"] = True  # else Lightning refuses the one that we take away below
        kwargs["plugins"] = [WholeCheckpoints(), *listed(theirs.plugins)]
        kwargs["profiler"] = theirs.profiler or Unprofiled()
        callbacks = list(listed(theirs.callbacks))  # as they are now: Lightning adds its own to the list
        if config.trainer.logger in (None, False):
            kwargs["logger"] = False
            if training and not config.trainer.fast_dev_run:
                logger, Command.made = claimed(config.trainer.default_root_dir, config.name)
                kwargs["logger"] = logger if config.trainer.logger is None else False
                kwargs["default_root_dir"] = logger.log_dir
        trainer: Any = super().instantiate_trainer(**kwargs)
        ours: list[Callback] = [Reproducible(seed_of(config))]
        ours += [Interruptible(), StopOnNaN(), Losses()] if training else [Terminable()]
        ours += [sparing_monitor()] if training and not any(isinstance(one, GateMonitor) for one in callbacks) else []
        ours += [Predictions(config.output)] if self.subcommand == "predict" else []
        if config.trainer.enable_progress_bar is not False and not any(isinstance(one, ProgressBar) for one in callbacks):
            trainer.callbacks[:] = [one for one in trainer.callbacks if not isinstance(one, ProgressBar)]
            ours.append(progress())
        trainer.callbacks[:0] = ours
        for keeper in [one for one in trainer.callbacks if isinstance(one, ModelCheckpoint)]:
            keeper.monitor = keeper.monitor or self.datamodule.monitor
            if not keeps:
                trainer.callbacks.remove(keeper)
            elif keeper.save_last:
                keeper.save_last = False  # Last does
                trainer.callbacks.append(Last())
        trainer.callbacks.append(Report(self.kept))
        if self.subcommand == "predict" and self.datamodule.writes == "text":
            trainer.limit_predict_batches = 1  # what is written comes out of the model itself
        Command.running = trainer
        return trainer


def sparing_monitor() -> GateMonitor:
    """The one of a training that names none: its pictures take a tenth of the training's time at most, and wait where they would not."""
    monitor = GateMonitor()
    monitor.share = 0.1
    return monitor


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def as_dict(form: Any) -> dict[str, Any]:
    return form._asdict()


def own_configurations(config: Any) -> Iterator[str]:
    """A line for each configuration of byhand's own, which somebody may have taken for another file of that name."""
    paths = [Path(str(path)) for path in listed(config.config)]
    for path in paths:
        if path.parent == configs.FOLDER:
            short = ", in its shorter version" if configs.shorter(path) in paths else ""
            yield f"configuration: {path.stem}, as it comes with byhand{short}; to see it: byhand configs {path.stem}"


def seed_of(config: Any) -> int:
    return int(config.seed_everything) if isinstance(config.seed_everything, int) else 0


def main(arguments: list[str]) -> int:
    """fit, validate, test or predict with these words; gives the exit code: 1 after the death of another process of the training, 2 for
    what cannot be done, 130 after Ctrl-C, 143 after SIGTERM.
    """
    Command.made, Command.running = [], None
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))  # cells and tasks of one's own
    with quiet(), interruptions(), only(arguments[0]):
        try:
            command = Command(
                SequenceModel,
                Task,
                subclass_mode_data=True,
                seed_everything_default=0,
                trainer_defaults=TRAINER,
                parser_kwargs={"prog": "byhand", "exit_on_error": False},
                save_config_callback=SaveConfigCallback if arguments[0] == "fit" else None,
                args=expanded(arguments),
            )
        except (*REFUSED, RuntimeError) as error:
            if is_lost_peer(error):
                print(f"byhand {arguments[0]}: {lost_peer(Command.running)}", file=sys.stderr)
                return 1
            if not is_refusal(error):
                raise
            unclaim(Command.made)
            print(f"byhand {arguments[0]}: {one_line(error)}", file=sys.stderr)
            return 2
        except Interrupted as stopped:
            return 128 + stopped.signal
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()  # else its threads are there when the process ends, which may abort it
    callbacks: list[Callback] = command.trainer.callbacks  # type: ignore[attr-defined]
    return next((128 + one.signal for one in callbacks if isinstance(one, Interruptible) and one.signal), 0)


@contextmanager
def only(subcommand: str) -> Iterator[None]:
    """Inside the block the parser knows this subcommand only."""
    Command.typed = subcommand
    try:
        yield
    finally:
        Command.typed = ""


@contextmanager
def quiet() -> Iterator[None]:
    """Warnings that are left come as one line each. That a disk is full, TensorBoard's writing thread need not say: it is said where
    the checkpoint is written.
    """
    before = threading.excepthook
    try:
        with without_advice():
            warnings.showwarning = lambda message, *_: print(f"byhand: {message}", file=sys.stderr)
            threading.excepthook = lambda what: None if isinstance(what.exc_value, OSError) else before(what)
            yield
    finally:
        threading.excepthook = before
