"""What is worth a look in each model: a sentence whose units and numbers are computed from its weights, on its own example."""

from __future__ import annotations

import torch
from torch import Tensor

from byhand.trace.edit import At, at, edit
from byhand.trace.record import record
from byhand.zoo.model import ZooModel


def companies(model: ZooModel) -> str:
    """What is left of the first day."""
    forget = recorded(model, "f")
    left = forget[1:].prod(0).min()
    return (
        f"its forget gate is at {forget[1:].min():.2f} or above from the second day on, for both companies: of what the first day wrote"
        f" into the cell state, {percent(left)} are still in it at the end."
    )


def adding(model: ZooModel) -> str:
    """Whether it listens to the two marked values, and to them alone."""
    marked, others, right = redrawn(model)
    error = (marked - right).abs().mean()
    return (
        f"give the marked steps other values, and its answer moves by {right.abs().mean():.2f} on average, as it should (to within"
        f" {error:.3f}); give all the unmarked steps other values, and it moves by {others.abs().mean():.3f}."
    )


def adding_rnn(model: ZooModel) -> str:
    """Whether it listens to the marked values at all."""
    marked, _, right = redrawn(model)
    return (
        f"give the marked steps other values, and its answer moves by {marked.abs().mean():.4f} on average, where it should move by"
        f" {right.abs().mean():.2f}: what it read is gone before it is asked for."
    )


def an_bn(model: ZooModel) -> str:
    """The unit whose cell state goes up by as much at every a as it goes down at every b, or the other way round."""
    steps = recorded(model, "c").diff(dim=0)
    read, inside = model.example.input, within(model)
    before = inside[1:] & (read[1:] == read[:-1])  # the first of a kind is another step than those that follow
    at_a, at_b = (steps[before & (read[1:] == symbol)] for symbol in (1, 2))
    up, down = at_a.mean(0), at_b.mean(0)
    even = torch.where(up * down < 0, torch.minimum(up.abs(), down.abs()) / (at_a.std(0) + at_b.std(0)), torch.zeros(()))
    unit = int(even.argmax())
    return (
        f"unit {unit} counts: its cell state changes by {up[unit]:+.2f} with every further a (± {at_a.std(0)[unit]:.2f}), and by"
        f" {down[unit]:+.2f} with every further b (± {at_b.std(0)[unit]:.2f})."
    )


