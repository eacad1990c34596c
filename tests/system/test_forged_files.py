"""Forged files, whose checksums are right: nothing is imported for them, no memory taken by their word; what is no file is not read."""

import dataclasses
import json
import os
import re
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from commands import said
from damage import DATA, ROOM, STATUS, kept, peak, written

from byhand import LSTM, LoadError, Trace, cells
from byhand.__main__ import main
from byhand.explorer.load.checkpoint import read as read_weights
from byhand.files.archive import read_archive
from byhand.nn.pretrained import folder as model_folder
from byhand.nn.snapshots import Snapshots
from byhand.train import SequenceModel
from byhand.train.cli.resume import read_kept

MARK = "from pathlib import Path\nfrom byhand import cells\nPath('marked').touch()\ncell = cells.peephole\n"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["byhand"])


FORGED: list[tuple[dict[str, Any], str]] = [
    ({"hidden_size": 6000}, r"'lstm.weight_ih_l0': \(8, 2\), where its settings make \(24000, 2\)"),
    ({"hidden_size": 10**9}, "settings that make no model: Storage size calculation overflowed"),
    ({"num_layers": 10**8}, "settings that make no model: num_layers 100000000, with 6 tensors"),
    ({"form": {"input_size": 10**8, "output_size": 1, "goal": "regression"}}, r"where its settings make \(8, 100000000\)"),
    ({"form": {"input_size": 2, "output_size": 10**8, "goal": "regression"}}, r"where its settings make \(100000000, 2\)"),
    ({"bidirectional": True}, "'lstm.weight_ih_l0_reverse': none, where"),
    ({"cell": "lstn"}, "settings that make no model: expected a cell out of"),
    ({"cell": ["lstm"]}, "settings that make no model"),
    ({"hidden_size": "two"}, "settings that make no model"),
    ({"_instantiator": "mark.cell"}, "settings that make no model: .*_instantiator"),
    ({"_class_path": "mark.cell"}, "settings that make no model: .*_class_path"),
    ({"form": 3}, "settings that make no model"),
]


@pytest.mark.skipif(not STATUS.exists(), reason="only Linux says what is in memory")
@pytest.mark.parametrize(("settings", "message"), FORGED, ids=lambda one: str(one)[:40])
def test_sizes_that_a_checkpoint_declares_are_compared_before_they_are_built(settings: dict[str, Any], message: str) -> None:
    Path("mark.py").write_text(MARK)
    path = written(kept(**settings))

    def refuse() -> None:
        for read in (
            lambda: read_kept(str(path), None),
            lambda: SequenceModel.load_from_checkpoint(path),
            lambda: main(["explore", str(path), "--save", "page.html"]),
        ):
            try:
                assert read() == 2
            except LoadError as problem:
                messages.append(str(problem))

    messages = list[str]()
    assert peak(refuse) < 2 * path.stat().st_size + ROOM
    for one in messages:
        assert re.search(message, one), one
    assert len(messages) == 2 and not Path("marked").exists()


def claims() -> dict[str, Any]:
    """State dicts whose tensors claim more than there is in the file."""
    one = torch.ones(1)
    return {
        "the same number over and over": {"weight_ih_l0": one.expand(40_000, 30_000)},
        "without numbers": {"weight_ih_l0": torch.empty(40_000, 30_000, device="meta")},
        "sparse": {"weight_ih_l0": torch.sparse_coo_tensor(torch.tensor([[0], [0]]), one, (40_000, 30_000))},
        "bytes by their count": {"weight_ih_l0": bytearray(8)},
    }


@pytest.mark.parametrize("kind", ["the same number over and over", "without numbers", "sparse", "bytes by their count"])
@pytest.mark.filterwarnings("ignore:Sparse")
def test_tensors_that_claim_more_than_the_file_has(kind: str) -> None:
    with pytest.raises(LoadError, match=r"a file (whose tensors claim|that holds more than numbers and words)"):
        read_archive(written(claims()[kind]))


def test_a_record_is_never_read_past_its_end() -> None:
    """A pickle that says that there are a million numbers where there are 1000, its checksum right."""
    path = written({"a": torch.ones(1000), "b": torch.zeros(3)})
    with zipfile.ZipFile(path) as archive:
        records = {record.filename: archive.read(record) for record in archive.infolist()}
    (pickled,) = [name for name in records if name.endswith("data.pkl")]
    assert records[pickled].count((1000).to_bytes(2, "little")) >= 2
    records[pickled] = records[pickled].replace(b"M\xe8\x03", b"J\x40\x42\x0f\x00")  # BININT2 1000, BININT 1000000
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in records.items():
            archive.writestr(name, content)
    with pytest.raises(LoadError, match=r"a file (that is damaged|whose tensors claim)"):
        read_archive(path)


