"""A layer that reads from the end only, as ONNX files have them: the page computes what torch does, in the order of time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

import byhand
from byhand import cells
from byhand.explorer.document.document import document
from byhand.explorer.hosts.page import page as html
from byhand.nn.reverse import ReverseLSTM

VALUES = """() => {
    const { store } = document.querySelector("#byhand-explorer").byhand;
    return [0, 1].map((item) => Object.entries(store.model.run(item, [], null).places).map(([place, { sites }]) =>
        [place, Object.entries(sites).map(([site, values]) => [site, values.width, [...values.data]])]));
}"""


def test_every_site_of_a_reverse_layer(chromium: Any, tmp_path: Path) -> None:
    torch.manual_seed(0)
    lstm = ReverseLSTM(3, 5, cell=cells.peephole, dtype=torch.float64)
    x, lengths = torch.randn(7, 2, 3, dtype=torch.float64), torch.tensor([7, 4])
    hx = (torch.randn(1, 2, 5, dtype=torch.float64), torch.randn(1, 2, 5, dtype=torch.float64))
    packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths)
    with byhand.record(lstm) as trace, torch.no_grad():
        lstm(packed, hx)
    shown = document(lstm, x, hx=hx, lengths=lengths)
    assert shown["computed"] and shown["layers"][0]["reverse"]
    path = tmp_path / "page.html"
    path.write_text(html(shown), encoding="utf-8")
    page = chromium.new_page()
    page.goto(path.as_uri())
    for item, places in enumerate(page.evaluate(VALUES)):
        ((place, sites),) = places
        assert place == "l0.reverse" and len(sites) == len(lstm.cell.sites)
        for site, width, data in sites:
            wanted = trace[f"l0.reverse.{site}"][: lengths[item], item]
            torch.testing.assert_close(torch.tensor(data, dtype=torch.float64).view(-1, width), wanted, rtol=0, atol=1e-12)
    page.close()
