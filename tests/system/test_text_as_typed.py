"""Text that YAML reads as something else arrives as it was typed: from the command line, files, links, checkpoints, wherever it goes."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from commands import Here
from explored import shown
from hypothesis import given
from hypothesis import strategies as st
from jsonargparse import Namespace

from byhand.errors import StudyError
from byhand.study.arguments import complete
from byhand.tasks import Table, Task
from byhand.train.cli import yaml_text
from byhand.train.cli.command import TRAINER, Command
from byhand.train.cli.parser import Parser
from byhand.train.model.sequence_model import SequenceModel

# Comments, nulls, truth values, numbers, times, collections, marks of YAML's, quotes, blanks, other scripts.
NASTY = [
    *("#x", "a #b", "~", "null", "no", "off", "true", "Null", "NaN", ".inf"),
    *("1e5", "0x10", "0o7", "010", "1_000", "+1", "-5", ".5", "5.", "1,5", "123456789012345678901234567890"),
    *("12:30:45", "2020-01-01", "2020", "{a: b}", "{", "[1", "a: b", "a:", "- x", "-", "--x", "? a", "?"),
    *("&a", "*a", "!tag", "!!int 3", "|", ">", "%", "@", "`", "=", "<<", "---", "..."),
    *("'", '"', '"q"', "\\", "a\\nb", "$HOME", "${x}", " x", "x ", " ", "", "\t", "a\tb", "\na\nb", "a,b", "é☃", "𝒳"),
    *("\x85", "\ufeff"),
]
# Of each kind of type that takes text: alone, or null, or a path, a list, a class; at the top, in a task, in a callback.
OPTIONS = (
    *("name", "output", "model.cell", "checkpoint.monitor", "ckpt_path", "trainer.default_root_dir", "trainer.strategy"),
    *("data.path", "data.target", "data.features", "data.series", "data.separator", "data.decimal"),
)


@pytest.fixture(scope="module")
def parser() -> Parser:
    """That of byhand fit, without a training."""

    class Unrun(Command):
        def instantiate_classes(self) -> None: ...

        def _set_seed(self) -> None: ...

        def _add_instantiators(self) -> None: ...

        def _run_subcommand(self, subcommand: str) -> None: ...

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["byhand"])
        command = Unrun(
            *(SequenceModel, Task),
            subclass_mode_data=True,
            trainer_defaults=TRAINER,
            parser_kwargs={"prog": "byhand", "exit_on_error": False},
            args=["fit", "--data", "Table"],
        )
    return command._parser("fit")  # type: ignore[return-value]


def found(config: Namespace) -> dict[str, Any]:
    (stopping,) = config.trainer.callbacks
    options = {name: config[name.replace("data.", "data.init_args.")] for name in OPTIONS}
    return options | {"callback": stopping.init_args.monitor}


def as_typed(config: Namespace, text: str) -> None:
    for name, value in found(config).items():
        assert value == text and type(value) is str, (name, value)


@pytest.mark.parametrize("text", NASTY)
def test_from_the_command_line_into_a_file_and_back(text: str, parser: Parser, tmp_path: Path) -> None:
    stopping = ["--trainer.callbacks+=EarlyStopping", f"--trainer.callbacks.monitor={text}"]
    typed = parser.parse_args(["--data", "Table", *(f"--{name}={text}" for name in OPTIONS), *stopping])
    as_typed(typed, text)
    path = tmp_path / "config.yaml"
    for _ in range(2):
        path.write_text(parser.dump(typed), encoding="utf-8")  # as fit writes it
        typed = parser.parse_args(["--config", str(path)])
        as_typed(typed, text)
    kept = yaml.safe_load(path.read_text(encoding="utf-8"))  # as byhand explore reads it
    assert kept["data"]["init_args"]["target"] == kept["name"] == text


def test_a_word_of_its_own_on_the_command_line(parser: Parser) -> None:
    """Without =, as most type it. (What starts with - is taken for an option there.)"""
    for text in (one for one in NASTY if not one.startswith("-")):
        typed = parser.parse_args(["--data", "Table", "--data.target", text, "--model.cell", text])
        assert (typed.data.init_args.target, typed.model.cell) == (text, text)


def test_a_file_that_somebody_has_written(parser: Parser, tmp_path: Path) -> None:
    """In quotes everything is text; without, what is not null is the text that it is."""
    path = tmp_path / "mine.yaml"
    for text in NASTY:
        if "\x85" in text:  # a line break, to YAML
            continue
        quoted = json.dumps(text, ensure_ascii=False)
        path.write_text(f"name: {quoted}\ndata: {{class_path: Table, init_args: {{target: {quoted}, features: [{quoted}]}}}}\n")
        typed = parser.parse_args(["--config", str(path)])
        assert (typed.name, typed.data.init_args.target, typed.data.init_args.features) == (text, text, [text])
    for text in ("1e5", "0x10", "010", "2020", "2020-01-01", "12:30:45", "no", "true", ".5", "=", "1_000", ".inf"):
        data = f"data:\n  class_path: Table\n  init_args:\n    target: {text}\n    features:\n    - {text}\n"
        path.write_text(f"name: {text}\n{data}")
        typed = parser.parse_args(["--config", str(path)])
        assert (typed.name, typed.data.init_args.target, typed.data.init_args.features) == (text, text, [text])
    for nothing in ("null", "~", ""):
        path.write_text(f"data:\n  class_path: Table\n  init_args:\n    target: {nothing}\n")
        assert parser.parse_args(["--config", str(path)]).data.init_args.target is None


FILE = """
name: 007
seed_everything: 5
quick: no
data: {class_path: Table, init_args: {features: [no, 2020], window: 4}}
model: {forget_bias: null, dropout: 1e-1, bidirectional: no, gate_biases: {i: -3, o: [+1, .5, 1e1]}}
trainer:
  devices: 2
  precision: 16
  limit_train_batches: 0.5
  limit_val_batches: 3
  logger: false
  max_time: {hours: 1}
  callbacks:
  - {class_path: byhand.train.callbacks.Gates, init_args: {pictures: false, every_n_epochs: 2, warn: .5}}
  profiler: {class_path: SimpleProfiler, init_args: {filename: 2020}}
