"""The explorer's Text view in a real browser: a text on the colours of a unit, units worth a look, number series in lanes, long texts."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from browser import NARROW, Opener, figure, picture, scrolls_sideways, settle, show, violations
from torch import nn
from torch.nn.functional import one_hot

import byhand
from byhand import LSTM
from byhand.explorer.load.model import visible

STORE = "document.querySelector('#byhand-explorer').byhand.store"
TEXT = "the cat sat on the mat\nand looked, for a while,\tat the moon 漢字 <b>& sat\n" * 3
UNITS = 12
# The colour under a symbol: its pixel of the picture, whose size in cells the text is laid out in.
PICTURE = "document.querySelector('.lens canvas').toDataURL()"
PIXELS = """() => {
  const canvas = document.querySelector('.lens canvas');
  const { width, height } = canvas;
  return { width, height, data: [...canvas.getContext('2d').getImageData(0, 0, width, height).data] };
}"""


def text_model(text: str = TEXT, units: int = UNITS) -> tuple[LSTM, torch.Tensor, dict[str, Any]]:
    """A layer that reads the text one-hot, and what explore is told of it."""
    torch.manual_seed(len(text))
    symbols = sorted(set(text))
    lstm, head = LSTM(len(symbols), units), nn.Linear(units, len(symbols))
    with torch.no_grad():
        for parameter in lstm.parameters():
            parameter.mul_(4)
    x = one_hot(torch.tensor([symbols.index(one) for one in text]), len(symbols)).float().unsqueeze(1)
    names = [visible(symbol) for symbol in symbols]
    told = {"characters": [[visible(one) for one in text]], "features": names, "head": head, "names": names}
    return lstm, x, told


def opened(open_page: Opener, fragment: str = "view=text&unit=3&time=5", **options: Any) -> tuple[Any, dict[str, torch.Tensor]]:
    lstm, x, told = text_model()
    with torch.no_grad(), byhand.record(lstm.double()) as trace:
        lstm(x.double())
    values = {name: value[:, 0] for name, value in trace.items()}
    page = open_page(byhand.explore(lstm.float(), x, squash="softmax", **told).document, fragment=fragment, **options)
    page.wait_for_selector(".lens canvas[data-drawn]", state="attached")
    return page, values


def places(page: Any) -> list[tuple[int, int]]:
    """Line and first cell of each symbol, from where the page's cursor stands at it."""
    return page.evaluate(
        f"""async () => {{
        const frame = () => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
        const mark = document.querySelector('.lens-cursor'), canvas = document.querySelector('.lens canvas');
        const cell = canvas.clientWidth / canvas.width, found = [];
        for (let time = 0; time < {STORE}.run().steps; time++) {{
          {STORE}.set({{ time }});
          await frame();
          found.push([parseFloat(mark.style.top) / 24, Math.round(parseFloat(mark.style.left) / cell)]);
        }}
        return found;
      }}"""
    )


def test_the_whole_text_stands_there_as_text_on_the_colours_of_the_unit(open_page: Opener) -> None:
    page, values = opened(open_page)
    lines = page.evaluate("document.querySelector('.lens-text').textContent").split("\n")
    assert "".join(lines).replace(" ", "") == "".join(map(visible, TEXT)).replace("␣", "")
    assert page.locator(".lens-text b").count() == 0  # markup in it is shown as text
    pixels = page.evaluate(PIXELS)
    own = values["l0.c"][:, 3]
    reach = min(own.abs().max(), own.mean().abs() + 3 * own.std(correction=0)).item()
    found = places(page)
    # The redder a brown, the greener a teal: each pixel against where the value lies between the ends and zero.
    for symbol, (line, cell) in enumerate(found):
        at = 4 * (int(line) * pixels["width"] + cell)
        red, _, blue, alpha = pixels["data"][at : at + 4]
        value = max(-1.0, min(1.0, own[symbol].item() / reach))
        assert alpha == 255
        if abs(value) > 0.1:
            assert (red > blue) == (value < 0), (symbol, value, red, blue)
    strongest, weakest = own.abs().argmax().item(), own.abs().argmin().item()
    brightness = [
        sum(pixels["data"][4 * (int(found[k][0]) * pixels["width"] + found[k][1]) :][:3]) for k in (strongest, weakest)
    ]
    assert brightness[0] < brightness[1]
    assert "long memory" in page.get_attribute(".lens", "aria-label")


