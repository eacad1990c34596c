"""byhand fit, validate, test and predict, as typed."""

import csv
import logging
import re
import resource
import shlex
import subprocess
import sys
from inspect import isclass, signature
from pathlib import Path

import programs
import pytest
import torch
from commands import BEST, LAST, WRITTEN, Here, typed
from jsonargparse import ArgumentParser

from byhand import LSTM, tasks
from byhand.train import SequenceModel
from byhand.train.callbacks.callbacks import GateMonitor, SampleText, StopWhen
from byhand.train.cli.command import main


def test_the_test_part_beside_guessing(trained: Path, here: Here) -> None:
    out = here(trained, "test", "--config", WRITTEN, "--ckpt_path", BEST)
    rows = [re.split(r"\s*[│┃]\s*", line)[1:-1] for line in out.splitlines() if re.match("[│┃]", line)]
    assert rows[0] == ["", "loss", "mse", "mae", "wrong"]
    assert rows[1][0] == "the model" and len(rows) >= 3
    assert 0 < float(rows[1][2]) < float(rows[2][2]) < 0.1


def test_answers_in_a_table(trained: Path, here: Here) -> None:
    out = here(trained, "predict", "--config", WRITTEN, "--ckpt_path", BEST, "--output", "answers.csv")
    assert "32 rows written to answers.csv" in out
    rows = list(csv.DictReader((trained / "answers.csv").read_text().splitlines()))
    assert [int(row["sequence"]) for row in rows] == list(range(32))
    assert sum((float(row["target"]) - float(row["answer"])) ** 2 for row in rows) / 32 < 1 / 24


def test_the_validation_part(trained: Path, here: Here) -> None:
    out = here(trained, "validate", "--config", WRITTEN, "--ckpt_path", BEST)
    assert "the model" in out and "always" not in out


def test_a_layer_out_of_a_checkpoint_in_one_line(trained: Path) -> None:
    lstm = SequenceModel.load_from_checkpoint(trained / BEST).lstm
    assert isinstance(lstm, LSTM) and lstm.hidden_size == 8


def test_going_on_is_straight_through(folder: Path, here: Here) -> None:
    here(folder, "fit", "--config", "small.yaml")
    here(folder, "fit", "--config", WRITTEN, "--ckpt_path", LAST, "--trainer.max_epochs", "4", "--name", "on")
    here(folder, "fit", "--config", WRITTEN, "--trainer.max_epochs", "4", "--name", "whole")
    first, second = (
        torch.load(folder / f"runs/{name}/version_0/checkpoints/last.ckpt", weights_only=True)["state_dict"]
        for name in ("on", "whole")
    )
    assert all(torch.equal(first[name], second[name]) for name in second)


def test_two_processes_are_one_with_the_joint_batch(folder: Path, here: Here) -> None:
    """Under torchrun. In float64: Adam divides gradients by their size, and so makes rounding in small ones as large as the rest."""
    words = ["fit", "--config", "small.yaml", "--trainer.max_steps", "20", "--trainer.precision", "64-true"]
    here(folder, *words, "--name", "one")
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "byhand", *words]
    two = ["--name", "two", "--data.batch_size", "4", "--trainer.strategy", "ddp", "--trainer.devices", "2"]
    done = subprocess.run([*launch, *two], cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    alone, together = (
        torch.load(folder / f"runs/{name}/version_0/checkpoints/last.ckpt", weights_only=True) for name in ("one", "two")
    )
    assert alone["global_step"] == together["global_step"] == 20
    for name, value in alone["state_dict"].items():
        torch.testing.assert_close(together["state_dict"][name], value, rtol=0, atol=1e-6)


def test_a_text_is_predicted_with_the_alphabet_of_its_training(folder: Path, here: Here) -> None:
    """Of another text and prompt, as if it were the first."""
    for name, text in (("first", "abcd" * 200), ("second", "bcdez" * 200)):
        Path(f"{name}.txt").write_text(text)
    sizes = "{steps: 20, batch_size: 2, characters: 30, path: first.txt}"
    Path("words.yaml").write_text(f"data: {{class_path: Text, init_args: {sizes}}}\nmodel: {{hidden_size: 4}}\n")
    here(folder, "fit", "--config", "words.yaml", "--trainer.max_epochs", "1", "--name", "words")
    best = "runs/words/version_0/checkpoints/best.ckpt"
    for name in ("first", "second"):
        path = ["--data.path", f"{name}.txt", "--data.prompt", "abc", "--output", f"said-{name}.txt"]
        here(folder, "predict", "--config", "words.yaml", "--ckpt_path", best, *path)
    first, second = (Path(f"said-{name}.txt").read_text() for name in ("first", "second"))
    assert first == second and len(first) == 33 and set(first) <= set("abcd")


def test_a_full_disk_is_told_and_loses_nothing(trained: Path) -> None:
    kept = (trained / BEST).read_bytes()

    def full() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    done = typed(trained, "fit", "--config", "small.yaml", "--name", "full", fresh=True, preexec_fn=full)
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
    assert done.stderr.splitlines()[-1].startswith("byhand fit: ")
    assert not list((trained / "runs/full").rglob("*.ckpt"))
    assert (trained / BEST).read_bytes() == kept
    done = typed(
        trained,
        "predict",
        "--config",
        WRITTEN,
        "--ckpt_path",
        BEST,
        "--output",
        "small.csv",
        fresh=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)),
    )
    assert done.returncode == 2 and not (trained / "small.csv").exists()
    assert not [one for one in trained.iterdir() if one.name.startswith(".")]