"""
WORDS = """
--name 007 --seed_everything 5 --data Table --data.features [no,2020] --data.window 4 --model.forget_bias null --model.dropout 1e-1
--model.bidirectional no --model.gate_biases {i:\xa0-3} --model.gate_biases.o [+1,.5,1e1] --trainer.devices 2 --trainer.precision 16
--trainer.limit_train_batches 0.5 --trainer.limit_val_batches 3 --trainer.logger false --trainer.max_time {hours:\xa01}
--trainer.callbacks+=byhand.train.callbacks.Gates --trainer.callbacks.pictures false --trainer.callbacks.every_n_epochs 2
--trainer.callbacks.warn .5 --trainer.profiler SimpleProfiler --trainer.profiler.filename 2020
"""


@pytest.mark.parametrize("way", ["file", "words", "written"])
def test_what_is_no_text_is_read_as_before(way: str, parser: Parser, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(FILE)
    words = [word.replace("\xa0", " ") for word in WORDS.split(" ") for word in word.split("\n") if word]
    typed = parser.parse_args(words if way == "words" else ["--config", str(path)])
    if way == "written":
        path.write_text(parser.dump(typed, skip_unset=False))
        typed = parser.parse_args(["--config", str(path)])
    assert (typed.name, typed.seed_everything, typed.quick) == ("007", 5, False)
    assert (typed.data.init_args.features, typed.data.init_args.window) == (["no", "2020"], 4)
    model, trainer = typed.model, typed.trainer
    assert (model.forget_bias, model.dropout, model.bidirectional) == (None, 0.1, False)
    assert model.gate_biases == {"i": -3.0, "o": [1.0, 0.5, 10.0]}
    assert (trainer.devices, trainer.precision, trainer.logger, trainer.max_time) == (2, 16, False, {"hours": 1})
    assert (trainer.limit_train_batches, trainer.limit_val_batches) == (0.5, 3)
    assert vars(trainer.callbacks[0].init_args) == {"every_n_epochs": 2, "warn": 0.5, "pictures": False}
    assert trainer.profiler.init_args.filename == "2020"


def test_options_that_take_anything_and_unions() -> None:
    """Any, and what is linked or kept in a dict: words as YAML has them, text that was read already as it is."""
    parser = Parser(exit_on_error=False)
    parser.add_argument("--config", action="config")
    parser.add_argument("--any", type=Any)
    parser.add_argument("--held", type=dict[str, Any])
    parser.add_argument("--either", type=int | str)
    words = {"5": 5, "[1, a]": [1, "a"], "null": None, "#x": None, '"5"': "5", "word": "word"}
    assert {word: parser.parse_args([f"--any={word}"]).any for word in words} == words
    texts = {"a": "5", "b": "#x", "c": "1e5", "d": ["null"], "e": 5, "f": None}
    typed = parser.parse_string(f"any: '5'\nheld: {json.dumps(texts)}\neither: '5'\n")
    for _ in range(2):
        assert (typed.any, typed.held, typed.either) == ("5", texts, "5")
        made = parser.instantiate(typed)
        assert (made.any, made.held, made.either) == ("5", texts, "5")
        typed = parser.parse_string(parser.dump(typed))
    assert [parser.parse_args([f"--either={word}"]).either for word in ("5", "5.5", "no")] == [5, "5.5", "no"]


@given(st.text())
def test_what_is_written_is_read_again_by_every_reader(text: str) -> None:
    written = yaml_text.dump({"key": text, text: ["a", text]})
    for read in (yaml.safe_load, yaml_text.load, lambda content: yaml_text.load(content, "file")):
        again = read(written)
        assert again == {"key": text, text: ["a", text]}


# What a table can call a column: all but blanks around it, which are no part of a name.
NAMES = sorted({text.strip() for text in NASTY if text.strip("\ufeff \t\n\x85") and not set(text) & set("\x85\n")})


@pytest.fixture(scope="module")
def nasty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table with a column of each name, and one that names a series after each."""
    folder = tmp_path_factory.mktemp("nasty")
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow([*NAMES, "whose"])
    for name in NAMES:
        writer.writerows([[(len(name) * at + column) % 17 for column in range(len(NAMES))] + [name] for at in range(20)])
    (folder / "#1.csv").write_text(text.getvalue(), encoding="utf-8")
    return folder


