"""Weights of others out of files that are damaged or forged: a LoadError or, where the damage is in a number without a checksum, a layer.

Nothing in a file is run, and reading takes no more memory than a few times the file.
"""

import io
import os
import pickle
import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import safetensors.torch
import torch
from damage import ROOM, damaged, peak, plain

import byhand
from byhand import LoadError, load_weights
from byhand.interop.hdf5 import Group, read_hdf5
from byhand.interop.npz import read_npz

COUNT = 320  # damaged files of each kind; tests/support/many_damaged_files.py has the same for byhand's own
SEALED = ("model.keras", "weights.npz", "weights.pt")  # have checksums: what is read is as it was written

os.environ.setdefault("KERAS_BACKEND", "torch")
import keras  # noqa: E402 (the backend is chosen before)

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*holds weights of .* without a description"),
    pytest.mark.filterwarnings("ignore:.*options that are not known here"),
]


def whole(folder: Path, name: str) -> Path:
    """A file with one recurrent layer."""
    path = folder / name
    state = byhand.LSTM(3, 5, bidirectional=True).state_dict()
    if name in ("model.keras", "model.weights.h5", "model.h5"):
        both = keras.layers.Bidirectional(keras.layers.LSTM(5, return_sequences=True))
        model = keras.Sequential([keras.Input((None, 3)), both])
        model.save_weights(path) if name == "model.weights.h5" else model.save(path)
    elif name == "weights.npz":
        np.savez(path, **{key: value.numpy() for key, value in state.items()})
    elif name == "weights.pt":
        torch.save(state, path)
    else:
        safetensors.torch.save_file(state, path)
    return path


KINDS = ("model.keras", "model.weights.h5", "model.h5", "weights.npz", "weights.pt", "weights.safetensors")


def outcomes(path: Path, good: bytes) -> tuple[int, int]:
    """How many damaged files are refused, and how many read."""
    expected, found = plain(load_weights(path).state_dict()), [0, 0]
    for content in damaged(good, COUNT, path.name):
        path.write_bytes(content)
        try:
            layer = load_weights(path)
        except LoadError:
            found[0] += 1
            continue
        found[1] += 1
        assert layer.input_size * layer.hidden_size <= len(good)
        if path.name in SEALED:
            assert plain(layer.state_dict()) == expected
    return found[0], found[1]


@pytest.mark.parametrize("name", KINDS)
def test_a_damaged_file_is_refused_or_read_as_it_is(name: str, tmp_path: Path) -> None:
    path = whole(tmp_path, name)
    good, found, begun = path.read_bytes(), list[tuple[int, int]](), time.monotonic()
    memory = peak(lambda: found.append(outcomes(path, good)))
    refused, read = found[0]
    assert refused + read == COUNT and refused >= COUNT // 2  # all that are cut short, at the least
    assert memory < 4 * len(good) + ROOM and time.monotonic() - begun < 120


def forged(folder: Path, name: str, content: bytes) -> Path:
    (folder / name).write_bytes(content)
    return folder / name


def archive(records: dict[str, bytes], kind: int = zipfile.ZIP_STORED) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", kind) as made:
        for name, content in records.items():
            made.writestr(name, content)
    return held.getvalue()


def npy(shape: str, numbers: bytes = b"", kind: str = "'<f4'") -> bytes:
    """One array as numpy writes it, whose description says what it likes."""
    text = f"{{'descr': {kind}, 'fortran_order': False, 'shape': {shape}, }}".encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + numbers


class Marks:
    """What a pickle would do when it is read."""

    def __reduce__(self) -> Any:
        return (Path.touch, (Path("executed"),))


def bomb() -> bytes:
    """20 kB that claim to be 20 MB."""
    return archive({"weight_ih_l0.npy": npy("(5000000,)", bytes(20_000_000))}, zipfile.ZIP_DEFLATED)


