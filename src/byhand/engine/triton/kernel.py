"""A cell's kernels, loaded, and how they are called: tensors in, tensors out, no gradients."""

from __future__ import annotations

import linecache
from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from byhand.engine.triton import launching
from byhand.engine.triton.blocks import Plan, plan
from byhand.engine.triton.printer import Printer
from byhand.engine.triton.source import source
from byhand.engine.triton.values import Gradients, Inputs, Outputs
from byhand.ir import partition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from byhand.cells import Cell
    from byhand.engine.call import Call

ROWS = 8  # sequences a program runs: what a step costs is waiting, so few of them, on many processors
FEW = 64  # units that four warps hold
IEEE = (
    64  # units up to which float32 is multiplied as it is, without matrix units: above, a program would not fit its registers
)


class Kernel:
    """For one cell and layers of these sizes, in every number type. Raises UntraceableError; ImportError without Triton."""

    def __init__(self, cell: Cell, hidden: int, projected: int | None) -> None:
        self.cell, self.partition = cell, partition(cell)
        self.axes: Plan = plan(hidden, projected)
        self.printer = Printer(cell, self.partition, self.axes)
        self.hidden = hidden
        self.launched: set[tuple[Any, ...]] = set()
        self.module = load(f"<byhand's kernels of {cell.name}, {hidden} units, {projected} projected>", source(self.printer))

    def forward(self, inputs: Inputs, *, keep: bool) -> Outputs:
        """Run the sequence. keep: what the derivative is made from."""
        outputs = self.empty_outputs(inputs, keep=keep)
        self.launch("forward", inputs, self.forward_arguments(inputs, outputs, keep=keep))
        return outputs

    def empty_outputs(self, inputs: Inputs, *, keep: bool) -> Outputs:
        """The tensors that forward fills."""
        time, batch, _ = inputs.product.shape
        own, printer = inputs.state[0].dtype, self.printer

        def history(state: int, dtype: torch.dtype) -> Tensor:
            return inputs.product.new_empty(time, batch, inputs.state[state].shape[1], dtype=dtype)

        states = range(len(self.cell.state))
        given = tuple(history(i, own) if i == 0 or (keep and i in printer.sources) else None for i in states)
        read, sums = printer.read_again if keep else [], inputs.product.dtype
        there = tuple(
            None if i not in read else history(i, sums) if given[i] is None or own != sums else given[i] for i in states
        )
        unprojected = None
        if keep and inputs.projection is not None:
            unprojected = inputs.product.new_empty(time, batch, self.hidden)
        return Outputs(tuple(map(torch.empty_like, inputs.state)), given, there, unprojected)

    def forward_arguments(self, inputs: Inputs, outputs: Outputs, *, keep: bool) -> dict[str, Any]:
        """What the kernel is called with, by name."""
        arguments = self.common(inputs, keep=keep) | {"X": inputs.product, "BIAS": inputs.recurrent_bias}
        for i in range(len(self.cell.state)):
            arguments[f"LAST_{i}"], arguments[f"GIVEN_{i}"] = outputs.last[i], outputs.given[i]
            arguments[f"STATE_{i}"] = outputs.states[i]
        return arguments | {"UNPROJECTED": outputs.unprojected}

    def backward(
        self,
        inputs: Inputs,
        outputs: Outputs,
        preactivations: Tensor,
        by_output: Tensor | None,
        by_last: Sequence[Tensor | None],
    ) -> Gradients:
        """preactivations: of every step, (time, batch, preactivations*hidden), as partition.preactivations lists them."""
        made = self.empty_gradients(inputs, preactivations, by_last)
        self.launch("backward", inputs, self.backward_arguments(inputs, outputs, preactivations, by_output, made))
        return made._replace(vectors=tuple(one.sum(0) for one in made.vectors))

    def empty_gradients(self, inputs: Inputs, preactivations: Tensor, by_last: Sequence[Tensor | None]) -> Gradients:
        """The tensors that backward fills: of vectors one row a program; those by last states become those by first ones."""
        (time, batch, _), sums = preactivations.shape, preactivations.dtype
        state = tuple(
            torch.zeros_like(one, dtype=sums) if by is None else by.to(sums, copy=True, memory_format=torch.contiguous_format)
            for one, by in zip(inputs.state, by_last, strict=True)
        )
        projected = None if inputs.projection is None else preactivations.new_empty(time, batch, len(inputs.projection))
        vectors = tuple(preactivations.new_empty(programs(batch), self.hidden) for _ in self.cell.vectors)
        restart = tuple(torch.empty_like(one, dtype=sums) for one in inputs.restart)
        return Gradients(torch.empty_like(preactivations), projected, vectors, state, restart)

    def backward_arguments(
        self, inputs: Inputs, outputs: Outputs, preactivations: Tensor, by_output: Tensor | None, made: Gradients
    ) -> dict[str, Any]:
        """What the kernel is called with, by name."""
        arguments = self.common(inputs, keep=by_output is not None)
        arguments |= {"A": preactivations, "BY_OUTPUT": by_output, "BY_A": made.preactivations, "BY_PROJECTED": made.projected}
        arguments |= {f"STATE_{i}": one for i, one in enumerate(outputs.states)}
        arguments |= {f"BY_{i}": one for i, one in enumerate(made.state)}
        arguments |= {f"BY_RESTART_{i}": one for i, one in enumerate(made.restart or (None,) * len(made.state))}
        return arguments | {f"BY_P_{i}": one for i, one in enumerate(made.vectors)}

    def common(self, inputs: Inputs, *, keep: bool) -> dict[str, Any]:
        """Arguments of both kernels."""
        import triton.language as tl  # noqa: PLC0415 (which none but a GPU needs)

        time, batch, _ = inputs.product.shape
        own, sums = inputs.state[0].dtype, inputs.product.dtype
        arguments = {"U": inputs.state[0] if inputs.recurrent is None else inputs.recurrent, "W": inputs.projection}
        arguments |= {f"FIRST_{i}": one for i, one in enumerate(inputs.state)}
        arguments |= {f"RESTART_{i}": one for i, one in enumerate(inputs.restart or (None,) * len(inputs.state))}
        arguments |= {f"P_{i}": one for i, one in enumerate((*inputs.vectors, *inputs.noise))}
        for i, mask in enumerate(
            inputs.noise, len(inputs.vectors)
        ):  # one for all steps, or all sequences, is read again and again
            arguments[f"TIME_{i}"] = 0 if len(mask) == 1 else mask.stride(0)
            arguments[f"ROW_{i}"] = 0 if mask.shape[1] == 1 else mask.stride(1)
        precision = product_precision(own, self.axes.units.width)
        return arguments | {
            "LENGTHS": inputs.lengths,
            "CUT": inputs.cut,
            "T": time,
            "B": batch,
            "H": self.hidden,
            "O": self.hidden if inputs.projection is None else len(inputs.projection),
            "ROWS": ROWS,
            "RAGGED": inputs.lengths is not None,
            "CUTS": inputs.cut is not None,
            "REVERSE": inputs.reverse,
            "KEEP": keep,
            "LOW": own != sums,
            "PREC": precision,
            "FAST": own != sums or precision == "tf32",
            "ACC": tl.float64 if sums == torch.float64 else tl.float32,
        }

    def launch(self, name: str, inputs: Inputs, arguments: dict[str, Any]) -> None:
        """One launch for all steps. RuntimeError in the capture of a CUDA graph, if it is the first of its kind."""
        device = inputs.product.device
        kind = launching.kind(name, device, arguments)
        with launching.on(device):
            if kind not in self.launched:
                launching.check_first(device)
            getattr(self.module, name)[(programs(inputs.product.shape[1]),)](
                **arguments, **options(self.axes, inputs.state[0].dtype, cuts=inputs.cut is not None)
            )
        self.launched.add(kind)


