"""The explorer's Layer view in a real browser: maps, sorting, brushing, what units listen to, the table, and what is saved."""

import csv
import io
import struct
import xml.etree.ElementTree as ET

import pytest
import torch
from browser import NARROW, figure, picture, scrolls_sideways, settle, violations
from torch import nn

import byhand
from byhand import LSTM, cells
from byhand.explorer.document.document import document

UNITS, STEPS = 6, 12


def layer(hidden=UNITS, features=1, **options):
    torch.manual_seed(5)
    lstm = LSTM(features, hidden, **options).double()
    with torch.no_grad():
        lstm.weight_hh_l0.mul_(2)
        lstm.bias_ih_l0[hidden : 2 * hidden] = torch.tensor([3.0, -2.0, 1.0, 5.0, 0.0, -4.0] * hidden)[:hidden]
    return lstm


def recorded(lstm, x):
    with torch.no_grad(), byhand.record(lstm) as trace:
        lstm(x)
    return {name: value[:, 0] for name, value in trace.items()}


@pytest.fixture
def small():
    lstm, x = layer(), torch.linspace(-2, 2, STEPS).double().reshape(STEPS, 1, 1)
    return byhand.explore(lstm, x, name="net"), recorded(lstm, x), lstm, x


def store(page, name):
    return page.evaluate(f"document.querySelector('#byhand-explorer').byhand.store.state.{name}")


def order(page, count=UNITS):
    """The units from the top of a map to its bottom, by walking down it with the keys."""
    page.focus("[data-site=f] .map-box")
    page.keyboard.press("PageUp")
    units = [store(page, "unit")]
    for _ in range(count - 1):
        page.keyboard.press("ArrowDown")
        units.append(store(page, "unit"))
    return units


def descending(values):
    return sorted(range(len(values)), key=lambda unit: (-values[unit], unit))


def test_units_are_sorted_by_what_they_do(small, open_page):
    explorer, values, lstm, x = small
    with torch.no_grad(), byhand.record(lstm) as trace:
        lstm(x)
    page = open_page(explorer.document, fragment="view=layer&sort=number")
    assert order(page) == list(range(UNITS))
    gates = torch.stack([values[f"l0.{gate}"] for gate in "ifo"])
    expected = {
        "half-life": byhand.explain.half_life(trace)["l0.c"].tolist(),
        "saturation": ((gates < 0.1) | (gates > 0.9)).double().mean((0, 1)).tolist(),
        "activity": values["l0.c"].std(0, correction=0).tolist(),
    }
    for sort, measure in expected.items():
        page.select_option(".layer-bar select", sort)
        settle(page)
        assert store(page, "sort") == sort
        assert order(page) == descending(measure), sort
        best = descending(measure)[0]
        page.evaluate(f"document.querySelector('#byhand-explorer').byhand.store.set({{ unit: {best} }})")
        shown = measure[best] * (100 if sort == "saturation" else 1)
        page.wait_for_function(
            "text => document.querySelector('.readout .small').textContent.includes(text)", arg=f"{shown:.3f}"[:4]
        )


def test_similar_units_stand_side_by_side(open_page):
    lstm, x = layer(), torch.randn(40, 1, 1, generator=torch.Generator().manual_seed(1)).double()
    with torch.no_grad():  # units 0 and 4, 1 and 5 do the same
        for weight in (lstm.weight_ih_l0, lstm.weight_hh_l0, lstm.bias_ih_l0, lstm.bias_hh_l0):
            for gate in range(4):
                weight[gate * UNITS + 4], weight[gate * UNITS + 5] = weight[gate * UNITS], weight[gate * UNITS + 1]
    page = open_page(byhand.explore(lstm, x).document, fragment="view=layer&sort=similarity")
    found = order(page)
    assert sorted(found) == list(range(UNITS))
    assert abs(found.index(0) - found.index(4)) == abs(found.index(1) - found.index(5)) == 1
    page.reload()
    assert order(page) == found


