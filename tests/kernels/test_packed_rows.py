"""Packed sequences run where their rows lie: the results are those of the padded way, and of torch's layer."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from cases import CASES, as_hx, as_tuple
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_sequence

import byhand
from byhand import LSTM, use_engine
from byhand.engine.packing import packing_of
from byhand.nn import prepared

LENGTHS = {"sorted": (6, 4, 4, 1), "in any order": (2, 6, 1, 4), "of one length": (3, 3, 3), "of one step": (1, 1), "one": (5,)}
LAYOUTS: dict[str, dict[str, Any]] = {
    "": {},
    "both directions": {"bidirectional": True},
    "three layers, both directions": {"num_layers": 3, "bidirectional": True, "batch_first": True},
}


def packed(lengths: tuple[int, ...], *, grad: bool = False, dtype: torch.dtype = torch.float64) -> PackedSequence:
    torch.manual_seed(5)
    together = pack_sequence([torch.randn(length, 3, dtype=dtype) for length in lengths], enforce_sorted=False)
    return together._replace(data=together.data.requires_grad_(grad))


def states(lstm: LSTM, batch: int) -> Any:
    torch.manual_seed(6)
    count = lstm.num_layers * (2 if lstm.bidirectional else 1)
    return as_hx(tuple(torch.randn(count, batch, 5, dtype=torch.float64, requires_grad=True) for _ in lstm.cell.state))


def differentiated(module: nn.Module, x: PackedSequence, hx: Any) -> dict[str, Tensor]:
    given = {} if hx is None else {f"hx {k}": one for k, one in enumerate(as_tuple(hx))}
    leaves = {"input": x.data, **given, **dict(module.named_parameters())}
    output, last = module(x, hx)
    for mine, theirs in zip(output[1:], x[1:], strict=True):
        assert mine is theirs or torch.equal(mine, theirs)
    found = {"output": output.data, **{f"last {k}": one for k, one in enumerate(as_tuple(last))}}
    loss = sum((one * torch.linspace(-1, 2, one.numel(), dtype=one.dtype).view_as(one)).sum() for one in found.values())
    grads = torch.autograd.grad(loss, list(leaves.values()))
    return {name: one.detach() for name, one in found.items()} | {
        f"by {name}": grad for name, grad in zip(leaves, grads, strict=True)
    }


def assert_equal(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-11, atol=1e-12, msg=lambda said, name=name: f"{name}: {said}")


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each call ran on the rows."""
    found: list[bool] = []
    run: Callable[..., Any] = prepared.run_packed

    def noted(*arguments: Any) -> Any:
        made = run(*arguments)
        found.append(made is not None)
        return made

    monkeypatch.setattr(prepared, "run_packed", noted)
    return found


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("name", ["lstm", "gru", "peephole", "min_lstm", "slstm"])
@pytest.mark.parametrize("starts", [False, True], ids=["zeros", "given"])
def test_equal_to_the_reference_engine(name: str, lengths: str, layout: str, starts: bool, ways: list[bool]) -> None:
    torch.manual_seed(3)
    lstm = LSTM(3, 5, cell=CASES[name][0], dtype=torch.float64, **LAYOUTS[layout])
    x = packed(LENGTHS[lengths], grad=True)
    hx = states(lstm, len(LENGTHS[lengths])) if starts else None
    found = differentiated(lstm, x, hx)
    with torch.no_grad():
        output, last = lstm(x, hx)
    assert ways == [True, True]
    assert torch.equal(output.data, found["output"])
    assert all(torch.equal(one, found[f"last {k}"]) for k, one in enumerate(as_tuple(last)))
    with use_engine("reference"):
        assert_equal(found, differentiated(lstm, x, hx))
    assert len(ways) == 2


@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_equal_to_torchs_layer(kind: type[nn.RNNBase], lengths: str) -> None:
    torch.manual_seed(3)
    theirs = kind(3, 5, 2, bidirectional=True, dtype=torch.float64)
    ours = LSTM(3, 5, 2, bidirectional=True, dtype=torch.float64, cell=CASES[kind.__name__.lower()][0])
    ours.load_state_dict(theirs.state_dict())
    x = packed(LENGTHS[lengths], grad=True)
    hx = states(ours, len(LENGTHS[lengths]))
    assert_equal(differentiated(ours, x, hx), differentiated(theirs, x, hx))


