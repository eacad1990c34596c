"""g2p-en, from letters to sounds: a GRU of 256 units reads a word, another speaks it; numpy, with the weights in checkpoint20.npz.

    python -m experiments.real_models.graphemes [--out FOLDER]

Certified against the package's own G2p, shown on words, and asked what the encoder's last state keeps of each letter.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

import byhand
from byhand.explorer.explorer import Explorer
from byhand.interop.npz import read_npz
from byhand.interop.parity import ParityReport, difference, versions_of
from byhand.plots.style import FORGET, INK, SLATE, TEAL, styled
from experiments.real_models.packages import G2P, folder_of, module, own
from experiments.real_models.program import TOLERANCE, main, row

WORDS = ("byhand", "recurrent", "gated", "knowledge", "thought", "xylophone", "quiche", "activationist")
LENGTHS = (3, 5, 7, 9, 11, 13)
LEARN, TEST = 1500, 500  # words of each length
SWAPPED = (0, 4, 8, 16, 32, 64, 128, 256)  # how many units are taken from another word's state
START, END = 2, 3  # <s> and </s> among the sounds
MOST = 20  # sounds, as in the package
RIDGE = 1.0


class Graphemes(nn.Module):
    """The same network of byhand's layers: logits of each sound, (batch, sounds, 74), as far as the word that ends last."""

    def __init__(self) -> None:
        super().__init__()
        arrays = {
            name: torch.tensor(np.asarray(value)) for name, value in read_npz(folder_of(G2P) / "checkpoint20.npz").items()
        }
        self.letters, self.sounds = (nn.Embedding.from_pretrained(arrays[f"{name}_emb"]) for name in ("enc", "dec"))
        self.encoder, self.decoder = (gru(arrays, name) for name in ("enc", "dec"))
        self.head = nn.Linear(256, 74)
        self.head.load_state_dict({"weight": arrays["fc_w"], "bias": arrays["fc_b"]})

    def encode(self, ids: Tensor) -> Tensor:
        """The encoder's states, (batch, letters, 256)."""
        return self.encoder(self.letters(ids))[0]

    def first(self, state: Tensor) -> Tensor:
        """Logits of the first sound, of an encoder's last state."""
        start = self.sounds(torch.full((len(state), 1), START))
        return self.head(self.decoder(start, state[None])[0][:, 0])

    def speak(self, ids: Tensor) -> tuple[list[int], Tensor]:
        """The sounds of one word, each the likeliest after those before, and the decoder's states."""
        state, said, states = self.encode(ids)[:, -1][None], [START], []
        while len(said) <= MOST:
            output, state = self.decoder(self.sounds(torch.tensor([[said[-1]]])), state)
            states.append(output[0, 0])
            best = int(self.head(output).argmax())
            if best == END:
                break
            said.append(best)
        return said[1:], torch.stack(states)


def gru(arrays: dict[str, Tensor], name: str) -> byhand.LSTM:
    """One of the two, by torch's names: the package lays its gates out as torch does."""
    names = {"weight_ih_l0": "w_ih", "weight_hh_l0": "w_hh", "bias_ih_l0": "b_ih", "bias_hh_l0": "b_hh"}
    return byhand.load_weights({ours: arrays[f"{name}_{theirs}"] for ours, theirs in names.items()}, batch_first=True)