def moves(values, first, last):
    """The largest move of any gate of a unit within the span, from the step before it."""
    gates = torch.stack([values[f"l0.{gate}"] for gate in "ifo"])[:, max(0, first - 1) : last + 1]
    return (gates.amax(1) - gates.amin(1)).amax(0).tolist()


def test_a_cell_that_keeps_nothing_has_no_half_life(open_page):
    explorer = byhand.explore(LSTM(1, UNITS, cell=byhand.cells.layernorm_lstm), torch.randn(STEPS, 1, 1))
    page = open_page(explorer.document, fragment="view=layer&sort=half-life")
    assert "nothing to measure the rest by" in page.inner_text(".layer-title")
    assert order(page) == list(range(UNITS))


def test_a_span_is_brushed_and_the_units_that_switch_there_come_first(small, open_page):
    explorer, values, _, _ = small
    page = open_page(explorer.document, fragment="view=layer&sort=number")
    box = page.locator(".axis").bounding_box()
    step, y = box["width"] / STEPS, box["y"] + 8
    page.mouse.move(box["x"] + 3.5 * step, y)
    page.mouse.down()
    page.mouse.move(box["x"] + 5.5 * step, y, steps=4)
    page.mouse.up()
    page.wait_for_selector(".switch-list li")
    assert store(page, "span") == [3, 5]
    found = page.eval_on_selector_all(".switch-list button", "all => all.map(one => Number(one.dataset.unit))")
    assert found == descending(moves(values, 3, 5))
    assert order(page) == found
    page.click(".switch-list li:nth-child(2) button")
    assert store(page, "unit") == found[1]
    page.click("text=Zoom to span")
    settle(page)
    assert page.inner_text(".axis-labels").split() == ["3", "4", "5"]
    page.click("text=Clear")
    page.wait_for_selector(".switching", state="hidden")
    assert order(page) == list(range(UNITS))


def test_a_span_is_brushed_by_keys_and_typed(small, open_page):
    page = open_page(small[0].document, fragment="view=layer&sort=number&time=4")
    page.focus(".axis")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    assert store(page, "span") == [4, 6]
    page.keyboard.press("Shift+ArrowLeft")
    assert store(page, "span") == [4, 5]
    page.keyboard.press("Escape")
    assert store(page, "span") is None
    page.get_by_label("Span: steps").fill("8")
    page.keyboard.press("Tab")
    page.get_by_label("to", exact=True).fill("1")
    page.keyboard.press("Enter")
    assert store(page, "span") == [1, 8]


def test_a_cell_is_pointed_at_chosen_and_opened(small, open_page):
    explorer, values, _, _ = small
    page = open_page(explorer.document, fragment="view=layer&sort=number")
    box = page.locator("[data-site=g] .map-box").bounding_box()
    x, y = box["x"] + box["width"] * 7.5 / STEPS, box["y"] + box["height"] * 2.5 / UNITS
    page.mouse.move(x, y)
    settle(page)
    value = figure(values["l0.g"][7, 2].item())
    assert page.inner_text(".map-tip") == f"candidate {value} · unit 2, step 7"
    page.mouse.click(x, y)
    assert (store(page, "unit"), store(page, "time")) == (2, 7)
    page.wait_for_function("() => document.querySelector('.readout h3').textContent === 'Unit 2, step 7'")
    shown = page.eval_on_selector_all(".readout dd", "all => all.map(one => one.textContent)")
    assert shown == [figure(values[f"l0.{site}"][7, 2].item()) for site in ["f", "i", "g", "o", "c", "tanh_c", "h"]]
    page.mouse.dblclick(x, y)
    page.wait_for_selector(".view[data-view=unit]")


