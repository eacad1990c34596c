"""byhand explore MODEL.onnx: the layer's true input inside the model, out of every kind of file; what does not fit is refused in words."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import wave
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from conftest import ROOT
from documented_files import onnx_files, write_sound
from explored import shown
from onnx import numpy_helper
from onnx_graphs import LOOP, PLAIN, graph, stream

import byhand
from byhand.__main__ import main
from byhand.explorer.document.packing import restored


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def said(*words: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What is said of what cannot be done."""
    assert main(["explore", *words, "--save", "page.html"]) == 2
    assert not Path("page.html").exists()
    return capsys.readouterr().err


@pytest.mark.parametrize("width", [1, 2, 4])
def test_sound_piece_by_piece(width: int) -> None:
    onnx.save(stream(), "stream.onnx")
    samples = write_sound("tone.wav", 32, width=width)
    found = shown("stream.onnx", "--input", "tone.wav", "--chunk", "2", "--context", "1")
    assert found["title"] == "stream.onnx, LSTM of y on tone.wav" and found["computed"]
    (item,) = found["items"]
    assert item["name"] == "tone.wav" and item["steps"] == 16
    x = restored(item["input"])
    padded = torch.cat([torch.zeros(1), samples])
    wanted = torch.stack([padded[2 * k : 2 * k + 3] for k in range(16)])
    torch.testing.assert_close(x.float(), wanted, rtol=0, atol=0.01 if width == 1 else 1e-4)
    notices = "\n".join(found["notices"])
    for part in (
        "sound is tone.wav as [1, 32], time along axis 1",
        "sr is 8000, the rate of tone.wav",
        "state begins with zeros [2, 1, 4]",
        "called 16 times on 2 steps of sound after the 1 before them",
        "stateN of each call is state of the next",
        "equal to onnxruntime",
    ):
        assert part in notices


def test_the_page_computes_what_the_model_does() -> None:
    """The layer's outputs on the page's input and first states are those inside the model, call by call."""
    onnx.save(stream(), "stream.onnx")
    samples = write_sound("tone.wav", 12)
    found = shown("stream.onnx", "--input", "tone.wav", "--chunk", "3", "--set", "state=" + str([[[0.5] * 4]] * 2))
    model = byhand.open_onnx("stream.onnx")
    state, outputs = torch.full((2, 1, 4), 0.5), []
    for piece in samples.split(3):
        made = model(sound=piece.unsqueeze(0), state=state, sr=8000)
        state = made["stateN"]
        outputs.append(state[0, 0])
    layer = model.layers["lstm"]
    x = restored(found["items"][0]["input"]).float().unsqueeze(1)
    first = tuple(restored(found["items"][0]["initial"]["l0"][name]).float().view(1, 1, 4) for name in ("h", "c"))
    assert all(bool((one == 0.5).all()) for one in first)
    torch.testing.assert_close(layer(x, first)[0][:, 0], torch.stack(outputs), rtol=0, atol=1e-4)


def test_arrays_by_name() -> None:
    onnx.save(graph(PLAIN), "plain.onnx")
    x = np.random.default_rng(0).normal(size=(7, 3, 3)).astype(np.float32)
    np.savez("x.npz", x=x, lens=np.array([7, 0, 4], np.int32))
    found = shown("plain.onnx", "--input", "x.npz", "--node", "gru")
    assert found["cell"]["name"] == "gru" and [one["steps"] for one in found["items"]] == [7, 4]
    assert [one["name"] for one in found["items"]] == ["x.npz, 1", "x.npz, 3"]
    assert "1 sequence(s) of length 0 are left out" in found["notices"]
    assert any("these ran too: lstm; one of them: --node lstm" in one for one in found["notices"])
    first = shown("plain.onnx", "--input", "x.npz")
    np.testing.assert_allclose(restored(first["items"][1]["input"]), np.tanh(x[:4, 2]), atol=1e-6)


def test_a_table() -> None:
    onnx.save(graph(PLAIN), "plain.onnx")
    Path("x.csv").write_text("left,right,up\n1,2,3\n4,5,6\n-1,0,1\n")
    found = shown("plain.onnx", "--input", "x.csv", "--set", "lens=[2]", "--title", "Mine")
    assert found["title"] == "Mine" and found["features"] == ["left", "right", "up"]
    np.testing.assert_allclose(restored(found["items"][0]["input"]), np.tanh([[1, 2, 3], [4, 5, 6]]), atol=1e-6)
    assert "x is x.csv as [3, 1, 3], time along axis 0" in found["notices"]


