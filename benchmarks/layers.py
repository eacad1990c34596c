"""What byhand.LSTM costs, against torch.nn.LSTM and against the best plain Python loop (benchmarks/naive.py).

All contenders have the same weights and run in turn in one process, round after round; each turn repeats its call for at least
20 ms. Medians count, and of the ratios those within a round. Before the clock starts all must agree: outputs, last states,
gradients. Run on an idle machine; it takes two minutes on two cores:

    python -m benchmarks.layers [--cases float64] [--rounds 9] [--threads 2] [--engine reference] [--csv FILE]

forward    inference, under no_grad.
training   forward and backward: the gradients of all parameters and of the input.
memory     what one such step holds at its peak, results included, above what was there before: the sum of all that torch's CPU
           allocator gave and took back, inside operators too, as its profiler reports it; the same in every run. It is what was
           asked for, not what became resident: nn.LSTM never touches a quarter of its large buffers, and the many small pieces
           of a loop take more pages than they sum to, so that resident peaks lie closer together than these. Not in it: Python
           objects, and scratch space that MKL and oneDNN get from the system behind torch's back.
recording  forward inside byhand.record, against forward without.
off        what stands around the engine when nothing is recorded (checks, scopes): forward of the layer, against the engine's own
           run of the same call. One layer in one direction, not packed.

Cases are TIMExBATCHxINPUTxHIDDEN; the further ones are 100x32x64x64 but for what they say.
"""

import argparse
import gc
import os
import sys
import time
import timeit
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor, nn
from torch.autograd.profiler import profile
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

import byhand
from benchmarks.naive import NaiveLSTM
from benchmarks.report import Round, facts, print_table, summary, write
from byhand.engine import dispatch

SMALL = ((1, 1, 64, 64), (4, 1, 1, 1), (4, 32, 64, 64), (20, 8, 16, 16), (784, 16, 1, 32), (100, 1, 64, 64), (100, 32, 64, 64))
LARGE = ((100, 32, 128, 128), (100, 64, 256, 256), (200, 16, 512, 512), (50, 128, 512, 512), (30, 64, 1024, 1024))
FURTHER: dict[str, dict[str, Any]] = {
    "2 layers": {"num_layers": 2},
    "bidirectional": {"bidirectional": True},
    "projection to 32": {"proj_size": 32},
    "packed": {"packed": True},
    "float64": {"dtype": torch.float64},
}
CASES: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {"x".join(map(str, sizes)): (sizes, {}) for sizes in SMALL + LARGE}
CASES |= {name: ((100, 32, 64, 64), options) for name, options in FURTHER.items()}
QUICK = ("4x1x1x1", "20x8x16x16", "packed")
TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-10}
LEAST_SECONDS = 0.02  # of a turn
CASE_SECONDS = 12  # after which no further round begins, unless --rounds asks for it

Input = Tensor | PackedSequence
Calls = dict[tuple[str, str], Callable[[], Any]]  # (quantity, contender) -> what is timed


