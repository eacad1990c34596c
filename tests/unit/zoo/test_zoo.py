"""The zoo: every model is as good as its card says, needs torch alone, and is refused when its file is damaged."""

import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from conftest import ROOT

import byhand
from byhand import zoo
from byhand.errors import LoadError
from byhand.tasks import TASKS, Task, Text
from byhand.train import SequenceModel
from byhand.train.cli.quiet import without_advice
from byhand.zoo.files import FOLDER
from byhand.zoo.looks import LOOKS
from byhand.zoo.make import text_read
from byhand.zoo.recipes import RECIPES

NAMES = ["adding", "adding_rnn", "an_bn", "companies", "digits", "embedded_reber", "python_help", "sunspots"]
every_model = pytest.mark.parametrize("name", NAMES)
ALONE = """
import sys
for name in ("lightning", "sklearn", "statsmodels", "pandas", "matplotlib", "torchmetrics"):
    sys.modules[name] = None
import byhand, byhand.zoo, torch
for name in byhand.zoo.names():
    model = byhand.zoo.load(name)
    x, target, lengths = model.example
    with byhand.record(model) as trace:
        model(x, lengths)
    assert len(trace["lstm.l0.h"]) == len(x)
    assert byhand.explore(model, (x[:, :2], None if lengths is None else lengths[:2]), head=model.head).document["computed"]
print(byhand.zoo.load("an_bn").write("Saaa", 4, temperature=0.0))
"""


def test_the_zoo_is_small_and_whole() -> None:
    assert zoo.names() == NAMES == sorted(RECIPES) == sorted(LOOKS)
    sizes = {path.stem: path.stat().st_size for path in FOLDER.iterdir()}
    assert sorted(sizes) == NAMES and sum(sizes.values()) < 4e6
    assert all(size < 5e5 for name, size in sizes.items() if name != "python_help"), sizes


@every_model
def test_the_score_is_that_of_the_card(name: str) -> None:
    """Tested again, by the task itself; python_help on the help texts of the Python that is here."""
    model = zoo.load(name)
    card = model.card
    task = task_of(card)
    again = SequenceModel(task.form._asdict(), **card.model)
    if model.form.others is not None and model.symbols[:-1] != tuple(again.form.alphabet):  # another Python's help
        task = task_of(card, alphabet="".join(model.symbols[:-1]))
        again = SequenceModel(task.form._asdict(), **card.model)
    again.load_state_dict(model.state_dict())
    silent = dict[str, Any](logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False)
    with without_advice():
        found = L.Trainer(accelerator="cpu", **silent).test(again, datamodule=task, verbose=False)[0]
    same_data = not isinstance(task, Text) or text_read(task) in card.data
    near = 1e-3 * card.score + 1e-6 if same_data else 0.3
    assert found[f"test_{card.metric}"] == pytest.approx(card.score, abs=near)
    guesses = {who: guess[card.metric] for who, guess in task.baselines.items() if card.metric in guess}
    if same_data:
        assert {who: card.baselines[who] for who in guesses} == pytest.approx(guesses, abs=near)
    x, _, lengths = model.example
    assert torch.equal(model(x, lengths)[0], again.eval()(x, lengths)[0])


def task_of(card: zoo.Card, **more: Any) -> Task:
    return TASKS[card.task["class_path"]](**card.task["init_args"], **more)


@every_model
def test_a_card_says_what_it_takes_to_judge_a_model(name: str) -> None:
    card = zoo.cards()[name]
    assert card.name == name and card.seeds[str(card.seed)] == card.score
    assert all(card.reproduced_by(score) for score in card.seeds.values()), card.seeds
    assert card.parameters == sum(value.numel() for value in zoo.load(name).parameters())
    text = str(card)
    for part in (card.sha256, card.look[:20], f"byhand zoo make {name}", *card.made_with.values(), *card.baselines):
        assert part in text
    assert re.fullmatch("[0-9a-f]{64}", card.sha256) and card.licence and card.data


def test_the_lstm_does_what_the_rnn_cannot() -> None:
    lstm, rnn = zoo.cards()["adding"], zoo.cards()["adding_rnn"]
    chance = rnn.baselines["always 0.5"]
    assert lstm.score < chance / 50 and rnn.score > 0.9 * chance
    assert rnn.baselines["the LSTM of adding"] == lstm.score
    assert rnn.task == lstm.task and rnn.trainer == lstm.trainer
    assert 0.75 < rnn.parameters / lstm.parameters < 1.33


def test_scores_are_better_than_every_guess() -> None:
    """But those of who knows the language, which are as good."""
    for card in zoo.cards().values():
        guesses = [value for who, value in card.baselines.items() if not who.startswith(("knows the", "the LSTM"))]
        if card.name != "adding_rnn":
            assert all(card.score > guess if card.better == "higher" else card.score < guess for guess in guesses), card.name


