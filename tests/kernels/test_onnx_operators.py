"""The cells that ONNX's operators have beside torch's, against onnxruntime: activations, clip, input_forget, linear_before_reset."""

from typing import Any

import numpy as np
import onnx_nodes
import pytest
import torch
from cases import as_hx, as_tuple
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from byhand import LSTM, cells, use_engine
from byhand.cells import Cell
from byhand.cells.activations import BY_ONNX_NAME, KINDS, Activation

NUMBERS: dict[int, tuple[float, ...]] = {0: (), 1: (0.3,), 2: (0.7, 0.15)}
EVERY = [Activation(name, NUMBERS[kind.numbers]) for name, kind in KINDS.items()]
COMBINED: list[tuple[str, Cell, dict[str, Any]]] = [
    ("LSTM", cells.lstm, {}),
    ("LSTM", cells.peephole, {}),
    ("LSTM", cells.clipped(cells.lstm, 0.5), {"clip": 0.5}),
    ("LSTM", cells.clipped(cells.peephole, 0.5), {"clip": 0.5}),
    ("LSTM", cells.coupled_input(cells.lstm), {"input_forget": 1}),
    ("LSTM", cells.coupled_input(cells.peephole), {"input_forget": 1}),
    ("LSTM", cells.clipped(cells.coupled_input(cells.peephole), 0.5), {"input_forget": 1, "clip": 0.5}),
    ("GRU", cells.gru, {"linear_before_reset": 1}),
    ("GRU", cells.gru_reset_before, {"linear_before_reset": 0}),
    ("GRU", cells.clipped(cells.gru, 0.5), {"linear_before_reset": 1, "clip": 0.5}),
    ("GRU", cells.clipped(cells.gru_reset_before, 0.5), {"clip": 0.5}),
    ("RNN", cells.rnn, {}),
    ("RNN", cells.clipped(cells.rnn, 0.5), {"clip": 0.5}),
]


def attributes_of(activations: list[Activation]) -> dict[str, Any]:
    """The operator's attributes for both directions; a number is given for the functions that need one."""
    names, numbers = zip(*(one.onnx for one in 2 * activations), strict=True)
    found = {"activations": list(names)}
    alphas, betas = [one[0] for one in numbers if one], [one[1] for one in numbers if len(one) > 1]
    return found | ({"activation_alpha": alphas} if alphas else {}) | ({"activation_beta": betas} if betas else {})


def assert_as_onnxruntime(
    operator: str, cell: Cell, attributes: dict[str, Any], engine: str = "cpp", scale: float = 0.8
) -> None:
    """Both directions, three lengths, states to start from, odd sizes; float32. scale: of the weights; unbounded gates grow with them."""
    torch.manual_seed(11)
    lstm, x, lengths = LSTM(3, 5, bidirectional=True, cell=cell), torch.randn(7, 3, 3), [7, 1, 4]
    with torch.no_grad():
        for parameter in lstm.parameters():
            parameter.copy_(scale * torch.randn_like(parameter))
    first = tuple(torch.randn(2, 3, 5) for _ in cell.state)
    output, states = onnx_nodes.run(operator, lstm, attributes, x, lengths, first)
    with torch.no_grad(), use_engine(engine):
        packed = pack_padded_sequence(x, torch.tensor(lengths), enforce_sorted=False)
        ours, last = lstm(packed, as_hx(first))
    padded, _ = pad_packed_sequence(ours)
    largest = max(1.0, float(np.abs(output).max()))
    np.testing.assert_allclose(padded, output, rtol=0, atol=2e-6 * largest)
    for ours_last, theirs in zip(as_tuple(last), states, strict=True):
        np.testing.assert_allclose(ours_last, theirs, rtol=0, atol=2e-6 * max(1.0, float(np.abs(theirs).max())))


@pytest.mark.parametrize(("operator", "cell", "attributes"), COMBINED, ids=[repr(cell) for _, cell, _ in COMBINED])
def test_an_operators_cell_is_ours(operator: str, cell: Cell, attributes: dict[str, Any]) -> None:
    assert_as_onnxruntime(operator, cell, attributes, "cpp" if cell.elementwise else "reference")


@pytest.mark.parametrize("activation", EVERY, ids=repr)
@pytest.mark.parametrize("part", ["gates", "candidate", "output"])
def test_an_activation_in_each_part_of_an_lstm(part: str, activation: Activation) -> None:
    """On the reference engine; the next test runs some on C++, and every cell is compared between the two elsewhere."""
    usual = {"gates": Activation("sigmoid"), "candidate": Activation("tanh"), "output": Activation("tanh")}
    cell = cells.with_activations(cells.peephole, **{part: activation})
    assert_as_onnxruntime("LSTM", cell, attributes_of(list((usual | {part: activation}).values())), "reference", 0.25)


@pytest.mark.parametrize("activation", EVERY, ids=repr)
def test_an_activation_of_gru_and_rnn(activation: Activation) -> None:
    both = attributes_of([activation, Activation("softsign")])
    gru = cells.with_activations(cells.gru, gates=activation, candidate="softsign")
    assert_as_onnxruntime("GRU", gru, both | {"linear_before_reset": 1}, "reference", 0.15)
    before = cells.with_activations(cells.gru_reset_before, gates=activation, candidate="softsign")
    assert_as_onnxruntime("GRU", before, both, "reference", 0.15)
    rnn = cells.with_activations(cells.rnn, candidate=activation)
    assert_as_onnxruntime("RNN", rnn, attributes_of([activation]), "reference", 0.4)


def test_all_at_once_on_the_compiled_engine() -> None:
    chosen = {"gates": "hard_sigmoid(0.25, 0.4)", "candidate": "scaled_tanh(1.2, 0.7)", "output": "leaky_relu(0.1)"}
    cell = cells.clipped(cells.with_activations(cells.coupled_input(cells.peephole), **chosen), 0.75)
    named = [Activation("hard_sigmoid", (0.25, 0.4)), Activation("scaled_tanh", (1.2, 0.7)), Activation("leaky_relu", (0.1,))]
    assert_as_onnxruntime("LSTM", cell, attributes_of(named) | {"clip": 0.75, "input_forget": 1})


def test_what_onnxruntime_takes_where_a_file_gives_no_numbers() -> None:
    """And that every function of the operators has a name here."""
    assert set(BY_ONNX_NAME) == {kind.onnx.lower() for kind in KINDS.values()}
    for name in BY_ONNX_NAME.values():
        cell = cells.with_activations(cells.lstm, output=Activation(name, KINDS[name].runtime_defaults))
        assert_as_onnxruntime("LSTM", cell, {"activations": 2 * ["Sigmoid", "Tanh", KINDS[name].onnx]}, "reference")
