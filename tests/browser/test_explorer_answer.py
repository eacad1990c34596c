"""The answer in the time bar: what the model says here, what it should, and what it said before a change; and the changes in one line."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from answering import Answering
from browser import NARROW, Opener, figure, picture, scrolls_sideways, settle, show, violations
from torch import nn

import byhand
from byhand import LSTM
from byhand.explorer.document.document import document
from byhand.explorer.document.targets import Targets

STORE = "document.querySelector('#byhand-explorer').byhand.store"
SIZES = [{"width": 1440, "height": 900}, {"width": 1280, "height": 720}, NARROW]
VIEWS = ["unit", "layer", "ledger"]
EDIT = "edits=lstm.l1.o~all~all~0"
FITS = "(one) => one.scrollWidth <= one.clientWidth"
# Taken when the frame is drawn, and again when everything is computed.
HEIGHTS = "() => ['.dock', '.time-bar', '.answer'].map((name) => document.querySelector(name).offsetHeight)"


def answering(where: str = "last", **options: Any) -> tuple[Answering, torch.Tensor, dict[str, Any]]:
    torch.manual_seed(2)
    model, x = Answering(where, both=False), torch.randn(7, 3, 2, dtype=torch.float64)
    return model, x, document(model, x, head=model.head, **options)


def line(page: Any) -> str:
    return page.inner_text(".answer")


def test_a_number_before_and_after_a_change_in_every_view(open_page: Opener) -> None:
    torch.manual_seed(0)
    lstm, x = LSTM(1, 1, dtype=torch.float64), torch.rand(4, 2, 1, dtype=torch.float64)
    with torch.no_grad():
        for parameter in lstm.parameters():
            parameter.mul_(3)
        before = lstm(x)[0][-1, 0, 0].item()
        with byhand.edit(lstm, {"l0.f": byhand.at(0.0), "l0.o": byhand.at(1.0)}):
            after = lstm(x)[0][-1, 0, 0].item()
    assert figure(before) != figure(after)
    page = open_page(document(lstm, x, targets=[1.0, 0.0]), fragment="view=unit&time=3")
    assert line(page) == f"answer after step 3: {figure(before)}, should be 1"
    assert page.locator(".answer b").all_inner_texts() == [figure(before)]
    for view in VIEWS:
        show(page, view, "&time=3&edits=l0.f~all~all~0,l0.o~all~all~1")
        assert line(page) == f"answer after step 3: {figure(before)} → {figure(after)}, should be 1"
        show(page, view, "&time=1&edits=l0.f~all~all~0,l0.o~all~all~1")
        assert line(page) == f"asked at step 3: {figure(before)} → {figure(after)}, should be 1"
    show(page, "unit", "&time=3&item=1&edits=off~l0.f~all~all~0")
    assert "→" not in line(page) and line(page).endswith("should be 0")  # a change that is switched off is none
    show(page, "tour")
    assert not page.locator(".time-bar").is_visible()


def test_classes_and_what_is_right(open_page: Opener) -> None:
    names = ["up", "down", "left", "right", "stay"]
    model, x, made = answering(squash="softmax", names=names, targets=[3, 0, -1])
    page = open_page(made, fragment="view=unit&time=6")
    with torch.no_grad():
        likely = model(x)[0].softmax(-1).sort(descending=True)
    shares = [f"{names[index]} ({100 * share:.0f} %)" for share, index in zip(*(one.tolist() for one in likely), strict=True)]
    assert line(page) == f"answer after step 6: {', '.join(shares[:3])}, should be right"
    show(page, "unit", "&time=6&item=2")
    assert line(page).startswith("answer after step 6: ") and "should be" not in line(page)


def test_a_value_in_the_unit_of_its_table(open_page: Opener) -> None:
    model, x, _ = answering()
    head = nn.Linear(4, 1, dtype=torch.float64)
    model.head = head
    targets = Targets([0.5, 0.25, 0.0], [10.0], [40.0], labels=[["rain 1962"], ["rain 1963"], ["rain 1964"]])
    page = open_page(document(model, x, head=head, names=["next rain"], targets=targets), fragment="view=layer&time=6&item=1")
    with torch.no_grad():
        value = 40 + 10 * model(x)[1].item()
    assert line(page) == f"answer after step 6: rain 1963 = {figure(value)}, should be 42.5"
    assert page.locator(".output-list span").all_inner_texts() == [figure(value)]  # one source for both


def test_text_has_the_likeliest_characters_and_bits(open_page: Opener) -> None:
    torch.manual_seed(1)
    model, text = Answering("every", both=False), "abcabce"
    targets = [["abcde".index(one) for one in text[1:]] + [-1]]
    x = torch.randn(7, 1, 2, dtype=torch.float64)
    made = document(model, x, head=model.head, squash="softmax", names=list("abcde"), characters=text, targets=targets)
    page = open_page(made, fragment="view=unit&time=2")
    with torch.no_grad():
        scores = model(x)[:, 0]
    bits = nn.functional.cross_entropy(scores[:-1], torch.tensor(targets[0][:-1]), reduction="none") / torch.log(
        torch.tensor(2.0)
    )
    top = scores[2].softmax(-1).sort(descending=True)
    likely = ", ".join(f"{'abcde'[index]} ({100 * share:.0f} %)" for share, index in list(zip(*top, strict=True))[:3])
    expected = f"next after step 2: {likely}, should be a; {figure(bits[2].item())} bits, over the sequence {figure(bits.mean().item())}"
    assert line(page) == expected
    show(page, "unit", "&time=6")
    assert line(page).startswith("asked at step 5: ")  # nothing is known of what comes behind the last


@pytest.mark.parametrize("viewport", SIZES, ids=["1440", "1280", "360"])
@pytest.mark.parametrize("kind", ["next", "class", "numbers"])
def test_it_fits_and_nothing_moves(open_page: Opener, viewport: dict[str, int], kind: str) -> None:
    model, x, _ = answering("every")
    names = [f"a long name {index}" for index in range(5)]
    options: dict[str, Any] = {"head": model.head, "names": names}
    if kind == "numbers":
        options["targets"] = torch.rand(7, 3, 5)
    else:
        options |= {"squash": "softmax", "targets": torch.randint(5, (7, 3))}
    if kind == "next":
        options |= {"names": list("abcde"), "characters": ["abcabce", "aaaaaaa", "bcdbcde"]}
        options["targets"] = [["abcde".index(one) for one in text[1:]] + [-1] for text in options["characters"]]
    page = open_page(document(model, x, **options), viewport=viewport, fragment="view=unit")
    heights = page.evaluate(HEIGHTS)
    for more in ("", "&time=3", "&time=6", "&item=1", f"&time=4&{EDIT}"):
        show(page, "unit", more)
        assert page.locator(".answer").evaluate(FITS) and line(page), line(page)
        assert page.evaluate(HEIGHTS)[1:] == heights[1:]
    assert "→" in line(page) or (viewport == NARROW and "→" in page.locator(".answer").get_attribute("title"))
    assert not scrolls_sideways(page)
    picture(page, f"answer-{kind}-{viewport['width']}")
    assert violations(page) == []


@pytest.mark.parametrize("look", ["light", "dark"])
def test_a_large_models_answer_comes_when_it_is_computed(open_page: Opener, look: str) -> None:
    """The view in sight does not wait for it, and its room is kept."""
    torch.manual_seed(0)
    lstm, head, x = LSTM(32, 256, 2), nn.Linear(256, 3), torch.randn(300, 1, 32)
    explorer = byhand.explore(lstm, x, head=head, squash="softmax", targets=[2])
    page = open_page(explorer.document, fragment="view=layer&time=299&place=l0", color_scheme=look)
    page.wait_for_function(f"() => {STORE}.run().done")
    settle(page)
    first, heights = line(page), page.evaluate(HEIGHTS)
    assert "class 2" in first and "…" not in first
    page.evaluate(f"{STORE}.edit({{ on: true, kind: 'site', place: 'l0', site: 'f', value: 0, time: 200, unit: 3 }})")
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    waiting, done = line(page), page.evaluate(f"{STORE}.run().done")
    assert done or waiting == "answer after step 299: …"
    assert page.evaluate(HEIGHTS)[1:] == heights[1:]
    page.wait_for_function(f"() => {STORE}.run().done")
    settle(page)
    with torch.no_grad(), byhand.edit(lstm, {"l0.f": byhand.at(0.0, time=200, unit=3)}):
        likeliest = head(lstm(x)[0])[-1, 0].softmax(-1).argmax().item()
    assert page.locator(".answer b").first.inner_text().startswith(f"class {likeliest}")
    assert violations(page) == []


def test_with_changes_in_its_address_the_original_is_computed_too(open_page: Opener) -> None:
    torch.manual_seed(0)
    lstm, x = LSTM(32, 256, 2), torch.randn(300, 1, 32)
    explorer = byhand.explore(lstm, x, head=nn.Linear(256, 1), targets=[2.0])
    page = open_page(explorer.document, fragment="view=layer&time=299&compare=0&edits=l0.o~all~all~0")
    page.wait_for_function("() => document.querySelector('.answer').textContent.includes('→')")


def test_it_is_announced_once_the_page_is_quiet(open_page: Opener) -> None:
    _, _, made = answering(squash="softmax", targets=[3, 0, 1])
    page = open_page(made, fragment=f"view=unit&time=6&{EDIT}")
    page.wait_for_timeout(700)
    said = page.inner_text("[aria-live=polite].unseen")
    assert said.startswith("Step 6 of 0 to 6") and "Answer after step 6: class" in said and "should be class 3." in said
    assert "→" not in said


def test_a_document_without_answers_opens(open_page: Opener) -> None:
    """As earlier versions wrote it; and one of which nothing is known keeps no room."""
    _, _, made = answering()
    earlier = {name: value for name, value in made.items() if name != "answer"}
    earlier["items"] = [{name: value for name, value in item.items() if name != "answer"} for item in made["items"]]
    page = open_page(earlier, fragment="view=unit&time=2")
    assert line(page).startswith("answer: output 0 = ") and "should be" not in line(page)
    bare = open_page(document(LSTM(1, 2), torch.ones(3, 1, 1)))
    assert not bare.locator(".answer").is_visible()


@pytest.mark.parametrize("viewport", SIZES, ids=["1440", "1280", "360"])
def test_changes_are_one_line_until_they_are_opened(open_page: Opener, viewport: dict[str, int]) -> None:
    _, _, made = answering(targets=[3, 0, 1])
    edits = ",".join(f"lstm.l0.{site}~{time}~1~{value}" for site, time, value in [("f", "all", 0), ("i", 2, -0.5), ("o", 3, 1)])
    page = open_page(made, viewport=viewport, fragment=f"view=unit&edits={edits}")
    fold, listed = page.locator(".changes .fold"), page.locator(".changes li")
    assert fold.inner_text() == "3 changes" and fold.get_attribute("aria-expanded") == "false" and not listed.first.is_visible()
    assert page.locator(".changes").evaluate("(one) => one.offsetHeight") <= 46
    if viewport != NARROW:
        assert page.inner_text(".changes .first").startswith("lstm.l0: forget gate f of unit 1 at every step = 0")
    for name in ("Copy as Python", "Remove all"):
        assert page.get_by_role("button", name=name).is_visible()
    assert page.get_by_role("checkbox", name="compare").is_visible()
    assert violations(page) == []
    picture(page, f"changes-{viewport['width']}")
    fold.focus()
    page.keyboard.press("Enter")
    assert listed.count() == 3 and listed.first.is_visible() and fold.get_attribute("aria-expanded") == "true"
    box = page.locator(".changes").bounding_box()
    assert box["y"] >= 0 and box["y"] + box["height"] <= viewport["height"]
    assert not scrolls_sideways(page) and violations(page) == []
    picture(page, f"changes-open-{viewport['width']}")
    page.get_by_role("button", name="Remove all").click()
    page.locator(".changes").wait_for(state="hidden")
