"""diagnose: planted faults are found and named, healthy models are left in peace."""

from collections.abc import Callable

import lightning as L
import pytest
import torch
from conftest import PUBLISHED, with_numbers
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_sequence

import byhand
from byhand import LSTM, Cell, cells, explain
from LSTM import COMPANIES, LSTMbyHand, companies

DAYS = [torch.tensor(prices) for prices, _ in COMPANIES.values()]


class Purple(LSTMbyHand):
    """The lesson's unit with the bug that circulates: its output gate reads the short memory twice, the input never."""

    def lstm_unit(self, input_value, long_memory, short_memory, record=None):
        forget = torch.sigmoid(short_memory * self.w_blue1 + input_value * self.w_blue2 + self.b_blue1)
        write = torch.sigmoid(short_memory * self.w_green1 + input_value * self.w_green2 + self.b_green1)
        candidate = torch.tanh(short_memory * self.w_orange1 + input_value * self.w_orange2 + self.b_orange1)
        long_memory = long_memory * forget + write * candidate
        output = torch.sigmoid(short_memory * self.w_purple1 + short_memory * self.w_purple2 + self.b_purple1)
        return [long_memory, torch.tanh(long_memory) * output]


def trained(kind: type[LSTMbyHand], epochs: int, seed: int = 42) -> LSTMbyHand:
    """As the lesson trains it: Adam at 0.1, A then B."""
    L.seed_everything(seed, verbose=False)
    model = kind()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    for _ in range(epochs):
        for prices, label in COMPANIES.values():
            optimizer.zero_grad()
            (model(torch.tensor(prices)) - label).square().backward()
            optimizer.step()
    optimizer.zero_grad()
    return model


@pytest.mark.parametrize(("epochs", "seed"), [(0, 42), (0, 1), (10, 1), (50, 42), (300, 42)])
def test_the_purple_bug_is_named_and_the_right_model_left_in_peace(epochs: int, seed: int) -> None:
    (finding,) = explain.diagnose(trained(Purple, epochs, seed), DAYS)
    assert (finding.kind, finding.where) == ("duplicated parameters", "w_purple1 and w_purple2")
    assert "that of w_purple2 is 1 times the gradient of w_purple1, in all 12 of 12 gradients" in finding.evidence
    assert "reads the short memory twice, and never the input" in finding.advice
    assert not explain.diagnose(trained(LSTMbyHand, epochs, seed), DAYS)


def test_the_published_unit_and_a_loader_with_a_loss() -> None:
    assert not explain.diagnose(with_numbers(PUBLISHED), [day.double() for day in DAYS])

    def call(model: nn.Module, batch: list[Tensor]) -> Tensor:
        return model(batch[0].T)

    def loss(output: Tensor, batch: list[Tensor]) -> Tensor:
        return (output - batch[1]).square().mean()

    assert not explain.diagnose(LSTMbyHand(), companies(), loss, call=call)
    assert explain.diagnose(Purple(), companies(2), loss, call=call).kinds == ("duplicated parameters",)


@pytest.mark.parametrize("seed", range(4))
def test_healthy_layers_are_left_in_peace(seed: int) -> None:
    torch.manual_seed(seed)
    x = torch.randn(20, 4, 3)
    cells_to_try = [cells.lstm, cells.peephole, cells.cifg, cells.gru, cells.rnn, cells.slstm, cells.min_lstm]
    for cell in cells_to_try:
        layer = LSTM(3, 6, 2, cell=cell, bidirectional=True)
        assert not explain.diagnose(layer, x), cell.name
    assert not explain.diagnose(LSTM(3, 6, proj_size=2, forget_bias=1.0), [x, pack_sequence([x[:, 0], x[:7, 1]])])
    for layer in (
        nn.LSTM(3, 6, 2, bidirectional=True),
        nn.GRU(3, 6),
        nn.RNN(3, 6),
        nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 3)),
    ):
        assert not explain.diagnose(layer, x), layer


def test_a_large_layer_and_one_in_a_model_in_training() -> None:
    assert not explain.diagnose(LSTM(40, 160), torch.randn(12, 2, 40))

    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(9, 4)
            self.encoder = LSTM(4, 5, batch_first=True, cell=cells.zoneout(cells.lstm))
            self.readout = nn.Linear(5, 2)

        def forward(self, tokens: Tensor) -> Tensor:
            return self.readout(nn.functional.dropout(self.encoder(self.embedding(tokens))[0], 0.5, self.training))

    model = Reader()
    model.embedding.eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert not explain.diagnose(model, [torch.randint(9, (3, 11)) for _ in range(3)])
    assert model.training
    assert not model.embedding.training
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


