"""targets=: what a model should answer, in every form that it may be given, and where its head reads."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from answering import Answering
from torch import Tensor, nn

import byhand
from byhand import LSTM
from byhand.explorer.document.document import document
from byhand.explorer.document.packing import restored

BATCH, STEPS, OUTPUTS = 3, 7, 5


def answers(
    targets: Any, x: Tensor | None = None, model: nn.Module | None = None, **options: Any
) -> tuple[dict[str, Any], list[Tensor]]:
    """The document's word on answers, and the targets of each sequence."""
    model = Answering("every", both=False) if model is None else model
    x = torch.randn(STEPS, BATCH, 2, dtype=torch.float64) if x is None else x
    made = document(model, x, head=model.head, targets=targets, **options)
    return made["answer"], [restored(item["answer"]["targets"]) for item in made["items"]]


@pytest.mark.parametrize(
    "given", [torch.tensor([4, 0, -1]), [4, 0, -100], np.array([4.0, 0.0, math.nan]), [4, torch.tensor(0), math.nan]]
)
def test_a_class_for_each_sequence(given: Any) -> None:
    about, found = answers(given)
    assert (about["at"], about["kind"]) == ("last", "class")
    assert [one.item() for one in found[:2]] == [4, 0] and found[2].isnan().all()


def test_a_class_at_each_step() -> None:
    steps = torch.randint(OUTPUTS, (STEPS, BATCH))
    steps[2, 1] = -100
    expected = steps.double().masked_fill(steps == -100, math.nan)
    for given in (steps, steps.numpy(), list(steps.T), steps.T.tolist()):
        about, found = answers(given)
        assert (about["at"], about["kind"]) == ("every", "class")
        torch.testing.assert_close(torch.cat(found, 1), expected, equal_nan=True)


@pytest.mark.parametrize("where", ["every", "last"])
def test_numbers(where: str) -> None:
    lead = (STEPS, BATCH) if where == "every" else (BATCH,)
    given = torch.rand(*lead, OUTPUTS, dtype=torch.float64)
    given.view(-1)[3] = math.nan
    each = list(given.transpose(0, 1)) if where == "every" else list(given)
    for form in (given, each, [one.tolist() for one in each]):
        about, found = answers(form)
        assert (about["at"], about["kind"]) == (where, "numbers")
        for one, expected in zip(found, each, strict=True):
            torch.testing.assert_close(one, expected.reshape(-1, OUTPUTS), equal_nan=True)


def test_one_number_needs_no_size_of_its_own() -> None:
    lstm, x = LSTM(2, 1), torch.randn(STEPS, BATCH, 2)
    steps = torch.rand(STEPS, BATCH)
    for given, at in ((steps, "every"), (steps.unsqueeze(-1), "every"), (steps[0], "last"), (steps[0].unsqueeze(-1), "last")):
        made = document(lstm, x, targets=given)
        assert (made["answer"]["at"], made["answer"]["kind"]) == (at, "numbers") and made["head"] is None
        found = torch.stack([restored(item["answer"]["targets"])[:, 0] for item in made["items"]], 1)
        torch.testing.assert_close(found, given.double().reshape(-1, BATCH))


def test_where_two_forms_fit_whole_numbers_are_classes() -> None:
    """Five sequences of five steps and five outputs."""
    x = torch.randn(OUTPUTS, OUTPUTS, 2, dtype=torch.float64)
    given = torch.randint(OUTPUTS, (OUTPUTS, OUTPUTS))
    about, found = answers(given, x)
    assert (about["at"], about["kind"]) == ("every", "class") and torch.equal(torch.cat(found, 1), given.double())
    about, found = answers(given.double(), x)
    assert (about["at"], about["kind"]) == ("last", "numbers") and torch.equal(torch.cat(found), given.double())


def test_layouts_and_lengths_are_those_of_the_input() -> None:
    lstm = LSTM(2, OUTPUTS, batch_first=True)
    given = torch.randint(OUTPUTS, (BATCH, STEPS))
    made = document(lstm, torch.randn(BATCH, STEPS, 2), targets=given, lengths=[STEPS, 2, 4])
    found = [restored(item["answer"]["targets"])[:, 0] for item in made["items"]]
    assert [one.tolist() for one in found] == [row[:steps].tolist() for row, steps in zip(given, [STEPS, 2, 4], strict=True)]
    assert [item["answer"]["steps"] for item in made["items"]] == [STEPS, 2, 4]
    made = document(LSTM(2, OUTPUTS), torch.randn(STEPS, 2), targets=given[0])  # one sequence, without a batch
    assert restored(made["items"][0]["answer"]["targets"]).flatten().tolist() == given[0].tolist()


