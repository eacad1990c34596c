"""byhand explore, as a user runs it: models of every origin, on their own task and on inputs of the user's."""

import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
import yaml
from conftest import COLOURS, PUBLISHED, ROOT, run_here, with_numbers
from explored import document_in, fit, shown
from torch import nn

import byhand
from byhand import LSTM, cells
from byhand.__main__ import main
from byhand.explorer.document.packing import restored
from byhand.train import SequenceModel
from byhand.train.callbacks.snapshots import SnapshotCallback as Taking
from LSTM import COMPANIES


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_twelve_numbers_of_the_lesson() -> None:
    model = with_numbers(PUBLISHED).float()
    torch.save({"state_dict": model.state_dict(), "hyper_parameters": {"learning_rate": 0.1}, "epoch": 3}, "last.ckpt")
    found = shown("last.ckpt")
    assert found["features"] == ["price"] and [item["name"] for item in found["items"]] == ["company A", "company B"]
    weights = found["layers"][0]["weights"]
    for row, colour in enumerate(COLOURS):
        given = [restored(weights[part]).flatten()[row].item() for part in ("recurrent", "input", "bias_input")]
        assert given == pytest.approx(PUBLISHED[colour])
    lstm = LSTM(1, 1)
    names = {"weight_ih_l0": "input", "weight_hh_l0": "recurrent", "bias_ih_l0": "bias_input", "bias_hh_l0": "bias_recurrent"}
    lstm.load_state_dict({name: restored(weights[part]).float() for name, part in names.items()})
    for number, (prices, _) in enumerate(COMPANIES.values()):
        x = restored(found["items"][number]["input"]).float()
        assert x.flatten().tolist() == prices
        assert lstm(x)[0][-1].item() == pytest.approx(model(torch.tensor(prices)).item(), abs=1e-6)


@pytest.mark.parametrize("prefix", ["", "encoder.lstm."])
@pytest.mark.parametrize("kind", ["lstm", "both", "projected", "plain", "gru"])
def test_a_state_dict_of_torchs_layers(kind: str, prefix: str) -> None:
    models: dict[str, nn.Module] = {
        "lstm": nn.LSTM(3, 4, 2),
        "both": nn.LSTM(3, 4, 2, bidirectional=True),
        "projected": nn.LSTM(3, 4, proj_size=2, dtype=torch.float64),
        "plain": nn.LSTM(3, 4, bias=False),
        "gru": nn.GRU(3, 4),
    }
    model = models[kind]
    state = {prefix + name: value for name, value in model.state_dict().items()}
    torch.save(state, "model.pt")
    safetensors.torch.save_file(state, "model.safetensors")
    torch.save({"state_dict": state | {"other.weight": torch.ones(2)}, "hyper_parameters": {}}, "model.ckpt")
    Path("x.csv").write_text("a,b,c\n1,2,3\n4,5,6\n")
    for name in ("model.pt", "model.safetensors", "model.ckpt"):
        found = shown(name, "--input", "x.csv")
        assert found["title"] == "model" and found["features"] == ["a", "b", "c"] and found["items"][0]["name"] == "x.csv"
        assert restored(found["items"][0]["input"]).tolist() == [[1, 2, 3], [4, 5, 6]]
        assert found["cell"]["name"] == ("gru" if kind == "gru" else "lstm")
        assert torch.equal(restored(found["layers"][-1]["weights"]["recurrent"]), model.all_weights[-1][1].double())


def test_a_folder_of_save_pretrained() -> None:
    LSTM(2, 3, cell=cells.peephole).save_pretrained("saved")
    Path("x.tsv").write_text("1\t2\n3\t4\n")
    found = shown("saved", "--input", "x.tsv", "--title", "Mine")
    assert (found["title"], found["cell"]["name"], found["features"]) == ("Mine", "peephole", None)


def test_a_run_of_byhand_fit_shows_its_own_task_and_its_training(capsys: pytest.CaptureFixture[str]) -> None:
    taking = f"--trainer.callbacks+={Taking.__module__}.{Taking.__name__}"
    best = fit("companies", taking, "--trainer.callbacks.most", "30")
    capsys.readouterr()
    found = shown(best)
    assert "page.html: 0." in capsys.readouterr().out
    assert found["title"] == "Companies: lstm, 1 unit" and found["name"] == "model" and found["features"] == ["price"]
    assert [item["name"] for item in found["items"]] == ["company A", "company B"]
    assert found["training"]["epochs"] == [0, 1, 2] and len(found["training"]["heads"]) == 3
    model = SequenceModel.load_from_checkpoint(best, map_location="cpu", weights_only=True)
    assert torch.equal(restored(found["head"]["weight"]).float(), model.head.weight)
    assert found["head"]["names"] == ["prediction"] and found["head"]["squash"] == "none"
    assert [layer["place"] for layer in found["layers"]] == ["lstm.l0"]
    assert len(shown(best, "--items", "1")["items"]) == 1


