"""skorch: a classifier whose layer is a parameter of the estimator; fitted, cloned, pickled."""

import pickle
from collections.abc import Iterator

import numpy as np
import same
import torch
from skorch import NeuralNetClassifier  # type: ignore[import-not-found]
from torch import Tensor, nn

import byhand


class Net(nn.Module):
    def __init__(self, layer: type[nn.Module] = nn.LSTM, swap: same.Swap | None = None) -> None:
        super().__init__()
        self.rnn, self.head = layer(3, 8, batch_first=True, dtype=torch.float64), nn.Linear(8, 2, dtype=torch.float64)
        if swap is not None:
            swap(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.rnn(x)[0][:, -1])


def fitted(**options: object) -> Iterator[Tensor]:
    draw = np.random.default_rng(0)
    x, y = draw.normal(size=(64, 6, 3)), draw.integers(0, 2, 64)
    torch.manual_seed(0)
    net = NeuralNetClassifier(
        Net,
        criterion=nn.CrossEntropyLoss,
        max_epochs=3,
        lr=0.1,
        train_split=None,
        verbose=0,
        **{f"module__{k}": v for k, v in options.items()},
    )
    net.fit(x, y)
    yield from net.module_.parameters()
    yield torch.from_numpy(net.predict_proba(x))
    if "swap" not in options:
        yield torch.from_numpy(pickle.loads(pickle.dumps(net)).predict_proba(x))


def converted(swap: same.Swap) -> Iterator[Tensor]:
    return fitted(swap=swap)


def by_class(swap: same.Swap) -> Iterator[Tensor]:
    return fitted(layer=swap(nn.Module()) or nn.LSTM)


def cases() -> Iterator[same.Row]:
    yield from same.rows("skorch", "NeuralNetClassifier, 3 epochs, predict_proba", converted)
    ways = {"byhand.LSTM": lambda _: byhand.LSTM, "byhand.TorchLSTM": lambda _: byhand.TorchLSTM}
    yield from same.rows("skorch", "the class as module__layer, 3 epochs, pickled", by_class, ways=ways)


if __name__ == "__main__":
    same.write(cases())
