"""Files dropped on the page, read by its own sources in node: values against torch and onnxruntime, refusals, damage."""

import json
import re
from pathlib import Path

from conftest import ROOT
from page_files import files
from page_in_node import in_node

from byhand.explorer.hosts.page import json_text
from tools import page_cells


def test_the_page_opens_what_others_write(tmp_path: Path) -> None:
    path = tmp_path / "files.json"
    path.write_text(json_text({"files": files()}), encoding="utf-8")
    done = in_node("--test", str(ROOT / "frontend/test/files/files.test.ts"), fixture=path)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    assert int(re.findall(r"^\S+ pass (\d+)$", done.stdout, re.MULTILINE)[0]) >= 30


def test_the_cells_of_opened_files_are_those_of_byhand() -> None:
    assert json.loads(page_cells.FILE.read_text(encoding="utf-8")) == json.loads(page_cells.text())
