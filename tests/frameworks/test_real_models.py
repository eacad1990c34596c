"""Three models that others trained: each computes what its package computes, and its page computes live. Run by `make libraries`."""

import os
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from explored import document_in

import byhand
from byhand.__main__ import main
from experiments.real_models import graphemes, packages, speech, voice_activity, voice_encoder
from experiments.real_models.mel import mel_bands

PARTS = {
    "voice_encoder": (voice_encoder, packages.RESEMBLYZER),
    "voice_activity": (voice_activity, packages.SILERO),
    "graphemes": (graphemes, packages.G2P),
}


def needs(package: packages.Package) -> None:
    """Skipped where the package is not installed in the pinned version; by tools/libraries.py, which has installed it, failed."""
    if package.module in os.environ.get("LIBRARIES", "").split():
        assert packages.version_of(package) == package.version and find_spec(package.module) is not None
    elif packages.version_of(package) != package.version:
        pytest.skip(f"{package.pinned} is not installed: make libraries runs this test")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def sound(seconds: float = 2.5) -> torch.Tensor:
    """Speech where espeak-ng is, else a tone with overtones that comes and goes; one number of samples either way."""
    count = int(seconds * speech.RATE)
    if shutil.which("espeak-ng"):
        return speech.say(speech.SENTENCES[0])[:count]
    time = torch.arange(count) / speech.RATE
    voiced = sum(torch.sin(2 * torch.pi * 120 * k * time) / k for k in range(1, 20)) * 0.2
    return voiced * (torch.sin(2 * torch.pi * 1.5 * time) > 0) * torch.sin(2 * torch.pi * 3 * time).abs()


def test_the_voice_encoder(tmp_path: Path) -> None:
    needs(packages.RESEMBLYZER)
    theirs, ours = voice_encoder.package(), voice_encoder.package()
    byhand.convert(ours)
    assert isinstance(ours.lstm, byhand.LSTM) and type(theirs.lstm) is torch.nn.LSTM
    layer = byhand.load_weights(packages.folder_of(packages.RESEMBLYZER) / "pretrained.pt", batch_first=True)
    mels = torch.stack([mel_bands(sound())[:160], mel_bands(sound().flip(0))[:160]])
    report = voice_encoder.certificate(theirs, ours, layer, mels)
    assert report.ok and report.worst <= 1e-5, report
    with torch.no_grad():
        layer.weight_hh_l2[7, 3] += 0.05  # a certificate that cannot fail would be worth nothing
    assert not voice_encoder.certificate(theirs, ours, layer, mels).ok
    assert live(voice_encoder.page(layer, mels, ["one", "two"]), tmp_path)["layers"][2]["hidden"] == 256


def test_the_voice_activity_detector(tmp_path: Path) -> None:
    needs(packages.SILERO)
    wav = speech.write(sound(), tmp_path / "speech.wav")
    samples, model = speech.heard(wav), byhand.open_onnx(voice_activity.model_file())
    with torch.no_grad(), byhand.record(model):
        probability, state = voice_activity.called(model, samples)
    assert float(probability.max()) > 0.5 or not shutil.which("espeak-ng")
    report = voice_activity.certificate(samples, probability[:, 0], state, model.certificate)
    assert report.ok and report.worst <= 1e-5, report
    assert not voice_activity.certificate(samples, probability[:, 0], state + 0.001, model.certificate).ok
    document = live(voice_activity.page(wav), tmp_path)
    assert document["layers"][0]["hidden"] == 128


def test_the_voice_activity_detector_in_one_command(tmp_path: Path) -> None:
    needs(packages.SILERO)
    wav = speech.write(sound(), tmp_path / "speech.wav")
    shutil.copy(voice_activity.model_file(), "silero_vad.onnx")
    words = ["explore", "silero_vad.onnx", "--input", wav.name, "--chunk", "512", "--context", "64", "--save", "page.html"]
    assert main(words) == 0
    document = document_in(Path("page.html"))
    assert document["computed"] and document["why_not"] is None
    assert any("equal to onnxruntime" in notice for notice in document["notices"])
    assert any("stateN of each call is state of the next" in notice for notice in document["notices"])


def test_graphemes(tmp_path: Path) -> None:
    needs(packages.G2P)
    ours, theirs = graphemes.Graphemes().eval(), graphemes.package()
    report = graphemes.certificate(ours, theirs)
    assert report.ok and report.worst <= 1e-5, report
    document = live(graphemes.page(ours, theirs), tmp_path)
    assert [item["name"] for item in document["items"]] == list(graphemes.WORDS)
    with torch.no_grad():
        ours.encoder.weight_hh_l0[300, 3] += 0.05
    assert not graphemes.certificate(ours, theirs).ok


def live(explorer: byhand.explorer.Explorer, folder: Path) -> dict:
    """The document of a saved page, which computes in the browser."""
    document = document_in(explorer.save(folder / "live.html"))
    assert document["computed"] is True and document["why_not"] is None
    return document
