"""A text model trained here for about ten minutes on two cores, and the three of its units that carry most.

    python -m experiments.text_units.analysis [--quick | --draw] [--steps 12000] [--out runs/text_units] [--keep]

The text is source code: the modules that come with Python, in alphabetical order. Code has what a unit may have to carry: columns,
indentation, quotations, brackets. The model reads the first 90 % of it; units are looked for in the last 5 %, which it has not seen, on
one half of the streams, and scored on the other half (byhand.explain.find_units). --quick: a short training, whose numbers say nothing.
--keep: the numbers go into README.md beside this file, and the picture to docs/pictures, for the gallery.
"""

from __future__ import annotations

import argparse
import csv
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from matplotlib.figure import Figure

import byhand
from byhand import Trace, explain, plots
from byhand.explain import FoundUnits
from byhand.files.atomic import digest
from byhand.tasks import Text
from byhand.train.callbacks.progress import progress
from byhand.train.model.sequence_model import SequenceModel
from byhand.train.run import train
from tools.gallery import png

FOLDER = Path("runs/text_units")
PAGE = Path(__file__).parent / "README.md"
PICTURE = Path(__file__).parents[2] / "docs/pictures/text_units.png"
CHARACTERS = 2_000_000
STEPS, QUICK = 12_000, 40
MODEL = {"hidden_size": 256, "embedding_size": 32, "learning_rate": 0.005, "schedule": "cosine"}
STREAMS = 16  # of the test part, side by side
BEST = 3
HEADING = "## Measured"
SHOWN = 420  # characters of the picture


class Read(NamedTuple):
    """What the model read of the test part: its characters, a text a stream, and its memories."""

    texts: list[str]
    trace: Trace


def modules() -> str:
    """The source of Python's own modules, its first CHARACTERS, in alphabetical order; it differs a little between versions."""
    files = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    return "\n".join(file.read_text(encoding="utf-8", errors="replace") for file in files)[:CHARACTERS]


def trained(task: Text, steps: int) -> tuple[SequenceModel, str]:
    """The model, and what its training came to."""
    options = {"enable_progress_bar": True}
    model, outcome = train(
        task, MODEL, max_steps=steps, max_epochs=-1, validate_every=0, callbacks=[progress()], trainer=options
    )
    guesses = ", ".join(f"{name} {scores['bits']:.2f}" for name, scores in task.baselines.items())
    source = f"{len(task.whole):,} characters, sha256 {digest(task.whole.encode())[:16]}"
    minutes = f"{outcome.steps:,} steps in {outcome.seconds / 60:.1f} minutes"
    return model, f"{source}; {minutes}.\nTest: {outcome.metrics['test_bits']:.2f} bits a character; {guesses}."


def read(model: SequenceModel, task: Text) -> Read:
    """The test part in streams, one character after the other. Names in the trace are lstm.l0.c and lstm.l0.h."""
    text = task.parts["test"]
    steps = len(text) // STREAMS
    texts = [text[k * steps : (k + 1) * steps] for k in range(STREAMS)]
    x = torch.stack([torch.from_numpy(task.encode(one)).long() for one in texts], 1)
    with torch.no_grad(), byhand.record(model, ["*.c", "*.h"]) as trace:
        model(x)
    return Read(texts, trace)


def units(found: FoundUnits) -> list[explain.FoundUnit]:
    """The best units, each of another track: three units of one track would say the same thing three times."""
    rows: dict[str, explain.FoundUnit] = {}
    for row in found.rows():
        if row.track not in rows and row.unit not in {other.unit for other in rows.values()}:
            rows[row.track] = row
    return list(rows.values())[:BEST]


