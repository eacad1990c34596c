"""docs/explain.md: every block runs, in order, and prints what it should."""

import re
from typing import Any

import pytest
from conftest import ROOT

from byhand import explain


def test_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "docs/explain.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert len(blocks) == 19
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, "docs/explain.md", "exec"), names)
    printed = capsys.readouterr().out
    assert "duplicated parameters: w1 and w2" in printed
    assert "nothing " in printed
    assert "{'encoder.l0.c': 20, 'decoder.l0.c': 6}" in printed
    kept, other = map(float, re.findall(r"wiped out at step 7: error (\S+)", printed))
    assert kept > 20 * other
    check_the_story(names)
    check_the_reader(names, printed)


def check_the_story(names: dict[str, Any]) -> None:
    """What the page says of unit 3."""
    trace, (first, second, *_) = names["seen"], names["of_units"]
    assert (first.unit, first.change > 5 * second.change) == (3, True)
    *others, longest = explain.half_life(trace)["lstm.l0.c"].tolist()
    assert longest > 10
    assert max(others) < 1
    assert 0.8 < explain.saturation(trace)["lstm.l0.i"].left[3] < 0.95
    missed = [item for item, right in enumerate(names["from_marked"]) if not right]
    assert len(missed) < 14
    assert ((names["answer"][missed] + 0.2).abs() < 0.15).all()


def check_the_reader(names: dict[str, Any], printed: str) -> None:
    """What the page says of the zoo's model of Python's help texts."""
    quoted, word = names["carried"].best(1, "inside quotes")[0], names["carried"].best(1, "start of word")[0]
    assert (quoted.name, word.name) == ("lstm.l0.c[155]", "lstm.l0.h[212]")
    assert quoted.auc > 0.95
    assert word.auc > 0.8
    assert max(quoted.p, word.p) < 0.001
    assert quoted.score < 0
    assert "inside quotes    lstm.l0.c[155]" in printed
    best, *rest = names["others"].places
    assert len(names["others"].units) == len(best.units) == 4
    assert all(len(one.units) < 4 for one in rest)
    assert "'verflowErro' 4" in printed
    assert names["texts"][2][slice(*names["span"].steps)] == "lueErro"


def test_the_page_names_every_function() -> None:
    text = (ROOT / "docs/explain.md").read_text(encoding="utf-8")
    functions = [name for name in explain.__all__ if name.islower()]
    assert len(functions) == 10
    assert all(f": `{name}`" in text for name in functions)
