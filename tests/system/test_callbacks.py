"""What callbacks of a training write: pictures and samples of text in TensorBoard; what the bar is told."""

import io
import itertools
import logging
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import RichProgressBar
from lightning.pytorch.loggers import TensorBoardLogger
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.tensorboard import SummaryWriter

from byhand.tasks import Adding, Task, Text
from byhand.train import SequenceModel
from byhand.train.callbacks import figures, progress
from byhand.train.callbacks.callbacks import GateMonitor, Reproducible, SampleText
from byhand.train.callbacks.figures import Budget, characters_of, is_due
from byhand.train.callbacks.histograms import add_histogram
from byhand.train.cli.command import sparing_monitor

QUIET: dict[str, Any] = {
    "accelerator": "cpu",
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "enable_checkpointing": False,
    "num_sanity_val_steps": 0,
    "use_distributed_sampler": False,
    "log_every_n_steps": 1,
}


def adding() -> Adding:
    return Adding(length=8, batch_size=4, batches=2, sequences=8)


def words(tmp_path: Path) -> Text:
    path = tmp_path / "words.txt"
    path.write_text("to be or not to be, that is the question: " * 60, encoding="utf-8")
    return Text(path, steps=10, batch_size=4, prompt="to", characters=30)


def logged(task: Task, callback: L.Callback, folder: Path, epochs: int, **settings: Any) -> EventAccumulator:
    torch.manual_seed(5)
    model = SequenceModel(task.form._asdict(), **({"hidden_size": 6} | settings))
    logger = TensorBoardLogger(folder)
    L.Trainer(max_epochs=epochs, callbacks=[callback], logger=logger, **QUIET).fit(model, datamodule=task)
    return EventAccumulator(logger.log_dir).Reload()


def test_pictures_are_drawn_less_and_less_often(tmp_path: Path) -> None:
    events = logged(adding(), GateMonitor(), tmp_path, 4)
    assert events.Tags()["images"] == ["pictures/gates/l0", "pictures/memories/l0", "pictures/saturation"]
    images = events.Images("pictures/gates/l0")
    assert [image.step for image in images] == [2 * (epoch + 1) for epoch in (0, 1, 2)]
    shown = Image.open(io.BytesIO(images[-1].encoded_image_string))
    assert shown.width > 300
    assert len(shown.convert("RGB").getcolors(1 << 24)) > 20  # type: ignore[arg-type]
    assert [epoch for epoch in range(40) if is_due(epoch)] == [0, 1, 2, 4, 8, 16, 32]


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


def test_pictures_take_their_share_of_the_time_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth. The first are taken to need a second; the others what the ones before did."""
    clock = Clock()
    monkeypatch.setattr(figures, "time", clock)
    budget = Budget(0.1)
    clock.now += 9.9
    assert not budget.allows()
    clock.now += 0.2
    assert budget.allows()
    with budget.spending():
        clock.now += 3
    clock.now += 46  # 59.1 since the beginning
    assert not budget.allows()
    clock.now += 1
    assert budget.allows()
    assert Budget().allows()  # at once, whatever they take


def test_pictures_that_are_too_dear_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The times 0 and 1 are too early; what is due is drawn at time 3, when there is time for it, and once."""
    asked: list[bool] = []

    def allows(self: Budget) -> bool:
        asked.append(len(asked) >= 3)
        return asked[-1]

    monkeypatch.setattr(Budget, "allows", allows)
    events = logged(adding(), GateMonitor(), tmp_path, 4)
    assert [image.step for image in events.Images("pictures/gates/l0")] == [2 * 4]
    assert len(asked) == 4


def test_only_the_monitor_that_nobody_asked_for_is_sparing() -> None:
    assert (sparing_monitor().share, GateMonitor().share) == (0.1, math.inf)
    assert sparing_monitor().state_key == GateMonitor().state_key  # earlier checkpoints go on


