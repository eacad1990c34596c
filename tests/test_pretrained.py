"""Saving and loading: nothing is lost by a crash, nothing damaged is accepted, and what comes back is equal to the bit."""

import dataclasses
import errno
import io
import itertools
import json
import os
import pickle
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor, nn
from torch.nn.utils import prune

from byhand import LSTM, cells, use_engine
from byhand.cells import Cell
from byhand.saving import model_folder
from byhand.saving.cell_names import FUNCTIONS, VALUES, find
from byhand.saving.pretrained import LoadError, load, save

FILES = ["README.md", "config.json", "model.safetensors"]
SETTINGS = {
    "lstm_1997_blocks": [],
    "recurrent_dropout": [((0.3,), {}), ((1e-05,), {"every": "sequence"})],
    "zoneout": [((), {}), ((), {"h": 0, "c": 0.25})],
}


@pytest.fixture(autouse=True)
def one_engine() -> Iterator[None]:
    """Files are what is tested here; nothing need be compiled for them."""
    with use_engine("reference"):
        yield


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads are of no use at these sizes, and must not be forked."""
    usual = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(usual)


def made_from(cell: Cell) -> Iterator[Cell]:
    """All that byhand's functions make of a cell."""
    for name in FUNCTIONS:
        for arguments, named in SETTINGS.get(name, [((), {})]):
            with suppress(ValueError):  # not every cell has the site that the function changes
                yield FUNCTIONS[name](cell, *arguments, **named)


PLAIN = [*VALUES.values(), cells.lstm_1997_blocks(2)]
DERIVED = [made for cell in PLAIN for made in made_from(cell)]
OWN = dataclasses.replace(cells.lstm, name="mine")


def filled(*arguments: Any, **options: Any) -> LSTM:
    """An LSTM none of whose values are where they started."""
    torch.manual_seed(3)
    lstm = LSTM(*arguments, **options)
    with torch.no_grad():
        for parameter in lstm.parameters():
            parameter.copy_(torch.randn(parameter.shape))
    return lstm


def bits(value: Tensor) -> tuple[torch.dtype, tuple[int, ...], bytes]:
    return value.dtype, tuple(value.shape), bytes(value.detach().contiguous().view(torch.uint8).flatten().tolist())


def content(lstm: LSTM) -> dict[str, Any]:
    """All that makes an LSTM what it is."""
    values = {name: bits(value) for name, value in lstm.state_dict().items()}
    return values | {name: getattr(lstm, name) for name in (*model_folder.ARGUMENTS, "cell")}


def outputs(lstm: LSTM, *, training: bool) -> list[tuple[torch.dtype, tuple[int, ...], bytes]]:
    torch.manual_seed(5)
    x = torch.randn(7, 2, lstm.input_size).to(lstm.get_parameter("weight_ih_l0"))
    was, _ = lstm.training, lstm.train(training)
    output, states = lstm(x)
    lstm.train(was)
    return [bits(value) for value in (output, *(states if isinstance(states, tuple) else (states,)))]


def assert_same(loaded: LSTM, saved: LSTM) -> None:
    assert content(loaded) == content(saved)
    for training in (True, False):
        assert outputs(loaded, training=training) == outputs(saved, training=training)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


OLD = filled(3, 40, 2)
NEW = filled(
    2, 30, bidirectional=True, proj_size=7, cell=cells.recurrent_dropout(cells.peephole, 0.3), learn_initial_state=True
)
STEPS = ((io, "open"), (os, "open"), (os, "fsync"), (os, "replace"), (os, "close"))


def held(folder: Path) -> str:
    """Which of the two models a folder holds, whole."""
    found = content(load(LSTM, folder))
    (name,) = [name for name, model in (("old", OLD), ("new", NEW)) if found == content(model)]
    return name