def test_a_model_of_text_shows_characters() -> None:
    Path("words.txt").write_text("To be, or not to be: that is the question. " * 30)
    small = ["--data.steps", "10", "--data.batch_size", "2", "--model.hidden_size", "8", "--model.embedding_size", "0"]
    best = fit("text", "--data.path", "words.txt", *small)
    found = shown(best)
    assert len(found["items"]) == 4 and all(len(item["characters"]) == item["steps"] == 10 for item in found["items"])
    alphabet = sorted(set("To be, or not to be: that is the question. "))
    assert found["head"]["squash"] == "softmax" and found["head"]["names"] == ["␣", *alphabet[1:], "other"]
    for item in found["items"]:
        symbols = restored(item["input"]).argmax(1).tolist()
        assert [found["features"][symbol] for symbol in symbols] == item["characters"]
    Path("mine.txt").write_text("not\nbe?")
    found = shown(best, "--input", "mine.txt")
    assert found["items"][0]["characters"] == [*"not", "↵", *"be?"]
    assert restored(found["items"][0]["input"]).argmax(1).tolist()[-1] == len(alphabet)  # the ? that it does not know


def test_a_model_of_a_table_reads_columns_by_name_and_scales_them() -> None:
    rows = "\n".join(f"{year},{year % 7},{year % 5 * 10}" for year in range(300))
    Path("weather.csv").write_text(f"year,rain,sun\n{rows}\n")
    words = ["--data.path", "weather.csv", "--data.target", "rain", "--data.features", "[sun, rain]", "--data.window", "8"]
    best = fit("table.yaml", *words, "--model.hidden_size", "4")
    found = shown(best)
    assert found["features"] == ["sun", "rain"] and found["head"]["names"] == ["next rain"] and found["items"][0]["steps"] == 8
    Path("new.csv").write_text("rain,station,sun\n3,north,20\n3,north,20\n4,south,0\n")
    found = shown(best, "--input", "new.csv", "--sequence", "station")
    assert [(item["name"], item["steps"]) for item in found["items"]] == [("north", 2), ("south", 1)]
    sun, rain = restored(found["items"][0]["input"])[0].tolist()
    assert abs(sun) < 0.1 and abs(rain) < 0.1  # both are about their means
    Path("words.txt").write_text("rain,sun\nmuch,20\n")
    with pytest.raises(AssertionError):
        shown(best, "--input", "words.txt")
    Path("weather.csv").unlink()
    found = shown(best, "--input", "new.csv", "--sequence", "station")
    assert found["notices"][-1].startswith("the numbers of new.csv go in as they are, not scaled, for its task, Table, cannot")


def test_a_model_of_changes_is_shown_changes(capsys: pytest.CaptureFixture[str]) -> None:
    rows = "\n".join(f"{year},{3 * year + year % 7},{year % 5 * 10}" for year in range(300))
    Path("weather.csv").write_text(f"year,rain,sun\n{rows}\n")
    words = ["--data.path", "weather.csv", "--data.target", "rain", "--data.features", "[sun, rain]", "--data.window", "8"]
    best = fit("table.yaml", *words, "--data.horizon", "2", "--data.difference", "true", "--model.hidden_size", "4")
    found = shown(best)
    names = ["change of rain, 1 ahead", "change of rain, 2 ahead"]
    assert found["features"] == ["sun", "change of rain"] and found["head"]["names"] == names
    Path("new.csv").write_text("rain,station,sun\n30,north,20\n33,north,20\n4,south,0\n6,south,20\n13,south,30\n")
    found = shown(best, "--input", "new.csv", "--sequence", "station")
    assert found["features"] == ["sun", "change of rain"]
    assert [(item["name"], item["steps"]) for item in found["items"]] == [("north", 1), ("south", 2)]
    rain = np.diff([3 * year + year % 7 for year in range(210)])
    for item, changes in zip(found["items"], ([3], [2, 7]), strict=True):
        expected = [(one - rain.mean()) / rain.std() for one in changes]
        assert restored(item["input"])[:, 1].tolist() == pytest.approx(expected, rel=1e-5)
    Path("short.csv").write_text("rain,station,sun\n30,north,20\n33,north,20\n4,south,0\n")
    capsys.readouterr()
    assert main(["explore", str(best), "--input", "short.csv", "--sequence", "station", "--save", "page.html"]) == 2
    assert (
        "short.csv: south: expected two rows or more, for this model reads changes from row to row" in capsys.readouterr().err
    )


