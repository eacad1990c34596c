"""Sound as resemblyzer wants it: 40 mel bands, 25 ms windows every 10 ms, power.

The numbers are those of its hparams.py; the formulas those that librosa documents for melspectrogram: a periodic Hann window, frames
centred and padded with zeros, Slaney's mel scale, triangles of equal area. Equal to librosa 0.11.0 within 2e-6 on a sentence.
Long pauses are not cut out, as the package does with webrtcvad.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from experiments.real_models.speech import RATE

WINDOW, HOP, BANDS = 400, 160, 40
LOUDNESS = -30.0  # dB below full scale; what is quieter is made as loud
LINEAR, STEP = 200 / 3, math.log(6.4) / 27  # hertz a mel below 1,000 Hz; ln of the ratio from mel to mel above


def to_hertz(mel: Tensor) -> Tensor:
    """Slaney's scale: linear below 1,000 Hz, which is mel 15, logarithmic above."""
    return torch.where(mel < 15, mel * LINEAR, 1000 * torch.exp((mel - 15) * STEP))


def filters() -> Tensor:
    """(bands, frequencies): triangles, each of area 1 over hertz."""
    highest = 15 + math.log(RATE / 2 / 1000) / STEP
    edges = to_hertz(torch.linspace(0, highest, BANDS + 2, dtype=torch.float64))
    hertz = torch.arange(WINDOW // 2 + 1, dtype=torch.float64) * RATE / WINDOW
    low, middle, high = (edges[k : BANDS + k, None] for k in range(3))
    triangles = torch.minimum((hertz - low) / (middle - low), (high - hertz) / (high - middle)).clamp(min=0)
    return triangles * 2 / (high - low)


def mel_bands(samples: Tensor) -> Tensor:
    """(samples,) -> (frames, bands)."""
    power = samples.double().square().mean()
    louder = LOUDNESS - 10 * float(power.log10())
    samples = samples.double() * (10 ** (louder / 20) if louder > 0 else 1)
    window = torch.hann_window(WINDOW, dtype=torch.float64)
    spectrum = torch.stft(samples, WINDOW, HOP, window=window, center=True, pad_mode="constant", return_complex=True)
    return (filters() @ spectrum.abs().square()).float().T
