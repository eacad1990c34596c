"""The catalogue of wrong uses: what is said, word for word where it matters. Nobody is to meet an error of torch's about our insides."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_sequence

from byhand import LSTM, Cell, LSTMCell, at, cells, check_finite, convert, edit, engines, record, use_engine
from byhand.errors import UnknownSiteError
from byhand.testing import CellError, check_cell
from byhand.trace import Trace

x = torch.randn(5, 2, 3)
layer = LSTM(3, 4)
two = torch.zeros(1, 2, 4)
packed = pack_sequence([torch.randn(4, 3), torch.randn(2, 3)])


def inside(scope: Any, run: Callable[[], Any] = lambda: layer(x)) -> Any:
    with scope:
        return run()


def traced(**options: Any) -> Trace:
    with record(layer, **options) as trace:
        layer(x)
    return trace


faulty = LSTM(3, 4, 2)
with torch.no_grad():
    faulty.weight_hh_l1[0] = float("nan")


def step_without_site(x: Any, u: Any, s: Any, p: Any) -> Any:
    h = torch.tanh(x.a + u.a)
    return (h,), {"a": h}


CONSTRUCTION: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: LSTM(3.0, 4), TypeError, "input_size should be of type int, got: float"),  # type: ignore[arg-type]
    (lambda: LSTM(True, 4), TypeError, "input_size should be of type int, got: bool"),
    (lambda: LSTM(0, 4), ValueError, "input_size must be greater than zero, got 0"),
    (lambda: LSTM(3, -1), ValueError, "hidden_size must be greater than zero, got -1"),
    (lambda: LSTM(3, "4"), TypeError, "hidden_size should be of type int, got: str"),  # type: ignore[arg-type]
    (lambda: LSTM(3, 4, 0), ValueError, "num_layers must be greater than zero, got 0"),
    (lambda: LSTM(3, 4, 1.5), TypeError, "num_layers should be of type int, got: float"),  # type: ignore[arg-type]
    (lambda: LSTM(3, 4, bias=1), TypeError, "bias should be of type bool, got: int"),  # type: ignore[arg-type]
    (lambda: LSTM(3, 4, batch_first="yes"), TypeError, "batch_first should be of type bool, got: str"),  # type: ignore[arg-type]
    (lambda: LSTM(3, 4, bidirectional="a"), TypeError, "bidirectional should be of type bool, got: str"),  # type: ignore[arg-type]
    (lambda: LSTM(3, 4, dropout=1.5), ValueError, "dropout should be a number in range [0, 1]"),
    (lambda: LSTM(3, 4, dropout="a"), ValueError, "being zeroed, got 'a'"),  # type: ignore[arg-type]
    (lambda: LSTM(3, 4, dropout=True), ValueError, "being zeroed, got True"),
    (lambda: LSTM(3, 4, proj_size=4), ValueError, "proj_size has to be smaller than hidden_size, got 4 and 4"),
    (
        lambda: LSTM(3, 4, proj_size=-1),
        ValueError,
        "proj_size should be a positive integer or zero to disable projections, got -1",
    ),
    (lambda: LSTM(3, 4, proj_size=2.0), TypeError, "proj_size should be of type int, got: float"),  # type: ignore[arg-type]
    (lambda: LSTM(3, 4, proj_size=2, cell=cells.gru), ValueError, "reads its output through weight_hh only, got 'gru'"),
    (lambda: LSTM(3, 4, cell="lstm"), TypeError, "cell should be a byhand.cells.Cell, got: str; write cell=byhand.cells.lstm"),  # type: ignore[arg-type]
    (lambda: LSTM(3, 4, cell=cells.no_input_gate), TypeError, "write cell=cells.no_input_gate(cells.lstm)"),  # type: ignore[arg-type]
    (lambda: LSTM(3, 5, cell=cells.lstm_1997_blocks(2)), ValueError, "expected a hidden_size that 2 divides, got 5"),
    (lambda: LSTM(3, 4, forget_bias="one"), TypeError, "forget_bias should be a number or None, got: str"),  # type: ignore[arg-type]
    (
        lambda: LSTM(3, 4, forget_bias=1.0, cell=cells.gru),
        ValueError,
        "expected a cell with a gate f, got 'gru' with gates r, z, n",
    ),
    (lambda: LSTM(3, 4, forget_bias=1.0, bias=False), ValueError, "forget_bias expected a layer with biases, got bias=False"),
    (lambda: LSTM(3, 4, learn_initial_state=1), TypeError, "learn_initial_state should be of type bool, got: int"),  # type: ignore[arg-type]
    (lambda: LSTMCell(3, 0), ValueError, "hidden_size must be greater than zero, got 0"),
    (lambda: LSTMCell(3, 4, bias="a"), TypeError, "bias should be of type bool, got: str"),  # type: ignore[arg-type]
]

CALLS: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: layer([[1.0]]), TypeError, "LSTM: Expected input to be a Tensor or a PackedSequence, got list"),  # type: ignore[arg-type]
    (lambda: layer(None), TypeError, "got NoneType"),  # type: ignore[arg-type]
    (lambda: layer(torch.randn(3)), ValueError, "LSTM: Expected input to be 2D or 3D, got 1D instead; its shape is (3,)"),
    (lambda: layer(torch.randn(1, 5, 2, 3)), ValueError, "LSTM: Expected input to be 2D or 3D, got 4D instead"),
    (lambda: layer(torch.randn(5, 2, 7)), RuntimeError, "input.size(-1) must be equal to input_size. Expected 3, got 7"),
    (
        lambda: layer(torch.randn(0, 2, 3)),
        RuntimeError,
        "Expected sequence length to be larger than 0 in RNN, got an input of shape",
    ),
    (
        lambda: LSTM(3, 4, batch_first=True)(torch.randn(2, 0, 3)),
        RuntimeError,
        "(batch_first=True reads it as (batch, time, input))",
    ),
    (
        lambda: layer(x.double()),
        ValueError,
        "RNN input dtype (torch.float64) does not match weight dtype (torch.float32). Convert input: ",
    ),
    (
        lambda: layer(torch.ones(5, 2, 3, dtype=torch.long)),
        ValueError,
        "RNN input dtype (torch.int64) does not match weight dtype",
    ),
    (lambda: layer(x.to("meta")), RuntimeError, "not at the same device, found input at meta and parameter tensor at cpu"),
    (lambda: layer(x, two), TypeError, "hx should be a tuple (h, c), got a Tensor"),
    (lambda: layer(x, {"h": two, "c": two}), TypeError, "hx should be a tuple (h, c), got a dict"),  # type: ignore[arg-type]
    (lambda: layer(x, (two, two, two)), ValueError, "hx should be (h, c), one tensor for each state, got 3"),
    (lambda: layer(x, (two, None)), TypeError, "got NoneType for c; leave hx out to start from zeros"),  # type: ignore[arg-type]
    (lambda: layer(x, (two, two.double())), ValueError, "RNN hx[1] dtype (torch.float64) does not match weight dtype"),
    (lambda: layer(x, (two.to("meta"), two)), RuntimeError, "found hx[0] at meta and parameter tensor at cpu"),
    (lambda: layer(x, (torch.zeros(1, 3, 4), two)), RuntimeError, "Expected hidden[0] size (1, 2, 4), got [1, 3, 4]"),
    (lambda: layer(x, (two, torch.zeros(2, 2, 4))), RuntimeError, "Expected hidden[1] size (1, 2, 4), got [2, 2, 4]"),
    (
        lambda: layer(x, (two[0], two[0])),
        RuntimeError,
        "For batched 3-D input, hx and cx should also be 3-D but got (2-D, 2-D) tensors",
    ),
    (
        lambda: layer(x[:, 0], (two, two)),
        RuntimeError,
        "For unbatched 2-D input, hx and cx should also be 2-D but got (3-D, 3-D) tensors",
    ),
    (lambda: LSTM(3, 4, cell=cells.gru)(x, (two, two)), ValueError, "hx should be h, one tensor for each state, got 2"),
    (lambda: LSTM(3, 4, cell=cells.gru)(x, two[:, :1]), RuntimeError, "Expected hidden size (1, 2, 4), got [1, 1, 4]"),
    (lambda: LSTM(7, 4)(packed), RuntimeError, "input.size(-1) must be equal to input_size. Expected 7, got 3"),
    (lambda: layer(packed, (torch.zeros(1, 5, 4),) * 2), RuntimeError, "Expected hidden[0] size (1, 2, 4), got [1, 5, 4]"),
    (
        lambda: layer(PackedSequence(torch.randn(6, 3, 1), packed.batch_sizes)),
        RuntimeError,
        "input must have 2 dimensions, got 3: pack sequences of shape (time, 3)",
    ),
    (lambda: LSTMCell(3, 4)(torch.randn(2, 5)), RuntimeError, "input has inconsistent input_size: got 5 expected 3"),
    (lambda: LSTMCell(3, 4)(x), ValueError, "LSTMCell: Expected input to be 1D or 2D, got 3D instead"),
    (lambda: LSTMCell(3, 4)("a"), TypeError, "LSTMCell: Expected input to be a Tensor, got str"),  # type: ignore[arg-type]
    (lambda: LSTMCell(3, 4)(x[0], (two, two)), ValueError, "LSTMCell: Expected hx[0] to be 1D or 2D, got 3D instead"),
    (
        lambda: LSTMCell(3, 4)(x[0], (two[0, :, :3],) * 2),
        RuntimeError,
        "hidden0 has inconsistent hidden_size: got 3, expected 4",
    ),
    (lambda: LSTMCell(3, 4)(x[0], (two[0, :1],) * 2), RuntimeError, "Input batch size 2 doesn't match hidden0 batch size 1"),
    (
        lambda: LSTMCell(3, 4)(x[0, 0], (two[0],) * 2),
        RuntimeError,
        "hidden0 has 2 dimensions, expected 1, as many as the input",
    ),
    (lambda: layer.gates(1), IndexError, "gates expected a layer from 0 to 0, got 1"),
    (lambda: layer.gates(0, 1), IndexError, "gates expected a direction from 0 to 0, got 1"),
]

SCOPES: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: inside(record(nn.Linear(2, 2))), ValueError, "record found no byhand.LSTM inside Linear"),
    (lambda: inside(record(nn.LSTM(2, 2))), ValueError, "it holds torch's own (itself): byhand.convert(model) first"),
    (lambda: inside(record("model")), TypeError, "record expected a module, got a str"),  # type: ignore[arg-type]
    (lambda: inside(record(layer, "*.c")), TypeError, "record expected a list of names or patterns, got '*.c': write ['*.c']"),
    (lambda: inside(record(layer, ["l1.*"])), UnknownSiteError, "record knows no 'l1.*'; it knows l0."),
    (
        lambda: inside(torch.no_grad(), lambda: inside(record(layer, gradients=True))),
        RuntimeError,
        "expected gradients to be on",
    ),
    (lambda: traced().grad, LookupError, "the trace holds no gradients: record(model, gradients=True), then run backward()"),
    (lambda: traced()["l0.forget"], UnknownSiteError, "the trace knows no 'l0.forget'"),
    (lambda: inside(edit(layer, {"l0.x": 1.0})), UnknownSiteError, "edit knows no 'l0.x'; it knows l0."),
    (lambda: inside(edit(layer, {"f": 1.0})), UnknownSiteError, "edit knows no 'f'; it knows l0.f"),
    (lambda: inside(edit(layer, [("l0.f", 1.0)])), TypeError, "edit expected a mapping from names to changes, got a list"),  # type: ignore[arg-type]
    (
        lambda: inside(edit(layer, {"l0.f": "shut"})),
        TypeError,
        "edit of l0.f expected a number, a tensor, a function or byhand.at(...), or a list of them, got a str",
    ),  # type: ignore[dict-item]
    (
        lambda: inside(edit(layer, {"l0.f": torch.ones(3)})),
        ValueError,
        "broadcasts to (time, batch, hidden) = (5, 2, 4), got shape (3,)",
    ),
    (lambda: inside(edit(layer, {"l0.f": torch.ones(6, 2, 4)})), ValueError, "got shape (6, 2, 4)"),
    (
        lambda: inside(edit(layer, {"l0.f": lambda f: f[:1]})),
        ValueError,
        "expected its function to give shape (2, 4), got (1, 4)",
    ),
    (
        lambda: inside(edit(layer, {"l0.f": lambda f: None})),
        TypeError,
        "expected its function to give a tensor, got a NoneType",
    ),  # type: ignore[dict-item]
    (lambda: inside(edit(layer, {"l0.f": at(0.0, time=5)})), IndexError, "edit of l0.f expected time within 0…4, got 5"),
    (lambda: inside(edit(layer, {"l0.f": at(0.0, unit=4)})), IndexError, "edit of l0.f expected unit within 0…3, got 4"),
    (
        lambda: inside(edit(layer, {"l0.f": at(0.0, batch=[0, 2])})),
        IndexError,
        "edit of l0.f expected batch within 0…1, got [0, 2]",
    ),
    (
        lambda: at(0.0, time="first"),
        TypeError,
        "at expected time to be an index, a slice, a list of indices or a mask, got 'first'",
    ),  # type: ignore[arg-type]
    (lambda: at(at(0.0, time=1), unit=1), TypeError, "got another at(...): say it all in one"),  # type: ignore[arg-type]
    (lambda: inside(check_finite(nn.Linear(2, 2))), ValueError, "check_finite found no byhand.LSTM inside Linear"),
    (
        lambda: inside(check_finite(layer), lambda: layer(x.index_fill(0, torch.tensor(3), float("nan")))),
        FloatingPointError,
        "l0 has nan in the input at time 3 (batch 0, unit 0; 6 such values in that step)",
    ),
    (
        lambda: inside(check_finite(layer), lambda: layer(x, (two, two + float("inf")))),
        FloatingPointError,
        "l0 has inf in the first state c",
    ),
    (
        lambda: inside(check_finite(faulty), lambda: faulty(x)),
        FloatingPointError,
        "l1 has nan in its parameter weight_hh",
    ),
    (
        lambda: inside(use_engine("gpu")),
        ValueError,
        "use_engine expected one of 'cpp', 'aten', 'triton', 'reference', got 'gpu'",
    ),
    (lambda: engines(nn.LSTM(3, 4), x), TypeError, "engines expected a byhand.LSTM, got a LSTM"),  # type: ignore[arg-type]
    (lambda: convert("model"), TypeError, "convert expected a module, got a str"),  # type: ignore[arg-type]
    (
        lambda: convert(LSTM(3, 4, cell=cells.slstm), back=True),
        ValueError,
        "found a layer with cell=slstm, for which torch has no layer",
    ),
]

CELLS: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: Cell("c", ("i", "i"), ("h",), step_without_site), ValueError, "Cell 'c' expected gates of distinct names"),
    (lambda: Cell("c", ("if",), ("h",), step_without_site), ValueError, "that Python accepts as variables, got ('if',)"),
    (lambda: Cell("c", (), ("h",), step_without_site), ValueError, "at least one gate and one state, got gates=()"),
    (
        lambda: Cell("c", ("a",), ("h",), step_without_site, recurrent=("x",)),
        ValueError,
        "recurrent to name states out of ('h',), got ['x']",
    ),
    (lambda: Cell("c", ("a",), ("h",), "step"), ValueError, "step to be a function step(x, u, s, p), got 'step'"),  # type: ignore[arg-type]
    (
        lambda: Cell("c", ("a",), ("h",), step_without_site, recurrent={"b": ("h",)}),
        ValueError,
        "recurrent to say for each of ('a',) what it reads",
    ),
    (
        lambda: cells.no_forget_gate(cells.gru),
        ValueError,
        "no_forget_gate expected a cell with a site 'f', got 'gru', which has r, z, n, h",
    ),
    (
        lambda: cells.no_input_gate("lstm"),
        TypeError,
        "no_input_gate expected a cell, got 'lstm': write no_input_gate(cells.lstm)",
    ),  # type: ignore[arg-type]
    (
        lambda: cells.full_gate_recurrence(cells.min_lstm),
        ValueError,
        "expected a cell with gates i, f or o that read h, got 'min_lstm'",
    ),
    (lambda: cells.zoneout(cells.lstm, h=1.5), ValueError, "zoneout expected a rate from 0 to 1 for h, got 1.5"),
    (
        lambda: cells.recurrent_dropout(cells.lstm, 1.0),
        ValueError,
        "recurrent_dropout expected a rate from 0 to below 1, got 1.0",
    ),
    (lambda: cells.recurrent_dropout(cells.lstm, 0.5, every="day"), ValueError, "every='step' or every='sequence', got 'day'"),  # type: ignore[arg-type]
    (lambda: cells.lstm_1997_blocks(0), ValueError, "lstm_1997_blocks expected a block size of at least 1 cell, got 0"),
    (lambda: check_cell("lstm"), TypeError, "cell should be a byhand.cells.Cell, got: str"),  # type: ignore[arg-type]
    (
        lambda: check_cell(Cell("mine", ("a",), ("h",), step_without_site)),
        CellError,
        "the states ['h'] are not among the sites ('a',)",
    ),
]

CATALOGUE = [*CONSTRUCTION, *CALLS, *SCOPES, *CELLS]


@pytest.mark.parametrize(("use", "kind", "message"), CATALOGUE, ids=[message[:60] for _, _, message in CATALOGUE])
def test_wrong_use(use: Callable[[], Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind) as caught:
        use()
    assert caught.type is kind
    assert message in str(caught.value)


def test_the_catalogue_is_long_and_no_torch_inside_shows() -> None:
    assert len(CATALOGUE) >= 40
    assert len({message for _, _, message in CATALOGUE}) == len(CATALOGUE)


def test_idle_dropout_is_warned_of_as_in_torch() -> None:
    with pytest.warns(UserWarning, match="dropout option adds dropout after all but last recurrent layer") as caught:
        LSTM(3, 4, dropout=0.5)
    assert caught[0].filename == __file__


def test_finite_values_pass_and_bits_stay() -> None:
    both_ways = LSTM(3, 4, bidirectional=True)
    for one, given in ((layer, x), (both_ways, packed)):
        expected = one(given)[0]
        with check_finite(one):
            found = one(given)[0]
        assert torch.equal(getattr(found, "data", found), getattr(expected, "data", expected))


def test_the_first_bad_value_in_order_of_computation_is_named() -> None:
    forwards, backwards = LSTM(3, 4), LSTM(3, 4, bidirectional=True)
    with (
        edit(forwards, {"l0.g": at(float("inf"), time=2, unit=1, batch=1)}),
        check_finite(forwards),
        pytest.raises(FloatingPointError, match=r"l0 has inf in site g at time 2 \(batch 1, unit 1; 1 such"),
    ):
        forwards(x)
    with (
        edit(backwards, {"l0.reverse.o": at(float("nan"), time=[0, 3])}),
        check_finite(backwards),
        pytest.raises(FloatingPointError, match=r"l0\.reverse has nan in site o at time 3"),
    ):
        backwards(x)


def test_an_engine_asked_for_by_name_is_used() -> None:
    assert engines(layer, x) == [
        ("cpp", "ready"),
        ("aten", "ready"),
        ("triton", "the input is on cpu, the engine runs on cuda"),
        ("reference", "ready"),
    ]
    with use_engine("reference"):
        assert torch.equal(layer(x)[0], layer(x)[0])
