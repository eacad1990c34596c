"""The README.md of a saved model: what it is, and how to load it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from byhand.cells import names as cell_names

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

    from byhand.nn.config import Config

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
    """The text and, in a comment, its sha256, by which an edited card is recognised."""
    return (text + SEAL.format(hashlib.sha256(text.encode()).hexdigest())).encode()


def is_edited(path: Path) -> bool:
    """Whether there is a README.md that somebody else has written or changed. OSError if it cannot be read."""
    if not path.exists():
        return False
    content = path.read_bytes()
    return sealed(content.decode(errors="replace").rpartition("\n<!--")[0]) != content


def written(config: Config, state: Mapping[str, Tensor]) -> bytes:
    """The card of a model."""
    cell, known = config.cell, cell_names.find(config.cell.name)
    text = CARD.format(
        input_size=config.input_size,
        hidden_size=config.hidden_size,
        cell=f"`{cell.name}`" + (f", {cell.cite}" if cell.cite else "") + ("" if known else "; loading asks for it"),
        sizes=", ".join(sizes(config)),
        parameters=sum(value.numel() for value in state.values()),
        dtype=dtype_of(state),
        own="" if known else ", cell=your_cell",
        states=cell.state[0] if len(cell.state) == 1 else f"({', '.join(cell.state)})",
        shape=f"({'batch, time' if config.batch_first else 'time, batch'}, {config.input_size})",
    )
    return sealed(text)


def dtype_of(state: Mapping[str, Tensor]) -> str:
    """The number type of the first parameter, as in "float32"."""
    return str(next(iter(state.values())).dtype).removeprefix("torch.")


def sizes(config: Config) -> list[str]:
    return [
        f"{config.input_size} inputs",
        f"{config.hidden_size} hidden units" + (f" projected to {config.proj_size}" if config.proj_size else ""),
        f"{config.num_layers} layer{'s' if config.num_layers > 1 else ''}"
        + (" in both directions" if config.bidirectional else ""),
    ]
