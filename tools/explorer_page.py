"""Writes a page that shows the LSTM that LSTM.py has trained last, and how it learnt.

    python tools/explorer_page.py runs/explorer.html                          the newest under runs/lightning_logs
    python tools/explorer_page.py page.html --checkpoint FILE --seed 7        of a run with another seed

LSTM.py keeps no weights but the last. So it is trained once more, with the options in its checkpoint, which takes a few
seconds; only if that gives the checkpoint's weights again, bit for bit, are the weights on the way those of the run, and shown.
"""

import argparse
import sys
import warnings
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
from byhand.explorer import Snapshots, explore  # noqa: E402
from byhand.explorer.cli import words_of  # noqa: E402
from byhand.explorer.document.play import play_document  # noqa: E402
from byhand.explorer.load.checkpoint import lesson_lstm, open_trained, read  # noqa: E402
from byhand.train.cli.quiet import without_advice  # noqa: E402
from LSTM import LSTMbyHand, companies  # noqa: E402

SNAPSHOTS = 60  # roughly, over the whole training


class Watch(Callback):
    """Snapshots of the twelve numbers."""

    def __init__(self, every: int) -> None:
        self.every, self.snapshots = every, Snapshots(2 * SNAPSHOTS)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.take(trainer.current_epoch, pl_module)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        done = trainer.current_epoch + 1
        if done % self.every == 0 or done == trainer.max_epochs:
            self.take(done, pl_module)

    @torch.no_grad()
    def take(self, epoch: int, model: Any) -> None:
        losses = [model.loss(batch)[0].item() for batch in companies()]
        self.snapshots.take(epoch, lesson_lstm(Path("LSTM.py"), model.state_dict()), sum(losses) / len(losses))


def newest(folder: Path) -> Path | None:
    """The last.ckpt that was written last."""
    return max(folder.glob("version_*/last.ckpt"), key=lambda path: path.stat().st_mtime, default=None)


def trained_again(content: dict[str, Any], seed: int) -> tuple[Snapshots, dict[str, Tensor]]:
    """The snapshots of such a training, and the weights it ends with."""
    epochs = content["epoch"] + 1
    L.seed_everything(seed, verbose=False)
    model = LSTMbyHand(**content["hyper_parameters"])
    watch = Watch(max(1, epochs // SNAPSHOTS))
    silent = dict[str, Any](logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False)
    with without_advice():
        L.Trainer(max_epochs=epochs, accelerator="cpu", callbacks=[watch], **silent).fit(model, companies())
    return watch.snapshots, model.state_dict()


def main() -> int:
    parser = argparse.ArgumentParser(description="Write a page that shows the LSTM that LSTM.py has trained last.")
    parser.add_argument("page", type=Path)
    parser.add_argument("--checkpoint", type=Path, help="a last.ckpt; the newest under runs/lightning_logs if not given")
    parser.add_argument("--seed", type=int, default=42, help="what it was trained with (42, as LSTM.py)")
    options = parser.parse_args()
    path = options.checkpoint or newest(Path("runs/lightning_logs"))
    if path is None:
        parser.error("expected a run of LSTM.py under runs/lightning_logs, found none: python LSTM.py, or give --checkpoint")
    try:
        trained, content = open_trained(path, 2), read(path)
        if trained.example is None or "hyper_parameters" not in content:
            raise ValueError(f"{path}: expected a last.ckpt of LSTM.py, got another program's")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Lightning's, for larger trainings
            snapshots, weights = trained_again(content, options.seed)
        same = all(torch.equal(weights[name], value) for name, value in content["state_dict"].items())
        given = trained.options | trained.example | {"title": trained.title, "training": snapshots if same else None}
        shown = explore(trained.model, given.pop("x"), **given)
        shown.document["play"] = play_document()
        shown.save(options.page)
    except (ValueError, TypeError, OSError) as problem:
        parser.error(words_of(problem))
    lapse = (
        "with its training as a time-lapse" if same else "without a time-lapse: trained again it came out different (resumed?)"
    )
    print(f"{options.page}: the LSTM of {path}, {lapse}; open it in a browser")
    return 0


if __name__ == "__main__":
    sys.exit(main())
