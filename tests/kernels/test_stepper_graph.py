"""The stepper's step as a CUDA graph, without a GPU: when it is captured, what it reads and writes, and what goes the usual way. A false
torch.cuda records the operations of the CPU and runs them again.
"""

import copy
import logging
from typing import Any

import pytest
import torch
from graphs import Cuda
from torch import Tensor

import byhand
from byhand import cells
from byhand.engine import frozen
from byhand.nn import captured

INPUT, HIDDEN, BATCH = 3, 5, 2


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> Cuda:
    """Steppers find a GPU where the CPU is, and no engine that prepares calls, as on CUDA."""
    false = Cuda()
    monkeypatch.setattr(captured, "cuda", false)
    monkeypatch.setattr(captured, "DEVICES", {"cpu"})
    monkeypatch.setattr(frozen, "packed", lambda call, weights: None)
    return false


def steps(stepper: Any, x: Tensor) -> list[Tensor]:
    return [stepper(one) for one in x]


@pytest.mark.parametrize(
    "options",
    [{"num_layers": 2}, {"cell": cells.peephole, "proj_size": 2}, {"cell": cells.gru}, {"cell": cells.layernorm_lstm}],
    ids=["lstm", "peephole, projected", "gru", "layernorm_lstm"],
)
def test_a_graph_gives_what_a_layer_gives(options: dict[str, Any], cuda: Cuda) -> None:
    lstm = byhand.LSTM(INPUT, HIDDEN, dtype=torch.float64, **options)
    x = torch.randn(5, BATCH, INPUT, dtype=torch.float64)
    stepper, expected = lstm.stepper(BATCH), lstm(x)
    found = steps(stepper, x)
    torch.testing.assert_close(torch.stack(found), expected[0].detach(), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(stepper.state, expected[1], rtol=1e-12, atol=1e-12, check_device=False)
    assert len(cuda.graphs) == 1 and cuda.waits == ["wait", "wait"]
    assert len({one.data_ptr() for one in found}) == 5  # each in memory of its own


def test_the_memory_is_read_where_it_is(cuda: Cuda) -> None:
    lstm = byhand.LSTM(INPUT, HIDDEN, dtype=torch.float64)
    x = torch.randn(4, BATCH, INPUT, dtype=torch.float64)
    stepper = lstm.stepper(BATCH)
    steps(stepper, x)
    stepper.reset()
    torch.testing.assert_close(torch.stack(steps(stepper, x)), lstm(x)[0].detach())
    state = tuple(torch.randn(1, BATCH, HIDDEN, dtype=torch.float64) for _ in range(2))
    stepper.state = state
    torch.testing.assert_close(torch.stack(steps(stepper, x)), lstm(x, state)[0].detach())
    torch.testing.assert_close(stepper(x), lstm(x, lstm(x, state)[1])[0].detach())  # several steps at once go the usual way
    assert len(cuda.graphs) == 1
    other = copy.deepcopy(stepper)
    torch.testing.assert_close(other(x[0]), stepper(x[0]))
    assert len(cuda.graphs) == 2
    with torch.inference_mode():
        torch.testing.assert_close(other(x[1].clone()), stepper(x[1]))
    torch.testing.assert_close(other(x[1]), stepper(x[1]))
    assert len(cuda.graphs) == 2


def test_weights_are_read_where_they_are_and_captured_again_where_they_move(
    cuda: Cuda, monkeypatch: pytest.MonkeyPatch
) -> None:
    weight, state, x = torch.ones(3), torch.zeros(3), torch.ones(1, 3)

    def move(given: Tensor) -> Tensor:
        state.add_(given[0] * weight)
        return state * 2

    step = captured.CapturedStep(move, [state], [weight])
    assert step(x).tolist() == [2.0] * 3  # type: ignore[union-attr]
    weight.mul_(10)
    assert step(x).tolist() == [22.0] * 3 and len(cuda.graphs) == 1  # type: ignore[union-attr]
    weight.data = torch.full((3,), 100.0)
    assert step(x).tolist() == [222.0] * 3 and len(cuda.graphs) == 2  # type: ignore[union-attr]
    assert step(x[:, :]).tolist() == [422.0] * 3 and len(cuda.graphs) == 2  # type: ignore[union-attr]
    monkeypatch.setattr(torch.backends.cudnn.rnn, "fp32_precision", "ieee")
    assert step(x).tolist() == [622.0] * 3 and len(cuda.graphs) == 3  # type: ignore[union-attr]
    assert step(x.double()).dtype == torch.float32 and len(cuda.graphs) == 4  # type: ignore[union-attr]
    with torch.autocast("cpu"):  # which a graph would not hear of
        assert step(x) is None


def test_without_a_graph_it_goes_the_usual_way(cuda: Cuda, caplog: pytest.LogCaptureFixture) -> None:
    lstm = byhand.LSTM(INPUT, HIDDEN, dtype=torch.float64)
    x = torch.randn(4, BATCH, INPUT, dtype=torch.float64)
    cuda.fails = True
    stepper = lstm.stepper(BATCH)
    with caplog.at_level(logging.WARNING, logger="byhand"):
        torch.testing.assert_close(torch.stack(steps(stepper, x)), lstm(x)[0].detach())
    (said,) = [one.getMessage() for one in caplog.records]  # once
    assert said == (
        "a stepper's steps are launched one operation at a time, for want of a CUDA graph: CUDA error: operation not permitted when"
        " stream is capturing"
    )
    cuda.fails = False
    assert not cuda.graphs
    stepper = lstm.stepper(BATCH)
    cuda.captures_already = True  # somebody's own graph, of which the step becomes a part
    torch.testing.assert_close(stepper(x[0]), lstm(x)[0][0].detach())
    cuda.captures_already = False
    with byhand.use_engine("reference"):
        torch.testing.assert_close(stepper(x[1]), lstm(x)[0][1].detach())
    assert not cuda.graphs
    torch.testing.assert_close(stepper(x[2]), lstm(x)[0][2].detach())
    assert len(cuda.graphs) == 1


def test_there_is_no_graph_on_the_cpu() -> None:
    stepper = byhand.LSTM(INPUT, HIDDEN, cell=cells.layernorm_lstm).stepper()
    stepper(torch.randn(INPUT))
    assert stepper._captured.captured_for is None
