"""What users and their programs hold on to is still there: names, arguments and their defaults, options. More may come."""

import ast
import importlib
from importlib import metadata
from pathlib import Path

from conftest import ROOT
from public import lines

import byhand
from byhand import errors

EARLIER = ROOT / "tests" / "earlier" / "public.txt"
MOVED = {
    "byhand.stepper.Stepper lstm": "byhand.nn.stepper.Stepper config",
    "byhand.stepper.": "byhand.nn.stepper.",
    # layer= and batch= everywhere; the earlier names are taken, too: test_renaming.py
    **{f"byhand.plots.{name} place=0": f"byhand.plots.{name} layer=0" for name in ("gates", "memories", "time_lapse", "unit")},
    **{
        f"byhand.plots.{name} item=": f"byhand.plots.{name} batch="
        for name in ("gates", "memories", "time_lapse", "unit", "ledger")
    },
    "byhand.plots.gradient_paths item=": "byhand.plots.gradient_paths batch=",
    "byhand.explain.connectivity item=": "byhand.explain.connectivity batch=",
}  # of what nobody imports by its module: lstm.stepper() makes it


def test_nothing_is_gone() -> None:
    earlier = EARLIER.read_text()
    for before, now in MOVED.items():
        earlier = earlier.replace(before, now)
    gone = set(earlier.splitlines()) - set(lines())
    assert not gone, f"gone, or with another default: {sorted(gone)}"


def test_every_error_class_has_the_one_base() -> None:
    public = {name: getattr(errors, name) for name in errors.__all__}
    assert all(issubclass(one, errors.ByhandError) for one in public.values())
    assert all(
        issubclass(one, (ValueError, TypeError, RuntimeError, LookupError, AssertionError)) or one is errors.ByhandError
        for one in public.values()
    )
    defined = {
        node.name
        for path in (ROOT / "src/byhand").rglob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and node.name.endswith("Error")
    }
    inside = {"MissingError", "TooLongError", "UnfitError"}  # which their own file catches
    inside |= {"DisagreementError", "NotMeasuredError", "TooSlowError"}  # which byhand bench catches
    assert defined == {*public} | inside


def test_types_and_version_come_with_the_package() -> None:
    assert (Path(byhand.__file__).parent / "py.typed").is_file()
    assert byhand.__version__ == metadata.version("byhand")


def test_callbacks_have_their_earlier_names() -> None:
    now = importlib.import_module("byhand.train.callbacks")
    assert (now.Gates, now.Reached, now.Diverged) == (now.GateMonitor, now.StopWhen, now.StopOnNaN)
    assert importlib.import_module("byhand.train.snapshots").Snapshots is now.SnapshotCallback