def embedded_reber(model: ZooModel) -> str:
    """The units in which the second symbol is kept: those that, set to what they are after the other one, turn the answer."""
    (x, _, lengths), (letter_t, letter_p) = model.example, (model.symbols.index(letter) for letter in "TP")
    asked, rows, is_t = ends(model) - 1, torch.arange(x.shape[1]), x[1] == letter_t  # asked: the last but one is said there
    kept = recorded(model, "c")[asked, rows]
    means, spreads = torch.stack((kept[is_t].mean(0), kept[~is_t].mean(0))), kept[is_t].std(0) + kept[~is_t].std(0)
    units = ((means[0] - means[1]).abs() / spreads).argsort(descending=True).tolist()
    changes: list[At] = []
    turned = torch.zeros(())
    while turned < 0.9:
        unit = units[len(changes) // len(rows)]
        other = torch.where(is_t, means[1, unit], means[0, unit]).tolist()
        changes += [at(other[row], time=int(asked[row]), unit=unit, batch=row) for row in rows.tolist()]
        with torch.no_grad(), edit(model, {"lstm.l0.c": changes}):
            said = model(x, lengths)[0][asked, rows]
        turned = ((said[:, letter_t] > said[:, letter_p]) != is_t).float().mean()
    after_t, after_p = means[:, units[0]]
    return (
        f"unit {units[0]} tells the second symbol best, {after_t:.2f} on average after T and {after_p:.2f} after P, before the last but"
        f" one is asked for; but {len(changes) // len(rows)} units hold it: set to what they are after the other letter, these alone"
        f" turn {percent(turned)} of the answers."
    )


def digits(model: ZooModel) -> str:
    """How early the head could answer: its reading of every step."""
    right = (model.head(recorded(model, "h")).argmax(-1) == model.example.target).float().mean(1)
    listed = ", ".join(percent(one) for one in right[3:-1])
    return (
        f"read out after 4, 5, 6 and 7 of the 8 rows, {listed} of its answers would be right: what a step gathers is no answer until the"
        f" digit is nearly whole."
    )


def sunspots(model: ZooModel) -> str:
    """What each of the forty years weighs in the answer."""
    x = model.example.input.clone().requires_grad_()
    (weights,) = torch.autograd.grad(model(x)[0].sum(), x)
    last, before, *others = weights.mean(1).squeeze(-1).flip(0).tolist()
    return (
        f"of the forty years two count: per sunspot more in the last one the answer moves by {last:+.2f}, in the year before by"
        f" {before:+.2f}, on average, and for all others by {max(map(abs, others)):.2f} at most: close to a rule of two years, as Yule"
        " fitted one in 1927."
    )


def python_help(model: ZooModel) -> str:
    """The unit that says best whether the text is between quotation marks: chosen on half of the streams, measured on the others."""
    read = [[model.symbols[one] for one in text] for text in model.example.input.T]
    quoted = torch.tensor([between_quotes(text) for text in read]).T
    cells, half = recorded(model, "tanh_c"), quoted.shape[1] // 2
    unit = int(correlation(cells[:, :half], quoted[:, :half]).abs().argmax())
    kept, inside = cells[:, half:, unit], quoted[:, half:] > 0
    measured = correlation(cells[:, half:, [unit]], quoted[:, half:])
    return (
        f"unit {unit} knows whether a quotation mark is open: the tanh of its cell state is {kept[inside].mean():.2f} on average between"
        f" such marks, and {kept[~inside].mean():.2f} elsewhere (correlation {float(measured):.2f}, on texts that it was not chosen by)."
    )


LOOKS = {one.__name__: one for one in (companies, adding, adding_rnn, an_bn, embedded_reber, digits, sunspots, python_help)}


def recorded(model: ZooModel, site: str) -> Tensor:
    """A site of the only layer, on the example: (time, batch, units)."""
    with record(model, [f"lstm.l0.{site}"]) as trace, torch.no_grad():
        model(model.example.input, model.example.lengths)
    return trace[f"lstm.l0.{site}"]


def ends(model: ZooModel) -> Tensor:
    """The last step of each sequence of the example."""
    x, _, lengths = model.example
    return torch.full((x.shape[1],), len(x) - 1) if lengths is None else lengths - 1


def within(model: ZooModel) -> Tensor:
    """Which steps of the example are none past a sequence's end, (time, batch)."""
    return torch.arange(len(model.example.input)).unsqueeze(1) <= ends(model)


@torch.no_grad()
def redrawn(model: ZooModel) -> tuple[Tensor, Tensor, Tensor]:
    """Of adding: by how much each answer changes if the marked values are drawn again, and if all others are; and by how much the right
    answer changes in the first case.
    """
    x, _, lengths = model.example
    values = torch.rand(x.shape[:2], generator=torch.Generator().manual_seed(0)) * 2 - 1
    marked = x[..., 1] == 1
    new = [torch.stack((torch.where(where, values, x[..., 0]), x[..., 1]), -1) for where in (marked, ~marked & within(model))]
    answers = [model(one, lengths)[0].squeeze(-1) for one in (x, *new)]
    return answers[1] - answers[0], answers[2] - answers[0], ((values - x[..., 0]) * marked).sum(0) / 4


def between_quotes(text: list[str]) -> list[float]:
    """Of each character, whether a quotation mark is open once it is read; none is at the end of a line."""
    is_open, found = False, []
    for character in text:
        is_open = character != "\n" and is_open != (character == '"')
        found.append(float(is_open))
    return found


def correlation(values: Tensor, other: Tensor) -> Tensor:
    """Of each unit's values (time, batch, units) with those of another kind (time, batch)."""
    one, two = values.flatten(0, 1), other.flatten().unsqueeze(1)
    one, two = one - one.mean(0), two - two.mean(0)
    return (one * two).mean(0) / (one.square().mean(0) * two.square().mean(0)).sqrt()


def percent(share: Tensor | float) -> str:
    return f"{100 * float(share):.0f} %"