def test_another_task_whose_symbols_are_numbers_or_letters() -> None:
    best = fit("embedded_reber.yaml", "--data.batches", "2", "--data.sequences", "4", "--model.hidden_size", "6")
    found = shown(best, "--items", "2")
    assert {letter for item in found["items"] for letter in item["characters"]} <= set("BTSXPVE")
    Path("words.txt").write_text("BTBPVVETE\n\nBPBT\n")
    found = shown(best, "--input", "words.txt")
    assert [item["characters"] for item in found["items"]] == [[*"BTBPVVETE"], [*"BPBT"]]
    assert [item["name"] for item in found["items"]] == ["line 1", "line 3"]


def test_without_lightning_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"state_dict": {}, "hyper_parameters": {"form": {}}}, "best.ckpt")
    for name in [
        name for name in sys.modules if name.startswith(("byhand.explorer.load.fit_run", "lightning", "byhand.train"))
    ]:
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "lightning", None)
    assert main(["explore", "best.ckpt", "--save", "page.html"]) == 2
    assert "needs lightning, not installed here: pip install 'byhand[train]'" in capsys.readouterr().err


def test_a_config_of_somebody_elses_class_is_not_made(tmp_path: Path) -> None:
    best = fit("companies")
    config = best.parents[1] / "config.yaml"
    content = yaml.safe_load(config.read_text())
    for kind in ("pathlib.Path", "subprocess.Popen", "byhand.tasks.Task"):
        content["data"] = {"class_path": kind, "init_args": {"args": ["touch", str(tmp_path / "harm")]}}
        config.write_text(yaml.safe_dump(content))
        assert main(["explore", str(best), "--save", "page.html"]) == 2
    assert not (tmp_path / "harm").exists()


def test_a_run_whose_data_are_gone(capsys: pytest.CaptureFixture[str]) -> None:
    Path("words.txt").write_text("To be, or not to be: that is the question. " * 30)
    quick = ["--data.steps", "10", "--data.batch_size", "2", "--model.hidden_size", "8"]
    best = fit("text", "--data.path", "words.txt", *quick)
    Path("words.txt").unlink()
    capsys.readouterr()
    assert main(["explore", str(best), "--save", "page.html"]) == 2
    told = capsys.readouterr().err
    assert "its task, Text, cannot be made again here (" in told and "words.txt" in told
    assert "run this where it was trained, or give --input FILE, with a text" in told
    Path("mine.txt").write_text("not ~ be?")
    found = shown(best, "--input", "mine.txt")
    assert found["items"][0]["characters"] == list("not␣~␣be?") and found["head"]["names"][0] == "␣"
    assert found["notices"][-1] == "mine.txt: the model reads as one symbol, other, what it was not trained on: ? ~"
    assert main(["explore", str(best), "--input", "mine.txt", "--sequence", "a", "--save", "page.html"]) == 2
    assert "--sequence: a column of a table, and this model reads symbols: leave it out" in capsys.readouterr().err


def test_the_page_of_the_lesson_shows_how_it_learnt(tmp_path: Path) -> None:
    assert run_here(ROOT / "LSTM.py", "--epochs", "30", cwd=tmp_path).returncode == 0
    done = run_here(ROOT / "tools/explorer_page.py", "page.html", cwd=tmp_path)
    assert done.returncode == 0 and done.stdout.startswith(
        "page.html: the LSTM of runs/lightning_logs/version_0/last.ckpt, with its"
    )
    found = document_in(Path("page.html"))
    assert found["training"]["epochs"] == list(range(31)) and len(found["training"]["losses"]) == 31
    assert found["training"]["losses"][-1]["loss"] < found["training"]["losses"][0]["loss"]
    done = run_here(ROOT / "tools/explorer_page.py", "other.html", "--seed", "1", cwd=tmp_path)
    assert done.returncode == 0 and "without a time-lapse" in done.stdout
    assert document_in(Path("other.html"))["training"] is None
    done = run_here(ROOT / "tools/explorer_page.py", "none.html", cwd=ROOT / "docs")
    assert done.returncode == 2 and "python LSTM.py, or give --checkpoint" in done.stderr


def test_byhand_lists_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "explore" in capsys.readouterr().out
    assert byhand.explore.__module__ == "byhand.explorer.explorer"