def test_a_state_dict_of_many_layers_that_are_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    state = torch.nn.LSTM(2, 3).state_dict()
    for name in ("weight_ih_l99999999", "weight_ih_l7"):
        written(state | {name: torch.ones(1)}, "forged.pt")
        assert main(["explore", "forged.pt", "--save", "page.html"]) == 2
        assert (
            "expected the layer to have the parameters of an LSTM, GRU or RNN as torch lays them out, got"
            in capsys.readouterr().err
        )


COMMANDS = ("validate", "test", "predict", "fit")


def test_a_cell_that_only_the_file_names_is_not_imported(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mark.py").write_text(MARK)
    path = str(written(kept(cell="mark:cell"), "own.ckpt"))
    why = "a model of the cell 'mark:cell', whose module is imported only if you name it too: "
    for command in COMMANDS:
        assert said(capsys, command, *DATA, "--ckpt_path", path).endswith(f"{why}--model.cell mark:cell\n")
    assert main(["explore", path, "--save", "page.html"]) == 2
    assert capsys.readouterr().err.endswith(f"{why}--cell mark:cell\n")
    with pytest.raises(LoadError, match=r'you name it too: SequenceModel.load_from_checkpoint\(path, cell="mark:cell"\)'):
        SequenceModel.load_from_checkpoint(path)
    assert not Path("marked").exists() and "mark" not in sys.modules


def test_a_cell_that_is_typed_too_is_imported(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.syspath_prepend(str(Path.cwd()))
    Path("typed_mark.py").write_text(MARK)
    torch.manual_seed(1)
    settings = kept(cell="typed_mark:cell")["hyper_parameters"]
    content = kept(cell="typed_mark:cell") | {"state_dict": SequenceModel(**settings).state_dict()}
    path = str(written(content, "own.ckpt"))
    assert SequenceModel.load_from_checkpoint(path, cell="typed_mark:cell").lstm.cell is cells.peephole
    assert main(["explore", path, "--cell", "typed_mark:cell", "--input", "x.csv", "--save", "page.html"]) == 2
    assert "x.csv: expected an input file" in capsys.readouterr().err  # the model was there
    assert main(["test", *DATA, "--model.cell", "typed_mark:cell", "--ckpt_path", path]) == 0
    assert "the model" in capsys.readouterr().out
    Path("own.yaml").write_text("model: {cell: typed_mark:cell}\n")  # a configuration is a program: it says so for the user
    assert main(["test", "--config", "own.yaml", *DATA, "--ckpt_path", path]) == 0
    del sys.modules["typed_mark"]


def test_model_folders_have_nothing_imported(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path.cwd()))
    Path("folder_mark.py").write_text(
        MARK.replace(
            "cell = cells.peephole", "import dataclasses\ncell = dataclasses.replace(cells.lstm, name='folder_mark:cell')"
        )
    )
    own = dataclasses.replace(cells.lstm, name="folder_mark:cell")
    LSTM(1, 2, cell=own).save_pretrained("own")
    assert main(["explore", "own", "--save", "page.html"]) == 2
    assert "got one named 'folder_mark:cell'" in (error := capsys.readouterr().err) and "byhand explore FOLDER --cell" in error
    assert not Path("marked").exists()
    Path("x.csv").write_text("1\n2\n")
    assert main(["explore", "own", "--cell", "nowhere:cell", "--save", "page.html"]) == 2
    assert "expected a module that can be imported, got ModuleNotFoundError" in capsys.readouterr().err
    assert main(["explore", "own", "--cell", "lsmt", "--save", "page.html"]) == 2
    assert "--cell: expected module:name of your own cell, or one of byhand.cells; got 'lsmt'" in capsys.readouterr().err
    written(torch.nn.LSTM(1, 2).state_dict(), "plain.pt")
    assert main(["explore", "plain.pt", "--cell", "lstm", "--save", "page.html"]) == 2
    assert "--cell: expected a checkpoint of byhand fit or a folder of save_pretrained" in capsys.readouterr().err


def forge(folder: Path, tensors: dict[str, torch.Tensor] | None = None, **changes: Any) -> None:
    """Its description changed, and its values, with checksums that are right."""
    (model,) = json.loads((folder / "config.json").read_bytes())["models"]
    if tensors is not None:
        content = safetensors.torch.save(tensors)
        (folder / "model.safetensors").write_bytes(content)
        changes |= {"weights_sha256": model_folder.digest(content)}
    (folder / "config.json").write_bytes(model_folder.render(model | changes))


@pytest.mark.skipif(not STATUS.exists(), reason="only Linux says what is in memory")
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_layers": 10**8}, "got: 100000000 layers with 4 tensors"),
        (
            {"hidden_size": 10**5},
            r"weight_ih_l0 is torch.float32 \(8, 1\) in model.safetensors, torch.float32 \(400000, 1\) by its",
        ),
        ({"dtype": "float64"}, r"weight_ih_l0 is torch.float32 \(8, 1\) in model.safetensors, torch.float64 \(8, 1\) by its"),
        ({"dtype": "int64"}, "can hold, got: "),
    ],
    ids=str,
)
def test_a_description_that_is_not_that_of_the_values(changes: dict[str, Any], message: str) -> None:
    LSTM(1, 2).save_pretrained("model")
    forge(Path("model"), **changes)

    def refuse() -> None:
        with pytest.raises(LoadError, match=message):
            LSTM.from_pretrained("model")

    assert peak(refuse) < ROOM


