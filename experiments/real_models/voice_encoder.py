"""resemblyzer, a voice encoder: three LSTM layers of 256 units read 40 mel bands every 10 ms; their last output says whose voice it is.

    python -m experiments.real_models.voice_encoder [--wav FILE] [--out FOLDER]

Certified against the package's own VoiceEncoder, shown on speech, and asked which layer remembers a voice, and for how long.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

import byhand
from byhand import explain
from byhand.explorer.explorer import Explorer
from byhand.interop.parity import ParityReport, difference, versions_of
from byhand.plots.style import FORGET, INK, SLATE, TEAL, styled
from experiments.real_models import speech
from experiments.real_models.mel import mel_bands
from experiments.real_models.packages import RESEMBLYZER, folder_of, module, own
from experiments.real_models.program import TOLERANCE, main, row

PARTIAL = 160  # frames of 10 ms that the package embeds at once
LONG = 400  # frames, to see what it does beyond
VOICES = ("en-us+m3", "en-us+f3", "en-gb+m7", "en-gb-scotland+f2", "en-gb+m1", "en-us+f5")
TICKS = (0.1, 1, 10, 100, 1000)
LAYERS = ("l0", "l1", "l2")
FRAMES = (10, 20, 40, 80, 120, 160, 240, 320, 400)


def package() -> Any:
    """The package's own VoiceEncoder, with its weights; its module `audio`, which needs librosa and webrtcvad, stood in for."""
    stand_ins = {"resemblyzer.audio": module("resemblyzer.audio")}
    return own(RESEMBLYZER, "voice_encoder", stand_ins).VoiceEncoder("cpu", verbose=False).eval()


def certificate(theirs: Any, ours: Any, layer: byhand.LSTM, mels: Tensor) -> ParityReport:
    """The package's own module beside the same one converted, and beside the weights read from its file."""
    with torch.no_grad():
        output, (h, c) = theirs.lstm(mels)
        read_output, (read_h, read_c) = layer(mels)
        values = {
            "embedding, byhand.convert": difference(ours(mels), theirs(mels)),
            "outputs, byhand.load_weights": difference(read_output, output),
            "h after the last, byhand.load_weights": difference(read_h, h),
            "c after the last, byhand.load_weights": difference(read_c, c),
        }
    note = (
        f"{len(mels)} sequence(s) of {mels.shape[1]} frames, mel bands computed here; c goes up to {float(c.abs().max()):.1f}"
    )
    versions = versions_of() | {RESEMBLYZER.name: RESEMBLYZER.version}
    return ParityReport(f"{RESEMBLYZER.pinned} against its own VoiceEncoder", values, TOLERANCE, versions, (note,))


def page(layer: byhand.LSTM, mels: Tensor, items: Sequence[str]) -> Explorer:
    """The three layers on the first 1.6 seconds."""
    features = [f"mel {number}" for number in range(mels.shape[2])]
    title = "resemblyzer's voice encoder, 10 ms a step"
    return byhand.explore(layer, mels, features=features, items=items, title=title)


class Measured(NamedTuple):
    """half_lives: layer -> of each unit, in frames. drift: frames -> cosine of the embedding and that of ten frames before. towards: frames
    -> cosine with the embedding after 160. left: layer -> after a change of voice, for each frame, how far the outputs are from those of a
    network that heard the second voice only, as a share of how far they are after one frame. turns: for each pair of voices, frames until
    the embedding is nearer to the second voice's than to the first's. between: the mean cosine of those two.
    """

    half_lives: dict[str, Tensor]
    drift: dict[int, float]
    towards: dict[int, float]
    left: dict[str, Tensor]
    turns: list[int]
    between: float


def embeddings(model: Any, outputs: Tensor) -> Tensor:
    """As the package makes them of the last output, of every one. (..., 256)."""
    return torch.nn.functional.normalize(torch.relu(model.linear(outputs)), dim=-1)


def spoken(voice: str, frames: int, begin: int = 0) -> Tensor:
    """Mel bands of the sentences by one voice, joined, from the sentence `begin` on."""
    order = speech.SENTENCES[begin:] + speech.SENTENCES[:begin]
    return mel_bands(torch.cat([speech.trimmed(speech.say(text, voice)) for text in order]))[:frames]


