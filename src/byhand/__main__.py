"""The command line: byhand COMMAND, or python -m byhand COMMAND."""

from __future__ import annotations

import argparse
import atexit
import gc
import importlib
import importlib.util
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType

from byhand.files.imports import leave, postponed, uncollected


def main(argv: list[str] | None = None) -> int:
    """Run the command that these words name, sys.argv's if None; gives the exit code: 2 for words that make no sense, 130 after Ctrl-C."""
    words = _parser().parse_args(argv)
    if words.version:
        print("byhand", importlib.import_module("byhand").__version__)
        return 0
    if words.help or words.command is None:
        _parser().print_help()
        return 0
    if words.command not in COMMANDS:
        return _refused(
            f"expected one of the commands {', '.join(COMMANDS)}, got {words.command!r}; all of them: byhand --help"
        )
    try:
        with _log_on_stderr():
            return COMMANDS[words.command][1](words.arguments)
    except KeyboardInterrupt:
        return _refused("interrupted", code=130)


def configs(arguments: list[str]) -> int:
    return _module("byhand.configs.cli").main(arguments)


def doctor(arguments: list[str]) -> int:
    return _module("byhand.doctor").main(arguments)


def bench(arguments: list[str]) -> int:
    return _module("byhand.benchmarks.bench").main(arguments)


def training(command: str) -> Callable[[list[str]], int]:
    """One of Lightning's subcommands, or write, which needs the same packages."""

    def run(arguments: list[str]) -> int:
        missing = [name for name in ("lightning", "jsonargparse", "torchmetrics", "rich") if not importlib.util.find_spec(name)]
        if missing:
            return _refused(f"{command} needs {', '.join(missing)}, not installed here: pip install 'byhand[train]'")
        module = _module(f"byhand.train.cli.{'write' if command == 'write' else 'command'}")
        return module.main(arguments if command == "write" else [command, *arguments])

    return run


def study(arguments: list[str]) -> int:
    missing = [name for name in ("optuna", "scipy", "matplotlib", "lightning", "rich") if not importlib.util.find_spec(name)]
    if missing:
        return _refused(f"study needs {', '.join(missing)}, not installed here: pip install 'byhand[study]'")
    return _module("byhand.study.cli").main(arguments)


def explore(arguments: list[str]) -> int:
    return _module("byhand.explorer.cli").main(arguments)


def story(arguments: list[str]) -> int:
    return _module("byhand.explorer.story.cli").main(arguments)


def play(arguments: list[str]) -> int:
    return importlib.import_module("byhand.explorer.playing").main(arguments)


def zoo(arguments: list[str]) -> int:
    return _module("byhand.zoo.cli").main(arguments)


def convert(arguments: list[str]) -> int:
    return _module("byhand.interop.command.cli").main(arguments)


# A command imports what it needs when it is run, so that all others start without.
COMMANDS: dict[str, tuple[str, Callable[[list[str]], int]]] = {
    "fit": (
        "train a model on a task: byhand fit --config adding --quick; all options: byhand fit --help",
        training("fit"),
    ),
    "configs": ("what trainings come along: byhand configs; one of them, to be changed: byhand configs adding --copy", configs),
    "validate": ("its metrics on the validation part: byhand validate --config FILE --ckpt_path FILE", training("validate")),
    "test": (
        "its metrics on the test part, beside those of guessing: byhand test --config FILE --ckpt_path FILE",
        training("test"),
    ),
    "predict": ("its answers as a file: byhand predict --config FILE --ckpt_path FILE --output FILE", training("predict")),
    "write": ('go on with a text, as a model of texts would: byhand write CHECKPOINT --start "The "', training("write")),
    "explore": ("see a trained model, and change it: byhand explore CHECKPOINT --save page.html", explore),
    "story": ("what a trained model learnt, in one page: byhand story zoo:an_bn --save story.html", story),
    "play": ("train a small network in a page, every gate in sight: byhand play --open", play),
    "convert": (
        "a layer in a file, for another framework: byhand convert model.keras --to onnx --certify",
        convert,
    ),
    "export": ("the same command: byhand export gru.pt --to c --certify, one C file for a small device", convert),
    "study": ("run, watch and report variants x tasks x seeds: byhand study run study.yaml --workers 2", study),
    "zoo": ("small trained models, their cards, and how to make them again: byhand zoo make an_bn", zoo),
    "doctor": ("what is installed, whether the fast engines run here, and if not, what to do", doctor),
    "bench": ("measure byhand against torch; its own options: byhand bench --help", bench),
}


def _module(name: str) -> ModuleType:
    """A command's module. What comes with it, half a million objects, is never looked through for garbage."""
    if name not in sys.modules:
        with uncollected(), postponed("scipy.signal", hamming=None):
            importlib.import_module(name)
        gc.freeze()
        atexit.register(leave)
    return sys.modules[name]


def _parser() -> argparse.ArgumentParser:
    lines = [f"  {name:<10}{text}" for name, (text, _) in COMMANDS.items()]
    parser = argparse.ArgumentParser(
        prog="byhand",
        usage="byhand [-h] [--version] COMMAND ...",
        description="byhand: an LSTM you can see through, and change.",
        epilog="\n".join(["commands:", *lines]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
    )
    parser.add_argument("-h", "--help", action="store_true", help="these lines")
    parser.add_argument("--version", action="store_true", help="which byhand this is")
    parser.add_argument("command", nargs="?", help=argparse.SUPPRESS)
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser


@contextmanager
def _log_on_stderr() -> Iterator[None]:
    """Print the library's log to stderr, so that a user at a terminal sees what is waited for."""
    log, handler = logging.getLogger("byhand"), logging.StreamHandler()
    handler.setFormatter(logging.Formatter("byhand: %(message)s"))
    level = log.level
    log.setLevel(logging.INFO)
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)


def _refused(reason: str, *, code: int = 2) -> int:
    print(f"byhand: {reason}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
