"""byhand write: a text that a trained model goes on with, printed as it is drawn."""

from __future__ import annotations

import argparse
import sys
from math import isfinite
from pathlib import Path
from typing import Any

import torch

from byhand.errors import LoadError
from byhand.files.run_folder import checkpoint_in, what_is_missing
from byhand.nn.sampling import sample
from byhand.tasks.task import at_least
from byhand.train.callbacks.progress import until_nobody_reads
from byhand.train.cli.resume import read_kept
from byhand.train.model.sequence_model import SequenceModel

EXAMPLES = """examples:
  byhand write runs/text/version_0 --start "The "
  byhand write runs/text/version_0/checkpoints/last.ckpt --start "def " --length 200 --temperature 0.5 --seed 3"""


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="byhand write",
        description="Go on with a text, character by character, as a model that byhand fit has trained on one would.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="of byhand fit, or the folder of its run")
    made.add_argument(
        "--start", metavar="TEXT", help="what it goes on from (default: a line break, where the model knows that)"
    )
    made.add_argument("--length", type=int, default=500, metavar="N", help="characters to write (default: 500)")
    made.add_argument(
        "--temperature",
        type=float,
        default=1.0,
        help="1: as likely as the model says; lower: likelier characters only; 0: always the likeliest (default: 1)",
    )
    made.add_argument("--seed", type=int, default=0, help="of what is drawn (default: 0)")
    made.add_argument("--cell", metavar="MODULE:NAME", help="the model's cell, where it is your own; its module is imported")
    return made


def main(arguments: list[str]) -> int:
    """Gives the exit code: 2 for what cannot be done, with one line that says why."""
    options = parser().parse_args(arguments)
    try:
        check(options)
        model = text_model(options.checkpoint, options.cell)
        start = options.start if options.start is not None else usual_start(model.form.alphabet)
        write(model, start, options)
    except (ValueError, OSError) as problem:
        print(f"byhand write: {' '.join(str(problem).split())}", file=sys.stderr)
        return 2
    return 0


def check(options: argparse.Namespace) -> None:
    """ValueError for a number that its option cannot have."""
    at_least("--length", options.length, 0)
    if not (isfinite(options.temperature) and options.temperature >= 0):
        raise ValueError(f"--temperature: expected a number of at least 0, got {options.temperature}")
    if not 0 <= options.seed < 2**64:
        raise ValueError(f"--seed: expected 0 to 2**64 - 1, got {options.seed}")


def text_model(path: Path, cell: str | None) -> SequenceModel:
    """ValueError, LoadError for what is no model of a text."""
    checkpoint = checkpoint_in(path) if path.is_dir() else path
    if checkpoint is None:
        raise ValueError(
            f"{path}: expected the folder of a run, got one without a checkpoint: {what_is_missing(path, 'byhand write')}"
        )
    try:
        alphabet = read_kept(str(checkpoint), cell).form.get("alphabet")
    except LoadError as problem:
        said = str(problem).removeprefix("--ckpt_path ").replace("--model.cell", "--cell")
        raise LoadError(said) from problem
    if not alphabet:
        raise ValueError(
            f"{checkpoint}: expected a model of a text, got one of another task: byhand fit --config text trains one"
        )
    settings: dict[str, Any] = {} if cell is None else {"cell": cell}
    return SequenceModel.load_from_checkpoint(checkpoint, map_location="cpu", **settings).eval()


def usual_start(alphabet: str) -> str:
    return "\n" if "\n" in alphabet else alphabet[0]


def write(model: SequenceModel, start: str, options: argparse.Namespace) -> None:
    """ValueError for a start that the model cannot read."""
    alphabet = model.form.alphabet
    unknown = sorted(set(start) - set(alphabet))
    if unknown or not start:
        got = f"{', '.join(map(named, unknown))} among them" if unknown else "no character"
        raise ValueError(
            f"--start: expected characters that the model was trained on, got {got}; it knows {''.join(alphabet)!r}: leave them out, or"
            " train on a text that has them"
        )
    numbers = torch.tensor([alphabet.index(one) for one in start])
    drawn = sample(model, numbers, options.length, temperature=options.temperature, seed=options.seed, never=len(alphabet))
    with until_nobody_reads():
        print(start.removeprefix("\n") if options.start is None else start, end="", flush=True)
        for one in drawn:
            print(alphabet[one], end="", flush=True)
        print()


def named(character: str) -> str:
    """As Python writes it, with its number."""
    return f"{character!r} (U+{ord(character):04X})"
