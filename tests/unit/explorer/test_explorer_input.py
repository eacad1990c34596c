"""byhand explore: tables as programs write them, and one clear line for files and words that make no sense."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import PUBLISHED, with_numbers
from explored import shown
from torch import nn

from byhand import LSTM
from byhand.__main__ import main
from byhand.explorer.document.packing import restored


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


class Harm:
    """What a pickle runs when it is loaded."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch harm",)


EXPECTED = "expected a checkpoint of byhand fit or LSTM.py, a folder of save_pretrained, or weights of an LSTM"
REFUSED = [
    (
        ["nothing.ckpt"],
        f"nothing.ckpt: {EXPECTED} (.pt, .safetensors, .keras, .h5, .npz); got nothing that can be read: No such file",
    ),
    (["folder"], f"folder: {EXPECTED} (.pt, .safetensors, .keras, .h5, .npz); this folder has no config.json"),
    (
        ["words.ckpt"],
        f"words.ckpt: {EXPECTED} (.pt, .safetensors, .keras, .h5, .npz); got a file that torch.save has not written, or one",
    ),
    (["words.safetensors"], f"words.safetensors: {EXPECTED}"),
    (["empty.pt"], f"empty.pt: {EXPECTED}"),
    (["harm.pt"], f"harm.pt: {EXPECTED} (.pt, .safetensors, .keras, .h5, .npz); to read it, posix.system would have to be run"),
    (["list.pt"], f"list.pt: {EXPECTED} (.pt, .safetensors, .keras, .h5, .npz); it holds a list"),
    (["linear.pt"], "called weight_ih_l0 or weight_ih as torch calls them; got none among its 2 tensors: weight, bias"),
    (["two.pt"], "two.pt: got 2 recurrent layers: choose one, as in --layer a; there are a, b"),
    (
        ["shapes.pt"],
        "expected the layer to have the parameters of an LSTM, GRU or RNN as torch lays them out, got weight_ih_l0,",
    ),
    (["eleven.pt"], "expected the twelve numbers of LSTM.py, got none called w_purple2"),
    (["good.pt", "--input", "nothing.csv"], "nothing.csv: expected an input file, got: No such file or directory"),
    (["good.pt", "--input", "folder"], "folder: expected an input file, got: Is a directory"),
    (["good.pt", "--input", "three.csv"], "three.csv: expected 2 columns, an input of the model each; got 3: a, b, c"),
    (["good.pt", "--input", "word.csv"], "word.csv: row 3, column 'b': expected a number, got 'four'"),
    (
        ["good.pt", "--input", "hole.csv"],
        "hole.csv: row 2, column 'column 2': expected a number, got an empty cell. A step has to",
    ),
    (["good.pt", "--input", "first.csv"], "first.csv: row 1, column 'column 1': expected a number, got an empty cell. A step"),
    (
        ["good.pt", "--input", "holes.csv"],
        "holes.csv: row 3, column 'b': expected a number, got 'NA' (and 2 more such). A step",
    ),
    (
        ["good.pt", "--input", "blank.csv"],
        "blank.csv: row 5, column 'a': expected a number, got 'x'. Correct the cell, or leave",
    ),
    (
        ["good.pt", "--input", "comma.csv"],
        "comma.csv: row 2, column 'a': expected a number, got '1,5'. Write 1.5: decimals come",
    ),
    (["good.pt", "--input", "large.csv"], "large.csv: row 2, column 'b': expected a number, got '1e39'. Correct the cell"),
    (["good.pt", "--input", "under.csv"], "under.csv: row 2, column 'a': expected a number, got '1_000'"),
    (["one.pt", "--input", "one.csv"], "one.csv: row 3, column 'a': expected a number, got an empty cell"),
    (["good.pt", "--input", "good.pt"], "good.pt: expected a file in UTF-8"),
    (["good.pt", "--input", "zero.csv"], "zero.csv: expected a text or a table as text, got zero bytes"),
    (["good.pt", "--sequence", "a"], "--sequence: a column of a table: give the table too, with --input FILE"),
    (["started"], "nor a checkpoint: its training has kept none yet: byhand fit --config started/config.yaml"),
    (
        ["good.pt", "--input", "nan.csv"],
        "nan.csv: row 2, column 'column 1': expected a number, got 'nan'. A step has to have all its inputs: fill the cell in",
    ),
    (["good.pt", "--input", "ragged.csv"], "ragged.csv: row 3: expected 2 columns, as in row 1, got 3"),
    (["good.pt", "--input", "empty.pt"], "empty.pt: expected a table with a step in each row, got one without rows of numbers"),
    (["good.pt", "--input", "head.csv"], "head.csv: expected a table with a step in each row, got one without rows of numbers"),
    (["good.pt", "--input", "latin.csv"], "latin.csv: expected a file in UTF-8, got byte 0xe4 at 0"),
    (["good.pt", "--input", "two.csv", "--sequence", "day"], "two.csv: expected a column 'day' in row 1, got a, b"),
    (["good.pt", "--input", "two.csv", "--full", "l9"], "full: expected 'weights', a layer or LAYER.unit NUMBER out of l0"),
    (["good.pt", "--input", "two.csv", "--items", "0"], "--items: expected at least 1, got 0"),
    (["good.pt", "--input", "two.csv", "--port", "70000"], "port: expected 0 (any that is free) to 65535, got 70000"),
]


