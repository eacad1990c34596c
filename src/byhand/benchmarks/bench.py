"""What byhand costs, against torch's layers, a plain Python loop (naive.py), other compilers, and itself.

    byhand bench [SUITE ...] [--threads 2 --threads 1] [--cases TEXT] [--results FOLDER] ...

Suites: layers (the default), grid, kinds, step, cells, engines, compilers, frozen; all, which is all of these; and cuda.

All contenders of a case have the same weights and run in turn in one process, round after round, each round beginning with another
one; a turn repeats its call for at least 5 ms. Medians count, and of the ratios those within a round. Before the clock starts all
must agree: outputs, last states, gradients. A case where they disagree is reported, and the exit code is 1. Run it on an idle machine.

forward    inference: under no_grad, in eval mode.
training   forward and backward: the gradients of all parameters and of the input.
memory     (--memory) what one such step holds at its peak, results included, above what was there before: the sum of all that
           torch's CPU allocator gave and took back, inside operators too, as its profiler reports it; the same in every run. It
           is what was asked for, not what became resident: nn.LSTM never touches a quarter of its large buffers, and the many
           small pieces of a loop take more pages than they sum to, so that resident peaks lie closer together than these. Not in
           it: Python objects, and scratch space that MKL and oneDNN get from the system behind torch's back.
recording  forward inside byhand.record, against forward without (layers).
off        what stands around the engine when nothing is recorded (checks, scopes): forward of the layer, against the engine's own
           run of the same call. One layer in one direction, not packed (layers).
step, cell one step of a layer, of its stepper, of a cell (step).

GFLOP/s count the matrix products: 2 * time * batch * every element of the weight matrices, three times that in training. The peak is
the fastest large torch.mm in the same precision with the same threads, measured before and after. Cases are named
TIMExBATCHxINPUTxHIDDEN and what else they are.
"""

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product

import torch

from byhand.benchmarks.agreement import check_agreement
from byhand.benchmarks.cases import Case
from byhand.benchmarks.contenders import Contender, NotMeasuredError
from byhand.benchmarks.options import parse
from byhand.benchmarks.report import summaries, tables
from byhand.benchmarks.results import QUANTITIES, Row, facts, rows, with_shares, write
from byhand.benchmarks.suites import SUITES
from byhand.benchmarks.timing import Peaks, Round, measure, peak_memory

PEAK_SECONDS, QUICK_PEAK_SECONDS = 0.3, 0.02  # for each size of product
IDLE = 0.3  # load of a machine that may be called so


