"""The lines that fit and test end with: what else can be done with the model. Each is typed as it is printed, at a shell; again, with
other options, in this process.
"""

import os
import re
import shlex
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import programs
import pytest
import torch
from commands import Here
from explored import document_in, shown
from tables import lines, written

from byhand.__main__ import main
from byhand.explorer.document.packing import restored
from byhand.train import SequenceModel
from byhand.train.callbacks.doors import prompt_of

TEXT = "To be, or not to be: that is the question. " * 60
SMALL = ["--model.hidden_size", "4", "--trainer.max_epochs", "1"]
MONTHS = [f"{2000 + at // 12}-{at % 12 + 1:02}-01" for at in range(120)]


def door(out: str, what: str) -> str:
    """The command behind these words, which stand in one line."""
    (found,) = re.findall(rf"^{what}: +(byhand .*)$", out, re.MULTILINE)
    return found


def at_a_shell(folder: Path, line: str) -> subprocess.CompletedProcess[str]:
    """What is printed there, with the byhand of this Python."""
    done = subprocess.run(
        ["sh", "-c", line], cwd=folder, capture_output=True, text=True, timeout=120, check=False, env=with_byhand(folder)
    )
    assert done.returncode == 0, done.stderr
    return done


def typed_here(line: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What the same line prints in this process, which imports nothing for it."""
    capsys.readouterr()
    assert main(shlex.split(line)[1:]) == 0
    return capsys.readouterr().out


def with_byhand(folder: Path) -> dict[str, str]:
    place = folder / ".bin"
    place.mkdir(exist_ok=True)
    (place / "byhand").write_text(f'#!/bin/sh\nexec {shlex.join(programs.python("-m", "byhand"))} "$@"\n')
    (place / "byhand").chmod(0o755)
    return os.environ | {"PATH": f"{place}{os.pathsep}{os.environ['PATH']}"}


@contextmanager
def served(folder: Path, line: str) -> Iterator[tuple[str, Path]]:
    """What it printed before the address, and the page at that."""
    process = subprocess.Popen(
        ["sh", "-c", f"exec {line}"], cwd=folder, stdout=subprocess.PIPE, text=True, env=with_byhand(folder)
    )
    try:
        assert process.stdout is not None
        printed = ""
        while not (address := re.search(r"http://127\.0\.0\.1:\d+/", printed)):
            more = process.stdout.readline()
            assert more, printed
            printed += more
        with urllib.request.urlopen(address[0], timeout=30) as answer:
            page = folder / "served.html"
            page.write_bytes(answer.read())
        yield printed, page
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


@pytest.fixture
def text_run(tmp_path: Path, here: Here) -> tuple[Path, str]:
    """A folder whose name a shell would take apart, in which a text was trained on; what fit printed."""
    folder = tmp_path / "my runs; & more"
    folder.mkdir()
    (folder / "words.txt").write_text(TEXT)
    words = ["--data", "Text", "--data.path", "words.txt", "--data.steps", "10", "--data.batch_size", "2", *SMALL]
    return folder, here(folder, "fit", *words, "--name", "it's text")


def test_a_text_is_seen_and_written_on(text_run: tuple[Path, str], capsys: pytest.CaptureFixture[str]) -> None:
    folder, out = text_run
    assert out.splitlines()[-1].startswith("see it:   byhand explore ")
    with served(folder, door(out, "see it")) as (printed, page):
        assert "taking runs/it's text/version_0/checkpoints/best.ckpt, and config.yaml beside it" in printed
        found = document_in(page)
    assert (
        found["title"].startswith("Text: lstm, 4 units") and "".join(found["items"][0]["characters"]).replace("␣", " ") in TEXT
    )
    line = door(out, "let it write")
    start = re.search(r"--start '(.*?)'", line)
    assert start is not None and f" {start[1]}" in TEXT
    written_text = at_a_shell(folder, line).stdout
    assert written_text.startswith(start[1]) and len(written_text) == len(start[1]) + 500 + 1
    assert set(written_text) <= {*TEXT, "\n"}
    assert typed_here(line, capsys) == written_text
    assert typed_here(f"{line} --seed 1", capsys) != written_text
    assert len(typed_here(f"{line} --length 7", capsys)) == len(start[1]) + 7 + 1


@pytest.mark.usefixtures("text_run")
def test_it_writes_what_predict_writes(capsys: pytest.CaptureFixture[str]) -> None:
    run = Path("runs/it's text/version_0")
    words = ["--config", str(run / "config.yaml"), "--ckpt_path", str(run / "checkpoints/best.ckpt")]
    words += ["--data.prompt", "to be", "--data.characters", "40", "--data.seed", "5", "--data.temperature", "0.7"]
    assert main(["predict", *words, "--output", "said.txt"]) == 0
    printed = typed_here(f'byhand write "{run}" --start "to be" --length 40 --seed 5 --temperature 0.7', capsys)
    assert printed == Path("said.txt").read_text() + "\n"


def test_it_is_printed_as_it_is_written(text_run: tuple[Path, str]) -> None:
    """A reader that leaves early ends nothing with an error."""
    folder, out = text_run
    line = door(out, "let it write") + " --length 100000000"
    process = subprocess.Popen(
        ["sh", "-c", f"exec {line}"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=with_byhand(folder)
    )
    assert process.stdout is not None
    assert len(process.stdout.read(300)) == 300
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130 and errors.decode().splitlines()[-1] == "byhand: interrupted"
    piped = subprocess.run(
        ["sh", "-c", f"{line} | head -c 50"], cwd=folder, capture_output=True, timeout=120, check=False, env=with_byhand(folder)
    )
    assert len(piped.stdout) == 50 and b"Traceback" not in piped.stderr


WRONG = [
    (["{run}", "--start", "tö ☃"], "got 'ö' (U+00F6), '☃' (U+2603) among them; it knows ' ,.:Tabehinoqrstu'"),
    (["{run}", "--start", ""], "--start: expected characters that the model was trained on, got no character"),
    (["{run}", "--length", "-1"], "--length: expected at least 0, got -1"),
    (["{run}", "--temperature", "nan"], "--temperature: expected a number of at least 0, got nan"),
    (["{run}", "--seed", "-1"], "--seed: expected 0 to"),
    (["nothing.ckpt"], "nothing.ckpt: expected a checkpoint that byhand fit has kept, got nothing that can be read"),
    (["."], "got one without a checkpoint: a run has best.ckpt or last.ckpt: byhand write runs/NAME/version_N"),
]


def test_what_cannot_be_written(
    text_run: tuple[Path, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = text_run
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    capsys.readouterr()
    for words, message in WRONG:
        assert main(["write", *(word.format(run="../runs/it's text/version_0") for word in words)]) == 2
        out, error = capsys.readouterr()
        assert out == "" and error.startswith("byhand write: ") and error.count("\n") == 1 and message in error


def test_a_table_is_forecast_with_dates(tmp_path: Path, here: Here, capsys: pytest.CaptureFixture[str]) -> None:
    values = [float(at % 12) for at in range(120)]
    written(tmp_path, lines(MONTHS, values, names="month,sales"), "sales.csv")
    words = [
        "--data",
        "Table",
        "--data.path",
        "sales.csv",
        "--data.target",
        "sales",
        "--data.time",
        "month",
        "--data.window",
        "12",
    ]
    fit = here(tmp_path, "fit", *words, "--data.horizon", "3", *SMALL, "--name", "sales")
    run = "runs/sales/version_0"
    test = here(tmp_path, "test", "--config", f"{run}/config.yaml", "--ckpt_path", f"{run}/checkpoints/last.ckpt")
    assert door(fit, "see it") == f"byhand explore {run}"
    assert door(test, "see it") == f"byhand explore {run}/checkpoints/last.ckpt"  # the one that was tested
    for out in (fit, test):
        line = door(out, "forecast")
        printed = at_a_shell(tmp_path, line).stdout if out is fit else typed_here(line, capsys)
        rows = [line.split(",") for line in printed.splitlines() if re.match(r"0,\d{4}-", line)]
        assert [row[1] for row in rows] == [
            "2010-01-01",
            "2010-02-01",
            "2010-03-01",
        ] and "sequence,month,ahead,answer" in printed.replace("time", "month")
        kept = [line.split(",") for line in (tmp_path / "forecast.csv").read_text().splitlines()[1:]]
        assert [row[1] for row in kept] == [row[1] for row in rows]
        assert [float(row[-1]) for row in kept] == pytest.approx([float(row[-1]) for row in rows], rel=1e-6)
    with served(tmp_path, door(test, "see it")) as (printed, page):
        assert "taking" not in printed and document_in(page)["features"] == ["sales"]


def test_a_cell_of_ones_own_is_named(tmp_path: Path, here: Here) -> None:
    (tmp_path / "cell_of_doors.py").write_text("from byhand.cells import zoneout, lstm\nmine = zoneout(lstm, h=0.1, c=0.1)\n")
    words = [
        "--data",
        "Adding",
        "--data.length",
        "5",
        "--data.batches",
        "2",
        "--data.sequences",
        "8",
        "--model.cell",
        "cell_of_doors:mine",
        *SMALL,
    ]
    out = here(tmp_path, "fit", *words)
    assert door(out, "see it").endswith("--cell cell_of_doors:mine")
    assert shown(*door(out, "see it").split()[2:])["computed"]


def test_a_prompt_is_one_that_the_model_knows() -> None:
    assert prompt_of("end To be or not to be", "Tobenrt d") == "To be or "
    assert prompt_of("enð tö be ornottobe", "ebrnot ") == "be "
    assert prompt_of("xyz", "abxyz") == "x" and prompt_of("☃", "ab") == "a"


def test_of_a_task_of_ones_own_no_page_is_promised(tmp_path: Path, here: Here) -> None:
    (tmp_path / "task_of_doors.py").write_text("from byhand.tasks import Adding\nclass Mine(Adding):\n    pass\n")
    words = ["--data", "task_of_doors.Mine", "--data.length", "5", "--data.batches", "2", "--data.sequences", "8", *SMALL]
    assert "see it" not in here(tmp_path, "fit", *words)


def test_a_runs_folder_stands_for_its_best_checkpoint(tmp_path: Path, here: Here, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--data", "Adding", "--data.length", "5", "--data.batches", "2", "--data.sequences", "8", *SMALL, "--name", "a"]
    here(tmp_path, "fit", *words)
    here(tmp_path, "fit", *words, "--seed_everything", "5")
    runs = tmp_path / "runs/a"
    os.utime(runs / "version_1/checkpoints/last.ckpt", (1, 1))
    for given, taken in (("", 1), ("version_0", 0), ("version_0/checkpoints", 0)):
        found = shown(runs / given)
        assert f"taking {runs}/version_{taken}/checkpoints/best.ckpt, and config.yaml beside it" in capsys.readouterr().out
        model = SequenceModel.load_from_checkpoint(runs / f"version_{taken}/checkpoints/best.ckpt")
        assert torch.equal(restored(found["head"]["weight"]).float(), model.head.weight)
    (runs / "version_0/checkpoints/best.ckpt").unlink()
    shown(runs / "version_0")
    assert "version_0/checkpoints/last.ckpt, and" in capsys.readouterr().out
    (runs / "version_0/config.yaml").unlink()
    assert main(["explore", str(runs / "version_0"), "--save", "page.html"]) == 2
    assert "there is no config.yaml beside it, which says what it was trained on" in capsys.readouterr().err
    Path("x.csv").write_text("a,b\n1,0\n0.5,1\n")
    assert shown(runs / "version_0", "--input", "x.csv")["items"][0]["steps"] == 2


def test_it_is_opened_in_the_browser(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(torch.nn.LSTM(1, 2).state_dict(), "model.pt")
    (tmp_path / "browser").write_text('#!/bin/sh\necho "$1" >> opened\n')
    (tmp_path / "browser").chmod(0o755)
    words = f'BROWSER="{tmp_path}/browser %s" byhand explore model.pt --open'
    at_a_shell(tmp_path, f"{words} --save page.html")
    assert (tmp_path / "opened").read_text().strip() == (tmp_path / "page.html").as_uri()
    with served(tmp_path, f"env {words}") as (printed, _):
        address = re.search(r"http://\S+", printed)
        until = time.monotonic() + 60
        while len(opened := (tmp_path / "opened").read_text().splitlines()) < 2 and time.monotonic() < until:
            time.sleep(0.1)
        assert address is not None and opened[1] == address[0]
    monkeypatch.setattr("webbrowser.open", lambda _: False)
    assert main(["explore", "model.pt", "--save", "page.html", "--open"]) == 0
    assert f"no browser was found here: open {(tmp_path / 'page.html').as_uri()} in one" in capsys.readouterr().out