def fail() -> None:
    raise OSError(errno.ENOSPC, "injected: no space left")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def interrupted(number: int, act: Callable[[], None], steps: tuple[tuple[Any, str], ...] = STEPS) -> Iterator[None]:
    """Act just before the call of that number, counting from 1, of any of these functions."""
    calls = itertools.count(1)

    def watched(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            if next(calls) == number:
                act()
            return function(*arguments, **named)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for module, name in steps:
            patch.setattr(module, name, watched(getattr(module, name)))
        yield


def half_saved(folder: Path, old: LSTM, new: LSTM) -> None:
    """As a save of `new` over `old` leaves it that ends after its first step."""
    save(old, folder)
    with interrupted(2, fail, ((os, "replace"),)), pytest.raises(OSError, match="injected"):
        save(new, folder)
    assert len(json.loads((folder / "config.json").read_bytes())["models"]) == 2


def forked(work: Callable[[], None]) -> int:
    """A process that does the work and nothing else; not even pytest learns of it."""
    process = os.fork()
    if process == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return process


def exit_code(process: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def save_for_ever(folder: Path, ready: int) -> None:
    for model in itertools.cycle((NEW, OLD)):
        os.write(ready, b".")
        save(model, folder)


@contextmanager
def saving(folder: Path) -> Iterator[Callable[[], bytes]]:
    """A process that keeps saving the two models in turn, until the block ends. Gives a function that waits until it begins another."""
    ready, write = os.pipe()
    process = forked(lambda: save_for_ever(folder, write))
    try:
        yield lambda: os.read(ready, 1)
    finally:
        os.kill(process, signal.SIGKILL)
        assert exit_code(process) == -signal.SIGKILL
        os.close(ready)
        os.close(write)


@pytest.mark.parametrize("cell", [*PLAIN, *DERIVED], ids=str)
def test_round_trip_of_every_cell(tmp_path: Path, cell: Cell) -> None:
    lstm = filled(3, 4, 2, bidirectional=True, cell=cell, learn_initial_state=True)
    save(lstm, tmp_path)
    loaded = load(LSTM, tmp_path)
    assert_same(loaded, lstm)
    assert loaded.training and all(parameter.requires_grad and parameter.is_leaf for parameter in loaded.parameters())
    assert names(tmp_path) == FILES


@pytest.mark.parametrize(
    "options",
    [
        {"bias": False},
        {"proj_size": 2},
        {"proj_size": 2, "bidirectional": True, "num_layers": 2, "learn_initial_state": True},
        {"proj_size": 1, "cell": cells.full_gate_recurrence(cells.peephole)},
        {"batch_first": True, "dropout": 0.5, "num_layers": 3},
        {"dropout": 1, "num_layers": 2},
        {"forget_bias": 1.0},
        {"forget_bias": -1, "cell": cells.layernorm_lstm},
        {"dtype": torch.float64},
        {"dtype": torch.float16},
        {"dtype": torch.bfloat16, "learn_initial_state": True},
    ],
    ids=str,
)
def test_round_trip_of_every_option(tmp_path: Path, options: dict[str, Any]) -> None:
    lstm = filled(2, 4, **options)
    save(lstm, str(tmp_path))
    loaded = load(LSTM, str(tmp_path))
    assert_same(loaded, lstm)
    assert repr(loaded) == repr(lstm)


def test_every_bit_of_every_value(tmp_path: Path) -> None:
    """Infinities, both zeros, subnormals, and NaN with its payload."""
    lstm = LSTM(1, 2)
    with torch.no_grad():
        patterns = torch.tensor([-(2**31), 0, 1, 0x7F800000, -0x800000, 0x7FC01234, -0x3EDCBB, 0x7F7FFFFF])
        lstm.get_parameter("bias_ih_l0").view(torch.int32).copy_(patterns)
    save(lstm, tmp_path)
    assert content(load(LSTM, tmp_path)) == content(lstm)


def test_tied_parameters_come_back_equal(tmp_path: Path) -> None:
    lstm = filled(4, 4, 2)
    lstm.weight_hh_l1 = lstm.weight_hh_l0
    lstm.bias_hh_l0 = lstm.bias_ih_l0
    save(lstm, tmp_path)
    loaded = load(LSTM, tmp_path)
    assert_same(loaded, lstm)
    assert loaded.weight_hh_l1 is not loaded.weight_hh_l0


def test_parameters_that_are_not_contiguous(tmp_path: Path) -> None:
    lstm = filled(3, 4)
    lstm.weight_ih_l0 = nn.Parameter(torch.randn(3, 16).t())
    lstm.weight_hh_l0 = nn.Parameter(torch.randn(16, 9)[:, 1::2])
    lstm.bias_hh_l0 = nn.Parameter(torch.randn(1).expand(16))
    save(lstm, tmp_path)
    assert content(load(LSTM, tmp_path)) == content(lstm)
    assert all(parameter.is_contiguous() for parameter in load(LSTM, tmp_path).parameters())


def test_saving_and_loading_change_nothing_else(tmp_path: Path) -> None:
    lstm = filled(3, 4, 2, dropout=0.5).eval()
    before, state, identities = content(lstm), torch.get_rng_state(), [id(one) for one in lstm.parameters()]
    save(lstm, tmp_path)
    first = {name: (tmp_path / name).read_bytes() for name in FILES}
    load(LSTM, tmp_path)
    assert content(lstm) == before and [id(one) for one in lstm.parameters()] == identities and not lstm.training
    assert torch.equal(torch.get_rng_state(), state)
    save(lstm, tmp_path)
    assert {name: (tmp_path / name).read_bytes() for name in FILES} == first


def test_loading_says_nothing_about_dropout(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="dropout option adds dropout"):
        lstm = LSTM(2, 3, dropout=0.5)
    save(lstm, tmp_path)
    assert load(LSTM, tmp_path).dropout == 0.5


def test_device(tmp_path: Path) -> None:
    lstm = filled(2, 3)
    save(lstm, tmp_path)
    assert load(LSTM, tmp_path, device="meta").weight_ih_l0.is_meta
    with torch.device("meta"):
        assert load(LSTM, tmp_path).weight_ih_l0.is_meta
        on_cpu = load(LSTM, tmp_path, device="cpu")
    assert_same(on_cpu, lstm)
    with pytest.raises(RuntimeError, match="nowhere"):
        load(LSTM, tmp_path, device="nowhere")


class Titled(LSTM):
    title = "a subclass"


class Fixed(LSTM):
    def __init__(self) -> None:
        super().__init__(2, 3)


def test_subclasses(tmp_path: Path) -> None:
    save(Titled(2, 3), tmp_path)
    assert type(load(Titled, tmp_path)) is Titled
    save(Fixed(), tmp_path)
    assert type(load(LSTM, tmp_path)) is LSTM
    with pytest.raises(LoadError, match=r"expected a model that Fixed\(cell=lstm\) can hold, got: .*argument 'input_size'"):
        load(Fixed, tmp_path)


def test_config_is_of_primitives_and_the_weights_have_torchs_names(tmp_path: Path) -> None:
    import safetensors.torch  # noqa: PLC0415

    lstm = filled(3, 4, 2, forget_bias=0.5, dtype=torch.float64, cell=cells.zoneout(cells.peephole))
    save(lstm, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    (model,) = config["models"]
    assert all(isinstance(value, int | float | str | None) for value in model.values())
    assert (model["cell"], model["dtype"], model["forget_bias"]) == ("zoneout(peephole, h=0.05, c=0.5)", "float64", 0.5)
    assert list(safetensors.torch.load_file(tmp_path / "model.safetensors")) == sorted(lstm.state_dict())
    for name in FILES:
        assert str(tmp_path).encode() not in (tmp_path / name).read_bytes()


@pytest.mark.parametrize("cell", [cells.peephole, cells.gru, OWN], ids=str)
def test_card_says_what_it_is_and_how_to_load_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cell: Cell) -> None:
    lstm = filled(3, 4, 2, bidirectional=True, batch_first=True, cell=cell)
    save(lstm, tmp_path)
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    _, front, body = text.split("---\n", 2)
    assert yaml.safe_load(front)["library_name"] == "byhand" and "license" not in yaml.safe_load(front)
    for said in (f"`{cell.name}`", cell.cite, "3 inputs, 4 hidden units, 2 layers in both directions", "float32"):
        assert said in body
    assert f"{sum(parameter.numel() for parameter in lstm.parameters()):,}" in body
    (example,) = re.findall("```python\n(.*?)```", body, flags=re.DOTALL)
    monkeypatch.chdir(tmp_path.parent)
    given = {"x": torch.ones(2, 5, 3), "your_cell": OWN}
    exec(example.replace("this-folder", tmp_path.name), given)
    assert bits(given["output"]) == bits(lstm(given["x"])[0])


def test_an_edited_card_is_kept_and_an_untouched_one_renewed(tmp_path: Path) -> None:
    card = tmp_path / "README.md"
    save(filled(2, 3), tmp_path)
    assert "2 → 3" in card.read_text(encoding="utf-8")
    save(filled(4, 5), tmp_path)
    assert "4 → 5" in card.read_text(encoding="utf-8")
    for words in (
        card.read_bytes().replace(b"# license: yours to choose, for instance mit", b"license: mit"),
        b"Mine.\xff",
        b"",
    ):
        card.write_bytes(words)
        save(filled(2, 3), tmp_path)
        assert card.read_bytes() == words
    assert_same(load(LSTM, tmp_path), filled(2, 3))


def test_import_is_light() -> None:
    check = "import sys, byhand.saving.pretrained; sys.exit('safetensors' in sys.modules)"
    assert (
        subprocess.run(
            [sys.executable, "-c", check],
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent / "src")},
            check=False,
        ).returncode
        == 0
    )


