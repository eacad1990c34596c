"""Writes the tables of docs/rosetta.md out of byhand.interop.layouts; the words around them are the page's own.

    python tools/rosetta.py             rewrites the tables in place
    python tools/rosetta.py --check     changes nothing; ends with code 1 if they are not up to date

Between the lines <!-- NAME --> and <!-- end of NAME --> stands the table of that name.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from pathlib import Path

from byhand.interop.axes import Array
from byhand.interop.layouts import LAYOUTS
from byhand.interop.weights import Layout

PAGE = Path(__file__).resolve().parent.parent / "docs" / "rosetta.md"
BLOCK = re.compile(r"(<!-- (\w+) -->\n).*?(<!-- end of \2 -->)", re.DOTALL)
Columns = dict[str, Callable[[Layout], str]]


def shape(array: Array, layout: Layout) -> str:
    """An array's name and shape, as in "kernel (I, 4H)". I: inputs, H: units, N: heads, D: units of a head, P: a projection."""
    words = [word for dimension in array.dimensions for word in dimension]
    pairs = 2 if "pair" in words else 1
    parameter = array.slots[0][0]
    wide = {"weight_ih": "I", "weight_hh": "H", "weight_hr": "H", "weights": "I+H"}
    letters = {
        "pair": "2",
        "slot": str(len(array.slots) // pairs),
        "head": "N",
        "unit": "D" if "head" in words else "P" if parameter == "weight_hr" else "H",
        "width": "D" if "head" in words else wide.get(parameter, ""),
    }
    sizes = ["".join(letters[word] for word in dimension).removeprefix("1") for dimension in array.dimensions]
    if layout.product_input and parameter == "weight_ih":
        sizes[0] += "D" if sizes[0] == "N" else ""
        sizes[0] = sizes[0].replace("H", "ND")
    return f"`{array.name}` ({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"


def arrays(layout: Layout) -> str:
    """All arrays; those of a single gate, where there are more than four, as one for all gates."""
    if len(layout.arrays) <= 5:
        return ", ".join(shape(array, layout) for array in layout.arrays)
    alike: dict[str, list[Array]] = {}
    for array in layout.arrays:
        alike.setdefault(shape(array, layout).partition("` ")[2], []).append(array)
    return "; ".join(f"{', '.join(f'`{array.name}`' for array in group)}, each {size}" for size, group in alike.items())


def gates(layout: Layout) -> str:
    """Of the input weights; of the recurrent ones and biases, where they have another order."""
    if len(layout.gates) < 2:
        return " ".join(layout.gates) or "-"
    other = layout.recurrent_gates
    return " ".join(layout.gates) + ("" if other == layout.gates or not other else f"; recurrent {' '.join(other)}")


def biases(layout: Layout) -> str:
    """How many, and whether a layer can be without."""
    return "-" if layout.cell is None else layout.biases + (", or none" if layout.bias_is_optional else "")


def forget_bias(layout: Layout) -> str:
    """Where it starts; of layers with a forget gate only."""
    return (layout.forget_start or "-") if "f" in layout.gates else "-"


def form(layout: Layout) -> str:
    """Of a GRU: where the reset gate stands, and which way z goes."""
    if "r" not in layout.gates:
        return "-"
    reset = "before" if layout.cell is None or layout.cell.name != "gru" else "after"
    return f"reset {reset} the product, {'1 - z' if 'z' in layout.negated else 'z'} keeps"


def exact(layout: Layout) -> str:
    """What it is here, and why not torch's layer."""
    if layout.cell is None:
        return f"no: {layout.reason}"
    return f"`cells.{layout.cell.name}`" + (f": {layout.reason}" if layout.reason else "")


def name(layout: Layout) -> str:
    return f"`{layout.name}`"


TABLES: dict[str, Columns] = {
    "weights": {
        "layer": name,
        "version": lambda layout: layout.version,
        "gates": gates,
        "arrays": arrays,
        "biases": biases,
        "forget bias at the start": forget_bias,
    },
    "sequences": {
        "layer": name,
        "axes": lambda layout: layout.batch,
        "states": lambda layout: f"({', '.join(layout.states)})" if len(layout.states) > 1 else "".join(layout.states),
        "outputs of a layer that reads from the end": lambda layout: layout.reverse_outputs or "-",
        "sequences of unequal length": lambda layout: layout.padding or "-",
        "dropout": lambda layout: layout.dropout,
        "note": lambda layout: layout.note or "-",
    },
    "exact": {"layer": name, "GRU": form, "in byhand": exact, "initial weights": lambda layout: layout.start or "-"},
}


def table(columns: Columns) -> str:
    """In Markdown: a row a layer, those of a framework that have the same cells in one."""
    rows: dict[tuple[str, ...], list[str]] = {}
    first, *others = columns.values()
    for layout in LAYOUTS:
        rows.setdefault((layout.framework, *(make(layout) for make in others)), []).append(first(layout))
    lines = [[*columns], ["---"] * len(columns), *([", ".join(names), *cells] for (_, *cells), names in rows.items())]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def renewed(page: str) -> str:
    """The page with its tables as they are now. ValueError if it has not the place of each."""
    places = [match[2] for match in BLOCK.finditer(page)]
    if places != [*TABLES]:
        raise ValueError(f"{PAGE.name} expected places for the tables {', '.join(TABLES)}, got {', '.join(places) or 'none'}")
    return BLOCK.sub(lambda match: match[1] + table(TABLES[match[2]]) + match[3], page)


def main() -> int:
    parser = argparse.ArgumentParser(description="Write the tables of docs/rosetta.md.")
    parser.add_argument("--check", action="store_true", help="only say whether they are up to date")
    options = parser.parse_args()
    page = PAGE.read_text(encoding="utf-8")
    now = renewed(page)
    if options.check:
        print(f"{PAGE.name} is {'up to date' if now == page else 'not up to date: python tools/rosetta.py'}")
        return int(now != page)
    PAGE.write_text(now, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
