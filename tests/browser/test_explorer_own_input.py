"""The reader's own input in the explorer, in a real browser: typed, written on by the model, drawn; against the model in Python."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from browser import NARROW, Opener, picture, scrolls_sideways, settle, show, violations
from torch import nn
from torch.nn.functional import one_hot

import byhand
from byhand import LSTM
from byhand.explorer.load.model import visible

STORE = "document.querySelector('#byhand-explorer').byhand.store"
TEXT = "the cat sat on the mat\nand looked at the moon"
SYMBOLS = sorted(set(TEXT))
NAMES = [visible(one) for one in SYMBOLS]
UNITS = 9
TOLERANCE = {"rtol": 1e-9, "atol": 1e-10}


class Speller(nn.Module):
    """Symbols one-hot or embedded, two layers, and a head that says the next one. other: a last symbol for all that it does not know."""

    def __init__(self, *, embedded: bool = False, other: bool = False) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.count = len(SYMBOLS) + other
        self.embedding = nn.Embedding(self.count, 5) if embedded else None
        self.lstm = LSTM(5 if embedded else self.count, UNITS, 2)
        self.head = nn.Linear(UNITS, self.count)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.mul_(3)

    def forward(self, symbols: torch.Tensor) -> torch.Tensor:
        dtype = self.head.weight.dtype
        read = self.embedding(symbols) if self.embedding is not None else one_hot(symbols, self.count).to(dtype)
        return self.head(self.lstm(read)[0])

    def numbers(self, text: str) -> torch.Tensor:
        known = {one: number for number, one in enumerate(SYMBOLS)}
        return torch.tensor([known.get(one, len(SYMBOLS)) for one in text]).unsqueeze(1)

    def document(self, text: str = TEXT) -> dict[str, Any]:
        names = NAMES + ["other"] * (self.count > len(SYMBOLS))
        numbers = self.numbers(text)
        targets = torch.cat([numbers[1:], torch.full((1, 1), -1)])
        told = {"characters": [[visible(one) for one in text]], "head": self.head, "names": names, "targets": targets}
        return byhand.explore(self, numbers, squash="softmax", **told).document


def values(page: Any, what: str, steps: int) -> torch.Tensor:
    found = page.evaluate(f"[...{STORE}.run().{what}.data]")
    return torch.tensor(found, dtype=torch.float64).reshape(steps, -1)


def type_in(page: Any, text: str) -> None:
    if page.locator(".own").is_hidden():
        page.click(".own-button")
    page.fill(".own textarea", text)
    settle(page)


@pytest.mark.parametrize("embedded", [False, True])
def test_a_typed_text_runs_as_in_torch(open_page: Opener, embedded: bool) -> None:
    model = Speller(embedded=embedded)
    page = open_page(model.document(), fragment="view=text")
    mine = "moon at\nthe mat sat sat oo"
    type_in(page, mine)
    model.double()
    with torch.no_grad(), byhand.record(model) as trace:
        scores = model(model.numbers(mine))[:, 0]
    for place in ("lstm.l0", "lstm.l1"):
        for site in "figoch":
            found = values(page, f"places['{place}'].sites.{site}", len(mine))
            torch.testing.assert_close(found, trace[f"{place}.{site}"][:, 0], **TOLERANCE)
    torch.testing.assert_close(values(page, "head", len(mine)), scores.softmax(-1), **TOLERANCE)
    likeliest = NAMES[scores[-1].argmax()]
    assert page.inner_text(".answer").startswith(f"next after step {len(mine) - 1}: {likeliest} (")
    loss = nn.functional.cross_entropy(scores[:-1], model.numbers(mine)[1:, 0]).item() / math.log(2)
    page.evaluate(f"{STORE}.set({{ time: 3 }})")
    settle(page)
    assert f"over the sequence {loss:.2f}" in page.inner_text(".answer")
    for view in ("unit", "layer", "ledger", "text"):
        page.evaluate(f"{STORE}.set({{ view: '{view}' }})")
        settle(page)
        assert page.locator(".message").count() == 0
        assert "step 3 of 0–" + str(len(mine) - 1) in page.inner_text(".time-bar")


def test_what_the_model_does_not_know_is_named_and_never_left_out_silently(open_page: Opener) -> None:
    page = open_page(Speller().document(), fragment="view=text")
    type_in(page, "the cat")
    type_in(page, "the Zat é é")
    said = page.inner_text(".own [role=status]")
    assert "“Z” (1 ×, first at step 4)" in said and "“é” (2 ×, first at step 8)" in said and "nothing runs" in said
    assert page.evaluate(f"{STORE}.state.own") == "the cat"  # what is shown is the last that could be run
    assert page.get_attribute(".own textarea", "aria-invalid") == "true"
    page.get_by_role("button", name="Leave them out").click()
    settle(page)
    assert page.input_value(".own textarea") == "the at  " == page.evaluate(f"{STORE}.state.own")
    assert "symbol for" not in page.inner_text(".own [role=status]")


def test_a_model_that_reads_others_as_one_symbol_says_so(open_page: Opener) -> None:
    model = Speller(embedded=True, other=True)
    page = open_page(model.document(TEXT + "Q"), fragment="view=text")
    type_in(page, "the Zoo")
    assert "read as “other”: “Z” (1 ×, first at step 4)" in page.inner_text(".own [role=status]")
    with torch.no_grad():
        expected = model.double()(model.numbers("the Zoo"))[:, 0].softmax(-1)
    torch.testing.assert_close(values(page, "head", 7), expected, **TOLERANCE)


def draw(seed: int, place: int) -> float:
    """model/writing.ts: random."""
    signed = lambda value: (value & 0xFFFFFFFF) - ((value & 0x80000000) << 1)  # noqa: E731
    product = lambda a, b: signed(signed(a) * signed(b))  # noqa: E731
    shift = lambda value, by: (value & 0xFFFFFFFF) >> by  # noqa: E731
    state = signed(product(signed(seed) ^ signed(0x9E3779B9), 0x85EBCA6B) + product(place + 1, 0x6D2B79F5))
    state = product(state ^ shift(state, 15), state | 1)
    state = signed(state ^ signed(state + product(state ^ shift(state, 7), state | 61)))
    return shift(state ^ shift(state, 14), 0) / 2**32


def continuation(model: Speller, text: str, count: int, temperature: float, seed: int) -> str:
    """What torch's scores say at these draws."""
    model.double()
    for _ in range(count):
        with torch.no_grad():
            scores = model(model.numbers(text))[-1, 0]
        if len(scores) > len(SYMBOLS):
            scores[len(SYMBOLS)] = -torch.inf  # other is not written
        likely = (scores / temperature).softmax(-1).cumsum(-1)
        text += SYMBOLS[int((draw(seed, len(text)) >= likely).sum())]
    return text


