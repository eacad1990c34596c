"""byhand explore: a trained model as a page."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from byhand.explorer.explorer import Explorer, explore
from byhand.explorer.hosts.browser import open_in_browser
from byhand.explorer.hosts.server import check_port
from byhand.explorer.load.checkpoint import of_run, open_trained
from byhand.explorer.load.series import SERIES, read_series
from byhand.explorer.load.text import random_input, read_input
from byhand.files.run_folder import config_of

EXAMPLES = """examples:
  byhand explore zoo:an_bn
  byhand explore runs/companies/version_0 --open
  byhand explore runs/lightning_logs/version_0/last.ckpt --save page.html
  byhand explore my_lstm.pt --input measurements.csv --sequence patient
  byhand explore weights.pth --layer encoder.rnn --save page.html
  byhand explore model.keras --layer lstm_1 --input measurements.npz
  byhand explore silero_vad.onnx --input speech.wav --chunk 512 --context 64"""


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="byhand explore",
        description="See every gate and memory of a trained model, and change them: one page, served to this machine or saved as a file.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument(
        "checkpoint",
        type=Path,
        metavar="CHECKPOINT",
        help="of byhand fit or LSTM.py, or the folder of a run of theirs; a folder of save_pretrained, zoo:NAME (all names: byhand zoo),"
        " weights of an LSTM, GRU or RNN (.pt, .safetensors, .keras, .weights.h5, .npz), or an ONNX model",
    )
    made.add_argument(
        "--input",
        type=Path,
        metavar="FILE",
        help="what to show it on: a CSV file, a step in each row, a text, sound (.wav) or arrays (.npz), each a sequence (default: its"
        " own task; random numbers for bare weights); of an ONNX model, arrays by the names of its inputs",
    )
    made.add_argument(
        "--sequence", metavar="COLUMN", help="of the CSV file: which sequence a row belongs to (default: all to one)"
    )
    made.add_argument(
        "--cell",
        metavar="MODULE:NAME",
        help="the model's cell, where it is your own: its module is imported, which no file can bring about by itself",
    )
    made.add_argument(
        "--layer",
        "--prefix",
        metavar="NAME",
        help="of a file of weights: which of its recurrent layers, as in encoder.rnn, where it has several",
    )
    made.add_argument("--layout", metavar="NAME", help="of arrays in an .npz file: how they are laid out, as in keras.GRU")
    made.add_argument(
        "--items",
        type=int,
        default=4,
        metavar="N",
        help="without --input: how many sequences of its task, or of random numbers (default: 4)",
    )
    made.add_argument(
        "--full",
        action="append",
        default=[],
        metavar="PLACE",
        help="of a large model: a layer (l0) or unit ('l1.unit 3') to show in full; may be given several times",
    )
    made.add_argument("--title", help="of the page")
    add_onnx(made.add_argument_group("of an ONNX model"))
    how = made.add_mutually_exclusive_group()
    how.add_argument("--save", type=Path, metavar="FILE", help="write the page into this file, and end")
    how.add_argument("--serve", action="store_true", help="serve it until Ctrl-C; this is what it does unless it saves")
    made.add_argument("--open", action="store_true", help="open the page in the browser")
    made.add_argument("--port", type=int, default=0, help="to serve it at (default: any that is free)")
    return made


def add_onnx(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--node", metavar="NAME", help="which LSTM, GRU or RNN to show (default: the first that runs)")
    group.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an input's value, as in sr=16000; may be given several times",
    )
    group.add_argument(
        "--zeros",
        action="append",
        default=[],
        metavar="NAME",
        help="an input that is to be zeros; those called as states are (state, h, c, hidden, ...) are so by themselves",
    )
    group.add_argument(
        "--time-axis", type=int, metavar="AXIS", help="which axis of the input is time, from 0, where it is not clear"
    )
    group.add_argument(
        "--chunk",
        type=int,
        metavar="STEPS",
        help="call the model on this many steps at a time, its states handed from call to call",
    )
    group.add_argument(
        "--context",
        type=int,
        default=0,
        metavar="STEPS",
        help="of the input before each chunk, which the model gets again (default: 0)",
    )


def main(arguments: list[str]) -> int:
    """Gives the exit code: 2 for what cannot be done, with one line that says why."""
    options = parser().parse_args(arguments)
    try:
        if options.items < 1:
            raise ValueError(f"--items: expected at least 1, got {options.items}")
        if options.sequence is not None and options.input is None:
            raise ValueError("--sequence: a column of a table: give the table too, with --input FILE")
        check_port(options.port)
        check_target(options)
        made = explorer_of(options)
        if options.save is None:
            made.serve(options.port, open_browser=options.open)
        else:
            size = made.save(options.save).stat().st_size
            print(f"{options.save}: {size / 1e6:.1f} MB" + ("" if options.open else "; open it in a browser"))
            for notice in made.document["notices"]:
                print(notice)
            if options.open:
                open_in_browser(options.save.resolve().as_uri())
    except (ValueError, TypeError, OSError, ModuleNotFoundError) as problem:
        print(f"byhand explore: {words_of(problem)}", file=sys.stderr)
        return 2
    return 0


def check_target(options: argparse.Namespace) -> None:
    """ValueError if the page would be written over what it is made of."""
    for source in (options.checkpoint, options.input):
        if options.save is not None and source is not None and options.save.resolve() == source.resolve():
            raise ValueError(f"--save: expected a file for the page, got {options.save}, which is read: write --save page.html")


def explorer_of(options: argparse.Namespace) -> Explorer:
    here = str(Path.cwd())
    if options.cell is not None and here not in sys.path:
        sys.path.insert(0, here)  # where cells of one's own are
    if options.checkpoint.suffix.lower() == ".onnx" and options.checkpoint.is_file():
        from byhand.explorer.load.onnx_file import explore_onnx  # noqa: PLC0415 (few need it)

        return explore_onnx(options)
    refuse_onnx_options(options)
    inside = of_run(options.checkpoint)
    if inside is not None:
        config = config_of(inside)
        print(f"{options.checkpoint}: taking {inside}" + (f", and {config.name} beside it" if config else ""))
    trained = open_trained(inside or options.checkpoint, options.items, options.layer, options.cell, options.layout)
    shown, notices, title = trained.example, [], trained.title
    if options.input is not None:
        reads = read_series if options.input.suffix.lower() in SERIES else read_input
        shown, notices = reads(options.input, trained, options.sequence)
        if trained.without is not None and trained.alphabet is None:
            notices.append(f"the numbers of {options.input.name} go in as they are, not scaled, for {trained.without}")
    elif shown is None and not trained.sequence_model:
        shown, notices = random_input(trained, options.items)
        title += ", on random numbers"
    if shown is None:
        why = trained.without or "the file does not say what the model was trained on"
        where = "run this where it was trained, or " if trained.without is not None else ""
        raise ValueError(f"{options.checkpoint}: {why}: {where}give --input FILE, with {trained.wanted}")
    given = trained.options | shown | {"title": options.title or title, "full": options.full}
    made = explore(trained.model, given.pop("x"), **given)
    made.document["notices"] += [*notices, *trained.notices]
    return made


def refuse_onnx_options(options: argparse.Namespace) -> None:
    """ValueError for options of an ONNX model beside another file."""
    given = {
        "node": options.node,
        "set": options.set,
        "zeros": options.zeros,
        "chunk": options.chunk,
        "context": options.context,
    }
    for name, value in (given | {"time-axis": options.time_axis}).items():
        if value not in (None, [], 0) or (name == "time-axis" and value == 0):
            raise ValueError(f"--{name}: expected an ONNX model (.onnx), got {options.checkpoint}: leave it out")


def words_of(problem: Exception) -> str:
    """In one line; of an OSError, what was said of the file."""
    if isinstance(problem, ModuleNotFoundError):
        if problem.name in ("onnx", "onnxruntime"):
            return str(problem)
        return f"a checkpoint of byhand fit needs {problem.name}, not installed here: pip install 'byhand[train]'"
    said = problem.strerror if isinstance(problem, OSError) and problem.strerror and problem.filename is None else str(problem)
    return " ".join(said.split())
