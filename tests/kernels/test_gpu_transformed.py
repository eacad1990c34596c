"""The GPU engine without a GPU, as torch records and transforms layers: the operator, and what falls back, as with the C++ engine."""

import sys
from functools import partial

import interpreted
import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Triton is made for Linux")
found = partial(interpreted.found, "gpu_transformed.py")


def test_every_way_of_recording_and_transforming() -> None:
    """Values and gradients are those of float64, of the reference engine or torch.nn.LSTM, whatever came first in a process."""
    verdicts = {tuple(one["job"]): one["verdict"] for one in found("ways")}
    assert len(verdicts) == 17
    assert not {job: verdict for job, verdict in verdicts.items() if not verdict.startswith("right, ")}
    assert len({verdict for (_, _, form), verdict in verdicts.items() if form == "plain"}) == 1  # to the bit


def test_a_layer_and_direction_is_one_operator() -> None:
    rows = found("operators")
    compiled = {one["compiled"]: one for one in rows if "compiled" in one}
    assert {name: one["operators"] for name, one in compiled.items()} == {
        "lstm": [4],
        "peephole": [1],
        "lstm_1997": [1],
        "bfloat16": [1],
    }
    assert all(one["off"] <= 1e-14 for one in compiled.values())  # values, and gradients by name
    assert compiled["bfloat16"]["dtype"] == "torch.bfloat16"
    (exported,) = [one for one in rows if "exported" in one]
    assert exported == {"exported": 2, "off": 0.0}
    assert [one["inductor"] for one in rows if "inductor" in one] == [0.0]


def test_an_operator_is_what_it_says() -> None:
    """Torch's own check of an operator: schema, fake results, gradients."""
    said = [one["said"] for one in found("operators") if "opcheck" in one]
    assert len(said) == 2 and all(set(one.values()) == {"SUCCESS"} and len(one) == 4 for one in said)
