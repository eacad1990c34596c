"""What Lightning costs: time of one optimiser step of the lesson, against a bare loop over the same model and data.

All variants run in turn in one process, round after round; the medians are what counts. Run on an idle machine:

    python -m benchmarks.lightning_step [--epochs 150] [--rounds 9]
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable

import lightning as L

from LSTM import LSTMbyHand, companies, trainer


def bare(epochs: int) -> float:
    """A hand-written training loop: seconds that it takes."""
    model = LSTMbyHand()
    optimiser = model.configure_optimizers()
    data = list(companies())
    start = time.perf_counter()
    for _ in range(epochs):
        for batch in data:
            optimiser.zero_grad()
            loss, _ = model.loss(batch)
            loss.backward()
            optimiser.step()
    return time.perf_counter() - start


def lightning_alone(epochs: int) -> float:
    """Lightning with nothing to log, show or keep."""
    bare_trainer = L.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    return fit(bare_trainer, LSTMbyHand(log_every_n_epochs=epochs + 1))


def lesson(epochs: int, log_every_n_epochs: int = 10) -> float:
    """As `python LSTM.py` trains: log, bar and checkpoint."""
    with tempfile.TemporaryDirectory() as folder:
        return fit(trainer(epochs, folder), LSTMbyHand(log_every_n_epochs=log_every_n_epochs))


def lesson_logging_always(epochs: int) -> float:
    """The same, logging every epoch."""
    return lesson(epochs, log_every_n_epochs=1)


def fit(chosen: L.Trainer, model: LSTMbyHand) -> float:
    data = companies()
    start = time.perf_counter()
    chosen.fit(model, data)
    return time.perf_counter() - start


VARIANTS: dict[str, Callable[[int], float]] = {
    "bare loop": bare,
    "Lightning alone": lightning_alone,
    "the lesson (logs each 10th epoch)": lesson,
    "the lesson, logging every epoch": lesson_logging_always,
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Time of one optimiser step: a bare loop against Lightning.")
    parser.add_argument("--epochs", type=int, default=150, help="epochs of two steps each, per variant and round (150)")
    parser.add_argument("--rounds", type=int, default=9, help="rounds, of which the median counts (9)")
    options = parser.parse_args()
    if options.epochs < 1 or options.rounds < 1:
        parser.error(f"expected --epochs and --rounds of at least 1, got {options.epochs} and {options.rounds}")
    times: dict[str, list[float]] = {name: [] for name in VARIANTS}
    trainer(1)  # quiets Lightning before the first timing
    for name, variant in VARIANTS.items():
        variant(5)  # imports and first allocations
        print(f"warmed up: {name}", file=sys.stderr)
    for done in range(options.rounds):
        for name, variant in VARIANTS.items():
            times[name].append(variant(options.epochs) / (2 * options.epochs) * 1000)
        print(f"round {done + 1} of {options.rounds}", file=sys.stderr)
    print(f"{'ms per optimiser step':36}{'median':>8}{'least':>8}{'most':>8}{'of bare':>9}{'added':>9}")
    for name, taken in times.items():
        ratio = statistics.median(a / b for a, b in zip(taken, times["bare loop"], strict=True))
        print(f"{name:36}{statistics.median(taken):8.2f}{min(taken):8.2f}{max(taken):8.2f}{ratio:8.2f}x{ratio - 1:8.2f}x")


if __name__ == "__main__":
    main()
