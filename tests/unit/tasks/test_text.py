"""Text: what is read, cut into streams, guessed and written."""

import gzip
import math
import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from generated import same
from hypothesis import given, settings
from hypothesis import strategies as st

from byhand.nn.sampling import draw
from byhand.tasks import Text
from byhand.tasks.task import IGNORE_INDEX, Batches
from byhand.tasks.text.models import counting_bits, gzip_bits
from byhand.tasks.text.reading import python_topics
from byhand.train import SequenceModel, train

RHYME = "".join(f"{at} green bottles hanging on the wall, and if {at % 7} should fall\n" for at in range(200, 0, -1))


def written(folder: Path, text: str = RHYME, name: str = "rhyme.txt") -> str:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return str(path)


@pytest.fixture
def rhyme(tmp_path: Path) -> Text:
    return Text(written(tmp_path), steps=7, batch_size=4)


def read(made: Text, symbols: torch.Tensor) -> str:
    return "".join((made.alphabet + "�")[symbol] for symbol in symbols.tolist())


def test_parts_are_cut_by_position(rhyme: Text) -> None:
    n = len(RHYME)
    assert rhyme.parts == {
        "train": RHYME[: int(0.9 * n)],
        "val": RHYME[int(0.9 * n) : int(0.95 * n)],
        "test": RHYME[int(0.95 * n) :],
    }
    assert rhyme.alphabet == "".join(sorted(set(RHYME[: int(0.9 * n)])))
    assert rhyme.form == (
        len(rhyme.alphabet) + 1,
        len(rhyme.alphabet) + 1,
        "classification",
        True,
        True,
        True,
        0.0,
        rhyme.alphabet,
        "",
        None,
    )


@pytest.mark.parametrize("part", ["train", "val", "test"])
@pytest.mark.parametrize(("steps", "size"), [(7, 4), (10, 1), (1, 3), (300, 5), (16, 16)])
def test_streams_go_on_and_hold_the_text(tmp_path: Path, part, steps: int, size: int) -> None:
    made = Text(written(tmp_path), steps=steps, batch_size=size)
    batches = [made.batch(part, 0, index, size) for index in range(made.count(part, size))]
    assert all(len(batch.input) == steps for batch in batches[:-1]) and 1 <= len(batches[-1].input) <= steps
    assert all((batch.target != IGNORE_INDEX).any() for batch in batches)
    inputs, targets = torch.cat([one.input for one in batches]), torch.cat([one.target for one in batches])
    asked = "".join(read(made, column[column != IGNORE_INDEX]) for column in targets.T)
    text = made.parts[part][part == "train" :]  # the very first character has none before it
    assert text.startswith(asked) and 0 <= len(text) - len(asked) < size
    before = 0 if part == "train" else steps // 2
    assert (targets[:before] == IGNORE_INDEX).all() and (targets[before:] != IGNORE_INDEX).all()
    length = len(asked) // size
    for stream in range(size):
        start = RHYME.index(text) + stream * length - before
        assert read(made, inputs[:, stream]) == RHYME[start - 1 : start - 1 + length + before]
        assert torch.equal(inputs[before + 1 :, stream], targets[before:-1, stream])


def test_the_worked_example_of_the_documentation(tmp_path: Path) -> None:
    made = Text(written(tmp_path, ("." + "to be or not") + "." * 2), steps=3, batch_size=1)
    assert made.parts["train"] == ".to be or not"
    batches = [made.batch("train", 0, index, 2) for index in range(2)]
    assert [[read(made, column) for column in batch.target.T] for batch in batches] == [["to ", "or "], ["be ", "not"]]
    assert [[read(made, column) for column in batch.input.T] for batch in batches] == [[".to", " or"], [" be", " no"]]


