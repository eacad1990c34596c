"""Findings: what a diagnosis consists of."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import overload

WIDTH = 110  # characters of a printed line
SHOWN = 8  # units that are named one by one


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or looks it.

    Attributes:
        kind: what is wrong, in words.
        where: a site, as in "l0.f", or a parameter's name.
        evidence: numbers.
        advice: what to do.
    """

    kind: str
    where: str
    evidence: str
    advice: str

    def __str__(self) -> str:
        body = textwrap.fill(self.evidence, WIDTH, initial_indent="  ", subsequent_indent="  ")
        advice = textwrap.fill(self.advice, WIDTH, initial_indent="  -> ", subsequent_indent="     ")
        return f"{self.kind}: {self.where}\n{body}\n{advice}"


class Diagnosis(Sequence[Finding]):
    """What was found, in the order of the checks; false where nothing was."""

    def __init__(self, findings: Iterable[Finding], looked: str) -> None:
        self.findings, self.looked = tuple(findings), looked

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of findings, each once."""
        return tuple(dict.fromkeys(finding.kind for finding in self.findings))

    @overload
    def __getitem__(self, index: int) -> Finding: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Finding]: ...
    def __getitem__(self, index: int | slice) -> Finding | Sequence[Finding]:
        return self.findings[index]

    def __len__(self) -> int:
        return len(self.findings)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __str__(self) -> str:
        found = f"{len(self)} finding{'s' if len(self) > 1 else ''}" if self else "nothing found"
        return "\n".join([f"{found}; {self.looked}", *map(str, self)])

    def __repr__(self) -> str:
        return str(self)


def units(indices: Sequence[int], width: int, what: str = "unit") -> str:
    """As in "all 4 units", "unit 3", "units 0, 1, 2", "12 of 64 units (0, 1, ...)"."""
    if len(indices) == width > 1:
        return f"all {width} {what}s"
    if len(indices) == 1:
        return f"{what} {indices[0]}"
    listed = ", ".join(map(str, indices[:SHOWN]))
    return f"{what}s {listed}" if len(indices) <= SHOWN else f"{len(indices)} of {width} {what}s ({listed}, ...)"