def test_every_name_is_found_again() -> None:
    """And of every cell derived from a derived one: each of them is equal to the cell of its name."""
    twice = [made for cell in DERIVED for made in made_from(cell)]
    for cell in (*PLAIN, *DERIVED, *twice):
        assert find(cell.name) == cell, cell.name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "mine",
        "my own cell",
        "Cell",
        "Noise('lstm', 0.5, True)",
        "no_input_gate",
        "no_input_gate(mine)",
        "no_input_gate(lstm, lstm)",
        "no_input_gate( lstm)",
        "no_input_gate(cell=lstm)",
        "no_input_gate(*lstm)",
        "zoneout(lstm, **lstm)",
        "zoneout(lstm)",
        "zoneout(lstm, h=0.5 * 1, c=0.5)",
        "zoneout(lstm, h='a', c=0.5)",
        "zoneout(lstm, h=2, c=0.5)",
        "lstm_1997_blocks(True)",
        "lstm.step",
        "cells.lstm",
        "(lambda: lstm)()",
        "__import__('os').abort()",
        "[lstm][0]",
        "lstm if abort() else lstm",
        "lstm\0",
        "ｌｓｔｍ",
        "\ud800",
        "-" * 200_000 + "1",
        "(" * 100_000,
        "zoneout(" * 100 + "lstm" + ", h=0.05, c=0.5)" * 100,
        "no_input_gate(" * 60_000 + "lstm" + ")" * 60_000,
    ],
    ids=lambda name: name[:24].encode("ascii", "replace").decode(),
)
def test_other_names_are_nobodys(name: str) -> None:
    assert find(name) is None


