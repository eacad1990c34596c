"""ParityReport: how far byhand's values are from another program's, value by value, as one object that prints itself.

convert, open_onnx, export_onnx, certify and the command line all give this one.
"""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

import torch
from torch import Tensor

FORMAT = "byhand parity 1"


@dataclass(frozen=True)
class ParityReport:
    """The greatest absolute differences between byhand and another program on the same numbers.

    Args:
        what: what was compared with what, in a few words.
        values: name of a value -> greatest absolute difference; infinite where shapes differ or one side alone is not finite.
        tolerance: the greatest difference that counts as equal.
        versions: program -> version; see versions_of.
        notes: differences that are known and were left out of `values`, and whatever else a reader should know.

    Raises:
        ValueError: there is no value, or the tolerance is not a finite number from 0 on.
    """

    what: str
    values: Mapping[str, float]
    tolerance: float
    versions: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError(f"ParityReport expected at least one value that was compared, got none for {self.what}")
        if not (math.isfinite(self.tolerance) and self.tolerance >= 0):
            raise ValueError(f"ParityReport expected a finite tolerance from 0 on, got {self.tolerance}")

    @property
    def ok(self) -> bool:
        """Whether every difference is within the tolerance."""
        return all(value <= self.tolerance for value in self.values.values())  # NaN is not

    @property
    def worst(self) -> float:
        """The greatest of all differences; NaN counts as infinite."""
        return max(math.inf if math.isnan(value) else value for value in self.values.values())

    def __str__(self) -> str:
        """A line for each value, those beyond the tolerance marked."""
        width = max(map(len, self.values))
        verdict = "equal" if self.ok else "DIFFERENT"
        lines = [f"{self.what}: {verdict} within {self.tolerance:g}, greatest difference {self.worst:.1e}"]
        for name, value in self.values.items():
            lines.append(f"  {name:{width}}  {value:.1e}" + ("" if value <= self.tolerance else "  beyond the tolerance"))
        lines += [f"  {note}" for note in self.notes]
        if self.versions:
            lines.append("  " + ", ".join(f"{name} {version}" for name, version in self.versions.items()))
        return "\n".join(lines)

    def to_json(self) -> str:
        """The report as strict JSON; what is not finite stands there as a word: "inf", "nan"."""
        values = {name: value if math.isfinite(value) else str(value) for name, value in self.values.items()}
        found: dict[str, Any] = {
            "format": FORMAT,
            "what": self.what,
            "ok": self.ok,
            "tolerance": self.tolerance,
            "values": values,
        }
        return json.dumps(found | {"versions": dict(self.versions), "notes": list(self.notes)}, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> ParityReport:
        """Read what to_json wrote. ValueError for anything else."""
        try:
            found = json.loads(text)
            if found["format"] != FORMAT:
                raise ValueError(f"a report of another form, {found['format']!r}")
            values = {str(name): float(value) for name, value in found["values"].items()}
            versions = {str(name): str(version) for name, version in found["versions"].items()}
            return cls(str(found["what"]), values, float(found["tolerance"]), versions, tuple(map(str, found["notes"])))
        except (LookupError, TypeError, AttributeError, ValueError, RecursionError) as problem:
            raise ValueError(f"ParityReport.from_json expected what to_json wrote, got: {problem}") from problem


def difference(ours: Tensor, theirs: Tensor) -> float:
    """The greatest absolute difference of two tensors, in float64. Equal infinities, and NaN beside NaN, differ by 0; infinite where the
    shapes differ or one side alone is not finite; 0 for tensors without elements.
    """
    if ours.shape != theirs.shape:
        return math.inf
    a, b = (one.detach().to("cpu", torch.float64) for one in (ours, theirs))
    same = (a == b) | (a.isnan() & b.isnan())
    apart = (a - b).abs().nan_to_num(nan=math.inf, posinf=math.inf).masked_fill(same, 0.0)
    return apart.max().item() if apart.numel() else 0.0


def scale_of(value: Tensor) -> float:
    """The greatest finite value of a tensor, 1 at least: what a difference is relative to."""
    finite = value[value.isfinite()].to("cpu", torch.float64).abs()
    return max(1.0, finite.max().item()) if finite.numel() else 1.0


def relative(ours: Tensor, theirs: Tensor) -> float:
    """The greatest difference, relative to the other side's greatest value where that is above 1."""
    return difference(ours, theirs) / scale_of(theirs)


def versions_of(packages: Iterable[str] = ()) -> dict[str, str]:
    """The versions of Python, torch, byhand and these installed packages, by distribution name; "not installed" where there is none."""
    found = {"python": platform.python_version()}
    for name in ("byhand", "torch", *packages):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found