@pytest.mark.parametrize(("temperature", "seed"), [(1.0, 0), (0.5, 7), (2.0, 123456)])
def test_the_model_writes_on_as_torch_would_at_the_same_draws(open_page: Opener, temperature: float, seed: int) -> None:
    model = Speller(embedded=True, other=True)
    page = open_page(model.document(), fragment=f"view=text&temperature={temperature}&seed={seed}")
    type_in(page, "the c")
    page.keyboard.press("Control+Enter")
    page.get_by_role("button", name="Write one").click()
    page.locator(".lens").focus()
    for _ in range(6):
        page.keyboard.press("w")
    settle(page)
    expected = continuation(model, "the c", 8, temperature, seed)
    assert page.input_value(".own textarea") == expected
    assert page.evaluate(f"{STORE}.state.time") == len(expected) - 1
    button = page.get_by_role("button", name="Write on", exact=True)
    button.click()
    page.wait_for_function("count => document.querySelector('.own textarea').value.length >= count", arg=len(expected) + 6)
    page.get_by_role("button", name="Stop").click()
    settle(page)
    stopped = page.input_value(".own textarea")
    page.wait_for_timeout(400)
    assert page.input_value(".own textarea") == stopped == continuation(model, "the c", len(stopped) - 5, temperature, seed)
    button.click()  # and goes on
    page.wait_for_function("count => document.querySelector('.own textarea').value.length > count", arg=len(stopped))


def test_writing_on_starts_from_the_cursor_of_a_given_text_and_takes_the_changes_along(open_page: Opener) -> None:
    model = Speller()
    page = open_page(model.document(), fragment="view=unit&time=6&edits=lstm.l1.o~all~2~0")
    page.keyboard.press("w")
    settle(page)
    model.double()
    with torch.no_grad(), byhand.edit(model, {"lstm.l1.o": byhand.at(0.0, unit=2)}):
        expected = continuation(model, TEXT[:7], 1, 1.0, 0)
    assert page.input_value(".own textarea") == expected
    assert page.locator("select[aria-label=sequence] option").all_inner_texts() == ["sequence 0", "your own"]
    page.select_option("select[aria-label=sequence]", "sequence 0")
    settle(page)
    assert page.evaluate(f"{STORE}.run().steps") == len(TEXT)
    page.select_option("select[aria-label=sequence]", "your own")
    settle(page)
    assert page.evaluate(f"{STORE}.run().steps") == len(expected)


def test_a_link_carries_a_short_text_to_another_page(open_page: Opener) -> None:
    document = Speller().document()
    page = open_page(document, fragment="view=text")
    type_in(page, "sat on\nmoon")
    page.wait_for_function("() => location.hash.includes('own=')")
    fragment = page.evaluate("location.hash")
    other = open_page(document, fragment=fragment)
    other.wait_for_selector(".lens canvas[data-drawn]", state="attached")
    assert other.evaluate(f"{STORE}.state.own") == "sat on\nmoon"
    assert "".join(other.inner_text(".lens-text").split("\n")).startswith("sat on↵moon")
    type_in(page, "sat " * 500)
    assert "too long for a link" in page.inner_text(".own [role=status]")
    page.wait_for_function("() => !location.hash.includes('own=')")


