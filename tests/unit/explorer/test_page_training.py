"""Training in the page, run by node from its sources: against torch, LSTM.py, byhand's own tasks and its reader of weights."""

import json
import math
import re
import time
import warnings
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from conftest import ROOT
from page_in_node import in_node
from page_training import EPOCHS, fixture, lesson
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import one_hot

import byhand
from byhand.explorer.document.play import LESSON_SEED, lesson_start, play_document
from byhand.explorer.hosts.page import json_text, page
from byhand.explorer.playing import play
from byhand.tasks import AnBn, Companies, EmbeddedReber, reber
from LSTM import LSTMbyHand, companies, trainer

SITES = {"green": 0, "blue": 1, "orange": 2, "purple": 3}  # the rows of a byhand.LSTM


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("training") / "fixture.json"
    path.write_text(json_text(fixture()), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def made(written: Path) -> dict[str, Any]:
    """What frontend/test/train/trained.ts prints, its files beside the fixture."""
    done = in_node(str(ROOT / "frontend/test/train/trained.ts"), str(written.parent), fixture=written)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout) | {"folder": written.parent}


def test_the_page_trains_as_torch_does(written: Path) -> None:
    """Losses and gradients of 7 tasks with 7 cells, and with sites held; the twelve numbers after 300 epochs; what is kept and shown."""
    done = in_node("--test", *sorted(map(str, (ROOT / "frontend/test/train").glob("*.test.ts"))), fixture=written)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    assert int(re.findall(r"^\S+ pass (\d+)$", done.stdout, re.MULTILINE)[0]) >= 80


