"""What an installation without extras has to do: every cell and every engine held against the reference, a layer saved and loaded.

python tools/minimal.py
"""

import importlib.util
import tempfile

import torch

import byhand
from byhand import testing
from byhand.engine.dispatch import ENGINES


def main() -> None:
    """Print what was checked; an error where something is wrong."""
    extras = ("lightning", "matplotlib", "anywidget", "jsonargparse", "optuna")
    print("installed besides:", ", ".join(name for name in extras if importlib.util.find_spec(name)) or "nothing")
    print(testing.check_cell(byhand.cells.peephole))
    for engine in ENGINES:
        print(testing.check_engine(engine))
    layer, x = byhand.LSTM(3, 4), torch.randn(5, 2, 3)
    with tempfile.TemporaryDirectory() as folder:
        layer.save_pretrained(folder)
        again = byhand.LSTM.from_pretrained(folder)
    assert torch.equal(layer(x)[0], again(x)[0])
    for name in byhand.zoo.names():
        model = byhand.zoo.load(name)
        model(model.example.input, model.example.lengths)
    print(repr(byhand.zoo.cards()))
    with byhand.record(layer) as trace:
        layer(x)
    print(
        byhand.explain.ledger(trace, layer=0, unit=0).values.shape,
        byhand.explain.diagnose(layer, [x], lambda out, _: out[0].sum()),
    )


if __name__ == "__main__":
    main()
