"""A layer as one C file: compiled with every warning an error, under sanitizers, and stepped beside the layer."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from conftest import ROOT
from torch import nn

import byhand
from byhand import cells
from byhand.interop import c_export
from byhand.interop.c_export import export_c, name_of

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wno-sign-conversion", "-Wshadow", "-pedantic", "-Werror")
SANITIZED = ("-O1", "-g", "-fsanitize=address,undefined,float-cast-overflow", "-fno-sanitize-recover=all")
COMPILER = shutil.which("gcc") or shutil.which("clang") or shutil.which("cc")
CELLS = {
    **{name: getattr(cells, name) for name in ("lstm", "gru", "rnn", "peephole", "cifg", "lstm_1997", "min_lstm", "slstm")},
    "no_forget_gate(peephole)": cells.no_forget_gate(cells.peephole),
    "full_gate_recurrence(lstm)": cells.full_gate_recurrence(cells.lstm),
    "zoneout(lstm)": cells.zoneout(cells.lstm, h=0.1, c=0.2),
    "recurrent_dropout(lstm)": cells.recurrent_dropout(cells.lstm, 0.3),
    "hard_sigmoid(lstm)": cells.with_activations(cells.lstm, gates="hard_sigmoid"),
    "clipped(lstm)": cells.clipped(cells.lstm, 0.5),
}
MAIN = """
#include <stdio.h>
#include "layer.h"

