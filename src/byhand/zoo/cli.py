"""byhand zoo: what is in the zoo, the card of a model, and how to make it again."""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from pathlib import Path

from byhand.zoo.card import Card, number
from byhand.zoo.files import ENDING, card, cards, names, save

NEEDED = ("lightning", "torchmetrics", "rich", "yaml", "sklearn", "statsmodels", "pandas")
APART = 1  # the exit code where a score is not reproduced; 2: for what cannot be done
EXAMPLES = """examples:
  byhand zoo                            all models, and how good they are
  byhand zoo an_bn                      the card of one
  byhand zoo make an_bn                 train it again, and compare
  byhand zoo make --all                 all of them: half an hour of one core
  byhand explore zoo:an_bn              look into it"""


def show_parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="byhand zoo",
        description="Small trained models, each with a card that says how good it is and how to make it again.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("names", nargs="*", metavar="NAME", help="whose card to print (default: a table of all)")
    return made


def make_parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="byhand zoo make",
        description="Train models of the zoo again, test them, and compare their scores with those on their cards.",
    )
    made.add_argument("names", nargs="*", metavar="NAME", help="which")
    made.add_argument("--all", action="store_true", help="all of them")
    made.add_argument(
        "--seeds", type=int, default=1, metavar="N", help="train with that many seeds, from the card's (default: 1)"
    )
    made.add_argument(
        "--output",
        type=Path,
        default=Path("runs/zoo"),
        metavar="FOLDER",
        help="where to write NAME.safetensors (default: runs/zoo)",
    )
    return made


def main(arguments: list[str]) -> int:
    """Gives the exit code: 1 where a score is not reproduced, 2 for what cannot be done, with one line that says why."""
    try:
        if arguments[:1] == ["make"]:
            return make_all(make_parser().parse_args(arguments[1:]))
        found = show_parser().parse_args(arguments).names
        print("\n\n".join(str(card(name)) for name in found) if found else repr(cards()))
    except (ValueError, OSError) as problem:
        print(f"byhand zoo: {problem}", file=sys.stderr)
        return 2
    return 0


def make_all(options: argparse.Namespace) -> int:
    """Make, write and compare each; a table at the end where there are several."""
    missing = [name for name in NEEDED if not importlib.util.find_spec(name)]
    if missing:
        raise ValueError(f"make needs {', '.join(missing)}, not installed here: pip install 'byhand[train]'")
    from byhand.zoo.make import make  # noqa: PLC0415 (Lightning is loaded when it is needed)
    from byhand.zoo.recipes import RECIPES  # noqa: PLC0415

    wanted = list(RECIPES) if options.all else options.names
    unknown = [name for name in wanted if name not in RECIPES]
    if unknown or not wanted:
        got = repr(unknown[0]) if unknown else "none"
        raise ValueError(f"make expected one of {', '.join(RECIPES)}, or --all; got {got}")
    if options.seeds < 1:
        raise ValueError(f"--seeds: expected at least 1, got {options.seeds}")
    lines, apart = [], False
    for name in wanted:
        started = time.perf_counter()
        first = RECIPES[name].seed
        model = make(name, seeds=list(range(first, first + options.seeds)))
        path = save(model, options.output / f"{name}{ENDING}")
        said, same = compared(model.card)
        apart |= not same
        lines.append(f"{name}: {said}; {time.perf_counter() - started:.0f} s; {path}, {path.stat().st_size:,} bytes")
        print(lines[-1], flush=True)
    if len(lines) > 1:
        print("", *lines, sep="\n")
    return APART if apart else 0


def compared(made: Card) -> tuple[str, bool]:
    """What there is to say of a model that was made again beside its card, and whether it is as good as that says."""
    if made.name not in names():
        return f"{made.described_score()}, the first of its name", True
    known = card(made.name)
    same = known.reproduced_by(made.score)
    said = f"{made.described_score()}; its card says {number(known.score)} ± {known.spread:g}: {'reproduced' if same else 'NOT reproduced'}"
    other = [f"{what} {known.made_with.get(what)}, here {version}" for what, version in made.made_with.items()]
    differs = [
        line
        for line, (what, version) in zip(other, made.made_with.items(), strict=True)
        if known.made_with.get(what) != version
    ]
    if known.data != made.data:
        differs.append("other data")
    return said + (f" (that one: {'; '.join(differs)})" if differs else ""), same
