"""The GPU engine's kernels in slices, for layers of any width, without a GPU: in Triton's interpreter, beside the reference engine."""

import sys
from functools import partial

import interpreted
import pytest

from byhand.testing.engine_cases import CELLS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Triton is made for Linux")
PRECISIONS = ("float64", "float32", "tf32", "bfloat16", "float16")
NAMES = [cell.name for cell in CELLS if cell.elementwise]
ROUNDING = 2**-23  # of float32
EXACT = (1e-12, 1e-11)  # values and gradients in float64
found = partial(interpreted.found, "gpu_sliced.py")


def within(errors: list[float], limits: tuple[float, float]) -> bool:
    """False of NaN."""
    return errors[0] <= limits[0] and errors[1] <= limits[1]


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", NAMES)
def test_values_and_gradients(name: str, precision: str) -> None:
    (one,) = [one for one in found("cells") if (one["cell"], one["precision"]) == (name, precision)]
    if precision in ("bfloat16", "float16") and name == "rnn":  # a memory that goes through the product at every step
        assert one["refused"]
        return
    values, gradients = one["theirs"]
    limits = {
        "float64": EXACT,
        "float32": (2 * max(values, 2 * ROUNDING), 2 * max(gradients, 2 * ROUNDING)),
        "tf32": (2e-3, 4e-3),  # 2**-11 is lost of each factor; no reference engine has tf32 here
    }.get(precision, (2 * values, 2 * gradients))
    assert within(one["ours"], limits), one


def test_blocks_of_sequences_of_units_and_of_sums() -> None:
    rows = {one.pop("shape"): one for one in found("shapes")}
    three_products = rows.pop("tf32x3")
    assert max(three_products["ours"]) < 8 * ROUNDING
    assert len(rows) == 13 and all(within(one["errors"], EXACT) for one in rows.values()), rows


def test_a_graph_serves_every_number_of_steps() -> None:
    rows = found("steps")
    assert [one["steps"] for one in rows] == [11, 9, 4]
    assert all(within(one["plain"], EXACT) and one["replayed"] == one["plain"] for one in rows)
    # The first sequence is launched step by step. Forward 9 = 2 x 4 + 1 steps, back 10 = 2 x 4 + 2; then 4, and 4 + 1.
    assert [(one["graphs"], one["kinds"]) for one in rows] == [(0, 2), (4, 2), (5, 2)]


def test_layers() -> None:
    off = {one["layer"]: one["off"] for one in found("layers")}
    assert len(off) == 2 and all(value < 1e-14 for value in off.values()), off


def test_nothing_is_read_or_written_outside() -> None:
    rows = {one["fence"]: one for one in found("fences")}
    assert rows.pop("one sequence too many")["signal"] == 11  # SIGSEGV: the fences are there
    assert len(rows) == 4 and all(one["off"] < 1e-12 for one in rows.values())


def test_programs_that_wait_for_each_other() -> None:
    rows = {one["cell"]: one for one in found("meetings") if "cell" in one}
    assert {tuple(grid) for one in rows.values() for grid in one["grids"]} >= {(1, 2), (3, 2), (2, 4)}
    assert len(rows) == 4 and all(within(one["errors"], EXACT) for one in rows.values()), rows


def test_a_meeting_that_is_missing_is_seen() -> None:
    lacking = {one["missing"]: one["errors"] for one in found("meetings") if "missing" in one}
    assert not lacking["forward"][0] < 1  # NaN: a value was read before it was made
    assert lacking["backward"][0] < EXACT[0] and not lacking["backward"][1] < 1


def test_it_passes_check_engine() -> None:
    (report,) = found("engine", "lstm_1997")
    kinds = {"plain", "reverse", "ragged lengths", "every site", "held values", "no gradients", "no biases"}
    assert kinds <= set(report["agrees"])
    assert report["refused"] == {"sequences start again inside": 4}