int main(void)
{
    static layer_memory memory;
    NUMBER x[layer_inputs], y[layer_outputs];
    double value;
    int reset, k;
    layer_reset(&memory);
    while (scanf("%d", &reset) == 1) {
        if (reset) layer_reset(&memory);
        for (k = 0; k < layer_inputs; ++k) {
            if (scanf("%lf", &value) != 1) return 1;
            x[k] = (NUMBER)value;
        }
        layer_step(&memory, x, y);
        for (k = 0; k < layer_outputs; ++k) printf("%.17g ", (double)y[k]);
        printf("\\n");
    }
    return 0;
}
"""


def stepped(folder: Path, x: torch.Tensor, flags: tuple[str, ...] = SANITIZED) -> torch.Tensor:
    """The outputs of folder/layer.h on x (steps, input), after a reset in the middle too: two runs of the same sequence."""
    assert COMPILER, "this test needs a C compiler: apt install gcc"
    number = "double" if x.dtype == torch.float64 else "float"
    (folder / "main.c").write_text(MAIN.replace("NUMBER", number))
    program = folder / "main"
    made = subprocess.run(
        [COMPILER, *STRICT, *flags, folder / "main.c", "-o", program, "-lm"], check=False, capture_output=True, text=True
    )
    assert made.returncode == 0, made.stderr
    rows = [f"{int(step == 0)} " + " ".join(f"{value:.17g}" for value in row) for step, row in enumerate(x.tolist())]
    ran = subprocess.run([program], input="\n".join(rows * 2), check=False, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    values = [[float(word) for word in line.split()] for line in ran.stdout.splitlines()]
    once, again = torch.tensor(values, dtype=x.dtype).chunk(2)
    assert torch.equal(once.nan_to_num(7.0), again.nan_to_num(7.0)), "a reset left something behind"
    return once


@pytest.mark.parametrize("name", CELLS)
def test_every_cell_in_float32(tmp_path: Path, name: str) -> None:
    torch.manual_seed(1)
    layer = byhand.LSTM(3, 5, cell=CELLS[name]).eval()
    x = 2 * torch.randn(30, 3)
    export_c(layer, tmp_path / "layer.h")
    with torch.no_grad(), byhand.use_engine("reference"):  # which has no kernel to compile for each cell
        torch.testing.assert_close(stepped(tmp_path, x), layer(x)[0], atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.float64, 1e-13)], ids=["float32", "float64"])
@pytest.mark.parametrize(
    "options",
    [
        {"num_layers": 3},
        {"proj_size": 2, "num_layers": 2},
        {"bias": False},
        {"learn_initial_state": True},
        {"num_layers": 2, "cell": cells.peephole, "learn_initial_state": True},
    ],
    ids=["stack", "projection", "no bias", "learnt start", "stack of peepholes"],
)
def test_every_form_of_layer(tmp_path: Path, options: dict, dtype: torch.dtype, tolerance: float) -> None:
    torch.manual_seed(2)
    layer = byhand.LSTM(1, 7, dtype=dtype, **options).eval()
    with torch.no_grad():
        for value in layer.parameters():
            value.uniform_(-0.9, 0.9)
    head = nn.Linear(layer.proj_size or 7, 3, dtype=dtype)
    x = torch.randn(20, 1, dtype=dtype)
    export_c(layer, tmp_path / "layer.h", head=head)
    with torch.no_grad():
        torch.testing.assert_close(stepped(tmp_path, x), head(layer(x)[0]), atol=tolerance, rtol=tolerance)


def test_saturated_gates_and_values_that_are_not_finite(tmp_path: Path) -> None:
    layer = byhand.LSTM(1, 2).eval()
    export_c(layer, tmp_path / "layer.h")
    x = torch.tensor([[1e4], [-1e4], [3e38], [-0.0], [float("inf")], [float("nan")], [1.0]])
    with torch.no_grad():
        torch.testing.assert_close(stepped(tmp_path, x), layer(x)[0], atol=1e-6, rtol=0, equal_nan=True)


def test_certified_where_it_is_written(tmp_path: Path) -> None:
    report = byhand.export_c(byhand.LSTM(4, 6, num_layers=2), tmp_path / "my filter-2.h", certify=True)
    assert report is not None and report.ok
    assert report.tolerance == 1e-6
    assert re.fullmatch(r"one step: \S+ µs; byhand's stepper: \S+ µs", report.notes[0])
    assert "my_filter_2_step(my_filter_2_memory *memory" in (tmp_path / "my filter-2.h").read_text()


def test_what_the_page_says_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (block,) = [
        one
        for one in re.findall(r"```python\n(.*?)```", (ROOT / "docs/carry.md").read_text(encoding="utf-8"), re.DOTALL)
        if "export_c" in one
    ]
    exec(compile(block, "docs/carry.md", "exec"), {})
    assert "equal within 1e-06" in capsys.readouterr().out
    assert "filter_step(filter_memory *memory" in Path("filter.h").read_text()


def test_edits_and_recordings_are_not_left_out_in_silence(tmp_path: Path) -> None:
    layer = byhand.LSTM(2, 3)
    with byhand.edit(layer, {"l0.f": 0.0}), pytest.raises(RuntimeError, match="no open record, edit"):
        export_c(layer, tmp_path / "layer.h")


def test_other_values_are_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = c_export.source
    monkeypatch.setattr(c_export, "source", lambda *given: write(*given).replace("sums[row] +=", "sums[row] -="))
    with pytest.raises(RuntimeError, match=r"gives other values than the layer[\s\S]*beyond the tolerance"):
        export_c(byhand.LSTM(4, 6), tmp_path / "x.h", certify=True)
    assert not list(tmp_path.iterdir())


class Louder(byhand.LSTM):
    """A layer with a forward of its own."""

    def forward(self, *given, **named):
        output, state = super().forward(*given, **named)
        return 2 * output, state


def hooked() -> byhand.LSTM:
    layer = byhand.LSTM(2, 3)
    layer.register_forward_hook(lambda module, given, made: (2 * made[0], made[1]))
    return layer


def test_a_parametrised_layer_is_written_as_it_computes_and_left_alone(tmp_path: Path) -> None:
    torch.manual_seed(3)
    layer = byhand.LSTM(3, 5)  # in training: reading a weight then moves spectral_norm's vectors on
    nn.utils.parametrizations.spectral_norm(layer, "weight_hh_l0")
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    export_c(layer, tmp_path / "layer.h", certify=True)
    assert layer.training and all(torch.equal(before[name], value) for name, value in layer.state_dict().items())
    x = torch.randn(10, 3)
    with torch.no_grad():
        torch.testing.assert_close(stepped(tmp_path, x), layer.eval()(x)[0], atol=1e-6, rtol=0)


def test_a_word_of_c_begins_names_as_any_other_does(tmp_path: Path) -> None:
    assert byhand.export_c(byhand.LSTM(2, 3), tmp_path / "while.h", certify=True).ok  # type: ignore[union-attr]
    assert "while_step(while_memory *memory" in (tmp_path / "while.h").read_text()


@pytest.mark.parametrize(
    ("layer", "options", "words"),
    [
        (lambda: nn.LSTM(2, 3), {}, r"expected a byhand.LSTM, got a LSTM: byhand.load_weights"),
        (lambda: byhand.LSTM(2, 3, bidirectional=True), {}, r"reads forward alone"),
        (
            lambda: byhand.LSTM(2, 3, dtype=torch.bfloat16),
            {},
            r"expected float32 or float64 on the cpu, got weight_ih_l0 in torch.bfloat16 on cpu",
        ),
        (lambda: byhand.LSTM(2, 3, cell=cells.layernorm_lstm), {}, r"'layernorm_lstm' is not elementwise"),
        (lambda: byhand.LSTM(2, 3, cell=cells.gru_reset_before), {}, r"recurrent product inside its step"),
        (
            lambda: byhand.LSTM(2, 3),
            {"head": nn.Linear(4, 1)},
            r"head to read 3 outputs in torch.float32, got a weight of shape \(1, 4\)",
        ),
        (lambda: byhand.LSTM(2, 3), {"head": (torch.ones(2, 3), torch.ones(3))}, r"bias of shape \(2,\)"),
        (lambda: byhand.LSTM(2, 3), {"head": "linear"}, r"expected head: a torch.nn.Linear, or its weight and bias"),
        (
            lambda: byhand.LSTM(2, 3),
            {"head": (None, torch.ones(2))},
            r"expected head: a torch.nn.Linear, or its weight and bias",
        ),
        (lambda: byhand.LSTM(2, 3, device="meta"), {}, r"on the cpu, got weight_ih_l0 in torch.float32 on meta"),
        (hooked, {}, r"without hooks, which the file would not call"),
        (lambda: Louder(2, 3), {}, r"a Louder with a forward of its own"),
        (lambda: byhand.LSTM(2, 3), {"name": "1st"}, r"beginning with a letter; got '1st'"),
        (lambda: byhand.LSTM(2, 3), {"name": "a-b"}, r"got 'a-b'"),
    ],
    ids=[
        *("torch's", "two directions", "bfloat16", "not elementwise", "inner", "head", "head's bias", "no head", "no weight"),
        *("meta", "hooks", "own forward", "digit", "name"),
    ],
)
def test_refused_in_words(tmp_path: Path, layer, options: dict, words: str) -> None:
    with pytest.raises((ValueError, TypeError), match=words):
        export_c(layer(), tmp_path / "layer.h", **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("file", "name"),
    [("gru.h", "gru"), ("my filter-2.h", "my_filter_2"), ("3.h", "lstm_3"), ("int.h", "int"), ("größe.h", "gr_e")],
)
def test_names_made_of_files(file: str, name: str) -> None:
    assert name_of(Path(file), None) == name
