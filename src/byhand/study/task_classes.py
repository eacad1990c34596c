"""What a study has to know of a task's class: found by importing it, or, where nothing may be imported, in what the queue remembers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from byhand.study.arguments import complete, parameters
from byhand.study.runs import find_task

OURS = "byhand.tasks"


class TaskClass(NamedTuple):
    """name: module.Class. arguments: all of a call but the seed. files: which of them name files. seeded: whether it takes a seed."""

    name: str
    arguments: Mapping[str, Any]
    files: tuple[str, ...]
    seeded: bool


Look = Callable[[str, Mapping[str, Any], str], TaskClass]  # by class_path and init_args; the last word says where these stand


def is_ours(name: str) -> bool:
    """Whether it is a class of byhand.tasks, by its name or as module.Class."""
    module = name.rpartition(".")[0]
    return not module or module == OURS or module.startswith(f"{OURS}.")


def imported(class_path: str, given: Mapping[str, Any], where: str) -> TaskClass:
    """What the class itself says. StudyError if there is none, or it does not take these arguments."""
    made = find_task(class_path, where)
    arguments = complete(made, given, f"{where}: init_args", apart=("seed",))
    return TaskClass(f"{made.__module__}.{made.__qualname__}", arguments, tuple(made.files), "seed" in parameters(made))


def remembered(configs: Callable[[], Iterable[Mapping[str, Any]]]) -> Look:
    """Look for classes of byhand.tasks as above, for all others in configurations of runs that were queued, the newest last."""

    def look(class_path: str, given: Mapping[str, Any], where: str) -> TaskClass:
        if is_ours(class_path):
            return imported(class_path, given, where)
        tasks = [config["task"] for config in configs() if _fits(config["task"], class_path, given)]
        if not tasks:  # never run, or never like this: all its runs are new, whatever the class may add
            return TaskClass(class_path, dict(given), (), seeded=True)
        arguments, files = dict(tasks[-1]["arguments"]), tuple(tasks[-1].get("files", ()))
        seeded = arguments.pop("seed", None) is not None
        return TaskClass(tasks[-1]["class"], arguments, files, seeded)

    return look


def _fits(task: Mapping[str, Any], class_path: str, given: Mapping[str, Any]) -> bool:
    """Whether it is of a class of this name in this package, which may keep it in another module, and was called with what is given."""
    arguments = task["arguments"]
    return _ends(task["class"]) == _ends(class_path) and all(
        name in arguments and arguments[name] == one for name, one in given.items()
    )


def _ends(name: str) -> tuple[str, str]:
    """The package and the class."""
    parts = name.split(".")
    return parts[0], parts[-1]
