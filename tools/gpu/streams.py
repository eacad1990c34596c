"""What only a GPU has, beside the same on the CPU in float64: graphs of the caller's, streams, a second device; and check_engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

import byhand
from byhand import cells
from byhand.engine.triton import engine
from byhand.testing import check_engine
from tools.gpu.machine import DEVICE, INTERPRETED
from tools.gpu.pairs import Use, off, pair, trained

WAITING = 50_000_000  # cycles of a GPU that other work keeps a stream busy, some 30 ms


def captured() -> float | str:
    if INTERPRETED:
        return "there are no CUDA graphs in the interpreter"
    ours, theirs, x = pair()
    given = torch.zeros_like(x, device=DEVICE)
    with torch.no_grad(), byhand.use_engine("triton"):
        graph, made = graph_of(lambda: ours(given)[0])
        given.copy_(x)
        graph.replay()
        return off(made, theirs(x)[0])


def captured_training() -> float | str:
    if INTERPRETED:
        return "there are no CUDA graphs in the interpreter"
    ours, theirs, x = pair()
    given = torch.zeros_like(x, device=DEVICE)
    graph, made = graph_of(lambda: trained(ours, given, "triton"))
    given.copy_(x)
    graph.replay()
    return off(made, trained(theirs, x, "reference"))


def graph_of(work: Callable[[], Any]) -> tuple[torch.cuda.CUDAGraph, Any]:
    """The work captured, after two runs on a stream of its own, as torch asks for it; and the tensors that it writes into."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(2):
            work()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        made = work()
    return graph, made


def streamed() -> float | str:
    if INTERPRETED:
        return "there are no streams in the interpreter"
    ours, theirs, x = pair()
    trained(ours, x.to(DEVICE), "triton")  # compiled, so that nothing but the stream decides what comes first
    pinned, given, side = x.pin_memory(), torch.full_like(x, float("nan"), device=DEVICE), torch.cuda.Stream()
    torch.cuda.synchronize()
    with torch.cuda.stream(side):
        torch.cuda._sleep(WAITING)
        given.copy_(pinned, non_blocking=True)
        found = trained(ours, given, "triton")
    side.synchronize()
    return off(found, trained(theirs, x, "reference"))


def second_device() -> float | str:
    if INTERPRETED or torch.cuda.device_count() < 2:
        return "there is no second GPU here"
    ours, theirs, x = pair()
    ours = ours.to("cuda:1")  # the current device stays the first one
    return off(trained(ours, x.to("cuda:1"), "triton"), trained(theirs, x, "reference"))


def conformance() -> float | str:
    if INTERPRETED:
        return "make test does this in the interpreter"
    check_engine(engine, device=DEVICE, chosen=(cells.lstm, cells.gru))  # EngineError if it differs
    return 0.0


USES: dict[str, Use] = {
    "captured in a CUDA graph, inference": captured,
    "captured in a CUDA graph, training": captured_training,
    "on a stream of its own, behind other work": streamed,
    "on a second device": second_device,
    "check_engine, lstm and gru": conformance,
}
