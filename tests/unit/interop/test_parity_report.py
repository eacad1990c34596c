"""ParityReport: what counts as equal, and what is printed and kept of it."""

import json
import math

import pytest
import torch

from byhand.interop.parity import ParityReport, difference, versions_of


def test_the_greatest_difference_decides() -> None:
    report = ParityReport(
        "file.onnx against onnxruntime", {"lstm.Y": 1e-7, "lstm.Y_c": 2e-5}, 1e-5, {"onnxruntime": "1"}, ("a note",)
    )
    assert not report.ok and report.worst == 2e-5
    assert str(report).splitlines() == [
        "file.onnx against onnxruntime: DIFFERENT within 1e-05, greatest difference 2.0e-05",
        "  lstm.Y    1.0e-07",
        "  lstm.Y_c  2.0e-05  beyond the tolerance",
        "  a note",
        "  onnxruntime 1",
    ]
    assert ParityReport("x", {"Y": 1e-6}, 1e-5).ok


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_finite_is_never_equal(value: float) -> None:
    report = ParityReport("x", {"Y": 0.0, "Y_h": value}, 1e-5)
    assert not report.ok and report.worst == math.inf
    read = ParityReport.from_json(report.to_json())
    assert not read.ok and json.loads(report.to_json())["ok"] is False


def test_json_and_back() -> None:
    report = ParityReport("x", {"Y": 1.5e-7}, 1e-5, versions_of(["onnx"]), ("one",))
    assert ParityReport.from_json(report.to_json()) == report
    for wrong in ("", "[]", "{}", '{"format": "other"}', report.to_json().replace("1.5e-07", '"x"')):
        with pytest.raises(ValueError, match="expected what to_json wrote"):
            ParityReport.from_json(wrong)


def test_a_report_compares_something() -> None:
    with pytest.raises(ValueError, match="at least one value"):
        ParityReport("x", {}, 1e-5)
    with pytest.raises(ValueError, match="finite tolerance"):
        ParityReport("x", {"Y": 0.0}, math.nan)


def test_differences() -> None:
    a = torch.tensor([1.0, 2.0, math.inf, math.nan])
    assert difference(a, a.clone()) == 0
    assert difference(a, a + torch.tensor([0.0, 0.25, 0.0, 0.0])) == 0.25
    assert difference(a, torch.tensor([1.0, 2.0, 3.0, math.nan])) == math.inf
    assert difference(a, torch.tensor([1.0, math.nan, math.inf, math.nan])) == math.inf
    assert difference(a, -a) == math.inf  # of infinities, the sign
    assert difference(a, a[:3]) == math.inf
    assert difference(a[:0], a[:0]) == 0


def test_versions() -> None:
    found = versions_of(["onnx", "no-such-package"])
    assert found["torch"] == torch.__version__ and found["no-such-package"] == "not installed"
