"""byhand convert and byhand explore, as a user runs them, on layers in files of every framework."""

import json
import os
import re
import shlex
import subprocess
import sys
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from conftest import ROOT
from documented_files import carried_files
from explored import shown
from torch import nn

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
from keras import layers as k

import byhand
from byhand import LSTM, cells, load_weights
from byhand.__main__ import main
from byhand.explorer.document.packing import restored
from byhand.interop.command import cli, forms
from byhand.interop.parity import ParityReport

# Keras 3.15 on torch hands its variables to numpy in a way that numpy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
Convert = Callable[..., str]
ENDINGS = {"keras": ".keras", "onnx": ".onnx", "safetensors": ".safetensors", "npz": ".npz", "folder": ""}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    yield
    assert not [one for one in tmp_path.rglob("*") if one.name.startswith(".")], "half of a file is left"


@pytest.fixture
def convert(capsys: pytest.CaptureFixture[str]) -> Convert:
    """What the command prints, when it succeeds."""

    def call(*words: object) -> str:
        code = main(["convert", *map(str, words)])
        said = capsys.readouterr()
        assert code == 0, said.err
        return said.out

    return call


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Convert:
    """The one line that the command ends in, with exit code 2 and nothing written."""

    def call(*words: object) -> str:
        before = {one: one.stat().st_mtime_ns for one in Path().rglob("*")}
        code = main(["convert", *map(str, words)])
        said = capsys.readouterr().err
        assert code == 2 and said.startswith("byhand convert: ") and said.count("\n") == 1 and "Traceback" not in said, said
        assert {one: one.stat().st_mtime_ns for one in Path().rglob("*")} == before
        return said

    return call


def torchs(kind: type[nn.RNNBase] = nn.LSTM, **options: Any) -> nn.RNNBase:
    torch.manual_seed(0)
    return kind(3, 5, **options)


def loaded(name: str) -> Any:
    """A file of Keras, by Keras."""
    return keras.saving.load_model(name)


