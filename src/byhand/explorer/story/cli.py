"""byhand story: what a trained model learnt, and how, in one page."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from byhand.explorer.cli import words_of
from byhand.explorer.hosts.browser import open_in_browser
from byhand.explorer.load.checkpoint import of_run
from byhand.files.atomic import write_whole
from byhand.files.run_folder import what_is_missing

EXPECTED = "a checkpoint of byhand fit, the folder of a run, or zoo:NAME"
EXAMPLES = """examples:
  byhand story zoo:an_bn
  byhand story runs/companies/version_0 --open
  byhand story runs/adding/version_0/checkpoints/best.ckpt --save adding.html"""


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="byhand story",
        description="Write what a trained model learnt as one page that needs no network: its loss, the units that matter, what they keep,"
        " who wrote it, what breaks without it; each with its numbers, a picture and the explorer, live.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("run", type=Path, metavar="RUN", help=EXPECTED)
    made.add_argument(
        "--save", type=Path, metavar="FILE", help="the page (default: story.html in the run's folder, or NAME-story.html here)"
    )
    made.add_argument(
        "--items", type=int, default=32, metavar="N", help="on how many sequences of its task losses are measured (default: 32)"
    )
    made.add_argument("--cell", metavar="MODULE:NAME", help="the model's cell, where it is your own: its module is imported")
    made.add_argument("--open", action="store_true", help="open the page in the browser")
    return made


def main(arguments: list[str]) -> int:
    """Gives the exit code: 2 for what cannot be done, with one line that says why."""
    options = parser().parse_args(arguments)
    try:
        if options.items < 1:
            raise ValueError(f"--items: expected at least 1, got {options.items}")
        here = str(Path.cwd())
        if options.cell is not None and here not in sys.path:
            sys.path.insert(0, here)  # where cells of one's own are
        source = of_run(options.run) or options.run
        if source.is_dir():
            missing = what_is_missing(source, "byhand story")
            raise ValueError(f"{source}: expected {EXPECTED}, got a folder without a checkpoint: {missing}")
        target = options.save or usual(options.run)
        if target.resolve() == source.resolve():
            raise ValueError(f"--save: expected a file for the page, got {target}, which is read: write --save story.html")
        write(source, target, options.items, options.cell)
        print(f"{target}: {target.stat().st_size / 1e6:.1f} MB" + ("" if options.open else "; open it in a browser"))
        if options.open:
            open_in_browser(target.resolve().as_uri())
    except (ValueError, TypeError, OSError, ModuleNotFoundError) as problem:
        print(f"byhand story: {words(problem)}", file=sys.stderr)
        return 2
    return 0


def write(source: Path, target: Path, items: int, cell: str | None) -> None:
    """Tell it, and write it whole or not at all."""
    from byhand.explorer.story.layout import laid_out  # noqa: PLC0415 (it needs matplotlib, of which main speaks)
    from byhand.explorer.story.story import tell  # noqa: PLC0415

    write_whole(target, laid_out(tell(source, items, cell)).encode())


def usual(run: Path) -> Path:
    """Where the page goes if nothing else is said."""
    if run.is_dir():
        return run / "story.html"
    return run.with_name("story.html") if run.is_file() else Path(f"{str(run).removeprefix('zoo:')}-story.html")


def words(problem: Exception) -> str:
    if isinstance(problem, ModuleNotFoundError) and problem.name == "matplotlib":
        return "its pictures need matplotlib, not installed here: pip install 'byhand[plots]'"
    return words_of(problem)
