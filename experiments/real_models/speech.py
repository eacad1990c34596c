"""Speech to hear: made by espeak-ng, or a .wav of yours, as one channel at 16,000 samples a second."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import wave
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from byhand.explorer.load.onnx_data import read_sound

RATE = 16_000
SENTENCES = (
    "The north wind and the sun were disputing which was the stronger.",
    "A traveller came along, wrapped in a warm cloak.",
    "They agreed that the one who first made him take it off should be called the stronger.",
    "Then the north wind blew as hard as he could, and at last he gave up the attempt.",
)


def say(text: str, voice: str = "en", speed: int = 160) -> Tensor:
    """What espeak-ng makes of a text: (samples,), from -1 to 1. OSError if it is not there or fails."""
    program = shutil.which("espeak-ng")
    if program is None:
        raise OSError("espeak-ng is not installed: sudo apt-get install espeak-ng (Debian), or give --wav FILE")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "said.wav"
        done = subprocess.run(
            [program, "-v", voice, "-s", str(speed), "-w", str(file), text], capture_output=True, text=True, check=False
        )
        if done.returncode or not file.is_file():
            raise OSError(f"espeak-ng failed on voice {voice!r}: {done.stderr.strip()}")
        return heard(file)


def heard(file: Path) -> Tensor:
    """A .wav at 16,000 samples a second. ValueError, OSError."""
    found = read_sound(file)
    assert found.rate is not None
    return resampled(found.values, found.rate)


def resampled(samples: Tensor, rate: int) -> Tensor:
    """At 16,000 samples a second: frequencies above 8,000 left out, by a Fourier transform of the whole."""
    if rate == RATE:
        return samples
    count = round(len(samples) * RATE / rate)
    spectrum = np.fft.rfft(samples.double().numpy())
    kept = np.zeros(count // 2 + 1, complex)
    shared = min(len(kept), len(spectrum))
    kept[:shared] = spectrum[:shared]
    return torch.from_numpy(np.fft.irfft(kept, count) * (count / len(samples))).float().clamp(-1, 1)


def trimmed(samples: Tensor, floor: float = 0.01) -> Tensor:
    """Without what is quieter than `floor` at both ends."""
    loud = (samples.abs() > floor).nonzero().flatten()
    return samples[int(loud[0]) : int(loud[-1]) + 1]


def write(samples: Tensor, file: Path) -> Path:
    """As a .wav of 16 bits."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(file), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        sound.writeframes((samples * 32767).round().to(torch.int16).numpy().tobytes())
    return file