def test_values_of_another_dtype_than_the_description_says() -> None:
    lstm = LSTM(1, 2)
    lstm.save_pretrained("model")
    forge(Path("model"), {name: value.double() for name, value in lstm.state_dict().items()})
    with pytest.raises(LoadError, match=r"is torch\.float64 .* in model.safetensors, torch.float32 .* by its description"):
        LSTM.from_pretrained("model")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
@pytest.mark.parametrize("kind", ["a named pipe", "a device", "a link to a device", "a folder"])
def test_what_is_no_regular_file_is_not_read(name: str, kind: str) -> None:
    """A pipe would be waited for, a device read without end."""
    LSTM(1, 2).save_pretrained("model")
    path = Path("model") / name
    path.rename("real")
    if kind == "a named pipe":
        os.mkfifo(path)
    elif kind == "a folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero" if "link" in kind else "/dev/full")
    with pytest.raises(LoadError, match=f"expected a regular file, got {kind.removeprefix('a link to ')}"):
        LSTM.from_pretrained("model")


def test_links_to_regular_files_are_followed() -> None:
    """As a cache of downloaded models has them."""
    LSTM(1, 2).save_pretrained("model")
    for name in ("config.json", "model.safetensors"):
        (Path("model") / name).rename(name)
        (Path("model") / name).symlink_to(Path.cwd() / name)
    LSTM.from_pretrained("model")


def test_a_description_of_more_than_a_megabyte_is_not_read() -> None:
    LSTM(1, 2).save_pretrained("model")
    with Path("model/config.json").open("r+b") as file:
        file.truncate(2**40)  # without taking room on the disk
    with pytest.raises(LoadError, match="expected at most 1,000,000 bytes, got more"):
        LSTM.from_pretrained("model")


@pytest.mark.parametrize("path", ["pipe", "/dev/zero", "folder", "nowhere"])
def test_checkpoints_traces_and_snapshots_are_regular_files(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo("pipe")
    Path("folder").mkdir()
    for read in (read_archive, Trace.load, Snapshots.load, SequenceModel.load_from_checkpoint):
        with pytest.raises(LoadError, match=r"expected a regular file, got a|No such file"):
            read(path)
    assert said(capsys, "test", *DATA, "--ckpt_path", path).count("got nothing that can be read: ") == 1


@pytest.mark.skipif(not STATUS.exists(), reason="only Linux says what is in memory")
def test_reading_takes_twice_the_file_at_most() -> None:
    big = LSTM(64, 1600)  # 43 MB
    big.save_pretrained("model")
    form = {"input_size": 64, "output_size": 1, "goal": "regression"}
    model = SequenceModel(form, hidden_size=1600)
    content = {"state_dict": model.state_dict(), "hyper_parameters": dict(model.hparams)}
    written(content, "big.ckpt")
    with pytest.raises(LoadError, match="expected a checkpoint that byhand fit has kept, got one that is not whole"):
        SequenceModel.load_from_checkpoint("big.ckpt")
    written(content | {"pytorch-lightning_version": "2.6.0", "global_step": 0, "epoch": 0}, "big.ckpt")
    del content
    del model
    for read, file in (
        (lambda: LSTM.from_pretrained("model"), Path("model/model.safetensors")),
        (lambda: SequenceModel.load_from_checkpoint("big.ckpt"), Path("big.ckpt")),
        (lambda: read_kept("big.ckpt", None), Path("big.ckpt")),
        (lambda: read_weights(Path("big.ckpt")), Path("big.ckpt")),
    ):
        read()  # once, for what is imported and compiled
        assert peak(read) < 2 * file.stat().st_size + ROOM