def test_batches_are_the_same_in_every_epoch(rhyme: Text) -> None:
    assert same(rhyme.batch("train", 0, 3, 4), rhyme.batch("train", 5, 3, 4))
    assert [batch.input.shape[0] for batch in rhyme.val_dataloader()] == [7] * (rhyme.count("val", 4) - 1) + [
        (len(rhyme.parts["val"]) // 4 + 3) % 7 or 7
    ]


def test_two_processes_share_the_streams(rhyme: Text) -> None:
    joint = rhyme.batch("val", 0, 0, 8)
    one, other = (Batches(rhyme, "val", rank, 2)[0, 0] for rank in range(2))
    assert torch.equal(torch.cat((one.input, other.input), 1), joint.input) and one.input.shape == (7, 4)
    assert torch.equal(torch.cat((one.target, other.target), 1), joint.target)


def test_unknown_characters_are_one_symbol_more(tmp_path: Path) -> None:
    made = Text(written(tmp_path, "ab" * 90 + "aéßbb" * 2 + "ab☃ab" * 2), steps=2, batch_size=1)
    other = len(made.alphabet)
    assert made.alphabet == "ab" and made.encode("a☃é\U0001f600b").tolist() == [0, other, other, other, 1]
    targets = torch.cat([batch.target for batch in made.test_dataloader()])
    assert read(made, targets[targets != IGNORE_INDEX]) == "ab�abab�ab"
    assert (
        "2 different in the training part; others: 0 in the training part, 4 in the validation part, 2 in the test part"
        in made.report
    )


def test_the_default_is_pythons_own_help() -> None:
    made = Text()
    assert 300_000 < len(made.whole) < 1_000_000 and made.whole == python_topics()
    assert made.report.startswith("pydoc_data.topics: ") and 'The "assert" statement' in made.whole
    assert made.batch("train", 0, 0, 32).input.shape == (100, 32)


def slow_bits(train_part: str, before: str, test_part: str, order: int, symbols: int) -> float:
    """Witten-Bell, from dictionaries of strings."""
    came: dict[str, Counter[str]] = defaultdict(Counter)
    for length in range(order):
        for at in range(length, len(train_part)):
            came[train_part[at - length : at]][train_part[at]] += 1

    def chance(history: str, symbol: str) -> float:
        lower = chance(history[1:], symbol) if history else 1 / symbols
        seen = came[history]
        return (seen[symbol] + len(seen) * lower) / (seen.total() + len(seen)) if seen else lower

    text = before[len(before) - order + 1 :] + test_part
    places = range(order - 1, len(text))
    return -sum(math.log2(chance(text[at - order + 1 : at], text[at])) for at in places) / len(test_part)


@settings(max_examples=60, deadline=None)
@given(
    st.text("abc", min_size=1, max_size=60), st.text("abcd", min_size=5, max_size=5), st.text("abcd", min_size=1, max_size=20),
    st.integers(1, 5),
)  # fmt: skip
def test_counting_as_a_slow_model_counts(train_part: str, before: str, test_part: str, order: int) -> None:
    train_, before_, test_ = (np.array(["abcd".index(one) for one in text]) for text in (train_part, before, test_part))
    assert counting_bits(train_, test_, before_, order, 4) == pytest.approx(slow_bits(train_part, before, test_part, order, 4))


def test_baselines_of_a_text(rhyme: Text) -> None:
    parts, before = rhyme.parts, RHYME[: int(0.95 * len(RHYME))]
    found = dict(rhyme.baselines)
    assert found["uniform"] == {"bits": math.log2(len(rhyme.alphabet) + 1)}
    (likeliest,) = Counter(parts["train"]).most_common(1)
    assert found["unigram"]["accuracy"] == pytest.approx(parts["test"].count(likeliest[0]) / len(parts["test"]))
    for name, order in (("unigram", 1), ("5-gram", 5)):
        slow = slow_bits(parts["train"], before, parts["test"], order, len(rhyme.alphabet) + 1)
        assert found[name]["bits"] == pytest.approx(slow)
    assert found["gzip -9, behind the training part"]["bits"] == gzip_bits(parts["test"], parts["train"])[0]
    assert rhyme.baselines is rhyme.baselines  # computed once


@pytest.mark.parametrize(("train_part", "how"), [(RHYME, "behind the training part"), ("é" * 50_000, "alone")])
def test_gzip_alone_or_behind_the_training_part(train_part: str, how: str) -> None:
    test_part = RHYME[:2000] if how != "alone" else "ab"
    size = lambda text: len(gzip.compress(text.encode(), 9, mtime=0))  # noqa: E731
    least = min(size(test_part), size(train_part + test_part) - size(train_part))
    bits, told = gzip_bits(test_part, train_part)
    assert bits == least * 8 / len(test_part)
    assert told == how or least != size(test_part)


def test_files_of_a_folder_come_in_order(tmp_path: Path) -> None:
    for name in ("b.txt", "a/z.md", "a.txt", "c.MD", "a/b/c.txt", "not.csv"):
        written(tmp_path, f"{name} " * 40, name)
    made = Text(tmp_path, steps=2, batch_size=1)
    order = ("a/b/c.txt", "a/z.md", "a.txt", "b.txt", "c.MD")
    assert made.whole == "\n".join(f"{name} " * 40 for name in order)


def test_marks_and_line_breaks_of_other_systems(tmp_path: Path) -> None:
    made = Text(written(tmp_path, "\ufeff" + "one\r\ntwo\rthree\n" * 20), steps=2, batch_size=1)
    assert made.whole == "one\ntwo\nthree\n" * 20


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "an empty file"),
        (b" \n\t ", "white space only"),
        (b"good\nbad \xff\n", "expected UTF-8 in '{}', got byte 0xff in line 2; if it is text of another encoding: iconv"),
        (b"zero \0 bytes" * 50, "got zero bytes"),
        (
            b"short",
            "expected at least 32 characters in the train part for 32 streams and more than 50 before it, got 3 after 1 of 5",
        ),
        (
            b"short " * 100,
            "expected at least 32 characters in the val part for 32 streams and more than 50 before it, got 30 after 540",
        ),
        (b"a", "expected at least 32 characters in the train part"),
    ],
)
def test_what_is_no_text_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "file.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"^text: .*{re.escape(message.format(path))}"):
        Text(str(path))


