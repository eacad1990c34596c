"""The files of a saved model: replaced so that a crash loses nothing, and read so that nothing damaged passes.

The new files are first written beside the old ones. Then config.json is replaced by one that describes the new model and the old,
model.safetensors by the new one, and config.json by one that describes the new model only. Each replacement is atomic, and on the
disk before the next begins; the sha256 of model.safetensors says which of the two models it is. Whenever the process is killed,
the folder holds the old model or the new one, whole.

config.json must be what `render` makes of it, to the byte, its sha256 over itself included.
"""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

from byhand.errors import LoadError
from byhand.files.atomic import digest, sync, write_through
from byhand.files.regular_file import read_regular
from byhand.nn.config import Config

Description = dict[str, Any]  # what FIELDS names, all JSON primitives

CONFIG, WEIGHTS = "config.json", "model.safetensors"
FIELDS = {*Config._fields, "dtype", "weights_sha256"}
REMEDY = "bring it back from a copy, or save the model again"
LARGEST = 10**6  # bytes of config.json, which are about a thousand


def render(*models: Description) -> bytes:
    """config.json, for the model that model.safetensors is, or for several of which it is one."""
    content: dict[str, Any] = {"library_name": "byhand", "format": 1, "models": models}
    content["sha256"] = digest(json.dumps(content).encode())
    return (json.dumps(content, indent=2, allow_nan=False) + "\n").encode()


def stamp(path: Path) -> tuple[int, int] | None:
    """Another one for every file that is put in the place of one, whatever it holds; None if there is none."""
    if not path.exists():
        return None
    found = path.stat()
    return found.st_ino, found.st_mtime_ns


def read(folder: Path) -> tuple[Description, bytes]:
    """What model the folder holds, and its model.safetensors. LoadError if a file is not as it was written; OSError."""
    before = stamp(folder / CONFIG)
    models = read_config(folder / CONFIG)
    weights = read_regular(folder / WEIGHTS)
    for model in models:
        if model["weights_sha256"] == digest(weights):
            return model, weights
    if stamp(folder / CONFIG) != before:
        return read(folder)  # somebody has saved in between
    expected = " or ".join(str(model["weights_sha256"]) for model in models)
    raise LoadError(
        f"{folder / WEIGHTS}: expected the file that {CONFIG} describes, sha256 {expected}, got {len(weights)} bytes with sha256"
        f" {digest(weights)}, damaged or of another model: {REMEDY}"
    )


def read_config(path: Path) -> list[Description]:
    content = read_regular(path, LARGEST)
    try:
        models = json.loads(content)["models"]
        if render(*models) == content and all(model.keys() == FIELDS for model in models):
            return models
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        pass  # whatever else it is, it is not what was written
    raise LoadError(
        f"{path}: expected it to the byte as save_pretrained wrote it, got {len(content)} bytes that begin {content[:20]!r},"
        f" damaged or not byhand's: {REMEDY}"
    )


def replace(folder: Path, model: Description, weights: bytes, others: dict[str, bytes]) -> None:
    """Put a model in the place of what the folder holds, and then other files, by name. OSError; then, too, what is there is whole."""
    both = render(model, *standing(folder))
    files = [(CONFIG, both), (WEIGHTS, weights), (CONFIG, render(model)), *others.items()]
    new = [folder / f".saving-{number}-{name}" for number, (name, _) in enumerate(files)]
    try:
        for path, (_, content) in zip(new, files, strict=True):
            write_through(path, content)
        for path, (name, _) in zip(new, files, strict=True):
            path.replace(folder / name)
            sync(folder)
    finally:
        for left in folder.glob(".saving-*"):  # a save that was killed leaves some, too
            left.unlink(missing_ok=True)


def standing(folder: Path) -> list[Description]:
    """The model to keep in mind while another takes its place, if there is a whole one. FileExistsError for somebody else's files."""
    try:
        return [read(folder)[0]]
    except (FileNotFoundError, LoadError):
        config, weights = folder / CONFIG, folder / WEIGHTS
        ours = config.exists() and b'"byhand"' in read_regular(config, LARGEST)
        if not ours and (config.exists() or weights.exists()):
            raise FileExistsError(errno.EEXIST, f"a {CONFIG} or {WEIGHTS} that byhand has not written") from None
        return []
