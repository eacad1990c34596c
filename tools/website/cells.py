"""The page of the cells: what each is, its equations, read off its step, and a live unit."""

from __future__ import annotations

import importlib
import inspect
import re
import textwrap
from collections.abc import Callable

import torch

import byhand
from byhand import cells
from byhand.cells import Cell
from tools.website import live
from tools.website.docstrings import as_rst

EXAMPLES: dict[str, tuple[str, Callable[[], Cell]]] = {  # of what makes a cell: the call, and what it gives
    "no_input_gate": ("no_input_gate(lstm)", lambda: cells.no_input_gate(cells.lstm)),
    "no_forget_gate": ("no_forget_gate(lstm)", lambda: cells.no_forget_gate(cells.lstm)),
    "no_output_gate": ("no_output_gate(lstm)", lambda: cells.no_output_gate(cells.lstm)),
    "no_input_activation": ("no_input_activation(lstm)", lambda: cells.no_input_activation(cells.lstm)),
    "no_output_activation": ("no_output_activation(lstm)", lambda: cells.no_output_activation(cells.lstm)),
    "full_gate_recurrence": ("full_gate_recurrence(lstm)", lambda: cells.full_gate_recurrence(cells.lstm)),
    "zoneout": ("zoneout(lstm)", lambda: cells.zoneout(cells.lstm)),
    "recurrent_dropout": ("recurrent_dropout(lstm, 0.25)", lambda: cells.recurrent_dropout(cells.lstm, 0.25)),
    "with_activations": (
        'with_activations(lstm, gates="hard_sigmoid")',
        lambda: cells.with_activations(cells.lstm, gates="hard_sigmoid"),
    ),
    "clipped": ("clipped(lstm, 3.0)", lambda: cells.clipped(cells.lstm, 3.0)),
    "coupled_input": ("coupled_input(lstm)", lambda: cells.coupled_input(cells.lstm)),
    "lstm_1997_blocks": ("lstm_1997_blocks(2)", lambda: cells.lstm_1997_blocks(2)),
}
SEED, STEPS, UNITS = 3, 12, 2


def examples() -> dict[str, tuple[str, Cell]]:
    """Public name -> how it is written, and the cell. ValueError if what makes a cell has no example here."""
    found = {}
    for name in cells.__all__:
        value = getattr(cells, name)
        if isinstance(value, Cell):
            found[name] = (name, value)
        elif not inspect.isclass(value):
            if name not in EXAMPLES:
                raise ValueError(f"byhand.cells.{name}: expected an example of a cell that it makes in {__file__}")
            written, make = EXAMPLES[name]
            found[name] = (written, make())
    return found


def unit(cell: Cell) -> live.Live:
    """Two units with drawn weights read a pulse and then noise."""
    torch.manual_seed(SEED)
    layer = byhand.LSTM(1, UNITS, cell=cell, dtype=torch.float64).eval()
    x = torch.cat([torch.tensor([0.0, 1.0, 1.0]), 0.3 * torch.randn(STEPS - 3)]).to(torch.float64).view(STEPS, 1, 1)
    return live.Live(layer, x, {"features": ["x"], "title": cell.name})


def caption(name: str) -> str:
    return f"Two units of {examples()[name][1].name} read {STEPS} numbers"


def page() -> str:
    """MyST Markdown, with a directive for each name."""
    blocks = ["# byhand.cells", introduction(), "## Cells"]
    made = examples()
    values = [name for name in made if name not in EXAMPLES]
    blocks += [section(name, *made[name]) for name in values]
    blocks += ["## Functions that make a cell", *(section(name, *made[name]) for name in made if name not in values)]
    blocks += ["## What a cell is", *(rst(f".. autoclass:: byhand.cells.{name}") for name in ("Noise",))]
    blocks += [
        "{py:class}`byhand.Cell`, also as `byhand.cells.Cell`, is described with {doc}`the package's own names </reference/byhand>`."
    ]
    return "\n\n".join(blocks) + "\n"


def introduction() -> str:
    return (
        "A cell is a value: `byhand.LSTM(64, 128, cell=byhand.cells.peephole)`. The equations below are those of `cell.equations()`,"
        " which reads them off the cell's step and checks them against it; in `print(cell)` they stand as well. The pictures become live"
        " when they are seen: change a weight, hold a gate, step through time."
    )


def section(name: str, written: str, cell: Cell) -> str:
    """One name: its directive with the words of its module, the equations, the unit."""
    value = getattr(cells, name)
    parts = [f"### {name}"]
    if isinstance(value, Cell):
        words = textwrap.indent(described(name), "   ")
        parts.append(rst(f".. py:data:: byhand.cells.{name}\n   :type: Cell\n\n{words}"))
    else:
        parts.append(rst(f".. autofunction:: byhand.cells.{name}"))
    parts.append(f"`{written}`:" if name in EXAMPLES else "Its equations:")
    parts += ["```text\n" + equations(cell) + "\n```", f"<!-- live: cells/{name} -->"]
    return "\n\n".join(parts)


def equations(cell: Cell) -> str:
    return "\n".join(cell.equations())


def described(name: str) -> str:
    """The docstring of the module that a cell is alone in, as reStructuredText, its equations, which follow, left out."""
    module = importlib.import_module(f"byhand.cells.{home(name)}")
    text = re.sub(r"\n\n(    .+\n)+", "\n", inspect.getdoc(module) or "", count=1)
    return "\n".join(as_rst(text.splitlines()))


def home(name: str) -> str:
    source = inspect.getsource(cells)
    match = re.search(rf"from byhand\.cells\.(\w+) import (?:\([^)]*\b{name}\b|[^\n(]*\b{name}\b)", source)
    if match is None:
        raise ValueError(f"byhand.cells.{name}: expected it among the imports of byhand/cells/__init__.py")
    return match[1]


def rst(text: str) -> str:
    return f"```{{eval-rst}}\n{text}\n```"
