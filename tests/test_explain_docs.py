"""docs/explain.md: every block runs, in order, and prints what it should."""

import re

import pytest
from conftest import ROOT

from byhand import explain


def test_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "docs/explain.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert len(blocks) == 8
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "docs/explain.md", "exec"), names)
    printed = capsys.readouterr().out
    assert "duplicated parameters: w1 and w2" in printed
    assert "nothing " in printed


def test_the_page_names_every_function() -> None:
    text = (ROOT / "docs/explain.md").read_text(encoding="utf-8")
    functions = [name for name in explain.__all__ if name.islower()]
    assert len(functions) == 7
    assert all(f": `{name}`" in text for name in functions)