class Two(nn.Module):
    def __init__(self, formula: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.a, self.b, self.unread = (nn.Parameter(torch.randn(4)) for _ in range(3))
        self.formula = formula

    def forward(self, x: Tensor) -> Tensor:
        return self.formula(x, self.a, self.b, self.unread)


@pytest.mark.parametrize(
    ("formula", "kinds", "where"),
    [
        (lambda x, a, b, _: torch.tanh(x * (a - 2 * b)), ["unused parameter", "duplicated parameters"], ["unread", "a and b"]),
        (lambda x, a, b, c: torch.tanh(x * a + b) * (1 + c), [], []),
        (lambda x, a, b, c: torch.tanh(x * a + b) + 0 * c, ["unused parameter"], ["unread"]),
        (lambda x, a, b, c: torch.tanh(x + a + b + c), ["duplicated parameters"], ["a and b and unread"]),
        (lambda x, a, b, c: torch.tanh(x * a) * b * c, [], []),  # only a·c can be learnt, but that is no straight line
    ],
)
def test_parameters_of_any_module(formula: Callable, kinds: list[str], where: list[str]) -> None:
    found = explain.diagnose(Two(formula), [torch.randn(5, 4) for _ in range(3)])
    assert [finding.kind for finding in found] == kinds
    assert [finding.where for finding in found] == where


def test_the_factor_between_two_parameters() -> None:
    (_, finding) = explain.diagnose(Two(lambda x, a, b, _: torch.tanh(x * (a - 2 * b))), torch.randn(5, 4))
    assert finding.evidence.startswith("that of b is -2 times the gradient of a, in all 6 of 6")


def rows(layer: LSTM, gate: str, unit: int | slice, *, weight: float | None = None, bias: float | None = None) -> None:
    """Set a gate's weights or bias."""
    view = layer.gates()[gate]
    with torch.no_grad():
        for value in () if weight is None else (view.weight_x, view.weight_h):
            value[unit] = weight
        if bias is not None:
            view.bias[unit] = bias


def planted(fault: str) -> tuple[LSTM, Tensor]:
    torch.manual_seed(3)
    layer, x = LSTM(3, 5), torch.randn(40, 4, 3)
    if fault == "dead units":
        rows(layer, "g", 3, weight=0.0, bias=0.0)
        layer.bias_hh_l0.data.zero_()
    elif fault == "always shut":
        rows(layer, "o", 2, bias=-12.0)
    elif fault == "always open":
        rows(layer, "o", slice(None), bias=12.0)
    elif fault == "saturated":
        layer.weight_ih_l0.data.mul_(200)
    elif fault == "duplicated units":
        for value in layer.parameters():
            value.data[4::5] = value.data[1::5]
    elif fault == "drift":
        x = torch.randn(100, 4, 3)
        rows(layer, "f", slice(None), bias=12.0)
        rows(layer, "g", slice(None), bias=2.0)
    elif fault == "not finite":
        x[7, 2, 1] = torch.nan
    return layer, x


@pytest.mark.parametrize(
    ("fault", "where", "evidence"),
    [
        ("dead units", "l0.h", "unit 3: over 160 steps"),
        ("always shut", "l0.o", "output gate of unit 2: at most"),
        ("always open", "l0.o", "output gate of all 5 units: never more than "),
        ("saturated", "l0.i", "% of the values of the input gate are below 0.01 or above 0.99"),
        ("duplicated units", "l0.h", "units 1 and 4: correlation 1.000000000"),
        ("drift", "l0.c", "over 4 sequences; of 5 units, 0 are still heard then"),
        ("not finite", "l0.i", "nan first at step 7 of sequence 2 of input 0, unit 0"),
    ],
)
def test_planted_faults_of_a_layer(fault: str, where: str, evidence: str) -> None:
    layer, x = planted(fault)
    found = explain.diagnose(layer, x)
    finding = next(one for one in found if one.kind == fault)
    assert finding.where == where
    assert evidence in finding.evidence
    assert len(finding.advice) > 40
    allowed = {fault, *{"always shut": ("dead units",)}.get(fault, ())}
    assert set(found.kinds) <= allowed


def last(output: tuple[Tensor, object], item: object) -> Tensor:
    """A loss that hears the last step only."""
    return output[0][-1].square().sum()


def test_vanishing_and_exploding_gradients() -> None:
    x = torch.randn(40, 4, 3)
    forgetful = LSTM(3, 5, forget_bias=-4.0)
    (finding,) = explain.diagnose(forgetful, x, last)
    assert (finding.kind, finding.where) == ("vanishing gradients", "l0.c")
    assert "at the first of 40 steps" in finding.evidence
    assert not explain.diagnose(forgetful, x)  # every step is heard at once
    assert not explain.diagnose(LSTM(3, 5, forget_bias=2.0), x, last)
    steep = LSTM(3, 5, cell=cells.rnn)
    nn.init.orthogonal_(steep.weight_hh_l0).data.mul_(1.5)
    steep.bias_ih_l0.data.zero_()
    steep.bias_hh_l0.data.zero_()
    (finding,) = explain.diagnose(steep, x * 1e-8, last)
    assert (finding.kind, finding.where) == ("exploding gradients", "l0.h")


def test_a_reverse_direction_is_read_from_its_own_start() -> None:
    layer = LSTM(3, 5, bidirectional=True, forget_bias=-4.0)

    def first(output: tuple[Tensor, object], item: object) -> Tensor:
        return output[0][0].square().sum()

    found = [(finding.kind, finding.where) for finding in explain.diagnose(layer, torch.randn(40, 4, 3), first)]
    assert found == [
        ("vanishing gradients", "l0.reverse.c"),
        ("unused parameter", "weight_hh_l0"),
    ]  # forwards, one step is heard


def test_gradients_that_are_not_finite() -> None:
    (finding,) = explain.diagnose(LSTM(3, 5), torch.randn(10, 2, 3), lambda output, _: (output[0] * 0).sqrt().sum())[:1]
    assert (finding.kind, finding.where) == ("not finite", "gradient of l0.c")


def test_a_memory_that_is_only_added_to_drifts() -> None:
    torch.manual_seed(0)
    found = explain.diagnose(LSTM(3, 6, cell=cells.no_forget_gate(cells.lstm)), torch.randn(200, 4, 3))
    assert found.kinds == ("drift",)


def test_what_it_prints() -> None:
    found = explain.diagnose(Purple(), DAYS)
    lines = str(found).splitlines()
    assert lines[0] == "1 finding; looked at Purple on 2 inputs"
    assert lines[1] == "duplicated parameters: w_purple1 and w_purple2"
    assert all(len(line) <= 115 for line in lines)
    assert repr(found) == str(found)
    assert str(explain.diagnose(LSTMbyHand(), DAYS[0])) == "nothing found; looked at LSTMbyHand on 1 input"
    assert found[:1] == (found[0],)


def test_float_models_that_make_tensors_of_their_own() -> None:
    class Stubborn(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm, self.twice, self.again = LSTM(2, 3), nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(3))

        def forward(self, x: Tensor) -> Tensor:
            return self.lstm(x, (torch.zeros(1, 2, 3), torch.zeros(1, 2, 3)))[0] * (self.twice + self.again)

    found = explain.diagnose(Stubborn(), torch.randn(5, 2, 2))
    assert [(one.kind, one.where) for one in found] == [("duplicated parameters", "twice and again")]


def test_a_loop_over_a_cell_and_a_cell_of_ones_own() -> None:
    def step(x, u, s, p):
        f, g = torch.sigmoid(x.f + u.f), torch.tanh(x.g + u.g)
        c = f * s.c + g
        h = torch.tanh(c)
        return (h, c), {"f": f, "g": g, "c": c, "h": h}

    class Loop(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = byhand.LSTMCell(3, 4, cell=Cell("own", ("f", "g"), ("h", "c"), step))

        def forward(self, x: Tensor) -> Tensor:
            state = None
            for one in x:
                state = self.cell(one, state)
            return state[0]

    assert not explain.diagnose(Loop(), [torch.randn(12, 2, 3), torch.randn(9, 2, 3)])


def test_wrong_arguments() -> None:
    with pytest.raises(TypeError, match="diagnose expected a module, got a int"):
        explain.diagnose(3, DAYS)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least one input, got none"):
        explain.diagnose(LSTM(2, 3), [])
    with pytest.raises(ValueError, match="found no output that has a gradient"):
        explain.diagnose(nn.Linear(2, 2), torch.randn(3, 2), call=lambda model, item: model(item).detach())
