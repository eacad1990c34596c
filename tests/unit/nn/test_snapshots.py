"""Snapshots of a training: evenly kept, saved whole, taken by byhand fit."""

from pathlib import Path

import lightning as L
import pytest
import torch
from torch import nn

from byhand import LSTM, LoadError
from byhand.explorer import Snapshots, explore
from byhand.tasks import Companies
from byhand.train import train
from byhand.train.callbacks.snapshots import FILE
from byhand.train.callbacks.snapshots import SnapshotCallback as Taking


@pytest.mark.parametrize("most", [2, 3, 8, 9])
def test_so_many_are_kept_evenly(most: int) -> None:
    model, taken = LSTM(1, 1), Snapshots(most)
    for epoch in range(0, 500, 5):
        nn.init.constant_(model.bias_ih_l0, epoch)
        taken.take(epoch, model, epoch / 2)
        assert len(taken) <= most and taken.epochs[0] == 0
        gaps = {b - a for a, b in zip(taken.epochs, taken.epochs[1:], strict=False)}
        assert len(gaps) <= 1
    assert len(taken) > most / 2 and len(taken.losses) == 100
    for snapshot in taken.kept:
        assert (snapshot.state["bias_ih_l0"] == snapshot.epoch).all()  # a copy, as it was then


def test_saved_and_loaded(tmp_path: Path) -> None:
    model, head, taken = LSTM(2, 3, 2, bidirectional=True), nn.Linear(6, 1), Snapshots(5)
    for epoch in range(9):
        taken.take(epoch, model, 1.0, head=head if epoch % 2 == 0 else None)
    taken.take_last(8, model)
    taken.take_last(20, model)
    taken.save(tmp_path / "s.safetensors")
    loaded = Snapshots.load(tmp_path / "s.safetensors")
    assert (loaded.epochs, loaded.losses, loaded.most, loaded.every) == (taken.epochs, taken.losses, taken.most, taken.every)
    assert taken.epochs[-1] == 20 and repr(loaded) == "Snapshots(6, epochs 0 to 20)"
    for one, other in zip(taken.kept, loaded.kept, strict=True):
        assert one.state.keys() == other.state.keys() and (one.head is None) == (other.head is None)
        assert all(torch.equal(value, other.state[name]) for name, value in one.state.items())
    explore(model, torch.randn(3, 1, 2), training=loaded)


def test_damage_is_noticed(tmp_path: Path) -> None:
    taken = Snapshots()
    taken.take(0, LSTM(1, 1))
    path = tmp_path / "s.safetensors"
    taken.save(path)
    whole = path.read_bytes()
    for content in (b"", b"nonsense", whole[:-1], whole[:-1] + bytes([whole[-1] ^ 1])):
        path.write_bytes(content)
        with pytest.raises(LoadError, match=r"expected snapshots as Snapshots.save wrote them"):
            Snapshots.load(path)
    with pytest.raises(LoadError, match="No such file"):
        Snapshots.load(tmp_path / "none")


def test_what_makes_no_sense_is_refused() -> None:
    taken = Snapshots()
    taken.take(3, LSTM(1, 1), 0.5)
    with pytest.raises(ValueError, match="ascending order, got 3 after 3"):
        taken.take(3, LSTM(1, 1))
    with pytest.raises(ValueError, match="most of at least 2, got 1"):
        Snapshots(1)
    with pytest.raises(ValueError, match="every_n_epochs of at least 1, got 0"):
        Taking(every_n_epochs=0)


def test_a_training_keeps_its_weights_and_is_left_as_it_was(tmp_path: Path) -> None:
    settings = {"hidden_size": 2, "learning_rate": 0.1}
    plain, _ = train(Companies(), settings, max_epochs=7)
    taking = Taking(every_n_epochs=2)
    told = {"default_root_dir": str(tmp_path), "logger": True}
    model, _ = train(Companies(), settings, max_epochs=7, callbacks=[taking], trainer=told)
    for one, other in zip(plain.parameters(), model.parameters(), strict=True):
        assert torch.equal(one, other)
    (file,) = tmp_path.rglob(FILE)
    taken = Snapshots.load(file)
    assert taken.epochs == [0, 2, 4, 6, 7] and [epoch for epoch, _ in taken.losses] == [2, 4, 6]
    for name, value in model.lstm.state_dict().items():
        assert torch.equal(taken.kept[-1].state[name], value)
    assert torch.equal(taken.kept[-1].head["weight"], model.head.weight)
    start = train(Companies(), settings, max_steps=0)[0]
    assert torch.equal(taken.kept[0].state["weight_hh_l0"], start.lstm.weight_hh_l0)


def test_a_model_without_one_stack_is_refused() -> None:
    class Plain(L.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = LSTM(1, 1), LSTM(1, 1)

    with pytest.raises(ValueError, match=r"expected one byhand.LSTM inside Plain, got 2"):
        Taking().take(0, L.Trainer(logger=False, enable_checkpointing=False, accelerator="cpu"), Plain())