def test_symbols() -> None:
    text = """words (int64[batch,time] tokens) => (float[time,1,batch,4] y)
    { one = Gather(table, tokens)
      x = Transpose <perm = [1, 0, 2]> (one)
      y = LSTM <hidden_size = 4> (x, W, R, B) }"""
    made = graph(text, check=False)
    made.graph.initializer.append(numpy_helper.from_array(np.eye(3, dtype=np.float32), "table"))
    onnx.save(made, "words.onnx")
    Path("words.txt").write_text("0 2 1\n1\n")
    found = shown("words.onnx", "--input", "words.txt")
    assert restored(found["items"][0]["input"]).tolist() == np.eye(3)[[0, 2, 1, 1]].tolist()


def test_calls_that_are_no_one_sequence_are_shown_as_recorded() -> None:
    text = LOOP.replace("(whole, W, R, B, , a, b)", "(whole, W, R, B)")
    onnx.save(graph(text), "loop.onnx")
    np.savez("x.npz", x=np.ones((5, 1, 3), np.float32))
    found = shown("loop.onnx", "--input", "x.npz")
    assert not found["computed"] and any("5 calls, which are not one sequence" in one for one in found["notices"])
    assert any(one.startswith("h begins with zeros [1, 1, 4]") for one in found["notices"])


def test_what_does_not_fit_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    onnx.save(graph(PLAIN), "plain.onnx")
    onnx.save(stream(), "stream.onnx")
    write_sound("tone.wav", 32)
    write_sound("both.wav", 32, channels=2)
    Path("x.csv").write_text("1,2\n3,4\n")
    Path("x.txt").write_text("hello")
    np.savez("x.npz", y=np.ones(3))
    np.savez("pickled.npz", x=np.array([{}], dtype=object))
    Path("broken.npz").write_bytes(Path("x.npz").read_bytes()[:40])
    Path("not.wav").write_text("RIFF")
    cases = {
        ("plain.onnx",): "expected values for x: float32 [T, N, 3]; lens: int32 [N]",
        (
            "plain.onnx",
            "--input",
            "x.csv",
            "--set",
            "lens=[2]",
        ): "x: float32 [T, N, 3] got [2, 2] (steps, columns), which do not fit",
        (
            "plain.onnx",
            "--input",
            "x.csv",
        ): "expected one input of the model for it, got several: x: float32 [T, N, 3]; lens: int32 [N]",
        ("plain.onnx", "--input", "x.npz"): "expected arrays called as the model's inputs, got y",
        ("plain.onnx", "--input", "pickled.npz"): "expected arrays of numbers as numpy.savez writes them",
        ("plain.onnx", "--input", "broken.npz"): "got a file that is none or damaged",
        ("plain.onnx", "--input", "x.bin", "--set", "lens=[2]"): "expected a file of .npz, .wav, .csv, .tsv, .txt",
        ("plain.onnx", "--input", "x.txt", "--set", "lens=[2]"): "takes no symbols",
        ("plain.onnx", "--set", "lens"): "expected NAME=VALUE for an input of the model, got 'lens'",
        ("plain.onnx", "--set", "lens=two"): "expected a number, or a list of them",
        ("plain.onnx", "--zeros", "z"): "expected an input of the model, got z",
        ("plain.onnx", "--layer", "l0"): "--layer: not of an ONNX model: write --node",
        ("plain.onnx", "--chunk", "3"): "--chunk: expected an --input that is one series",
        ("plain.onnx", "--context", "3"): "--context: expected a number from 0 on beside --chunk",
        ("stream.onnx", "--input", "tone.wav"): "piece by piece: --chunk SIZE",
        ("stream.onnx", "--input", "tone.wav", "--chunk", "64"): "--chunk: expected at most the 32 steps",
        (
            "stream.onnx",
            "--input",
            "tone.wav",
            "--chunk",
            "3",
            "--node",
            "gru",
        ): "expected the name of one layer, got none; there are lstm",
        ("stream.onnx", "--input", "both.wav", "--chunk", "3"): "expected one channel, got 2",
        ("stream.onnx", "--input", "not.wav", "--chunk", "3"): "expected uncompressed sound (PCM) in a .wav file",
        ("stream.onnx", "--input", "none.wav", "--chunk", "3"): "none.wav",
        ("x.csv", "--node", "lstm"): "--node: expected an ONNX model (.onnx), got x.csv",
        ("none.onnx",): "none.onnx",
    }
    for words, expected in cases.items():
        assert expected in said(*words, capsys=capsys), words


