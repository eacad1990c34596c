"""The explorer's Ledger view in a real browser: its numbers against brute force, its keys, what it refuses."""

import math

import pytest
import torch
from browser import NARROW, figure, scrolls_sideways, settle, show

import byhand
from byhand import LSTM, cells

STEPS = 9
KEPT = {  # cell, memory: what is kept of it and what is written to it, from the sites of a trace
    ("lstm", "c"): lambda t: (t["f"], t["i"] * t["g"]),
    ("peephole", "c"): lambda t: (t["f"], t["i"] * t["g"]),
    ("cifg", "c"): lambda t: (t["f"], (1 - t["f"]) * t["g"]),
    ("no_input_gate", "c"): lambda t: (t["f"], t["g"]),
    ("no_forget_gate", "c"): lambda t: (torch.ones_like(t["g"]), t["i"] * t["g"]),
    ("gru", "h"): lambda t: (t["z"], (1 - t["z"]) * t["n"]),
    ("slstm", "c"): lambda t: (t["f"], t["i"] * t["g"]),
    ("slstm", "n"): lambda t: (t["f"], t["i"]),
    ("min_lstm", "h"): lambda t: (t["f"], t["i"] * t["g"]),
}


def cell_named(name):
    cell = getattr(cells, name)
    return cell(cells.lstm) if name.startswith("no_") else cell


def explored(cell="lstm", *, steps=STEPS, hidden=3, **options):
    torch.manual_seed(3)
    lstm = LSTM(2, hidden, cell=cell_named(cell), **options)
    x = torch.randn(steps, 1, 2)
    with torch.no_grad(), byhand.record(lstm.double()) as trace:
        lstm(x.double())
    return byhand.explore(lstm, x.double()), trace, lstm


def brute_force(keep, write, time, *, first=0.0):
    """What is left at a step of everything that was written up to it, by definition: a product for each pair."""
    left = [math.prod(keep[s + 1 : time + 1].tolist()) * write[s].item() for s in range(time + 1)]
    return left, math.prod(keep[: time + 1].tolist()) * first


def shown(page):
    """The entries that the page lists, by the step that wrote them, from 1."""
    rows = page.eval_on_selector_all(
        ".ledger-ranked li",
        "rows => rows.map(row => [row.querySelector('.ledger-name').textContent, Number(row.dataset.left)])",
    )
    return {name.split(",")[0]: left for name, left in rows}


@pytest.mark.parametrize(("cell", "memory"), KEPT)
def test_entries_are_those_of_brute_force(open_page, cell, memory):
    explorer, trace, _ = explored(cell)
    page = open_page(explorer.document, fragment="view=ledger&unit=1&time=7")
    if page.locator("select[aria-label=memory]").is_visible():
        page.select_option("select[aria-label=memory]", memory)
        page.wait_for_function(f"() => document.querySelector('.ledger-side h3').textContent.startsWith('In {memory} ')")
    values = {name.removeprefix("l0."): value[:, 0, 1] for name, value in trace.items()}
    left, _ = brute_force(*KEPT[cell, memory](values), 7)
    assert shown(page) == pytest.approx({f"step {s}": entry for s, entry in enumerate(left)}, abs=1e-9)
    assert page.inner_text(".ledger-check").startswith("✓ 8 entries")


def test_first_memory_is_counted_and_a_reverse_direction_runs_backwards(open_page):
    torch.manual_seed(4)
    lstm = LSTM(1, 2, bidirectional=True).double()
    x, first = torch.randn(6, 1, 1).double(), torch.randn(2, 1, 2).double()
    with torch.no_grad(), byhand.record(lstm) as trace:
        lstm(x, (torch.zeros_like(first), first))
    explorer = byhand.explore(lstm, x, hx=(torch.zeros_like(first), first))
    page = open_page(explorer.document, fragment="view=ledger&place=l0.reverse&unit=1&time=2")
    f, i, g = (trace[f"l0.reverse.{site}"][:, 0, 1].flip(0) for site in "fig")
    left, rest = brute_force(f, i * g, 3, first=first[1, 0, 1].item())
    expected = {f"step {5 - s}": entry for s, entry in enumerate(left)} | {"the first memory": rest}
    assert shown(page) == pytest.approx(expected, abs=1e-9)
    assert page.inner_text(".ledger-check").startswith("✓ 4 entries and the first memory")