def test_histograms_are_those_of_tensorboard(tmp_path: Path) -> None:
    """The same as SummaryWriter.add_histogram writes, of the finite values; nothing where there is none."""
    torch.manual_seed(1)
    values = {
        "normal": torch.randn(7, 5),
        "one": torch.zeros(1),
        "far": torch.tensor([-1e30, 3.0, 1e30, 2.0]),
        "half": torch.rand(9).half(),
    }
    with SummaryWriter(tmp_path) as board:
        for name, some in values.items():
            add_histogram(board, f"ours/{name}", some, 4)
            ends = board.default_bins[0], board.default_bins[-1]  # what is beyond, it leaves out
            board.add_histogram(f"theirs/{name}", some.double().clamp(*ends), 4)
        add_histogram(board, "ours/broken", torch.tensor([float("nan"), 1.0, float("inf")]), 4)
        board.add_histogram("theirs/broken", torch.ones(1), 4)
        add_histogram(board, "ours/none", torch.tensor([float("nan")]), 4)
    events = EventAccumulator(str(tmp_path), size_guidance={"histograms": 0}).Reload()
    for name in (*values, "broken"):
        (ours,), (theirs,) = events.Histograms(f"ours/{name}"), events.Histograms(f"theirs/{name}")
        assert ours.step == 4
        assert ours.histogram_value.bucket == theirs.histogram_value.bucket
        assert ours.histogram_value.bucket_limit == theirs.histogram_value.bucket_limit
        assert ours.histogram_value.num == theirs.histogram_value.num
        if name != "far":
            assert ours.histogram_value.sum_squares == pytest.approx(theirs.histogram_value.sum_squares, rel=1e-12)
            assert (ours.histogram_value.min, ours.histogram_value.max) == (
                theirs.histogram_value.min,
                theirs.histogram_value.max,
            )
    assert "ours/none" not in events.Tags()["histograms"]


def test_pictures_of_other_layers(tmp_path: Path) -> None:
    events = logged(adding(), GateMonitor(every_n_epochs=2), tmp_path, 2, num_layers=2, bidirectional=True)
    places = ("l0", "l0.reverse", "l1", "l1.reverse")
    wanted = {f"pictures/{kind}/{place}" for place in places for kind in ("gates", "memories")}
    assert set(events.Tags()["images"]) == wanted | {"pictures/saturation"}
    assert len(events.Images("pictures/saturation")) == 1


@pytest.mark.parametrize(
    ("every", "validations", "steps"),
    [(1, 1, [1, 2, 3, 4, 5, 6]), (2, 1, [1, 3, 5]), (2, 2, [2, 4, 6]), (1, 5, [5]), (4, 3, [3, 6])],
)
def test_gates_are_looked_at_however_rare_validations_are(
    every: int, validations: int, steps: list[int], tmp_path: Path
) -> None:
    """Six epochs of one step each. every: epochs of the callback; validations: epochs from one to the next."""
    task = Adding(length=8, batch_size=4, batches=1, sequences=4)
    logger = TensorBoardLogger(tmp_path)
    options = QUIET | {"logger": logger, "check_val_every_n_epoch": validations}
    L.Trainer(max_epochs=6, callbacks=[GateMonitor(every, pictures=False)], **options).fit(
        SequenceModel(task.form._asdict(), hidden_size=3), datamodule=task
    )
    assert [one.step for one in EventAccumulator(logger.log_dir).Reload().Scalars("shut/l0.f")] == steps


def test_gates_that_are_nearly_shut_are_counted_where_saturation_counts_them(tmp_path: Path) -> None:
    model = SequenceModel(adding().form._asdict(), hidden_size=4)
    with torch.no_grad():
        for name, parameter in model.lstm.named_parameters():
            parameter.fill_(0.0)
            if name == "bias_ih_l0":  # σ(−2.3) = .091, σ(−2.1) = .109
                parameter[:4] = torch.tensor([-2.3, -2.1, 2.3, 2.1])
    logger = TensorBoardLogger(tmp_path)
    options = QUIET | {"logger": logger, "limit_train_batches": 1}
    model.learning_rate = 1e-12
    L.Trainer(max_epochs=1, callbacks=[GateMonitor(pictures=False)], **options).fit(model, datamodule=adding())
    events = EventAccumulator(logger.log_dir).Reload()
    assert [events.Scalars(f"{word}/l0.i")[0].value for word in ("shut", "open")] == [0.25, 0.25]