def test_what_is_not_there_or_closed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError, match=r"^text: expected a file or a folder, got '.*nothing', which does not exist$"):
        Text(tmp_path / "nothing")
    with pytest.raises(ValueError, match=r"^text: expected \*\.txt or \*\.md in the folder '.*', found none"):
        Text(tmp_path)
    path = written(tmp_path)

    def closed(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", closed)
    with pytest.raises(PermissionError, match=r"^text: '.*rhyme.txt' cannot be read: Permission denied$"):
        Text(path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps: expected at least 1, got 0"),
        ({"batch_size": 0}, "batch_size: expected at least 1, got 0"),
        ({"characters": -1}, "characters: expected at least 0, got -1"),
        ({"temperature": -0.1}, "temperature: expected a number of at least 0, got -0.1"),
        ({"temperature": float("nan")}, "temperature: expected a number of at least 0, got nan"),
        ({"steps": 2000}, "expected at least 32 characters in the val part for 32 streams and more than 1000 before it"),
    ],
)
def test_wrong_options_are_refused(tmp_path: Path, options, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        Text(written(tmp_path, RHYME[:1000]), **options)


@settings(max_examples=60, deadline=None)
@given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode), st.text(min_size=60).map(str.encode)))
def test_hostile_files_are_texts_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "hostile.txt"
    path.write_bytes(content)
    try:
        made = Text(path, steps=4, batch_size=2, prompt="", characters=3)
    except ValueError as error:
        if not str(error).startswith("text: "):
            raise
        return
    assert all(0 <= guess["bits"] < 1000 for guess in made.baselines.values())
    assert set(made.text(untrained(made))) <= set(made.alphabet)


def untrained(made: Text, **options) -> SequenceModel:
    torch.manual_seed(1)
    return SequenceModel(made.form._asdict(), hidden_size=8, **options)


def test_a_prompt_goes_on_with_known_characters(tmp_path: Path) -> None:
    made = Text(written(tmp_path), prompt="12 green", characters=50, seed=3)
    text = made.text(untrained(made))
    assert text.startswith("12 green") and len(text) == 58 and set(text) <= set(made.alphabet)
    assert made.text(untrained(made)) == text
    other = Text(written(tmp_path), prompt="12 green", characters=50, seed=4)
    assert other.text(untrained(other)) != text
    model = untrained(made)
    with torch.no_grad():
        model.head.bias[-1] = 50  # never the symbol for unknown ones, however likely
    assert set(made.text(model)) <= set(made.alphabet)
    made.characters = 0
    assert made.text(model) == "12 green"


def test_without_a_prompt_it_goes_on_from_the_training_part(tmp_path: Path) -> None:
    made = Text(written(tmp_path), steps=20, characters=30, temperature=0)
    asked = Text(written(tmp_path), characters=30, temperature=0, prompt=made.parts["train"][-20:])
    model = untrained(made)
    assert len(made.text(model)) == 30 and asked.text(model) == asked.prompt + made.text(model)


@pytest.mark.parametrize(
    "options", [{}, {"num_layers": 2, "dropout": 0.5}, {"embedding_size": 5}, {"cell": "gru"}, {"proj_size": 3}]
)
def test_the_likeliest_is_what_the_whole_model_says(tmp_path: Path, options) -> None:
    """Step by step with the memory kept, or all over again for each character: the same."""
    made = Text(written(tmp_path), prompt="the wall", characters=12, temperature=0)
    model = untrained(made, **options)
    text = made.text(model)
    model.eval()
    slow = "the wall"
    while len(slow) < len(text):
        with torch.no_grad():
            scores, _ = model(torch.from_numpy(made.encode(slow)).long().unsqueeze(1))
        slow += made.alphabet[int(scores[-1, 0, :-1].argmax())]
    assert text == slow


