"""The command line of bench.py: read, checked, and turned into what is to be measured."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import torch

from byhand.benchmarks.cases import Case, sampled
from byhand.benchmarks.suites import GRIDS, ON_CPU, SUITES, Suite
from byhand.benchmarks.timing import Rounds
from byhand.engine import dispatch

FEWEST_SAMPLED = 10  # hidden sizes in the grid, each of which must appear
NAMED = 6  # cases that a message lists


class Parser(argparse.ArgumentParser):
    """Whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {' '.join(message.split())}\n")


def parse(arguments: Sequence[str] | None, description: str) -> argparse.Namespace:
    """SystemExit with code 2 and one line if something cannot be done. cases: suite -> those to be measured."""
    parser = Parser("bench", description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"of {', '.join([*SUITES, 'all'])} (layers); all: but cuda")
    parser.add_argument("--suite", action="append", default=[], metavar="SUITE", help="the same, as an option")
    parser.add_argument("--threads", type=int, action="append", help="that torch may use (as many as it wants); more than once")
    parser.add_argument("--engine", metavar="NAME", help="the one that byhand has to use (the first that can)")
    parser.add_argument("--cases", default="", metavar="TEXT", help="only those with this in their name")
    parser.add_argument("--sample", type=int, metavar="N", help="N cases of the grid; every value of every size appears")
    parser.add_argument("--quick", action="store_true", help="a few small cases and rounds, to see whether the program runs")
    parser.add_argument("--rounds", type=int, help="as many (5 to 9, as time allows; --quick: 2)")
    parser.add_argument("--memory", action="store_true", help="the peak memory of training too, which takes longer")
    parser.add_argument("--summary", action="store_true", help="no tables: means, counts and the worst shapes")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write every number there, if all were measured")
    parser.add_argument("--results", type=Path, metavar="FOLDER", help="write SUITE-Nthreads.csv there as each is measured")
    options = parser.parse_args(arguments)
    options.threads = options.threads or [torch.get_num_threads()]
    options.cases = chosen_cases(parser, options)
    check(parser, options)
    fixed, usual = options.rounds, Rounds(2, 2) if options.quick else Rounds(5, 9)
    options.rounds = usual if fixed is None else Rounds(fixed, fixed)
    return options


def chosen_cases(parser: Parser, options: argparse.Namespace) -> dict[str, list[Case]]:
    """Suites without a case of that name are left out."""
    asked = [*options.suites, *options.suite] or ["layers"]
    for name in asked:
        if name not in (*SUITES, "all"):
            parser.error(f"expected a suite out of {', '.join([*SUITES, 'all'])}; got {name!r}")
    names = dict.fromkeys(name for one in asked for name in (ON_CPU if one == "all" else (one,)))
    offered = {name: cases_of(SUITES[name], quick=options.quick) for name in names}
    chosen = {name: [case for case in cases if options.cases in case.name] for name, cases in offered.items()}
    if not any(chosen.values()):
        known = [case.name for cases in offered.values() for case in cases]
        more = f" and {len(known) - NAMED} more" if len(known) > NAMED else ""
        parser.error(f"--cases expected part of one of: {', '.join(known[:NAMED])}{more}; got {options.cases!r}")
    if options.sample is not None:
        if not set(names) & set(GRIDS):
            parser.error(f"--sample is for the suites {' and '.join(GRIDS)}, got {', '.join(names)}")
        if options.sample < FEWEST_SAMPLED:
            parser.error(f"--sample expected at least {FEWEST_SAMPLED}, got {options.sample}")
        chosen |= {name: sampled(cases, options.sample) for name, cases in chosen.items() if name in GRIDS}
    return {name: cases for name, cases in chosen.items() if cases}


def cases_of(suite: Suite, *, quick: bool) -> list[Case]:
    return [case for case in suite.cases if not quick or case.name in suite.quick]


def check(parser: Parser, options: argparse.Namespace) -> None:
    cores, engines = os.cpu_count() or 1, [engine.name for engine in dispatch.ENGINES]
    for threads in options.threads:
        if not 1 <= threads <= cores:
            parser.error(f"--threads expected 1 to {cores}, got {threads}")
    if options.rounds is not None and options.rounds < 1:
        parser.error(f"--rounds expected at least 1, got {options.rounds}")
    if options.engine not in (None, *engines):
        parser.error(f"--engine expected one of: {', '.join(engines)}; got {options.engine!r}")
    if "cuda" in options.cases:
        unused = [name for name in ("engine", "memory") if getattr(options, name)]
        if unused:
            parser.error(f"--{unused[0]} is not for the suite cuda, which times nn.LSTM alone")
        if not torch.cuda.is_available():
            parser.error("the suite cuda expected a GPU that torch can use, found none")
    if options.csv and (options.csv.is_dir() or not os.access(options.csv.parent, os.W_OK)):
        parser.error(f"--csv {options.csv}: expected a file in a folder that can be written to")
    if options.results:
        try:
            options.results.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            parser.error(f"--results {options.results}: expected a folder: {problem.strerror}")
        if not os.access(options.results, os.W_OK):
            parser.error(f"--results {options.results}: expected a folder that can be written to")
