"""What diagnose is handed: one input or several, arguments as tuples or by name, and layers that are called several times."""

import re
from typing import Any

import pytest
import torch
from test_explain_calls import Loop, Pieces, Translator
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence
from torch.utils.data import DataLoader, TensorDataset

from byhand import LSTM, LSTMCell, explain


class Reader(nn.Module):
    """Two arguments, and notes what it is called with."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.lstm, self.head = nn.Embedding(9, 4), LSTM(4, 5), nn.Linear(5, 2)
        self.calls: list[Any] = []

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        self.calls.append((ids, lengths))
        return self.head(self.lstm(pack_padded_sequence(self.embedding(ids), lengths, enforce_sorted=False))[1][0][-1])


class Single(nn.Module):
    """One argument, or a second that may be left out."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.calls = LSTM(3, 5), []

    def forward(self, x: Tensor, scale: float | Tensor = 1.0) -> Tensor:
        self.calls.append((x, scale))
        return self.lstm(x)[0] * scale


IDS, LENGTHS = torch.randint(9, (12, 3), generator=torch.Generator().manual_seed(0)), torch.tensor([12, 9, 10])
X = torch.randn(12, 3, 3, generator=torch.Generator().manual_seed(0))


def same(given: Any, wanted: Any) -> bool:
    return torch.equal(given, wanted) if isinstance(wanted, Tensor) else given == wanted


@pytest.mark.parametrize(
    ("model", "data", "wanted", "inputs"),
    [
        (Reader, (IDS, LENGTHS), (IDS, LENGTHS), 1),
        (Reader, {"lengths": LENGTHS, "ids": IDS}, (IDS, LENGTHS), 1),
        (Reader, [(IDS, LENGTHS)] * 2, (IDS, LENGTHS), 2),  # it cannot be called with the first part alone
        (Reader, [[IDS, LENGTHS]] * 2, (IDS, LENGTHS), 2),
        (Reader, [((IDS, LENGTHS), torch.ones(3))], (IDS, LENGTHS), 1),  # as loaders give: input, target
        (Reader, [({"ids": IDS, "lengths": LENGTHS}, torch.ones(3))], (IDS, LENGTHS), 1),
        (Reader, [{"ids": IDS, "lengths": LENGTHS}], (IDS, LENGTHS), 1),
        (Single, X, (X, 1.0), 1),
        (Single, (X,), (X, 1.0), 1),
        (Single, (X, 2.0), (X, 2.0), 1),
        (Single, [X, X], (X, 1.0), 2),
        (Single, [(X, torch.ones(3))], (X, 1.0), 1),  # the second part is the loader's target, not the argument
    ],
)
def test_how_the_model_is_called(model: type[Reader | Single], data: Any, wanted: tuple[Any, Any], inputs: int) -> None:
    made = model()
    found = explain.diagnose(made, data)
    assert found.looked.endswith(f" on {inputs} input{'s' * (inputs > 1)}")
    assert made.calls and all(same(given, one) for given, one in zip(made.calls[0], wanted, strict=True))


def test_all_functions_take_the_same_tuple_and_mapping() -> None:
    model = Reader().double()
    for data in ((IDS, LENGTHS), {"ids": IDS, "lengths": LENGTHS}):
        assert explain.connectivity(model, data, at=8).values.shape == (12, 4)
        assert list(explain.gradient_paths(model, data, lambda output: output.sum())) == ["lstm.l0.c"]
        assert len(explain.ablation(model, data, lambda output: output.sum()).rows) == 9
        assert not explain.diagnose(model, data)


def test_a_loader_and_its_loss() -> None:
    lines = DataLoader(TensorDataset(X.transpose(0, 1), torch.ones(3, 12, 5)), batch_size=3)
    model = nn.Sequential(LSTM(3, 5, batch_first=True))
    seen: list[Any] = []

    def loss(output: Any, item: list[Tensor]) -> Tensor:
        seen.append(item)
        return (output[0] - item[1]).square().mean()

    assert not explain.diagnose(model, lines, loss)
    assert all(torch.equal(item[1].float(), torch.ones(3, 12, 5)) for item in seen)


