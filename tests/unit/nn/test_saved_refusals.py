"""What is not saved because it would not come back, and what is not loaded because it is damaged or forged."""

import dataclasses
import json
import os
import pickle
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import saved_models
import torch
from saved_models import (
    assert_same,
    content,
    filled,
    half_saved,
    load,
    names,
    save,
)
from torch import nn
from torch.nn.utils import prune

from byhand import LSTM, cells
from byhand.errors import LoadError
from byhand.nn.pretrained import folder as model_folder

one_engine = saved_models.one_engine


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
