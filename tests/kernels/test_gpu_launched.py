"""What the GPU engine does around its kernels, without a GPU: nothing waits for it, the right device, captures, processes, watching."""

import sys
from functools import partial

import interpreted
import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Triton is made for Linux")
FIRST = "a byhand layer was called inside the capture of a CUDA graph before its kernels were loaded: expected one call like it"
found = partial(interpreted.found, "gpu_launched.py")


def test_nothing_waits_for_the_gpu() -> None:
    """Else no call could be part of a CUDA graph."""
    rows = {one["waits"]: one for one in found("waits") if "waits" in one}
    launched = {name: one["launched"] for name, one in rows.items()}
    whole = dict.fromkeys(("slstm, projected", "lstm_1997", "zoneout", "bfloat16"), 9)  # four calls forward, four back, a step
    assert launched == {"peephole": 32, **whole, **{f"{name}, watched": 2 for name in ("peephole", "gru", "lstm_1997")}}
    assert all(one["seen"] > 100 for one in rows.values())
    assert len([one["refused"] for one in found("waits") if "control" in one]) == 6


def test_kernels_are_launched_on_the_tensors_device_and_first_outside_a_capture() -> None:
    (row,) = found("launches")
    first, in_capture, longer, *others, unproven, proven, known = row["said"]
    assert [first, in_capture, longer] == ["launched"] * 3
    assert len(others) == 3 and all(
        one.startswith(FIRST) for one in (*others, unproven)
    )  # another number type, None, another place
    assert [proven, known] == ["None", "None"]
    assert row["launched"] == [["cuda:1", "(3,)"]] * 3  # 20 sequences, 8 a program


def test_processes_that_share_a_batch() -> None:
    (row,) = found("processes")
    assert max(row["off"]) <= 1e-14
    assert row["heard"] == [row["parameters"]] * 2 == [28, 28]  # hooks


def test_recorded_and_edited_by_values() -> None:
    rows = found("watched")
    assert [name for one in rows if (name := one.get("edited"))] == ["peephole", "gru", "lstm_1997"]
    assert len(rows) == 11 and all(one["off"] <= 1e-13 for one in rows)