def test_the_keys_of_the_other_views_flip_units_and_move_the_cursor(open_page: Opener) -> None:
    page, values = opened(open_page)
    before = page.evaluate(PICTURE)
    page.keyboard.press("ArrowDown")
    settle(page)
    assert page.inner_text(".text-view h2") == "What in this text does unit 4 respond to?"
    assert page.evaluate(PICTURE) != before
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowRight")
    settle(page)
    assert page.inner_text(".text-here") == f"step 6 “{TEXT[6]}”: long memory {figure(values['l0.c'][6, 3].item())}"
    assert page.evaluate(PICTURE) == before
    for site, name in (("f", "forget gate"), ("h", "short memory")):
        page.click(f".text-sites [data-site={site}]")
        settle(page)
        assert page.inner_text(".text-here").endswith(f"{name} {figure(values[f'l0.{site}'][6, 3].item())}")
        assert page.get_attribute(f".text-sites [data-site={site}]", "aria-pressed") == "true"
    assert page.evaluate(f"{STORE}.state.node") == "h"  # the same site as in the Unit view, and in the link
    box = page.locator(".lens-page").bounding_box()
    page.mouse.click(box["x"] + 3, box["y"] + 3)
    settle(page)
    assert page.evaluate(f"{STORE}.state.time") == 0


def test_units_worth_a_look_are_those_that_torch_finds(open_page: Opener) -> None:
    page, values = opened(open_page)
    c = values["l0.c"]
    together = torch.corrcoef(c.T)[3]
    here = (c[5] - c.mean(0)) / c.std(0, correction=0)
    units: list[int] = []
    expected = {"vary": c.std(0, correction=0), "like": together.where(torch.arange(UNITS) != 3, 0.0), "here": here}
    for interest, measure in expected.items():
        page.select_option(".worth select", interest)
        settle(page)
        settle(page)
        units = [int(one) for one in page.locator(".worth-list button").evaluate_all("all => all.map(one => one.dataset.unit)")]
        order = measure.abs().argsort(descending=True).tolist()
        assert units == [one for one in order if interest != "like" or one != 3][: len(units)], interest
        assert page.locator(".worth-measure").all_inner_texts() == [figure(measure[one].item()) for one in units]
    assert page.locator(".worth-list button").count() == 10
    page.click(".worth-list button >> nth=0")
    settle(page)
    assert page.evaluate(f"{STORE}.state.unit") == units[0]


def test_a_number_series_stands_in_lanes(open_page: Opener) -> None:
    torch.manual_seed(2)
    lstm, x = LSTM(2, 5), torch.randn(400, 1, 2)
    page = open_page(byhand.explore(lstm, x, features=["price", "volume"]).document, fragment="view=text&unit=2&time=399")
    page.wait_for_selector(".lens canvas[data-drawn]", state="attached")
    assert page.inner_text(".text-view h2") == "What in this series does unit 2 respond to?"
    assert "price, volume" in page.inner_text(".text-main")
    drawn = page.evaluate(
        "[...document.querySelectorAll('.lane-line')].map(one => one.getAttribute('d').match(/[ML]/g).length)"
    )
    assert drawn == [400, 400]
    assert page.evaluate(PIXELS)["height"] > 1
    settle(page)
    edges = "(one => { const { top, bottom } = document.querySelector(one).getBoundingClientRect(); return [top, bottom]; })"
    (top, bottom), (first, last) = (page.evaluate(f"{edges}('{one}')") for one in (".lens", ".lens-cursor"))
    assert top - 1 <= first < last <= bottom + 1  # the cursor is scrolled to


def test_a_page_that_cannot_compute_has_the_lens_of_what_was_recorded(open_page: Opener) -> None:
    lstm, x, told = text_model()
    two = nn.ModuleDict({"one": lstm, "two": LSTM(UNITS, 4)})
    two.forward = lambda x: two["two"](two["one"](x)[0])[0]  # two stacks: shown as recorded
    told = {name: value for name, value in told.items() if name not in ("head", "names")}
    page = open_page(byhand.explore(two, x, **told).document, fragment="view=text&unit=1")
    page.wait_for_selector(".lens canvas[data-drawn]", state="attached")
    assert page.evaluate(f"{STORE}.model.doc.computed") is False
    assert page.locator(".own-button").is_hidden()
    assert page.locator(".worth-list li").count() > 3