def test_the_arrow_keys_move_the_cell(small, open_page):
    page = open_page(small[0].document, fragment="view=layer&sort=number")
    page.focus("[data-site=c] .map-box")
    for key in ("ArrowRight", "ArrowDown", "ArrowDown", "Shift+ArrowRight", "ArrowLeft"):
        page.keyboard.press(key)
    assert (store(page, "unit"), store(page, "time")) == (2, 10)
    page.keyboard.press("Enter")
    page.wait_for_selector(".view[data-view=unit]")


PIXELS = """canvas => [canvas.height, canvas.width,
  Array.from(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data)]"""


def pixels(page, site):
    """(height, width, 3) of the map's canvas."""
    page.wait_for_selector(f"[data-site={site}] canvas[data-drawn]")
    height, width, data = page.eval_on_selector(f"[data-site={site}] canvas", PIXELS)
    return torch.tensor(data).reshape(height, width, 4)[..., :3].double()


def middles(cells, size):
    return ((torch.arange(cells) + 0.5) * size / cells).long()


def test_a_map_has_the_colours_of_its_values(small, open_page):
    explorer, values, _, _ = small
    page = open_page(explorer.document, fragment="view=layer&sort=number")
    for site, low, high in (("f", None, (0x00, 0x72, 0xB2)), ("g", (0x5B, 0x6B, 0x7C), (0xE6, 0x9F, 0x00))):
        drawn = pixels(page, site)
        drawn = drawn[middles(UNITS, drawn.shape[0])][:, middles(STEPS, drawn.shape[1])]
        value = values[f"l0.{site}"].T.unsqueeze(-1)
        end = torch.where(value < 0, torch.tensor(low or high).double(), torch.tensor(high).double())
        assert (drawn - (255 + (end - 255) * value.abs())).abs().max() <= 2


def test_nan_is_hatched_and_named(open_page):
    lstm, x = layer(), torch.ones(STEPS, 1, 1).double()
    x[6] = torch.nan
    page = open_page(byhand.explore(lstm, x).document, fragment="view=layer&time=8")
    drawn = pixels(page, "f")
    kinds = [len(drawn[4, int(share * drawn.shape[1]) :][:6].unique(dim=0)) for share in (0.3, 0.8)]
    assert kinds == [1, 2]
    assert page.inner_text(".readout dd >> nth=0") == "NaN"


def test_what_a_memory_listens_to_is_its_gradient(open_page):
    lstm, x = layer(), torch.linspace(-2, 2, 4).double().reshape(4, 1, 1).requires_grad_()
    _, (_, memory) = lstm(x[:3])
    (gradient,) = torch.autograd.grad(memory[0, 0, 1], x)
    page = open_page(byhand.explore(lstm, x.detach()).document, fragment="view=layer&time=2&unit=1")
    page.wait_for_selector(".listening .bars rect.plus, .listening .bars rect.minus")
    said = page.inner_text(".listening-body")
    for step in range(3):
        assert f"step {step} {figure(gradient[step].item())}" in said
    assert "step 3" not in said


def test_what_the_page_does_not_compute_is_said_with_the_python_line(open_page):
    lstm, x = layer(hidden=64, features=8), torch.randn(400, 1, 8).double()
    with torch.no_grad(), byhand.record(lstm) as trace:
        lstm(x)
    page = open_page(byhand.explore(trace, name="net").document, fragment="view=layer&unit=3&time=5")
    assert 'byhand.explain.connectivity(net, x, at=5, unit=3, site="l0.c")' in page.inner_text(".listening pre")


