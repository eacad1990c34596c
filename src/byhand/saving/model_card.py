"""The README.md of a saved model: what it is, and how to load it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from byhand.saving import cell_names

if TYPE_CHECKING:
    from pathlib import Path

    from byhand.nn import LSTM

CARD = """\
---
library_name: byhand
# license: yours to choose, for instance mit
tags:
- lstm
---

# LSTM, {input_size} → {hidden_size}

A recurrent network saved by byhand: an LSTM you can see through, and change.

- cell: {cell}
- sizes: {sizes}
- parameters: {parameters:,}, {dtype}

```python
from byhand import LSTM

lstm = LSTM.from_pretrained("this-folder"{own})
output, {states} = lstm(x)  # x: {shape}
```
"""
SEAL = "\n<!-- Renewed when the model is saved again, unless you have changed it: {} -->\n"


def sealed(text: str) -> bytes:
    """The text and, in a comment, its sha256: so an edited card is told from an untouched one."""
    return (text + SEAL.format(hashlib.sha256(text.encode()).hexdigest())).encode()


def is_edited(path: Path) -> bool:
    """Whether there is a README.md that somebody else has written or changed. OSError if it cannot be read."""
    if not path.exists():
        return False
    content = path.read_bytes()
    return sealed(content.decode(errors="replace").rpartition("\n<!--")[0]) != content


def written(lstm: LSTM) -> bytes:
    """The card of a model."""
    cell, known = lstm.cell, cell_names.find(lstm.cell.name)
    text = CARD.format(
        input_size=lstm.input_size,
        hidden_size=lstm.hidden_size,
        cell=f"`{cell.name}`" + (f", {cell.cite}" if cell.cite else "") + ("" if known else "; loading asks for it"),
        sizes=", ".join(sizes(lstm)),
        parameters=sum(parameter.numel() for parameter in lstm.parameters()),
        dtype=str(lstm.weight_ih_l0.dtype).removeprefix("torch."),
        own="" if known else ", cell=your_cell",
        states=cell.state[0] if len(cell.state) == 1 else f"({', '.join(cell.state)})",
        shape=f"({'batch, time' if lstm.batch_first else 'time, batch'}, {lstm.input_size})",
    )
    return sealed(text)


def sizes(lstm: LSTM) -> list[str]:
    return [
        f"{lstm.input_size} inputs",
        f"{lstm.hidden_size} hidden units" + (f" projected to {lstm.proj_size}" if lstm.proj_size else ""),
        f"{lstm.num_layers} layer{'s' if lstm.num_layers > 1 else ''}" + (" in both directions" if lstm.bidirectional else ""),
    ]
