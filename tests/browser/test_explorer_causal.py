"""The causal editor in a real browser, against torch: memories wiped, held and swapped, what is written then, whether a unit matters."""

from __future__ import annotations

import math
import re
from typing import Any

import documents
import numpy as np
import pytest
import torch
from browser import NARROW, WIDE, Opener, picture, scrolls_sideways, settle, violations
from scipy.stats import permutation_test
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import byhand
from byhand import LSTM
from byhand.explorer.load.model import visible

STORE = "document.querySelector('#byhand-explorer').byhand.store"
TEXT = "the cat sat on the mat\nand looked at the moon"
SYMBOLS = sorted(set(TEXT))
COPIED = "window.copied = null; document.addEventListener('byhand-copy', (event) => (window.copied = event.detail.text))"


class Speller(nn.Module):
    """Embedded symbols, two layers, and a head that says the next one."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.embedding = nn.Embedding(len(SYMBOLS), 5)
        self.lstm = LSTM(5, 9, 2)
        self.head = nn.Linear(9, len(SYMBOLS))
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.mul_(4)
            self.head.weight.mul_(4)
            for layer in (0, 1):
                self.lstm.get_parameter(f"bias_ih_l{layer}")[9:18] = 4  # it forgets slowly: what is changed is seen

    def forward(self, symbols: Tensor) -> Tensor:
        return self.head(self.lstm(self.embedding(symbols))[0])


def spelling(items: int = 1) -> tuple[Speller, Tensor, Tensor, dict[str, Any]]:
    """The model, its input, its targets, and the page's document: pieces of the text that begin one further each."""
    model = Speller()
    steps = len(TEXT) - items + 1
    texts = [TEXT[k : k + steps] for k in range(items)]
    x = torch.tensor([[SYMBOLS.index(one) for one in text] for text in texts]).T
    targets = torch.cat([x[1:], torch.full((1, items), -1)])
    names = [visible(one) for one in SYMBOLS]
    told = {
        "characters": [[visible(one) for one in text] for text in texts],
        "head": model.head,
        "names": names,
        "targets": targets,
    }
    document = byhand.explore(model, x, squash="softmax", name="model", **told).document
    return model.double(), x, targets, document


def write_on(page: Any, symbols: int = 60) -> list[str]:
    """Both texts, without what was there before."""
    page.get_by_label("symbols to write").fill(str(symbols))
    page.get_by_label("symbols to write").press("Enter")
    page.get_by_role("button", name="Write on", exact=True).click()
    page.wait_for_function("() => /same|differ/.test(document.querySelector('.compare-writing [role=status]').textContent)")
    after = "[...one.childNodes].slice(1).map((part) => part.textContent).join('')"
    return page.evaluate(f"[...document.querySelectorAll('.compare-text')].map((one) => {after})")


def copied(page: Any, section: str) -> str:
    page.evaluate(COPIED)
    page.locator(section).get_by_role("button", name="Copy as Python").click()
    return page.evaluate("window.copied")


def run(text: str, **names: Any) -> dict[str, Any]:
    exec(text, names)  # what the page offers to copy
    return names


def written(names: dict[str, Any]) -> str:
    return "".join({"␣": " ", "↵": "\n"}.get(one, one) for one in names["written"])


def test_without_a_change_both_texts_are_the_same(open_page: Opener) -> None:
    *_, document = spelling()
    page = open_page(document, fragment="view=compare&time=12&seed=5&sides=trained~changed")
    one, other = write_on(page)
    assert one == other
    assert len(one) == 60
    assert page.inner_text(".compare-writing [role=status]") == "The same 60 symbols."
    assert page.locator(".compare-text mark").count() == 0


@pytest.mark.parametrize("temperature", [0, 0.7, 2], ids=str)
@pytest.mark.parametrize("change", ["Wipe", "Hold", "Swap in"])
def test_after_a_change_it_writes_what_torch_does_at_the_same_draws(open_page: Opener, change: str, temperature: float) -> None:
    model, x, _, document = spelling(items=2)
    page = open_page(document, fragment=f"view=compare&time=12&item=1&seed=5&temperature={temperature}")
    untouched = write_on(page)[0]
    page.get_by_label("which memories").select_option("all")
    if change == "Swap in":
        page.get_by_label("step to take the memory of").fill("30")
        page.get_by_label("sequence to take the memory of").select_option("sequence 0")
    page.get_by_role("button", name=change, exact=True).click()
    settle(page)
    before, after = write_on(page)
    assert before == untouched
    text = copied(page, ".compare-writing")
    assert "byhand.edit(model" in text
    assert written(run(text, model=model, x=x)) == after
    plain = re.sub(r"byhand\.edit\(model, \{.*?\}\)", "byhand.edit(model, {})", text, flags=re.DOTALL)
    assert written(run(plain, model=model, x=x)) == before
    differ = [one != other for one, other in zip(before, after, strict=True)]
    marked = sum(len(one) for one in page.locator(".compare-text.side-1 mark").all_text_contents())
    assert marked == sum(differ)
    if temperature:
        assert any(differ)


