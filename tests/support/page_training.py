"""Trainings for the page, and what torch and LSTM.py compute of them.

python tests/support/page_training.py FILE writes them as the fixture of frontend/test/train.test.ts.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence as Many
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

import byhand
from byhand import LSTM, tasks
from byhand.cells import Cell
from byhand.explorer.document.play import CELLS, LESSON_SEED, play_document
from byhand.explorer.hosts.page import json_text
from byhand.tasks.task import IGNORE_INDEX, Form, Sequences
from byhand.train.model.objectives import GOALS
from LSTM import LSTMbyHand, companies

UNITS, SIZE, EPOCHS = 3, 4, 300
TEXT = "the cat sat on the mat, the rat ran"
HELD = {"lstm": {"f": 1.0}, "cifg": {"i": 0.0}, "gru": {"z": 0.25}, "min_lstm": {"f": 0.5}, "peephole": {"f": 0.0, "o": 1.0}}


def own_text() -> tuple[Form, Sequences]:
    """Windows of a text, a character a step; the next one is asked for."""
    alphabet = sorted(set(TEXT))
    numbers = torch.tensor([alphabet.index(character) for character in TEXT])
    windows = torch.stack([numbers[start : start + 8] for start in (0, 5, 9, 20)], 1)
    form = Form(len(alphabet), len(alphabet), goal="next_symbol", every=True, symbols=True)
    return form, Sequences(windows[:-1], windows[1:])


def batches() -> dict[str, tuple[Form, Sequences]]:
    """Of each task of the Play view a batch."""
    given: dict[str, Any] = {
        "companies": tasks.Companies(2),
        "adding": tasks.Adding(12, SIZE),
        "temporal_order": tasks.TemporalOrder("6a", 12, SIZE),
        "parity": tasks.Parity(7, batch_size=SIZE),
        "an_bn": tasks.AnBn(most=4, batch_size=SIZE),
        "embedded_reber": tasks.EmbeddedReber(SIZE),
    }
    drawn = {name: (task.form, task.batch("train", 0, 0, task.batch_size)) for name, task in given.items()}
    return drawn | {"text": own_text()}


class Model(nn.Module):
    """One layer in float64 and a head; without one, unit 0 answers."""

    def __init__(self, form: Form, cell: Cell, *, head: bool) -> None:
        super().__init__()
        self.form = form
        self.lstm = LSTM(form.input_size, UNITS, cell=cell, dtype=torch.float64)
        self.head = nn.Linear(UNITS, form.output_size, dtype=torch.float64) if head else None
        generator = torch.Generator().manual_seed(len(cell.name) + form.input_size)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(0.7 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))

    def forward(self, batch: Sequences) -> Tensor:
        x = one_hot(batch.input, self.form.input_size).double() if self.form.symbols else batch.input.double()
        output = self.lstm(x)[0]
        if not self.form.every:
            steps = torch.full((x.shape[1],), len(x)) if batch.lengths is None else batch.lengths
            output = output[steps - 1, torch.arange(x.shape[1])]
        return output[..., :1] if self.head is None else self.head(output)


def batch_document(form: Form, batch: Sequences) -> dict[str, Any]:
    """As the page takes it: frontend/src/train/net.ts, Batch."""
    steps, size = batch.input.shape[:2]
    classes = form.goal != "regression"
    if form.every:
        rows = (batch.target.flatten() != IGNORE_INDEX).nonzero().flatten()
        targets = batch.target.flatten()[rows]
    else:
        lengths = torch.full((size,), steps) if batch.lengths is None else batch.lengths
        rows, targets = (lengths - 1) * size + torch.arange(size), batch.target.flatten()
    return {
        "steps": steps,
        "size": size,
        "x": batch.input.flatten().tolist(),
        "symbols": form.symbols,
        "asked": rows.tolist(),
        "targets": targets.tolist(),
        "classes": classes,
    }


def learnt(form: Form, batch: Sequences, cell: Cell, held: dict[str, float], *, head: bool) -> dict[str, Any]:
    """The loss of a batch and its derivative by every number, by name."""
    model = Model(form, cell, head=head)
    goal = GOALS[form.goal](form)
    target = batch._replace(target=batch.target.double()) if form.goal == "regression" else batch
    changes: dict[str, Any] = {f"l0.{site}": value for site, value in held.items()}
    with byhand.edit(model.lstm, changes):
        loss = goal.loss(model(batch), target)
    loss.backward()
    named = [(name.removeprefix("lstm."), value) for name, value in model.named_parameters()]
    return {
        "held": held,
        "numbers": {name: value.detach().flatten().tolist() for name, value in named},
        "loss": loss.item(),
        "gradient": {name: value.grad.flatten().tolist() for name, value in named if value.grad is not None},
    }


def cases() -> list[dict[str, Any]]:
    """Every task with every cell, and some with sites held."""
    found: list[dict[str, Any]] = []
    for task, (form, batch) in batches().items():
        given = {"task": task, "inputs": form.input_size, "outputs": form.output_size, "batch": batch_document(form, batch)}
        for name, (_, cell) in CELLS.items():
            heads: Many[bool] = (True, False) if task == "companies" else (True,)
            found += [given | {"cell": name, "head": head} | learnt(form, batch, cell, {}, head=head) for head in heads]
            if name in HELD and task in ("adding", "embedded_reber"):
                found.append(given | {"cell": name, "head": True} | learnt(form, batch, cell, HELD[name], head=True))
    return found


def lesson(model: LSTMbyHand) -> dict[str, Any]:
    """The twelve numbers of LSTM.py before and after its training, with its own optimiser and data; and each epoch's loss."""
    optimiser = model.configure_optimizers()
    start = {name: value.item() for name, value in model.named_parameters()}
    losses = []
    for _ in range(EPOCHS):
        total = []
        for x, y in companies():
            loss = model.loss([x.to(model.w_blue1.dtype), y.to(model.w_blue1.dtype)])[0]
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total.append(loss.item())
        losses.append(sum(total) / len(total))
    end = {name: value.item() for name, value in model.named_parameters()}
    return {"epochs": EPOCHS, "start": start, "end": end, "losses": losses}


def fixture() -> dict[str, Any]:
    found = {"play": play_document(), "cases": cases()}
    torch.manual_seed(LESSON_SEED)
    return found | {"lesson": lesson(LSTMbyHand().double())}


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json_text(fixture()), encoding="utf-8")
