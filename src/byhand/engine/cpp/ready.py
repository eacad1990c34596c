"""Calls made ready: for short sequences, where listing the arguments takes longer than the kernel."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from torch import Tensor

from byhand.engine.cpp.kernel import Given, Kernel, Ran

# Words of the kernel's struct, see call.h: a call differs from the one before in these only.
THREADS, INPUT, FIRST = 6, 13, 22


class Ready:
    """One layer's call without gradients, for one shape of input; needs the output of all states but one overwritten in place.

    packed: the weights as the kernel packs them; without, they are read where they are at each call.
    """

    def __init__(self, kernel: Kernel, given: Given, packed: Tensor | None = None) -> None:
        time, batch = given.input.shape[:2]
        hidden = given.weights.input.shape[0] // len(kernel.cell.gates)
        output = given.input.new_empty(time, batch, hidden)
        histories = (output, *(None for _ in given.state[1:]))
        self.kernel, self.given, self.packed = kernel, given, packed  # whose memory the words point to
        self.words = kernel.words(given, Ran(output, given.state, histories, None, None), packed=packed)
        self.states = len(given.state)
        self.output = FIRST + self.states  # the word that says where the output goes

    def bound(self, first: Sequence[int], last: Sequence[int], threads: int) -> array[int]:
        """The words, but for input and output, of a call with these states, given as addresses. The last may be written over the
        first.
        """
        words, states = array("q", self.words), self.states
        words[THREADS] = threads
        words[FIRST : FIRST + states] = array("q", first)
        words[FIRST + states + 1 : FIRST + 2 * states] = array("q", last[1:])
        words[FIRST + 3 * states : FIRST + 4 * states] = array("q", last)
        return words


def fits(kernel: Kernel, given: Given) -> bool:
    """Whether such a call can be made ready: no projection, no ragged lengths, and only the output read by the recurrent product."""
    return given.weights.projection is None and given.lengths is None and kernel.sources in ([0], [])