def test_a_memory_swapped_in_is_that_of_the_other_step(open_page: Opener) -> None:
    """And what the page offers to copy does the same."""
    model, x, targets, document = spelling(items=2)
    page = open_page(document, fragment="view=compare&time=12&item=1")
    page.get_by_label("which memories").select_option("all")
    page.get_by_label("step to take the memory of").fill("30")
    page.get_by_role("button", name="Swap in", exact=True).click()
    settle(page)
    with torch.no_grad(), byhand.record(model) as trace:
        model(x)
    changes = {name: byhand.at(trace[name][30, 0], time=12) for name in ("lstm.l0.c", "lstm.l0.h", "lstm.l1.c", "lstm.l1.h")}
    with torch.no_grad(), byhand.edit(model, changes):
        scores = model(x)
    found = torch.tensor(page.evaluate(f"[...{STORE}.run().head.data]"), dtype=torch.float64).reshape(len(x), -1)
    torch.testing.assert_close(found, scores[:, 1].softmax(-1), rtol=1e-9, atol=1e-12)
    names = run(page.evaluate(f"{STORE}.python()"), model=model, x=x)
    torch.testing.assert_close(names["y"][:, 1], scores[:, 1], rtol=1e-9, atol=1e-12)
    page.wait_for_function("() => !/A ([\\d.]+), B \\1\\.$/.test(document.querySelector('.compare-writing > p').textContent)")
    said = page.inner_text(".compare-writing > p")
    with torch.no_grad():
        losses = [cross_entropy(one[12:-1, 1], targets[12:-1, 1]).item() for one in (model(x), scores)]
    assert [float(one) for one in re.findall(r"[AB] (\d+\.\d+)", said)] == pytest.approx(
        [one / math.log(2) for one in losses], abs=0.006
    )
    assert abs(losses[1] - losses[0]) > 0.05
    page.keyboard.press("u")
    settle(page)
    assert page.evaluate(f"{STORE}.state.edits.length") == 0


def test_changes_at_later_steps_hold_in_what_is_written(open_page: Opener) -> None:
    model, x, _, document = spelling()
    page = open_page(document, fragment="view=compare&time=12&edits=lstm.l0.c~20~all~0,lstm.l1.c~21~all~5")
    before, after = write_on(page)
    assert before != after
    text = copied(page, ".compare-writing")
    assert "time=slice(20, 21)" in text
    assert written(run(text, model=model, x=x)) == after


def test_one_hot_letters_of_a_bare_layer(open_page: Opener) -> None:
    torch.manual_seed(3)
    letters = sorted(set("the cat sat"))
    lstm, head = LSTM(len(letters), 6, batch_first=True), nn.Linear(6, len(letters))
    x = torch.eye(len(letters))[[letters.index(one) for one in "the cat sat"]].unsqueeze(0)
    told = {"characters": "the cat sat", "head": head, "names": letters, "squash": "softmax"}
    page = open_page(byhand.explore(lstm, x, **told).document, fragment="view=compare&time=5&edits=l0.c~2~all~1")
    _, after = write_on(page, 20)
    names = run(copied(page, ".compare-writing"), lstm=lstm.double(), head=head.double(), x=x.double())
    assert written(names) == after


def ablate(page: Any) -> tuple[str, str]:
    page.get_by_role("button", name="Try it over all sequences").click()
    page.wait_for_function("() => document.querySelector('.compare-matters [role=status]').textContent.includes('p =')")
    return page.inner_text(".compare-matters [role=status]"), copied(page, ".compare-matters")


def sign_flip(differences: np.ndarray) -> float:
    """scipy's: of the largest |mean| of a column."""

    def largest(rows: np.ndarray, axis: int) -> np.ndarray:
        return np.abs(rows.mean(axis=axis))

    found = permutation_test((differences,), largest, permutation_type="samples", alternative="greater", n_resamples=np.inf)
    return float(found.pvalue)