def test_a_held_gate_and_a_held_memory_are_in_the_ledger(open_page):
    explorer, trace_of_plain, lstm = explored()
    fragment = "view=ledger&unit=1&time=7&edits=l0.f~3~1~0,l0.c~5~1~0.5"
    page = open_page(explorer.document, fragment=fragment)
    x = trace_of_plain.input("l0")
    edits = {"l0.f": byhand.at(0.0, time=3, unit=1), "l0.c": byhand.at(0.5, time=5, unit=1)}
    with torch.no_grad(), byhand.edit(lstm, edits), byhand.record(lstm) as trace:
        lstm(x)
    f, i, g = (trace[f"l0.{site}"][:, 0, 1].clone() for site in "fig")
    write = i * g
    f[5], write[5] = 0, 0.5  # all that the memory held was put there by hand
    left, _ = brute_force(f, write, 7)
    assert shown(page) == pytest.approx({f"step {s}": entry for s, entry in enumerate(left)}, abs=1e-9)
    assert page.inner_text(".ledger-check").startswith("✓")


@pytest.mark.parametrize(
    ("cell", "why"), [("rnn", "replaced at every step"), ("layernorm_lstm", "The equation of c is not known to the page")]
)
def test_it_says_why_a_memory_has_no_ledger(open_page, cell, why):
    explorer, _, _ = explored(cell)
    page = open_page(explorer.document, fragment="view=ledger")
    assert "No ledger" in page.inner_text(".ledger-why h2")
    assert why in page.inner_text(".ledger-why")
    assert not page.is_visible(".ledger-body")


def test_keys_and_pointer_choose_the_step_that_is_read(open_page):
    explorer, trace, _ = explored()
    page = open_page(explorer.document, fragment="view=ledger&time=2")
    page.focus(".triangle-box")
    page.keyboard.press("ArrowDown")
    page.wait_for_function("() => document.querySelector('.ledger-side h3').textContent.endsWith('step 3')")
    page.keyboard.press("ArrowRight")
    settle(page)
    i, g = trace["l0.i"][1, 0, 0], trace["l0.g"][1, 0, 0]
    assert figure((i * g).item()) in page.inner_text(".triangle-said")
    box = page.locator(".triangle-box").bounding_box()
    page.mouse.click(box["x"] + 5, box["y"] + box["height"] * 7.5 / STEPS)
    page.wait_for_function("() => document.querySelector('.ledger-side h3').textContent.endsWith('step 7')")
    page.mouse.move(box["x"] + box["width"] - 4, box["y"] + 4)
    settle(page)
    assert "has not been written yet" in page.inner_text(".triangle-said")


def test_the_triangle_is_empty_above_its_diagonal_and_coloured_below(open_page):
    explorer, trace, _ = explored()
    page = open_page(explorer.document, fragment="view=ledger")
    pixels = page.eval_on_selector(
        ".triangle-box canvas",
        "canvas => Array.from(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data)",
    )
    side = round((len(pixels) / 4) ** 0.5)
    middles = ((torch.arange(STEPS) + 0.5) * side / STEPS).long()
    cells_drawn = torch.tensor(pixels).reshape(side, side, 4)[middles][:, middles]
    assert torch.equal(cells_drawn[..., 3], torch.ones(STEPS, STEPS, dtype=torch.int64).tril() * 255)
    write = (trace["l0.i"] * trace["l0.g"])[:, 0, 0]
    colours = cells_drawn.diagonal().T
    teal_rather_than_brown = colours[:, 2] > colours[:, 0]
    assert teal_rather_than_brown.tolist() == (write > 0).tolist()


def test_nan_is_named(open_page):
    torch.manual_seed(0)
    x = torch.randn(4, 1, 1)
    x[2] = math.nan
    page = open_page(byhand.explore(LSTM(1, 1), x).document, fragment="view=ledger&time=3&table=1")
    assert page.inner_text(".ledger-ranked li:first-child .ledger-left") == "NaN"
    assert "not a number" in page.inner_text(".data-table")
    assert page.inner_text(".ledger-check").startswith("c at step 3 is NaN")


def test_the_legend_stays_in_one_line_on_a_phone(open_page):
    page = open_page(explored()[0].document, fragment="view=ledger", viewport=NARROW)
    heights = page.locator(".legend span").evaluate_all("(all) => all.map((one) => one.getBoundingClientRect().height)")
    assert max(heights) < 24


@pytest.mark.parametrize("look", ["light", "dark"])
def test_a_thousand_steps_on_a_phone(open_page, look):
    explorer, trace, _ = explored(steps=1000)
    page = open_page(explorer.document, fragment="view=ledger&time=999", viewport=NARROW, color_scheme=look)
    assert not scrolls_sideways(page)
    assert "988 other steps" in page.inner_text(".ledger-side")
    assert page.inner_text(".ledger-check").startswith("✓ 1000 entries")
    memory = trace["l0.c"][499, 0, 0].item()
    show(page, "ledger", "&time=499")
    page.wait_for_function("() => document.querySelector('.ledger-side h3').textContent.endsWith('step 499')")
    assert figure(memory) in page.inner_text(".ledger-check")