def test_every_name_from_training_to_page(nasty: Path, here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    features = json.dumps(NAMES, ensure_ascii=False)
    words = ["--data.path", "#1.csv", "--data.features", features, "--data.target", "#x", "--data.series", "whose"]
    sizes = ["--data.window", "2", "--model.hidden_size", "2", "--data.batch_size", "64"]
    here(nasty, "fit", "--data", "Table", *words, *sizes, "--trainer.max_steps", "2", "--name", "no")
    (run,) = nasty.glob("runs/no/version_0")
    last, written = str(run / "checkpoints/last.ckpt"), str(run / "config.yaml")
    kept = torch.load(last, weights_only=True)["hyper_parameters"]["form"]["fitted"]
    task = Table(nasty / "#1.csv", features=NAMES, target="#x", series="whose", window=2)
    assert kept == task.form.fitted and all(name in kept for name in NAMES)
    assert "the model" in here(nasty, "test", "--config", written, "--ckpt_path", last)
    here(nasty, "predict", "--config", written, "--ckpt_path", last, "--output", "#2.csv")
    with (nasty / "#2.csv").open(encoding="utf-8", newline="") as file:
        assert {row["series"] for row in csv.DictReader(file)} == set(NAMES)
    here(nasty, "fit", "--config", written, "--ckpt_path", last, "--trainer.max_steps", "3", "--name", "~")
    monkeypatch.chdir(nasty)
    page = shown(run / "checkpoints/last.ckpt", "--title", "#t: {no}")
    assert page["features"] == NAMES and page["head"]["names"] == ["next #x"] and page["title"] == "#t: {no}"
    page = shown(nasty / "runs/~/version_0/checkpoints/last.ckpt", "--input", "#1.csv", "--sequence", "whose")
    assert page["features"] == NAMES and [item["name"] for item in page["items"]] == NAMES


@pytest.mark.parametrize("name", ["#Passengers", "~", "null", "2020", "a: b"])
def test_a_table_of_one_column(name: str, here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its scales, "NAME: mean, spread", are words that YAML would make a mapping of."""
    (tmp_path / "one.csv").write_text(f"{name}\n" + "".join(f"{at % 13}\n" for at in range(60)))
    words = ["--data", "Table", "--data.path", "one.csv", f"--data.target={name}", "--data.window", "3"]
    here(tmp_path, "fit", *words, "--trainer.max_steps", "1", "--name", "one")
    last = tmp_path / "runs/one/version_0/checkpoints/last.ckpt"
    here(tmp_path, "test", "--config", str(last.parents[1] / "config.yaml"), "--ckpt_path", str(last))
    monkeypatch.chdir(tmp_path)
    assert shown(last)["title"] == "Table: lstm, 32 units"  # of its own task, in the scales of its training
    page = shown(last, "--input", "one.csv")
    assert page["features"] == [name] and page["items"][0]["steps"] == 60


@pytest.mark.parametrize("separator", ["#", "~", "|"])
def test_a_separator_is_what_was_typed(separator: str, here: Here, tmp_path: Path) -> None:
    (tmp_path / "parted.csv").write_text(f"a{separator}b\n" + "".join(f"{at % 7}{separator}{at}\n" for at in range(60)))
    words = ["--data", "Table", "--data.path", "parted.csv", "--data.target", "b", "--data.window", "3"]
    here(tmp_path, "fit", *words, "--data.separator", separator, "--trainer.max_steps", "1")


@pytest.mark.parametrize(("text", "prompt"), [("3141592653", "0415"), ("01", "1"), ("~", "~"), ("no\n", "no")])
def test_a_text_whose_characters_look_like_something_else(
    text: str, prompt: str, here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alphabet = "".join(sorted({*text, *prompt}))
    (tmp_path / "it.txt").write_text((text + prompt) * 60)
    sizes = ["--data.steps", "4", "--data.batch_size", "2", "--model.hidden_size", "2"]
    here(tmp_path, "fit", "--data", "Text", "--data.path", "it.txt", *sizes, "--trainer.max_steps", "2", "--name", "it")
    last = tmp_path / "runs/it/version_0/checkpoints/last.ckpt"
    config = ["--config", str(last.parents[1] / "config.yaml")]
    assert torch.load(last, weights_only=True)["hyper_parameters"]["form"]["alphabet"] == alphabet
    assert "the model" in here(tmp_path, "test", *config, "--ckpt_path", str(last))
    predicted = ["--data.prompt", prompt, "--data.characters", "5", "--output", "said.txt"]
    here(tmp_path, "predict", *config, "--ckpt_path", str(last), *predicted)
    assert (tmp_path / "said.txt").read_text().startswith(prompt)
    here(tmp_path, "fit", *config, "--ckpt_path", str(last), "--trainer.max_steps", "4", "--name", "on")
    again = tmp_path / "runs/on/version_0/checkpoints/last.ckpt"
    assert torch.load(again, weights_only=True)["global_step"] == 4
    assert yaml.safe_load((again.parents[1] / "config.yaml").read_text())["data"]["init_args"]["alphabet"] == alphabet
    monkeypatch.chdir(tmp_path)
    page = shown(again)
    assert page["head"]["names"] == [one.replace("\n", "↵") for one in alphabet] + ["other"]


@pytest.mark.parametrize("text", NASTY)
def test_a_study_takes_what_stands_in_quotes(text: str) -> None:
    content = yaml.safe_load(yaml_text.dump({"target": text, "features": [text], "path": text}))
    assert {name: value for name, value in complete(Table, content, "study").items() if name in content} == content


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("target: 2020", "target: expected a word or a list of words or null, got 2020: put it in quotes"),
        ("series: no", "series: expected a word or a list of words or null, got False: put it in quotes"),
        ("decimal: 1e5", "decimal: expected a word or null, got 100000.0: put it in quotes"),
        ("features: [a, 2020]", "features: expected a word or a list of words or null, got ['a', 2020]: put it in quotes"),
        ("path: 2020-01-01", "path: expected a word or null, got datetime.date(2020, 1, 1): put it in quotes"),
    ],
)
def test_a_study_says_what_belongs_in_quotes(option: str, message: str, tmp_path: Path) -> None:
    from byhand.study import yaml  # noqa: PLC0415

    (tmp_path / "study.yaml").write_text(option)
    with pytest.raises(StudyError) as refused:
        complete(Table, yaml.read(tmp_path / "study.yaml"), "study")
    assert str(refused.value) == f"study: {message}"
