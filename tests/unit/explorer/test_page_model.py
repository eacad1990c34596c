"""The page's model, text and state, run by node from their sources: against numbers that torch computes here."""

import re
from pathlib import Path

from answering import answers
from conftest import ROOT
from page_finding import finding
from page_in_node import in_node
from page_models import fixture

from byhand.explorer.hosts.page import json_text


def test_the_page_computes_what_torch_does(tmp_path: Path) -> None:
    """Sites of every step, derivatives, equations and sums of 14 cells and stacks, under 8 draws of edits each."""
    path = tmp_path / "fixture.json"
    path.write_text(json_text({"cases": fixture(), "answers": answers(), "finding": finding()}), encoding="utf-8")
    done = in_node("--test", *sorted(map(str, (ROOT / "frontend/test").glob("*.test.ts"))), fixture=path)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    assert int(re.findall(r"^\S+ pass (\d+)$", done.stdout, re.MULTILINE)[0]) >= 60


def test_folders_of_the_page_import_only_what_stands_below_them() -> None:
    done = in_node(str(ROOT / "frontend/layers.mjs"))
    assert done.returncode == 0, done.stderr