def test_a_cell_of_ones_own(tmp_path: Path) -> None:
    lstm = filled(2, 3, cell=OWN)
    save(lstm, tmp_path)
    assert_same(load(LSTM, tmp_path, cell=OWN), lstm)
    with pytest.raises(
        LoadError, match=r"out of byhand.cells, got one named 'mine': write from_pretrained\(folder, cell=\.\.\.\)"
    ):
        load(LSTM, tmp_path)
    with pytest.raises(LoadError, match="expected cell=mine, with which the model was saved, got cell=lstm"):
        load(LSTM, tmp_path, cell=cells.lstm)
    with pytest.raises(TypeError, match=r"write cell=cells\.zoneout\(cells\.lstm\)"):
        load(LSTM, tmp_path, cell=cells.zoneout)  # type: ignore[arg-type]
    with pytest.raises(LoadError, match=r"(?s)can hold, got: .*size mismatch for weight_ih_l0"):
        load(LSTM, tmp_path, cell=dataclasses.replace(cells.gru, name="mine"))


def test_a_known_cell_may_be_given_but_no_other(tmp_path: Path) -> None:
    lstm = filled(2, 3, cell=cells.peephole)
    save(lstm, tmp_path)
    assert_same(load(LSTM, tmp_path, cell=cells.peephole), lstm)
    for other in (cells.lstm, dataclasses.replace(cells.peephole, truncated=True)):
        with pytest.raises(LoadError, match=f"expected cell=peephole, with which the model was saved, got cell={other}"):
            load(LSTM, tmp_path, cell=other)


