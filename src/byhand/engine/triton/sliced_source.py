"""A cell's kernels for layers of any width: a program runs a block of sequences and a block of units, with all gates of these units.

Between two steps everything is in memory, where every program finds what the others made: the states before a step in one half of CARRY,
those after it in the other; on the way back the gradients by pre-activations, of which each step reads those of the step after it. The
same text runs one step (a launch each) or, MEET, all of them: then the programs of a block of sequences count themselves in after each
step, and wait until all have.

A kernel gets the addresses of its tensors, the number of steps and the step at which it begins out of a table in the GPU's memory. So the
launches of a step are the same for every call and every length, and a captured graph of them serves all.

Names are those of source.py; besides: step counts the steps as they are run, half is the half of CARRY that is read, i_k indices of what
is summed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from byhand.engine.triton.sliced_backward import backward, backward_output
from byhand.engine.triton.sliced_forward import forward, forward_output
from byhand.engine.triton.slices import addresses, pointers
from byhand.engine.triton.statements import HEAD

if TYPE_CHECKING:
    from byhand.engine.triton.slices import SlicedPrinter

TABLE = '''
@triton.jit
def there(TABLE, PLACE: tl.constexpr, KIND: tl.constexpr):
    """A tensor by its address. The host sees to it that each begins at a multiple of 16 bytes."""
    return tl.multiple_of(tl.load(TABLE + PLACE).to(tl.pointer_type(KIND)), 16)


@triton.jit(do_not_specialize=["STEPS"])
def advance(TABLE, STEPS):
    """The next launches run the steps after these."""
    tl.store(TABLE, tl.load(TABLE) + STEPS)


@triton.jit
def meet(COUNT, times):
    """Wait until every program of this block of sequences has come here so many times. What each wrote before is there after it."""
    tl.debug_barrier()
    tl.atomic_add(COUNT + tl.program_id(0), 1, sem="release")
    while tl.atomic_add(COUNT + tl.program_id(0), 0, sem="acquire") < times * tl.num_programs(1):
        pass
    tl.debug_barrier()
'''


def sliced_source(p: SlicedPrinter) -> str:
    """The text of a module with the kernels of a step, both ways, and those around them."""
    lines = [HEAD, TABLE, ""]
    for name, tensors in pointers(p.base).items():
        lines += ["", *addresses(f"{name}_table", tensors), ""]
    steps = [forward(p), backward(p)]
    if p.base.axes.outputs is not None:
        steps += [forward_output(p), backward_output(p)]
    for step in steps:
        lines += ["", *step, ""]
    return "\n".join(lines)
