"""diagnose, where it once was wrong: alarms about healthy models, and faults that it missed or named badly."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_sequence

from byhand import LSTM, Cell, cells, explain


def test_a_sure_last_answer_does_not_explode() -> None:
    """The loss of a step that is always right sends back almost nothing, and what came before it is no growth."""
    torch.manual_seed(0)

    def sure_at_the_end(output: tuple[Tensor, object], _: object) -> Tensor:
        return output[0][:-1].square().sum() + 1e-9 * output[0][-1].sum()

    assert not explain.diagnose(LSTM(3, 5), torch.randn(20, 4, 3), sure_at_the_end)


def counting(units: slice, direction: int = 0, **options: bool) -> LSTM:
    """These units hardly forget and always write."""
    torch.manual_seed(3)
    layer = LSTM(3, 5, **options)
    with torch.no_grad():
        layer.gates(direction=direction)["f"].bias[units] = 8.0
        layer.gates(direction=direction)["g"].bias[units] = 2.0
    return layer


def test_a_unit_or_two_that_ran_away_are_no_drift() -> None:
    """Trained models that are well have such units: the others do the work."""
    x = torch.randn(60, 4, 3)
    assert "drift" in explain.diagnose(counting(slice(None)), x).kinds
    assert not explain.diagnose(counting(slice(2, 4)), x)


def test_a_few_long_sequences_are_no_drift() -> None:
    layer, long, short = counting(slice(None)), torch.randn(60, 3), [torch.randn(10, 3) for _ in range(8)]
    assert "drift" in explain.diagnose(layer, long.unsqueeze(1)).kinds
    assert "drift" not in explain.diagnose(layer, pack_sequence([long, *short])).kinds
    (found,) = (one for one in explain.diagnose(layer, pack_sequence([long, long[:50], *short])) if one.kind == "drift")
    assert found.evidence.startswith("all 5 units: |c| of unit ")
    assert found.evidence.endswith("over 2 sequences; of 5 units, 0 are still heard then")


def test_drift_of_a_reverse_direction_begins_at_the_end() -> None:
    found = explain.diagnose(counting(slice(None), direction=1, bidirectional=True), torch.randn(60, 4, 3))
    assert [one.where for one in found if one.kind == "drift"] == ["l0.reverse.c"]


def test_huge_biases_make_no_unused_parameters() -> None:
    """In gates that are open or shut entirely all gradients round to 0, and still the model depends on their weights."""
    torch.manual_seed(0)
    layer = LSTM(3, 5)
    with torch.no_grad():
        layer.bias_ih_l0.fill_(500.0)
    found = explain.diagnose(layer, torch.randn(20, 4, 3))
    assert {(one.kind, one.where) for one in found} >= {("always open", "l0.i"), ("always open", "l0.o")}
    assert "unused parameter" not in found.kinds


@pytest.mark.parametrize(("cell", "gate"), [(cells.lstm, "f"), (cells.peephole, "f"), (cells.gru, "z")], ids=repr)
def test_a_gate_that_keeps_may_stay_open(cell: Cell, gate: str) -> None:
    """It has to, where something is to be kept; for an input gate that never shuts there is no such reason."""
    torch.manual_seed(0)
    layer, x = LSTM(3, 5, cell=cell), torch.randn(20, 4, 3)
    with torch.no_grad():
        layer.gates()[gate].bias.fill_(6.0)
    assert not explain.diagnose(layer, x)
    if "i" in cell.gates:
        with torch.no_grad():
            layer.gates()["i"].bias.fill_(8.0)
        assert "always open" in explain.diagnose(layer, x).kinds
        with torch.no_grad():
            layer.gates()["i"].bias[2:].fill_(0.0)
        assert not explain.diagnose(layer, x)


def test_equal_units_are_one_finding() -> None:
    torch.manual_seed(0)
    layer = LSTM(3, 12)
    with torch.no_grad():
        for value in layer.parameters():
            for unit in (4, 7, 9):
                value[unit::12] = value[1::12]
    (finding,) = explain.diagnose(layer, torch.randn(20, 4, 3))
    assert finding.kind == "duplicated units"
    assert finding.evidence.startswith("units 1, 4, 7, 9: correlations with the first of them of at least 1.000000000 in size")


@pytest.mark.parametrize("name", ["weight_ih_l0", "weight_hh_l0"])
def test_weights_of_zero(name: str) -> None:
    torch.manual_seed(0)
    layer, x = LSTM(3, 5), torch.randn(20, 4, 3)
    with torch.no_grad():
        layer.get_parameter(name)[:, 2] = 0
    (finding,) = explain.diagnose(layer, x)
    assert (finding.kind, finding.where) == ("zero weights", name)
    assert finding.evidence == "all weights of input 2 are exactly 0"
    with torch.no_grad():
        layer.get_parameter(name).zero_()
    (finding,) = explain.diagnose(layer, x)
    assert finding.evidence == f"all weights of all {layer.get_parameter(name).shape[1]} inputs are exactly 0"


def test_an_input_that_never_moves() -> None:
    torch.manual_seed(0)
    (finding,) = explain.diagnose(LSTM(2, 5, 2, bidirectional=True), torch.full((20, 4, 2), 0.25))
    assert (finding.kind, finding.where) == ("dead input", "l0")
    assert finding.evidence == "what is read is the same at all 80 steps, 2 numbers between 0.25 and 0.25"
    padded = pack_sequence([torch.full((20, 2), 0.25), torch.full((9, 2), 0.25)])
    assert explain.diagnose(LSTM(2, 5), padded)[0].evidence.startswith("what is read is the same at all 29 steps")


def test_a_parameter_that_is_not_finite_is_named_first() -> None:
    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm, self.head = LSTM(3, 5), nn.Linear(5, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.lstm(x)[0])

    model = Reader()
    with torch.no_grad():
        model.head.weight[1, 3] = torch.nan
    found = explain.diagnose(model, torch.randn(20, 4, 3))
    assert (found[0].kind, found[0].where) == ("not finite", "head.weight")
    assert found[0].evidence == "1 of its 10 values, the first of them nan"


@pytest.mark.parametrize("layer", [LSTM(3, 4), LSTM(3, 4, cell=cells.peephole), nn.LSTM(3, 4), nn.GRU(3, 4)])
def test_one_step_is_too_few_for_recurrent_weights(layer: nn.Module) -> None:
    """True of the data, and the advice says so; the input's weights are read at once."""
    found = explain.diagnose(layer, torch.randn(1, 9, 3))
    assert {finding.kind for finding in found} == {"unused parameter"}
    assert "weight_ih_l0" not in {finding.where for finding in found}
    assert all("are the sequences longer than one?" in finding.advice for finding in found)
