"""What can be done with a model that is trained, each as a line to type."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from byhand import tasks
from byhand.cells import names as cell_names
from byhand.files.run_folder import checkpoint_in, config_of
from byhand.tasks import Table, Task, Text


def doors(task: Task, settings: Mapping[str, Any], checkpoint: str) -> Iterator[str]:
    """For a text how to go on writing, for a table its forecast, for every task of byhand's the explorer.

    task: that the model was trained or tested on. settings: of the model. checkpoint: the best one, or the one that was tested.
    """
    path = Path(checkpoint)
    config, own = config_of(path), cell_words(settings)
    kept = run_of(path)
    if isinstance(task, Text):
        prompt = prompt_of(task.parts["test"], task.alphabet)
        start = [f"--start={prompt}"] if prompt.startswith("-") else ["--start", prompt]
        yield line("let it write:", ["byhand", "write", kept, *own, *start])
    if config is None:
        return
    if isinstance(task, Table) and task.windows["future"].starts["future"].size:
        words = ["byhand", "predict", "--config", relative(config), "--ckpt_path", relative(path)]
        yield line("forecast:", [*words, "--data.predict", "future", "--output", "forecast.csv"])
    if type(task) in tasks.TASKS.values():  # of another the explorer would ask for an input
        yield line("see it:  ", ["byhand", "explore", kept, *own])


def line(what: str, words: list[str]) -> str:
    return f"{what} {shlex.join(words)}"


def cell_words(settings: Mapping[str, Any]) -> list[str]:
    """The option that a cell of the user's own needs: no file has a module imported by itself."""
    cell = settings.get("cell")
    return ["--cell", str(cell)] if cell_names.is_own(cell) else []


def run_of(checkpoint: Path) -> str:
    """The folder of its run, where that stands for just this checkpoint; else the checkpoint."""
    folder = checkpoint.parent.parent if checkpoint.parent.name == "checkpoints" else checkpoint.parent
    return relative(folder if checkpoint_in(folder) == checkpoint else checkpoint)


def relative(path: Path) -> str:
    """To the folder that one is in, if it is below that."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_absolute() and path.is_relative_to(here) else str(path)


def prompt_of(text: str, alphabet: str) -> str:
    """The first few words of a text that the model knows all characters of, with the space behind them; else its first character."""
    known = "".join(one if one in alphabet else "\0" for one in text)
    found = re.search(r"(?<=\s)\w+(?: \w+){0,2} ", known) or re.search(r"[^\s\0]", known)
    return found[0] if found else alphabet[0]