FORGED: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "sizes without numbers": ("a.npz", lambda: archive({"w.npy": npy("(1000000, 1000000)")}), "where its shape"),
    "a negative size": ("a.npz", lambda: archive({"w.npy": npy("(-4, 3)")}), "whose description cannot be read"),
    "a size that is text": ("a.npz", lambda: archive({"w.npy": npy("('4',)")}), "whose description cannot be read"),
    "a shape that is code": (
        "a.npz",
        lambda: archive({"w.npy": npy("__import__('os').getcwd()")}),
        "description cannot be read",
    ),
    "a long description": ("a.npz", lambda: archive({"w.npy": npy("(" * 20_000)}), "cut short or too long"),
    "deep description": ("a.npz", lambda: archive({"w.npy": npy("(" * 5_000)}), "description cannot be read"),
    "records of an array": (
        "a.npz",
        lambda: archive({"w.npy": npy("(3,)", bytes(24), "[('a', '<f8')]")}),
        "an array of records",
    ),
    "a pickle as an array": (
        "a.npz",
        lambda: archive({"w.npy": npy("(1,)", pickle.dumps(Marks()), "'|O'")}),
        "only a pickle can hold",
    ),
    "a pickle alone": ("a.npz", lambda: archive({"w.npy": pickle.dumps(Marks())}), "which is no array of numpy's"),
    "a zip bomb": ("a.npz", bomb, "whose records claim"),
    "a zip bomb of Keras": (
        "a.keras",
        lambda: archive({"config.json": b"{}", "model.weights.h5": bytes(30_000_000)}, zipfile.ZIP_DEFLATED),
        "whose records claim",
    ),
    "no weights": ("a.keras", lambda: archive({"config.json": b"{}"}), "a zip archive without model.weights.h5"),
    "no HDF5": ("a.keras", lambda: archive({"config.json": b"{}", "model.weights.h5": b"no"}), "a file that is no HDF5 file"),
    "no JSON": (
        "a.keras",
        lambda: archive({"config.json": b"{", "model.weights.h5": b"no"}),
        "expected a file that Keras has written",
    ),
    "deep JSON": (
        "a.keras",
        lambda: archive({"config.json": b"[" * 10**6, "model.weights.h5": b""}),
        "expected a file that Keras",
    ),
    "text": ("a.h5", lambda: b"text", "a file that is no HDF5 file"),
    "a pickle of torch": ("a.pt", lambda: saved(Marks()), "a file that holds more than numbers and words"),
    "a safetensors that claims": (
        "a.safetensors",
        lambda: safetensors_of('{"weight_ih_l0":{"dtype":"F32","shape":[1000000,1000000],"data_offsets":[0,4000000000000]}}'),
        "got one that is damaged",
    ),
}


def saved(value: Any) -> bytes:
    held = io.BytesIO()
    torch.save(value, held)
    return held.getvalue()


def safetensors_of(header: str) -> bytes:
    return struct.pack("<Q", len(header)) + header.encode()


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_file_is_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file, make, message = FORGED[name]
    path = forged(tmp_path, file, make())

    def read() -> None:
        with pytest.raises(LoadError) as caught:
            load_weights(path)
        assert message in str(caught.value) and str(path) in str(caught.value)

    assert peak(read) < ROOM
    assert not Path("executed").exists()


