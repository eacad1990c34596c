"""Training through Lightning: the known results, the log, checkpoints."""

from pathlib import Path

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.data import DataLoader, TensorDataset

from LSTM import COMPANIES, LSTMbyHand, companies, trainer


def fresh(**arguments: float) -> LSTMbyHand:
    L.seed_everything(42, verbose=False)
    return LSTMbyHand(**arguments)  # type: ignore[arg-type]


def fit(model: LSTMbyHand, epochs: int, folder: Path, checkpoint: str | None = None, batch_size: int = 1) -> L.Trainer:
    training = trainer(epochs, str(folder))
    training.fit(model, companies(batch_size), ckpt_path=checkpoint)
    return training


def predict(model: LSTMbyHand) -> list[float]:
    return [model(torch.tensor(prices)).item() for prices, _ in COMPANIES.values()]


def assert_same(one: LSTMbyHand, other: LSTMbyHand) -> None:
    for (name, a), (_, b) in zip(one.named_parameters(), other.named_parameters(), strict=True):
        assert torch.equal(a, b), name


def test_three_hundred_epochs_reach_the_known_predictions(tmp_path: Path) -> None:
    model = fresh()
    fit(model, 300, tmp_path)
    assert predict(model) == pytest.approx([0.0002, 0.9868], abs=1e-3)


def test_lightning_trains_exactly_as_a_bare_loop(tmp_path: Path) -> None:
    model, bare = fresh(), fresh()
    fit(model, 20, tmp_path)
    optimiser = bare.configure_optimizers()
    for _ in range(20):
        for prices, label in COMPANIES.values():
            optimiser.zero_grad()
            ((bare(torch.tensor(prices)) - label) ** 2).backward()
            optimiser.step()
    assert_same(model, bare)


def test_log_holds_the_loss_and_both_predictions_of_every_epoch(tmp_path: Path) -> None:
    model = fresh(learning_rate=1e-30)
    log = EventAccumulator(fit(model, 3, tmp_path).log_dir).Reload()
    a, b = predict(model)
    for name, value in (("out_0", a), ("out_1", b), ("train_loss", (a**2 + (b - 1) ** 2) / 2)):
        events = log.Scalars(name)
        assert [event.step for event in events] == [1, 3, 5]
        assert [event.value for event in events] == pytest.approx([value] * 3)


def test_log_is_thinned_to_the_last_of_each_ten(tmp_path: Path) -> None:
    log = EventAccumulator(fit(fresh(log_every_n_epochs=10), 25, tmp_path).log_dir).Reload()
    assert [event.step for event in log.Scalars("out_1")] == [19, 39]


def test_a_batch_of_two_takes_the_mean_of_both_gradients(tmp_path: Path) -> None:
    model = fresh()
    together = model.loss(next(iter(companies(batch_size=2))))[0]
    apart = torch.stack([model.loss(batch)[0] for batch in companies()]).mean()
    torch.testing.assert_close(together, apart)
    fit(model, 300, tmp_path, batch_size=2)
    assert predict(model) == pytest.approx([0, 1], abs=0.05)


def test_stop_and_go_equals_straight_through(tmp_path: Path) -> None:
    straight, stopped = fresh(), fresh()
    fit(straight, 30, tmp_path)
    checkpoint = f"{fit(stopped, 13, tmp_path).log_dir}/last.ckpt"
    resumed = LSTMbyHand.load_from_checkpoint(checkpoint)
    assert fit(resumed, 30, tmp_path, checkpoint).global_step == 60
    assert_same(resumed, straight)


def test_the_constructors_learning_rate_wins_over_the_checkpoints(tmp_path: Path) -> None:
    checkpoint = f"{fit(fresh(), 5, tmp_path).log_dir}/last.ckpt"
    slowed = LSTMbyHand.load_from_checkpoint(checkpoint, learning_rate=1e-30)
    before = predict(slowed)
    fit(slowed, 10, tmp_path, checkpoint)
    assert predict(slowed) == pytest.approx(before, abs=1e-6)


def test_checkpoint_loads_as_plain_data(tmp_path: Path) -> None:
    checkpoint = torch.load(f"{fit(fresh(), 2, tmp_path).log_dir}/last.ckpt", weights_only=True)
    assert checkpoint["hyper_parameters"] == {"learning_rate": 0.1, "log_every_n_epochs": 1}
    assert len(checkpoint["state_dict"]) == 12


def test_validation_test_and_prediction_steps(tmp_path: Path) -> None:
    model, training = fresh(), trainer(2, str(tmp_path))
    training.fit(model, companies(), companies(2))
    assert training.callback_metrics["val_loss"] == pytest.approx(model.loss(next(iter(companies(2))))[0].item())
    (found,) = training.test(model, companies(), verbose=False)
    assert found["test_loss"] == pytest.approx(training.callback_metrics["test_loss"].item())
    for loader in (companies(2), DataLoader(TensorDataset(torch.tensor([prices for prices, _ in COMPANIES.values()])), 2)):
        (predictions,) = training.predict(model, loader) or []
        assert torch.as_tensor(predictions).tolist() == pytest.approx(predict(model))


def test_early_stopping_can_watch_the_logged_loss(tmp_path: Path) -> None:
    training = trainer(50, str(tmp_path))
    training.callbacks.append(EarlyStopping("train_loss", stopping_threshold=0.24, mode="min"))  # type: ignore[attr-defined]
    training.fit(fresh(), companies())
    assert training.current_epoch < 50
