"""What a page opens with: the sentence on what the model does, and the sequence that tells most of it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import byhand
from byhand import LSTM, cells, tasks
from byhand.explorer.document.about import in_words
from byhand.explorer.document.document import document
from byhand.explorer.load.fit_run import about as about_of_fit

KINDS = [getattr(tasks, name) for name in tasks.__all__]
TASKS = [one for one in KINDS if isinstance(one, type) and issubclass(one, tasks.Task) and one is not tasks.Task]


def said(model: nn.Module, x: Any, **options: Any) -> str:
    return document(model, x, **options)["about"]


def test_a_sentence_that_is_given_is_the_one_that_is_shown() -> None:
    model, x = LSTM(2, 3), torch.randn(4, 1, 2)
    assert said(model, x, about="Hears a door.\n  And says so. ") == "Hears a door. And says so."
    assert byhand.explore(model, x, about="<b>bold</b>").document["about"] == "<b>bold</b>"


@pytest.mark.parametrize("given", [3, ["a"], b"bytes", torch.ones(1)])
def test_what_is_no_text_is_refused(given: Any) -> None:
    with pytest.raises(TypeError, match=r"about: expected a sentence that says what the model does, got a \w+"):
        byhand.explore(LSTM(2, 3), torch.randn(4, 1, 2), about=given)


@pytest.mark.parametrize("given", ["", "  \n "])
def test_an_empty_sentence_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match=r"about: expected a sentence .* leave it out, and one is made"):
        byhand.explore(LSTM(2, 3), torch.randn(4, 1, 2), about=given)


@pytest.mark.parametrize(
    ("model", "options", "sentence"),
    [
        (LSTM(64, 32), {}, "An LSTM of 32 units, in one layer, that reads 64 features at each step."),
        (LSTM(1, 1), {}, "An LSTM of 1 unit, in one layer, that reads one number at each step."),
        (LSTM(1, 1), {"features": ["price"]}, "An LSTM of 1 unit, in one layer, that reads one number at each step, price."),
        (
            LSTM(3, 4, 2, bidirectional=True),
            {"features": ["a", "b", "c"]},
            "An LSTM of 4 units a layer, in two layers and both directions, that reads a, b and c at each step.",
        ),
        (
            LSTM(2, 4, cell=cells.gru, bidirectional=True),
            {"characters": "to be"},
            "A GRU of 4 units, in one layer and both directions, that reads text, character by character.",
        ),
        (
            LSTM(2, 4, cell=cells.rnn),
            {"characters": [["to", "be", "or", "not", "to"]]},
            "A plain RNN of 4 units, in one layer, that reads text, word by word.",
        ),
        (
            LSTM(2, 4, cell=cells.no_forget_gate(cells.lstm)),
            {"features": ["x" * 31, "y"]},
            "A recurrent network (no_forget_gate(lstm)) of 4 units, in one layer, that reads 2 features at each step.",
        ),
    ],
    ids=str,
)
def test_else_it_is_made_of_what_is_known(model: LSTM, options: dict[str, Any], sentence: str) -> None:
    assert said(model, torch.randn(5, 1, model.input_size), **options) == sentence


@pytest.mark.parametrize("task", TASKS, ids=lambda one: one.__name__)
def test_every_task_says_what_its_models_do(task: type[tasks.Task]) -> None:
    made = task()
    assert made.about.startswith("reads ") and not made.about.endswith(".")
    assert about_of_fit(LSTM(1, 8, 2), made) == f"An LSTM of 8 units a layer, in two layers, that {made.about}."
    assert len(made.about) < 140


def test_a_task_that_says_nothing_leaves_it_to_what_is_known() -> None:
    class Own(tasks.Companies):
        about = ""

    assert about_of_fit(LSTM(1, 1), Own()) is None and about_of_fit(LSTM(1, 1), None) is None


def test_layers_of_several_sizes() -> None:
    assert in_words("lstm", [4, 8], 12, both=False) == "An LSTM of 4 to 8 units a layer, in 12 layers"


# ---- the most telling sequence ----


def keeping(hidden: int = 3, **options: Any) -> LSTM:
    """A layer that keeps: what comes first is still there at the end."""
    lstm = LSTM(2, hidden, forget_bias=6.0, **options)
    with torch.no_grad():
        for name, parameter in lstm.named_parameters():
            if name.startswith("weight_hh"):
                parameter.zero_()
    return lstm


def early(steps: int = 20, count: int = 4, loud: int = 2) -> torch.Tensor:
    """Sequences that end alike; one of them began with something loud."""
    x = 0.1 * torch.ones(steps, count, 2)
    x[: steps // 4, loud] = 3.0
    return x


@pytest.mark.parametrize("loud", [0, 1, 3])
@pytest.mark.parametrize("cell", [cells.lstm, cells.peephole, cells.layernorm_lstm], ids=lambda cell: cell.name)
def test_it_is_the_one_whose_early_steps_matter_most(loud: int, cell: cells.Cell) -> None:
    assert document(keeping(cell=cell), early(loud=loud))["telling"] == loud


def distances(lstm: LSTM, x: torch.Tensor, lengths: list[int]) -> list[float]:
    """As docs/explorer.md says it, one sequence after the other."""
    found = []
    with torch.no_grad():
        for row, steps in enumerate(lengths):
            whole, end = x[:steps, row], -(-steps // 10)
            found.append(float((lstm(whole)[0][-1] - lstm(whole[steps - end :])[0][-1]).norm()))
    return found


@pytest.mark.parametrize(
    "options", [{}, {"num_layers": 2}, {"bidirectional": True}, {"proj_size": 2, "num_layers": 2}], ids=str
)
def test_it_is_as_defined_for_stacks_directions_and_lengths(options: dict[str, Any]) -> None:
    for seed in range(4):
        torch.manual_seed(seed)
        lstm, x, lengths = (
            LSTM(2, 4, dtype=torch.float64, **options),
            torch.randn(23, 5, 2, dtype=torch.float64),
            [23, 1, 9, 20, 11],
        )
        expected = distances(lstm, x, lengths)
        assert document(lstm, x, lengths=lengths)["telling"] == max(range(5), key=expected.__getitem__)
        assert expected[1] == 0, "of one step nothing is early"


def test_batch_first_packed_and_first_states_make_no_difference() -> None:
    x, lstm = early(), keeping(batch_first=True)
    assert document(lstm, x.transpose(0, 1))["telling"] == 2
    packed = nn.utils.rnn.pack_padded_sequence(x, torch.tensor([20, 18, 20, 19]), enforce_sorted=False)
    assert document(keeping(), packed)["telling"] == 2
    states = (torch.zeros(1, 4, 3), torch.zeros(1, 4, 3))
    assert document(keeping(), x, hx=states)["telling"] == 2
    assert document(nn.Sequential(keeping()), x)["telling"] == 2


def test_of_equals_and_of_one_it_is_the_first() -> None:
    assert document(LSTM(2, 3), torch.ones(6, 3, 2))["telling"] == 0
    assert document(LSTM(2, 3), torch.randn(6, 1, 2))["telling"] == 0
    assert document(LSTM(2, 3), torch.randn(6, 2))["telling"] == 0


def test_nan_counts_as_the_least() -> None:
    x = early(loud=1)
    x[3, 0, 0] = torch.nan
    assert document(keeping(), x)["telling"] == 1
    assert document(keeping(), torch.full((6, 3, 2), torch.nan))["telling"] == 0


def test_where_nothing_can_be_run_again_it_is_the_first() -> None:
    lstm = keeping()
    with byhand.record(lstm) as trace:
        lstm(early())
    assert document(trace)["telling"] == 0
    both = nn.Sequential(nn.Linear(2, 2), nn.Module())
    both.first, both.second = LSTM(2, 3), LSTM(3, 3)

    def run(x: torch.Tensor) -> torch.Tensor:
        return both.second(both.first(x)[0])[0]

    both.forward = run  # type: ignore[method-assign]
    assert document(both, early())["telling"] == 0


def test_hooks_are_called_once_and_edits_are_left_out() -> None:
    lstm, calls = keeping(), []
    with lstm.register_forward_hook(lambda *given: calls.append(given)):
        assert document(lstm, early())["telling"] == 2
    assert len(calls) == 1
    with byhand.edit(lstm, {"l0.f": byhand.at(0.0, time=19)}):
        assert document(lstm, early())["telling"] == 2
    lstm.train()
    document(lstm, early())
    assert lstm.training
