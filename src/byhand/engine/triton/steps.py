"""Launches, one a step: as graphs of 1, 2, 4, … steps, which serve every number of steps.

A launch from Python takes longer than a step does on a GPU. So the launches of several steps are captured as one CUDA graph; a sequence of
100 steps is then three of them, 64 + 32 + 4. That a graph may be replayed for another call, its launches read where their tensors lie,
and at which step they are, from a table in the GPU's memory (slices.py), which is written before.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

LONGEST = 64  # steps of the largest graph: capturing it takes a millisecond or two
KEPT = 32  # how many kinds of launches have their graphs kept
Work = Callable[[], object]


def pieces(count: int) -> list[int]:
    """Powers of two, none above LONGEST, that add up to `count`: the largest first."""
    made = [LONGEST] * (count // LONGEST)
    rest = count % LONGEST
    return made + [1 << place for place in reversed(range(rest.bit_length())) if rest >> place & 1]


class Launches:
    """The steps of calls of one kind, in order: all that one launch is given but the table is the same for them.

    step(table, offset): launch the step `offset` after that which the table begins with. advance(table, steps): let it begin later.
    """

    def __init__(self, table: Tensor, step: Callable[[Tensor, int], object], advance: Callable[[Tensor, int], object]) -> None:
        self.table, self.step, self.advance = table, step, advance
        self.graphs: dict[int, Work] = {}
        self.ran, self.lock = False, Lock()

    def run(self, write: Callable[[Tensor], object], count: int, capture: Callable[[Work], Work] | None) -> None:
        """Run `count` steps. write: the table, for this call. capture: work to a graph that can be replayed; None: launch step by step.

        The first call of a kind is launched step by step, too: that compiles and loads the kernels, which no capture may do, and for a
        call that comes once a graph would be no gain.
        """
        with self.lock:  # the table belongs to one call until its launches are in the stream
            write(self.table)
            for steps in pieces(count):
                if capture is None or not self.ran:
                    self.launch(steps)
                    continue
                if steps not in self.graphs:
                    self.graphs[steps] = capture(lambda steps=steps: self.launch(steps))
                self.graphs[steps]()
            self.ran = True

    def launch(self, steps: int) -> None:
        """So many steps, one by one."""
        for offset in range(steps):
            self.step(self.table, offset)
        self.advance(self.table, steps)


class Recent:
    """The launches of the kinds that were used last. dropped: called before one is given up, for its graph may still be running."""

    def __init__(self, dropped: Work) -> None:
        self.found: OrderedDict[Hashable, Launches] = OrderedDict()
        self.lock, self.dropped = Lock(), dropped

    def get(self, kind: Hashable, make: Callable[[], Launches]) -> Launches:
        """Those of this kind, made if there are none."""
        with self.lock:
            made = self.found.pop(kind, None) or make()
            self.found[kind] = made
            if len(self.found) > KEPT:
                self.dropped()
                self.found.popitem(last=False)
            return made


def captured(work: Work) -> Work:
    """A CUDA graph of what `work` launches on the current device; replays it in the stream that is current then. Nothing is run."""
    graph, stream = torch.cuda.CUDAGraph(), torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        graph.capture_begin(capture_error_mode="thread_local")
        try:
            work()
        finally:
            graph.capture_end()
    torch.cuda.current_stream().wait_stream(stream)
    return graph.replay


def synchronized() -> None:
    """Wait for the GPU."""
    torch.cuda.synchronize()


RECENT = Recent(synchronized)