@torch.no_grad()
def measure(model: Any) -> Measured:
    """model: the converted VoiceEncoder."""
    first = torch.stack([spoken(voice, LONG) for voice in VOICES])
    with byhand.record(model) as trace:
        model.lstm(first)
    half_lives = {layer: explain.half_life(trace)[f"lstm.{layer}.c"] for layer in LAYERS}
    made = embeddings(model, trace["lstm.l2.h"])
    cosines = {n: float((made[n - 1] * made[n - 11]).sum(-1).mean()) for n in FRAMES if n > 10}
    towards = {n: float((made[n - 1] * made[PARTIAL - 1]).sum(-1).mean()) for n in FRAMES if n <= PARTIAL}
    second = torch.stack([spoken(voice, LONG, begin=2) for voice in (*VOICES[1:], VOICES[0])])
    with byhand.record(model) as both:
        model.lstm(torch.cat([first, second], 1))
    with byhand.record(model) as alone:
        model.lstm(second)
    left = {}
    for layer in LAYERS:
        site = f"lstm.{layer}.h"
        apart = (both[site][LONG:] - alone[site]).norm(dim=-1).mean(1)
        left[layer] = apart / apart[0]
    after = embeddings(model, both["lstm.l2.h"])[LONG:]
    before, target = made[-1], embeddings(model, alone["lstm.l2.h"])[-1]
    nearer = (after * target).sum(-1) > (after * before).sum(-1)
    turns = [int(nearer[:, pair].float().argmax()) + 1 if bool(nearer[:, pair].any()) else LONG for pair in range(len(VOICES))]
    return Measured(half_lives, cosines, towards, left, turns, float((before * target).sum(-1).mean()))


def lines(found: Measured) -> list[str]:
    """What was measured, in words."""
    said = []
    for layer, values in found.half_lives.items():
        low, middle, high = values.quantile(torch.tensor([0.1, 0.5, 0.9])).tolist()
        said.append(
            f"{layer}: half-life of its units in frames of 10 ms: median {middle:.1f}, a tenth below {low:.1f}, a tenth above {high:.1f}"
        )
    for layer, values in found.left.items():
        shares = {n: float(values[n - 1]) for n in (2, 5, 10, 20, 40, 80, 160, 400)}
        said.append(row(f"{layer}: what is left of the first voice, frames after the second began", shares))
    return [
        *said,
        row("embedding beside that after 160 frames, cosine", found.towards, ".3f"),
        row("embedding beside that of ten frames before, cosine", found.drift, ".3f"),
        f"frames until the embedding is nearer to the second voice's, pair by pair: {found.turns}; cosine of the two: {found.between:.2f}",
    ]


@styled
def picture(found: Measured) -> Any:
    """Half-lives of the three layers; what is left of the first voice; the embedding on its way."""
    from matplotlib.figure import Figure  # noqa: PLC0415 (kept beside the style that it is drawn in)

    figure = Figure(figsize=(9.5, 4.2), layout="constrained")
    figure.suptitle("resemblyzer: the top layer alone remembers", x=0.01, ha="left")
    left, right = figure.subplots(1, 2)
    for (layer, values), colour, style in zip(found.half_lives.items(), (SLATE, FORGET, TEAL), (":", "--", "-"), strict=True):
        left.plot(values.sort().values.clamp(0.05, 1e4), torch.linspace(0, 1, len(values)), color=colour, ls=style, label=layer)
    left.axvline(PARTIAL, color=INK, lw=0.8)
    left.text(PARTIAL * 0.9, 0.02, "160 frames, embedded\nat once", va="bottom", ha="right", fontsize=8.5)
    left.set(xscale="log", title="Half-lives of the units", xlabel="frames of 10 ms", ylabel="share of units with at most that")
    left.set_xticks(TICKS, [f"{tick:g}" for tick in TICKS])
    left.minorticks_off()
    left.legend(loc="upper left")
    for (layer, values), colour, style in zip(found.left.items(), (SLATE, FORGET, TEAL), (":", "--", "-"), strict=True):
        right.plot(range(1, len(values) + 1), values, color=colour, ls=style, label=layer)
    right.set(
        title="What is left of the voice before",
        xlabel="frames since the voice changed",
        ylabel="of that after one frame",
        ylim=(0, None),
    )
    right.legend(loc="upper right")
    return figure


def parts(options: argparse.Namespace) -> Any:
    theirs, ours = package(), package()
    byhand.convert(ours)
    layer = byhand.load_weights(folder_of(RESEMBLYZER) / "pretrained.pt", batch_first=True)
    if options.wav:
        mels, items = mel_bands(speech.heard(options.wav))[None, :PARTIAL], [options.wav.name]
    else:
        mels, items = torch.stack([spoken(voice, PARTIAL) for voice in VOICES]), list(VOICES)
    found = measure(ours)
    return certificate(theirs, ours, layer, mels), page(layer, mels, items), lines(found), lambda: picture(found)


if __name__ == "__main__":
    sys.exit(main("voice_encoder", parts, sound=True))
