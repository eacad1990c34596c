"""What people do with a layer besides calling it: copy, freeze, tie, parametrise, cast, start it otherwise."""

import copy
import io
import pickle
import subprocess
import sys

import pytest
import torch
from conftest import ROOT
from torch import nn
from torch.nn.utils import parametrizations, parametrize
from torch.nn.utils.rnn import pack_sequence

import byhand
from byhand import cells

CELLS = [
    cells.lstm,
    cells.peephole,
    cells.gru,
    cells.lstm_1997_blocks(2),
    cells.zoneout(cells.lstm),
    cells.layernorm_lstm,
    cells.gru_reset_before,
]


def same(one: nn.Module, other: nn.Module, x: torch.Tensor) -> bool:
    return torch.equal(one(x)[0], other(x)[0])


@pytest.mark.parametrize("cell", CELLS, ids=repr)
def test_copies_and_pickles(cell: cells.Cell) -> None:
    layer = byhand.LSTM(3, 4, 2, bidirectional=True, cell=cell).eval()
    x = torch.randn(5, 2, 3)
    buffer = io.BytesIO()
    torch.save(layer, buffer)
    buffer.seek(0)
    for again in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), torch.load(buffer, weights_only=False)):
        assert again.cell == cell and same(again, layer, x)
        assert not {id(parameter) for parameter in again.parameters()} & {id(parameter) for parameter in layer.parameters()}


@pytest.mark.parametrize("cell", CELLS, ids=repr)
def test_meta_device_and_back(cell: cells.Cell) -> None:
    layer = byhand.LSTM(3, 4, cell=cell, device="meta", forget_bias=1.0 if "f" in cell.gates else None)
    output, _ = layer(torch.empty(5, 2, 3, device="meta"))
    assert output.is_meta and output.shape == (5, 2, 4)
    real = layer.to_empty(device="cpu")
    real.reset_parameters()
    assert torch.isfinite(real(torch.randn(5, 2, 3))[0]).all()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_dtypes(dtype: torch.dtype) -> None:
    layer = byhand.LSTM(3, 4, dtype=dtype)
    output, (h, c) = layer(torch.randn(5, 2, 3, dtype=dtype))
    assert output.dtype == h.dtype == c.dtype == dtype
    assert byhand.LSTM(3, 4).to(dtype).weight_hh_l0.dtype == dtype


@pytest.mark.parametrize("batch_first", [True, False])
def test_no_sequences_at_all(batch_first: bool) -> None:
    theirs = nn.LSTM(3, 4, 2, bidirectional=True, batch_first=batch_first)
    ours = byhand.LSTM(3, 4, 2, bidirectional=True, batch_first=batch_first)
    x = torch.randn(0, 5, 3) if batch_first else torch.randn(5, 0, 3)
    for a, b in zip((theirs(x)[0], *theirs(x)[1]), (ours(x)[0], *ours(x)[1]), strict=True):
        assert a.shape == b.shape
    ours(x)[0].sum().backward()


def test_weight_norm_old_and_new() -> None:
    for normalise in (nn.utils.weight_norm, parametrizations.weight_norm):
        torch.manual_seed(1)
        theirs = nn.LSTM(3, 4)
        ours = byhand.LSTM(3, 4)
        ours.load_state_dict(theirs.state_dict())
        with pytest.warns(FutureWarning) if normalise is nn.utils.weight_norm else torch.enable_grad():
            for layer in (theirs, ours):
                normalise(layer, "weight_hh_l0")
        x = torch.randn(5, 2, 3)
        for layer in (theirs, ours):
            layer(x)[0].square().sum().backward()
        for (name, a), (other, b) in zip(theirs.named_parameters(), ours.named_parameters(), strict=True):
            assert name == other
            torch.testing.assert_close(b.grad, a.grad, msg=lambda text, n=name: f"{n}: {text}")


class Symmetric(nn.Module):
    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        top = weight[:4].triu()
        return torch.cat([top + top.triu(1).T, weight[4:]])


