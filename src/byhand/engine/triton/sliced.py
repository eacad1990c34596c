"""The kernels of layers of any width, loaded, and how they are called: one launch a step, or one for all, in which programs meet."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from byhand.engine.triton import launching
from byhand.engine.triton.kernel import Kernel, load
from byhand.engine.triton.limits import chip_of
from byhand.engine.triton.sliced_source import sliced_source
from byhand.engine.triton.slices import FIRST_ADDRESS, Slices, in_words, pointers, sliced_printer, slices_for
from byhand.engine.triton.steps import RECENT, Launches, captured
from byhand.engine.triton.values import Gradients, Inputs, Outputs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import SimpleNamespace

    from byhand.cells import Cell

ALIGNED = 16  # bytes: the kernels read as many at once
FEW = 1024  # sequences times units that four warps hold
KERNELS = {"forward": ("forward", "forward_output"), "backward": ("backward_output", "backward")}  # of one step, in order


class Sliced(Kernel):
    """For one cell and layers of these sizes, in every number type, with one launch a step."""

    meets = False

    def __init__(self, cell: Cell, hidden: int, projected: int | None) -> None:
        super().__init__(cell, hidden, projected)
        self.outputs = projected
        self.modules: dict[Slices, SimpleNamespace] = {}

    def forward(self, inputs: Inputs, *, keep: bool) -> Outputs:
        """Run the sequence. keep: what the derivative is made from."""
        outputs = self.empty_outputs(inputs, keep=keep)
        if inputs.projection is not None and not keep:  # one step's, which the projection reads
            _, batch, _ = inputs.product.shape
            outputs = outputs._replace(unprojected=inputs.product.new_empty(1, batch, self.hidden))
        carried = [one.new_empty(2, *one.shape, dtype=inputs.product.dtype) for one in inputs.state]
        for both, first in zip(carried, inputs.state, strict=True):
            both[0] = first
        arguments = self.forward_arguments(inputs, outputs, keep=keep)
        self.launch("forward", inputs, arguments | {f"CARRY_{i}": one for i, one in enumerate(carried)})
        for last, both in zip(outputs.last, carried, strict=True):
            last.copy_(both[len(inputs.product) % 2])
        return outputs

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
        blocks = -(-preactivations.shape[1] // self.slices(inputs).rows)
        made = made._replace(vectors=tuple(one.new_zeros(blocks, self.hidden) for one in made.vectors))
        self.launch("backward", inputs, self.backward_arguments(inputs, outputs, preactivations, by_output, made))
        return made._replace(vectors=tuple(one.sum(0) for one in made.vectors))

    def launch(self, name: str, inputs: Inputs, arguments: dict[str, Any]) -> None:
        """Every step, and one more on the way back, for what the first one gives to the first states. RuntimeError in the capture of a CUDA
        graph, if it is the first of its kind.
        """
        device, asked = inputs.product.device, self.request(name, inputs, arguments, self.slices(inputs))
        kind = (*launching.kind(name, device, asked.tensors), asked.slices, asked.dtype, scalars_of(asked))
        with launching.on(device):
            if kind not in self.launched:
                launching.check_first(device)
            self.run(asked, device)
        self.launched.add(kind)

    def request(self, name: str, inputs: Inputs, arguments: dict[str, Any], slices: Slices) -> Request:
        """What is asked of the kernels: tensors, which go into the table, and all else, which each launch is given."""
        own = inputs.state[0].dtype
        tensors = {one: aligned(arguments.get(one)) for one in pointers(self.printer)[name]}
        scalars = {one: value for one, value in arguments.items() if one not in tensors and not isinstance(value, Tensor)}
        scalars |= {"ROWS": slices.rows, "MEET": self.meets, "OWN": own_type(own)}
        count = scalars.pop("T")
        return Request(name, slices, tensors, {one: value for one, value in scalars.items() if value is not None}, count, own)

    def run(self, asked: Request, device: torch.device) -> None:
        """Launch by launch, or as graphs: outside of a capture of the caller's, whose graph gets the launches themselves."""
        count = asked.steps + (asked.name == "backward")
        if device.type != "cuda" or torch.cuda.is_current_stream_capturing():
            self.launches(asked, device).run(partial(self.write, asked), count, None)
            return
        kind = (
            self,
            device,
            torch.cuda.current_stream().stream_id,
            asked.name,
            asked.slices,
            asked.dtype,
            scalars_of(asked),
        )
        RECENT.get(kind, partial(self.launches, asked, device)).run(partial(self.write, asked), count, captured)

    def launches(self, asked: Request, device: torch.device) -> Launches:
        """Those of a kind of call: nothing in them belongs to one call alone."""
        table = torch.empty(FIRST_ADDRESS + len(asked.tensors), dtype=torch.int64, device=device)
        module, slices, scalars = self.module_of(asked.slices), asked.slices, asked.scalars
        rows = -(-scalars["B"] // slices.rows)
        grids = {"H": (rows, -(-self.hidden // slices.units)), "O": (rows, -(-(self.outputs or 0) // slices.units))}
        steps = self.names(asked.name)
        how = self.options(asked.dtype, slices)
        if self.meets and device.type == "cuda":  # the interpreter knows no such launch
            how["launch_cooperative_grid"] = True

        def step(table: Tensor, offset: int) -> None:
            for one in steps:
                grid = grids["O" if one.endswith("output") else "H"]
                getattr(module, one)[grid](TABLE=table, OFFSET=offset, **scalars, **how)

        return Launches(table, step, module.advance[(1,)])

    def options(self, dtype: torch.dtype, slices: Slices) -> dict[str, Any]:
        """How Triton compiles them."""
        return options(dtype, slices, addresses=self.meets or not in_words((self.hidden, self.outputs)))

    def names(self, way: str) -> list[str]:
        """The kernels of one step, in order."""
        return [one for one in KERNELS[way] if self.outputs is not None or not one.endswith("output")]

    def write(self, asked: Request, table: Tensor) -> None:
        """The table of a call: where its tensors lie, how many steps there are, and that the first is next."""
        getattr(self.module_of(asked.slices), f"{asked.name}_table")[(1,)](table, asked.steps, **asked.tensors)

    def module_of(self, slices: Slices) -> SimpleNamespace:
        """The kernels with blocks of these sizes."""
        if slices not in self.modules:
            printer = sliced_printer(self.cell, self.partition, self.hidden, self.outputs, slices)
            functions = ["advance", "forward_table", "backward_table", "forward", "backward"]
            functions += [] if self.outputs is None else ["forward_output", "backward_output"]
            name = f"<byhand's kernels of {self.cell.name}, {self.hidden} units, {self.outputs} projected, {slices}>"
            self.modules[slices] = load(name, sliced_source(printer), functions)
        return self.modules[slices]

    def slices(self, inputs: Inputs) -> Slices:
        """The sizes of the blocks that a program runs."""
        _, batch, _ = inputs.product.shape
        own, chip = inputs.state[0].dtype, chip_of(inputs.product.device)
        return slices_for(batch, (self.hidden, self.outputs), own, chip, meets=self.meets)


class Cooperative(Sliced):
    """The same with all steps in one launch, in which the programs of a block of sequences meet after each. The launch is a cooperative
    one, which a GPU refuses where not all programs find room at once; they would wait for ever.
    """

    meets = True

    def run(self, asked: Request, device: torch.device) -> None:
        """One launch."""
        self.all_at_once(self.counted(asked, device), device)

    def counted(self, asked: Request, device: torch.device) -> Request:
        """With a counter for each block of sequences."""
        blocks = -(-asked.scalars["B"] // asked.slices.rows)
        return asked._replace(tensors=asked.tensors | {"COUNT": torch.zeros(blocks, dtype=torch.int32, device=device)})

    def all_at_once(self, asked: Request, device: torch.device) -> None:
        """Write the table, and launch the kernel that reads it."""
        launches = self.launches(asked, device)
        self.write(asked, launches.table)
        launches.step(launches.table, 0)


class Request(NamedTuple):
    """One run of a kernel over all steps of a call."""

    name: str
    slices: Slices
    tensors: dict[str, Tensor | None]
    scalars: dict[str, Any]
    steps: int
    dtype: torch.dtype


def scalars_of(asked: Request) -> tuple[tuple[str, str], ...]:
    """All that a launch is given beside the table, for comparison."""
    return tuple(sorted((one, str(value)) for one, value in asked.scalars.items()))


def options(dtype: torch.dtype, slices: Slices, *, addresses: bool) -> dict[str, Any]:
    """How Triton compiles them: with so many warps that nothing spills, for which NVIDIA's compiler has to be let take all registers in
    float64. addresses: they hold many, of all steps, or of values that are read one by one.
    """
    few = slices.rows * slices.units <= FEW and not addresses
    made = {"num_warps": 4 if few else 8, "num_stages": 2, "enable_fp_fusion": True}
    return made | {"maxnreg": 255} if few and dtype == torch.float64 else made


def own_type(dtype: torch.dtype) -> Any:
    """A number type in Triton's words."""
    import triton.language as tl  # noqa: PLC0415 (which none but a GPU needs)

    return {torch.float64: tl.float64, torch.float32: tl.float32, torch.bfloat16: tl.bfloat16, torch.float16: tl.float16}[dtype]


def aligned(tensor: Tensor | None) -> Tensor | None:
    """The tensor, or a copy of what begins in the middle of another on a GPU. None that is written does."""
    if tensor is None or tensor.device.type != "cuda" or tensor.data_ptr() % ALIGNED == 0:
        return tensor
    return tensor.clone()


@cache
def sliced(cell: Cell, hidden: int, projected: int | None) -> Sliced:
    """The kernels of a cell for layers of these sizes."""
    return Sliced(cell, hidden, projected)


@cache
def cooperative(cell: Cell, hidden: int, projected: int | None) -> Cooperative:
    """The same kernels, for one launch."""
    return Cooperative(cell, hidden, projected)
