"""Formulas as MathML, which every browser draws by itself: no script, and nothing from the network."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def element(latex: str, display: str) -> str:
    """The formula as one <math>. ValueError, which names it, if it cannot be read."""
    convert = import_module("latex2mathml.converter").convert
    try:
        return convert(latex, display=display)
    except Exception as problem:
        raise ValueError(f"expected a formula that latex2mathml reads, got {latex!r}: {problem}") from problem


def inline(translator: Any, node: Any) -> None:
    translator.body.append(element(node.astext(), "inline"))
    raise import_module("docutils.nodes").SkipNode


def block(translator: Any, node: Any) -> None:
    number = f'<span class="eqno">({node["number"]})</span>' if node.get("number") else ""
    anchor = f' id="{node["ids"][0]}"' if node.get("ids") else ""
    translator.body.append(f'<div class="math"{anchor}>{element(node.astext(), "block")}{number}</div>\n')
    raise import_module("docutils.nodes").SkipNode


def setup(app: Any) -> None:
    """Register it with Sphinx, as html_math_renderer = "mathml"."""
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