def contenders(sizes: tuple[int, ...], *, packed: bool = False, **options: Any) -> tuple[dict[str, Any], Input]:
    """The three, with the same weights, and their input."""
    torch.manual_seed(0)
    steps, batch, width, hidden = sizes
    theirs, ours = nn.LSTM(width, hidden, **options), byhand.LSTM(width, hidden, **options)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(steps, batch, width, dtype=options.get("dtype"))
    if packed:  # the shortest sequence is a quarter of the longest
        x = pack_padded_sequence(x, torch.linspace(steps, steps // 4, batch).long())
    data(x).requires_grad_()
    return {"nn.LSTM": theirs, "naive": NaiveLSTM(theirs), "byhand": ours}, x


def calls(modules: dict[str, Any], x: Input, engine: str) -> Calls:
    """All that is timed. The forwards of byhand stand side by side, for their differences are small."""
    ours = modules["byhand"]
    seed = torch.randn_like(data(forward(ours, x)[0]))
    made: Calls = {("forward", name): partial(forward, module, x) for name, module in modules.items()}
    if isinstance(x, Tensor) and len(ours.places) == 1:
        made["off", "engine"] = engine_alone(ours, x, engine)
    made["recording", "recorded"] = partial(recorded, ours, x)
    return made | {("training", name): partial(train, module, x, seed) for name, module in modules.items()}


def data(x: Input) -> Tensor:
    return x.data if isinstance(x, PackedSequence) else x


def forward(module: nn.Module, x: Input) -> Any:
    with torch.no_grad():
        return module(x)


def recorded(lstm: byhand.LSTM, x: Input) -> Any:
    with byhand.record(lstm):
        return forward(lstm, x)


def engine_alone(lstm: byhand.LSTM, x: Tensor, engine: str) -> Callable[[], Any]:
    """The one thing here that reaches into byhand, past its public names."""
    state = tuple(x.new_zeros(x.shape[1], width) for width in (lstm.proj_size or lstm.hidden_size, lstm.hidden_size))
    call = lstm.call(lstm.places[0], x, state, None)
    run = {one.name: one.run for one in dispatch.ENGINES}[engine]

    def alone() -> Any:
        with torch.no_grad():
            return run(call)

    return alone


def train(module: nn.Module, x: Input, seed: Tensor) -> Any:
    output, state = module(x)
    return output, state, torch.autograd.grad(data(output), [data(x), *module.parameters()], seed)


def tensors(result: Any) -> list[Tensor]:
    if isinstance(result, Tensor) or result is None:
        return [] if result is None else [result]
    return [tensor for part in result for tensor in tensors(part)]


def check_agreement(case: str, made: Calls) -> None:
    """SystemExit if any contender gives anything else than nn.LSTM does."""
    results = {key: tensors(call()) for key, call in made.items()}
    for (quantity, contender), found in results.items():
        expected = results["training" if quantity == "training" else "forward", "nn.LSTM"]
        try:
            for one, other in zip(found, expected, strict=True):
                allowed = TOLERANCE.get(other.dtype, 0) * max(1, other.abs().max().item())
                torch.testing.assert_close(one.flatten(), other.flatten(), rtol=0, atol=allowed)
        except (AssertionError, ValueError) as problem:
            reason = " ".join(str(problem).split())
            sys.exit(f"{case}: {contender} and nn.LSTM do not agree in {quantity}, so nothing is timed: {reason}")


def timed(call: Callable[[], Any]) -> Callable[[], float]:
    """Measures the milliseconds of one call, repeated often enough: the lesser of two, lest a stall count as a long call."""
    timer, number = timeit.Timer(call), 1
    while (taken := timer.timeit(number)) < LEAST_SECONDS or (taken := timer.timeit(number)) < LEAST_SECONDS:
        number = max(2 * number, int(1.1 * LEAST_SECONDS / taken * number))
    return lambda: timer.timeit(number) / number * 1000


def peak(call: Callable[[], Any]) -> float:
    """The most kB that the call holds at any time."""
    os.environ.setdefault("KINETO_LOG_LEVEL", "6")  # or it notes its start and stop on stderr
    gc.collect()
    recorder = profile(profile_memory=True)
    with recorder:
        call()
    results: Any = recorder.kineto_results
    return max(accumulate(event.nbytes() for event in results.events() if event.name() == "[memory]")) / 1000


def measure(case: str, made: Calls, limits: tuple[int, int], rounds: list[Round]) -> None:
    """Adds one whole round after another, each beginning with another contender. limits: the least and the most rounds."""
    end, (least, most) = time.perf_counter() + CASE_SECONDS, limits
    memory = {("memory", name): peak(call) for (quantity, name), call in made.items() if quantity == "training"}
    clocks = [(key, timed(call)) for key, call in made.items()]
    while len(rounds) < most and (len(rounds) < least or time.perf_counter() < end):
        taken = {key: clock() for key, clock in clocks} | memory
        clocks.append(clocks.pop(0))
        taken["recording", "byhand"] = taken["off", "byhand"] = taken["forward", "byhand"]
        rounds.append(taken)
        print(f"{case}: round {len(rounds)} of {most}", file=sys.stderr)


class Parser(argparse.ArgumentParser):
    """Whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message}\n")


def parse() -> argparse.Namespace:
    parser = Parser("benchmarks.layers", description="What byhand.LSTM costs, against torch.nn.LSTM and a plain Python loop.")
    parser.add_argument("--rounds", type=int, help="as many (the default: 2 to 9, as time allows; --quick: 2 or 3)")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="that torch may use (as many as it wants)")
    parser.add_argument("--cases", default="", metavar="TEXT", help="only those with this in their name")
    parser.add_argument("--quick", action="store_true", help=f"only {', '.join(QUICK)}, to see whether the program runs")
    parser.add_argument("--engine", metavar="NAME", help="the one that byhand has to use (the first that can)")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write every number there, if all were measured")
    options = parser.parse_args()
    options.rounds = (2, 3 if options.quick else 9) if options.rounds is None else (options.rounds, options.rounds)
    offered = QUICK if options.quick else CASES
    chosen = [name for name in offered if options.cases in name]
    engines = [engine.name for engine in dispatch.ENGINES]
    if options.rounds[0] < 1:
        parser.error(f"--rounds expected at least 1, got {options.rounds[0]}")
    if not 1 <= options.threads <= (os.cpu_count() or 1):
        parser.error(f"--threads expected 1 to {os.cpu_count()}, got {options.threads}")
    if not chosen:
        parser.error(f"--cases expected part of one of: {', '.join(offered)}; got {options.cases!r}")
    if options.engine not in (None, *engines):
        parser.error(f"--engine expected one of: {', '.join(engines)}; got {options.engine!r}")
    if options.csv and (options.csv.is_dir() or not os.access(options.csv.parent, os.W_OK)):
        parser.error(f"--csv {options.csv}: expected a file in a folder that can be written to")
    options.cases = chosen
    return options


def run(options: argparse.Namespace, measured: dict[tuple[str, str], list[Round]]) -> None:
    """Measures every case that the engine can run; measured: (case, engine) -> its rounds."""
    for case in options.cases:
        sizes, further = CASES[case]
        modules, x = contenders(sizes, **further)
        asked = {name: state for name, state in byhand.engines(modules["byhand"], x) if options.engine in (None, name)}
        engine = next((name for name, state in asked.items() if state == "ready"), None)
        if engine is None:
            print(f"{case}: not measured; " + "; ".join(f"engine {name!r}: {state}" for name, state in asked.items()))
            continue
        made = calls(modules, x, engine)
        check_agreement(case, made)
        measure(case, made, options.rounds, measured.setdefault((case, engine), []))


def main() -> None:
    options = parse()
    torch.set_num_threads(options.threads)
    warnings.filterwarnings("ignore", "LSTM with projections is not supported with oneDNN")  # nn.LSTM explains its speed
    measured: dict[tuple[str, str], list[Round]] = {}
    stopped = False
    try:
        with byhand.use_engine(options.engine) if options.engine else nullcontext():
            run(options, measured)
    except KeyboardInterrupt:
        stopped = True
    print(", ".join(f"{name} {value}" for name, value in facts().items()))
    print("medians; a ratio below 1: the first named is faster, or needs less" + "; stopped by Ctrl-C" * stopped)
    rows = [row for (case, engine), rounds in measured.items() if rounds for row in summary(case, engine, rounds)]
    for quantity in dict.fromkeys(row.quantity for row in rows):
        print_table(quantity, [row for row in rows if row.quantity == quantity])
    if stopped:
        sys.exit(130)
    if options.csv:
        try:
            write(options.csv, rows)
        except OSError as problem:
            sys.exit(f"--csv {options.csv}: not written: {problem.strerror}")


if __name__ == "__main__":
    main()
