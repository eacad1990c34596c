"""500 random files of one LSTM, GRU or RNN: byhand against onnxruntime and against the operator's text in numpy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx_operators import Case, by_the_text, random_case

import byhand
from byhand.interop.onnx_in.model import OnnxModel

SEEDS, PARTS = 500, 10
REFUSED = ("hidden_size", "layout")  # which onnxruntime needs, and does not have, in what it says


@pytest.fixture
def _uncompiled() -> Iterator[None]:
    with byhand.use_engine("reference"):
        yield


def run(case: Case, opset: int = 14) -> tuple[OnnxModel, dict[str, torch.Tensor]]:
    proto = case.model(opset)
    onnx.checker.check_model(proto)
    model = OnnxModel("one.onnx", proto)
    return model, model({name: torch.from_numpy(value) for name, value in case.feeds.items()})


def by_onnxruntime(case: Case, opset: int = 14) -> dict[str, np.ndarray] | str:
    """Its outputs, or what it says."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(
            case.model(opset).SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as problem:  # noqa: BLE001 (of onnxruntime's own)
        return str(problem)
    names = [one.name for one in session.get_outputs()]
    made: Any = session.run(names, case.feeds)
    return dict(zip(names, made, strict=True))


def far(ours: np.ndarray, other: np.ndarray) -> float:
    """The greatest difference; of values beyond 1 relative to the greatest of them."""
    assert ours.shape == other.shape
    return float(np.abs(ours - other).max(initial=0) / max(1.0, np.abs(other).max(initial=0)))


@pytest.mark.parametrize("part", range(PARTS))
def test_random_files(part: int) -> None:
    """Known to differ, and so compared with the text alone: Y_h and Y_c of sequences of length 0."""
    compared = 0
    for seed in range(part * SEEDS // PARTS, (part + 1) * SEEDS // PARTS):
        case = random_case(seed, layout=seed % 5 == 0)
        text, runtime = by_the_text(case), by_onnxruntime(case)
        with byhand.use_engine("reference"):  # hundreds of cells: none is compiled
            model, ours = run(case)
            report = model.certificate
        assert report.ok, f"{seed}: {report}"
        for name, value in ours.items():
            assert far(value.numpy(), text[name]) <= 1e-5, (seed, name)
        if isinstance(runtime, str):
            assert any(word in runtime for word in REFUSED), runtime
            continue
        compared += 1
        there = case.feeds.get("sequence_lens", np.ones(case.feeds["X"].shape[1])) > 0
        for name, value in ours.items():
            kept = value.numpy() if name == "Y" else value.numpy()[:, there]
            assert far(kept, runtime[name] if name == "Y" else runtime[name][:, there]) <= 1e-5, (seed, name)
    assert compared >= SEEDS / PARTS / 2


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("opset", [7, 14, 22])
def test_every_opset_on_the_engine_that_runs_by_default(kind: str, opset: int) -> None:
    rng = np.random.default_rng(opset)
    rows = {"LSTM": 4, "GRU": 3, "RNN": 1}[kind]
    weights = {"W": (2, rows * 5, 3), "R": (2, rows * 5, 5), "B": (2, 2 * rows * 5)}
    case = Case(
        kind,
        {"hidden_size": 5, "direction": "bidirectional"} | ({"linear_before_reset": 1} if kind == "GRU" else {}),
        {name: rng.normal(0, 0.5, sizes).astype(np.float32) for name, sizes in weights.items()},
        {"X": rng.normal(size=(7, 2, 3)).astype(np.float32), "sequence_lens": np.array([7, 4], np.int32)},
        ["Y", "Y_h"],
    )
    model, ours = run(case, opset)
    runtime = by_onnxruntime(case, opset)
    assert not isinstance(runtime, str) and model.certificate.ok
    for name, value in ours.items():
        assert far(value.numpy(), runtime[name]) <= 1e-6


def one(attributes: dict, **feeds: np.ndarray) -> Case:
    rng = np.random.default_rng(3)
    weights = {"W": (1, 20, 3), "R": (1, 20, 5), "B": (1, 40)}
    made = {name: rng.normal(0, 0.7, sizes).astype(np.float32) for name, sizes in weights.items()}
    return Case(
        "LSTM",
        {"hidden_size": 5} | attributes,
        made,
        {"X": rng.normal(size=(7, 2, 3)).astype(np.float32)} | feeds,
        ["Y", "Y_h", "Y_c"],
    )


def test_first_states_of_a_sequence_of_length_0_are_named() -> None:
    states = {name: np.full((1, 2, 5), 0.25, np.float32) for name in ("initial_h", "initial_c")}
    case = one({}, sequence_lens=np.array([0, 5], np.int32), **states)
    model, ours = run(case)
    assert bool((ours["Y_h"][:, 0] == 0.25).all() and (ours["Y_c"][:, 0] == 0.25).all())
    report = model.certificate
    assert report.ok and sum("length 0 is the first state" in note and "gives 0" in note for note in report.notes) == 2
    runtime = by_onnxruntime(case)
    assert not isinstance(runtime, str) and not runtime["Y_h"][:, 0].any()


@pytest.mark.usefixtures("_uncompiled")
def test_a_default_that_onnxruntime_has_otherwise_is_named() -> None:
    plain = {"activations": ["Sigmoid", "ThresholdedRelu", "Tanh"]}
    model, ours = run(one(plain))
    assert far(ours["Y"].numpy(), by_the_text(one(plain))["Y"]) <= 1e-6
    report = model.certificate
    assert report.ok and any("onnxruntime takes 0 for ThresholdedRelu, the text 1" in note for note in report.notes)
    runtime = by_onnxruntime(one(plain))
    assert not isinstance(runtime, str) and far(ours["Y"].numpy(), runtime["Y"]) > 0.01
    written, _ = run(one(plain | {"activation_alpha": [0.5]}))
    assert written.certificate.ok and not any("onnxruntime" in note for note in written.certificate.notes)


@pytest.mark.usefixtures("_uncompiled")
def test_numbers_of_activations_are_used_up_in_order() -> None:
    case = one(
        {"activations": ["Sigmoid", "HardSigmoid", "ScaledTanh"], "activation_alpha": [0.3, 1.5], "activation_beta": [0.4, 0.7]}
    )
    model, ours = run(case)
    runtime = by_onnxruntime(case)
    assert not isinstance(runtime, str) and far(ours["Y"].numpy(), runtime["Y"]) <= 1e-6
    cell = next(iter(model.layers.values())).cell
    assert "hard_sigmoid(0.3, 0.4)" in cell.name and "scaled_tanh(1.5, 0.7)" in cell.name


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"activations": ["Sigmoid", "Tanh"]}, "names 2 activations: expected 3"),
        ({"activations": ["Sigmoid", "Tanh", "Sine"]}, "its activation is 'Sine'"),
        ({"activations": ["Sigmoid", "Affine", "Tanh"]}, "Affine has no finite alpha and beta"),
        ({"clip": 0.0}, "its clip is 0"),
        ({"clip": -1.0}, "expected a number above 0"),
        ({"hidden_size": 4}, "hidden_size is 4, and R has 5 columns"),
        ({"direction": "bidirectional"}, "W has sizes"),
        ({"layout": 3}, "its layout is 3"),
    ],
)
def test_what_the_text_does_not_have_is_refused(attributes: dict, said: str) -> None:
    case = one(attributes)
    with pytest.raises(byhand.LoadError, match=said):
        OnnxModel("one.onnx", case.model())


