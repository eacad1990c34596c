"""The programs of experiments/real_models without a network and without the packages: what they say, and that nothing is left half-made."""

import math
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from experiments.real_models import graphemes, packages, program, speech, voice_activity, voice_encoder
from experiments.real_models.mel import filters, mel_bands


def test_a_package_that_cannot_be_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    missing = packages.Package("byhand-no-such-thing", "byhand_no_such_thing", "1.0", "0" * 64)
    monkeypatch.setattr(voice_activity, "SILERO", missing)
    assert program.main("voice_activity", voice_activity.parts, sound=True, words=[]) == 2
    assert "could not fetch byhand-no-such-thing==1.0" in capfd.readouterr().err
    assert not list((tmp_path / "runs/real_models/packages").iterdir())


def test_stand_ins_are_gone_afterwards(tmp_path: Path) -> None:
    before = set(sys.modules)
    with packages.standing_in({"nltk.corpus": packages.module("nltk.corpus")}):
        assert "nltk.corpus" in sys.modules
    assert set(sys.modules) == before


def test_without_espeak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(OSError, match="apt-get install espeak-ng"):
        speech.say("hello")


def test_resampling_keeps_a_tone() -> None:
    time = torch.arange(22050, dtype=torch.float64) / 22050
    made = speech.resampled(torch.sin(2 * math.pi * 440 * time).float(), 22050)
    there = torch.sin(2 * math.pi * 440 * torch.arange(16000, dtype=torch.float64) / 16000).float()
    torch.testing.assert_close(made, there, rtol=0, atol=1e-5)


def test_a_tone_is_in_its_own_band() -> None:
    """The band whose triangle has its peak next to the tone, by the filters' own peaks in hertz; twice as loud is four times the power."""
    time = torch.arange(16000, dtype=torch.float64) / 16000
    peaks = filters().argmax(1) * 40.0  # hertz
    for hertz in (440.0, 2000.0, 5000.0):
        tone = 0.5 * torch.sin(2 * math.pi * hertz * time).float()
        bands = mel_bands(tone)[50]
        assert (peaks[bands.argmax()] - hertz).abs() <= 0.08 * hertz + 40
        torch.testing.assert_close(mel_bands(2 * tone)[50], 4 * bands, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("module", [voice_encoder, voice_activity, graphemes])
def test_the_help_of_each_program(module: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    name = module.__name__.rpartition(".")[2]
    with pytest.raises(SystemExit) as ended:
        program.main(name, module.parts, sound=module is not graphemes, words=["--help"])
    said = capsys.readouterr().out
    assert ended.value.code == 0 and f"python -m experiments.real_models.{name}" in said
    assert ("--wav" in said.partition("options:")[2]) == (module is not graphemes)
