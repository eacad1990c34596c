"""byhand explore on files of weights, as packages save them: whatever they are wrapped in, the layer is torch's, to the digit."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from explored import shown
from torch import Tensor, nn

from byhand import LSTM, cells
from byhand.__main__ import main
from byhand.explorer.document.packing import restored
from byhand.explorer.load.checkpoint import open_trained


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)


class Net(nn.Module):
    """A layer somewhere in a model, among others."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.embedding, self.encoder, self.head = nn.Embedding(5, 3), nn.ModuleDict({"rnn": layer}), nn.Linear(4, 2)


def optimiser(model: nn.Module) -> dict[str, Any]:
    """With its moments, of the same shapes as the weights."""
    made = torch.optim.Adam(model.parameters())
    sum(value.sum() for value in model.parameters()).backward()
    made.step()
    return made.state_dict()


WRAPPED: dict[str, Callable[[nn.Module], Any]] = {
    "bare": lambda net: net.state_dict(),
    "model": lambda net: {"model": net.state_dict(), "optimizer": optimiser(net), "epoch": 3, "loss": 0.5, "args": {"lr": 0.1}},
    "state_dict": lambda net: {"state_dict": net.state_dict(), "hyper_parameters": {"hidden": 4}, "epoch": 1},
    "model_state_dict": lambda net: {"model_state_dict": net.state_dict(), "vocabulary": ["a", "b"], "sizes": (3, 4)},
    "module": lambda net: {"module." + name: value for name, value in net.state_dict().items()},
    "deep": lambda net: {"state": {"network": {"weights": net.state_dict()}}, "step": torch.tensor(4)},
    "list": lambda net: [{"name": "first"}, net.state_dict()],
    "twice": lambda net: {"model": net.state_dict(), "best": {name: value.clone() for name, value in net.state_dict().items()}},
    "tuple": lambda net: {"payload": (1, {"weights": dict(net.state_dict())})},
}


@pytest.mark.parametrize("wrapped", WRAPPED)
def test_wherever_in_the_file_it_stands(wrapped: str) -> None:
    layer = nn.LSTM(3, 4)
    torch.save(WRAPPED[wrapped](Net(layer)), "weights.pth")
    found = shown("weights.pth")
    weights = found["layers"][0]["weights"]
    assert torch.equal(restored(weights["input"]).float(), layer.weight_ih_l0)
    assert torch.equal(restored(weights["bias_recurrent"]).float(), layer.bias_hh_l0)
    assert found["title"] == "weights, on random numbers" and "encoder.rnn is read as nn.LSTM" in found["notices"][-1]


@pytest.mark.parametrize("ending", [".pt", ".pth", ".bin", ".ckpt", ".tar", "", ".safetensors"])
def test_whatever_the_file_is_called(ending: str) -> None:
    state = Net(nn.GRU(3, 4)).state_dict()
    name = f"weights{ending}"
    safetensors.torch.save_file(state, name) if ending == ".safetensors" else torch.save(state, name)
    assert shown(name)["cell"]["name"] == "gru"


def test_the_form_of_older_releases() -> None:
    torch.save(Net(nn.LSTM(3, 4)).state_dict(), "old.pth", _use_new_zipfile_serialization=False)
    assert shown("old.pth")["cell"]["name"] == "lstm"


def read(module: nn.Module, **options: Any) -> tuple[LSTM, str]:
    torch.save({"model": Net(module).state_dict()}, "weights.pt")
    found = open_trained(Path("weights.pt"), 1, **options)
    assert isinstance(found.model, LSTM)
    return found.model, found.notices[0]


LAYERS = [
    (nn.LSTM, {}, "nn.LSTM (3 inputs, 4 units), by its 4 x 4 rows of weights"),
    (nn.LSTM, {"num_layers": 3, "bidirectional": True}, "nn.LSTM (3 inputs, 4 units, 3 layers, both directions)"),
    (nn.LSTM, {"proj_size": 2, "num_layers": 2}, "nn.LSTM (3 inputs, 4 units, projected to 2, 2 layers)"),
    (nn.LSTM, {"bias": False}, "nn.LSTM (3 inputs, 4 units)"),
    (
        nn.GRU,
        {"num_layers": 2, "bidirectional": True},
        "nn.GRU (3 inputs, 4 units, 2 layers, both directions), by its 3 x 4 rows",
    ),
    (nn.GRU, {"bias": False}, "nn.GRU (3 inputs, 4 units)"),
    (nn.RNN, {}, "nn.RNN with tanh (3 inputs, 4 units), by its 1 x 4 rows of weights, for the file does not name its kind"),
    (nn.RNN, {"num_layers": 2, "bidirectional": True}, "nn.RNN with tanh (3 inputs, 4 units, 2 layers, both directions)"),
]


