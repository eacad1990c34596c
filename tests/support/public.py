"""A script: what users and their programs hold on to, a line each: public names, arguments with their defaults, options of commands.

python tests/support/public.py > tests/earlier/public.txt keeps the lines of today; test_public.py says which of them are gone.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import io
import re
import sys
from collections.abc import Iterator
from typing import Any

MODULES = (
    "byhand",
    "byhand.cells",
    "byhand.explain",
    "byhand.explain.tracks",
    "byhand.explorer",
    "byhand.plots",
    "byhand.study",
    "byhand.tasks",
    "byhand.train",
    "byhand.zoo",
)
NAMED = {
    "byhand.testing": ("check_cell", "CellError"),
    "byhand.train.callbacks": ("Gates", "Reached", "Diverged"),
    "byhand.nn.stepper": ("Stepper",),
}
METHODS = {  # that users call
    "LSTM": (
        "forward",
        "stepper",
        "save_pretrained",
        "from_pretrained",
        "reset_parameters",
        "flatten_parameters",
        "all_weights",
    ),
    "LSTMCell": ("forward", "reset_parameters"),
    "Stepper": ("__call__", "state", "reset"),
    "Trace": ("cell", "input", "initial", "valid", "grad", "call", "save", "load", "__getitem__"),
    "Cell": ("sites", "parameters", "recurrent", "vectors", "noise", "biases", "truncated"),
    "Ledger": ("at",),
    "FoundUnits": ("rows", "best", "table"),
    "Explorer": ("save", "serve", "widget", "changes", "edits", "weights", "inputs"),
    "Snapshots": ("take", "take_last", "epochs", "save", "load"),
    "Study": ("run", "status", "table", "compared", "report"),
    "Task": ("monitor", "files", "batch", "loader", "transfer_batch_to_device"),
    "SequenceModel": ("forward", "load_from_checkpoint"),
    "Card": ("reproduced_by",),
    "ZooModel": ("forward", "features", "encode", "write"),
}
LIGHTNINGS = ("--trainer", "--checkpoint", "--optimizer", "--lr_scheduler")  # which change with its releases
COMMANDS = {
    "fit": ("Adding", "Table", "Text"),
    "test": ("Table",),
    "validate": (),
    "predict": ("Table", "Text"),
    "configs": (),
    "explore": (),
    "play": (),
    "story": (),
    "write": (),
    "convert": (),
    "study run": (),
    "study status": (),
    "study report": (),
    "bench": (),
    "zoo make": (),
}


def names() -> Iterator[str]:
    """A line for each name, and for each argument of what can be called."""
    listed = {module: importlib.import_module(module).__all__ for module in MODULES} | NAMED
    for module, public in listed.items():
        for name in public:
            yield from described(f"{module}.{name}", getattr(importlib.import_module(module), name))


def described(name: str, value: Any) -> Iterator[str]:
    """The name; of functions their arguments; of classes those of METHODS too."""
    yield name
    if inspect.isfunction(value) or inspect.isclass(value):
        yield from (f"{name} {argument}" for argument in arguments(value))
    for own in METHODS.get(name.rpartition(".")[2], ()) if inspect.isclass(value) else ():
        method = inspect.getattr_static(value, own)
        function = getattr(method, "__func__", method)
        yield f"{name}.{own}"
        if inspect.isfunction(function):
            yield from (f"{name}.{own} {argument}" for argument in arguments(function) if argument not in ("self", "cls"))


def arguments(function: Any) -> list[str]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    return [str(one.replace(annotation=inspect.Parameter.empty)).split(" at 0x")[0] for one in parameters]


def options() -> Iterator[str]:
    """A line for each option of each command but Lightning's own."""
    from byhand.__main__ import main  # noqa: PLC0415

    for command, tasks in COMMANDS.items():
        for more in ([], *(["--data", task] for task in tasks)):
            said = io.StringIO()
            with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
                main([*command.split(), *more, "--help"])
            found = re.findall(r"(?<![\w-])--[a-z][\w.]*", said.getvalue())
            ours = [one for one in found if not one.startswith(LIGHTNINGS) and not one.endswith(".help")]
            yield from (f"byhand {' '.join([command, *more])} {one}" for one in ours)


def lines() -> list[str]:
    return sorted({*names(), *options()})


if __name__ == "__main__":
    sys.stdout.write("\n".join(lines()) + "\n")
