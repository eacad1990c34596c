"""explore of models with torch's own layers: shown is a converted copy, and the model stays as it was."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

import byhand
from byhand import LSTM
from byhand.explorer.document.document import document
from byhand.explorer.still.values import first_layer


class Around(nn.Module):
    """A model around a layer, which it hands its input."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.drop, self.rnn, self.head = nn.Dropout(0.5), layer, nn.Linear(4, 2)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: Any) -> Tensor:
        self.calls += 1
        y = self.rnn(x if not isinstance(x, Tensor) else self.drop(x))[0]
        return self.head(y) if isinstance(y, Tensor) else y.data


LAYERS: dict[str, Any] = {
    "lstm": lambda: nn.LSTM(3, 4),
    "gru": lambda: nn.GRU(3, 4, batch_first=True),
    "rnn": lambda: nn.RNN(3, 4),
    "stack": lambda: nn.LSTM(3, 4, 2, dropout=0.5),
    "both ways": lambda: nn.GRU(3, 2, bidirectional=True),
    "projected": lambda: nn.LSTM(3, 5, proj_size=4),
}


def state_of(model: nn.Module) -> tuple[Any, ...]:
    """All that must not change: classes, the very parameters, their values, attributes, hooks, modes."""
    values = {name: value.clone() for name, value in model.state_dict().items()}
    own = [(type(one), sorted(vars(one)), one.training, list(one._forward_hooks)) for one in model.modules()]
    return [id(one) for one in model.parameters()], own, list(values), values


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("around", [False, True], ids=["bare", "inside"])
def test_it_is_shown_live_and_left_alone(name: str, around: bool) -> None:
    torch.manual_seed(0)
    layer = LAYERS[name]().double()
    model = Around(layer).double() if around else layer
    heard: list[int] = []
    layer.register_forward_hook(lambda *_: heard.append(1))
    x = torch.randn(6, 2, 3, dtype=torch.float64)
    ids, own, names, before = state_of(model)
    found = document(model, x)
    ids_after, own_after, names_after, after = state_of(model)
    assert (ids, own, names) == (ids_after, own_after, names_after)
    assert all(torch.equal(before[one], after[one]) for one in before), "buffers, too"
    assert found["computed"] and found["call"]["converted"]
    heard.clear()
    model(x)
    assert heard == [1], "the hook is where it was"
    expected = layer.eval()(x)[0]
    sequence = expected[0] if name == "gru" else expected[:, 0]
    shown = first_layer(found)
    assert (shown[found["cell"]["state"][0]] - sequence[:, : shown["h"].shape[1]]).abs().max() < 1e-12 or name == "stack"


def test_where_the_models_own_head_reads_is_found_on_the_copy() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.head = nn.LSTM(3, 4, bidirectional=True), nn.Linear(8, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            _, (h, _) = self.rnn(x)
            return self.head(torch.cat([h[0], h[1]], -1))

    model = Model()
    made = byhand.explore(model, torch.randn(5, 3, 3), head=model.head, targets=torch.zeros(3, 2)).document
    assert made["answer"]["at"] == "ends"


def test_packed_sequences_lengths_first_states() -> None:
    torch.manual_seed(0)
    layer, x = nn.LSTM(3, 4, batch_first=True), torch.randn(2, 5, 3)
    packed = pack_padded_sequence(x, torch.tensor([5, 3]), batch_first=True)
    hx = (torch.randn(1, 2, 4), torch.randn(1, 2, 4))
    for found in (document(layer, packed, hx=hx), document(layer, x, lengths=[5, 3], hx=hx), document(Around(layer), packed)):
        assert [item["steps"] for item in found["items"]] == [5, 3] and found["computed"]


def test_cells_and_what_stands_beside_them() -> None:
    class Loop(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell, self.relu = nn.LSTMCell(3, 4), nn.RNN(4, 2, nonlinearity="relu")

        def forward(self, x: Tensor) -> Tensor:
            states = []
            hx = None
            for one in x:
                hx = self.cell(one, hx)
                states.append(hx[0])
            return self.relu(torch.stack(states))[0]

    found = document(Loop(), torch.randn(5, 2, 3))
    assert [layer["place"] for layer in found["layers"]] == ["cell"] and found["items"][0]["steps"] == 5
    assert any(
        one.startswith("not shown, for it cannot be converted: relu: it is an nn.RNN with nonl") for one in found["notices"]
    )


def test_what_cannot_be_converted_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"got the layer itself: it is an nn\.RNN with nonlinearity='relu'.*docs/your-own-cell"
    ):
        document(nn.RNN(3, 4, nonlinearity="relu"), torch.randn(5, 3))

    class Locked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.stream = nn.LSTM(3, 4), (one for one in ())

        def forward(self, x: Tensor) -> Tensor:
            return self.rnn(x)[0]

    model = Locked()
    with pytest.raises(TypeError, match=r"Locked on a copy, which cannot be made \(.*\): byhand\.convert\(model\) first"):
        document(model, torch.randn(5, 3))
    assert type(model.rnn) is nn.LSTM
    byhand.convert(model)
    assert document(model, torch.randn(5, 3))["computed"]


def test_byhands_own_layers_are_shown_as_they_are() -> None:
    assert "converted" not in document(LSTM(3, 4), torch.randn(5, 1, 3))["call"]
    with pytest.raises(ValueError, match=r"found no byhand\.LSTM inside Linear"):
        document(nn.Linear(3, 4), torch.randn(5, 1, 3))