def test_many_rows_shared_among_threads_equal_the_padded_way_to_the_bit() -> None:
    torch.manual_seed(3)
    lstm, lengths = LSTM(3, 70, 2, bidirectional=True), tuple(int(one) for one in torch.randint(1, 60, (40,)))
    x = packed(lengths, dtype=torch.float32)
    output, (h, c) = lstm(x)
    with byhand.record(lstm):  # which goes the padded way
        padded, (h_padded, c_padded) = lstm(x)
    assert torch.equal(output.data, padded.data) and torch.equal(h, h_padded) and torch.equal(c, c_padded)


def test_the_derivative_is_differentiable_itself(ways: list[bool]) -> None:
    lstm, x = LSTM(3, 5, 2, bidirectional=True, dtype=torch.float64), packed(LENGTHS["in any order"], grad=True)

    def second() -> Tensor:
        output, (h, _) = lstm(x)
        (first,) = torch.autograd.grad(output.data.square().sum() + h.sum(), x.data, create_graph=True)
        return torch.autograd.grad(first.square().sum(), x.data)[0]

    found = second()
    assert ways == [True]
    with use_engine("reference"):
        torch.testing.assert_close(found, second(), rtol=1e-10, atol=1e-12)


def test_the_output_may_be_written_into() -> None:
    """As that of torch.nn.LSTM may, packed."""
    lstm, x = LSTM(3, 5), packed(LENGTHS["sorted"], dtype=torch.float32)
    plain, written = lstm(x)[0].data, lstm(x)[0].data
    written.mul_(3)
    assert_equal(
        {"by weights": torch.autograd.grad(written.double().sum(), lstm.get_parameter("weight_hh_l0"))[0].double()},
        {"by weights": torch.autograd.grad((plain * 3).double().sum(), lstm.get_parameter("weight_hh_l0"))[0].double()},
    )


def test_a_projection_is_trained_the_padded_way(ways: list[bool]) -> None:
    lstm, x = LSTM(3, 5, proj_size=2, dtype=torch.float64), packed(LENGTHS["in any order"])
    with torch.no_grad():
        found = lstm(x)[0].data
    torch.testing.assert_close(lstm(x)[0].data, found, rtol=1e-12, atol=1e-12)
    assert ways == [True, False]


@pytest.mark.parametrize(("sizes", "count"), [([2, 3], 5), ([2, 0], 2), ([], 0), ([3, 2], 6), ([3, 2], 4)])
def test_what_is_no_packing_is_refused(sizes: list[int], count: int) -> None:
    """torch.nn.LSTM (2.13) takes those with rows too many, and leaves them out of its output without a word."""
    sizes_given = torch.tensor(sizes, dtype=torch.int64)
    assert packing_of(sizes_given, count) is None
    with pytest.raises(RuntimeError, match="batch_sizes of at least 1 that never increase and add up to its rows of data, got"):
        LSTM(3, 5)(PackedSequence(torch.zeros(count, 3), sizes_given))


def test_a_packing_says_where_its_rows_are() -> None:
    packing = packing_of(torch.tensor([3, 2, 2, 1]), 8)
    assert packing is not None
    assert packing.offsets.tolist() == [0, 3, 5, 7, 8] and packing.lengths.tolist() == [4, 3, 1]
    assert packing.rows.tolist() == [0, 1, 2, 3, 4, 6, 7, 9]
    data = torch.arange(8.0).unsqueeze(1)
    assert torch.equal(packing.unpad(packing.pad(data)), data)


def test_wrong_packed_input_is_refused_as_ever() -> None:
    lstm = LSTM(3, 5)
    with pytest.raises(RuntimeError, match="Expected 3, got 4"):
        lstm(pack_sequence([torch.zeros(2, 4)]))
    with pytest.raises(ValueError, match="float64"):
        lstm(pack_sequence([torch.zeros(2, 3, dtype=torch.float64)]))
