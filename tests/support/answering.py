"""Models that answer, at every step or at the end, and what torch makes of their answers under the page's edits."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import byhand
from byhand.explorer.document.document import document

STEPS, BATCH, INPUT, HIDDEN, OUTPUTS = 7, 3, 2, 4, 5
# name: where the head reads, what it is put through, what is asked, both directions
CASES: dict[str, tuple[str, str, str, bool]] = {
    "classes at every step": ("every", "softmax", "class", False),
    "scores at every step": ("every", "none", "class", False),
    "classes at the end": ("last", "softmax", "class", False),
    "classes at the end of both directions": ("ends", "softmax", "class", True),
    "the last step of both directions": ("last", "softmax", "class", True),
    "numbers at every step": ("every", "none", "numbers", False),
    "numbers at the end": ("last", "none", "numbers", False),
    "shares at every step": ("every", "sigmoid", "numbers", True),
}


class Answering(nn.Module):
    """An LSTM and a head that reads its outputs, or the last of them, or each direction's last state."""

    def __init__(self, where: str, both: bool) -> None:
        super().__init__()
        self.where = where
        self.lstm = byhand.LSTM(INPUT, HIDDEN, 2, bidirectional=both, dtype=torch.float64)
        self.head = nn.Linear(HIDDEN * (1 + both), OUTPUTS, dtype=torch.float64)

    def forward(self, x: Tensor) -> Tensor:
        y, (h, _) = self.lstm(x)
        ends = torch.cat((h[-2], h[-1]), -1) if self.lstm.bidirectional else h[-1]
        return self.head({"every": y, "last": y[-1], "ends": ends}[self.where])


def targets_for(where: str, kind: str) -> Tensor:
    """Some are not asked for."""
    lead = (STEPS, BATCH) if where == "every" else (BATCH,)
    if kind == "class":
        found = torch.randint(OUTPUTS, lead)
        found.view(-1)[1] = -100
        return found
    found = torch.rand(*lead, OUTPUTS, dtype=torch.float64)
    found.view(-1, OUTPUTS)[1] = torch.nan
    found.view(-1, OUTPUTS)[2, 3] = torch.nan
    return found


def losses(kind: str, scores: Tensor, shown: Tensor, targets: Tensor) -> Tensor:
    """Of each answer, by torch; NaN where nothing is asked."""
    if kind == "class":
        found = F.cross_entropy(scores, targets, ignore_index=-100, reduction="none")
        return found.masked_fill(targets == -100, torch.nan)
    rows = [(one[~wanted.isnan()], wanted[~wanted.isnan()]) for one, wanted in zip(shown, targets, strict=True)]
    return torch.stack([F.mse_loss(*row) if len(row[0]) else torch.tensor(torch.nan).double() for row in rows])


def case(name: str) -> dict[str, Any]:
    """The document, and for two sets of edits what the model answers in each sequence, (steps or 1, outputs), with its losses."""
    where, squash, kind, both = CASES[name]
    torch.manual_seed(len(name))
    model = Answering(where, both)
    x, targets = torch.randn(STEPS, BATCH, INPUT, dtype=torch.float64), targets_for(where, kind)
    made = document(model, x, head=model.head, squash=squash, targets=targets)
    runs = []
    for value in (None, 0.25):
        changes = {} if value is None else {"lstm.l0.f": byhand.at(value, unit=1)}
        edits = [
            {"on": True, "kind": "site", "place": "lstm.l0", "site": "f", "time": None, "unit": 1, "value": value}
            for one in changes.values()
        ]
        with torch.no_grad(), byhand.edit(model, changes):
            scores = model(x)
        shown = {"softmax": lambda of: of.softmax(-1), "sigmoid": torch.sigmoid, "none": lambda of: of}[squash](scores)
        for item in range(BATCH):
            mine = [of[:, item] if where == "every" else of[item].unsqueeze(0) for of in (scores, shown, targets)]
            found = losses(kind, *mine)
            right = mine[2].double().reshape(len(found), -1)
            right = right.masked_fill(right == -100, torch.nan)
            runs.append(
                {
                    "item": item,
                    "edits": edits,
                    "outputs": mine[1].tolist(),
                    "right": numbered(right),
                    "losses": numbered(found),
                    "loss": None if bool(found.isnan().all()) else found.nanmean().item(),
                }
            )
    return {"name": name, "where": where, "kind": kind, "doc": made, "runs": runs}


def numbered(value: Tensor) -> Any:
    """As lists, with None for what is no number, which JSON has not."""
    return [numbered(one) if one.dim() else (None if one.isnan() else one.item()) for one in value]


def answers() -> list[dict[str, Any]]:
    return [case(name) for name in CASES]
