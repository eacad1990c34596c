"""Trains the hand-made unit along its published lineage and compares every number with the published one.

    python -m experiments.statquest.run

Writes results.csv beside this file; ends with status 1 if a number is outside its tolerance. README.md states the claim.
"""

import csv
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import lightning as L
import torch
from torch import Tensor, nn

from LSTM import COMPANIES, LSTMbyHand, companies, trainer

HERE = Path(__file__).parent
STAGES = (2000, 3000, 5000)  # epochs


class TorchLSTM(L.LightningModule):
    """The same training around torch's own unit, nn.LSTM(1, 1)."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(input_size=1, hidden_size=1)

    def forward(self, prices: Tensor) -> Tensor:
        """Runs over prices (time,); gives the last short memory, ()."""
        return self.lstm(prices.view(-1, 1))[0][-1, 0]

    def training_step(self, batch: list[Tensor]) -> Tensor:
        return (self(batch[0][0]) - batch[1][0]) ** 2

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=0.1)


def predictions(name: str, model: nn.Module) -> dict[str, float]:
    with torch.no_grad():
        return {f"{name} {company}": model(torch.tensor(prices)).item() for company, (prices, _) in COMPANIES.items()}


def fit(model: L.LightningModule, epochs: int, folder: str, checkpoint: str | None = None) -> str:
    """Train until that many epochs in all; gives the path of the checkpoint kept at the end."""
    training = trainer(epochs, folder)
    training.fit(model, companies(), ckpt_path=checkpoint)
    if training.should_stop:
        sys.exit("stopped by Ctrl-C; results.csv is as it was")
    return f"{training.log_dir}/last.ckpt"


def slow_lineage(folder: str, stages: Sequence[int] = STAGES) -> dict[str, float]:
    """Learning rate .001, up to each number of epochs in `stages`; a stage resumes from the checkpoint of the one before."""
    L.seed_everything(42, verbose=False)
    model = LSTMbyHand(learning_rate=0.001, log_every_n_epochs=10)
    found = predictions("hand: untrained", model)
    checkpoint = None
    for epochs in stages:
        if checkpoint:
            model = LSTMbyHand.load_from_checkpoint(checkpoint)
        checkpoint = fit(model, epochs, folder, checkpoint)
        found |= predictions(f"hand: lr .001 {epochs} epochs", model)
    return found | {f"hand: {name} after {stages[-1]} epochs": weight.item() for name, weight in model.named_parameters()}


def fast(folder: str) -> dict[str, float]:
    """Learning rate .1 for 300 epochs, by hand and with nn.LSTM."""
    L.seed_everything(42, verbose=False)
    hand = LSTMbyHand(learning_rate=0.1, log_every_n_epochs=10)
    fit(hand, 300, folder)
    L.seed_everything(42, verbose=False)
    torch_lstm = TorchLSTM()
    untrained = predictions("nn.LSTM: untrained", torch_lstm)
    fit(torch_lstm, 300, folder)
    return predictions("hand: lr .1 300 epochs", hand) | untrained | predictions("nn.LSTM: lr .1 300 epochs", torch_lstm)


def compare(found: dict[str, float]) -> list[dict[str, str]]:
    """One row a published number: quantity, published, ours, difference, tolerance, mark, within."""
    with (HERE / "expected.csv").open(newline="", encoding="utf-8") as file:
        expected = list(csv.DictReader(file))
    rows = []
    for row in expected:
        ours, published, tolerance = found[row["quantity"]], float(row["value"]), float(row["tolerance"])
        rows.append(
            {
                "quantity": row["quantity"],
                "published": row["value"],
                "ours": f"{ours:.6f}",
                "difference": f"{ours - published:+.6f}",
                "tolerance": row["tolerance"],
                "mark": row["mark"],
                "within": "yes" if abs(ours - published) <= tolerance else "no",
            }
        )
    return rows


def write(rows: list[dict[str, str]], path: Path) -> None:
    """Whole or not at all."""
    new = path.with_suffix(".new")
    with new.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    new.replace(path)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        rows = compare(slow_lineage(folder) | fast(folder))
    write(rows, HERE / "results.csv")
    print(f"{'quantity':32}{'published':>11}{'ours':>11}{'difference':>12}  mark  within")
    for row in rows:
        print(
            f"{row['quantity']:32}{row['published']:>11}{row['ours']:>11}{row['difference']:>12}"
            f"  {row['mark']:4}  {row['within']}"
        )
    if any(row["within"] == "no" for row in rows):
        sys.exit("some numbers are outside their tolerance")


if __name__ == "__main__":
    main()
