"""Writes what the explorer shows where there is nothing else to show: the two companies and the twelve published numbers.

    python tools/companies_document.py            writes frontend/src/views/tour/companies.ts
    python tools/companies_document.py --check    only says whether it is what it would be

The prices are those of byhand.tasks.companies, the numbers those of experiments/statquest.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import torch

from byhand import LSTM
from byhand.explorer.document.about import in_words
from byhand.explorer.document.document import document
from byhand.tasks.companies import PRICES, Companies

TARGET = Path(__file__).parents[1] / "frontend" / "src" / "views" / "tour" / "companies.ts"
PUBLISHED = {  # gate: weight of the short memory, weight of the input, bias
    "f": (2.70, 1.63, 1.62),
    "i": (2.00, 1.65, 0.62),
    "g": (1.41, 0.94, -0.32),
    "o": (4.38, -0.19, 0.59),
}
WIDTH = 130  # letters of a line
BEFORE = """\
/** Two companies and the twelve published numbers: what the tour runs on. Made by tools/companies_document.py. */

import type { Doc } from "../../document/schema";

export const companies: Doc = """


def unit() -> LSTM:
    """The unit with the published numbers, in float64."""
    lstm = LSTM(1, 1, dtype=torch.float64)
    with torch.no_grad():
        for name, (short, given, bias) in PUBLISHED.items():
            gate = lstm.gates()[name]
            assert gate.weight_h is not None
            assert gate.bias is not None
            assert gate.bias_h is not None
            gate.weight_h.fill_(short)
            gate.weight_x.fill_(given)
            gate.bias.fill_(bias)
            gate.bias_h.fill_(0.0)
    return lstm


def companies() -> dict[str, Any]:
    """The document, as byhand.explore would make it."""
    prices = torch.tensor(PRICES, dtype=torch.float64).T.unsqueeze(-1)
    return document(
        unit(),
        prices,
        features=["price"],
        items=["company A", "company B"],
        targets=prices[0, :, 0],
        title="Two companies, four days",
        about=f"{in_words('lstm', [1], 1, both=False)}, that {Companies.about}.",
    )


def compact(value: Any, indent: int = 0, before: int = 0) -> str:
    """JSON with everything on one line that fits there; before: letters that stand on the line already."""
    line = json.dumps(value, ensure_ascii=False, allow_nan=False)
    if before + len(line) < WIDTH or not value or not isinstance(value, dict | list):
        return line
    space = " " * (indent + 1)
    names = [f"{json.dumps(name, ensure_ascii=False)}: " for name in value] if isinstance(value, dict) else [""] * len(value)
    parts = value.values() if isinstance(value, dict) else value
    lines = [space + name + compact(part, indent + 1, len(space + name)) for name, part in zip(names, parts, strict=True)]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return "\n".join([opening, ",\n".join(lines), " " * indent + closing])


def written() -> str:
    return f"{BEFORE}{compact(companies())};\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    text = written()
    if parser.parse_args().check:
        fresh = TARGET.exists() and TARGET.read_text(encoding="utf-8") == text
        print(f"{TARGET.name} is {'as it should be' if fresh else 'out of date: python tools/companies_document.py'}")
        sys.exit(not fresh)
    TARGET.write_text(text, encoding="utf-8")
    print(f"{TARGET.name}: {len(text):,} characters")


if __name__ == "__main__":
    main()