@dataclass
class Run:
    """One suite with one number of threads. notes: what could not be measured -> in which cases; failures: what went wrong."""

    suite: str
    known: dict[str, str]
    peaks: Peaks
    rows: list[Row] = field(default_factory=list)
    notes: dict[str, list[str]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def note(self, text: str, case: Case) -> None:
        self.notes.setdefault(text, []).append(case.name)

    def finished_rows(self) -> list[Row]:
        return with_shares(self.rows, self.peaks.fastest)


def main(argv: list[str] | None = None) -> int:
    """0; 1 if contenders disagree, a case fails or a file cannot be written; 2 for wrong options; 130 after Ctrl-C."""
    options = parse(argv, (__doc__ or "").partition("\n\n")[0])
    before = torch.get_num_threads()
    try:
        with warnings.catch_warnings():  # nn.LSTM explains its speed
            warnings.filterwarnings("ignore", "LSTM with projections is not supported with oneDNN")
            return measure_all(options)
    except OSError as problem:
        print(f"bench: not written: {problem}", file=sys.stderr)
        return 1
    finally:
        torch.set_num_threads(before)


def measure_all(options: argparse.Namespace) -> int:
    """Measure suite after suite; the numbers of each are printed and written as soon as it is done."""
    runs: list[Run] = []
    load = os.getloadavg()[0]  # of the last minute, before our own begins
    if load > IDLE:
        print(f"bench: others are at work here (load {load:.2f}), so times are not to be relied on", file=sys.stderr)
    for threads, name in product(options.threads, options.cases):
        torch.set_num_threads(threads)
        device = SUITES[name].device
        run = Run(name, facts(device) | {"load": f"{load:.2f}"}, Peaks(device, peak_seconds(options)))
        runs.append(run)
        stopped = interrupted(run, options)
        show(run, options, first=len(runs) == 1)
        if stopped:
            print("\nstopped by Ctrl-C: what was measured until then is above, and not written to any file")
            return 130
        if options.results:
            write(options.results / f"{name}-{threads}threads.csv", [(run.known, run.finished_rows())])
    if options.csv:
        write(options.csv, [(run.known, run.finished_rows()) for run in runs])
    return 1 if any(run.failures for run in runs) else 0


def peak_seconds(options: argparse.Namespace) -> float:
    return QUICK_PEAK_SECONDS if options.quick else PEAK_SECONDS


def interrupted(run: Run, options: argparse.Namespace) -> bool:
    """Measures a suite; whether Ctrl-C ended it. What was measured until then stays."""
    cases = options.cases[run.suite]
    try:
        for number, case in enumerate(cases, 1):
            print(f"{run.suite}, threads {run.known['threads']}: {number} of {len(cases)}: {case.name}", file=sys.stderr)
            try:
                measure_case(run, case, options)
            except NotMeasuredError as reason:
                run.note(f"not measured; {reason}", case)
            except Exception as problem:  # noqa: BLE001 (one case must not end what may take an hour)
                run.failures.append(f"{case.name}: {type(problem).__name__}: {' '.join(str(problem).split())}")
                print(f"  FAILED {run.failures[-1]}", file=sys.stderr)
        run.peaks.measure_again()
    except KeyboardInterrupt:
        return True
    return False


def measure_case(run: Run, case: Case, options: argparse.Namespace) -> None:
    """Adds its rows to the run; those of a whole round, at least, if it is cut off."""
    suite = SUITES[run.suite]
    work = suite.build(case, options.engine)
    for note in work.notes:
        run.note(note, case)
    check_agreement(work.contenders)
    for quantity in QUANTITIES:
        if quantity == "memory" and not options.memory:
            continue
        contenders = [one for one in work.contenders if ("training" if quantity == "memory" else quantity) in one.calls]
        rounds: list[Round] = []
        try:
            if quantity == "memory" and contenders:
                rounds.append({one.name: peak_memory(one) for one in contenders})
            elif contenders:
                for one in contenders:
                    run.peaks.meet(one)
                measure(contenders, quantity, suite.device, options.rounds, rounds)
        finally:
            add_rows(run, case, quantity, contenders, rounds)


def add_rows(run: Run, case: Case, quantity: str, contenders: Sequence[Contender], rounds: list[Round]) -> None:
    added = list(rows(run.suite, case.name, quantity, contenders, rounds)) if rounds else []
    run.rows += added
    ratios = [f"{row.contender} {row.faster:.3f}x" for row in added if row.contender != row.baseline]
    if ratios:
        print(f"  {quantity}: {', '.join(ratios)}", file=sys.stderr)


def show(run: Run, options: argparse.Namespace, *, first: bool) -> None:
    """Its tables, below what the numbers depend on."""
    suite, known = SUITES[run.suite], run.known
    if first:
        print(", ".join(f"{name} {value}" for name, value in known.items() if name != "threads"))
    peaks = ", ".join(f"{name} {fastest / 1e9:.0f}" for name, fastest in run.peaks.fastest.items())
    print(f"\n{run.suite}: {suite.title}; threads {known['threads']}; peak of torch.mm in GFLOP/s: {peaks or 'not measured'}")
    notes = (
        f"{cases[0]}{f' and {len(cases) - 1} more' if len(cases) > 1 else ''}: {note}" for note, cases in run.notes.items()
    )
    for note in filter(None, [suite.note, *notes, *(f"FAILED {failure}" for failure in run.failures)]):
        print(note)
    finished = run.finished_rows()
    for text in summaries(finished) if options.summary else tables(finished):
        print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
