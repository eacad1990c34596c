"""FoundUnits: what find_units gives. How well each unit carries each track, the best first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from byhand.trace.run import unknown

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

NOTHING = "-"


@dataclass(frozen=True)
class FoundUnit:
    """One site of one unit, and a track.

    Attributes:
        site: as in "l0.c".
        unit: its number.
        track: the track's name.
        chosen: its score in the half in which units are chosen, -1 to 1; below 0 where it is low as the track is high.
        score: the same in the other half, which had no part in the choice.
        auc: of a 0/1 track, the area under the ROC curve in that other half, of the unit as it was chosen (turned round where
            `chosen` is below 0); None of a real track.
        p: how likely any site of any unit is to go with any track as well by chance, in that other half.
    """

    site: str
    unit: int
    track: str
    chosen: float
    score: float
    auc: float | None
    p: float

    @property
    def name(self) -> str:
        """As in "l0.c[3]"."""
        return f"{self.site}[{self.unit}]"


@dataclass(frozen=True, eq=False)
class FoundUnits:
    """How well every site of every unit carries every track; printed, the best unit of each track.

    Attributes:
        tracks: their names, in the order of the rows of all tables.
        flags: which of the tracks are 0/1.
        left_out: tracks that could not be compared -> why.
        chosen: site -> scores in the half in which units are chosen, (tracks, hidden); NaN where values never change.
        scores: the same in the other half.
        p: corrected p values in the other half.
        steps: how many steps each half has.
        shifts: with how many turns of the tracks they were compared.
    """

    tracks: tuple[str, ...]
    flags: frozenset[str]
    left_out: Mapping[str, str]
    chosen: Mapping[str, Float[Tensor, "tracks hidden"]]
    scores: Mapping[str, Float[Tensor, "tracks hidden"]]
    p: Mapping[str, Float[Tensor, "tracks hidden"]]
    steps: tuple[int, int]
    shifts: int

    def rows(self, track: str | None = None) -> list[FoundUnit]:
        """List every site of every unit with every track.

        Args:
            track: its name, for that one only.

        Returns:
            The greatest scores of the half in which units are chosen first. What never changes is left out.

        Raises:
            UnknownSiteError: there is no such track.
        """
        if track is not None and track not in self.tracks:
            raise unknown("find_units", track, self.tracks)
        found = []
        for site, chosen in self.chosen.items():
            for number, unit in chosen.isnan().logical_not().nonzero().tolist():
                if track in (None, self.tracks[number]):
                    found.append(self.row(site, unit, number))
        return sorted(found, key=lambda one: -abs(one.chosen))

    def row(self, site: str, unit: int, number: int) -> FoundUnit:
        name = self.tracks[number]
        chosen, score, p = (float(one[site][number, unit]) for one in (self.chosen, self.scores, self.p))
        # score = 2 AUC − 1
        auc = (1 + (score if chosen >= 0 else -score)) / 2 if name in self.flags else None
        return FoundUnit(site, unit, name, chosen, score, auc, p)

    def best(self, n: int = 10, track: str | None = None) -> list[FoundUnit]:
        """List the n best units, each with the one site and track in which it is best.

        Args:
            n: how many; fewer where there are not as many.
            track: its name, for the best units of that one.

        Returns:
            The best of the half in which units are chosen first; their scores are of the other half.

        Raises:
            UnknownSiteError: there is no such track.
        """
        found: dict[tuple[str, int], FoundUnit] = {}
        for one in self.rows(track):
            found.setdefault((one.site.rpartition(".")[0], one.unit), one)
        return list(found.values())[:n]

    def table(self, rows: list[FoundUnit] | None = None) -> str:
        """Write rows as text.

        rows: of `rows` or `best`; the best unit of each track if not given.
        """
        if rows is None:
            rows = sorted((one for name in self.tracks for one in self.best(1, name)), key=lambda one: -abs(one.chosen))
        wide = max([5, *(len(one.track) for one in rows)])
        names = max([4, *(len(one.name) for one in rows)])
        lines = [f"{'track':{wide}}  {'unit':{names}}  {'chosen':>6}  {'held out':>8}  {'AUC':>5}  {'p':>8}"]
        for one in rows:
            auc = NOTHING if one.auc is None else f"{one.auc:.3f}"
            p = NOTHING if one.p != one.p else f"{one.p:.3g}"
            lines.append(f"{one.track:{wide}}  {one.name:{names}}  {one.chosen:+6.2f}  {one.score:+8.2f}  {auc:>5}  {p:>8}")
        return "\n".join(lines)

    def __str__(self) -> str:
        units = sum(one.shape[1] for one in self.chosen.values())
        head = (
            f"{units:,} sites of units x {len(self.tracks)} tracks: chosen on {self.steps[0]:,} steps, scored on {self.steps[1]:,}"
            f" others; p of {self.shifts:,} shifts in time, corrected for all of them"
        )
        return "\n".join([head, self.table(), *(f"left out: {name}, {why}" for name, why in self.left_out.items())])


def corrected(
    z: Mapping[str, Float[Tensor, "tracks hidden"]], greatest: Float[Tensor, " shifts"]
) -> dict[str, Float[Tensor, "tracks hidden"]]:
    """The share of shifts, the real one among them, in which the best of all is at least as good."""
    ordered = greatest.sort().values
    found = {}
    for site, values in z.items():
        as_good = len(ordered) - torch.searchsorted(ordered, values.nan_to_num(nan=-torch.inf).contiguous())
        # p = (1 + how often max z_s ≥ z) / (1 + shifts)
        found[site] = torch.where(values.isnan(), torch.nan, (1 + as_good) / (1 + len(ordered)))
    return found
