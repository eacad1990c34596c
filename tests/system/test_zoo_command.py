"""byhand zoo and byhand explore zoo:NAME, as a user types them."""

import re
import signal
import subprocess
import time
from pathlib import Path

import programs
import pytest
from commands import alone
from explored import shown

from byhand import zoo
from byhand.__main__ import main


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_table_and_the_cards(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["zoo"]) == 0
    assert capsys.readouterr().out == f"{zoo.cards()!r}\n"
    assert main(["zoo", "an_bn", "digits"]) == 0
    assert capsys.readouterr().out == f"{zoo.cards()['an_bn']}\n\n{zoo.cards()['digits']}\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["anbn"], "byhand.zoo expected one of adding, adding_rnn, an_bn"),
        (["make"], "make expected one of companies, adding"),
        (["make", "anbn"], "or --all; got 'anbn'"),
        (["make", "an_bn", "--seeds", "0"], "--seeds: expected at least 1, got 0"),
    ],
)
def test_refusals(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["zoo", *words]) == 2
    out, error = capsys.readouterr()
    assert said in error and error.startswith("byhand zoo: ") and error.count("\n") == 1 and out == ""


def test_the_quick_ones_are_made_again_as_good_as_their_cards_say(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["zoo", "make", "companies", "sunspots", "--output", "made"]) == 0
    said = capsys.readouterr().out
    for name in ("companies", "sunspots"):
        again, card = zoo.load(f"made/{name}.safetensors"), zoo.cards()[name]
        assert card.reproduced_by(again.card.score)
        assert f"its card says {card.score:.4g} ± {card.spread:g}: reproduced" in said
        assert (again.example.input == zoo.load(name).example.input).all() and again.form == zoo.load(name).form
    assert re.search(r"made/sunspots\.safetensors, [\d,]+ bytes", said)


def test_a_score_that_is_not_reproduced_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from dataclasses import replace  # noqa: PLC0415

    from byhand.zoo import recipes  # noqa: PLC0415

    worse = replace(recipes.RECIPES["companies"], trainer={"max_epochs": 1})
    monkeypatch.setitem(recipes.RECIPES, "companies", worse)
    assert main(["zoo", "make", "companies"]) == 1
    assert "NOT reproduced" in capsys.readouterr().out


def test_ctrl_c_leaves_nothing_half_written(tmp_path: Path) -> None:
    command = programs.python("-m", "byhand", "zoo", "make", "python_help", "--output", "made")  # for minutes
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=alone()) as running:
        assert running.stderr is not None
        assert any(line.startswith("byhand: pydoc_data.topics: ") for line in running.stderr)  # it is read: training begins
        time.sleep(2)
        running.send_signal(signal.SIGINT)
        _, error = running.communicate(timeout=120)
    assert running.returncode not in (0, 1) and not list(tmp_path.rglob("*.safetensors"))
    assert "Traceback" not in error


@pytest.mark.parametrize("name", zoo.names())
def test_each_opens_live_on_its_own_data(name: str) -> None:
    found, model = shown(f"zoo:{name}"), zoo.load(name)
    assert found["computed"] and found["title"].startswith(model.card.title)
    assert len(found["items"]) == min(4, model.example.input.shape[1])
    assert found["about"] == f"{model.card.about} Worth a look: {model.card.look}" and not found["notices"]
    assert found["answer"]["at"] == ("every" if model.form.every else "last")
    assert found["head"]["squash"] == model.form.squash
    if model.form.symbols is not None:
        assert "".join(found["items"][0]["characters"])[:1].strip()


def test_explore_refuses_what_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explore", "zoo:anbn", "--save", "page.html"]) == 2
    assert "expected one of adding, adding_rnn, an_bn" in capsys.readouterr().err
    assert main(["explore", "zoo:an_bn", "--layer", "l0", "--save", "page.html"]) == 2
    assert "--layer: not of a model of the zoo" in capsys.readouterr().err
    assert not Path("page.html").exists()


def test_input_of_ones_own() -> None:
    Path("string.txt").write_text("SaaabbbT\n")
    found = shown("zoo:an_bn", "--input", "string.txt")
    assert found["items"][0]["characters"] == list("SaaabbbT")
    Path("spots.csv").write_text("SUNACTIVITY\n" + "\n".join(["42.9"] * 3 + ["77.1"]) + "\n")
    found = shown("zoo:sunspots", "--input", "spots.csv")
    assert found["items"][0]["steps"] == 4 and found["features"] == ["SUNACTIVITY"]