def package() -> Any:
    """The package's own G2p; nltk and inflect, which look words up and spell numbers, stood in for."""
    stand_ins: dict[str, ModuleType] = {
        "nltk": module("nltk", pos_tag=None, data=module("data", find=str)),
        "nltk.corpus": module("nltk.corpus", cmudict=module("cmudict", dict=dict)),
        "nltk.tokenize": module("nltk.tokenize", TweetTokenizer=lambda: module("tokenizer", tokenize=None)),
        "g2p_en.expand": module("g2p_en.expand", normalize_numbers=None),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it leaves its list of words open
        return own(G2P, "g2p", stand_ins).G2p()


def ids_of(theirs: Any, words: list[str]) -> Tensor:
    """Words of one length as the package numbers them, and the end."""
    return torch.tensor([[theirs.g2idx[letter] for letter in word] + [theirs.g2idx["</s>"]] for word in words])


@torch.no_grad()
def certificate(ours: Graphemes, theirs: Any) -> ParityReport:
    """State by state, and sound by sound, on WORDS."""
    values: dict[str, float] = {"encoder's states": 0.0, "decoder's states": 0.0}
    for word in WORDS:
        ids = ids_of(theirs, [word])
        weights = [getattr(theirs, f"enc_{name}") for name in ("w_ih", "w_hh", "b_ih", "b_hh")]
        states = theirs.gru(theirs.encode(word), len(word) + 1, *weights)
        values["encoder's states"] = max(values["encoder's states"], difference(ours.encode(ids), torch.tensor(states)))
        said, made = ours.speak(ids)
        if [theirs.idx2p[one] for one in said] != theirs.predict(word):
            raise ValueError(f"{word}: expected the sounds {theirs.predict(word)}, got {[theirs.idx2p[one] for one in said]}")
        state, rows = states[:, -1], []
        for one in [START, *said][: len(made)]:
            weights = [getattr(theirs, f"dec_{name}") for name in ("w_ih", "w_hh", "b_ih", "b_hh")]
            state = theirs.grucell(theirs.dec_emb[[one]], state, *weights)
            rows.append(torch.tensor(state[0]))
        values["decoder's states"] = max(values["decoder's states"], difference(made, torch.stack(rows)))
    notes = (
        f"the same sounds for {', '.join(WORDS)}",
        "nltk and inflect of the package stood in for: they look words up before the network is asked",
    )
    return ParityReport(
        f"{G2P.pinned} against its own G2p",
        values,
        TOLERANCE,
        versions_of([G2P.name, "numpy"]) | {G2P.name: G2P.version},
        notes,
    )


@torch.no_grad()
def page(ours: Graphemes, theirs: Any) -> Explorer:
    """The encoder on WORDS."""
    longest = max(map(len, WORDS)) + 1
    x = torch.zeros(len(WORDS), longest, ours.letters.embedding_dim)
    for number, word in enumerate(WORDS):
        x[number, : len(word) + 1] = ours.letters(ids_of(theirs, [word])[0])
    lengths = [len(word) + 1 for word in WORDS]
    signs = [[*word, "·"] for word in WORDS]
    title = "g2p-en's encoder reads words; · is the end"
    return byhand.explore(ours.encoder, x, lengths=lengths, characters=signs, items=list(WORDS), title=title, name="encoder")


def drawn_words(length: int, count: int, seed: int) -> list[str]:
    """Words that are none: consonants and vowels, mostly in turn."""
    rng, found = np.random.default_rng([seed, length]), list[str]()
    while len(found) < count:
        word, vowel = "", bool(rng.random() < 0.4)
        while len(word) < length:
            word += str(rng.choice(list("aeiou" if vowel else "bcdfghjklmnprstvwz")))
            vowel = not vowel if rng.random() < 0.85 else vowel
        found.append(word)
    return found


class Measured(NamedTuple):
    """right: length -> for each letter, the share of words in which a linear probe reads it off the encoder's last state. guess: the share
    of the commonest letter there. real: the same of first letters of the package's own list of words, and how many words these are.
    spread: unit -> share of its variance over words that the first letter explains. follows: how many units are another word's -> share
    of first sounds that are that word's; and of as many units drawn at random. keeps: the mean update gate z of the 16 units in which the
    first letter explains most, and of all.
    """

    right: dict[int, list[float]]
    guess: float
    real: tuple[float, int]
    spread: Tensor
    follows: dict[int, float]
    follows_drawn: dict[int, float]
    keeps: tuple[float, float]


def probe(states: Tensor, letters: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A ridge regression from states to letters: (mean, weights, offset)."""
    target = nn.functional.one_hot(letters, 29).double()
    mean = states.mean(0)
    centred = (states - mean).double()
    gram = centred.T @ centred + RIDGE * torch.eye(centred.shape[1], dtype=torch.float64)
    return mean, torch.linalg.solve(gram, centred.T @ (target - target.mean(0))), target.mean(0)


def read_off(found: tuple[Tensor, Tensor, Tensor], states: Tensor) -> Tensor:
    mean, weights, offset = found
    return ((states - mean).double() @ weights + offset).argmax(1)


@torch.no_grad()
def measure(ours: Graphemes, theirs: Any) -> Measured:
    """Probes learnt on LEARN words and tested on others; then states with units of another word's."""
    right: dict[int, list[float]] = {}
    guess, hits, count = 0.0, 0, 0
    real = sorted(
        {line.split("|")[0].lower() for line in (folder_of(G2P) / "homographs.en").read_text().splitlines() if line[0] != "#"}
    )
    for length in range(3, 14):
        ids = ids_of(theirs, drawn_words(length, LEARN + TEST, 0))
        states = ours.encode(ids)[:, -1]
        probes = [probe(states[:LEARN], ids[:LEARN, place]) for place in range(length)]
        right[length] = [
            float((read_off(one, states[LEARN:]) == ids[LEARN:, place]).float().mean()) for place, one in enumerate(probes)
        ]
        guess = max(guess, float(torch.bincount(ids[LEARN:, 0]).max()) / TEST)
        if its := [word for word in real if len(word) == length and word.isalpha()]:
            its_ids = ids_of(theirs, its)
            hits += int((read_off(probes[0], ours.encode(its_ids)[:, -1]) == its_ids[:, 0]).sum())
            count += len(its)
    ids = ids_of(theirs, drawn_words(8, LEARN, 1))
    with byhand.record(ours.encoder) as trace:
        states = ours.encode(ids)[:, -1]
    spread = explained(states, ids[:, 0])
    order = spread.argsort(descending=True)
    gate = trace["l0.z"][2:].mean((0, 1))
    generator = torch.Generator().manual_seed(0)
    drawn = [torch.randperm(256, generator=generator) for _ in range(10)]
    follows, follows_drawn = {}, {}
    for number in SWAPPED:
        follows[number] = followed(ours, theirs, order[:number])
        follows_drawn[number] = sum(followed(ours, theirs, one[:number]) for one in drawn) / len(drawn)
    return Measured(
        right,
        guess,
        (hits / count, count),
        spread,
        follows,
        follows_drawn,
        (float(gate[order[:16]].mean()), float(gate.mean())),
    )


def explained(values: Tensor, groups: Tensor) -> Tensor:
    """The share of each column's variance that lies between groups."""
    mean = values.mean(0)
    between = torch.zeros(values.shape[1])
    for one in groups.unique():
        its = values[groups == one]
        between += len(its) * (its.mean(0) - mean).square()
    return between / (values - mean).square().sum(0)


def followed(ours: Graphemes, theirs: Any, units: Tensor) -> float:
    """The share of pairs of words, of other first sounds, in which the first sound becomes the other word's with these units of its."""
    states = ours.encode(ids_of(theirs, drawn_words(8, 2 * TEST, 2)))[:, -1]
    one, other = states[:TEST], states[TEST:]
    before, wanted = ours.first(one).argmax(1), ours.first(other).argmax(1)
    mixed = one.clone()
    mixed[:, units] = other[:, units]
    apart = before != wanted
    return float((ours.first(mixed).argmax(1) == wanted)[apart].float().mean())


def lines(found: Measured) -> list[str]:
    """What was measured, in words."""
    top = found.spread.sort(descending=True).values
    return [
        *(
            row(f"words of {n}: letters read off the last state, by place", dict(enumerate(found.right[n])), ".2f")
            for n in LENGTHS
        ),
        f"always the commonest first letter: {found.guess:.2f} at most",
        f"first letter of {found.real[1]} English words, the probes learnt on drawn ones: {found.real[0]:.2f}",
        "words of 8: units in which the first letter explains over .3 of the variance:"
        f" {int((found.spread > 0.3).sum())} of 256; most: {top[0]:.2f}",
        f"update gate z (1 keeps) of the 16 where it explains most: {found.keeps[0]:.2f}; of all: {found.keeps[1]:.2f}",
        row("first sound becomes the other word's, by how many of those units are the other's", found.follows),
        row("the same, units drawn at random", found.follows_drawn),
    ]


@styled
def picture(found: Measured) -> Any:
    """What is read off, by place and length; and what swapping units does."""
    from matplotlib.figure import Figure  # noqa: PLC0415 (kept beside the style that it is drawn in)

    figure = Figure(figsize=(9.5, 4.2), layout="constrained")
    figure.suptitle("g2p-en: the encoder keeps both ends of a word", x=0.01, ha="left")
    left, right = figure.subplots(1, 2, width_ratios=[1.25, 1])
    for n, colour, mark in zip((5, 7, 9, 13), (SLATE, FORGET, INK, TEAL), "osD^", strict=True):
        left.plot(range(n), found.right[n], f"{mark}-", color=colour, ms=4)
        left.text(n - 1, found.right[n][-1] + 0.03, f"{n} letters", color=colour, ha="center", va="bottom", fontsize=8.5)
    left.axhline(found.guess, color="0.5", ls=":")
    left.text(0, found.guess - 0.02, "always the commonest letter", va="top", fontsize=8.5)
    left.set(
        title="Letters read off the last state",
        xlabel="place of the letter, from 0",
        ylabel="share read rightly",
        ylim=(0, 1.12),
    )
    left.set_xticks(range(0, 13, 2))
    for values, colour, style, label in (
        (found.follows, TEAL, "o-", "those of the first letter"),
        (found.follows_drawn, SLATE, "s--", "drawn at random"),
    ):
        right.plot(range(len(SWAPPED)), list(values.values()), style, color=colour, ms=4, label=label)
    right.set(
        title="Units of another word's state put in",
        xlabel="units, of 256",
        ylabel="first sound is the other word's",
        ylim=(-0.03, 1.03),
    )
    right.set_xticks(range(len(SWAPPED)), [str(one) for one in SWAPPED])
    right.legend(loc="upper left")
    return figure


def parts(options: argparse.Namespace) -> Any:
    del options
    ours, theirs = Graphemes().eval(), package()
    found = measure(ours, theirs)
    return certificate(ours, theirs), page(ours, theirs), lines(found), lambda: picture(found)


if __name__ == "__main__":
    sys.exit(main("graphemes", parts, sound=False))