def test_low_temperatures_are_the_likeliest_and_high_ones_are_even() -> None:
    scores = torch.tensor([1.0, 3.0, 2.0, -torch.inf]).double()
    for temperature in (0, 1e-300, 1e-6, 0.01):
        assert {draw(scores, temperature, torch.Generator().manual_seed(seed)) for seed in range(20)} == {1}
    source = torch.Generator().manual_seed(0)
    drawn = Counter(draw(scores, 1e6, source) for _ in range(3000))
    assert set(drawn) == {0, 1, 2} and min(drawn.values()) > 900
    drawn = Counter(draw(scores, 1.0, source) for _ in range(5000))
    chances = torch.softmax(scores, 0).tolist()
    assert all(drawn[one] / 5000 == pytest.approx(chances[one], abs=0.03) for one in range(3))


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    made = Text(written(tmp_path), prompt="naïve ☃")
    model = untrained(made)
    with pytest.raises(ValueError, match=r"^prompt: expected characters of the text that was trained on, got '(vï|ï.*☃)"):
        made.text(model)
    other = Text(written(tmp_path, RHYME.upper() + RHYME))
    with pytest.raises(
        ValueError,
        match=r"^text: expected a model of the \d+ characters of this text, got one of \d+, others: write Text\(path",
    ):
        other.text(model)
    made.prompt = ""
    with torch.no_grad():
        model.head.weight.fill_(torch.nan)
    with pytest.raises(ValueError, match=r"^text: the model gives NaN"):
        made.text(model)
    with pytest.raises(ValueError, match="expected bidirectional=False: in this task what comes next is asked for"):
        untrained(made, bidirectional=True)


def test_another_text_is_read_with_the_alphabet_of_the_model(tmp_path: Path) -> None:
    made = Text(written(tmp_path), characters=20)
    model, path = untrained(made), tmp_path / "other.txt"
    path.write_text("".join(sorted(set(RHYME)))[3:-2] * 30 + "☃" * 9)
    other, known = Text(path), Text(path, characters=20, alphabet=model.form.alphabet[::-1])
    assert other.alphabet != made.alphabet and known.alphabet == made.alphabet and known.form == made.form
    assert known.encode("☃")[0] == len(made.alphabet) and f"{len(made.alphabet)} known, as given" in known.report
    assert len(known.text(model)) == 20
    with pytest.raises(ValueError, match="alphabet: expected the known characters, got none"):
        Text(path, alphabet="")


def test_a_checkpoint_of_other_characters_is_refused(tmp_path: Path) -> None:
    """Even of as many: what each symbol stood for would be lost without a word."""
    made, shifted = (Text(written(tmp_path, text)) for text in ("abcd" * 400, "bcde" * 400))
    assert made.form.output_size == shifted.form.output_size
    checkpoint: dict[str, Any] = {"hyper_parameters": dict(untrained(made).hparams)}
    untrained(made).on_load_checkpoint(checkpoint)
    with pytest.raises(
        ValueError, match=r"^checkpoint: expected a model of the 4 characters of this text, got one of 4, others"
    ):
        untrained(shifted).on_load_checkpoint(checkpoint)


def test_a_model_learns_it_and_bits_are_of_every_character_asked_for(tmp_path: Path) -> None:
    made = Text(written(tmp_path), steps=20, batch_size=8)
    model, outcome = train(made, {"hidden_size": 32, "learning_rate": 0.02}, max_epochs=3)
    assert outcome.metrics["test_bits"] < made.baselines["unigram"]["bits"]
    state, lost, asked = None, 0.0, 0
    with torch.no_grad():
        for batch in made.test_dataloader():
            scores, state = model(batch.input, None, state)
            told = batch.target != IGNORE_INDEX
            lost -= float(scores.log_softmax(-1)[told].gather(-1, batch.target[told].unsqueeze(-1)).sum()) / math.log(2)
            asked += int(told.sum())
    assert asked == len(made.parts["test"]) // 8 * 8
    assert outcome.metrics["test_bits"] == pytest.approx(lost / asked, rel=1e-5)
    made.prompt, made.temperature, made.characters = "10 green", 0.0, 40
    assert "the" in made.text(model)
