"""Usual sizes open live, with all their digits; rounded weights and values show no digit that the model does not have."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from browser import Opener, figure, settle, show
from torch import nn

import byhand
from byhand import LSTM, cells

STORE = "document.querySelector('#byhand-explorer').byhand.store"
SITES = f"""([place, names]) => names.map((name) => [...{STORE}.run().places[place].sites[name].data])"""
STEPS = 300


def model(layers: int, units: int) -> tuple[LSTM, nn.LSTM, torch.Tensor]:
    """Ours, torch's with the same weights in float64, and an input; weights twice as large as at the start of a training."""
    torch.manual_seed(units)
    lstm, x = LSTM(32, units, layers), torch.randn(STEPS, 1, 32)
    with torch.no_grad():
        for parameter in lstm.parameters():
            parameter.mul_(2)
    theirs = nn.LSTM(32, units, layers)
    theirs.load_state_dict(lstm.state_dict())
    return lstm, theirs.double(), x


def values(page: Any, place: str, names: str) -> list[torch.Tensor]:
    """Those of the page, (time, unit), site after site."""
    found = page.evaluate(SITES, [place, list(names)])
    return [torch.tensor(data, dtype=torch.float64).reshape(STEPS, -1) for data in found]


@pytest.mark.parametrize(("layers", "units"), [(2, 128), (2, 256)])
def test_usual_sizes_open_live_and_exact(open_page: Opener, layers: int, units: int) -> None:
    lstm, theirs, x = model(layers, units)
    explorer = byhand.explore(lstm, x)
    page = open_page(explorer.document)
    assert (open_page.folder / "page-0.html").stat().st_size <= 6_000_000
    assert page.locator(".notices").count() == 0
    with torch.no_grad():
        y, _ = theirs(x.double())
    (found,) = values(page, f"l{layers - 1}", "h")
    torch.testing.assert_close(found, y[:, 0], rtol=1e-6, atol=1e-9)
    page.evaluate(f"{STORE}.edit({{ on: true, kind: 'site', place: 'l0', site: 'f', value: 0, time: null, unit: 3 }})")
    ours = LSTM(32, units, layers, dtype=torch.float64)
    ours.load_state_dict(lstm.state_dict())
    with byhand.edit(ours, {"l0.f": byhand.at(0.0, unit=3)}), byhand.record(ours) as trace, torch.no_grad():
        ours(x.double())
    for name, found in zip("fch", values(page, "l1", "fch"), strict=True):
        torch.testing.assert_close(found, trace[f"l1.{name}"][:, 0], rtol=1e-6, atol=1e-9)


def test_what_no_view_asks_for_is_computed_in_the_background(open_page: Opener) -> None:
    lstm, _, x = model(2, 256)
    head = nn.Linear(256, 3)
    page = open_page(byhand.explore(lstm, x, head=head).document, fragment="view=layer&time=299")
    page.wait_for_function(f"() => {STORE}.run().done")
    settle(page)
    assert page.locator(".computing").count() == 0
    with torch.no_grad():
        expected = head(lstm(x)[0])[-1, 0]
    shown = page.locator(".output-list span").all_inner_texts()
    assert shown == [figure(value) for value in sorted(expected.tolist(), reverse=True)]
    assert page.locator(".overview-place canvas").first.evaluate("(one) => one.width") > 1


def certain(text: str, own: float) -> tuple[bool, int]:
    """Whether all digits shown are those of the model's own value, and how many decimals there are; "≈" promises none."""
    if text.startswith("≈"):
        return True, 0
    decimals = len(text.partition(".")[2])
    return round(own, decimals) == pytest.approx(float(text.replace("−", "-")), abs=1e-9), decimals


def test_rounded_weights_show_only_digits_that_are_the_models_own(open_page: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("byhand.explorer.document.precision.BUDGET", 902_000)
    lstm, _, x = model(2, 64)
    explorer = byhand.explore(lstm, x, head=nn.Linear(64, 2))
    with byhand.record(lstm) as trace, torch.no_grad():
        lstm(x)
    page = open_page(explorer.document, fragment="view=layer&time=250&unit=5&place=l1")
    assert "rounded to float16" in page.inner_text(".notices") and explorer.document["computed"]
    sites = ["f", "i", "g", "o", "c", "tanh_c", "h"]
    exact = 0
    for time in (0, 7, 99, 250, 299):
        show(page, "layer", f"&time={time}&unit=5&place=l1")
        for site, text in zip(sites, page.locator(".readout dd").all_inner_texts(), strict=True):
            own = trace[f"l1.{site}"][time, 0, 5].item()
            right, decimals = certain(text, own)
            assert right, (time, site, text, own)
            exact += decimals == 2
    assert exact > 20  # of 35
    show(page, "unit", "&time=3&unit=5&place=l1&edits=l1.f~3~5~0.125")
    assert page.inner_text(".held").startswith("Held at 0.125.")  # what a reader has set is shown as it was set


def test_stored_maps_show_only_digits_that_were_kept(open_page: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("byhand.explorer.document.sequences.MAPS", 60_000)
    torch.manual_seed(0)
    lstm, x = LSTM(4, 24, cell=cells.layernorm_lstm), torch.randn(200, 1, 4) * 3
    with torch.no_grad():
        lstm.weight_hh_l0.mul_(3)
    explorer = byhand.explore(lstm, x)
    stored = explorer.document["items"][0]["maps"]["l0"]["c"]["values"]
    assert stored["dtype"] == "u1" and not explorer.document["computed"]
    with byhand.record(lstm) as trace, torch.no_grad():
        lstm(x)
    for unit in (0, 7, 21):
        page = open_page(explorer.document, fragment=f"view=unit&unit={unit}&table=1&time=120")
        rows = page.locator(".data-table table").last.locator("tbody tr").all_inner_texts()
        heads = page.locator(".data-table table").last.locator("th[scope=col]").all_inner_texts()
        assert len(rows) == 50
        for row in rows:
            cells_shown = dict(zip(heads, row.split("\t"), strict=True))
            time = int(cells_shown["step"])
            for site in ("f", "i", "g", "o", "c", "h"):
                text, own = cells_shown[site], trace[f"l0.{site}"][time, 0, unit].item()
                assert certain(text, own)[0], (time, site, text, own)
