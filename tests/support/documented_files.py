"""The files, small ones, that the command lines in README.md and docs speak of."""

import math
import os
import re
import shutil
import wave
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import onnx
import torch
from conftest import ROOT
from onnx_graphs import PLAIN, graph, stream
from torch import nn

import byhand

os.environ.setdefault("KERAS_BACKEND", "torch")


def write_files(page: str, folder: Path) -> None:
    """The files that a page's commands read, small ones."""
    for name, first in (("sales", 0), ("newer", 200)):
        days = [f"{date(2024, 1, 1) + timedelta(at)},{at % 7 + at % 3}" for at in range(first, first + 300)]
        (folder / f"{name}.csv").write_text("\n".join(["date,sales", *days]) + "\n")
    (folder / "book.txt").write_text("The rain in Spain stays mainly in the plain. " * 100)
    if page == "README.md":
        write_keras(folder / "model.keras", "lstm")
        byhand.export_onnx(byhand.LSTM(1, 4), folder / "MODEL.onnx")
        write_sound(folder / "speech.wav", 512)
    if page == "docs/carry.md":
        carried_files(folder)
    if page in ("docs/onnx.md", "docs/real-models/voice-activity.md"):
        onnx_files(folder)
    if page == "docs/explorer.md":
        explorer_files(folder)
    if page == "docs/studies.md":
        (study, _) = re.findall(r"```yaml\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)
        small = study.replace("seeds: 10", "seeds: 1").replace("max_steps: 1500", "max_steps: 2")
        assert "seeds: 1 " not in study and "seeds: 1\n" in small and "max_steps: 2," in small
        (folder / "odyssey.yaml").write_text(small)
        (folder / "tuned.yaml").write_text(small)  # whose runs are done when it is reported on


def carried_files(folder: Path) -> None:
    """Layers of Keras, torch and numpy; the ONNX model is what the first command writes."""
    write_keras(folder / "model.keras", "lstm", "lstm_1")
    write_encoder(folder / "weights.pth")
    shapes = {"kernel": (3, 15), "recurrent_kernel": (5, 15), "bias": (2, 15)}
    np.savez(folder / "weights.npz", **{f"rnn/{name}": np.ones(shape) for name, shape in shapes.items()})
    (folder / "measurements.csv").write_text("1,2,3\n4,5,6\n")
    torch.save(nn.GRU(3, 5).state_dict(), folder / "gru.pt")


def explorer_files(folder: Path) -> None:
    """Besides what byhand fit leaves: a checkpoint of the lesson, weights in files, and inputs."""
    write_keras(folder / "model.keras", "lstm", "lstm_1")
    write_encoder(folder / "weights.pth")
    for name in ("my_lstm.pt", "pretrained.pt"):
        torch.save(nn.LSTM(2, 3).state_dict(), folder / name)
    kept = folder / "runs/lightning_logs/version_0/last.ckpt"
    kept.parent.mkdir(parents=True)
    shutil.copy(ROOT / "tests/earlier/lesson.ckpt", kept)
    (folder / "measurements.csv").write_text("patient,pulse,pressure\n1,60,120\n1,61,119\n2,70,130\n")
    (folder / "features.csv").write_text("1,2,3\n4,5,6\n")
    np.savez(folder / "features.npz", x=np.ones((4, 5), np.float32))


def onnx_files(folder: Path) -> None:
    """A tagger whose lengths and states are inputs, a model with an LSTM called rnn, a model of sound with a state, and their inputs."""
    byhand.export_onnx(byhand.LSTM(3, 5, 2, bidirectional=True), folder / "tagger.onnx", lengths=True, states=True)
    states = {f"{name}_0": np.zeros((4, 1, 5), np.float32) for name in "hc"}
    np.savez(folder / "words.npz", input=np.ones((5, 1, 3), np.float32), lengths=np.array([5]), **states)
    model = graph(PLAIN)
    for node in model.graph.node:
        if node.op_type == "LSTM":
            node.name = "/model/rnn"
    model.graph.initializer.append(onnx.helper.make_tensor("lens", onnx.TensorProto.INT32, [1], [2]))
    (given,) = (one for one in model.graph.input if one.name == "lens")
    model.graph.input.remove(given)
    onnx.save(model, folder / "model.onnx")
    (folder / "day.csv").write_text("1,2,3\n4,5,6\n")
    onnx.save(stream(512 + 64), folder / "silero_vad.onnx")
    write_sound(folder / "speech.wav", 2048)


def write_keras(path: Path, *names: str) -> None:
    """A model of Keras with LSTMs of these names."""
    import keras  # noqa: PLC0415 (two seconds, for those pages only)

    parts = [keras.layers.LSTM(5, return_sequences=True, name=name) for name in names]
    keras.Sequential([keras.Input((None, 3)), *parts]).save(path)


def write_encoder(path: Path) -> None:
    torch.save({f"encoder.rnn.{name}": value for name, value in nn.LSTM(3, 5).state_dict().items()}, path)


def write_sound(path: Path | str, count: int, rate: int = 8000, channels: int = 1, width: int = 2) -> torch.Tensor:
    """A tone, as a file; and its samples."""
    samples = torch.tensor([math.sin(0.7 * k) * 0.5 for k in range(count)])
    scale, kind = {1: (127, torch.uint8), 2: (2**15 - 1, torch.int16), 4: (2**31 - 256, torch.int32)}[width]
    whole = (samples.double() * scale).round() + (128 if width == 1 else 0)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(whole.to(kind).repeat_interleave(channels).numpy().tobytes())
    return samples