def parametrised(lstm: LSTM) -> None:
    nn.utils.parametrizations.weight_norm(lstm, "weight_hh_l0")


def pruned(lstm: LSTM) -> None:
    prune.random_unstructured(lstm, "weight_hh_l0", amount=0.5)


def reshaped(lstm: LSTM) -> None:
    lstm.weight_hh_l0 = nn.Parameter(torch.ones(12, 4))


def of_two_dtypes(lstm: LSTM) -> None:
    lstm.weight_hh_l0 = nn.Parameter(torch.ones(12, 3, dtype=torch.float64))


def with_more(lstm: LSTM) -> None:
    lstm.register_buffer("seen", torch.zeros(1))


def emptied(lstm: LSTM) -> None:
    lstm.to("meta")


def misnamed(lstm: LSTM) -> None:
    lstm.cell = dataclasses.replace(cells.lstm, truncated=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (parametrised, "weight_hh_l0: expected torch.float32 (12, 3), got none"),
        (parametrised, "torch.nn.utils.parametrize.remove_parametrizations(lstm, name)"),
        (pruned, "weight_hh_l0_mask: expected none, got torch.float32 (12, 3)"),
        (reshaped, "weight_hh_l0: expected torch.float32 (12, 3), got torch.float32 (12, 4)"),
        (of_two_dtypes, "weight_hh_l0: expected torch.float32 (12, 3), got torch.float64 (12, 3)"),
        (with_more, "seen: expected none, got torch.float32 (1,)"),
        (emptied, "expected parameters with values, got them on the meta device: load or initialise them first"),
        (misnamed, "expected a cell with a name of its own, got one named 'lstm' that is not byhand's"),
    ],
)
def test_what_would_not_come_back_is_not_saved(tmp_path: Path, change: Callable[[LSTM], None], message: str) -> None:
    folder, lstm = tmp_path / "new", LSTM(2, 3)
    change(lstm)
    with pytest.raises(ValueError, match=re.escape(message)):
        save(lstm, folder)
    assert not folder.exists()


def test_parametrised_and_set_right_again(tmp_path: Path) -> None:
    lstm = filled(2, 3)
    parametrised(lstm)
    nn.utils.parametrize.remove_parametrizations(lstm, "weight_hh_l0")
    save(lstm, tmp_path)
    assert content(load(LSTM, tmp_path)) == content(lstm)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_strangers_files_are_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b'{"model_type": "bert"}')
    with pytest.raises(
        FileExistsError, match=f"{re.escape(str(tmp_path))}: .*that byhand has not written.*name another folder"
    ):
        save(LSTM(2, 3), tmp_path)
    assert names(tmp_path) == [name] and (tmp_path / name).read_bytes() == b'{"model_type": "bert"}'