def picture(heard: Read, rows: Sequence[explain.FoundUnit]) -> Figure:
    """A piece of the second half, as each of the units colours it: from the start of a line on where all of their tracks change most."""
    batch = STREAMS - 1
    text = heard.texts[batch]
    lines = [0, *(k + 1 for k, one in enumerate(text[:-SHOWN]) if one == "\n")]
    tracks = explain.tracks.text(text)
    chosen = [torch.as_tensor(tracks[one.track]).double().flatten().nan_to_num() for one in rows]

    def telling(start: int) -> float:
        return min(float(one[start : start + SHOWN].std() / one.std().clamp_min(1e-9)) for one in chosen)

    start = max(lines, key=telling)
    layer = rows[0].site.rpartition(".")[0]
    site = rows[0].site.rpartition(".")[2]
    return plots.text(
        heard.trace,
        [one.unit for one in rows],
        layer,
        site=site,
        characters=text,
        batch=batch,
        steps=(start, start + SHOWN),
    )


def with_numbers(page: str, said: str, rows: Sequence[explain.FoundUnit]) -> str:
    """The page, with what was measured below its last heading."""
    lines = ["| unit | track | chosen | held out | AUC | p |", "|---|---|---|---|---|---|"]
    for one in rows:
        auc = "" if one.auc is None else f"{one.auc:.3f}"
        lines.append(f"| {one.name} | {one.track} | {one.chosen:+.2f} | {one.score:+.2f} | {auc} | {one.p:.3g} |")
    table = "\n".join(lines)
    return f"{page.partition(HEADING)[0]}{HEADING}\n\n{said}\n\n{table}\n"


def write(path: Path, rows: Sequence[explain.FoundUnit]) -> None:
    """A row a unit."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["unit", "track", "chosen", "held out", "AUC", "p"])
        for one in rows:
            auc = "" if one.auc is None else f"{one.auc:.3f}"
            table.writerow([one.name, one.track, f"{one.chosen:+.3f}", f"{one.score:+.3f}", auc, f"{one.p:.3g}"])


def main(words: Sequence[str] | None = None) -> int:
    """Train, look for units, print them and write the picture. Gives the exit code: 130 where it was stopped."""
    parser = argparse.ArgumentParser(prog="python -m experiments.text_units.analysis", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--quick", action="store_true", help="a short training, to see that all works")
    parser.add_argument("--out", type=Path, default=FOLDER, help=f"the folder of what it writes ({FOLDER})")
    parser.add_argument("--steps", type=int, default=STEPS, help=f"of the training ({STEPS})")
    parser.add_argument("--draw", action="store_true", help="no training: the model that is in the folder")
    parser.add_argument("--keep", action="store_true", help="the numbers go into README.md, the picture into docs/pictures")
    options = parser.parse_args(words)
    if options.draw and not (options.out / "model.pt").is_file():
        parser.error(f"--draw: expected a model in {options.out}, got none; leave --draw out to train one")
    options.out.mkdir(parents=True, exist_ok=True)
    source = options.out / "modules.txt"
    source.write_text(modules(), encoding="utf-8")
    try:
        return study(Text(source), options)
    except KeyboardInterrupt:
        print(f"{parser.prog}: stopped", file=sys.stderr)
        return 130


def study(task: Text, options: argparse.Namespace) -> int:
    """All of it, with the options that were typed."""
    kept, record = options.out / "model.pt", options.out / "training.txt"
    model = SequenceModel(task.form._asdict(), **MODEL)
    if options.draw:
        model.load_state_dict(torch.load(kept, weights_only=True))
    else:
        model, said = trained(task, QUICK if options.quick else options.steps)
        torch.save(model.state_dict(), kept)
        record.write_text(said, encoding="utf-8")
    said = record.read_text(encoding="utf-8")
    print(said)
    heard = read(model.eval(), task)
    found = explain.find_units(heard.trace, explain.tracks.text(*heard.texts))
    rows = units(found)
    print(found.table(rows))
    write(options.out / "units.csv", found.rows()[:200])
    figure = picture(heard, rows)
    (options.out / "text.png").write_bytes(png(figure))
    print(f"{options.out / 'text.png'}, {options.out / 'units.csv'}: the best 200 sites of units")
    if options.keep:
        PAGE.write_text(with_numbers(PAGE.read_text(encoding="utf-8"), said, rows), encoding="utf-8")
        PICTURE.write_bytes(png(figure))
        print(f"{PAGE}\n{PICTURE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
