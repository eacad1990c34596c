"""record: bit for bit the same results, every value by name, and nothing left behind."""

import threading
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_sequence

import byhand
from byhand import Trace, cells
from byhand.errors import LoadError, UnknownSiteError

CELLS = [  # whose kernels in float32 other tests need, too
    cells.lstm,
    cells.peephole,
    cells.gru,
    cells.slstm,
    cells.layernorm_lstm,
    cells.gru_reset_before,
    cells.full_gate_recurrence(cells.lstm),
    cells.zoneout(cells.lstm),
    cells.no_output_gate(cells.no_output_activation(cells.lstm)),
]


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = byhand.LSTM(3, 4, 2, bidirectional=True, batch_first=True)
        self.decoder = byhand.LSTMCell(8, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y, _ = self.encoder(x)
        state = None
        for step in y.unbind(1):
            state = self.decoder(step, state)
        assert state is not None
        return state[0]


@pytest.mark.parametrize("cell", CELLS, ids=repr)
def test_results_and_gradients_are_bit_identical(cell: cells.Cell) -> None:
    layer = byhand.LSTM(3, 4, 2, bidirectional=True, cell=cell)
    x = torch.randn(6, 2, 3)
    results = []
    for recorded in (False, True):
        torch.manual_seed(3)
        layer.zero_grad()
        if recorded:
            with byhand.record(layer, gradients=True):
                output, _ = layer(x)
        else:
            output, _ = layer(x)
        output.square().sum().backward()
        results.append([output, *(parameter.grad for parameter in layer.parameters())])
    for off, on in zip(*results, strict=True):
        assert torch.equal(off, on)


@pytest.mark.parametrize("cell", CELLS, ids=repr)
def test_every_site_of_every_place(cell: cells.Cell) -> None:
    layer = byhand.LSTM(3, 4, 2, bidirectional=True, cell=cell)
    with byhand.record(layer) as trace:
        output, states = layer(torch.randn(6, 2, 3))
    places = ("l0", "l0.reverse", "l1", "l1.reverse")
    assert trace.places == places
    assert list(trace) == [f"{place}.{site}" for place in places for site in cell.sites]
    assert all(trace[name].shape == (6, 2, 4) for name in trace)
    assert torch.equal(torch.cat([trace["l1.h"], trace["l1.reverse.h"]], -1), output)
    last = states if isinstance(states, tuple) else (states,)
    for name, value in zip(cell.state, last, strict=True):
        if name in cell.sites:
            assert torch.equal(trace[f"l0.{name}"][-1], value[0]) and torch.equal(trace[f"l0.reverse.{name}"][0], value[1])
    assert trace.cell("l1") == cell.name
    assert trace.dims("l0.h") == ("time", "batch", "hidden")


def test_what_went_in_is_kept_too() -> None:
    layer = byhand.LSTM(3, 4, 2, batch_first=True)
    x, state = torch.randn(2, 6, 3), (torch.randn(2, 2, 4), torch.randn(2, 2, 4))
    with byhand.record(layer) as trace:
        layer(x, state)
    assert torch.equal(trace.input("l0"), x.transpose(0, 1)) and torch.equal(trace.input("l1"), trace["l0.h"])
    assert torch.equal(trace.initial("l1.c"), state[1][1])
    assert trace.valid("l0").all()
    c = trace["l0.f"][0] * trace.initial("l0.c") + trace["l0.i"][0] * trace["l0.g"][0]
    torch.testing.assert_close(trace["l0.c"][0], c)


def test_projection_has_both_outputs() -> None:
    layer = byhand.LSTM(3, 4, proj_size=2)
    with byhand.record(layer) as trace:
        output, _ = layer(torch.randn(6, 2, 3))
    assert torch.equal(trace["l0.h"], output) and trace["l0.m"].shape == (6, 2, 4)
    torch.testing.assert_close(trace["l0.m"] @ layer.weight_hr_l0.T, output)
    assert torch.equal(trace["l0.m"], trace["l0.o"] * trace["l0.tanh_c"])


def test_ended_sequences_are_marked_in_the_callers_order() -> None:
    layer = byhand.LSTM(3, 4, bidirectional=True)
    sequences = [torch.randn(n, 3) for n in (2, 5, 3)]
    with byhand.record(layer) as trace:
        layer(pack_sequence(sequences, enforce_sorted=False))
    assert trace.valid("l0").sum(0).tolist() == [2, 5, 3]
    for b, one in enumerate(sequences):
        with byhand.record(layer) as alone:
            layer(one)
        for name in trace:
            torch.testing.assert_close(trace[name][: len(one), b], alone[name][:, 0])
            assert trace[name][len(one) :, b].isnan().all()


def test_a_model_with_several_layers() -> None:
    model, x = Model(), torch.randn(2, 6, 3)
    before = model(x)
    with byhand.record(model) as trace:
        assert torch.equal(model(x), before)
    assert set(trace.places) == {"encoder.l0", "encoder.l0.reverse", "encoder.l1", "encoder.l1.reverse", "decoder"}
    assert trace["decoder.h"].shape == (6, 2, 5)
    assert torch.equal(trace["decoder.h"][-1], before)


def test_only_what_is_wanted() -> None:
    layer = byhand.LSTM(3, 4, 2)
    with byhand.record(layer, ["*.c", "l1.f"]) as trace:
        layer(torch.randn(6, 2, 3))
    assert list(trace) == ["l0.c", "l1.f", "l1.c"]


def test_gradients_equal_autograd() -> None:
    layer, x = byhand.LSTM(3, 4, 2, bidirectional=True, dtype=torch.float64), torch.randn(5, 2, 3, dtype=torch.float64)
    with byhand.record(layer, gradients=True, detach=False) as trace:
        output, (h, _) = layer(x)
    loss = output.square().sum() + h.sum()
    steps = {name: trace.runs[name.rpartition(".")[0]][0].sites[name.rpartition(".")[2]] for name in trace}
    loss.backward(retain_graph=True)
    found = {name: trace.grad[name].clone() for name in trace}
    for name, value in steps.items():
        values = torch.autograd.grad(loss, list(value), retain_graph=True, allow_unused=True)
        expected = torch.stack([torch.zeros(2, 4, dtype=torch.float64) if one is None else one for one in values])
        torch.testing.assert_close(found[name], expected, msg=lambda text, n=name: f"{n}: {text}")
    assert found["l0.c"].abs().max() > 0
    assert list(trace.grad) == list(trace)


def test_gradients_add_up_over_two_backwards() -> None:
    layer = byhand.LSTM(3, 4)
    with byhand.record(layer, gradients=True) as trace:
        output, _ = layer(torch.randn(5, 2, 3))
    output.sum().backward(retain_graph=True)
    once = trace.grad["l0.f"].clone()
    output.sum().backward()
    torch.testing.assert_close(trace.grad["l0.f"], 2 * once)


def test_a_loss_can_be_made_of_what_was_recorded() -> None:
    layer = byhand.LSTM(3, 4)
    with byhand.record(layer, detach=False) as trace:
        layer(torch.randn(5, 2, 3))
    trace["l0.f"].mean().backward()
    assert layer.gates()["f"].weight_x.shape == (4, 3)
    assert layer.weight_ih_l0.grad[4:8].abs().max() > 0
    with byhand.record(layer) as detached:
        layer(torch.randn(5, 2, 3))
    assert not detached["l0.f"].requires_grad


def test_nothing_is_left_behind_after_an_exception() -> None:
    layer = byhand.LSTM(3, 4)
    before = dict(vars(layer)), dict(layer._forward_hooks), dict(layer._forward_pre_hooks)
    with pytest.raises(ZeroDivisionError), byhand.record(layer) as trace, byhand.edit(layer, {"l0.f": lambda f: f * (1 / 0)}):
        layer(torch.randn(5, 2, 3))
    assert (dict(vars(layer)), dict(layer._forward_hooks), dict(layer._forward_pre_hooks)) == before
    assert len(trace) == 0
    x = torch.randn(5, 2, 3)
    fresh = byhand.LSTM(3, 4)
    fresh.load_state_dict(layer.state_dict())
    assert torch.equal(layer(x)[0], fresh(x)[0])
    assert len(trace) == 0


def test_calls_outside_the_block_or_in_another_thread_are_not_recorded() -> None:
    layer, x = byhand.LSTM(3, 4), torch.randn(5, 2, 3)
    layer(x)
    with byhand.record(layer) as trace:
        thread = threading.Thread(target=layer, args=(x,))
        thread.start()
        thread.join()
        assert len(trace) == 0
        layer(x)
    layer(x)
    assert len(trace.runs["l0"]) == 1


def test_several_calls_are_told_apart_or_joined() -> None:
    layer, x = byhand.LSTM(3, 4), torch.randn(6, 2, 3)
    with byhand.record(layer) as whole:
        layer(x)
    with byhand.record(layer) as pieces:
        _, state = layer(x[:4])
        layer(x[4:], state)
    with pytest.raises(LookupError, match=r"the trace holds 2 calls of l0: say trace.call\(0\)\[...\] for one of them"):
        pieces["l0.f"]
    assert torch.equal(pieces.call(1)["l0.c"], whole["l0.c"][4:])
    assert torch.equal(pieces.joined()["l0.c"], whole["l0.c"])
    with byhand.record(layer) as mixed:
        layer(x)
        layer(x[:, :1])
    with pytest.raises(ValueError, match=r"calls of l0 with batches of \[1, 2\] cannot be joined"):
        mixed.joined()


def test_two_recordings_at_once() -> None:
    layer, x = byhand.LSTM(3, 4), torch.randn(6, 2, 3)
    with byhand.record(layer) as outer, byhand.record(layer, ["*.c"]) as inner:
        layer(x)
    assert list(inner) == ["l0.c"] and torch.equal(inner["l0.c"], outer["l0.c"])


def test_a_trace_can_be_saved_and_loaded(tmp_path: Path) -> None:
    layer = byhand.LSTM(3, 4, 2, bidirectional=True, proj_size=2, cell=cells.peephole)
    packed = pack_sequence([torch.randn(n, 3) for n in (2, 5, 3)], enforce_sorted=False)
    with byhand.record(layer, gradients=True) as trace:
        output, _ = layer(packed)
    output.data.sum().backward()
    trace.save(tmp_path / "trace.safetensors")
    again = Trace.load(tmp_path / "trace.safetensors")
    assert list(again) == list(trace)
    for name in trace:
        assert torch.equal(again[name].nan_to_num(9), trace[name].nan_to_num(9))
        assert torch.equal(again.grad[name], trace.grad[name])
    for place in trace.places:
        assert torch.equal(again.valid(place), trace.valid(place)) and torch.equal(again.input(place), trace.input(place))
        assert torch.equal(again.initial(f"{place}.c"), trace.initial(f"{place}.c"))
        assert again.cell(place) == "peephole"


def test_a_damaged_or_foreign_trace_file_is_refused(tmp_path: Path) -> None:
    layer, file = byhand.LSTM(3, 4), tmp_path / "trace.safetensors"
    with byhand.record(layer) as trace:
        layer(torch.randn(5, 2, 3))
    trace.save(file)
    whole = file.read_bytes()
    damaged = [bytes([*whole[:place], whole[place] ^ 1, *whole[place + 1 :]]) for place in range(0, len(whole), 37)]
    for content in (b"", b"hello", whole[:-1], whole + b" ", whole[: len(whole) // 2], *damaged):
        file.write_bytes(content)
        with pytest.raises(LoadError, match=r"expected a trace as trace\.save"):
            Trace.load(file)
    with pytest.raises(LoadError, match="No such file"):
        Trace.load(tmp_path / "nowhere.safetensors")
    assert len(damaged) > 50
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_unknown_names_are_told_the_known_ones() -> None:
    layer = byhand.LSTM(3, 4)
    with byhand.record(layer) as trace:
        layer(torch.randn(5, 2, 3))
    for ask in (lambda: trace["l0.forget"], lambda: trace["l1.f"], lambda: trace.initial("l0.x"), lambda: trace.input("l7")):
        with pytest.raises(UnknownSiteError, match="knows no 'l"):
            ask()
    with pytest.raises(KeyError, match=r"the trace knows no 'l0.tanc'; it knows l0.tanh_c, "):
        trace["l0.tanc"]
    assert "l0.f" in trace and "l0.forget" not in trace
    assert "l0" in repr(trace) and "5 x 2 x 4" in repr(trace)
