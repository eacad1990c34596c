"""pytorch-forecasting's DeepAR and Temporal Fusion Transformer, whose LSTM and GRU are subclasses of torch's."""

from collections.abc import Callable, Iterator
from typing import Any

import lightning as L
import numpy as np
import pandas as pd
import same
import torch
from pytorch_forecasting import DeepAR, TemporalFusionTransformer, TimeSeriesDataSet  # type: ignore[import-not-found]
from pytorch_forecasting.metrics import QuantileLoss  # type: ignore[import-not-found]
from torch import Tensor

QUIET = {
    "accelerator": "cpu",
    "precision": "64-true",
    "logger": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}


def table() -> pd.DataFrame:
    time, noise = np.arange(40), np.random.default_rng(0)
    series = [np.sin(time / (3 + number)) + noise.normal(0, 0.1, 40) for number in range(4)]
    return pd.DataFrame(
        {"time": np.tile(time, 4), "series": np.repeat(list("abcd"), 40), "value": np.concatenate(series).astype("float64")}
    )


def dataset() -> Any:
    return TimeSeriesDataSet(
        table(),
        time_idx="time",
        target="value",
        group_ids=["series"],
        min_encoder_length=4,  # of several lengths, so that packed sequences are run
        max_encoder_length=12,
        max_prediction_length=4,
        time_varying_unknown_reals=["value"],
        static_categoricals=["series"],
    )


def deepar(data: Any, cell: str) -> Any:
    return DeepAR.from_dataset(data, hidden_size=8, rnn_layers=2, dropout=0.0, cell_type=cell, learning_rate=0.01)


def tft(data: Any) -> Any:
    return TemporalFusionTransformer.from_dataset(
        data,
        hidden_size=8,
        attention_head_size=2,
        hidden_continuous_size=4,
        dropout=0.0,
        loss=QuantileLoss(),
        learning_rate=0.01,
    )


def train(make: Callable[[Any], Any]) -> same.Training:
    def run(swap: same.Swap) -> Iterator[Tensor]:
        data = dataset()
        model = make(data)
        swap(model)
        loader = data.to_dataloader(train=True, batch_size=16, num_workers=0)
        L.Trainer(max_steps=10, **QUIET).fit(model, loader)
        yield from model.parameters()
        torch.manual_seed(1)
        later = data.to_dataloader(train=False, batch_size=16, num_workers=0)
        predicted: Any = model.predict(later, mode="prediction", trainer_kwargs=dict(QUIET))  # which it changes
        yield predicted

    return run


def cases() -> Iterator[same.Row]:
    for cell in ("LSTM", "GRU"):
        yield from same.rows(
            "pytorch-forecasting", f"DeepAR, {cell}, 10 steps", train(lambda data, cell=cell: deepar(data, cell))
        )
    yield from same.rows("pytorch-forecasting", "Temporal Fusion Transformer, 10 steps", train(tft))


if __name__ == "__main__":
    same.write(cases())