@every_model
def test_what_is_worth_a_look_is_true(name: str) -> None:
    """Computed again from the weights: the same words, and the same numbers but for their last digit."""
    model = zoo.load(name)
    numbers = r"[-+]?\d+(?:\.\d+)?"
    now, then = LOOKS[name](model), model.card.look
    assert re.sub(numbers, "#", now) == re.sub(numbers, "#", then)
    for one, other in zip(re.findall(numbers, now), re.findall(numbers, then), strict=True):
        digits = len(one.partition(".")[2])
        assert float(one) == pytest.approx(float(other), abs=1.01 * 10**-digits if "." in one else 1), (now, then)


def test_it_needs_torch_alone() -> None:
    done = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Saaa") and len(done.stdout) == len("SaaabbbT\n")


def test_loading_gives_the_same_model_and_draws_nothing() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    one, other = zoo.load("digits"), zoo.load("digits")
    assert torch.equal(torch.get_rng_state(), before)
    assert not one.training and one.lstm.weight_hh_l0.requires_grad and not one.lstm.weight_hh_l0.is_meta
    for name, value in one.state_dict().items():
        assert torch.equal(value, other.state_dict()[name])
    assert "digits" in repr(one) and "accuracy" in repr(one)


def test_the_table_has_a_line_for_each() -> None:
    lines = repr(zoo.cards()).splitlines()
    assert [line.split()[0] for line in lines] == ["name", *NAMES]
    assert "sunspots" in repr(zoo.cards()["sunspots"].title) and "persistence: 0.7238" in lines[-1]


def test_the_sunspots_are_named_by_their_years() -> None:
    from statsmodels.datasets import sunspots  # noqa: PLC0415

    model = zoo.load("sunspots")
    assert model.form.scale is not None and model.form.sequences is not None
    mean, spread = model.form.scale
    by_year = {int(year): value for year, value in sunspots.load().data.to_numpy()}
    for sequence, name in enumerate(model.form.sequences):
        first, last, asked = map(int, re.findall(r"\d+", name))
        x = model.example.input[:, sequence, 0] * spread + mean
        assert x.tolist() == pytest.approx([by_year[year] for year in range(first, last + 1)], abs=1e-3)
        assert float(model.example.target[sequence]) * spread + mean == pytest.approx(by_year[asked], abs=1e-3)


@pytest.mark.parametrize("name", ["an-bn", "", "zoo:an_bn", "../an_bn"])
def test_an_unknown_name_is_refused_with_the_names_there_are(name: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"expected one of {', '.join(NAMES)}; got {name!r}")):
        zoo.load(name)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    whole = (FOLDER / "an_bn.safetensors").read_bytes()
    path = tmp_path / "an_bn.safetensors"
    path.write_bytes(whole)
    assert zoo.load(path).card == zoo.cards()["an_bn"]
    for at in (0, 9, 100, 700, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(LoadError, match=r"an_bn\.safetensors: expected a model that byhand zoo make has written"):
            zoo.load(path)
    for content in (b"", whole[:100], whole[:-1], whole + b"\0", (FOLDER.parent / "card.py").read_bytes()):
        path.write_bytes(content)
        with pytest.raises(LoadError, match="whole; got"):
            zoo.load(path)
    path.unlink()
    with pytest.raises(LoadError, match="No such file"):
        zoo.load(path)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    lstm, x = byhand.LSTM(1, 2), torch.zeros(3, 1, 1)
    with byhand.record(lstm) as trace:
        lstm(x)
    trace.save(tmp_path / "trace.safetensors")
    with pytest.raises(LoadError, match="another kind"):
        zoo.load(tmp_path / "trace.safetensors")


def test_texts_are_encoded_and_written() -> None:
    model = zoo.load("embedded_reber")
    assert model.encode("BTX").tolist() == [[0], [1], [3]]
    said = model.write("BT", 3, seed=1)
    assert said.startswith("BT") and len(said) == 5 and said == model.write("BT", 3, seed=1)
    for text, got in (("BTZ", "'Z'"), ("", "''")):
        with pytest.raises(ValueError, match=f"embedded_reber: expected a text of B T S X P V E, got {got}"):
            model.encode(text)
    with pytest.raises(TypeError, match="this one reads numbers"):
        zoo.load("adding").encode("1")
    written = zoo.load("python_help").write("The ", 40, temperature=0.5)
    assert written.startswith("The ") and len(written) == 44
    assert zoo.load("python_help").encode("\u2603").item() == zoo.load("python_help").form.others


def test_a_signal_may_come_step_by_step() -> None:
    model = zoo.load("an_bn")
    x = model.encode("Saabb")
    whole, _ = model(x)
    state, steps = None, []
    for step in x:
        answer, state = model(step[None], state=state)
        steps.append(answer)
    torch.testing.assert_close(torch.cat(steps), whole)


def test_the_page_has_the_cards_as_they_are() -> None:
    """If not: python tools/zoo_table.py."""
    found = runpy.run_path(str(ROOT / "tools" / "zoo_table.py"))
    page = (ROOT / "docs" / "zoo.md").read_text(encoding="utf-8")
    assert found["renewed"](page) == page and page.count("| `") == len(NAMES)
