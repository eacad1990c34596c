"""Models as byhand fit trains them, and what byhand explore makes of them, in the folder of the test."""

import json
import re
from pathlib import Path
from typing import Any

from byhand.__main__ import main


def document_in(path: Path) -> dict[str, Any]:
    found = re.search(r'id="byhand-document">(.*?)</script>', path.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def shown(*words: object) -> dict[str, Any]:
    """The document that these words give."""
    assert main(["explore", *map(str, words), "--save", "page.html"]) == 0
    return document_in(Path("page.html"))


def fit(config: str, *words: str) -> Path:
    """A short training of a configuration; its last checkpoint."""
    quick = ["--trainer.enable_progress_bar", "false", "--trainer.logger", "CSVLogger", "--trainer.logger.save_dir", "runs"]
    assert main(["fit", "--config", config, *quick, "--trainer.max_epochs", "2", *words]) == 0
    (best,) = Path("runs").rglob("last.ckpt")
    return best