def outputs_of(name: str, x: torch.Tensor) -> torch.Tensor:
    """What the library of a written file makes of x, (time, batch, 3); outputs (time, batch, units)."""
    if name.endswith(".keras"):
        return torch.from_numpy(np.asarray(loaded(name)(x.transpose(0, 1)).detach())).transpose(0, 1)
    if name.endswith(".onnx"):
        runtime = pytest.importorskip("onnxruntime")
        session = runtime.InferenceSession(name, providers=["CPUExecutionProvider"])
        zeros = {
            one.name: np.zeros([d if isinstance(d, int) else x.shape[1] for d in one.shape], np.float32)
            for one in session.get_inputs()
            if one.name.endswith("_0")
        }
        feeds = zeros | {"input": x.numpy(), "lengths": np.full(x.shape[1], len(x), np.int64)}
        kinds = {one.name: one.type for one in session.get_inputs()}
        feeds["lengths"] = feeds["lengths"].astype(np.int32 if "int32" in kinds["lengths"] else np.int64)
        return torch.from_numpy(session.run(["output"], feeds)[0])
    layer = LSTM.from_pretrained(name) if Path(name).is_dir() else load_weights(name)
    with byhand.use_engine("reference"), torch.no_grad():
        return layer(x.transpose(0, 1) if layer.batch_first else x)[0]


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
@pytest.mark.parametrize("to", ENDINGS)
def test_every_form_computes_the_same(to: str, kind: type[nn.RNNBase], convert: Convert) -> None:
    module = torchs(kind, num_layers=2, bidirectional=True)
    torch.save(
        {f"encoder.rnn.{name}": value for name, value in module.state_dict().items()} | {"x": torch.ones(1)}, "weights.pth"
    )
    said = convert("weights.pth", "--to", to, "--prefix", "encoder.rnn", "--certify")
    cell = "lstm" if kind is nn.LSTM else "gru"
    assert f"read weights.pth: {cell}, 3 inputs, 5 units, 2 layers, both directions, float32" in said
    name = f"weights{ENDINGS[to]}"
    assert f"wrote {name}: " in said and "equal within" in said and "DIFFERENT" not in said and "torch 2" in said
    x = torch.randn(7, 2, 3)
    with torch.no_grad():
        torch.testing.assert_close(outputs_of(name, x), module(x)[0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("to", ["safetensors", "npz", "folder"])
def test_weights_are_the_same_to_the_bit(to: str, convert: Convert) -> None:
    module = torchs(dtype=torch.float64)
    with torch.no_grad():
        module.weight_hh_l0[0, :3] = torch.tensor([-0.0, torch.nan, 5e-324])
    torch.save(module.state_dict(), "w.pt")
    assert "within 0, greatest difference 0.0e+00" in convert("w.pt", "--to", to, "--certify")
    name = f"w{ENDINGS[to]}"
    back = LSTM.from_pretrained(name) if to == "folder" else load_weights(name)
    assert all(
        torch.equal(value.view(torch.int64), module.state_dict()[own].view(torch.int64))
        for own, value in back.state_dict().items()
    )


def test_a_c_file_by_the_name_that_export_has(capsys: pytest.CaptureFixture[str]) -> None:
    torch.save(torchs(nn.GRU, num_layers=2).state_dict(), "gru.pt")
    assert main(["export", "gru.pt", "--to", "c", "--certify"]) == 0
    said = capsys.readouterr().out
    assert "wrote gru.h: " in said and "equal within 1e-06" in said and "one step: " in said
    assert "static inline void gru_step(gru_memory *memory" in Path("gru.h").read_text()


def test_a_c_file_of_two_directions_is_refused(refused: Convert) -> None:
    torch.save(torchs(nn.GRU, bidirectional=True).state_dict(), "both.pt")
    assert "reads forward alone" in refused("both.pt", "--to", "c")


def test_keras_and_onnx_are_read(convert: Convert, refused: Convert) -> None:
    parts = [k.Bidirectional(k.LSTM(5, return_sequences=True), name="low"), k.GRU(4, reset_after=False, name="high")]
    model = keras.Sequential([keras.Input((None, 3)), *parts])
    model.save("model.keras")
    model.save_weights("model.weights.h5")
    assert "low, high: choose one, as in --prefix 'low'" in refused("model.keras", "--to", "onnx")
    convert("model.keras", "--to", "onnx", "--prefix", "low", "--certify")
    said = convert("model.weights.h5", "--to", "folder", "--prefix", "high")
    assert "defaults" in said and LSTM.from_pretrained("model").cell == cells.gru_reset_before
    said = convert("model.onnx", "--to", "keras", "--output", "back.keras", "--certify")
    assert "equal within" in said
    x = torch.randn(2, 7, 3)
    torch.testing.assert_close(loaded("back.keras")(x), parts[0](x), rtol=0, atol=1e-6)
    assert "gru_reset_before" in refused("model", "--to", "npz", "--output", "x.npz")


def test_arrays_by_name(convert: Convert) -> None:
    rng = np.random.default_rng(0)
    shapes = {"kernel": (3, 15), "recurrent_kernel": (5, 15), "bias": (2, 15)}
    arrays = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    np.savez("weights.npz", **{f"rnn/{name}": value for name, value in arrays.items()})
    convert("weights.npz", "--layout", "keras.GRU", "--prefix", "rnn", "--to", "keras", "--certify")
    layer = loaded("weights.keras").layers[-1]
    assert all(
        np.array_equal(value, np.asarray(own.value.detach())) for value, own in zip(arrays.values(), layer.weights, strict=True)
    )
    stacked = {
        f"{name}/linear/{part}": rng.normal(size=size)
        for name, width in (("a", 8), ("b", 10))
        for part, size in (("w", (width, 20)), ("b", 20))
    }
    np.savez("haiku.npz", **stacked)
    assert "2 layers" in convert("haiku.npz", "--prefix", "a", "--prefix", "b", "--to", "safetensors", "--certify")


def test_another_cell_of_byhand(convert: Convert, refused: Convert) -> None:
    layer = LSTM(3, 5, cell=cells.peephole)
    safetensors.torch.save_file(layer.state_dict(), "w.safetensors")
    for words in (("--to", "folder", "--certify"), ("--to", "onnx", "--certify")):
        assert "peephole, 3 inputs" in convert("w.safetensors", "--cell", "peephole", *words)
    assert LSTM.from_pretrained("w").cell == cells.peephole
    assert "peephole" in refused("w", "--to", "keras")
    assert "--cell: expected one of byhand.cells" in refused("w.safetensors", "--cell", "os.remove('w')", "--to", "npz")


def test_nothing_is_replaced_unasked(convert: Convert, refused: Convert) -> None:
    torch.save(torchs().state_dict(), "w.pt")
    convert("w.pt", "--to", "npz", "--output", "out.npz")
    before = Path("out.npz").read_bytes()
    torch.save(torchs(nn.GRU).state_dict(), "w.pt")
    assert "write --force to replace it" in refused("w.pt", "--to", "npz", "--output", "out.npz")
    convert("w.pt", "--to", "npz", "--output", "out.npz", "--force")
    assert Path("out.npz").read_bytes() != before and load_weights("out.npz").cell == cells.gru
    assert "another file than the one that is read" in refused("out.npz", "--to", "npz", "--output", "out.npz", "--force")
    assert "ends in .npz" in refused("w.pt", "--to", "npz", "--output", "w.keras")
    Path("folder").mkdir()
    assert "--force" in refused("w.pt", "--to", "folder", "--output", "folder")
    assert "No such file" in refused("w.pt", "--to", "npz", "--output", "missing/out.npz")


def test_where_the_certificate_differs_nothing_is_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(torchs().state_dict(), "w.pt")
    real = forms.to_keras

    def wrong(layer: LSTM) -> Any:
        made = real(layer)
        made.cell.recurrent_kernel.assign(made.cell.recurrent_kernel * 1.01)
        return made

    monkeypatch.setattr(forms, "to_keras", wrong)
    assert main(["convert", "w.pt", "--to", "keras", "--certify"]) == 1
    said = capsys.readouterr()
    assert "DIFFERENT" in said.out and "not written" in said.err and not Path("w.keras").exists()


def test_bits_that_differ_are_seen() -> None:
    layer = LSTM(3, 5, dtype=torch.float64)
    with torch.no_grad():
        layer.bias_ih_l0.zero_()
    other = LSTM(3, 5, dtype=torch.float64)
    other.load_state_dict(layer.state_dict())
    assert forms.same_bits(layer, other, Path("x")).ok
    with torch.no_grad():
        other.bias_ih_l0[3] = -0.0
    report: ParityReport = forms.same_bits(layer, other, Path("x"))
    assert not report.ok and report.values["bias_ih_l0"] == float("inf") and sum(report.values.values()) == float("inf")
    assert not forms.same_bits(layer, LSTM(3, 5, 2, dtype=torch.float64), Path("x")).ok
    with pytest.raises(ValueError, match="cell"):
        forms.same_bits(layer, LSTM(3, 5, cell=cells.gru), Path("x"))


def test_which_node(convert: Convert, refused: Convert) -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.low, self.high = nn.LSTM(3, 5), nn.GRU(5, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.high(self.low(x)[0])[0]

    module = Two()
    byhand.export_onnx(module, "two.onnx", {"x": torch.randn(5, 2, 3)}, axes={"x": {0: "time", 1: "batch"}})
    names = list(byhand.open_onnx("two.onnx").layers)
    assert f"choose one, as in --node {names[0]}" in refused("two.onnx", "--to", "npz")
    convert("two.onnx", "--node", names[1], "--to", "safetensors", "--certify")
    read = load_weights("two.safetensors")
    assert read.cell == cells.gru and torch.equal(read.weight_ih_l0, module.high.weight_ih_l0)
    assert "got none" in refused("two.onnx", "--node", "nothing", "--to", "npz")
    assert "--node NAME" in refused("two.onnx", "--prefix", "x", "--to", "npz")
    assert "write --prefix high" in refused("two.safetensors", "--node", "high", "--to", "npz")


def test_a_node_that_reads_from_the_end(refused: Convert) -> None:
    onnx = pytest.importorskip("onnx")
    helper = onnx.helper
    rng = np.random.default_rng(0)
    weights = {"W": rng.normal(size=(1, 20, 3)), "R": rng.normal(size=(1, 20, 5))}
    node = helper.make_node("LSTM", ["X", "W", "R"], ["Y"], hidden_size=5, direction="reverse", name="rnn")
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("X", 1, ["t", "b", 3])],
        [helper.make_tensor_value_info("Y", 1, ["t", 1, "b", 5])],
        [onnx.numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), "reverse.onnx")
    for to in ("keras", "safetensors", "folder", "onnx"):
        assert "from the end alone" in refused("reverse.onnx", "--to", to, "--output", f"out{ENDINGS[to]}")


def test_a_missing_library(monkeypatch: pytest.MonkeyPatch, refused: Convert) -> None:
    torch.save(torchs().state_dict(), "w.pt")
    for name, to, extra in (("keras", "keras", "keras"), ("flax.serialization", "flax", "flax"), ("onnx", "onnx", "onnx")):
        monkeypatch.setitem(sys.modules, name, None)
        said = refused("w.pt", "--to", to)
        assert f"pip install 'byhand[{extra}]'" in said and name.partition(".")[0] in said


def test_hostile_files(refused: Convert) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (os.system, ("touch evil",))

    torch.save({"weight_ih_l0": Evil()}, "evil.pt")
    np.savez("objects.npz", w=np.array([Evil()], dtype=object))
    torch.save({"weight_ih_l0": torch.ones(7, 3), "weight_hh_l0": torch.ones(2, 9)}, "odd.pt")
    torch.save(torchs().state_dict(), "w.pt")
    keras.Sequential([keras.Input((None, 3)), k.LSTM(5)]).save("m.keras")
    byhand.export_onnx(load_weights("w.pt"), "m.onnx")
    safetensors.torch.save_file(torchs().state_dict(), "m.safetensors")
    rng = np.random.default_rng(0)
    for name in ("w.pt", "m.keras", "m.onnx", "m.safetensors"):
        content = Path(name).read_bytes()
        Path(f"cut{name}").write_bytes(content[: len(content) // 2])
        noise = bytearray(content)
        for at in rng.integers(0, 40, 20):
            noise[at] = int(rng.integers(256))
        Path(f"noise{name}").write_bytes(bytes(noise))
        Path(f"empty{name}").write_bytes(b"")
    bad = [
        "evil.pt",
        "objects.npz",
        "odd.pt",
        "missing.keras",
        ".",
        *(f"{how}{name}" for how in ("cut", "noise", "empty") for name in ("w.pt", "m.keras", "m.onnx", "m.safetensors")),
    ]
    for name in bad:
        refused(name, "--to", "npz", "--output", "out.npz")
    assert not Path("evil").exists()


def test_words_that_make_no_sense(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["w.pt"], ["--to", "npz"], ["w.pt", "--to", "tensorflow"]):
        with pytest.raises(SystemExit) as ended:
            main(["convert", *words])
        assert ended.value.code == 2
    with pytest.raises(SystemExit) as ended:
        main(["convert", "--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert (
        all(f"--{name}" in said for name in ("to", "prefix", "layout", "output", "certify", "node", "force"))
        and "examples:" in said
    )
    for line in cli.EXAMPLES.splitlines()[1:]:
        assert cli.parser().parse_args(shlex.split(line)[2:]).to


def test_as_a_program_of_its_own() -> None:
    torch.save(torchs().state_dict(), "w.pt")
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, "-m", "byhand", "convert", "w.pt", "--to", "npz", "--certify"],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0 and not done.stderr and "wrote w.npz" in done.stdout


def test_explore_shows_files_of_keras_and_numpy() -> None:
    model = keras.Sequential(
        [keras.Input((None, 3)), k.Bidirectional(k.LSTM(5, return_sequences=True), name="low"), k.GRU(4, name="high")]
    )
    model.save("model.keras")
    model.save_weights("model.weights.h5")
    rng = np.random.default_rng(0)
    x = {"first": rng.normal(size=(7, 3)), "second": rng.normal(size=(4, 3))}
    np.savez("x.npz", **x)
    Path("x.csv").write_text("a,b,c\n1,2,3\n4,5,6\n")
    Path("x.txt").write_text("1,2,3\n4,5,6\n")
    for name in ("model.keras", "model.weights.h5"):
        found = shown(name, "--layer", "low", "--input", "x.npz")
        assert found["title"].startswith("model") and [one["name"] for one in found["items"]] == list(x)
        for one, (_, value) in zip(found["items"], x.items(), strict=True):
            np.testing.assert_allclose(restored(one["input"]).numpy(), value, rtol=0, atol=1e-6)
        weights = load_weights("model.keras", prefix="low").weight_hh_l0
        assert torch.equal(restored(found["layers"][0]["weights"]["recurrent"]).float(), weights)
        assert any("read as byhand.LSTM with cell lstm" in notice for notice in found["notices"])
    assert any("defaults" in notice for notice in found["notices"])  # of weights alone
    found = shown("model.keras", "--prefix", "low", "--input", "x.csv")
    assert found["features"] == ["a", "b", "c"] and restored(found["items"][0]["input"]).tolist() == [[1, 2, 3], [4, 5, 6]]
    assert restored(shown("model.keras", "--layer", "low", "--input", "x.txt")["items"][0]["input"]).tolist() == [
        [1, 2, 3],
        [4, 5, 6],
    ]
    state = {f"encoder.rnn.{name}": value for name, value in torchs().state_dict().items()}
    safetensors.torch.save_file(
        state | {f"d.{name}": value for name, value in torchs(nn.GRU).state_dict().items()}, "w.safetensors"
    )
    np.savez("time_first.npz", x=rng.normal(size=(7, 2, 3)))
    found = shown("w.safetensors", "--prefix", "encoder.rnn", "--input", "time_first.npz")
    assert [one["name"] for one in found["items"]] == ["time_first.npz, 1", "time_first.npz, 2"]
    np.savez("batch_first.npz", x=rng.normal(size=(2, 7, 3)))
    assert len(shown("model.keras", "--layer", "low", "--input", "batch_first.npz")["items"]) == 2
    shapes = {"kernel": (3, 15), "recurrent_kernel": (5, 15), "bias": (2, 15)}
    np.savez("gru.npz", **{f"rnn/{name}": rng.normal(size=shape) for name, shape in shapes.items()})
    assert shown("gru.npz", "--layout", "keras.GRU", "--layer", "rnn")["cell"]["name"] == "gru"


def test_explore_shows_a_layer_on_sound() -> None:
    keras.Sequential([keras.Input((None, 1)), k.GRU(4)]).save("model.keras")
    samples = np.array([0, 16384, -32768, 3], np.int16)
    with wave.open("x.wav", "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(samples.tobytes())
    (item,) = shown("model.keras", "--input", "x.wav")["items"]
    assert item["name"] == "x.wav"
    np.testing.assert_allclose(restored(item["input"]).flatten().numpy(), samples / 32768, rtol=0, atol=1e-7)


def test_what_explore_refuses(capsys: pytest.CaptureFixture[str]) -> None:
    model = keras.Sequential([keras.Input((None, 3)), k.LSTM(5, return_sequences=True, name="low"), k.GRU(4, name="high")])
    model.save("two.keras")
    np.savez("wide.npz", x=np.ones((7, 4)))
    np.savez("nan.npz", x=np.full((7, 3), np.nan))
    np.savez("empty.npz", x=np.ones((0, 3)))
    Path("cut.keras").write_bytes(Path("two.keras").read_bytes()[:99])
    torch.save(torchs().state_dict(), "w.pt")
    (Path() / "x.wav").write_bytes(b"RIFF")
    low = ("two.keras", "--layer", "low")
    for words, said in {
        ("two.keras",): "choose one, as in --layer 'low'",
        ("two.keras", "--layer", "middle"): "low, high",
        ("cut.keras",): "expected a file that Keras has written",
        (*low, "--cell", "lstm"): "--cell",
        ("w.pt", "--layout", "keras.GRU"): "--layout",
        (*low, "--input", "wide.npz"): "expected (steps, 3)",
        (*low, "--input", "nan.npz"): "finite",
        (*low, "--input", "empty.npz"): "expected (steps, 3)",
        (*low, "--input", "x.wav"): "sound is one number a step",
        (*low, "--input", "missing.npz"): "missing.npz",
        (*low, "--input", "wide.npz", "--sequence", "a"): "--sequence",
    }.items():
        assert main(["explore", *words, "--save", "page.html"]) == 2
        printed = capsys.readouterr().err
        assert said in printed and printed.count("\n") == 1, (words, printed)
        assert not Path("page.html").exists()


def commands_of(page: str) -> list[list[str]]:
    """The words of each line in a page's blocks of commands, in order."""
    blocks = re.findall(r"```bash\n(.*?)```", (ROOT / "docs" / page).read_text(encoding="utf-8"), re.DOTALL)
    return [shlex.split(line, comments=True) for block in blocks for line in block.splitlines() if line.startswith("byhand ")]


def test_the_commands_of_carry_md(capsys: pytest.CaptureFixture[str]) -> None:
    carried_files(Path())
    found = commands_of("carry.md")
    assert {words[1] for words in found} == {"convert", "explore"} and len(found) >= 5
    for words in found:
        saved = words[1:] if words[1] == "convert" else [*words[1:], "--save", "page.html"]
        assert main(saved) == 0, (words, capsys.readouterr().err)
    assert json.loads((Path("gru") / "config.json").read_text())["models"][0]["cell"]