def programs(batch: int) -> int:
    """How many programs run a batch."""
    return -(-batch // ROWS)


def options(axes: Plan, dtype: torch.dtype, *, cuts: bool = False) -> dict[str, Any]:
    """How Triton compiles them: with so many warps that nothing spills, for which NVIDIA's compiler has to be let take all registers in
    float64; one step's values are loaded ahead. cuts: sequences start again, which takes more of them.
    """
    made = {"num_warps": 4 if axes.units.width <= (FEW // 2 if cuts else FEW) else 8, "num_stages": 2, "enable_fp_fusion": True}
    return made | {"maxnreg": 255} if dtype == torch.float64 else made


def product_precision(dtype: torch.dtype, units: int) -> str:
    """How float32 is multiplied: as torch's own layers do with cuDNN, in tf32 where torch.backends.cudnn allows it, else as it is, or by
    three products of tf32, which is as exact to a bit or two.
    """
    if dtype != torch.float32:
        return "ieee"
    if torch.backends.cudnn.rnn.fp32_precision == "tf32":  # type: ignore[attr-defined]
        return "tf32"
    return "ieee" if units <= IEEE else "tf32x3"


@cache
def kernel(cell: Cell, hidden: int, projected: int | None) -> Kernel:
    """The kernels of a cell for layers of these sizes."""
    return Kernel(cell, hidden, projected)


def sizes_of(call: Call) -> tuple[int, int | None]:
    """How many units a call's layer has, and how many outputs if they are projected."""
    projection = call.weights.projection
    return len(call.weights.input) // len(call.cell.gates), None if projection is None else len(projection)


def load(name: str, text: str, functions: Sequence[str] = ("forward", "backward")) -> SimpleNamespace:
    """What was printed, as functions that Triton compiles for what they are called with. It reads their text again, and finds it under
    this name, in no file.
    """
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    found: dict[str, Any] = {"__name__": "byhand_kernels"}
    exec(compile(text, name, "exec"), found)
    return SimpleNamespace(**{function: found[function] for function in functions})