def test_maps_of_a_thinned_document_have_the_axes_of_the_whole(open_page, monkeypatch):
    monkeypatch.setattr("byhand.explorer.document.sequences.MAPS", 1_600_000)
    torch.manual_seed(0)
    lstm = LSTM(4, 256, num_layers=4, cell=cells.layernorm_lstm)
    x = torch.randn(600, 1, 4)
    explorer = byhand.explore(lstm, x)
    kept = explorer.document["items"][0]["maps"]["l0"]["f"]
    assert kept["every"] > 1  # or this tests nothing
    page = open_page(explorer.document, fragment="view=layer&time=0")
    assert page.inner_text(".axis-labels").split()[-1] == "550"
    assert f"mean of {kept['every']} steps" in page.inner_text(".layer-title")
    page.focus("[data-site=f] .map-box")
    page.keyboard.press("ArrowRight")
    assert store(page, "time") == kept["every"]
    page.keyboard.press("ArrowDown")
    assert store(page, "unit") == kept["units"][1]
    missing = next(unit for unit in range(256) if unit not in kept["units"])
    page.evaluate(f"document.querySelector('#byhand-explorer').byhand.store.set({{ unit: {missing} }})")
    page.wait_for_function("() => document.querySelector('.readout dd').textContent === 'left out'")
    assert page.locator(".overview-place").count() == 4
    page.click(".overview-place >> nth=2")
    assert store(page, "place") == "l2"


def test_a_projected_output_has_units_of_its_own(open_page):
    page = open_page(byhand.explore(LSTM(2, 6, proj_size=3), torch.randn(5, 1, 2)).document, fragment="view=layer")
    page.wait_for_selector("[data-site=m] canvas[data-drawn]")
    assert page.get_attribute("[data-site=m] canvas", "aria-label").startswith("output before the projection: 6 units")
    assert page.get_attribute("[data-site=h] canvas", "aria-label").startswith("short memory: 3 units")


def test_the_likeliest_outputs_are_named_at_a_step(small, open_page):
    _, _, lstm, x = small
    torch.manual_seed(2)
    head, names = nn.Linear(UNITS, 9).double(), ["<b>", " ", *"abcdefg"]
    page = open_page(document(lstm, x, head=head, names=names, squash="softmax"), fragment="view=layer&time=3")
    with torch.no_grad():
        shares = torch.softmax(head(lstm(x)[0]), -1)[3, 0]
    ranked = shares.argsort(descending=True).tolist()
    assert page.locator(".outputs h3").inner_text() == "Likeliest output at step 3"
    assert page.locator(".output-list b").all_inner_texts() == [names[one].replace(" ", "␣") for one in ranked[:5]]
    said = [float(text.removesuffix(" %")) for text in page.locator(".output-list span").all_inner_texts()]
    assert said == pytest.approx([100 * shares[one].item() for one in ranked[:5]], abs=0.51)
    left = 100 * shares[ranked[5:]].sum().item()
    told = page.locator(".outputs .small").inner_text()
    assert told.startswith("and 4 more, together ")
    assert float(told.split()[-2]) == pytest.approx(left, abs=0.51)
    page.keyboard.press("t")
    settle(page)
    rows = page.locator(".data-table table").first.locator("tr", has_text="output").locator("th")
    assert [text.replace("␣", " ") for text in rows.all_inner_texts()[-8:]] == [names[one] for one in ranked[:8]]
    assert violations(page) == []


def test_gates_that_are_states_too_have_the_colours_of_gates(open_page):
    lstm = LSTM(1, 4, cell=cells.lstm_1997_blocks(2)).double()
    page = open_page(document(lstm, torch.linspace(-1, 1, STEPS).double().reshape(STEPS, 1, 1)), fragment="view=layer")
    for site in "io":
        legend = page.locator(f"[data-site={site}] .legend").inner_text().split()
        assert legend == ["0", "1"]
    assert page.locator("[data-site=h] .legend").inner_text().startswith("−")


@pytest.mark.parametrize("view", ["layer", "ledger"])
def test_one_unit_and_one_step(open_page, view):
    page = open_page(byhand.explore(LSTM(1, 1), torch.ones(1, 1, 1)).document, fragment=f"view={view}&table=1")
    page.wait_for_selector(".figures span")
    assert page.locator(".data-table tbody tr").count() == 7 + 1


