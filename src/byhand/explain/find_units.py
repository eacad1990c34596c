"""Find units: how well every site of every unit carries a track, tried on steps that had no part in the choice.

    chosen_j = score of unit j in one half,  score_j = the same in the other        (see rank_scores)
    p_j = (1 + #{s : max_k ± z_k(s) ≥ ± z_j}) / (1 + shifts),      ± the sign of chosen_k or chosen_j

The halves are whole sequences, or blocks of time where there is one sequence alone: neighbouring steps are alike, so that interleaved
ones would be the same data twice. By chance means: with the tracks turned round in time by s steps, all by the same; so both sides
keep all that they are in themselves, how slow and how seasonal, and lose what they have to do with each other. z is in units of what
chance gives that very pair, so that slow units do not hide the fast ones. The maximum runs over all units, sites and tracks: p is
corrected for having looked at all of them. What comes again in equal periods is not better than any other of that period: its p is not
below 1 / period.

Held-out half: Karpathy, Johnson & Fei-Fei, arXiv 1506.02078, 2015, looked at units by eye; Radford, Jozefowicz & Sutskever, Learning to
Generate Reviews and Discovering Sentiment, arXiv 1704.01444, 2017, scored one on data that did not choose it. The maximum: Westfall &
Young, Resampling-Based Multiple Testing, Wiley 1993. Shifts in time in place of shuffles: Harris, Nonsense Correlations in
Neuroscience, bioRxiv 2020.11.29.402719.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import torch

from byhand.explain.found_units import FoundUnits, corrected
from byhand.explain.lookup import checked, name_of, place_of
from byhand.explain.progress import progress as shown
from byhand.explain.rank_scores import centred_ranks, chance, is_flag, scores, spectrum
from byhand.explain.tracks import array
from byhand.trace.run import unknown

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from torch import Tensor

    from byhand.trace import Trace

LEAST = 20  # steps of a track in each half
RARE = 10  # steps at which a 0/1 track must be 1, and at which 0, in each half
NEAR = 0.05  # of a half: shifts by less compare the track with itself
AT_ONCE = 2**21  # numbers in the greatest table: 16 MB


def find_units(
    trace: Trace,
    tracks: Mapping[str, Any],
    *,
    layer: int | str | None = None,
    sites: Sequence[str] | None = None,
    shifts: int = 1000,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> FoundUnits:
    """Find the units that carry a track: the column, a quotation, the time since an event.

    Of several calls of a layer, all steps count. Where there are several sequences, units are chosen on the first half of them and
    scored on the others; where there is one, on its first half in time and on its second. Steps where a sequence has ended do not
    count, nor do those at which a track is NaN.

    Args:
        trace: a recorded run, of some hundred steps or more.
        tracks: name -> (time,) of one sequence, or (time, batch): numbers, 0/1 or real; byhand.explain.tracks makes some.
        layer: its number, or a name as in "l1.reverse"; all layers if not given.
        sites: names or patterns, as in ["*.c"]; all that were recorded if not given.
        shifts: with how many turns of the tracks they are compared. The least p is 1 / (1 + shifts); there are never more than nine
            tenths of the steps that are scored.
        seed: of the draw of the shifts.
        progress: a function that gets how many sites of units are done, and of how many. If not given, what takes longer than two
            seconds says so on stderr.

    Returns:
        The scores in both halves and the corrected p of every site, unit and track; printed, the best unit of each track.

    Raises:
        TypeError: `trace` is no Trace, `tracks` no mapping, or an argument is of the wrong type.
        ValueError: nothing was recorded, a track is not as long as the layer's steps, there are too few steps, no track can be
            compared, or values are NaN.
        UnknownSiteError: there is no such layer or site.
        LookupError: the calls of a layer differ in batch size.
    """
    trace = checked(trace, "find_units")
    whole("shifts", shifts, 1)
    whole("seed", seed, 0)
    names = chosen_sites(trace, layer, sites)
    valid = same_steps(trace, names)
    halves = two_halves(valid)
    groups, left_out = grouped(read(tracks, valid), halves)
    order = [name for group in groups for name in group.tracks]
    turns = drawn(int(halves[1].sum()), shifts, seed)
    chosen, score, z = ({name: torch.empty(len(order), trace[name].shape[-1]).double() for name in names} for _ in range(3))
    greatest = torch.full((len(turns),), -torch.inf, dtype=torch.float64)
    total, done = sum(one.shape[1] for one in chosen.values()), 0
    with shown("find_units", "sites of units") if progress is None else nullcontext(progress) as tell:
        for name in names:
            values = trace[name].detach().cpu()
            if values[valid].isnan().any():
                raise ValueError(f"find_units found NaN in {name}: byhand.check_finite(model) finds where they begin")
            for start, units in pieces(values, halves):
                stop = start + units[0].shape[0]
                compare(groups, units, turns, greatest, [one[name][:, start:stop] for one in (chosen, score, z)])
                done += stop - start
                tell(done, total)
    return FoundUnits(
        tuple(order),
        frozenset(name for group in groups for name in group.flags),
        left_out,
        chosen,
        score,
        corrected(z, greatest),
        (int(halves[0].sum()), int(halves[1].sum())),
        len(turns),
    )


@dataclass(frozen=True, eq=False)
class Group:
    """Tracks that have something to say at the same steps. there: of each half, which steps. tracks: name -> of each half, those."""

    there: tuple[Bool[Tensor, " steps"], Bool[Tensor, " steps"]]
    tracks: dict[str, tuple[Tensor, Tensor]]

    @property
    def flags(self) -> list[str]:
        return [name for name, parts in self.tracks.items() if all(map(is_flag, parts))]


def compare(
    groups: list[Group], units: Sequence[Tensor], turns: Float[Tensor, " shifts"], greatest: Tensor, tables: list[Tensor]
) -> None:
    """Fill in the tables of some units, (tracks, units) each: chosen, score and z; and raise the greatest z of each shift."""
    row, (chosen, score, z) = 0, tables
    known: dict[int, Tensor] = {}
    for group in groups:
        for values, there in zip(units, group.there, strict=True):
            known[id(there)] = known[id(there)] if id(there) in known else centred_ranks(values[:, there])
        first, second = (known[id(there)] for there in group.there)
        over = spectrum(second)
        for one, other in group.tracks.values():
            chosen[row], score[row] = scores(first, one), scores(second, other)
            there, turned = chance(second, over, other, (turns * len(other)).long())
            sign = torch.where(chosen[row] < 0, -1.0, 1.0).double()
            z[row] = torch.where(chosen[row].isnan(), torch.nan, sign * there)
            most = (sign[:, None] * turned)[~z[row].isnan()]
            if len(most):
                torch.maximum(greatest, most.max(0).values, out=greatest)
            row += 1


def chosen_sites(trace: Trace, layer: int | str | None, sites: Sequence[str] | None) -> list[str]:
    places = trace.places if layer is None else (place_of(trace, layer, "find_units"),)
    known = [name_of(place, site) for place in places for site in trace.run(place).sites]
    if sites is None:
        return known
    if isinstance(sites, str) or not all(isinstance(one, str) for one in sites):
        raise TypeError(f"find_units expected a list of names or patterns, got {sites!r}: write ['*.c']")
    for pattern in sites:
        if not any(fnmatchcase(name, pattern) for name in known):
            raise unknown("find_units", pattern, known)
    return [name for name in known if any(fnmatchcase(name, pattern) for pattern in sites)]


def same_steps(trace: Trace, names: list[str]) -> Bool[Tensor, "time batch"]:
    """Which steps there are. ValueError unless they are the same in all layers."""
    places = list(dict.fromkeys(name.rpartition(".")[0] for name in names))
    if not places:
        raise ValueError("find_units expected at least one site, got none: sites=['*.c']")
    first, *others = (trace.valid(place).cpu() for place in places)
    for place, other in zip(places[1:], others, strict=True):
        if other.shape != first.shape or bool((other != first).any()):
            raise ValueError(
                f"find_units found other steps in {place} than in {places[0]}: look at one at a time, as in layer={places[0]!r}"
            )
    return first


def read(tracks: Mapping[str, Any], valid: Bool[Tensor, "time batch"]) -> dict[str, Float[Tensor, "time batch"]]:
    if not isinstance(tracks, Mapping):
        raise TypeError(f"find_units expected tracks as a mapping, as in {{'digit': flags}}, got a {type(tracks).__name__}")
    if not tracks:
        raise ValueError("find_units expected at least one track, got none: byhand.explain.tracks.text(text) makes some")
    found = {}
    for name, values in tracks.items():
        track = array(values, f"find_units, track {name!r},").double()
        track = track[:, None] if track.dim() == 1 and valid.shape[1] == 1 else track
        if track.shape != valid.shape:
            raise ValueError(
                f"find_units expected track {name!r} as (time, batch) = {tuple(valid.shape)}, the steps of the trace, got"
                f" {tuple(track.shape)}"
            )
        found[str(name)] = track
    return found


def two_halves(valid: Bool[Tensor, "time batch"]) -> tuple[Bool[Tensor, "time batch"], Bool[Tensor, "time batch"]]:
    """Whole sequences, where there are several that have steps; else the first half in time and the second."""
    there = valid.any(0)
    if int(there.sum()) > 1:
        first = there.cumsum(0) <= (int(there.sum()) + 1) // 2
        halves = valid & first, valid & ~first
    else:
        step = valid.cumsum(0)
        early = step <= (step[-1] + 1) // 2
        halves = valid & early, valid & ~early
    if min(int(half.sum()) for half in halves) < LEAST:
        raise ValueError(
            f"find_units expected at least {LEAST} steps in each half, got {int(halves[0].sum())} and {int(halves[1].sum())}"
        )
    return halves


def grouped(tracks: dict[str, Tensor], halves: tuple[Tensor, Tensor]) -> tuple[list[Group], dict[str, str]]:
    """The tracks by the steps at which they say anything, and those that cannot be compared, with the reason."""
    groups: list[Group] = []
    masks: tuple[list[Tensor], list[Tensor]] = ([], [])  # of each half, each once, so that its ranks are made once
    left_out = {}
    for name, track in tracks.items():
        parts = [flat(track[..., None], half)[0] for half in halves]
        there = tuple(once(~part.isnan(), known) for part, known in zip(parts, masks, strict=True))
        said = tuple(part[where] for part, where in zip(parts, there, strict=True))
        why = next(filter(None, map(reason, said)), "")
        if why:
            left_out[name] = why
            continue
        group = next((one for one in groups if all(a is b for a, b in zip(one.there, there, strict=True))), None)
        if group is None:
            groups.append(group := Group(there, {}))  # type: ignore[arg-type]
        group.tracks[name] = said  # type: ignore[assignment]
    if not groups:
        raise ValueError(
            f"find_units found no track to compare: {'; '.join(f'{name}: {why}' for name, why in left_out.items())}"
        )
    return groups, left_out


def once(mask: Tensor, known: list[Tensor]) -> Tensor:
    """The one among the known that is equal; the mask itself, known from now on, where there is none."""
    for one in known:
        if torch.equal(one, mask):
            return one
    known.append(mask)
    return mask


def reason(said: Float[Tensor, " steps"]) -> str:
    """Why a half of a track cannot be compared; empty where it can."""
    if len(said) < LEAST:
        return f"which says something at {len(said)} steps of a half, expected at least {LEAST}"
    if bool((said == said[0]).all()):
        return f"which is always {said[0]:g} in a half"
    ones = int((said == 1).sum())
    if is_flag(said) and min(ones, len(said) - ones) < RARE:
        return f"which is 1 at {ones} of {len(said)} steps of a half, expected at least {RARE} of each"
    return ""


def flat(values: Tensor, where: Bool[Tensor, "time batch"]) -> Float[Tensor, "units steps"]:
    """The values of these steps, sequence after sequence."""
    return values.transpose(0, 1)[where.t()].t().contiguous()


def pieces(values: Float[Tensor, "time batch hidden"], halves: tuple[Tensor, Tensor]) -> Iterator[tuple[int, list[Tensor]]]:
    """The first unit of each piece, and its values in both halves, so many units that memory is bounded."""
    many = max(1, AT_ONCE // max(int(half.sum()) for half in halves))
    for start in range(0, values.shape[-1], many):
        yield start, [flat(values[..., start : start + many], half) for half in halves]


def drawn(steps: int, shifts: int, seed: int) -> Float[Tensor, " shifts"]:
    """Different shifts, as shares of a half: none near 0 or 1."""
    first, last = max(1, int(NEAR * steps)), steps - max(1, int(NEAR * steps))
    order = torch.randperm(last - first + 1, generator=torch.Generator().manual_seed(seed))
    return (first + order[:shifts]).double() / steps


def whole(what: str, value: object, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"find_units expected {what} as a whole number, got {value!r}")
    if value < least:
        raise ValueError(f"find_units expected {what} of at least {least}, got {value}")