def test_an_axis_that_is_not_clear_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    text = "g (float[p,q,3] x) => (float[p,1,q,4] y) { y = LSTM <hidden_size = 4> (x, W, R, B) }"
    onnx.save(graph(text), "g.onnx")
    Path("x.csv").write_text("1,2,3\n4,5,6\n")
    assert "say which axis is time with --time-axis" in said("g.onnx", "--input", "x.csv", capsys=capsys)
    assert shown("g.onnx", "--input", "x.csv", "--time-axis", "0")["items"][0]["steps"] == 2
    assert len(shown("g.onnx", "--input", "x.csv", "--time-axis", "1")["items"]) == 2


def test_the_commands_of_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command of docs/onnx.md, on models as it says."""
    page = (ROOT / "docs" / "onnx.md").read_text(encoding="utf-8")
    found = [
        shlex.split(line, comments=True)
        for block in re.findall(r"```bash\n(.*?)```", page, re.DOTALL)
        for line in block.splitlines()
    ]
    assert [words[:2] for words in found] == [["byhand", "explore"]] * len(found) and len(found) >= 3
    writing = re.findall(r"```python\n(.*?)```", page, re.DOTALL)[1]
    exec(compile(writing, "docs/onnx.md", "exec"), {})
    onnx_files(Path())
    assert {one.name for one in byhand.open_onnx("tagger.onnx").inputs} == {"input", "lengths", "h_0", "c_0"}
    for words in found:
        document = shown(*words[2:])
        assert document["title"].startswith(words[2]) and any("equal to onnxruntime" in one for one in document["notices"])


def silero() -> Path | None:
    """The model of the package silero-vad, which is not imported: where it is installed, or where BYHAND_SILERO says."""
    given = os.environ.get("BYHAND_SILERO")
    if given:
        return Path(given)
    found = importlib.util.find_spec("silero_vad")
    return Path(found.origin).parent / "data" / "silero_vad.onnx" if found is not None and found.origin else None


@pytest.mark.skipif(silero() is None, reason="silero-vad is not installed: pip install --no-deps silero-vad==6.2.3")
def test_silero_in_one_command() -> None:
    file = silero()
    assert file is not None
    rng = np.random.default_rng(0)
    with wave.open("noise.wav", "wb") as sound_file:
        sound_file.setnchannels(1)
        sound_file.setsampwidth(2)
        sound_file.setframerate(16000)
        sound_file.writeframes((rng.normal(0, 3000, 16000).astype("<i2")).tobytes())
    found = shown(file, "--input", "noise.wav", "--chunk", "512", "--context", "64")
    assert found["computed"] and found["items"][0]["steps"] == 31 and found["layers"][0]["hidden"] == 128
    assert any(one.startswith("equal to onnxruntime") for one in found["notices"])
    model = byhand.open_onnx(file)
    assert len(model.layers) == 4 and not model.left
    for rate, size in ((16000, 576), (8000, 288)):
        model.run(input=torch.randn(3, size), state=torch.randn(2, 3, 128), sr=rate)
        assert model.certificate.ok and model.certificate.worst < 1e-5


def test_a_reverse_node_is_live() -> None:
    text = 'g (float[T,1,3] x) => (float[T,1,1,4] y) { y = LSTM <hidden_size = 4, direction = "reverse"> (x, W, R, B) }'
    onnx.save(graph(text), "g.onnx")
    Path("x.csv").write_text("1,2,3\n4,5,6\n0,0,1\n")
    found = shown("g.onnx", "--input", "x.csv")
    assert found["computed"] and found["layers"][0]["reverse"] and found["items"][0]["steps"] == 3


def test_a_gru_whose_reset_gate_works_before_the_product_is_live() -> None:
    onnx.save(graph(PLAIN.replace("linear_before_reset = 1", "linear_before_reset = 0")), "before.onnx")
    x = np.random.default_rng(0).normal(size=(7, 3, 3)).astype(np.float32)
    np.savez("x.npz", x=x, lens=np.array([7, 0, 4], np.int32))
    found = shown("before.onnx", "--input", "x.npz", "--node", "gru")
    assert found["cell"]["name"] == "gru_reset_before" and found["computed"] and found["why_not"] is None
    assert [one[1] for one in found["cell"]["program"]["lines"]].count("product.n") == 1
