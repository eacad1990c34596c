"""byhand story: its numbers are the model's, computed here a second time; and what cannot be computed is said."""

import json
import math
import re
import shutil
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import byhand
from byhand import zoo
from byhand.__main__ import main
from byhand.explorer.load.checkpoint import open_trained, read
from byhand.explorer.story.cli import usual
from byhand.explorer.story.layout import laid_out
from byhand.explorer.story.naming import number
from byhand.explorer.story.story import tell
from byhand.train.callbacks.losses import losses_in


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A tiny training of byhand fit's."""
    folder = tmp_path_factory.mktemp("fit")
    small = ["--trainer.max_epochs", "3", "--trainer.limit_train_batches", "4", "--trainer.limit_val_batches", "1"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(["fit", "--config", "parity", "--quick", *small]) == 0
    return folder / "runs/parity/version_0"


def said(story):
    return {one.title: " ".join(one.sentences) for one in story.sections}


def held(model, site, unit, x, lengths=None):
    with torch.no_grad(), byhand.edit(model, {site: byhand.at(0.0, unit=unit)}):
        return model(x, lengths)[0]


@pytest.fixture(scope="module")
def adding():
    return tell(zoo_path("adding"), 32)


def zoo_path(name):
    return Path(f"zoo:{name}")


def test_losses_with_units_held_are_the_models_own(adding):
    model, words = zoo.load("adding"), said(adding)["The units that matter"]
    x, target, lengths = model.example
    x, target, lengths = x[:, :32], target[:32], None if lengths is None else lengths[:32]
    with torch.no_grad():
        base = F.mse_loss(model(x, lengths)[0].flatten(), target.flatten()).item()
    without = [F.mse_loss(held(model, "lstm.l0.c", unit, x, lengths).flatten(), target.flatten()).item() for unit in range(16)]
    best = max(range(16), key=lambda unit: without[unit])
    stated = re.search(r"on 32 sequences of its task is ([\d.e−]+)\. ", words)[1]
    assert float(stated.replace("−", "-")) == pytest.approx(base, rel=1e-3)
    unit, loss = re.search(r"greatest first: unit (\d+) of l0: ([\d.]+);", words).groups()
    assert (int(unit), float(loss)) == (best, pytest.approx(without[best], rel=1e-3))


def test_what_it_keeps_and_who_wrote_it_add_up(adding):
    model, words, best = zoo.load("adding"), said(adding), adding.measured.units[0]
    x, _, lengths = model.example
    x, lengths = x[:, :4], lengths[:4]
    x = x[: int(lengths.max())]
    with byhand.record(model) as trace:
        model(x, lengths)
    inside = torch.arange(1, len(x)).unsqueeze(1) < lengths
    forget = trace["lstm.l0.f"][1:, :, best.number][inside].double()
    half = math.log(0.5) / forget.log().mean().item()
    kept = float(re.search(r"after ([\d.]+) steps", words["What they keep"])[1])
    assert kept == pytest.approx(half, rel=1e-3)
    broken = adding.measured.broken
    memory = trace["lstm.l0.c"][broken.step, broken.item, best.number].item()
    assert sum(entry.amount for entry in adding.measured.entries) == pytest.approx(memory, rel=1e-4)
    stated = re.search(r"is (−?[\d.]+), a sum", words["Who wrote it"])[1]
    assert float(stated.replace("−", "-")) == pytest.approx(memory, abs=0.006)


def test_the_answer_that_breaks_is_the_one_that_changes_most(adding):
    model, best, broken = zoo.load("adding"), adding.measured.units[0], adding.measured.broken
    x, target, lengths = (one[:, :4] if at == 0 else one[:4] for at, one in enumerate(zoo.load("adding").example))
    with torch.no_grad():
        before = model(x, lengths)[0].flatten()
    after = held(model, best.site, best.number, x, lengths).flatten()
    assert broken.item == int((before - after).abs().argmax())
    words = said(adding)["What breaks without it"]
    numbers = re.search(r"answered sum = ([\d.−]+); without the unit, sum = ([\d.−]+)\. Right is ([\d.−]+)\.", words).groups()
    for stated, value in zip(numbers, (before, after, target), strict=True):
        assert float(stated.replace("−", "-")) == pytest.approx(value.flatten()[broken.item].item(), rel=2e-3)


def test_a_run_has_its_curve(run):
    story = tell(run / "checkpoints/best.ckpt", 8)
    losses = losses_in(read(run / "checkpoints/best.ckpt"))
    words = said(story)["How it learnt"]
    assert f"after step {losses[-1].step}, {number(losses[-1].val)}" in words
    assert f"lowest after step {min(losses, key=lambda one: one.val).step}" in words
    assert story.sections[1].picture.startswith("data:image/svg+xml;base64,")
    trained = open_trained(run / "checkpoints/best.ckpt", 8)
    batch = trained.task.batch("test", 0, 0, 8)
    with torch.no_grad():
        loss = trained.model.goal.loss(trained.model(batch.input, batch.lengths)[0], batch).item()
    assert story.measured.ablation.base == pytest.approx(loss, rel=1e-5)  # as byhand fit computes it


def test_what_a_plain_rnn_lacks_is_said():
    words = said(tell(zoo_path("adding_rnn"), 4))
    assert "has no half-life" in words["What they keep"] and "it is replaced at every step" in words["Who wrote it"]
    assert "keeps no losses" in words["How it learnt"] and "mse 0.0" in words["How it learnt"]


def test_the_page_goes_beside_the_run_and_holds_everything(run, capsys):
    assert main(["story", str(run), "--items", "4"]) == 0
    text = (run / "story.html").read_text(encoding="utf-8")
    assert str(run / "story.html") in capsys.readouterr().out
    inside = json.loads(re.search(r'id="byhand-explorer-page">(.*?)</script>', text, re.DOTALL)[1])
    assert inside.startswith("<!doctype html>") and 'id="byhand-document"' in inside
    assert not re.search(r'(?:src|href)="(?!data:)', text.split('<script type="application/json"')[0])
    assert usual(zoo_path("an_bn")).name == "an_bn-story.html"


def test_equal_stories_are_equal_files():
    """But for the dots of pictures, which Matplotlib may round otherwise the first time that it draws."""
    first, second = (re.sub(r"base64,[^\"')]+", "", laid_out(tell(zoo_path("companies"), 2))) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["weights.pt"], "expected a checkpoint of byhand fit, or zoo:NAME"),
        (["zoo:an_bn", "--items", "0"], "--items: expected at least 1, got 0"),
        (["zoo:nothing"], "nothing"),
        (["empty"], "without a checkpoint: a run has best.ckpt or last.ckpt: byhand story runs/NAME"),
        (["moved.ckpt"], "there is no config.yaml beside it"),
        (["moved.ckpt", "--save", "moved.ckpt"], "which is read: write --save story.html"),
    ],
)
def test_what_cannot_be_told_is_refused(words, expected, run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    torch.save(nn.LSTM(2, 3).state_dict(), "weights.pt")
    (tmp_path / "empty").mkdir()
    shutil.copy(run / "checkpoints/best.ckpt", "moved.ckpt")
    assert main(["story", *words]) == 2
    assert expected in capsys.readouterr().err
    assert not list(tmp_path.glob("*.html"))