@pytest.mark.parametrize(("kind", "options", "said"), LAYERS)
def test_every_layer_of_torchs_gives_what_it_gave(kind: Callable[..., nn.Module], options: dict[str, Any], said: str) -> None:
    theirs = kind(3, 4, dtype=torch.float64, **options)
    ours, notice = read(theirs)
    assert notice.startswith(f"model.encoder.rnn is read as {said}")
    x = torch.randn(6, 2, 3, dtype=torch.float64)
    torch.testing.assert_close(ours(x)[0], theirs(x)[0], rtol=0, atol=1e-14)


@pytest.mark.parametrize(("kind", "bias"), [(nn.LSTMCell, True), (nn.GRUCell, True), (nn.RNNCell, True), (nn.LSTMCell, False)])
def test_every_single_cell_of_torchs_too(kind: Callable[..., nn.Module], bias: bool) -> None:
    theirs = kind(3, 4, bias=bias, dtype=torch.float64)
    ours, notice = read(theirs)
    assert notice.startswith(f"model.encoder.rnn is read as nn.{kind.__name__.removesuffix('Cell')}")
    x, state, outputs = torch.randn(6, 2, 3, dtype=torch.float64), None, []
    for step in x:
        state = theirs(step, state)
        outputs.append(state if isinstance(state, Tensor) else state[0])
    torch.testing.assert_close(ours(x)[0], torch.stack(outputs), rtol=0, atol=1e-14)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype: torch.dtype) -> None:
    theirs = nn.LSTM(3, 4).to(dtype)
    ours, _ = read(theirs)
    assert ours.weight_ih_l0.dtype == torch.float32 and torch.equal(ours.weight_ih_l0.to(dtype), theirs.weight_ih_l0)


def test_a_cell_of_byhands_is_named() -> None:
    theirs = LSTM(3, 4, cell=cells.cifg)
    assert read(theirs)[1].startswith("model.encoder.rnn is read as nn.GRU")  # the same names and shapes: the notice says it