def test_help_explains(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, expected in (
        (
            ["fit", "--help"],
            ("--model.cell", "--model.tbptt_steps", "--data", "--print_config", "--ckpt_path", "--name", "--quick"),
        ),
        (["fit", "--config", "small.yaml", "--print_config"], ("hidden_size: 8", "max_epochs: 2")),
    ):
        with pytest.raises(SystemExit) as done:
            main(words)
        assert done.value.code == 0
        out = capsys.readouterr().out
        assert all(word in out for word in expected) and " at 0x" not in out


TAKEN = [one for one in vars(tasks).values() if isclass(one) and issubclass(one, tasks.Task) and one is not tasks.Task]


@pytest.mark.parametrize("made", [SequenceModel, GateMonitor, SampleText, StopWhen, *TAKEN], ids=lambda made: made.__name__)
def test_the_help_explains_every_option(made: type) -> None:
    """As the parser of the command reads what is written under the class."""
    parser, names = ArgumentParser(), set(signature(made).parameters)
    parser.add_class_arguments(made, "it")
    told = {action.dest.partition(".")[2]: action.help for action in parser._actions if action.dest.startswith("it.")}
    assert set(told) == names
    assert [name for name, text in told.items() if not (text or "").strip()] == []


def test_without_a_log_each_training_has_its_own_folder(folder: Path, here: Here) -> None:
    for version in range(2):
        here(folder, "fit", "--config", "small.yaml", "--trainer.logger", "false", "--trainer.max_steps", "3")
        made = folder / f"runs/small/version_{version}"
        assert {one.name for one in made.iterdir()} == {"checkpoints", "config.yaml"}
        assert (made / "checkpoints/last.ckpt").is_file()


def test_what_to_watch_is_the_task_s_or_one_s_own(folder: Path, here: Here) -> None:
    words = ["fit", "--config", "small.yaml", "--trainer.max_epochs", "1"]
    for name, more in (("theirs", []), ("mine", ["--checkpoint.monitor", "val_mae"])):
        here(folder, *words, "--name", name, *more)
        kept = torch.load(folder / f"runs/{name}/version_0/checkpoints/last.ckpt", weights_only=True)["callbacks"]
        (keeper,) = [state for key, state in kept.items() if key.startswith("Best")]
        assert keeper["monitor"] == {"theirs": "val_loss", "mine": "val_mae"}[name]


def test_a_bar_of_one_s_own_is_shown(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["fit", "--config", "small.yaml", "--trainer.max_epochs", "1", "--trainer.callbacks+=TQDMProgressBar"]
    assert main(words) == 0
    out, error = capsys.readouterr()
    assert "it/s" in out + error and not re.search(r"^epoch 0  step", out, re.MULTILINE)


@pytest.mark.parametrize("asked", [True, False])
def test_a_profile_is_shown_to_who_asks_for_it(asked: bool, folder: Path, here: Here, caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("lightning.pytorch.profilers")
    logger.addHandler(caplog.handler)
    try:
        here(folder, "fit", "--config", "small.yaml", *["--trainer.profiler", "simple"] * asked)
    finally:
        logger.removeHandler(caplog.handler)
    assert ("run_training_batch" in caplog.text) == asked


def test_a_cell_of_one_s_own(folder: Path, here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    """By module and name, from the folder in which one is."""
    (folder / "mine.py").write_text("from byhand.cells import no_input_gate, peephole\n\nquiet = no_input_gate(peephole)\n")
    monkeypatch.syspath_prepend(str(folder))
    here(folder, "fit", "--config", "small.yaml", "--model.cell", "mine:quiet", "--trainer.max_steps", "2")
    best = "runs/small/version_0/checkpoints/last.ckpt"
    lstm = SequenceModel.load_from_checkpoint(folder / best, cell="mine:quiet").lstm
    assert lstm.cell.name == "no_input_gate(peephole)"
    here(folder, "test", "--config", "runs/small/version_0/config.yaml", "--ckpt_path", best)  # which names it too


def test_who_reads_the_lines_may_go_away(folder: Path) -> None:
    """As head does after the first; the training goes on to its end."""
    line = f"{shlex.join(programs.python('-m', 'byhand', 'fit', '--config', 'small.yaml'))} | head -n 1"
    done = subprocess.run(line, shell=True, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.startswith("epoch 0  step 60") and done.stderr == ""
    assert torch.load(folder / LAST, weights_only=True)["global_step"] == 120


@pytest.mark.parametrize("typed_as", ["{i: -3}", "{i: [-3.0]}"])
def test_biases_of_gates_as_typed(folder: Path, here: Here, typed_as: str) -> None:
    here(folder, "fit", "--config", "small.yaml", "--model.gate_biases", typed_as, "--trainer.max_steps", "1")
    start = SequenceModel.load_from_checkpoint(folder / LAST).hparams["gate_biases"]["i"]
    assert start in (-3, [-3.0])
    assert -3.1 < SequenceModel.load_from_checkpoint(folder / LAST).lstm.gates()["i"].bias.mean() < -2.9


def test_a_module_in_whose_place_another_stood() -> None:
    """It is imported as soon as it is asked for anything, and is as ever afterwards."""
    program = (
        "import importlib, sys\n"
        "from byhand.files.imports import postponed\n"
        "with postponed('wave', hamming=None):\n"
        "    import wave\n"
        "    assert hasattr(wave, 'hamming') and not hasattr(wave, '__file__')\n"
        "assert 'wave' not in sys.modules\n"
        "again = importlib.import_module('wave')\n"
        "assert again is not wave and again.Wave_read is wave.Wave_read and not hasattr(again, 'hamming')\n"
        "with postponed('wave', hamming=None):\n"
        "    assert importlib.import_module('wave') is again\n"
        "with postponed('nothing_of_the_kind.inside'):\n"
        "    assert 'nothing_of_the_kind.inside' not in sys.modules\n"
        "print('as ever')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "as ever\n")


def test_a_training_starts_without_what_nothing_asks_for() -> None:
    program = (
        "import sys\n"
        "import byhand.__main__ as program\n"
        "program._module('byhand.train.cli.command')\n"
        "print('scipy.signal' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "False\n")


def test_what_is_imported_is_no_garbage_to_look_through() -> None:
    """The collector is on again after it, and leaves alone what was there before it: else it costs each command two seconds."""
    program = (
        "import gc, sys\n"
        "searches = []\n"
        "gc.callbacks.append(lambda when, which: searches.append(which['generation']))\n"
        "import byhand.__main__ as program\n"
        "from byhand.files.imports import uncollected\n"
        "assert 2 not in searches and gc.isenabled() and gc.get_freeze_count() == 0\n"
        "assert program._module('byhand.configs.cli').main and program._module('json').dumps\n"
        "assert 2 not in searches and gc.isenabled() and gc.get_freeze_count() > 50_000\n"
        "gc.disable()\n"
        "with uncollected():\n"
        "    pass\n"
        "assert not gc.isenabled()\n"
        "before = gc.get_freeze_count()\n"
        "later = [[] for _ in range(1000)]\n"
        "program.leave()\n"
        "assert gc.get_freeze_count() > before + 1000  # at the end, too\n"
        "sys.modules['triton'] = sys\n"
        "program.leave()\n"
        "assert gc.get_freeze_count() == 0  # whose bindings print what is left\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