def test_random_numbers_of_a_step_depend_on_seed_epoch_step_and_process() -> None:
    def drawn(seed: int, epoch: int, step: int, rank: int) -> float:
        trainer: Any = SimpleNamespace(current_epoch=epoch, global_rank=rank)
        Reproducible(seed).on_train_batch_start(trainer, None, None, step)  # type: ignore[arg-type]
        return float(torch.rand(1))

    first = drawn(1, 2, 3, 0)
    assert drawn(1, 2, 3, 0) == first
    assert len({first, drawn(2, 2, 3, 0), drawn(1, 3, 3, 0), drawn(1, 2, 4, 0), drawn(1, 2, 3, 1)}) == 5


def test_no_pictures(tmp_path: Path) -> None:
    assert logged(adding(), GateMonitor(pictures=False), tmp_path / "none", 1).Tags()["images"] == []
    plain = logged(adding(), GateMonitor(), tmp_path / "rnn", 1, cell="rnn").Tags()["images"]
    assert plain == ["pictures/memories/l0"]  # no gates


def test_pictures_of_a_text(tmp_path: Path) -> None:
    assert "pictures/gates/l0" in logged(words(tmp_path), GateMonitor(), tmp_path, 1, embedding_size=3).Tags()["images"]
    task = words(tmp_path)
    batch = task.batch("val", 0, 0, 4)
    assert characters_of(task.form, batch) == "".join(task.alphabet[one] for one in batch.input[:, 0].tolist())
    batch.input[1, 0] = len(task.alphabet)
    assert (characters_of(task.form, batch) or "")[1] == "\ufffd"
    assert characters_of(adding().form, batch) is None


def test_a_text_model_writes_as_it_learns(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "byhand.train.callbacks"):
        events = logged(words(tmp_path), SampleText(every_n_epochs=2), tmp_path, 4)
    (tag,) = [tag for tag in events.Tags()["tensors"] if tag.startswith("sample")]
    samples = [one.tensor_proto.string_val[0].decode() for one in events.Tensors(tag)]
    assert len(samples) == 2
    assert all(sample.startswith("    to") for sample in samples)
    assert samples[0] != samples[1]
    told = [record.getMessage() for record in caplog.records if record.name == "byhand.train.callbacks.callbacks"]
    assert [one[:11] for one in told] == ["epoch 0: to", "epoch 2: to"]
    assert len(told[0]) == len("epoch 0: to") + 30


@pytest.mark.filterwarnings("ignore:Encountered `nan` values:UserWarning")
def test_other_tasks_write_nothing_and_nan_ends_no_training(tmp_path: Path) -> None:
    assert logged(adding(), SampleText(), tmp_path / "adding", 1).Tags()["tensors"] == []
    task = words(tmp_path)
    torch.manual_seed(0)
    model = SequenceModel(task.form._asdict(), hidden_size=6)
    model.head.bias.data.fill_(torch.nan)
    trainer = L.Trainer(max_epochs=1, limit_train_batches=0, callbacks=[SampleText()], logger=False, **QUIET)
    with pytest.warns(UserWarning, match="no sample could be written: text: the model gives NaN"):
        trainer.validate(model, datamodule=task, verbose=False)
    with pytest.raises(ValueError, match="every_n_epochs of at least 1, got 0"):
        SampleText(every_n_epochs=0)


def test_the_bar_is_told_as_often_as_it_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step takes 40 ms here; and of the last."""
    told: list[int] = []
    clock = itertools.count(100)
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: 0.04 * next(clock)))
    monkeypatch.setattr(RichProgressBar, "on_train_batch_end", lambda bar, *arguments: told.append(arguments[-1]))
    bar: Any = progress.Bar(refresh_rate=progress.FRAMES)
    for index in range(9):
        bar.on_train_batch_end(SimpleNamespace(is_last_batch=index == 7), None, None, None, index)
    assert told == [0, 3, 6, 7]
