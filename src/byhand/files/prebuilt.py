"""The folder of what came with the package: kernels compiled and programs traced beforehand, by tools/prebuilt.py.

It is there in a platform wheel, and in a clone after `make prebuilt`. Whoever could change it could change the package's Python as well;
so nothing is asked of its owner, and all that is read from it is held against what it is used for.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "prebuilt"


def read_json(path: Path) -> Any:
    """What a file of the folder holds, None if it is not there or holds no JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
