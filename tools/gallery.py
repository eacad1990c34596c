"""Runs the Python of docs/gallery.md and docs/explain.md from top to bottom and writes their pictures.

    python tools/gallery.py                   every picture that these pages show, into docs/pictures
    python tools/gallery.py --into FOLDER     elsewhere, to look at before
    python tools/gallery.py --renew           in place of that, the small pictures that tests compare with, into tests/pictures

A picture on the page is the `figure` that the block above it made.
"""

from __future__ import annotations

import argparse
import importlib
import io
import re
import sys
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.figure import Figure
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "gallery.md"
PAGES = (PAGE, ROOT / "docs" / "explain.md")
KEPT = ROOT / "tests" / "pictures"
SMALL = 60  # dots an inch of what tests compare
DPI = 150  # 1440 pixels across
COLOURS = 256  # of a palette: half the bytes, and no difference to see


class Block(NamedTuple):
    """code: Python. line: of the page, where it begins. picture: what it makes, if it makes one."""

    code: str
    line: int
    picture: str | None


def blocks(page: str) -> list[Block]:
    """The page's Python, in order."""
    found = re.finditer(r"```python\n(.*?)```(?:\s*!\[[^\]]*\]\(pictures/([^)]+)\))?", page, re.DOTALL)
    return [Block(one[1], page[: one.start(1)].count("\n") + 1, one[2]) for one in found]


def run(page: Path = PAGE) -> dict[str, Figure]:
    """Picture -> figure, of all blocks in one namespace. Errors name the page and its line."""
    names: dict[str, Any] = {"__name__": page.stem}
    figures: dict[str, Figure] = {}
    for block in blocks(page.read_text(encoding="utf-8")):
        names.pop("figure", None)
        source = "\n" * (block.line - 1) + block.code
        exec(compile(source, str(page), "exec"), names)
        if block.picture is not None:
            figures[block.picture] = names["figure"]
    return figures


def compared() -> dict[str, Figure]:
    """What tests/support/pictured.py makes."""
    sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "support")]
    figures = importlib.import_module("pictured").FIGURES
    return {f"{name}.png": make() for name, make in figures.items()}


def png(figure: Figure, dpi: float = DPI) -> bytes:
    """As a small file."""
    whole, small = io.BytesIO(), io.BytesIO()
    figure.savefig(whole, format="png", dpi=dpi)
    palette = Image.open(whole).convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    palette.save(small, format="png", optimize=True)
    return small.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Run the Python of docs/gallery.md and docs/explain.md and write their pictures."
    )
    parser.add_argument("--into", type=Path, metavar="FOLDER", help="where to; docs/pictures, or tests/pictures with --renew")
    parser.add_argument("--renew", action="store_true", help="renew the pictures that the tests compare with")
    options = parser.parse_args()
    folder = options.into or (KEPT if options.renew else PAGE.parent / "pictures")
    if not folder.is_dir():
        parser.error(f"expected a folder, got {folder}: no such folder")
    figures = compared() if options.renew else {name: figure for page in PAGES for name, figure in run(page).items()}
    for name, figure in figures.items():
        content = png(figure, SMALL if options.renew else DPI)
        (folder / name).write_bytes(content)
        print(f"{folder / name}: {len(content) / 1024:.0f} KB")


if __name__ == "__main__":
    main()
