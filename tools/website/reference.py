"""The pages of the public names: one for each public module, from its docstrings."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from typing import Any, NamedTuple

import byhand

APART = {  # public names of modules that have no page: they stand on another's
    "byhand": ("byhand.nn.stepper.Stepper",),
}
HIDDEN = ("byhand.nn", "byhand.ir", "byhand.configs")  # whose public names are byhand's own, or files: see commands.configs
NESTED = ("byhand.explain.tracks", "byhand.train.callbacks")
LAYER = ("forward", "gates", "reset_parameters", "flatten_parameters", "all_weights")
METHODS = {  # what users call, of classes that have more public methods than that; of all others every documented one
    "LSTM": (*LAYER, "stepper", "save_pretrained", "from_pretrained"),
    "TorchLSTM": (),  # as LSTM
    "LSTMCell": ("forward", "gates", "reset_parameters"),
    "Stepper": ("__call__", "state", "reset"),
    "Trace": ("places", "dims", "__getitem__", "cell", "input", "initial", "valid", "grad", "call", "save", "load"),
    "Cell": ("equations", "sites", "parameters", "worked"),
    "Task": ("count", "batch", "loader", "rows", "advice", "transfer_batch_to_device"),
    "SequenceModel": ("forward", "load_from_checkpoint"),
    "Study": ("run", "status", "table", "compared", "report"),
}


class Name(NamedTuple):
    """name: in full, as users write it. value: what it is. same: the name under which it is documented already, or None."""

    name: str
    value: Any
    same: str | None


def modules() -> list[str]:
    """Every module with public names: byhand, those right below it, and a few that users import from further below."""
    below = [f"byhand.{one.name}" for one in pkgutil.iter_modules(byhand.__path__) if one.name != "__main__"]
    public = [name for name in (*below, *NESTED) if name not in HIDDEN and hasattr(importlib.import_module(name), "__all__")]
    return ["byhand", *sorted(public)]


def names() -> dict[str, list[Name]]:
    """Module -> its public names, in order. What has several names is documented at the first, so byhand.LSTM and not byhand.nn.LSTM."""
    seen: dict[int, str] = {}
    found = {}
    for module in modules():
        mine = [
            (f"{module}.{name}", getattr(importlib.import_module(module), name))
            for name in importlib.import_module(module).__all__
        ]
        for full in APART.get(module, ()):
            owner, _, name = full.rpartition(".")
            mine.append((full, getattr(importlib.import_module(owner), name)))
        found[module] = [Name(name, value, seen.get(id(value))) for name, value in mine]
        for name, value, _ in found[module]:
            seen.setdefault(id(value), name)
    return found


def members(value: type) -> list[str]:
    """What users call of a class."""
    if value.__name__ in METHODS:
        return list(METHODS[value.__name__])
    if issubclass(value, Exception) or value.__module__.startswith(("byhand.tasks", "byhand.train.callbacks")):
        return []  # whose methods are those of Task, of Lightning's Callback
    ours = [base for base in reversed(value.__mro__) if base.__module__.startswith("byhand")]
    return list(dict.fromkeys(name for base in ours for name in vars(base) if shown(value, name)))


def shown(owner: type, name: str) -> bool:
    """A public method or property with a docstring of its own."""
    value = inspect.getattr_static(owner, name)
    value = getattr(value, "__func__", getattr(value, "fget", getattr(value, "func", value)))
    return not name.startswith("_") and inspect.isfunction(value) and bool(value.__doc__)


def documented() -> Iterator[str]:
    """Every name that the reference has, methods among them."""
    for listed in names().values():
        for name, value, _ in listed:
            yield name
            if inspect.isclass(value):
                yield from (f"{name}.{member}" for member in members(value))


def pages() -> dict[str, str]:
    """Page -> its reStructuredText; byhand.cells has a page of its own making."""
    return {
        f"reference/{page_name(module)}": page(module, listed) for module, listed in names().items() if module != "byhand.cells"
    }


def page_name(module: str) -> str:
    return module.removeprefix("byhand.").replace(".", "-")


def page(module: str, listed: list[Name]) -> str:
    blocks = [module, "=" * len(module), "", f".. automodule:: {module}", "   :no-members:", ""]
    for one in listed:
        blocks += entry(one)
    return "\n".join(blocks) + "\n"


def entry(one: Name) -> list[str]:
    """The directive of a name. A module is a link to its page, a second name a link to the first."""
    name, value, same = one
    if inspect.ismodule(value):
        return [f":py:mod:`{name}`", f"   {first_line(value)}", ""]
    if same is not None:
        kind = "class" if inspect.isclass(value) else "function" if callable(value) else "data"
        module, _, short = name.rpartition(".")
        options = [f"   :module: {module}", "   :no-index:", "   :no-contents-entry:"]
        return [f".. _{name}:", "", f".. py:{kind}:: {short}", *options, "", f"   The same as :py:obj:`{same}`.", ""]
    if inspect.isclass(value):
        more = members(value)
        special = [member for member in more if member.startswith("__")]
        lines = [f".. autoclass:: {name}"]
        lines += [f"   :members: {', '.join(member for member in more if member not in special)}"] * (len(more) > len(special))
        lines += [f"   :special-members: {', '.join(special)}"] * bool(special)
        return [*lines, "   :show-inheritance:" if issubclass(value, Exception) else "   :member-order: bysource", ""]
    return [f".. {'autofunction' if callable(value) else 'autodata'}:: {name}", ""]


def first_line(value: Any) -> str:
    return (inspect.getdoc(value) or "").split("\n")[0]


def index() -> str:
    """A table of all pages, a row a module."""
    rows = [
        f"| {{doc}}`{one} </reference/{page_name(one)}>` | {first_line(importlib.import_module(one))} |" for one in modules()
    ]
    return "\n".join(["| module | what it has |", "|---|---|", *rows])