@pytest.mark.parametrize(
    ("given", "error", "expected"),
    [
        (torch.zeros(STEPS + 1, BATCH), ValueError, r"at each step, \(7, 3\); .* got the shape \(8, 3\)"),
        (torch.zeros(BATCH, STEPS, dtype=torch.long), ValueError, r"got the shape \(3, 7\)"),
        ([0, 1], ValueError, "3 of them, one for each sequence; got 2"),
        ("abc", TypeError, "one for each sequence; got str"),
        (1.0, TypeError, "one for each sequence; got float"),
        ([0, 1, 5], ValueError, "whole numbers from 0 to 4; got 5 in sequence 2"),
        ([0, -2, 1], ValueError, "got -2 in sequence 1"),
        ([0.5, 1, 2], ValueError, "got 0.5 in sequence 0"),
        ([[0] * STEPS, [0] * STEPS, [0] * 6 + [9]], ValueError, "got 9 in sequence 2, step 6"),
        ([[1, 2, 3]] * 3, ValueError, r"of sequence 0 a class, \(7,\) of them, .* got the shape \(3,\)"),
        ([0, [1] * STEPS, 0], ValueError, r"at each step or one at the end; got the shapes \(\), \(7,\), \(\)"),
        ([[1.0] * 4 + [math.inf]] * 3, ValueError, "finite numbers; got an infinite one in sequence 0"),
        ([object()] * 3, TypeError, "numbers, of each sequence in one shape"),
        (torch.zeros(BATCH, OUTPUTS, dtype=torch.complex64), TypeError, "real numbers; got torch.complex64"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(given: Any, error: type[Exception], expected: str) -> None:
    with pytest.raises(error, match=rf"targets: expected .*{expected}.*NaN where nothing is asked"):
        answers(given)


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("where", ["every", "last", "ends"])
def test_where_the_models_own_head_reads_is_found(where: str, both: bool) -> None:
    """Without targets too: of a model that answers once, steps before have no answer."""
    model = Answering(where, both)
    x = torch.randn(STEPS, BATCH, 2, dtype=torch.float64)
    expected = "last" if where == "ends" and not both else where
    assert document(model, x, head=model.head)["answer"]["at"] == expected
    at_end = expected if expected != "every" else "last"
    assert document(model, x, head=model.head, targets=[0, 1, 2])["answer"]["at"] == at_end


def test_an_answer_that_the_page_cannot_tell_is_none() -> None:
    class Mean(Answering):
        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.lstm(x)[0].mean(0))

    model, x = Mean("every", both=False), torch.randn(STEPS, BATCH, 2, dtype=torch.float64)
    made = document(model, x, head=model.head, targets=[0, 1, 2])
    assert made["answer"] is None and "reads something else" in made["notices"][-1]
    both = Answering("ends", both=True)
    made = document(both, x, head=(both.head.weight, both.head.bias), targets=[0, 1, 2])
    assert made["answer"] is None and "head=model.head" in made["notices"][-1]
    made = document(both, x, head=both.head, targets=[0, 1, 2])
    assert made["answer"]["at"] == "ends" and made["notices"] == []


def test_without_a_head_or_targets_nothing_is_said() -> None:
    made = document(LSTM(2, 3), torch.randn(STEPS, BATCH, 2))
    assert made["answer"] is None and all(item["answer"] is None for item in made["items"])


def test_what_the_page_does_not_compute_brings_its_answer() -> None:
    """Of both directions' ends, which are at no one step."""
    model, x = Answering("ends", both=True), torch.randn(STEPS, BATCH, 2, dtype=torch.float64)
    model.lstm = LSTM(2, 4, bidirectional=True, cell=byhand.cells.layernorm_lstm, dtype=torch.float64)
    made = document(model, x, head=model.head, squash="softmax", targets=[0, 1, 2])
    assert not made["computed"] and made["answer"]["at"] == "ends"
    with torch.no_grad():
        expected = model(x).softmax(-1)
    for item, row in zip(made["items"], expected, strict=True):
        torch.testing.assert_close(restored(item["answer"]["value"])[0], row, rtol=1e-9, atol=1e-9)


def test_characters_that_are_asked_for_a_step_early_are_the_next_ones() -> None:
    model, text = Answering("every", both=False), "abcabce"
    targets = [["abcde".index(one) for one in text[1:]] + [-1]]
    x, names = torch.randn(STEPS, 1, 2, dtype=torch.float64), list("abcde")
    options = {"head": model.head, "squash": "softmax", "names": names, "characters": text}
    assert document(model, x, targets=targets, **options)["answer"]["kind"] == "next"
    assert document(model, x, targets=[[0] * STEPS], **options)["answer"]["kind"] == "class"