def test_a_damaged_save_may_be_saved_over(tmp_path: Path) -> None:
    lstm = filled(2, 3)
    for name in ("config.json", "model.safetensors"):
        save(filled(4, 5), tmp_path)
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:-1])
        save(lstm, tmp_path)
        assert_same(load(LSTM, tmp_path), lstm)


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors", ""])
def test_missing_files(tmp_path: Path, missing: str) -> None:
    folder = tmp_path / "model"
    save(LSTM(2, 3), folder)
    (folder / missing).rename(tmp_path / "away")
    expected = f"expected a folder that save_pretrained has written, got: .*No such file.*{missing or 'config.json'}.*save the model again"
    with pytest.raises(LoadError, match=expected):
        load(LSTM, folder)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "config.json").mkdir()
    for folder in (tmp_path, tmp_path / "config.json"):
        with pytest.raises(LoadError, match="expected a folder that save_pretrained has written"):
            load(LSTM, folder)


def test_damage_is_named(tmp_path: Path) -> None:
    save(LSTM(2, 3), tmp_path)
    config, weights = tmp_path / "config.json", tmp_path / "model.safetensors"
    good = weights.read_bytes()
    weights.write_bytes(good[:-1])
    found = (
        f"got {len(good) - 1} bytes with sha256 [0-9a-f]{{64}}, damaged or of another model: bring it back from a copy, or save"
    )
    with pytest.raises(LoadError, match=rf"model.safetensors: expected .* sha256 [0-9a-f]{{64}}, {found} the model again$"):
        load(LSTM, tmp_path)
    config.write_bytes(b'{"model_type": "bert"}')
    with pytest.raises(
        LoadError, match=r"config.json: expected .*, got 22 bytes that begin b'\{\"model_type\": \"bert', damaged or not"
    ):
        load(LSTM, tmp_path)


class Bomb:
    """What unpickling must never reach."""

    def __reduce__(self) -> tuple[Callable[[int], None], tuple[int]]:
        return os._exit, (13,)


def rewrite(path: Path, content: bytes) -> None:
    """As a new file: where one is cut to nothing and written again, some file systems wait for the disk."""
    path.unlink()
    path.write_bytes(content)


def mutated(rng: random.Random, good: bytes, foreign: list[bytes]) -> bytes:
    """Damage of one kind or another."""
    at, other = sorted((rng.randrange(len(good)), rng.randrange(len(good))))
    some = rng.randbytes(rng.randrange(1, 9))
    kinds: list[Callable[[], bytes]] = [
        lambda: good[:at] + bytes([good[at] ^ 1 << rng.randrange(8)]) + good[at + 1 :],
        lambda: good[:at] + some + good[at:],
        lambda: good[:at] + good[at + len(some) :],
        lambda: good[:at] + some + good[at + len(some) :],
        lambda: good[:at],
        lambda: good[at:],
        lambda: good[:at] + good[other:],
        lambda: good[other:] + good[at:other] + good[:at],
        lambda: good[:at] + good[at:other][::-1] + good[other:],
        lambda: good + some,
        lambda: good + good[at:],
        lambda: rng.randbytes(len(good)),
        lambda: bytes(len(good)),
        lambda: good.replace(
            rng.choice([b"0", b"1", b" ", b"\n", b"e", b'"']), rng.choice([b"", b"2", b"  "]), rng.randrange(1, 5)
        ),
        lambda: rng.choice(foreign),
    ]
    return rng.choice(kinds)()