def test_a_series_is_drawn_with_the_mouse_and_with_keys(open_page: Opener) -> None:
    torch.manual_seed(4)
    lstm = LSTM(2, 4)
    x = torch.randn(12, 3, 2)
    page = open_page(byhand.explore(lstm, x, features=["price", "volume"]).document, fragment="view=unit&input=1")
    pad = page.locator(".own-pad").bounding_box()
    step = pad["width"] / 12
    page.mouse.move(pad["x"] + 2.5 * step, pad["y"] + 4)
    page.mouse.down()
    page.mouse.move(pad["x"] + 6.5 * step, pad["y"] + 4)  # in one go: the steps between are drawn too
    page.mouse.up()
    settle(page)
    drawn = values(page, "input", 12)
    expected = x[:, 0].double().clone()
    assert (drawn[2:7, 0] > expected[:, 0].max()).all() and drawn[2:7, 0].std() < 0.05
    expected[2:7, 0] = drawn[2:7, 0]
    torch.testing.assert_close(drawn, expected)  # all else as it was
    page.select_option(".own select", "volume")
    page.focus(".own-pad")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    settle(page)
    before = values(page, "input", 12)[1, 1].item()
    page.keyboard.press("ArrowUp")
    settle(page)
    drawn = values(page, "input", 12)
    assert drawn[1, 1].item() > before
    page.fill(".own input[aria-label=steps]", "15")
    page.keyboard.press("Enter")
    settle(page)
    drawn = values(page, "input", 15)
    torch.testing.assert_close(drawn[12:], drawn[11:12].expand(3, 2))
    with torch.no_grad():
        y, _ = lstm.double()(drawn.unsqueeze(1))
    torch.testing.assert_close(values(page, "places.l0.sites.h", 15), y[:, 0], **TOLERANCE)
    assert "your own" in page.locator("select[aria-label=sequence]").inner_text()


def test_a_series_is_drawn_with_a_finger(open_page: Opener) -> None:
    lstm, x = LSTM(1, 3), torch.zeros(10, 1, 1)
    page = open_page(byhand.explore(lstm, x).document, fragment="view=unit&input=1", has_touch=True)
    pad = page.locator(".own-pad").bounding_box()
    page.touchscreen.tap(pad["x"] + 0.35 * pad["width"], pad["y"] + 0.25 * pad["height"])
    settle(page)
    drawn = values(page, "input", 10)[:, 0]
    assert drawn[3] > 0.3 and drawn.abs().sum() == drawn[3]


def test_keyboard_alone_opens_types_writes_and_closes(open_page: Opener) -> None:
    page = open_page(Speller().document(), fragment="view=text")
    page.focus(".own-button")
    page.keyboard.press("Enter")
    settle(page)
    assert page.evaluate("document.activeElement.tagName") == "TEXTAREA"
    page.keyboard.type("on the m1")  # digits and letters are text here, no keys of the page
    settle(page)
    assert page.evaluate(f"{STORE}.state.view") == "text"
    page.keyboard.press("Backspace")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Write one"
    page.keyboard.press("Enter")
    settle(page)
    assert len(page.input_value(".own textarea")) == 9
    page.locator(".own-close").focus()
    page.keyboard.press("Enter")
    settle(page)
    assert page.locator(".own").is_hidden()
    assert page.evaluate("document.activeElement.classList.contains('own-button')")


@pytest.mark.parametrize("look", ["light", "dark"])
def test_axe_finds_nothing_in_the_panel(open_page: Opener, look: str) -> None:
    for viewport in (None, NARROW):
        more = {"viewport": viewport} if viewport else {}
        page = open_page(Speller().document(), fragment="view=text&input=1", color_scheme=look, **more)
        type_in(page, "the Zat")
        assert not scrolls_sideways(page)
        assert violations(page) == []
        picture(page, f"own-text-{look}-{'narrow' if viewport else 'wide'}")
    series = byhand.explore(LSTM(1, 3), torch.randn(10, 1, 1)).document
    page = open_page(series, fragment="view=text&input=1", color_scheme=look, viewport=NARROW)
    settle(page)
    assert not scrolls_sideways(page)
    assert violations(page) == []
    picture(page, f"own-series-{look}")


def test_pages_without_it_have_no_button(open_page: Opener) -> None:
    lstm, x = LSTM(3, 4), torch.randn(6, 1, 3)
    document = byhand.explore(lstm, x, characters="abcabc").document  # one symbol, two inputs: what it is stays unknown
    assert document["alphabet"] is None
    page = open_page(document, fragment="view=text")
    assert page.locator(".own-button").is_hidden()
    show(page, "tour")
    assert page.locator(".own").is_hidden()


def test_the_alphabet_is_read_from_what_came_in() -> None:
    assert Speller(embedded=True, other=True).document()["alphabet"]["symbols"] == [*NAMES, "other"]
    told = Speller(embedded=True).document()["alphabet"]
    assert told["symbols"] == NAMES and told["vectors"]["shape"] == [len(SYMBOLS), 5]
    lstm = LSTM(2, 3)
    vectors = torch.tensor([[0.5, 1.0], [2.0, 0.25]])
    found = byhand.explore(lstm, vectors[[0, 1, 0]].unsqueeze(1), characters="bab").document["alphabet"]
    assert found["symbols"] == ["a", "b"] and found["other"] is None  # those that were seen
