"""pack_padded_sequence and pad_packed_sequence in ONNX: nothing is packed in the file, a layer reads padded input and lengths.

Rows are gathered, or spread out, only where something else than a layer reads or makes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from byhand.interop.onnx_out.nodes import Nodes

INT64 = 7  # onnx.TensorProto.INT64


class Padded(NamedTuple):
    """What packed rows stand for: padded (time, batch, width), lengths (batch,), and the sizes of the batches that came with the rows."""

    padded: str
    lengths: str
    sizes: str


def valid(n: Nodes, steps: str, lengths: str) -> str:
    """Whether a sequence has a step, (steps, batch). steps: a number without dimensions."""
    step = n.op("Range", n.index(0), steps, n.index(1))
    return n.op("Less", n.unsqueeze(step, 1), n.unsqueeze(lengths, 0))


def time_of(n: Nodes, padded: str) -> str:
    """The number of steps, without dimensions."""
    return n.squeeze(n.size(padded, 0), 0)


def rows(n: Nodes, found: Padded) -> str:
    """The valid rows of a padded value, in the order of a packed sequence."""
    there = valid(n, time_of(n, found.padded), found.lengths)
    return n.op("GatherND", found.padded, n.op("Transpose", n.op("NonZero", there), perm=[1, 0]))


def sizes_of(n: Nodes, lengths: str) -> str:
    """The number of sequences that have each step, up to the longest's last."""
    there = valid(n, n.op("ReduceMax", lengths, keepdims=0), lengths)
    return n.op("ReduceSum", n.op("Cast", there, to=INT64), n.ints(1), keepdims=0)


def spread(n: Nodes, data: str, sizes: str) -> Padded:
    """Packed rows as a padded value with zeros where a sequence has ended."""
    batch = n.slice(sizes, 0, 1)
    sequence = n.op("Range", n.index(0), n.squeeze(batch, 0), n.index(1))
    there = n.op("Less", n.unsqueeze(sequence, 0), n.unsqueeze(sizes, 1))
    lengths = n.op("ReduceSum", n.op("Cast", there, to=INT64), n.ints(0), keepdims=0)
    empty = n.zeros(n.size(sizes, 0), batch, n.size(data, 1))
    return Padded(n.op("ScatterND", empty, n.op("Transpose", n.op("NonZero", there), perm=[1, 0]), data), lengths, sizes)


def unpacked(n: Nodes, found: Padded, steps: str, value: float) -> str:
    """As many steps as are asked for, (steps, batch, width), with `value` where a sequence has ended."""
    wanted = n.op("Reshape", steps, n.ints(1))
    missing = n.op("Max", n.op("Sub", wanted, n.size(found.padded, 0)), n.ints(0))
    longer = n.op("Pad", found.padded, n.concat([n.ints(0, 0, 0), missing, n.ints(0, 0)], 0), n.number(0.0))
    there = valid(n, n.squeeze(wanted, 0), found.lengths)
    return n.op("Where", n.unsqueeze(there, 2), n.op("Slice", longer, n.ints(0), wanted, n.ints(0)), n.number(value))