HDF5: dict[str, tuple[Callable[[h5py.File, Path], Any], str]] = {
    "a link to another file": (
        lambda file, _: file.__setitem__("x", h5py.ExternalLink("other.h5", "/w")),
        "of a newer form than Keras",
    ),
    "a link to another place": (
        lambda file, _: file.__setitem__("x", h5py.SoftLink("/layers")),
        "a link, 'x', to another place",
    ),
    "compressed numbers": (lambda file, _: file.create_dataset("x", data=np.ones(99), compression="gzip"), "'x' is in chunks"),
    "chunks": (lambda file, _: file.create_dataset("x", data=np.ones(99), chunks=(10,)), "'x' is in chunks"),
    "numbers in another file": (
        lambda file, at: file.create_dataset("x", (9,), "f8", external=[(at / "other.bin", 0, 72)]),
        "'x' is in chunks, compressed, or in another file",
    ),
    "numbers that are not there": (
        lambda file, _: file.create_dataset("x", (10**9,), "f8"),
        "'x' claims more bytes than the file has",
    ),
    "few numbers that are not there": (
        lambda file, _: file.create_dataset("x", (10,), "f8"),
        "not the numbers that its shape asks",
    ),
    "a group in itself": (lambda file, _: file["layers"].__setitem__("x", file["layers"]), "whose parts are in each other"),
    "the root in a group": (lambda file, _: file["layers"].__setitem__("x", file["/"]), "whose parts are in each other"),
    "groups without end": (lambda file, _: file.create_group("/".join("x" * 60)), "too many groups in each other"),
}


@pytest.mark.parametrize("name", HDF5)
def test_what_an_hdf5_file_can_do_besides_is_refused(name: str, tmp_path: Path) -> None:
    change, message = HDF5[name]
    (tmp_path / "other.bin").write_bytes(bytes(72))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_group("layers")
        change(file, tmp_path)
    with pytest.raises(LoadError, match=message):
        read_hdf5((tmp_path / "a.h5").read_bytes())
    with pytest.raises(LoadError, match=r"a\.h5: expected a file that Keras has written"):
        load_weights(tmp_path / "a.h5")


@pytest.mark.parametrize("how", ["latest", "v108"])
def test_a_newer_form_is_refused(how: Any, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w", libver=how) as file:
        file["x"] = np.ones(3)
    with pytest.raises(LoadError, match="an HDF5 file of a newer form than Keras writes"):
        load_weights(tmp_path / "a.h5")


def test_what_h5py_writes_is_read_to_the_bit() -> None:
    """Groups with many members, which lie in several nodes; texts of both kinds; numbers of every dtype and byte order."""
    rng, held = np.random.default_rng(0), io.BytesIO()
    kinds = ("<f2", "<f4", "<f8", ">f4", ">f8")
    with h5py.File(held, "w") as file:
        file.attrs["text"], file.attrs["bytes"], file.attrs["long"] = "wörds", b"bytes", "x" * 100_000
        file.attrs["number"], file.attrs["list"] = 3, ["a", "b"]
        for number in range(300):
            group = file.create_group(f"group_{number}")
            group.attrs["name"] = f"näme_{number}"
            group.create_dataset("numbers", data=rng.normal(size=(number % 5, 3)).astype(kinds[number % 5]))
        file.create_dataset("scalar", data=1.5)
        file.create_dataset("whole", data=np.arange(3))
        half = file.create_dataset("half", data=np.array([0x3F80, 0xC000], "uint16").view("V2"))
        half.attrs["dtype"] = "bfloat16"
    found = read_hdf5(held.getvalue())
    assert found.attributes == {"text": "wörds", "bytes": "bytes", "long": "x" * 100_000}
    assert found.arrays["scalar"].item() == 1.5 and set(found.arrays) == {"scalar", "half"}
    assert found.arrays["half"].dtype == torch.bfloat16 and found.arrays["half"].tolist() == [1.0, -2.0]
    with h5py.File(held, "r") as file:
        assert len(found.groups) == 300
        for name, group in found.groups.items():
            expected = file[name]["numbers"][()]
            assert group.arrays["numbers"].numpy().tobytes() == expected.astype(expected.dtype.newbyteorder("<")).tobytes(), (
                name
            )
            assert group.attributes == dict(file[name].attrs) and isinstance(group, Group)


def test_a_zip_archive_with_two_records_of_one_name(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as made:
        made.writestr("w.npy", npy("(1,)", bytes(4)))
        with pytest.warns(UserWarning, match="Duplicate name"):
            made.writestr("w.npy", npy("(1,)", bytes(4)))
    with pytest.raises(LoadError, match="two records called"):
        read_npz(tmp_path / "a.npz")
