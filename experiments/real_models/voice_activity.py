"""silero-vad, a voice-activity detector: an ONNX file with an LSTM of 128 units inside an If, called on 512 samples (32 ms) at a time.

    python -m experiments.real_models.voice_activity [--wav FILE] [--out FOLDER]

Certified against the package's own OnnxWrapper, shown on speech, and asked which units of the cell state tell speech from pauses.
"""

from __future__ import annotations

import argparse
import copy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

import byhand
from byhand import explain
from byhand.explorer import cli
from byhand.explorer.explorer import Explorer
from byhand.interop.onnx_in.model import OnnxModel
from byhand.interop.parity import ParityReport, difference, versions_of
from byhand.plots.style import FORGET, INK, SLATE, TEAL, styled
from experiments.real_models import speech
from experiments.real_models.packages import FOLDER, SILERO, folder_of, own
from experiments.real_models.program import TOLERANCE, main, row

CHUNK, CONTEXT, UNITS = 512, 64, 128
PAUSE = 2 * speech.RATE  # samples of silence after each sentence
DRAWS = 10  # orders of units at random, to compare with
HELD = (0, 1, 2, 4, 8, 16, 32, 64, 128)  # how many units are held at once
REST = 25  # chunks after the end of a sentence, from which on a pause counts as settled


class Heard(NamedTuple):
    """samples: (samples,). marks: first sample of each sentence, and the one after its last; none of a .wav of one's own."""

    samples: Tensor
    marks: list[tuple[int, int]]


def model_file() -> Path:
    return folder_of(SILERO) / "data" / "silero_vad.onnx"


def sentences(noise: float = 0.0) -> Heard:
    """Four sentences with pauses of two seconds, in which is nothing, or noise of this standard deviation all along."""
    pieces, marks, at_sample = [torch.zeros(speech.RATE)], list[tuple[int, int]](), speech.RATE
    for text in speech.SENTENCES:
        said = speech.trimmed(speech.say(text))
        marks.append((at_sample, at_sample + len(said)))
        pieces += [said, torch.zeros(PAUSE)]
        at_sample += len(said) + PAUSE
    samples = torch.cat(pieces)
    drawn = torch.randn(len(samples), generator=torch.Generator().manual_seed(0))
    return Heard((samples + noise * drawn).clamp(-1, 1), marks)


def called(model: OnnxModel, samples: Tensor, batch: int = 1) -> tuple[Tensor, Tensor]:
    """The probability of speech, (chunks, batch), and the last state, of `batch` times the same sound."""
    state, rate, found = torch.zeros(2, batch, UNITS), torch.tensor(speech.RATE), []
    padded = torch.cat([torch.zeros(CONTEXT), samples])
    for start in range(0, len(samples) - CHUNK + 1, CHUNK):
        piece = padded[start : start + CONTEXT + CHUNK].expand(batch, -1).contiguous()
        outputs = model(input=piece, state=state, sr=rate)
        state = outputs["stateN"]
        found.append(outputs["output"][:, 0])
    return torch.stack(found), state


def package(samples: Tensor) -> tuple[Tensor, Tensor]:
    """The probabilities and the last state of the package's own OnnxWrapper."""
    wrapper = own(SILERO, "utils_vad", {}).OnnxWrapper(str(model_file()), force_onnx_cpu=True)
    return wrapper.audio_forward(samples, speech.RATE)[0], wrapper._state


def certificate(samples: Tensor, ours: Tensor, state: Tensor, nodes: ParityReport) -> ParityReport:
    """What byhand computes beside the package's own OnnxWrapper, over all calls; and node by node beside onnxruntime, in the last.

    As in the certificates of all ONNX models, values beyond 1 are compared relative to the greatest of them, with a note.
    """
    theirs, their_state = package(samples[: len(ours) * CHUNK])
    apart, largest = difference(state[1], their_state[1]), max(1.0, float(their_state[1].abs().max()))
    values = {
        f"probability, {len(ours)} calls": difference(ours, theirs),
        "h after the last": difference(state[0], their_state[0]),
        "c after the last": apart / largest,
    }
    values |= {f"last call, {name}": value for name, value in nodes.values.items()}
    notes = (
        f"c after the last: relative to its greatest value, {largest:.1f}; the difference itself is {apart:.1e}",
        *nodes.notes,
    )
    versions = versions_of([SILERO.name, "onnxruntime"]) | {SILERO.name: SILERO.version}
    return ParityReport(f"{SILERO.pinned} against its own OnnxWrapper", values, TOLERANCE, versions, notes)


def page(wav: Path) -> Explorer:
    """What `byhand explore silero_vad.onnx --input speech.wav --chunk 512 --context 64` shows."""
    words = [str(model_file()), "--input", str(wav), "--chunk", str(CHUNK), "--context", str(CONTEXT)]
    return cli.explorer_of(cli.parser().parse_args(words))


