"""The launches of a GPU's steps as graphs, with graphs that are none: what is launched, in which order, and what is kept."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from byhand.engine.triton.steps import KEPT, LONGEST, Launches, Recent, pieces


class Gpu:
    """Its stream: the steps that ran. A graph of it runs what was captured, at the step at which the table then stands."""

    def __init__(self) -> None:
        self.ran: list[int] = []
        self.captured: list[int] = []
        self.recording: list[Callable[[], None]] | None = None

    def do(self, work: Callable[[], None]) -> None:
        """Now, or when the graph that is being captured is replayed."""
        if self.recording is None:
            work()
        else:
            self.recording.append(work)

    def launches(self) -> Launches:
        def step(table: Tensor, offset: int) -> None:
            self.do(lambda: self.ran.append(int(table[0]) + offset))

        def advance(table: Tensor, by: int) -> None:
            self.do(lambda: table[0].add_(by))  # type: ignore[arg-type,return-value]

        return Launches(torch.full((2,), -1000), step, advance)

    def capture(self, work: Callable[[], object]) -> Callable[[], object]:
        self.recording = recorded = []
        work()
        self.recording = None
        self.captured.append(len(recorded) - 1)
        return lambda: [one() for one in recorded]


def from_start(table: Tensor) -> None:
    table[0] = 0


@pytest.mark.parametrize("count", [0, 1, 2, 3, 63, 64, 65, 100, 127, 1000])
def test_pieces_are_powers_of_two_that_add_up(count: int) -> None:
    found = pieces(count)
    assert sum(found) == count and found == sorted(found, reverse=True)
    assert all(one & (one - 1) == 0 and 0 < one <= LONGEST for one in found)
    assert len({one for one in found if one < LONGEST}) == len([one for one in found if one < LONGEST])


def test_every_step_runs_once_and_in_order_with_and_without_graphs() -> None:
    gpu = Gpu()
    launches = gpu.launches()
    for count in (5, 100, 5, 37, 1, 200):
        gpu.ran.clear()
        launches.run(from_start, count, gpu.capture)
        assert gpu.ran == list(range(count))
    # The first call is launched step by step. Then 100 = 64 + 32 + 4, 5 = 4 + 1, and 200 = 3 x 64 + 8; each size is captured once.
    assert gpu.captured == [64, 32, 4, 1, 8]


def test_without_a_way_to_capture_all_is_launched() -> None:
    gpu = Gpu()
    launches = gpu.launches()
    for _ in range(3):
        launches.run(from_start, 70, None)
    assert gpu.ran == 3 * list(range(70)) and gpu.captured == [] and not launches.graphs


def test_a_failed_capture_leaves_no_graph() -> None:
    gpu = Gpu()
    launches = gpu.launches()
    launches.run(from_start, 2, gpu.capture)

    def fails(work: Callable[[], object]) -> Callable[[], object]:
        raise RuntimeError("operation not permitted when stream is capturing")

    with pytest.raises(RuntimeError, match="not permitted"):
        launches.run(from_start, 2, fails)
    assert not launches.graphs
    gpu.ran.clear()
    launches.run(from_start, 2, gpu.capture)  # the lock is free, the table written again
    assert gpu.ran == [0, 1] and gpu.captured == [2]


def test_the_kinds_used_last_are_kept_and_the_gpu_is_waited_for_before_one_goes() -> None:
    waited: list[int] = []
    kinds, gpu = Recent(lambda: waited.append(1)), Gpu()
    made = [kinds.get(kind, gpu.launches) for kind in range(KEPT)]
    assert kinds.get(0, gpu.launches) is made[0] and not waited
    kinds.get("another", gpu.launches)  # in place of 1, which was used least lately
    assert len(waited) == 1 and len(kinds.found) == KEPT
    assert kinds.get(0, gpu.launches) is made[0]
    assert kinds.get(1, gpu.launches) is not made[1]