def test_parametrised_weights_are_seen_as_they_are() -> None:
    layer = byhand.LSTM(3, 4)
    parametrize.register_parametrization(layer, "weight_hh_l0", Symmetric())
    block = layer.gates()["i"].weight_h
    assert block is not None and torch.equal(block, block.T)
    layer(torch.randn(5, 2, 3))[0].sum().backward()
    original = layer.parametrizations["weight_hh_l0"].original
    assert original.grad is not None and original.grad[:4].tril(-1).abs().max() == 0


def test_tied_layers() -> None:
    layer = byhand.LSTM(4, 4, 2)
    layer.weight_hh_l1 = layer.weight_hh_l0
    theirs = nn.LSTM(4, 4, 2)
    theirs.load_state_dict(layer.state_dict())
    x = torch.randn(5, 2, 4)
    for one in (layer, theirs):
        one(x)[0].sum().backward()
    both = theirs.weight_hh_l0.grad + theirs.weight_hh_l1.grad
    torch.testing.assert_close(layer.weight_hh_l0.grad, both)
    assert len(list(layer.parameters())) == 7


def test_frozen_parameters_get_no_gradient() -> None:
    layer = byhand.LSTM(3, 4)
    layer.weight_ih_l0.requires_grad_(False)
    layer(torch.randn(5, 2, 3))[0].sum().backward()
    assert layer.weight_ih_l0.grad is None and layer.weight_hh_l0.grad is not None
    layer.requires_grad_(False)
    assert not layer(torch.randn(5, 2, 3))[0].requires_grad


def test_autocast_gives_torchs_dtypes_and_nearly_its_values() -> None:
    theirs, ours = nn.LSTM(8, 16, 2), byhand.LSTM(8, 16, 2)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(20, 4, 8)
    exact = theirs(x)[0]
    with torch.autocast("cpu", torch.bfloat16):
        outputs = [layer(x)[0] for layer in (theirs, ours)]
    error = [(output.float() - exact).abs().max().item() for output in outputs]
    assert error[1] <= 2 * max(error[0], torch.finfo(torch.bfloat16).eps)
    outputs[1].float().sum().backward()
    assert ours.weight_hh_l0.grad is not None and ours.weight_hh_l0.grad.dtype == torch.float32


def test_forget_bias() -> None:
    layer = byhand.LSTM(3, 4, 2, bidirectional=True, forget_bias=1.5)
    for index in range(2):
        for direction in range(2):
            gate = layer.gates(index, direction)["f"]
            assert gate.bias is not None and gate.bias_h is not None
            assert (gate.bias == 1.5).all() and (gate.bias_h == 0).all()
            other = layer.gates(index, direction)["i"].bias
            assert other is not None and (other != 1.5).all()
    assert (byhand.LSTM(3, 4, cell=cells.layernorm_lstm, forget_bias=2).get_parameter("b_f_l0") == 2).all()
    assert (byhand.LSTMCell(3, 4, forget_bias=2).gates()["f"].bias == 2).all()


def test_learnt_first_states() -> None:
    layer = byhand.LSTM(3, 4, 2, bidirectional=True, proj_size=2, learn_initial_state=True)
    x = torch.randn(5, 3, 3)
    assert torch.equal(layer(x)[0], layer(x, (torch.zeros(4, 3, 2), torch.zeros(4, 3, 4)))[0])
    with torch.no_grad():
        layer.get_parameter("initial_c").normal_()
    state = [layer.get_parameter(f"initial_{name}").unsqueeze(1).expand(-1, 3, -1) for name in "hc"]
    assert torch.equal(layer(x)[0], layer(x, tuple(state))[0])
    layer(x)[0].sum().backward()
    assert layer.get_parameter("initial_c").grad.abs().min() > 0


@pytest.mark.parametrize(
    "layer", [byhand.LSTM(3, 4, 2, bidirectional=True), byhand.LSTM(3, 4, 2, bidirectional=True, cell=cells.gru)], ids=str
)
def test_gates_are_views_of_the_parameters(layer: byhand.LSTM) -> None:
    for index in range(2):
        for direction, suffix in ((0, ""), (1, "_reverse")):
            gates = layer.gates(index, direction)
            assert tuple(gates) == layer.cell.gates
            for number, gate in enumerate(gates.values()):
                with torch.no_grad():
                    for field, view in zip(("weight_ih", "weight_hh", "bias_ih", "bias_hh"), gate, strict=True):
                        assert view is not None
                        view.fill_(float(number))
                        parameter = layer.get_parameter(f"{field}_l{index}{suffix}")
                        assert (parameter[number * 4 : number * 4 + 4] == number).all()