class Pair(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = Net(nn.LSTM(3, 4)), Net(nn.GRU(2, 4))


def test_of_several_layers_one_is_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    pair = Pair()
    torch.save({"state_dict": {f"module.{name}": value for name, value in pair.state_dict().items()}}, "two.pt")
    assert main(["explore", "two.pt", "--save", "page.html"]) == 2
    names = [f"state_dict.module.{name}.encoder.rnn" for name in ("encoder", "decoder")]
    assert capsys.readouterr().err == (
        f"byhand explore: two.pt: got 2 recurrent layers: choose one, as in --layer {names[0]}; there are {', '.join(names)}\n"
    )
    for name in ("decoder.encoder.rnn", "module.decoder.encoder.rnn", names[1]):
        found = shown("two.pt", "--layer", name)
        assert found["cell"]["name"] == "gru"
        assert torch.equal(
            restored(found["layers"][0]["weights"]["recurrent"]).float(), pair.decoder.encoder["rnn"].weight_hh_l0
        )
    for name, said in (("encoder.rnn", f"got several, {', '.join(names)}"), ("rn", f"got none; there are {', '.join(names)}")):
        capsys.readouterr()
        assert main(["explore", "two.pt", "--layer", name, "--save", "page.html"]) == 2
        assert capsys.readouterr().err == (
            f"byhand explore: two.pt: --layer {name}: expected the name of one recurrent layer, {said}\n"
        )


def test_bare_weights_are_shown_on_random_numbers_and_say_so(capsys: pytest.CaptureFixture[str]) -> None:
    torch.save(Net(nn.LSTM(3, 4)).state_dict(), "weights.pt")
    LSTM(3, 4, batch_first=True).save_pretrained("saved")
    for name, title in (("weights.pt", "weights"), ("saved", "saved")):
        found = shown(name, "--items", "2")
        out = capsys.readouterr().out
        assert found["title"] == f"{title}, on random numbers" and found["computed"]
        assert [(item["name"], item["steps"]) for item in found["items"]] == [
            ("random numbers 1", 20),
            ("random numbers 2", 20),
        ]
        assert "these are weights alone, shown on 20 steps of random numbers (mean 0, spread 1), which mean nothing" in out
        assert "--input FILE, with 3 columns of numbers" in out
        numbers = torch.cat([restored(item["input"]) for item in found["items"]])
        assert numbers.shape == (40, 3) and abs(numbers.mean()) < 0.5 and 0.7 < numbers.std() < 1.3
    assert shown("weights.pt", "--items", "2")["items"] == shown("weights.pt", "--items", "2")["items"]
    Path("x.csv").write_text("1,2,3\n4,5,6\n")
    found = shown("weights.pt", "--input", "x.csv")
    assert found["title"] == "weights" and not any("random" in notice for notice in found["notices"])


def test_a_single_cell_is_shown_along_time() -> None:
    theirs = nn.LSTMCell(3, 4, dtype=torch.float64)
    safetensors.torch.save_file({f"lstm_cell.{name}": value for name, value in theirs.state_dict().items()}, "cell.safetensors")
    Path("x.csv").write_text("1,2,3\n4,5,6\n")
    found = shown("cell.safetensors", "--input", "x.csv")
    assert found["items"][0]["steps"] == 2 and torch.equal(restored(found["layers"][0]["weights"]["input"]), theirs.weight_ih)


class Program(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(2, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.rnn(x)[0]


REFUSED = [
    (
        "whole.pt",
        "to read it, test_explorer_weights.Program would have to be run, and what else the file says; if you trust it, in Python:",
    ),
    ("whole.pt", "torch.load('whole.pt', weights_only=False), then torch.save(ITS_STATE_DICT, 'weights.pt')"),
    ("options.pt", "to read it, argparse.Namespace would have to be run"),
    (
        "program.pt",
        "it is TorchScript, a program, of which only the weights are wanted; in Python: torch.save(torch.jit.load('program.pt')",
    ),
    ("model.onnx", "expected an ONNX model, got a file without a graph of operators"),
    ("model.keras", "expected a file that Keras has written (.keras, .weights.h5, .h5)"),
    (
        "peephole.pt",
        "expected encoder.rnn to have the parameters of an LSTM, GRU or RNN as torch lays them out, got weight_ih_l0",
    ),
    ("peephole.pt", "p_f_l0"),
    ("norm.pt", "expected encoder.rnn to have the parameters of an LSTM, GRU or RNN as torch lays them out, got weight_ih_l0"),
    ("five.pt", "5 rows of weights to each of 4 units, where an LSTM has 4, a GRU 3 and an RNN 1"),
    ("gap.pt", "Missing key(s) in state_dict"),
    ("whole_numbers.pt", "expected the layer to have the parameters"),
    ("nothing.pt", "got none and no tensors at all"),
    (
        "linear.pt",
        "called weight_ih_l0 or weight_ih as torch calls them; got none among its 2 tensors: model.weight, model.bias",
    ),
]


def make_refused() -> None:
    lstm = nn.LSTM(3, 4).state_dict()
    norm = nn.utils.parametrizations.weight_norm(nn.LSTM(3, 4), "weight_hh_l0")
    files = {
        "whole": Program(),
        "options": {"args": argparse.Namespace(lr=0.1), "model": lstm},
        "peephole": Net(LSTM(3, 4, cell=cells.peephole)).state_dict(),
        "norm": Net(norm).state_dict(),
        "five": {"rnn." + name: torch.randn(20, *value.shape[1:]) for name, value in lstm.items()},
        "gap": {name: value for name, value in nn.LSTM(3, 4, 3).state_dict().items() if "_l1" not in name},
        "whole_numbers": {name: (100 * value).to(torch.int8) for name, value in lstm.items()},
        "nothing": {"epoch": 3, "model": {}},
        "linear": {"model": nn.Linear(2, 2).state_dict()},
    }
    for name, content in files.items():
        torch.save(content, f"{name}.pt")
    torch.jit.script(Program()).save("program.pt")
    Path("model.onnx").write_bytes(b"\x08\x08\x12\x07pytorch")
    Path("model.keras").write_bytes(b"PK")


@pytest.mark.filterwarnings("ignore:.*torch.jit.script. is deprecated")
def test_what_cannot_be_read_says_why_in_one_line(capsys: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder) -> None:
    make_refused()
    recwarn.clear()
    for name, said in REFUSED:
        assert main(["explore", name, "--save", "page.html"]) == 2
        out, err = capsys.readouterr()
        assert out == "" and err.count("\n") == 1 and err.startswith(f"byhand explore: {name}: ")
        assert said in err
    assert not recwarn.list and not Path("page.html").exists()


@pytest.mark.filterwarnings("ignore:.*torch.jit.* is deprecated")
def test_what_a_program_is_said_to_need_is_enough() -> None:
    make_refused()
    torch.save(torch.jit.load("program.pt").state_dict(), "weights.pt")
    assert shown("weights.pt")["layers"][0]["hidden"] == 3
    torch.save(torch.load("whole.pt", weights_only=False).state_dict(), "weights.pt")
    assert shown("weights.pt")["layers"][0]["input"] == 2


def test_a_layer_is_chosen_in_files_of_weights_only(capsys: pytest.CaptureFixture[str]) -> None:
    LSTM(3, 4).save_pretrained("saved")
    assert main(["explore", "saved", "--layer", "rnn", "--save", "page.html"]) == 2
    said = "--layer: expected a file of weights with several recurrent layers; saved holds one model: leave it out"
    assert capsys.readouterr().err == f"byhand explore: {said}\n"