@pytest.mark.parametrize("half", [False, True], ids=["saved", "half saved"])
def test_ten_thousand_damaged_files_are_refused(tmp_path: Path, half: bool) -> None:
    """Five thousand in each state; never another error, never a model."""
    folder, stranger = tmp_path / "model", tmp_path / "stranger"
    model, similar = filled(1, 1), filled(1, 1, batch_first=True)
    half_saved(folder, model, filled(1, 2)) if half else save(model, folder)
    save(similar, stranger)  # the same values: only the description differs
    good = {name: (folder / name).read_bytes() for name in ("config.json", "model.safetensors")}
    foreign = [(stranger / name).read_bytes() for name in good] + [b"", b"null", b"[]", b"{}", b'{"models": 3}', b"[" * 100_000]
    foreign += [
        *good.values(),
        pickle.dumps(Bomb()),
        json.dumps(json.loads(good["config.json"])).encode(),
        b'{"models": [NaN]}',
    ]
    rng, refused = random.Random(f"damage {half}"), 0
    while refused < 5000:
        name = rng.choice(list(good))
        damaged = mutated(rng, good[name], foreign)
        if damaged == good[name]:
            continue
        rewrite(folder / name, damaged)
        with pytest.raises(LoadError, match=re.escape(name)):
            load(LSTM, folder)
        rewrite(folder / name, good[name])
        refused += 1
    assert_same(load(LSTM, folder), model)


def test_swapped_files_are_refused(tmp_path: Path) -> None:
    folder, stranger = tmp_path / "model", tmp_path / "stranger"
    save(filled(1, 1), folder)
    save(filled(1, 1, batch_first=True), stranger)
    good = [(folder / name).read_bytes() for name in ("config.json", "model.safetensors")]
    others = [(stranger / name).read_bytes() for name in ("config.json", "model.safetensors")]
    for config, weights in ((good[1], good[0]), (good[0], others[1]), (others[0], good[1])):
        (folder / "config.json").write_bytes(config)
        (folder / "model.safetensors").write_bytes(weights)
        with pytest.raises(LoadError):
            load(LSTM, folder)


@pytest.mark.parametrize(
    "change",
    [
        {"hidden_size": 2},
        {"hidden_size": "2"},
        {"hidden_size": 10**400},
        {"hidden_size": 10**30},
        {"bias": None},
        {"dtype": "nn"},
        {"dtype": "nothing"},
        {"dtype": 3},
        {"cell": "gru"},
        {"cell": "__import__('os')._exit(13)"},
        {"cell": ["lstm"]},
        {"cell": None},
        {"weights_sha256": None},
        {"further": 1},
    ],
    ids=str,
)
def test_a_forged_description_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    """Even one whose own sha256 is right."""
    save(LSTM(1, 1), tmp_path)
    config = tmp_path / "config.json"
    (model,) = json.loads(config.read_bytes())["models"]
    config.write_bytes(model_folder.render(model | change))
    with pytest.raises(LoadError):
        load(LSTM, tmp_path)


forks = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*:DeprecationWarning")


def test_an_error_at_any_step_loses_nothing(tmp_path: Path) -> None:
    after: list[str] = []
    for number in itertools.count(1):
        save(OLD, tmp_path)
        try:
            with interrupted(number, fail):
                save(NEW, tmp_path)
        except OSError as error:
            assert str(error).startswith(f"[Errno 28] {tmp_path}: expected a folder to save into, got: injected: no space left")  # noqa: PT017
        else:
            break
        assert names(tmp_path) == FILES
        after.append(held(tmp_path))
    assert held(tmp_path) == "new"
    assert after == sorted(after, reverse=True) and after.count("old") > 15 and after.count("new") > 5


@pytest.mark.parametrize("half", [False, True], ids=["over a save", "over half a save"])
@forks
def test_a_kill_before_any_step_loses_nothing(tmp_path: Path, half: bool) -> None:
    after: list[str] = []
    littered = 0
    for number in itertools.count(1):
        half_saved(tmp_path, OLD, NEW) if half else save(OLD, tmp_path)
        assert names(tmp_path) == FILES

        def work(number: int = number) -> None:
            with interrupted(number, die):
                save(NEW, tmp_path)

        code = exit_code(forked(work))
        after.append(held(tmp_path))
        littered += names(tmp_path) != FILES
        if code == 0:
            break
        assert code == -signal.SIGKILL
    assert after == sorted(after, reverse=True) and after.count("old") > 15 and after.count("new") > 5
    assert littered > 15


