"""ONNX files that are damaged or forged: LoadError alone, bounded memory, nothing outside their folder is read."""

from __future__ import annotations

import os
import random
from pathlib import Path

import onnx
import pytest
import torch
from damage import ROOM, STATUS, peak
from onnx_graphs import COMPUTED, IF, LOOP, PLAIN, SCAN, graph
from onnx_mutants import mutant

import byhand
from byhand import LoadError

MODELS = {"plain": PLAIN, "if": IF, "loop": LOOP, "scan": SCAN, "computed": COMPUTED}
COUNT = 70  # of each kind and model: 700 in all
FEEDS = {
    "x": torch.randn(7, 2, 3),
    "h": torch.zeros(1, 2, 4),
    "c": torch.zeros(1, 2, 4),
    "lens": torch.tensor([7, 4], dtype=torch.int32),
    "go": torch.tensor(True),
}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in").mkdir()
    monkeypatch.chdir(tmp_path / "in")
    Path("../outside.bin").write_bytes(b"1" * 10000)
    Path("inside.bin").write_bytes(bytes(10000))
    Path("link.bin").symlink_to("../outside.bin")


def opened_or_refused(data: bytes) -> bool:
    """Whether a file opens. One that does is run: it then says what is wrong, or gives outputs."""
    Path("model.onnx").write_bytes(data)
    model, said = None, ""
    try:
        model = byhand.open_onnx("model.onnx")
    except LoadError as problem:
        said = str(problem)
    if model is None:
        assert said.startswith("model.onnx: ")
        return False
    try:
        with byhand.use_engine("reference"):
            model({one.name: FEEDS[one.name] for one in model.inputs if one.name in FEEDS})
    except (ValueError, TypeError, RuntimeError):  # LoadError among them
        pass
    return True


def bits(good: bytes, draw: random.Random) -> bytes:
    """Cut short, or with a few bits the other way round."""
    data = bytearray(good)
    if draw.random() < 0.3:
        return bytes(data[: draw.randrange(len(data))])
    for _ in range(draw.choice([1, 1, 2, 5, 20])):
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    return bytes(data)


@pytest.mark.skipif(not STATUS.exists(), reason="the memory of a process is read from /proc")
@pytest.mark.parametrize("name", MODELS)
def test_damaged_and_forged_files(name: str) -> None:
    good, draw = graph(MODELS[name]), random.Random(name)
    assert opened_or_refused(good.SerializeToString())
    found: list[bool] = []

    def all_of_them() -> None:
        found.extend(opened_or_refused(bits(good.SerializeToString(), draw)) for _ in range(COUNT))
        found.extend(opened_or_refused(mutant(good, draw)) for _ in range(COUNT))

    memory = peak(all_of_them)
    assert memory < ROOM
    assert COUNT < found.count(False) < 2 * COUNT  # some bits are of no account


@pytest.mark.parametrize("place", ["../outside.bin", "link.bin", "inside.bin/../../outside.bin", "", "..", "."])
def test_numbers_outside_the_folder_are_not_read(place: str) -> None:
    model = graph(PLAIN)
    one = model.graph.initializer[0]
    one.ClearField("raw_data")
    one.data_location = onnx.TensorProto.EXTERNAL
    one.external_data.add(key="location", value=place)
    Path("model.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(LoadError, match=r"the model's own folder|beside it"):
        byhand.open_onnx("model.onnx")
    one.external_data[0].value = str(Path("inside.bin").resolve())
    Path("model.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(LoadError, match="the model's own folder"):
        byhand.open_onnx("model.onnx")


def test_numbers_in_the_folder_are_read() -> None:
    model = graph(PLAIN)
    onnx.save(model, "whole.onnx")
    onnx.save(model, "parted.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
    whole, parted = byhand.open_onnx("whole.onnx"), byhand.open_onnx("parted.onnx")
    feeds = {"x": FEEDS["x"], "lens": FEEDS["lens"]}
    assert all(torch.equal(value, parted(feeds)[name]) for name, value in whole(feeds).items()) and parted.certificate.ok
    assert all(torch.equal(value, parted.state_dict()[name]) for name, value in whole.state_dict().items())
    Path("weights.bin").write_bytes(Path("weights.bin").read_bytes()[:-300])
    with pytest.raises(LoadError, match=r"expected [\d,]+ bytes in weights.bin, got"):
        byhand.open_onnx("parted.onnx")
    with pytest.raises(LoadError, match="expected at most 100 bytes"):
        byhand.open_onnx("whole.onnx", most=100)


@pytest.mark.parametrize("what", ["missing", "folder", "empty", "text", "pipe"])
def test_what_is_no_model(what: str) -> None:
    path = Path("model.onnx")
    if what == "folder":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    elif what != "missing":
        path.write_text("" if what == "empty" else "a text that is none")
    with pytest.raises(LoadError, match=r"model.onnx: expected an ONNX model, got"):
        byhand.open_onnx(path)