@pytest.mark.parametrize("view", ["layer", "ledger"])
def test_hostile_characters_are_text(open_page, view):
    text = list("<img src=x onerror=alert(1)>")
    x = torch.eye(len(text)).unsqueeze(1)
    explorer = byhand.explore(
        LSTM(len(text), 3), x, characters=[text], head=nn.Linear(3, len(text)), names=text, squash="softmax"
    )
    page = open_page(explorer.document, fragment=f"view={view}&time=3&table=1", viewport=NARROW)
    assert page.locator(".view img").count() == 0
    assert not scrolls_sideways(page)
    picture(page, f"layer-text-{view}", full_page=True)


def download(page, label):
    page.get_by_role("button", name="Save", exact=True).click()
    with page.expect_download() as found:
        page.get_by_role("button", name=label, exact=True).click()
    page.keyboard.press("Escape")
    return found.value.suggested_filename, found.value.path().read_bytes()


@pytest.mark.parametrize(
    ("view", "panel"), [("layer", "layer"), ("layer", "this view"), ("ledger", "ledger"), ("unit", "this view")]
)
@pytest.mark.parametrize("look", ["light", "dark"])
def test_panels_are_saved_as_svg_and_png(small, open_page, view, panel, look):
    page = open_page(small[0].document, fragment=f"view={view}&time=3&theme={look}")
    page.wait_for_timeout(300)
    name, svg = download(page, f"{panel} as SVG")
    assert name.startswith("byhand-") and name.endswith(".svg")
    root = ET.fromstring(svg)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert b"<script" not in svg and b"class=" not in svg and b"var(--" not in svg
    assert not [one for one in root.iter() if one.get("href", "data:").startswith(("http", "file", "blob"))]
    paper = next(one.get("fill") for one in root.iter() if one.tag.endswith("rect"))
    assert (sum(int(part) for part in paper[4:-1].split(",")) < 300) == (look == "dark")
    name, png = download(page, f"{panel} as PNG")
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", png[16:24]) == (2 * int(root.get("width")), 2 * int(root.get("height")))


def test_values_are_saved_as_csv_in_full(small, open_page):
    explorer, values, _, x = small
    page = open_page(explorer.document, fragment="view=layer&unit=2")
    _, text = download(page, "values of this unit, CSV")
    rows = list(csv.DictReader(io.StringIO(text.decode())))
    for site in ("i", "f", "g", "o", "c", "tanh_c", "h"):
        assert [float(row[site]) for row in rows] == pytest.approx(values[f"l0.{site}"][:, 2].tolist(), abs=1e-12)
    assert [float(row["input"]) for row in rows] == pytest.approx(x.flatten().tolist())
    name, text = download(page, "values of this layer, CSV")
    rows = list(csv.DictReader(io.StringIO(text.decode())))
    assert name.endswith(".csv")
    assert [float(row["c"]) for row in rows] == pytest.approx(values["l0.c"].flatten().tolist(), abs=1e-12)
    assert {row["unit"] for row in rows} == {str(unit) for unit in range(UNITS)}
    assert [row["step"] for row in rows[::UNITS]] == [str(step) for step in range(STEPS)]
    assert list(rows[0]) == ["step", "unit", "f", "i", "g", "o", "c", "tanh_c", "h"]


def test_the_table_pages_through_time(open_page):
    page = open_page(byhand.explore(LSTM(1, 2), torch.randn(120, 1, 1)).document, fragment="view=layer&time=60&table=1")
    table = page.locator(".data-table")
    assert "Steps 50 to 99 of 120 steps" in table.inner_text()
    page.click("text=Later steps")
    settle(page)
    assert "Steps 100 to 119 of 120 steps" in table.inner_text()
    assert table.locator("tbody >> nth=1").locator("tr").count() == 20
    assert table.locator("th[scope=col]").count() == 3 + 2 + 7
    page.evaluate("document.querySelector('#byhand-explorer').byhand.store.set({ time: 3 })")
    page.wait_for_function("() => document.querySelector('.data-table').textContent.includes('Steps 0 to 49')")
    assert table.locator("tr[aria-current=step] th").inner_text() == "3"
