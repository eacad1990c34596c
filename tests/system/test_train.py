"""SequenceModel and its training: stop-and-go, padding, settings, checkpoints, what the callbacks say."""

import logging
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from byhand import LSTM
from byhand.tasks import Adding, Form, Task
from byhand.train import SequenceModel, train
from byhand.train.callbacks.callbacks import GateMonitor, Reproducible, StopWhen
from byhand.train.cli.quiet import without_advice

QUIET: dict[str, Any] = {
    "accelerator": "cpu",
    "logger": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "num_sanity_val_steps": 0,
    "use_distributed_sampler": False,
}


def adding(**changes: Any) -> Adding:
    return Adding(**({"length": 8, "batch_size": 4, "batches": 5, "sequences": 10} | changes))


def model(task: Task, **settings: Any) -> SequenceModel:
    torch.manual_seed(5)
    return SequenceModel(task.form._asdict(), **({"hidden_size": 6, "num_layers": 2, "dropout": 0.3} | settings))


class Stop(Callback):
    """After so many epochs, as Ctrl-C would."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        trainer.should_stop = trainer.current_epoch + 1 == self.epochs


@pytest.mark.parametrize("cell", ["lstm", "zoneout(lstm, h=0.1, c=0.1)"])
def test_stop_and_go_is_straight_through_to_the_bit(cell: str, tmp_path: Path) -> None:
    def trained(folder: str, stop: int | None, resume: str | None = None) -> tuple[SequenceModel, str]:
        keeper = ModelCheckpoint(tmp_path / folder, save_last=True, enable_version_counter=False)
        warnings.filterwarnings("ignore", "Checkpoint directory .* exists and is not empty")
        callbacks = [Reproducible(7), keeper, *([Stop(stop)] if stop else [])]
        trainer = L.Trainer(max_epochs=4, callbacks=callbacks, **QUIET)
        torch.manual_seed(stop or 0)  # whatever happened before makes no difference
        made = model(adding(), cell=cell, schedule="cosine", warmup=3)
        trainer.fit(made, datamodule=adding(), ckpt_path=resume, weights_only=True if resume else None)
        return made, keeper.last_model_path

    whole, _ = trained("whole", None)
    _, half = trained("half", 2)
    rest, _ = trained("half", None, half)
    for name, value in whole.state_dict().items():
        assert (value - rest.state_dict()[name]).abs().max().item() == 0.0, name


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("every", [False, True])
def test_padding_makes_no_difference(every: bool, bidirectional: bool) -> None:
    form = Form(2, 1, "regression", every=every)
    made = SequenceModel(form._asdict(), hidden_size=5, bidirectional=bidirectional, num_layers=2).eval()
    x, lengths = torch.randn(7, 3, 2), torch.tensor([4, 7, 2])
    with torch.no_grad():
        output = made(x, lengths)[0]
        for at, length in enumerate(lengths.tolist()):
            alone = made(x[:length, at : at + 1])[0]
            got = output[:length, at : at + 1] if every else output[at : at + 1]
            torch.testing.assert_close(got, alone, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cell": "lstn"}, "expected a cell out of .*lstm.*; got 'lstn'"),
        ({"cell": "nowhere:mine"}, "expected a module that can be imported"),
        ({"optimiser": "adamm"}, "expected optimiser to be one of adam, .*; got 'adamm'"),
        ({"schedule": "step"}, "expected schedule to be one of"),
        ({"learning_rate": 0.0}, "expected a finite learning_rate above 0; got 0.0"),
        ({"clip": -1.0}, "expected clip of at least 0; got -1.0"),
        ({"embedding_size": 4}, "inputs are no symbols"),
        ({"hidden_size": 0}, "hidden_size"),
    ],
)
def test_wrong_settings_are_told(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SequenceModel(adding().form._asdict(), **settings)


def test_the_loss_is_the_mean_over_all_answers() -> None:
    """Of batches of unequal size, too."""
    _, outcome = train(adding(sequences=10, batch_size=4), {}, max_steps=1)
    assert outcome.metrics["test_loss"] == pytest.approx(outcome.metrics["test_mse"], rel=1e-5)


def test_a_checkpoint_holds_words_and_numbers_and_gives_the_layer_back(tmp_path: Path) -> None:
    trainer = L.Trainer(max_steps=3, callbacks=[ModelCheckpoint(tmp_path, save_last=True)], **QUIET)
    made = model(adding(), cell="peephole", num_layers=1, dropout=0.0)
    trainer.fit(made, datamodule=adding())
    torch.load(tmp_path / "last.ckpt", weights_only=True)
    again: LSTM = SequenceModel.load_from_checkpoint(tmp_path / "last.ckpt").lstm
    assert repr(again) == repr(made.lstm)
    assert all(torch.equal(one, other) for one, other in zip(again.parameters(), made.lstm.parameters(), strict=True))


@pytest.mark.parametrize(
    ("optimiser", "schedule"), [("adam", "linear"), ("sgd", "cosine"), ("momentum", "halving"), ("rmsprop", "constant")]
)
def test_every_optimiser_and_schedule(optimiser: str, schedule: str) -> None:
    _, outcome = train(adding(), {"optimiser": optimiser, "schedule": schedule, "warmup": 2}, max_epochs=2)
    assert outcome.steps == 10 and 0 < outcome.metrics["test_mse"] < 1


def test_training_is_the_same_for_the_same_seed_only() -> None:
    first, second, other = (
        train(adding(), {"dropout": 0.2, "num_layers": 2}, seed=seed, max_steps=5)[1].metrics for seed in (1, 1, 2)
    )
    assert first == second != other


def test_good_enough_ends_the_training() -> None:
    _, outcome = train(adding(), {}, max_epochs=50, callbacks=[StopWhen("val_mse", at_most=10.0)])
    assert outcome.steps == 5
    with pytest.raises(ValueError, match="one of them"):
        StopWhen("val_mse")


def test_several_measures_of_good_enough() -> None:
    """Whichever comes first."""
    measures = [
        StopWhen("val_mse", at_most=-1.0),
        StopWhen("val_mse", at_most=10.0, times=2),
        StopWhen("val_loss", at_most=-1.0),
    ]
    assert train(adding(), {}, max_epochs=50, callbacks=measures)[1].steps == 10


def test_good_enough_means_so_many_times_running(tmp_path: Path) -> None:
    """Of 1 0 1, and 1 after a stop: only the last two are good together."""

    def validated(reached: StopWhen, *values: float) -> list[bool]:
        trainer, ended = L.Trainer(default_root_dir=tmp_path, **QUIET), []
        for value in values:
            trainer.callback_metrics["val_accuracy"] = torch.tensor(value)
            reached.on_validation_end(trainer, L.LightningModule())
            ended.append(trainer.should_stop)
        return ended

    before, after = (StopWhen("val_accuracy", at_least=1.0, times=2) for _ in range(2))
    assert validated(before, 1.0, 0.0, 1.0) == [False, False, False]
    after.load_state_dict(before.state_dict())
    assert validated(after, 1.0) == [True]
    with pytest.raises(ValueError, match="times of at least 1"):
        StopWhen("val_accuracy", at_least=1.0, times=0)


def test_gates_are_logged_and_saturation_is_told(tmp_path: Path) -> None:
    made = model(adding(), num_layers=1, dropout=0.0)
    with torch.no_grad():
        made.lstm.gates(0)["i"].bias.fill_(-50.0)
    logger = TensorBoardLogger(tmp_path)
    trainer = L.Trainer(
        max_epochs=1,
        callbacks=[GateMonitor()],
        enable_checkpointing=False,
        **(QUIET | {"logger": logger, "log_every_n_steps": 1}),
    )
    with pytest.warns(UserWarning, match=r"gate l0.i is shut in 100% of its values"):
        trainer.fit(made, datamodule=adding())
    events = EventAccumulator(logger.log_dir).Reload()
    assert {"sites/l0.f", "sites/l0.c"} <= set(events.Tags()["histograms"])
    assert events.Scalars("shut/l0.i")[0].value == 1.0 and events.Scalars("open/l0.i")[0].value == 0.0
    assert events.Scalars("shut/l0.f")[0].value == 0.0
    assert not [tag for tag in events.Tags()["scalars"] if tag.endswith("l0.g")]  # a candidate is no gate


class Losses(Callback):
    """Of every step, beside what others may read of them after it."""

    def __init__(self) -> None:
        self.found: list[tuple[float, float | None]] = []

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        told = trainer.callback_metrics.get("train_loss")
        self.found.append((outputs["loss"].item(), None if told is None else told.item()))


def test_the_loss_is_noted_where_it_is_read(tmp_path: Path) -> None:
    """Every third step for the log; in the fourth, before a validation; at the end of an epoch of seven and of a training of ten."""
    losses = Losses()
    options = QUIET | {"logger": TensorBoardLogger(tmp_path), "log_every_n_steps": 3, "val_check_interval": 4}
    trainer = L.Trainer(max_steps=10, callbacks=losses, enable_checkpointing=False, **options)
    task = adding(batches=7)
    with without_advice():
        trainer.fit(model(task), datamodule=task)
    seen = [at for at, (loss, told) in enumerate(losses.found, 1) if loss == told]
    assert len(losses.found) == 10 and seen == [3, 4, 6, 7, 9, 10]
    kept = EventAccumulator(trainer.log_dir or "").Reload().Scalars("train_loss")
    assert [(one.step + 1, one.value) for one in kept] == [(at, pytest.approx(losses.found[at - 1][0])) for at in (3, 6, 9)]


def test_silence_ends_where_it_was_asked_for() -> None:
    logger, said = logging.getLogger("lightning.pytorch"), "from lightning.pytorch.trainer.trainer"

    def advise() -> bool:
        warnings.warn_explicit(said, UserWarning, "trainer.py", 1, "lightning.pytorch.trainer")
        return logger.isEnabledFor(logging.INFO)

    before = logger.isEnabledFor(logging.INFO)
    with suppress(KeyError), without_advice():
        assert not advise() and logger.isEnabledFor(logging.WARNING)
        raise KeyError
    with pytest.warns(UserWarning, match=said):
        assert advise() is before
