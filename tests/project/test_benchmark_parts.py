"""What byhand bench is made of: agreement, clocks, other compilers, the GPU's contenders."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from benchmarks import first_call, match
from byhand import use_engine
from byhand.benchmarks import compilers, cuda, timing
from byhand.benchmarks.agreement import DisagreementError, check_agreement, tensors
from byhand.benchmarks.cases import Case, Shape, training_bytes, training_operations
from byhand.benchmarks.contenders import Contender, data, layer, layer_in_detail, twins
from byhand.benchmarks.naive import NaiveLSTM
from byhand.benchmarks.timing import Rounds

SMALL = Case("small", Shape(4, 2, 3, 5))


def test_nothing_is_timed_where_contenders_disagree() -> None:
    first, mine = layer(SMALL, None).contenders
    check_agreement([first, mine])
    module: Any = mine.calls["training"].args[0]  # type: ignore[attr-defined]
    with torch.no_grad():
        module.bias_hh_l0[0] += 0.01
    with pytest.raises(DisagreementError, match=r"byhand and nn.LSTM do not agree in forward, so nothing is timed: "):
        check_agreement([first, mine])


def test_gradients_are_compared_too() -> None:
    first, mine = layer(SMALL, None).contenders

    def doubled() -> Any:
        output, state, gradients = mine.calls["training"]()
        return output, state, [*gradients[:-1], 2 * gradients[-1]]

    with pytest.raises(DisagreementError, match="do not agree in training"):
        check_agreement([first, mine._replace(calls=mine.calls | {"training": doubled})])
    with pytest.raises(DisagreementError, match="zip"):
        check_agreement([first, mine._replace(calls={"forward": lambda: mine.calls["forward"]()[0]})])


def test_low_precision_may_be_twice_as_wrong_as_a_plain_loop() -> None:
    work = layer(SMALL._replace(options={"dtype": torch.bfloat16}), None)
    mine = work.contenders[1]
    assert mine.precision == "bfloat16" and mine.truth is not None and mine.truth.name == "nn.LSTM in float32"
    check_agreement(work.contenders)

    def a_little_off() -> Any:
        return [value + (0.05 if value.is_floating_point() else 0) for value in tensors(mine.calls["forward"]())]

    with pytest.raises(DisagreementError, match=r"byhand and nn.LSTM in float32 do not agree in forward"):
        check_agreement([mine._replace(calls={"forward": a_little_off})])


@pytest.mark.parametrize(
    ("options", "matrices"),
    [
        ({}, 20 * 8),
        ({"num_layers": 2, "bidirectional": True}, 2 * 20 * (3 + 5) + 2 * 20 * (10 + 5)),
        ({"proj_size": 2}, 20 * (3 + 2) + 2 * 5),
    ],
)
def test_operations_are_those_of_the_products(options: dict[str, Any], matrices: int) -> None:
    work = layer(SMALL._replace(options=options), None)
    assert {one.operations for one in work.contenders} == {2 * 4 * 2 * matrices}
    if not options:
        assert training_operations(SMALL.shape) == 3 * work.contenders[0].operations


def test_packed_sequences_count_the_steps_there_are() -> None:
    case = Case("packed", Shape(8, 2, 3, 5), packed=True)
    assert layer(case, None).contenders[1].operations == 2 * (8 + 2) * 20 * 8
    check_agreement(layer_in_detail(case, None).contenders)


def test_what_training_holds_is_about_what_was_estimated() -> None:
    case = Case("middle", Shape(50, 16, 64, 64))
    found = timing.peak_memory(layer(case, None).contenders[0])
    assert 0.5 < found / training_bytes(case.shape) < 2


def test_peak_counts_what_is_held_at_once() -> None:
    def two_then_one() -> None:
        first, second = torch.zeros(1000), torch.zeros(500)
        del first, second
        torch.zeros(1200)

    assert timing.peak_memory(Contender("", {"training": two_then_one})) == 6000  # 1500 numbers of 4 bytes


def test_a_turn_is_long_enough_and_a_stall_does_not_count() -> None:
    calls: list[int] = []

    def take(number: int) -> float:
        calls.append(number)
        return 0.012 if len(calls) == 1 else 0.0001 * number

    assert 50 <= timing.repeats(take) <= 100
    assert calls[:2] == [1, 1]
    calls.clear()
    assert timing.repeats(lambda number: calls.append(number) or 2.0 * number) == 1
    assert calls == [1]  # a long call is not tried twice


def test_each_round_begins_with_another_contender() -> None:
    order: list[str] = []

    def waits(name: str) -> Contender:
        def call() -> None:
            order.append(name)
            time.sleep(0.021)

        return Contender(name, {"forward": call})

    rounds: list[timing.Round] = []
    timing.measure([waits(name) for name in "abc"], "forward", "cpu", Rounds(3, 3), rounds)
    assert "".join(order[-9:]) == "abcbcacab"
    assert len(rounds) == 3 and all(set(taken) == set("abc") and min(taken.values()) > 0.02 for taken in rounds)


def test_gradients_are_on_in_training_only() -> None:
    one = Contender("", {})
    seen = {}
    for quantity in ("forward", "training", "memory", "step"):
        with one.scope(quantity):
            seen[quantity] = torch.is_grad_enabled()
    assert seen == {"forward": False, "training": True, "memory": True, "step": False}


def test_the_peak_of_a_precision_is_the_best_of_all_times_it_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    speeds = iter([5.0, 7.0, 6.0, 6.0])
    monkeypatch.setattr(timing, "fastest_product", lambda *_: next(speeds))
    peaks = timing.Peaks("cpu", 0.1)
    for precision in ("float32", "tf32", "float32"):
        peaks.meet(Contender("", {}, precision=precision))
    peaks.measure_again()
    assert peaks.fastest == {"float32": 6.0, "tf32": 7.0}


def test_the_fastest_product_is_found() -> None:
    assert timing.fastest_product(torch.float32, "cpu", 0.001) > 0


def test_a_compiler_is_stopped_in_time() -> None:
    with pytest.raises(compilers.TooSlowError), compilers.within(0.05):
        time.sleep(10)
    with compilers.within(0.05):
        pass
    time.sleep(0.06)  # and does not ring afterwards


@pytest.mark.parametrize("problem", [None, RuntimeError("no\nlinker"), compilers.TooSlowError()])
def test_the_compiled_loop_is_one_more_contender(problem: BaseException | None, monkeypatch: pytest.MonkeyPatch) -> None:
    def compile(module: nn.Module, **_: Any) -> Any:
        if problem is not None:
            module.forward = lambda x: (_ for _ in ()).throw(problem)
        return module

    monkeypatch.setattr(torch, "compile", compile)
    monkeypatch.setattr(compilers, "onnx_runtime", lambda *_: "not here")
    monkeypatch.setattr(compilers, "openvino", lambda *_: "nor here")
    work = compilers.compilers(SMALL, None)
    names = [one.name for one in work.contenders]
    if problem is None:
        assert names == ["nn.LSTM", "byhand", "torch.compile"] and list(work.notes) == [
            "ONNX Runtime: not here",
            "OpenVINO: nor here",
        ]
        check_agreement(work.contenders)
    else:
        reason = "does not compile: RuntimeError: no" if isinstance(problem, RuntimeError) else "does not compile in 120 s"
        assert names == ["nn.LSTM", "byhand"] and work.notes[0] == f"torch.compile: {reason}"


def test_without_onnx_runtime_or_openvino_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(f"No module named '{name}'")

    monkeypatch.setattr(compilers, "import_module", missing)
    theirs, _, given = twins(SMALL)
    reason = "not measured, No module named 'onnx': pip install --group bench"
    assert compilers.onnx_runtime(theirs, given) == compilers.openvino(theirs, given) == reason


def test_onnx_runtime_computes_what_torch_does() -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    theirs, _, given = twins(SMALL)
    truth, found = layer(SMALL, None).contenders[0], compilers.onnx_runtime(theirs, given)
    assert isinstance(found, Contender)
    check_agreement([found._replace(truth=truth)])


def test_openvino_computes_what_torch_does() -> None:
    pytest.importorskip("openvino", reason="it is of the group bench, which no test needs: pip install --group bench")
    theirs, _, given = twins(SMALL)
    found = compilers.openvino(theirs, given)
    assert isinstance(found, Contender)
    check_agreement([found._replace(truth=layer(SMALL, None).contenders[0])])


@pytest.fixture
def switches_that_move() -> Iterator[None]:
    """torch.testing's own parts, which torch.library.opcheck imports, hold torch's switches fast for the rest of the process."""
    with getattr(torch.backends, "__allow_nonbracketed_mutation")():
        yield


@pytest.mark.usefixtures("switches_that_move")
def test_the_gpus_contenders_are_those_of_every_precision() -> None:
    work = cuda.cudnn(SMALL, device="cpu")
    assert [one.name for one in work.contenders] == ["float32", "tf32", "bfloat16", "float16"]
    assert len({one.operations for one in work.contenders}) == 1
    check_agreement(work.contenders)
    switches = (torch.backends.cudnn.rnn, torch.backends.cuda.matmul)
    before = [switch.fp32_precision for switch in switches]
    for one, products in zip(work.contenders, ("ieee", "tf32", "ieee", "ieee"), strict=True):
        with one.scope("training"):
            assert [switch.fp32_precision for switch in switches] == [products, products]
            older = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32  # which torch.compile reads
            assert older == (products == "tf32",) * 2
            output, _, gradients = one.calls["training"]()
        assert output.dtype == cuda.PRECISIONS[one.name][0] and len(gradients) == 5
    assert [switch.fp32_precision for switch in switches] == before


def test_the_gpus_clock_waits_for_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    class Event:
        def __init__(self, *, enable_timing: bool) -> None:
            assert enable_timing

        def record(self) -> None:
            seen.append("record")

        def elapsed_time(self, end: "Event") -> float:
            return 6.0

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: seen.append("wait"))
    assert timing.events(lambda: seen.append("call"))(2) == 0.006
    assert seen == ["wait", "record", "call", "call", "record", "wait"]


@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True}, {"proj_size": 2}])
def test_the_naive_loop_computes_what_torch_does(options: dict[str, int]) -> None:
    theirs = nn.LSTM(3, 5, dtype=torch.float64, **options)
    for x in (torch.randn(6, 4, 3, dtype=torch.float64), pack_padded_sequence(torch.randn(6, 3, 3).double(), [6, 4, 1])):
        if data(x) is not x and theirs.bidirectional:
            continue
        expected, found = theirs(x), NaiveLSTM(theirs)(x)
        torch.testing.assert_close(tensors(found), tensors(expected))


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_a_node_beside_the_runtime(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """benchmarks.onnx_nodes: both compute the same, and every round has both."""
    onnx_nodes = pytest.importorskip("benchmarks.onnx_nodes", reason="onnx or onnxruntime is not installed")
    monkeypatch.setattr(onnx_nodes, "TURN", 0.0)
    with use_engine("reference"):
        times = onnx_nodes.measure(onnx_nodes.calls(kind, 5, "bidirectional", 7), 3)
        assert times.keys() == {"node", "in model"} and all(len(one) == 3 and min(one) > 0 for one in times.values())
        monkeypatch.setattr(onnx_nodes, "values_of", lambda session, feeds: {"Y": np.zeros((7, 2, onnx_nodes.BATCH, 5))})
        with pytest.raises(RuntimeError, match="differ by"):
            onnx_nodes.calls(kind, 5, "bidirectional", 7)


@pytest.mark.parametrize("contender", ["nn.LSTM", "no compiler"])
def test_the_first_call_of_a_fresh_process(contender: str, tmp_path: Path) -> None:
    measured = [first_call.measured(contender, tmp_path) for _ in range(3)]  # in some of them another process may be in the way
    assert any(imported > 0 and 0 < tenth < 1e6 * first for imported, first, tenth in measured)


def test_a_search_through_a_stream_is_measured() -> None:
    """All steps were read, and all units of the span are found again in the sequence that it is from."""
    steps, _, before, peak, _, best, _, units = match.measure(100_000, 8).split()
    assert steps == "100,000"
    assert float(before.replace(",", "")) <= float(peak.replace(",", ""))
    assert best == units == "1"
