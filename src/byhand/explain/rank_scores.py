"""How well values go with a track, by ranks, and how well they would by chance, by turning the track round in time.

    a, b = ranks of the values and of the track, less their mean (of equal values, the mean of their ranks); of a 0/1 track
           itself, less its mean
    score = a·b / (|a| |b|)                     real track: Spearman's ρ
    score = 2 a·b / (n₀ n₁) = 2 AUC − 1         0/1 track, n₀ times 0 and n₁ times 1: the rank-biserial correlation
    z_s = a·b_s / √(mean over all shifts r of (a·b_r)²),      b_s = b turned round by s steps; z = z_0

AUC is the area under the ROC curve: how often a value at a 1 is above one at a 0. Ranks take any growing function of a track for the
track itself, and no single value can weigh much.

Spearman, The Proof and Measurement of Association between Two Things, Am. J. Psychology 15, 1904; Mann & Whitney, Annals of
Mathematical Statistics 18(1), 1947; Hanley & McNeil, The Meaning and Use of the Area under a ROC Curve, Radiology 143, 1982; Cureton,
Rank-Biserial Correlation, Psychometrika 21, 1956.

>>> centred_ranks(torch.tensor([[10.0, 30.0, 10.0, 20.0]])).tolist()
[[-1.0, 1.5, -1.0, 0.5]]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from torch import Tensor


def centred_ranks(values: Float[Tensor, "rows steps"]) -> Float[Tensor, "rows steps"]:
    """The ranks in each row, less their mean."""
    ordered, order = values.sort(dim=1)
    steps = torch.arange(values.shape[1]).expand_as(order)
    new = torch.ones_like(order, dtype=torch.bool)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    first = torch.where(new, steps, 0).cummax(1).values
    last_one = torch.cat([new[:, 1:], torch.ones_like(new[:, :1])], 1)
    last = torch.where(last_one, steps, values.shape[1]).flip(1).cummin(1).values.flip(1)
    middle = (first + last).double() / 2 - (values.shape[1] - 1) / 2
    return torch.empty_like(middle).scatter_(1, order, middle)


def centred(track: Float[Tensor, " steps"]) -> Float[Tensor, " steps"]:
    return track.double() - track.double().mean() if is_flag(track) else centred_ranks(track[None])[0]


def is_flag(track: Float[Tensor, " steps"]) -> bool:
    """Whether it is 0 or 1 throughout."""
    return bool(((track == 0) | (track == 1)).all())


def per_product(track: Float[Tensor, " steps"], b: Float[Tensor, " steps"], a: Float[Tensor, "rows steps"]) -> Tensor:
    """What a·b is multiplied with to be the score, for each row; NaN where a row, or the track, is always the same."""
    if is_flag(track):
        # score = 2 a·b / (n₀ n₁)
        ones = (track == 1).sum().double()
        factor = (2 / (ones * (len(track) - ones))).expand(len(a))
    else:
        # score = a·b / (|a| |b|)
        factor = 1 / (a.norm(dim=1) * b.norm())
    moves = (a != 0).any(1) & (b != 0).any()
    return torch.where(moves, factor, torch.nan)


def scores(a: Float[Tensor, "rows steps"], track: Float[Tensor, " steps"]) -> Float[Tensor, " rows"]:
    """Of centred ranks with a track."""
    b = centred(track)
    return (a @ b) * per_product(track, b, a)


def spectrum(a: Float[Tensor, "rows steps"]) -> Tensor:
    return torch.fft.rfft(a)


def chance(
    a: Float[Tensor, "rows steps"], over: Tensor, track: Float[Tensor, " steps"], shifts: Int[Tensor, " shifts"]
) -> tuple[Float[Tensor, " rows"], Float[Tensor, "rows shifts"]]:
    """How far from chance each row is, z, and how far it is at these shifts; NaN where there is nothing to measure. over: the spectrum
    of a.

    The mean is over all shifts, near ones and none at all too: so it is the same however the track is turned, and what is compared
    differs in nothing but the turn. Over the other shifts alone it would be too small where the pair goes well together.
    """
    b = centred(track)
    products = torch.fft.irfft(over * torch.fft.rfft(b).conj(), n=len(b))
    # z_s = a·b_s / √(mean over all shifts r of (a·b_r)²)
    size = products.square().mean(1).sqrt()
    size = torch.where((a != 0).any(1) & (b != 0).any(), size, torch.nan)
    return (a @ b) / size, products.index_select(1, shifts) / size[:, None]
