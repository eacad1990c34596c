"""Writes frontend/src/files/cells.json: the cells that the page can open out of a file, as every document has them.

    python tools/page_cells.py

Then cd frontend && npm run check && npm run build. tests/unit/explorer holds the file against the cells.
"""

import json
from pathlib import Path

from byhand import cells
from byhand.explorer.document.cell import cell_document

FILE = Path(__file__).parents[1] / "frontend/src/files/cells.json"
CELLS = {
    "lstm": cells.lstm,
    "peephole": cells.peephole,
    "gru": cells.gru,
    "gru_reset_before": cells.gru_reset_before,
    "rnn": cells.rnn,
}


def text() -> str:
    return (
        json.dumps({name: cell_document(cell, projected=False)[0] for name, cell in CELLS.items()}, separators=(",", ":"))
        + "\n"
    )


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
    print(f"{FILE.name}: {FILE.stat().st_size} bytes")
