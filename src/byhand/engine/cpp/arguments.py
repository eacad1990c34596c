"""The arguments of a kernel: one list of fields, printed as the C++ struct that a kernel reads, and found by name in Python.

Python fills in a flat array of 64-bit words. Nothing outside this file knows in which order they stand.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torch import Tensor


class Field(NamedTuple):
    """A member of the struct: a C++ type, and how many of it there are: one, one a state, or one a parameter (and one spare)."""

    name: str
    type: str
    meaning: str
    each: str = ""
    words: int = 1


NUMBER, READ, WRITTEN, READ_P, WRITTEN_P = "int64_t", "const T*", "T*", "const P*", "P*"  # P: what is multiplied
STATE, PARAMETER = "STATES", "PARAMETERS + 1"  # no C++ array has length 0
FIELDS = (
    Field("time", NUMBER, "steps"),
    Field("batch", NUMBER, "sequences"),
    Field("input", NUMBER, "width of the input"),
    Field("hidden", NUMBER, "units"),
    Field("output", NUMBER, "width of the first state: hidden, or as wide as it is projected"),
    Field("reverse", NUMBER, "whether it runs from the last step to the first"),
    Field("threads", NUMBER, "at most"),
    Field("wants_first", NUMBER, "backward: whether gradients by the first states are wanted"),
    Field("saves", NUMBER, "forward: whether `saved` is filled"),
    Field("pool", "Pool", "functions of the OpenMP library that torch has loaded; zeros: threads are started here", words=3),
    Field("lengths", "const int64_t*", "(batch); 0 if all sequences are of full length"),
    Field(
        "offsets",
        "const int64_t*",
        "(time): where each step's rows begin, of packed sequences, which have none where they have ended",
    ),
    Field("x", READ_P, "(time, batch, input), as all with time and batch; packed, (rows, input)"),
    Field("weight_x", READ_P, "weights as torch lays them out; 0 where there is none"),
    Field("weight_h", READ_P, ""),
    Field("bias_x", READ_P, ""),
    Field("bias_h", READ_P, ""),
    Field("weight_projection", READ_P, ""),
    Field("saved", WRITTEN, "(time, batch, preactivations * hidden): what the derivative is made from"),
    Field("unprojected", WRITTEN_P, "(time, batch, hidden): the step's own output, where it is then projected"),
    Field("packed", WRITTEN_P, "the weights as pack() lays them out; 0: packed during the call"),
    Field("first", READ, "(batch, width): the states before the first step", STATE),
    Field("history", WRITTEN, "(time, batch, width), or (batch, width) overwritten step by step", STATE),
    Field("history_time", NUMBER, "values from one step's to the next; 0 if overwritten", STATE),
    Field("last", WRITTEN, "(batch, width): the states after each sequence's last step", STATE),
    Field(
        "first_given",
        READ_P,
        "(batch, width): instead of first where P is narrower than T; a history that is 0 is then overwritten",
        STATE,
    ),
    Field("last_given", WRITTEN_P, "(batch, width): instead of last", STATE),
    Field(
        "rounded",
        WRITTEN_P,
        "(time, batch, width): the new states as the recurrent product reads them; 0 if nobody does",
        STATE,
    ),
    Field("parameter", READ_P, "vectors (hidden), then masks", PARAMETER),
    Field("parameter_time", NUMBER, "values from one step's to the next; 0 if it is the same at every step", PARAMETER),
    Field("parameter_batch", NUMBER, "values from one sequence's to the next; 0 if it is the same for all", PARAMETER),
    Field("grad_output", READ_P, "(time, batch, output); 0 for zeros. This and all below: backward only"),
    Field("grad_state", WRITTEN, "(batch, width): by the last states before the call, by the first ones after it", STATE),
    Field(
        "grad_preactivations", WRITTEN_P, "(time, batch, preactivations * hidden); 0 where the next but one four are made here"
    ),
    Field("grad_projected", WRITTEN_P, "(time, batch, output), with grad_preactivations"),
    Field("grad_x", WRITTEN, "shaped as what they are by; 0 if not wanted"),
    Field("grad_weight_x", WRITTEN, ""),
    Field("grad_weight_h", WRITTEN, ""),
    Field("grad_weight_projection", WRITTEN, ""),
    Field("grad_bias", WRITTEN, "(preactivations * hidden)"),
    Field("grad_parameter", WRITTEN, "(hidden); 0 if not wanted", PARAMETER),
    Field("grad_history", WRITTEN, "(time, batch, hidden): by each new state in full; 0 if not wanted", STATE),
    Field("cut", "const uint8_t*", "(time, batch): whether the states before the step are those of restart; 0 if nowhere"),
    Field("restart", READ, "(batch, width)", STATE),
    Field("grad_restart", WRITTEN, "(batch, width), to be added to; 0 if not wanted", STATE),
)


def struct() -> str:
    """The C++ struct, a line a field."""
    lines = (
        f"    {one.type} {one.name}{f'[{one.each}]' if one.each else ''};  // {one.meaning}".rstrip(" /") for one in FIELDS
    )
    return "\n".join(["struct Call {", *lines, "};"])


class Arguments:
    """Where each field stands among the words, as an attribute of its name: an index, or a slice where it holds several."""

    def __init__(self, states: int, parameters: int) -> None:
        many, start = {STATE: states, PARAMETER: parameters + 1}, 0
        for field in FIELDS:
            size = many[field.each] if field.each else field.words
            vars(self)[field.name] = slice(start, start + size) if field.each or size > 1 else start
            start += size
        self.size, self.empty = start, bytes(8 * start)

    if TYPE_CHECKING:

        def __getattr__(self, field: str) -> Any: ...

    def zeros(self) -> array[int]:
        """The words, all zero: no tensor anywhere."""
        return array("q", self.empty)


def addresses(tensors: Sequence[Tensor | None]) -> array[int]:
    return array("q", [0 if one is None else one.data_ptr() for one in tensors])


def put(argv: array[int], place: slice, values: Iterable[int]) -> None:
    """Fill in the first of a field's words."""
    given = array("q", values)
    assert len(given) <= place.stop - place.start
    argv[place.start : place.start + len(given)] = given


def address(tensor: Tensor | None) -> int:
    return 0 if tensor is None else tensor.data_ptr()
