"""A false torch.cuda, for what captures CUDA graphs: a graph on the CPU is the list of operations that ran while it was captured."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Graph:
    """Operations with the very tensors that they read and wrote."""

    def __init__(self) -> None:
        self.operations: list[tuple[Any, Any, Any, Any]] = []

    def replay(self) -> None:
        """Run them on what the tensors hold now."""
        with torch.no_grad():
            for function, args, kwargs, made in self.operations:
                if writes(function):
                    function(*args, **kwargs)
                elif not gives_views(function):
                    for there, value in zip(tensors(made), tensors(function(*args, **kwargs)), strict=True):
                        there.copy_(value)


class Capture(TorchDispatchMode):
    """Fills a graph. As on a GPU nothing is computed meanwhile: what is written into stays as it is, what is made is no number."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = graph

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        made = args[0] if writes(function) else function(*args, **kwargs)
        self.graph.operations.append((function, args, kwargs, made))
        if not writes(function) and not gives_views(function):
            for one in tensors(made):
                one.fill_(float("nan") if one.is_floating_point() else 0)
        return made


def tensors(values: Any) -> list[Tensor]:
    return [one for one in tree_leaves(values) if isinstance(one, Tensor)]


def writes(function: Any) -> bool:
    return function._schema.is_mutable


def gives_views(function: Any) -> bool:
    return any(one.alias_info is not None for one in function._schema.returns)


class Stream:
    """Where a GPU's operations wait for one another."""

    def __init__(self, waits: list[str]) -> None:
        self.waits = waits

    def wait_stream(self, other: Stream) -> None:
        self.waits.append("wait")


class Cuda:
    """What byhand.nn.captured asks of torch.cuda. fails: the next captures end with a RuntimeError."""

    CUDAGraph = Graph

    def __init__(self) -> None:
        self.graphs: list[Graph] = []
        self.waits: list[str] = []
        self.fails = self.captures_already = False

    def is_current_stream_capturing(self) -> bool:
        return self.captures_already

    def current_stream(self) -> Stream:
        return Stream(self.waits)

    Stream = current_stream

    def device(self, device: torch.device) -> Any:
        return nullcontext()

    def stream(self, stream: Stream) -> Any:
        return nullcontext()

    @contextmanager
    def graph(self, graph: Graph, *, stream: Stream, capture_error_mode: str) -> Iterator[None]:
        assert capture_error_mode == "thread_local"
        if self.fails:
            raise RuntimeError("CUDA error: operation not permitted when stream is capturing\nfurther lines")
        with Capture(graph):
            yield
        self.graphs.append(graph)
