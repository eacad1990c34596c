"""byhand convert: what is typed, what is printed, and the exit code."""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import warnings
from pathlib import Path

from byhand.files.atomic import write_whole
from byhand.interop.command.forms import FORMS
from byhand.interop.command.reading import read
from byhand.nn import LSTM

EXAMPLES = """examples:
  byhand convert model.keras --to onnx --certify
  byhand convert weights.pth --prefix encoder.rnn --to keras --output encoder.keras
  byhand convert tagger.onnx --node lstm --to safetensors
  byhand convert gru.pt --to c --certify
  byhand convert weights.npz --layout keras.GRU --prefix rnn --to folder --output gru
  byhand convert haiku.npz --layout haiku.LSTM --prefix lstm --prefix lstm_1 --to flax"""
DIFFERENT = 1  # the exit code where the certificate shows a difference; 2: for what cannot be done


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="byhand convert",
        description="Write a recurrent layer, out of any file that byhand.load_weights reads or an ONNX model, for another framework.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument(
        "file",
        type=Path,
        metavar="FILE",
        help="of Keras (.keras, .weights.h5, .h5), torch (.pt, .pth, .ckpt, .safetensors), numpy (.npz) or ONNX (.onnx), or a folder of"
        " save_pretrained",
    )
    made.add_argument("--to", required=True, choices=list(FORMS), help="what to write")
    made.add_argument(
        "--prefix",
        action="append",
        default=[],
        metavar="NAME",
        help="the layer, where there are several; given several times: layers that follow each other, lowest first",
    )
    made.add_argument("--bidirectional", action="store_true", help="those are a forward and a reverse direction in turn")
    made.add_argument("--layout", metavar="NAME", help="how arrays by name are laid out, as in keras.GRU or haiku.LSTM")
    made.add_argument("--cell", metavar="NAME", help="the cell of a state_dict that is none of torch's, as in peephole")
    made.add_argument("--node", metavar="NAME", help="of an ONNX model: which LSTM, GRU or RNN, where there are several")
    made.add_argument(
        "--output", type=Path, metavar="FILE", help="what to write to (default: here, the name of FILE with another ending)"
    )
    made.add_argument("--force", action="store_true", help="replace what is there")
    made.add_argument(
        "--certify",
        action="store_true",
        help="run what is written, by the library it is for, beside byhand, or read it back; where it differs nothing is written",
    )
    return made


def main(arguments: list[str]) -> int:
    """Gives the exit code: 2 for what cannot be done, with one line that says why, 1 for what was written and differs."""
    options = parser().parse_args(arguments)
    try:
        target = target_of(options)
        taken = read(options)
        print(f"read {options.file}: {described(taken.layer)}", flush=True)
        for note in taken.notes:
            print(f"  {' '.join(note.split())}")
        return convert(taken.layer.eval(), target, options)
    except (ValueError, TypeError, OSError, ImportError, RuntimeError, MemoryError) as problem:
        print(f"byhand convert: {words_of(problem)}", file=sys.stderr)
        return 2


def convert(layer: LSTM, target: Path, options: argparse.Namespace) -> int:
    """Write, certify, and only then put it where it is wanted. Gives the exit code."""
    form = FORMS[options.to]
    logging.getLogger("absl").setLevel(logging.ERROR)  # Keras and JAX log through it
    with tempfile.TemporaryDirectory(prefix="byhand-") as folder, warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # of the other library, which are its own; what byhand has to say was said when it was read
        made = Path(folder) / f"{target.stem}{form.ending}"
        report = form.write(layer, made)
        if options.certify and form.certify is not None:
            print(f"certifying {options.to}", flush=True)
            report = form.certify(layer, made)
        if report is not None and options.certify and not report.ok:
            print(report)
            print(f"byhand convert: {target}: not written, for it differs from {options.file}", file=sys.stderr)
            return DIFFERENT
        if form.ending:
            write_whole(target, made.read_bytes())
        else:
            layer.save_pretrained(target)
    print(f"wrote {target}: {size_of(target)}{lost(layer, options.to)}")
    if options.certify:
        print(report)
    return 0


def target_of(options: argparse.Namespace) -> Path:
    """Where to write. ValueError for what is there, for another ending, and for what is read."""
    form, path = FORMS[options.to], options.file
    name = path.name.removesuffix(path.suffix).removesuffix(".weights") or "layer"
    target = options.output or Path(f"{name}{form.ending}")
    if form.ending and target.suffix.lower() != form.ending:
        raise ValueError(
            f"--output: expected a name that ends in {form.ending}, got {target}: write {target.with_suffix(form.ending)}"
        )
    if target.resolve() == path.resolve():
        raise ValueError(
            f"--output: expected another file than the one that is read, got {target}: write --output NAME{form.ending}"
        )
    if target.exists() and not options.force:
        raise ValueError(f"{target}: is there already: write --force to replace it, or --output for another name")
    return target


def described(layer: LSTM) -> str:
    """Cell, sizes and number type, in words."""
    found = [layer.cell.name, counted(layer.input_size, "input"), counted(layer.hidden_size, "unit")]
    found += [f"projected to {layer.proj_size}"] if layer.proj_size else []
    found += [counted(layer.num_layers, "layer"), "both directions" if layer.bidirectional else "one direction"]
    found += [] if layer.bias else ["no biases"]
    return ", ".join([*found, str(next(layer.parameters()).dtype).removeprefix("torch.")])


def counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def size_of(path: Path) -> str:
    files = [one for one in path.iterdir() if one.is_file()] if path.is_dir() else [path]
    return f"{sum(one.stat().st_size for one in files):,} bytes"


def lost(layer: LSTM, form: str) -> str:
    """What the file does not say of the layer."""
    if form not in ("safetensors", "npz"):
        return ""
    return f"; weights alone: load them with batch_first={layer.batch_first}"


def words_of(problem: Exception) -> str:
    """In one line."""
    said = problem.strerror if isinstance(problem, OSError) and problem.strerror and problem.filename is None else str(problem)
    return " ".join(said.split()) or type(problem).__name__