def test_the_fixture_of_the_lesson_is_what_lightning_trains(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    made = []
    for fitted in (False, True):
        L.seed_everything(LESSON_SEED, verbose=False)
        model = LSTMbyHand().double()
        if not fitted:
            made.append(lesson(model)["end"])
            continue
        silent = dict[str, Any](logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False)
        data = torch.utils.data.DataLoader([(x.double(), y.double()) for x, y in companies().dataset])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            L.Trainer(max_epochs=EPOCHS, accelerator="cpu", **silent).fit(model, data)
        made.append({name: value.item() for name, value in model.named_parameters()})
    assert made[0] == made[1]


def test_the_lesson_trains_at_least_twenty_times_as_fast_as_lstm_py(written: Path, tmp_path: Path) -> None:
    done = in_node(str(ROOT / "frontend/test/train/speed.ts"), fixture=written)
    assert done.returncode == 0, done.stderr
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = trainer(60, str(tmp_path))
        start = time.perf_counter()
        run.fit(LSTMbyHand(log_every_n_epochs=10), companies())
    theirs = 60 / (time.perf_counter() - start)
    print(f"{float(done.stdout):.0f} epochs a second in the page's trainer, {theirs:.0f} in LSTM.py")
    assert float(done.stdout) >= 20 * theirs


def test_the_lesson_starts_with_the_numbers_of_its_seed() -> None:
    L.seed_everything(LESSON_SEED, verbose=False)
    model, start = LSTMbyHand(), lesson_start(LESSON_SEED)
    for colour, row in SITES.items():
        assert start["weight_hh_l0"][row] == model.get_parameter(f"w_{colour}1").item()
        assert start["weight_ih_l0"][row] == model.get_parameter(f"w_{colour}2").item()
        assert start["bias_ih_l0"][row] == model.get_parameter(f"b_{colour}1").item() == 0


def outputs(lstm: byhand.LSTM, state: dict[str, Tensor], file: dict[str, Any]) -> Tensor:
    values = torch.tensor(file["x"])
    x = one_hot(values.long(), file["inputs"]) if file["symbols"] else values.reshape(-1, file["inputs"])
    with torch.no_grad():
        output = lstm(x.float())[0][file["asked"]]
    return output @ state["head.weight"].T + state["head.bias"] if "head.weight" in state else output[:, 0]


def test_saved_files_load_in_python_and_give_the_same_answers(made: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(made["folder"])
    assert len(made["files"]) == 49
    for file in made["files"]:
        name = f"{file['task']}-{file['cell']}.safetensors"
        scope: dict[str, Any] = {"byhand": byhand}
        exec(file["python"], scope)
        found = outputs(scope["lstm"].eval(), load_file(name), file).flatten()
        assert found.tolist() == pytest.approx(file["answers"], rel=1e-4, abs=1e-5), name


def test_the_page_draws_what_the_tasks_ask(made: dict[str, Any]) -> None:
    """Each sequence is one that the task's own file describes, and its answer the right one."""
    drawn = made["drawn"]
    assert {
        "symbols": reber.SYMBOLS,
        "ways": [[list(way) for way in ways.items()] for ways in reber.WAYS],
        "end": reber.END,
    } == made["reber"]
    prices = Companies().data["train"].input[..., 0].T.tolist()
    for number, one in enumerate(drawn["companies"]["sequences"]):
        assert one["x"] == prices[number % 2]
        assert one["targets"] == [None, None, None, one["x"][0]]
    for one in drawn["adding"]["sequences"]:
        values, markers = one["x"][::2], one["x"][1::2]
        marked = [time for time, marker in enumerate(markers) if marker == 1]
        assert 20 <= len(values) <= 22
        assert len(marked) == 2
        assert marked[1] < 10
        assert all(
            marker == (-1 if time in (0, len(markers) - 1) else 0) for time, marker in enumerate(markers) if time not in marked
        )
        assert one["targets"][-1] == pytest.approx(0.5 + sum(values[time] for time in marked) / 4)
        assert one["targets"][:-1] == [None] * (len(values) - 1)
    letters = drawn["temporal_order"]["inputs"]
    for one in drawn["temporal_order"]["sequences"]:
        text = "".join(letters[symbol] for symbol in one["x"])
        order = re.fullmatch(r"E[abcd]*([XY])[abcd]*([XY])[abcd]*B", text)
        assert order is not None
        assert drawn["temporal_order"]["outputs"][one["targets"][-1]] == order[1] + order[2]
        assert 2 <= order.start(1) <= 4
        assert 10 <= order.start(2) <= 12
    for one in drawn["parity"]["sequences"]:
        assert one["targets"] == (torch.tensor(one["x"]).cumsum(0) % 2).tolist()
    for one in drawn["an_bn"]["sequences"]:
        text = "".join("SabT"[symbol] for symbol in [*one["x"], one["targets"][-1]])
        assert re.fullmatch(r"S(a+)(b+)T", text)
        assert text.count("a") == text.count("b")
        assert one["targets"][:-1] == one["x"][1:]
    for one in drawn["embedded_reber"]["sequences"]:
        state = reber.START
        for symbol in [*one["x"], one["targets"][-1]]:
            state = reber.WAYS[state][reber.SYMBOLS[symbol]]
        assert state == reber.END
    for task in (AnBn(most=drawn["an_bn"]["length"], test_most=drawn["an_bn"]["length"]), EmbeddedReber()):
        bits = list(task.baselines.values())[-1]["bits"]  # of who knows the language
        name = "an_bn" if isinstance(task, AnBn) else "embedded_reber"
        assert drawn[name]["least"] == pytest.approx(bits * math.log(2))
    text = drawn["text"]
    for one in text["sequences"]:
        assert "".join(text["inputs"][symbol] for symbol in [*one["x"], one["targets"][-1]]) in text["text"]
    assert len({json.dumps(one["x"]) for one in text["sequences"]}) > 50


def test_only_pages_that_train_carry_the_cells_and_may_start_a_worker() -> None:
    document = play().document
    plain = {name: value for name, value in document.items() if name != "play"}
    assert "worker-src blob:" in page(document)
    assert "worker-src" not in page(plain)
    assert len(json_text(document["play"])) < 70_000
    assert document["play"] == play_document(first=True)
    assert document["computed"]


def test_byhand_play_writes_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from byhand.__main__ import main  # noqa: PLC0415

    file = tmp_path / "play.html"
    assert main(["play", "--save", str(file)]) == 0
    assert str(file) in capsys.readouterr().out
    assert 200_000 < file.stat().st_size < 1_000_000
    assert main(["play", "--save", str(tmp_path)]) == 2