def test_gates_of_cells_without_some_of_them() -> None:
    gate = byhand.LSTM(3, 4, cell=cells.min_lstm).gates()["f"]
    assert gate.weight_h is None and gate.bias_h is None and gate.bias is not None
    assert byhand.LSTM(3, 4, bias=False).gates()["f"].bias is None
    blocks = byhand.LSTM(3, 4, cell=cells.lstm_1997_blocks(2)).gates()
    assert blocks["i"].weight_x.shape == (2, 3) and blocks["g"].weight_x.shape == (4, 3)


def test_printed_form_names_what_is_not_usual() -> None:
    assert repr(byhand.LSTM(3, 4, cell=cells.peephole, forget_bias=1.0)) == "LSTM(3, 4, cell=peephole, forget_bias=1.0)"
    assert repr(byhand.LSTMCell(3, 4, bias=False, cell=cells.gru)) == "LSTMCell(3, 4, bias=False, cell=gru)"


def test_no_op_methods_of_torch_are_there() -> None:
    layer = byhand.LSTM(3, 4)
    before = copy.deepcopy(layer.state_dict())
    layer.flatten_parameters()
    assert all(torch.equal(value, before[name]) for name, value in layer.state_dict().items())


def test_gradients_in_eval_mode() -> None:
    layer = byhand.LSTM(3, 4).eval()
    layer(torch.randn(5, 2, 3))[0].sum().backward()
    assert all(parameter.grad is not None for parameter in layer.parameters())


@pytest.mark.parametrize("cell", [cells.zoneout(cells.lstm, h=0.3, c=0.3), cells.recurrent_dropout(cells.lstm, 0.3)], ids=repr)
def test_noise_is_drawn_in_training_only(cell: cells.Cell) -> None:
    layer, x = byhand.LSTM(3, 4, cell=cell), torch.randn(5, 2, 3)
    assert not same(layer, layer, x)
    torch.manual_seed(1)
    first = layer(x)[0]
    torch.manual_seed(1)
    assert torch.equal(layer(x)[0], first)
    assert same(layer.eval(), layer, x)


def test_a_mask_for_the_whole_sequence_is_one_mask() -> None:
    layer = byhand.LSTM(3, 50, cell=cells.recurrent_dropout(cells.lstm, 0.5, every="sequence"))
    with torch.no_grad():
        layer.gates()["g"].bias.fill_(5.0)  # type: ignore[union-attr]
        layer.gates()["f"].bias.fill_(-50.0)  # type: ignore[union-attr]
    with byhand.record(layer) as trace:
        layer(torch.randn(6, 2, 3))
    dropped = trace["l0.g"] == 0
    assert 0.2 < dropped.float().mean() < 0.8
    assert torch.equal(dropped, dropped[:1].expand_as(dropped))


def test_packed_input_with_a_cell_of_one_state() -> None:
    layer = byhand.LSTM(3, 4, cell=cells.gru)
    sequences = [torch.randn(n, 3) for n in (2, 5, 3)]
    _, h = layer(pack_sequence(sequences, enforce_sorted=False))
    assert isinstance(h, torch.Tensor)
    for b, one in enumerate(sequences):
        torch.testing.assert_close(h[:, b], layer(one)[1])


def test_importing_is_light() -> None:
    program = (
        "import sys, torch\n"
        "before = set(sys.modules)\n"
        "import byhand\n"
        "new = {name.split('.')[0] for name in set(sys.modules) - before}\n"
        "heavy = new & {'lightning', 'matplotlib', 'numpy', 'safetensors', 'jaxtyping', 'anywidget'}\n"
        "assert not heavy, heavy\n"
        "assert 'subprocess' not in set(sys.modules) - before\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