class Measured(NamedTuple):
    """Of the made sentences. order: units by how far their cell state differs between speech and pause in the first two, in standard
    deviations (`apart`). held: how many of them were held in the last two -> probability in speech, and in pauses, each with that of
    as many units drawn at random, the mean of ten draws.
    """

    probability: Tensor
    memory: Tensor  # (chunks, units)
    marks: list[tuple[int, int]]
    apart: Tensor
    order: Tensor
    half_lives: Tensor
    held: dict[str, dict[int, float]]


def within(marks: list[tuple[int, int]], chunks: int, *, pauses: bool) -> Tensor:
    """The chunks wholly inside sentences, or those of settled pauses."""
    found = torch.zeros(chunks, dtype=torch.bool)
    for first, last in marks:
        if pauses:
            found[last // CHUNK + REST : (last + PAUSE) // CHUNK - 1] = True
        else:
            found[first // CHUNK + 2 : last // CHUNK - 1] = True
    return found


def measure(model: OnnxModel, heard: Heard) -> Measured:
    """Which units differ between speech and pauses, and what becomes of the probability when they are held."""
    with torch.no_grad(), byhand.record(model) as trace:
        probability = called(model, heard.samples)[0][:, 0]
    joined = trace.joined()
    site = f"{joined.places[0]}.c"
    memory = joined[site][:, 0]
    speaking, resting = (within(heard.marks[:2], len(memory), pauses=pauses) for pauses in (False, True))
    means = {"speech": memory[speaking].mean(0), "pause": memory[resting].mean(0)}
    spread = ((memory[speaking].var(0) + memory[resting].var(0)) / 2).sqrt()
    apart = (means["speech"] - means["pause"]) / spread
    order = apart.abs().argsort(descending=True)
    later = heard.samples[heard.marks[1][1] + PAUSE :]
    begin = len(heard.samples) - len(later)
    marks = [(first - begin, last - begin) for first, last in heard.marks[2:]]
    generator = torch.Generator().manual_seed(0)
    orders = [order, *(torch.randperm(UNITS, generator=generator) for _ in range(DRAWS))]
    mask = torch.zeros(len(orders), len(HELD), UNITS, dtype=torch.bool)
    for number, one in enumerate(orders):
        for place, count in enumerate(HELD):
            mask[number, place, one[:count]] = True
    held: dict[str, dict[int, float]] = {}
    for where, value in (("speech", means["pause"]), ("pause", means["speech"])):
        with torch.no_grad(), byhand.edit(model, {site: holding(mask.flatten(0, 1), value)}):
            made = called(model, later, len(orders) * len(HELD))[0]
        asked = made[within(marks, len(made), pauses=where == "pause")].mean(0).view(len(orders), len(HELD))
        held[where] = dict(zip(HELD, asked[0].tolist(), strict=True))
        held[f"{where}, drawn units"] = dict(zip(HELD, asked[1:].mean(0).tolist(), strict=True))
    return Measured(probability, memory, heard.marks, apart, order, explain.half_life(joined)[site], held)


def holding(mask: Tensor, value: Tensor) -> Callable[[Tensor], Tensor]:
    """A change of the cell state: these units at this value, in each of the batch's sequences its own. mask: (batch, units)."""
    return lambda memory: torch.where(mask, value, memory)


def delays(found: Measured, unit: int | None = None, *, onset: bool = False) -> list[int]:
    """Chunks from the one in which a sentence ends until the probability is below one half, or a unit's memory half-way to what it is in
    pauses; with onset, from the one in which a sentence begins, the other way.
    """
    counts = []
    speaking, resting = (within(found.marks, len(found.memory), pauses=pauses) for pauses in (False, True))
    for mark in found.marks:
        start = mark[0 if onset else 1] // CHUNK
        after = slice(start, start + REST)
        if unit is None:
            paused = found.probability[after] < 0.5
        else:
            low, high = (found.memory[chosen, unit].mean() for chosen in (speaking, resting))
            paused = (found.memory[after, unit] - low) / (high - low) > 0.5
        reached = ~paused if onset else paused
        counts.append(int(reached.float().argmax()) if bool(reached.any()) else REST)
    return counts


def in_float64(model: OnnxModel, trace: byhand.Trace, state: Tensor, theirs: Tensor) -> str:
    """How far both are from the same steps in float64, on the inputs that the layer got."""
    joined = trace.joined()
    place = joined.places[0]
    layer = copy.deepcopy(model.layers[place.rpartition(".")[0]]).double()
    with torch.no_grad():
        exact = layer(joined.run(place).input.double())[1][1][0]
    ours, other = difference(state[1], exact), difference(theirs[1], exact)
    return f"c after the last, from the same steps in float64: byhand {ours:.1e}, the package {other:.1e}"


def lines(found: Measured) -> list[str]:
    """What was measured, in words."""
    speaking, resting = (within(found.marks, len(found.memory), pauses=pauses) for pauses in (False, True))
    said = [
        f"probability of speech: {found.probability[speaking].mean():.3f} in sentences, {found.probability[resting].mean():.3f} in pauses",
        f"chunks of 32 ms from the end of each sentence until it is below one half: {delays(found)};"
        f" from its beginning until it is above: {delays(found, onset=True)}",
    ]
    for unit in found.order[:6].tolist():
        memory = found.memory[:, unit]
        said.append(
            f"unit {unit}: {memory[speaking].mean():+.2f} in sentences (standard deviation {memory[speaking].std():.2f}),"
            f" {memory[resting].mean():+.2f} in pauses ({memory[resting].std():.2f}), half-life {found.half_lives[unit]:.1f} chunks;"
            f" chunks until half-way after the end {delays(found, unit)}, after the beginning {delays(found, unit, onset=True)}"
        )
    larger = found.memory[resting].mean(0).abs() > found.memory[speaking].mean(0).abs()
    said.append(
        f"of the 16 units that differ most, further from 0 in pauses than in speech: {int(larger[found.order[:16]].sum())}"
    )
    said += [row(f"probability in {name}, by how many units are held", values) for name, values in found.held.items()]
    return said


@styled
def picture(found: Measured) -> Any:
    """The probability, two units, and what holding units does."""
    from matplotlib.figure import Figure  # noqa: PLC0415 (kept beside the style that it is drawn in)

    figure = Figure(figsize=(9.5, 7.2), layout="constrained")
    figure.suptitle("silero-vad: its memory marks the pauses", x=0.01, ha="left")
    parts = figure.subplot_mosaic([["p", "p"], ["c", "c"], ["s", "q"]], height_ratios=[1, 1.3, 1.5])
    seconds = torch.arange(len(found.memory)) * CHUNK / speech.RATE
    for name in "pc":
        for number, (first, last) in enumerate(found.marks):
            label = "a sentence" if name == "p" and not number else None
            parts[name].axvspan(first / speech.RATE, last / speech.RATE, color="0.92", lw=0, label=label)
        parts[name].set_xlim(0, float(seconds[-1]))
    parts["p"].plot(seconds, found.probability, color=INK, lw=1)
    parts["p"].set(title="Probability of speech", ylim=(-0.03, 1.03), ylabel="probability")
    parts["p"].legend(loc="lower right", bbox_to_anchor=(1, 1), borderpad=0)
    for unit, colour, style in zip(found.order[:2].tolist(), (TEAL, FORGET), ("-", "--"), strict=True):
        parts["c"].plot(seconds, found.memory[:, unit], color=colour, lw=1.2, ls=style, label=f"unit {unit}")
    parts["c"].set(title="Cell state (long memory) of the two units that differ most", xlabel="seconds", ylabel="cell state")
    parts["c"].legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderpad=0)
    for name, where, title in (
        ("s", "speech", "In speech, units held as in a pause"),
        ("q", "pause", "In pauses, units held as in speech"),
    ):
        for key, colour, style, label in (
            (where, TEAL, "o-", "those that differ most"),
            (f"{where}, drawn units", SLATE, "s--", "drawn at random"),
        ):
            parts[name].plot(range(len(HELD)), list(found.held[key].values()), style, color=colour, ms=4, label=label)
        parts[name].set(title=title, ylim=(-0.03, 1.03), xlabel="units held at once, of 128", ylabel="probability of speech")
        parts[name].set_xticks(range(len(HELD)), [str(count) for count in HELD])
        parts[name].legend(loc="best")
    return figure


def parts(options: argparse.Namespace) -> Any:
    model = byhand.open_onnx(model_file())
    made = sentences()
    shown = speech.heard(options.wav) if options.wav else made.samples
    wav = speech.write(shown, FOLDER / "speech.wav")
    shown = speech.heard(wav)
    with torch.no_grad(), byhand.record(model) as trace:
        probability, state = called(model, shown)
    report = certificate(shown, probability[:, 0], state, model.certificate)
    found = measure(model, made)
    noisy = measure(model, sentences(noise=0.003))
    theirs = package(shown[: len(probability) * CHUNK])[1]
    said = [
        in_float64(model, trace, state, theirs),
        *lines(found),
        "with noise of 0.003 all along:",
        *(f"  {line}" for line in lines(noisy)),
    ]
    return report, page(wav), said, lambda: picture(found)


if __name__ == "__main__":
    sys.exit(main("voice_activity", parts, sound=True))