@pytest.mark.parametrize("at", ["zero", "its mean"])
def test_does_this_unit_matter_by_the_loss(open_page: Opener, at: str) -> None:
    model, x, targets, document = spelling(items=9)
    page = open_page(document, fragment="view=compare&place=lstm.l1&unit=4")
    page.get_by_label("what it is held at").select_option(at)
    said, text = ablate(page)
    names = run(text, model=model, x=x)

    def losses(scores: Tensor) -> np.ndarray:
        return np.array([cross_entropy(scores[:-1, k], targets[:-1, k]).item() / math.log(2) for k in range(9)])

    with_unit, without = losses(names["with_unit"].detach()), losses(names["without_unit"].detach())
    with byhand.record(model) as trace:
        model(x)
    value = trace["lstm.l1.c"][..., 4].mean().item() if at == "its mean" else 0.0
    with byhand.edit(model, {"lstm.l1.c": byhand.at(value, unit=4)}):
        torch.testing.assert_close(model(x), names["without_unit"])
    p = sign_flip(without - with_unit)
    assert said.startswith("Over 9 sequences: mean loss in bits ")
    numbers = [float(one.replace("−", "-")) for one in re.findall(r"[−+]?\d+(?:\.\d+)?(?:e-?\d+)?", said)]
    assert numbers[1:] == pytest.approx([with_unit.mean(), without.mean(), (without - with_unit).mean(), p], rel=6e-3)
    assert "all 512 signs" in page.inner_text(".compare-matters .small")


def test_without_targets_the_outputs_say_it(open_page: Opener) -> None:
    torch.manual_seed(2)
    lstm, x = LSTM(2, 4, dtype=torch.float64), torch.randn(7, 6, 2, dtype=torch.float64)
    page = open_page(byhand.explore(lstm, x).document, fragment="view=compare&unit=1")
    said, text = ablate(page)
    change = run(text, lstm=lstm, x=x)["change"].detach().numpy()
    means = change.mean(0)  # sequence, output
    largest = np.abs(means.mean(0)).argmax()
    assert np.abs(means).sum(1).min() > 0
    assert f"change by {change.__abs__().mean():.3g} in the mean" in said
    signs = 1 - 2 * ((np.arange(64)[:, None] >> np.arange(6)) & 1)
    p = np.mean(np.abs(signs @ means).max(1) >= np.abs(means.sum(0))[largest] * (1 - 1e-9))
    assert float(said.rpartition("p = ")[2].rstrip(".")) == pytest.approx(p, rel=6e-3)


def test_it_can_be_stopped_and_the_page_answers_meanwhile(open_page: Opener) -> None:
    torch.manual_seed(2)
    lstm, x = LSTM(2, 64), torch.randn(400, 40, 2)
    page = open_page(byhand.explore(lstm, x).document, fragment="view=compare")
    page.evaluate("""() => {
        window.longest = 0;
        let last = performance.now();
        const tick = (now) => { window.longest = Math.max(window.longest, now - last); last = now; requestAnimationFrame(tick); };
        requestAnimationFrame(tick);
    }""")
    button = page.locator(".compare-matters button.primary")
    button.focus()
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelector('.compare-matters .small').textContent.includes('%')")
    assert button.inner_text() == "Stop"
    page.keyboard.press("Enter")
    assert page.inner_text(".compare-matters [role=status]") == "Stopped."
    assert button.inner_text() == "Try it over all sequences"
    shown = page.inner_text(".compare-matters .small")
    page.wait_for_timeout(300)
    assert page.inner_text(".compare-matters .small") == shown
    assert page.evaluate("window.longest") < 1000


def test_of_numbers_the_course_of_the_answer(open_page: Opener) -> None:
    page = open_page(documents.companies(), fragment="view=compare&time=1")
    page.get_by_role("button", name="Wipe", exact=True).click()
    settle(page)
    page.locator(".compare-writing .two-lines path.b").wait_for()
    label = page.locator(".compare-writing .two-lines svg").get_attribute("aria-label")
    assert "logarithmic" not in label
    one, other = (page.evaluate(f"{STORE}.{which}().output.data[1]") for which in ("original", "run"))
    assert other == 0 != one
    assert f"{one:.2f}".replace("-", "−") in label
    assert page.get_by_role("button", name="Write on", exact=True).count() == 0


@pytest.mark.parametrize(("viewport", "scheme"), [(WIDE, "light"), (NARROW, "dark")], ids=["wide", "narrow, dark"])
def test_axe_finds_nothing(open_page: Opener, viewport: dict[str, int], scheme: str) -> None:
    *_, document = spelling(items=6)
    page = open_page(document, fragment="view=compare&time=12&edits=lstm.l0.c~12~all~0", viewport=viewport, color_scheme=scheme)
    write_on(page, 120)
    ablate(page)
    assert violations(page) == []
    assert not scrolls_sideways(page)
    picture(page, f"causal-{viewport['width']}", full_page=True)