@pytest.mark.usefixtures("_uncompiled")
def test_directions_with_different_cells_are_two_layers() -> None:
    rng = np.random.default_rng(5)
    weights = {"W": (2, 20, 3), "R": (2, 20, 5)}
    case = Case(
        "LSTM",
        {
            "hidden_size": 5,
            "direction": "bidirectional",
            "activations": ["Sigmoid", "Tanh", "Tanh", "Sigmoid", "Relu", "Softsign"],
        },
        {name: rng.normal(0, 0.4, sizes).astype(np.float32) for name, sizes in weights.items()},
        {"X": rng.normal(size=(7, 2, 3)).astype(np.float32)},
        ["Y", "Y_h", "Y_c"],
    )
    model, ours = run(case)
    _, trace = model.run(torch.from_numpy(case.feeds["X"]))
    assert list(model.layers) == ["the_node_forward", "the_node_reverse"]
    assert trace.places == ("the_node_forward.l0", "the_node_reverse.l0.reverse")
    runtime = by_onnxruntime(case)
    assert not isinstance(runtime, str)
    assert all(far(value.numpy(), runtime[name]) <= 1e-6 for name, value in ours.items())


def test_a_reverse_node_is_recorded_in_the_order_of_time() -> None:
    case = one({"direction": "reverse"}, sequence_lens=np.array([7, 3], np.int32))
    model, ours = run(case)
    _, trace = model.run({name: torch.from_numpy(value) for name, value in case.feeds.items()})
    assert trace.places == ("the_node.l0.reverse",)
    h = trace["the_node.l0.reverse.h"]
    assert torch.equal(h.nan_to_num(0), ours["Y"][:, 0]) and h[3:, 1].isnan().all()
    assert torch.equal(h[0], ours["Y_h"][0])
    with byhand.edit(model, {"the_node.l0.reverse.c": byhand.at(0.0, time=2)}):
        edited, _ = model.run({name: torch.from_numpy(value) for name, value in case.feeds.items()})
    assert torch.equal(edited["Y"][3:, :, 0], ours["Y"][3:, :, 0]) and not torch.equal(edited["Y"][:3], ours["Y"][:3])