def test_what_cannot_be_called_is_said() -> None:
    for data, said in (
        (
            (X, X, X),
            "to hold the arguments of Single, got 3, with which it cannot be called: several inputs go into a list, [x, y]",
        ),
        (
            [((X, X, X), X, X)],
            "items of which Single takes the first part, or all 3 parts, and it can be called with neither: say call=",
        ),
    ):
        with pytest.raises(TypeError, match=re.escape(said)):
            explain.diagnose(Single(), data)
    found = explain.diagnose(Single(), [(X, X, X)], call=lambda model, item: model(item[1]))
    assert found.looked == "looked at Single on 1 input"
    assert explain.diagnose(Single(), (X, X, X), call=lambda model, item: model(item[2])).looked.endswith("on 1 input")


def forgetful() -> LSTM:
    torch.manual_seed(0)
    return LSTM(3, 5, forget_bias=-4.0)


def last(output: Any, item: Tensor) -> Tensor:
    """A loss that hears the last step only."""
    return (output if isinstance(output, Tensor) else output[0])[-1].square().sum()


def kinds(model: nn.Module, x: Tensor, loss: Any = None) -> list[tuple[str, str]]:
    return [(one.kind, one.where.removeprefix("layer.")) for one in explain.diagnose(model, x, loss)]


@pytest.mark.parametrize("piece", [1, 7])
def test_what_goes_wrong_over_several_calls_is_found(piece: int) -> None:
    x = torch.randn(40, 4, 3)
    layer = forgetful()
    assert kinds(Pieces(layer, piece), x, last) == kinds(layer, x, last) == [("vanishing gradients", "l0.c")]
    steady = LSTM(3, 5)
    with torch.no_grad():
        for gate, bias in (("f", 8.0), ("g", 2.0)):
            steady.gates()[gate].bias.fill_(bias)
    x = torch.randn(60, 4, 3)
    assert kinds(Pieces(steady, piece), x) == kinds(steady, x) == [("drift", "l0.c")]
    cell = LSTMCell(3, 5)
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in steady.state_dict().items()})
    assert kinds(Loop(cell), x) == [("drift", "c")]


class Apart(nn.Module):
    """A layer that reads two sequences, each from the start; or lets go of the state in between."""

    def __init__(self, *, handed: bool) -> None:
        super().__init__()
        self.layer, self.handed = LSTM(3, 5), handed

    def forward(self, x: Tensor) -> Tensor:
        first, second = x.chunk(2)
        y, state = self.layer(first)
        again, _ = self.layer(second, tuple(one.detach() for one in state)) if self.handed else self.layer(second)
        return again + 0 * y


@pytest.mark.parametrize("handed", [False, True])
def test_calls_that_no_gradient_passes_between_are_looked_at_apart(handed: bool) -> None:
    """Joined, the first would seem to have lost its gradient; its own loss is all it has to hear."""
    assert not explain.diagnose(Apart(handed=handed), torch.randn(40, 4, 3), last)


def test_an_encoder_and_a_decoder() -> None:
    model = Translator(LSTM)
    assert not explain.diagnose(model, (torch.randn(20, 2, 3).double(), torch.zeros(20, 1, 2, 2).double()))
    with torch.no_grad():
        model.decoder.gates()["f"].bias.fill_(-4.0)
        model.decoder.weight_hh_l0.mul_(0.1)
    found = explain.diagnose(model, (torch.randn(20, 2, 3).double(), torch.zeros(20, 1, 2, 2).double()), last)
    assert ("vanishing gradients", "decoder.l0.c") in [(one.kind, one.where) for one in found]


def test_a_frozen_model_is_looked_at_too() -> None:
    model = Pieces(forgetful(), 1).requires_grad_(False)
    model.head = nn.Linear(5, 1)
    assert ("vanishing gradients", "layer.l0.c") in [
        (one.kind, one.where) for one in explain.diagnose(model, torch.randn(40, 4, 3), last, call=lambda m, x: m.head(m(x)[0]))
    ]