@pytest.fixture
def files() -> None:
    """Files of all kinds."""
    Path("folder").mkdir()
    for name in ("words.ckpt", "words.safetensors"):
        Path(name).write_text("these are words")
    Path("empty.pt").touch()
    eleven = {name: value for name, value in with_numbers(PUBLISHED).state_dict().items() if name != "w_purple2"}
    lstm = nn.LSTM(2, 3).state_dict()
    two = {f"{name}.{key}": value for name in "ab" for key, value in nn.LSTM(2, 3).state_dict().items()}
    shapes = lstm | {"weight_hh_l0": torch.ones(12, 5)}
    saved = {"list": [1], "linear": nn.Linear(2, 2).state_dict(), "two": two, "shapes": shapes, "eleven": eleven, "good": lstm}
    saved["one"] = nn.LSTM(1, 3).state_dict()
    Path("started").mkdir()
    Path("started/config.yaml").touch()
    for name, content in (saved | {"harm": Harm()}).items():
        torch.save(content, f"{name}.pt")
    tables = {
        "three": "a,b,c\n1,2,3",
        "word": "a;b\n1;2\n3;four",
        "hole": "1,2\n3,",
        "nan": "1,2\nnan,3",
        "ragged": "1,2\n3,4\n5,6,7",
        "first": ",2\n3,4",
        "holes": "a,b\n1,2\n3,NA\n,5\nnull,7\n",
        "blank": "\na,b\n1,2\n\nx,4\n",
        "comma": "a;b\n1,5;2\n",
        "large": "a,b\n1,1e39\n",
        "under": "a,b\n1_000,2\n",
        "one": "a\n1\n\n3\n\n",
        "zero": "1,2\0\n",
    }
    for name, content in (tables | {"head": "a,b\n", "two": "a,b\n1,2\n"}).items():
        Path(f"{name}.csv").write_text(content)
    Path("latin.csv").write_bytes("ä,b\n1,2\n".encode("latin1"))


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(("words", "message"), REFUSED, ids=lambda one: " ".join(one) if isinstance(one, list) else "")
def test_what_cannot_be_done_is_told_in_one_line(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(path.name for path in Path().iterdir())
    assert main(["explore", *words, "--save", "page.html"]) == 2
    out, told = capsys.readouterr()
    assert out == "" and told.startswith("byhand explore: ") and told.count("\n") == 1
    assert message in told
    assert sorted(path.name for path in Path().iterdir()) == before


@pytest.mark.usefixtures("files")
def test_a_target_that_cannot_be_written(capsys: pytest.CaptureFixture[str]) -> None:
    for target, said in (
        ("nowhere/page.html", "nowhere/page.html: cannot be written: No such file or directory"),
        ("folder", "folder: cannot be written: it is a folder; name a file, as in folder/FILE"),
        ("", ".: cannot be written: it is a folder; name a file, as in FILE"),
    ):
        assert main(["explore", "good.pt", "--input", "two.csv", "--save", target]) == 2
        assert capsys.readouterr().err == f"byhand explore: {said}\n"
    assert list(Path("folder").iterdir()) == []


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("target", ["good.pt", "two.csv", "folder/../two.csv"])
def test_what_is_read_is_not_written_over(target: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = Path(target).read_bytes()
    assert main(["explore", "good.pt", "--input", "two.csv", "--save", target]) == 2
    assert "which is read: write --save page.html" in capsys.readouterr().err
    assert Path(target).read_bytes() == before


def test_tables_as_programs_write_them() -> None:
    torch.save(LSTM(2, 2, dtype=torch.float64).state_dict(), "model.pt")
    for content, features in (
        ("0.1,2\n3,4\n", None),
        ("\ufeffa,b\r\n0.1,2\r\n\r\n3,4\r\n,\r\n", ["a", "b"]),
        ('"a b"\tb\n0.1\t2\n3\t4\n\n', ["a b", "b"]),
        ("a,2020\n0.1,2\n3,4\n", ["a", "2020"]),
    ):
        Path("x.csv").write_text(content, encoding="utf-8", newline="")
        found = shown("model.pt", "--input", "x.csv")
        assert restored(found["items"][0]["input"]).tolist() == [[0.1, 2], [3, 4]]  # float64: to the last digit
        assert found["features"] == features
    assert found["notices"][0] == "row 1 of x.csv is taken for the names of the columns: a, 2020"


def test_a_model_whose_batch_comes_first_is_shown_along_time() -> None:
    LSTM(2, 3, batch_first=True).save_pretrained("saved")
    Path("x.csv").write_text("day,a,b\nmonday,1,2\nmonday,3,4\n,5,6\n")
    found = shown("saved", "--input", "x.csv", "--sequence", "day")
    assert [(item["name"], item["steps"]) for item in found["items"]] == [("monday", 2), ("without day", 1)]
    assert restored(found["items"][0]["input"]).tolist() == [[1, 2], [3, 4]]


def test_long_tables_are_shown_from_their_start() -> None:
    torch.save(LSTM(1, 2).state_dict(), "model.pt")
    Path("long.csv").write_text("value\n" + "\n".join(map(str, range(5000))))
    found = shown("model.pt", "--input", "long.csv")
    assert found["items"][0]["steps"] == 2000 and restored(found["items"][0]["input"])[-1].item() == 1999
    assert found["notices"][0] == "of long.csv, the first 2000 of 5000 steps are here"
