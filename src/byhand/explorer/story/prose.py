"""The sentences of a story: every number in them comes from the model, the checkpoint or the card."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING

from byhand.explorer.document.document import counted
from byhand.explorer.load.model import Trained
from byhand.explorer.still.picture import figure
from byhand.explorer.story.measure import Measured
from byhand.explorer.story.naming import answer, came_in, item_name, number, target
from byhand.nn import LSTM
from byhand.zoo import ZooModel

if TYPE_CHECKING:
    from byhand.train.callbacks.losses import Loss
TOP, WRITERS = 5, 3  # units and steps that are named


def model(shown: Trained, about: str) -> list[str]:
    """What it does, and of what size it is."""
    lstm = shown.model.lstm
    assert isinstance(lstm, LSTM)
    sizes = [counted(lstm.hidden_size, "unit"), *[counted(lstm.num_layers, "layer")] * (lstm.num_layers > 1)]
    sizes += ["both directions"] * lstm.bidirectional
    weights = sum(one.numel() for one in shown.model.parameters())
    return [about, f"Its cell is {lstm.cell.name} ({', '.join(sizes)}); with its head it has {weights:,} learnt numbers."]


def curve(trained: Trained, losses: Sequence[Loss]) -> list[str]:
    if len(losses) == 1:
        return [f"There was one validation, after step {losses[0].step}: the loss was {number(losses[0].val)}."]
    if losses:
        first, last, best = losses[0], losses[-1], min(losses, key=lambda one: one.val)
        course = (
            f"At the first of {counted(len(losses), 'validation')}, after step {first.step}, the loss was {number(first.val)}"
        )
        return [
            f"{course}; at the last, after step {last.step}, {number(last.val)}.",
            f"It was lowest after step {best.step}: {number(best.val)}.",
        ]
    if isinstance(trained.model, ZooModel):
        card = trained.model.card
        beside = "; ".join(f"{who}: {number(value)}" for who, value in card.baselines.items())
        scored = f"Its card says: {card.described_score()} on the test part ({card.better} is better)"
        return ["The file keeps no losses of the training.", scored + (f"; baselines: {beside}." if beside else ".")]
    return ["The checkpoint keeps no losses, so there is no curve of its training here."]


def matter(found: Measured) -> list[str]:
    score, base, best = found.score, found.ablation.base, found.units[0]
    of = f"on {counted(found.sequences, 'sequence')} of its task"
    own = (
        f"The {score.name} of the model {of} is {number(base)}."
        if score.asked
        else f"There are no right answers here: what counts is the {score.name} {of}."
    )
    held = "; ".join(f"{one.name}: {number(one.score)}" for one in found.units[:TOP])
    if len(found.units) == 1:
        return [own, f"With the memory of its one unit held at 0, at all steps, the {score.name} is {number(best.score)}."]
    how = f"Each of its {counted(len(found.units), 'unit')} was held at 0, alone, at all steps"
    said = f"{how}; then the {score.name} is, greatest first: {held}."
    harmless = sum(one.change <= 0 for one in found.units)
    if best.change <= 0:
        return [own, said, "No unit matters: whichever is held, the score gets no worse."]
    more = [
        f"Without {'one' if harmless == 1 else 'any one'} of {counted(harmless, 'unit')} the score is no worse than before."
    ]
    return [own, said, f"{best.name.capitalize()} matters most.", *more * bool(harmless)]


def keep(found: Measured) -> list[str]:
    best, lives = found.units[0], found.half_lives
    own = lives.get(best.site)
    if own is None:
        return [f"What {best.name} keeps, {best.state}, has no half-life, for it is not kept in part and added to."]
    value = own[best.number].item()
    if math.isnan(value):
        return ["No sequence here has a second step, so nothing can be kept."]
    whole = own.tolist()
    words = (
        "loses nothing of what it writes"
        if math.isinf(value)
        else f"has lost half of what it writes after {number(value)} steps"
    )
    if len(whole) == 1:
        return [f"{best.name.capitalize()} {words}, on average over the sequences in this page."]
    return [
        f"{best.name.capitalize()} {words}, on average over the sequences in this page.",
        f"Half-lives in its layer go from {number(min(whole))} to {number(max(whole))} steps, with a median of {number(median(whole))}.",
    ]


def wrote(found: Measured, shown: Trained) -> list[str]:
    best, broken = found.units[0], found.broken
    where = f"step {found.told} of {item_name(shown, broken.item)}"
    if found.ledger is None:
        return [f"Nobody can be named who wrote the memory of {best.name}: {found.why_not}."]
    total = found.ledger.memory[found.told, 0].item()
    parts = [f"{came_in(shown, one.written_at, broken.item)} left {figure(one.amount)}" for one in found.entries[:WRITERS]]
    return [
        f"At {where} the memory of {best.name} is {figure(total)}, a sum of what each step wrote and what is left of it.",
        f"The greatest parts: {'; '.join(parts)}.",
    ]


def breaks(found: Measured, shown: Trained) -> list[str]:
    best, broken = found.units[0], found.broken
    before, after = (answer(shown, one, broken) for one in (broken.before, broken.after))
    where = f"step {broken.step} of {item_name(shown, broken.item)}"
    said = f"Of the answers in this page, that at {where} changes most when {best.name} is held at 0."
    right = f" Right is {target(shown, broken)}." if broken.target is not None else ""
    return [said, f"Before, the model answered {before}; without the unit, {after}.{right}"]