@forks
def test_a_hundred_kills_at_any_moment_lose_nothing(tmp_path: Path) -> None:
    rng, found, littered, begun = random.Random(0), [], 0, time.perf_counter()
    for _ in range(10):
        save(OLD, tmp_path)
    one_save = (time.perf_counter() - begun) / 10
    for number in range(100):
        with saving(tmp_path) as wait_for_next:
            for _ in range(1 + number % 3):
                wait_for_next()
            time.sleep(rng.uniform(0, one_save))
        found.append(held(tmp_path))
        littered += names(tmp_path) != FILES
    assert set(found) == {"old", "new"} and littered
    save(NEW, tmp_path)
    assert held(tmp_path) == "new" and names(tmp_path) == FILES


@forks
def test_loading_while_another_process_saves(tmp_path: Path) -> None:
    save(OLD, tmp_path)
    found = set()
    with saving(tmp_path) as wait_for_next:
        for _ in range(40):
            wait_for_next()
            found |= {held(tmp_path) for _ in range(10)}
    assert found == {"old", "new"}


def test_a_full_disk_changes_nothing(tmp_path: Path) -> None:
    """The kernel itself cuts the writing short, at every size that is too small."""
    save(OLD, tmp_path)
    before = {name: (tmp_path / name).read_bytes() for name in FILES}
    save(NEW, tmp_path / "elsewhere")
    needed = (tmp_path / "elsewhere/model.safetensors").stat().st_size
    shutil.rmtree(tmp_path / "elsewhere")
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    for limit in (0, 1, 100, 500, 1000, 2000, needed // 2, needed - 1):
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, usual[1]))
            with pytest.raises(OSError, match="expected a folder to save into, got: File too large") as caught:
                save(NEW, tmp_path)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, usual)
        assert caught.value.errno == errno.EFBIG
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert held(tmp_path) == "old"


def test_a_first_save_that_fails_may_be_repeated(tmp_path: Path) -> None:
    number = 0
    for number in itertools.count(1):
        folder = tmp_path / str(number) / "deep" / "down"
        try:
            with interrupted(number, fail):
                save(NEW, folder)
        except OSError:
            save(NEW, folder)
        else:
            break
        assert held(folder) == "new" and names(folder) == FILES
    assert number > 15


def test_folders_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    for folder, reason in ((tmp_path / "file", "File exists"), (tmp_path / "file/below", "Not a directory")):
        with pytest.raises(OSError, match=f"{re.escape(str(folder))}: expected a folder to save into, got: {reason}"):
            save(OLD, folder)
    assert (tmp_path / "file").read_bytes() == b"mine"


def test_every_step_is_on_the_disk_before_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a power cut would tell: content is synced before it gets its name, and the name before the next one changes."""
    save(OLD, tmp_path)
    synced, replaced = set(), []
    folder, fsync, replace = tmp_path.stat().st_ino, os.fsync, os.replace

    def watched_fsync(descriptor: int) -> None:
        fsync(descriptor)
        synced.add(os.fstat(descriptor).st_ino)

    def watched_replace(source: Path, target: Path) -> None:
        assert source.parent == target.parent and source.stat().st_ino in synced
        assert folder in synced or not replaced
        replace(source, target)
        synced.discard(folder)
        replaced.append(target.name)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(os, "replace", watched_replace)
    save(NEW, tmp_path)
    assert replaced == ["config.json", "model.safetensors", "config.json", "README.md"] and folder in synced


def test_leftovers_do_not_disturb(tmp_path: Path) -> None:
    save(OLD, tmp_path)
    for name in ("0-config.json", "1-model.safetensors", "9-anything"):
        (tmp_path / f".saving-{name}").write_bytes(b"half of it")
    assert held(tmp_path) == "old"
    save(NEW, tmp_path)
    assert held(tmp_path) == "new" and names(tmp_path) == FILES
