"""Truncated backpropagation through time: long sequences in pieces, gradients within each of them, memories across all.

Williams & Peng, An Efficient Gradient-Based Algorithm for On-Line Training of Recurrent Network Trajectories, Neural Computation 2(4),
1990. Here the pieces do not overlap: gradients reach back to the start of a piece.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor

from byhand.tasks.task import Sequences

if TYPE_CHECKING:
    from byhand.nn.lstm import State


def train_in_pieces(model: Any, batch: Sequences) -> None:
    """A step of the optimiser for each piece of the batch, of model.tbptt_steps steps. ValueError for batches that cannot be cut."""
    check_can_be_cut(model, batch)
    optimiser: Any = model.optimizers()
    schedule: Any = model.lr_schedulers()
    state = model.carried_to("train", batch)
    cut = pieces(batch, model.tbptt_steps)
    model.pieces = len(cut)
    for piece in cut:
        output, after = model(piece.input, None, state)
        state = detached(after)
        model.carry_on("train", state)
        loss = model.goal.loss(output, piece) * model.share_of(piece)
        optimiser.zero_grad()
        model.manual_backward(loss)
        model.configure_gradient_clipping(optimiser)
        optimiser.step()
        if schedule is not None:
            schedule.step()
        if piece is cut[-1]:  # the others would be written over
            model.log("train_loss", loss, batch_size=batch.input.shape[1], prog_bar=True, sync_dist=True)


def check_can_be_cut(model: Any, batch: Sequences) -> None:
    """ValueError unless each piece of the batch has answers, of every sequence."""
    if not model.form.every or batch.lengths is not None:
        raise ValueError(
            "tbptt_steps: expected a task with an answer at every step and sequences of one length; use tbptt_steps=0"
        )


def detached(state: State) -> State:
    """The same memories; gradients end here."""
    return state.detach() if isinstance(state, Tensor) else tuple(one.detach() for one in state)


def pieces(batch: Sequences, steps: int) -> list[Sequences]:
    """The batch cut along time."""
    cut = [None if one is None else one.split(steps) for one in (batch.input, batch.target, batch.legal)]
    return [
        Sequences(cut[0][at], cut[1][at], None, None if cut[2] is None else cut[2][at])  # type: ignore[index]
        for at in range(len(cut[0]))  # type: ignore[arg-type]
    ]