@pytest.mark.parametrize("look", ["light", "dark"])
@pytest.mark.parametrize("viewport", [None, NARROW])
def test_axe_finds_nothing_in_the_text_view(open_page: Opener, look: str, viewport: dict[str, int] | None) -> None:
    page, _ = opened(open_page, color_scheme=look, **({"viewport": viewport} if viewport else {}))
    settle(page)
    assert not scrolls_sideways(page)
    assert violations(page) == []
    picture(page, f"text-{look}-{'narrow' if viewport else 'wide'}")


def test_a_long_text_opens_live_and_flips_at_once(open_page: Opener) -> None:
    """20,000 characters; benchmarks/explorer_text.py prints what it costs at 256 units. Here: all there, right, and no long standstill."""
    text = (TEXT * 300)[:20_000]
    lstm, x, told = text_model(text, units=48)
    document = byhand.explore(lstm, x, **told).document
    assert document["computed"] and document["items"][0]["steps"] == 20_000 and not document["notices"]
    page = open_page(document, fragment="view=text&unit=7&time=19999")
    page.wait_for_selector(".lens canvas[data-drawn]", state="attached", timeout=60_000)
    with torch.no_grad():
        y, _ = nn.LSTM.forward(torch_copy(lstm), x.double())
    found = page.evaluate(f"[...{STORE}.run().places.l0.sites.h.data.slice(-48)]")
    torch.testing.assert_close(torch.tensor(found, dtype=torch.float64), y[-1, 0], rtol=1e-6, atol=1e-8)
    assert page.evaluate("document.querySelector('.lens-text').textContent.replaceAll('\\n', '').length") == 20_000
    times = page.evaluate(
        """async () => {
        const times = [];
        for (let k = 0; k < 9; k++) {
          const start = performance.now();
          document.dispatchEvent(new KeyboardEvent('keydown', { key: k % 2 ? 'ArrowDown' : 'ArrowUp', bubbles: true }));
          await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))));
          times.push(performance.now() - start);
        }
        return times.sort((a, b) => a - b);
      }"""
    )
    assert times[4] < 500  # ten times what it is on an idle machine
    show(page, "unit", "&time=19999&unit=7")
    assert "19,999" in page.inner_text(".time-bar")


def torch_copy(lstm: LSTM) -> nn.LSTM:
    copy = nn.LSTM(lstm.input_size, lstm.hidden_size)
    copy.load_state_dict(lstm.state_dict())
    return copy.double()


def test_a_change_near_the_end_of_a_long_text_leaves_the_view_in_its_place(open_page: Opener) -> None:
    text = (TEXT * 300)[:8000]  # of so many units: long enough to wait for
    lstm, x, told = text_model(text, units=192)
    page = open_page(byhand.explore(lstm, x, **told).document, fragment="view=unit&unit=7&time=7999")
    page.wait_for_selector(".unit-view, .view[data-view=unit] svg", state="attached", timeout=60_000)
    page.evaluate(
        f"""() => {{
        window.gone = 0;
        new MutationObserver(() => (gone += document.querySelector('.view progress') ? 1 : 0))
          .observe(document.querySelector('.view'), {{ childList: true }});
        {STORE}.edit({{ on: true, kind: 'site', place: 'l0', site: 'f', value: 0, time: 7999, unit: 7 }});
      }}"""
    )
    settle(page)
    settle(page)
    assert page.evaluate("window.gone") == 0
    ours = LSTM(lstm.input_size, 192, dtype=torch.float64)
    ours.load_state_dict(lstm.state_dict())
    with torch.no_grad(), byhand.edit(ours, {"l0.f": byhand.at(0.0, time=7999, unit=7)}):
        y, _ = ours(x.double())
    found = page.evaluate(f"[...{STORE}.run().places.l0.sites.h.data.slice(-192)]")
    torch.testing.assert_close(torch.tensor(found, dtype=torch.float64), y[-1, 0], rtol=1e-6, atol=1e-8)
