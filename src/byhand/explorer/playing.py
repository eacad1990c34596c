"""byhand play: a page in which a network is trained, gates and gradients in sight."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

from byhand.explorer.document.play import LESSON_SEED, lesson_start, play_document
from byhand.explorer.explorer import Explorer, explore
from byhand.explorer.hosts.browser import open_in_browser
from byhand.explorer.hosts.server import check_port
from byhand.explorer.load.checkpoint import COMPANIES
from byhand.nn import LSTM

ABOUT = "One LSTM unit that has learnt nothing yet: train it in the view Play, then look at it here."
EXAMPLES = """examples:
  byhand play --open
  byhand play --save play.html"""


def play() -> Explorer:
    """A page that trains: it opens with the view Play; until something is trained there, the other views show LSTM.py's first numbers."""
    lstm = LSTM(1, 1)
    numbers = {name: torch.tensor(values) for name, values in lesson_start(LESSON_SEED).items()}
    with torch.no_grad():
        for name, value in lstm.named_parameters():
            value.copy_(numbers[name].reshape(value.shape) if name in numbers else torch.zeros_like(value))
    names, x = ["company A", "company B"], COMPANIES.T.unsqueeze(-1)
    made = explore(lstm, x, items=names, features=["price"], targets=COMPANIES[:, 0], title="Train a network", about=ABOUT)
    made.document["play"] = play_document(first=True)
    return made


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="byhand play",
        description="Train a small network in a page: seven tasks, seven cells, every gate and gradient in sight. It needs no network"
        " and sends nothing anywhere; what is trained can be saved as .safetensors.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--save", type=Path, metavar="FILE", help="write the page into this file, and end (default: serve it)")
    made.add_argument("--open", action="store_true", help="open the page in the browser")
    made.add_argument("--port", type=int, default=0, help="to serve it at (default: any that is free)")
    return made


def main(arguments: list[str]) -> int:
    """Gives the exit code: 2 for what cannot be done, with one line that says why."""
    options = parser().parse_args(arguments)
    try:
        check_port(options.port)
        made = play()
        if options.save is None:
            made.serve(options.port, open_browser=options.open)
            return 0
        size = made.save(options.save).stat().st_size
        print(f"{options.save}: {size / 1e6:.1f} MB" + ("" if options.open else "; open it in a browser"))
        if options.open:
            open_in_browser(options.save.resolve().as_uri())
    except (ValueError, OSError) as problem:
        print(f"byhand play: {' '.join(str(problem).split())}", file=sys.stderr)
        return 2
    return 0
