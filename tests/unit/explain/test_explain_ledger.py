"""ledger, half_life, saturation: against brute force, for every cell with a memory that is added to."""

import math

import pytest
import torch
from conftest import PUBLISHED
from torch import Tensor
from torch.nn.utils.rnn import pack_sequence

import byhand
from byhand import LSTM, Cell, cells, explain, record
from byhand.errors import UnknownSiteError
from byhand.trace import Trace

ADDITIVE = {  # cell -> keep and write of its memory, from the sites at one step
    "lstm": (cells.lstm, lambda s: (s["f"], s["i"] * s["g"])),
    "peephole": (cells.peephole, lambda s: (s["f"], s["i"] * s["g"])),
    "cifg": (cells.cifg, lambda s: (s["f"], (1 - s["f"]) * s["g"])),
    "no_forget_gate": (cells.no_forget_gate(cells.lstm), lambda s: (1.0, s["i"] * s["g"])),
    "no_input_gate": (cells.no_input_gate(cells.peephole), lambda s: (s["f"], s["g"])),
    "no_input_activation": (cells.no_input_activation(cells.lstm), lambda s: (s["f"], s["i"] * s["g"])),
    "no_output_gate": (cells.no_output_gate(cells.lstm), lambda s: (s["f"], s["i"] * s["g"])),
    "full_gate_recurrence": (cells.full_gate_recurrence(cells.lstm), lambda s: (s["f"], s["i"] * s["g"])),
    "layernorm_lstm": (cells.layernorm_lstm, lambda s: (s["f"], s["i"] * s["g"])),
    "slstm": (cells.slstm, lambda s: (s["f"], s["i"] * s["g"])),
    "lstm_1997": (cells.lstm_1997, lambda s: (1.0, s["i"] * s["g"])),
    "lstm_1997_blocks": (cells.lstm_1997_blocks(2), lambda s: (1.0, s["i"] * s["g"])),
    "recurrent_dropout": (cells.recurrent_dropout(cells.lstm, 0.5), lambda s: (s["f"], s["i"] * s["g"])),
    "gru": (cells.gru, lambda s: (s["z"], (1 - s["z"]) * s["n"])),
    "gru_reset_before": (cells.gru_reset_before, lambda s: (s["z"], (1 - s["z"]) * s["n"])),
    "coupled_input": (cells.coupled_input(cells.peephole), lambda s: (1 - s["i"], s["i"] * s["g"])),
    "with_activations": (
        cells.with_activations(cells.lstm, gates="softsign", output="relu"),
        lambda s: (s["f"], s["i"] * s["g"]),
    ),
    "min_lstm": (cells.min_lstm, lambda s: (s["f"], s["i"] * s["g"])),
}


def recorded(cell: Cell, *, packed: bool = False, bidirectional: bool = False) -> Trace:
    """A trace of a fresh layer in training, from random first memories."""
    layer = LSTM(3, 4, dtype=torch.float64, cell=cell, bidirectional=bidirectional)
    sequences = [torch.randn(length, 3, dtype=torch.float64) for length in ((7, 4, 1) if packed else (7, 7, 7))]
    x = pack_sequence(sequences) if packed else torch.stack(sequences, 1)
    state = tuple(torch.randn(len(layer.sublayers), 3, 4, dtype=torch.float64).abs() for _ in cell.state)
    with record(layer) as trace:
        layer(x, state if cell.state[1:] else state[0])
    return trace


def by_hand(sites: dict[str, Tensor], rule: object, batch: int, unit: int, times: list[int]) -> tuple[Tensor, list[float]]:
    """The ledger of one sequence by a loop over pairs and a loop over the gates between them."""
    total = len(sites["h"])
    values, first = torch.zeros(total, total, dtype=torch.float64), []

    numbers = {name: value[:, batch, unit].tolist() for name, value in sites.items()}
    factors = [rule({name: value[time] for name, value in numbers.items()}) for time in range(total)]  # type: ignore[operator]
    for read_place, read in enumerate(times):
        for written_place, written in enumerate(times[: read_place + 1]):
            left = factors[written][1]
            for between in times[written_place + 1 : read_place + 1]:
                left *= factors[between][0]
            values[read, written] = left
        first.append(math.prod(factors[time][0] for time in times[: read_place + 1]))
    return values, first


@pytest.mark.parametrize("name", ADDITIVE)
@pytest.mark.parametrize("packed", [False, True])
def test_the_ledger_is_the_sum_written_out(name: str, packed: bool) -> None:
    cell, rule = ADDITIVE[name]
    trace = recorded(cell, packed=packed, bidirectional=True)
    for place in ("l0", "l0.reverse"):
        book = explain.ledger(trace, place, unit=2)
        sites = {site: trace[f"{place}.{site}"] for site in cell.sites}
        for batch in range(3):
            times = torch.arange(7)[trace.valid(place)[:, batch]].tolist()
            times = times[::-1] if place == "l0.reverse" else times
            values, first = by_hand(sites, rule, batch, 2, times)
            torch.testing.assert_close(book.values[times, :, batch], values[times], rtol=0, atol=1e-13)
            started = trace.initial(book.name)[batch, 2]
            torch.testing.assert_close(
                book.initial[times, batch], torch.tensor(first, dtype=torch.float64) * started, rtol=0, atol=1e-13
            )


@pytest.mark.parametrize("name", [*ADDITIVE, "zoneout"])
@pytest.mark.parametrize("packed", [False, True])
def test_what_is_read_sums_to_the_memory(name: str, packed: bool) -> None:
    cell = cells.zoneout(cells.lstm) if name == "zoneout" else ADDITIVE[name][0]
    projected = 2 if name in ("lstm", "peephole") else 0
    layer = LSTM(3, 4, 2, dtype=torch.float64, cell=cell, bidirectional=True, proj_size=projected)
    x = [torch.randn(length, 3, dtype=torch.float64) for length in ((9, 5, 1) if packed else (9, 9, 9))]
    with record(layer) as trace:
        layer(pack_sequence(x) if packed else torch.stack(x, 1))
    for place in trace.places:
        for unit in range(4):
            book = explain.ledger(trace, place, unit)
            off = book.values.sum(1) + book.initial - book.memory
            assert torch.equal(off.isnan(), ~trace.valid(place))
            assert off.nan_to_num().abs().max() < 1e-12
            assert torch.equal(book.memory.nan_to_num(), trace[book.name][..., unit].nan_to_num())


@pytest.mark.parametrize("training", [True, False])
def test_zoneout_keeps_what_its_masks_say(training: bool) -> None:
    layer = LSTM(2, 5, dtype=torch.float64, cell=cells.zoneout(cells.lstm, c=0.4, h=0.2)).train(training)
    with record(layer) as trace:
        layer(torch.randn(8, 3, 2, dtype=torch.float64))
    f, c, new = (trace[f"l0.{site}"] for site in ("f", "c", "new_c"))
    before = torch.cat([torch.zeros_like(c[:1]), c[:-1]])
    d = (torch.where(c == new, 0.0, 1.0) if training else torch.full_like(c, 0.4)).double()
    assert not training or torch.equal(torch.where(d == 1, before, new), c)
    for unit in range(5):
        torch.testing.assert_close(explain.ledger(trace, "l0", unit).keep, (d + (1 - d) * f)[..., unit], rtol=0, atol=1e-15)
    assert set(explain.half_life(trace)) == {"l0.c", "l0.h"}


def test_every_additive_state_has_a_ledger() -> None:
    trace = recorded(cells.slstm)
    book = explain.ledger(trace, state="n")
    assert book.name == "l0.n"
    assert (book.values.sum(1) + book.initial - trace["l0.n"][..., 0]).abs().max() < 1e-12


def test_gates_at_zero_and_one_do_no_harm() -> None:
    layer = LSTM(1, 1, dtype=torch.float64)
    with byhand.edit(layer, {"l0.f": byhand.at(0.0, time=2), "l0.i": byhand.at(1.0, time=3)}), record(layer) as trace:
        layer(torch.ones(5, 1, 1, dtype=torch.float64))
    book = explain.ledger(trace)
    assert (book.values[2:, :2] == 0).all()
    assert (book.initial == 0).all()
    torch.testing.assert_close(book.values.sum(1), book.memory, rtol=0, atol=1e-15)


def test_the_ledger_of_the_published_company() -> None:
    """Company B's memory 2.4091 of the last day, and what of it was written on the first."""
    layer = LSTM(1, 1, dtype=torch.float64)
    with torch.no_grad():
        for gate, colour in zip("ifgo", ("green", "blue", "orange", "purple"), strict=True):
            view = layer.gates()[gate]
            view.weight_h[:], view.weight_x[:], view.bias[:] = PUBLISHED[colour]
        layer.bias_hh_l0.zero_()
    with record(layer) as trace:
        layer(torch.tensor([1.0, 0.5, 0.25, 1.0], dtype=torch.float64).reshape(4, 1, 1))
    book = explain.ledger(trace)
    assert book.memory[3, 0].item() == pytest.approx(2.4091, abs=5e-5)
    f = trace["l0.f"][:, 0, 0]
    assert book.values[3, 0, 0].item() == pytest.approx(0.4995 * (f[1] * f[2] * f[3]).item(), abs=5e-5)
    ranked = book.at(-1)
    assert [abs(entry.amount) for entry in ranked] == sorted((abs(entry.amount) for entry in ranked), reverse=True)
    assert sum(entry.amount for entry in ranked) == pytest.approx(book.memory[3, 0].item())
    assert ranked[-1] == explain.Entry(None, 0.0)


def test_ranked_entries_of_a_reverse_direction_start_at_the_end() -> None:
    trace = recorded(cells.lstm, packed=True, bidirectional=True)
    book = explain.ledger(trace, "l0.reverse")
    assert book.reverse
    assert {entry.written_at for entry in book.at(1, batch=1)} == {1, 2, 3, None}
    assert sum(entry.amount for entry in book.at(1, batch=1)) == pytest.approx(book.memory[1, 1].item())
    with pytest.raises(IndexError, match="sequence 1 has ended before time 5: it has 4 steps"):
        book.at(5, batch=1)
    with pytest.raises(IndexError, match="expected a time from 0 to 6, got 7"):
        book.at(7)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_lower_precision(dtype: torch.dtype) -> None:
    layer = LSTM(3, 4, dtype=dtype)
    with record(layer) as trace:
        layer(torch.randn(20, 2, 3, dtype=dtype))
    book = explain.ledger(trace)
    error = (book.values.sum(1) - book.memory).abs().max()
    assert book.values.dtype is torch.float32
    assert error < 20 * torch.finfo(dtype).eps


def test_cells_without_such_a_memory_are_refused_with_the_reason() -> None:
    with pytest.raises(explain.NotAdditiveError, match=r"'rnn' of l0 has no memory that is added to .h: it is replaced"):
        explain.ledger(recorded(cells.rnn))
    with pytest.raises(
        explain.NotAdditiveError, match="state 'h' of cell 'lstm' is no memory that is added to: it is replaced"
    ):
        explain.ledger(recorded(cells.lstm), state="h")
    assert explain.half_life(recorded(cells.rnn)) == {}


def own_step(x, u, s, p):
    f = torch.sigmoid(x.f + u.f)
    c = torch.lerp(torch.tanh(x.g + u.g), s.c, f)
    h = torch.tanh(c)
    return (h, c), {"f": f, "c": c, "h": h}


def named_step(x, u, s, p):
    f, g = torch.sigmoid(x.f + u.f), torch.tanh(x.g + u.g)
    c = torch.lerp(g, s.c, f)
    h = torch.tanh(c)
    return (h, c), {"f": f, "g": g, "c": c, "h": h}


def test_a_cell_of_ones_own() -> None:
    own = Cell("unnamed", ("f", "g"), ("h", "c"), own_step)
    with pytest.raises(explain.NotAdditiveError, match="c: it depends on the pre-activation of g directly: give that a site"):
        explain.ledger(recorded(own))
    named = Cell("lerped", ("f", "g"), ("h", "c"), named_step)
    trace = recorded(named)
    book = explain.ledger(trace, cell=named)
    torch.testing.assert_close(book.keep, trace["l0.f"][..., 0], rtol=0, atol=1e-15)
    assert (book.values.sum(1) + book.initial - book.memory).abs().max() < 1e-12


def test_two_cells_of_one_name_are_told_apart() -> None:
    first, second = Cell("twin", ("f", "g"), ("h", "c"), own_step), Cell("twin", ("f", "g"), ("h", "c"), named_step)
    trace = recorded(second)
    recorded(first)  # the last that was used under this name
    with pytest.raises(LookupError, match="a cell 'twin', and the one known by that name is another: say cell="):
        explain.ledger(trace)
    assert explain.ledger(trace, cell=second).cell == "twin"


def test_a_square_is_no_sum() -> None:
    def step(x, u, s, p):
        g = torch.tanh(x.g + u.g)
        h = g + s.h * s.h
        return (h,), {"g": g, "h": h}

    with pytest.raises(explain.NotAdditiveError, match="h: it is multiplied by itself"):
        explain.ledger(recorded(Cell("square", ("g",), ("h",), step)))


def test_an_edited_memory_is_refused() -> None:
    layer = LSTM(2, 3)
    with byhand.edit(layer, {"l0.c": byhand.at(2.0, time=3, unit=1)}), record(layer) as trace:
        layer(torch.randn(6, 2, 2))
    with pytest.raises(ValueError, match=r"l0.c at the 4. step of sequence 0, unit 1, is not what was kept and written there"):
        explain.ledger(trace)


def test_joined_calls_that_follow_from_each_other() -> None:
    layer, x = LSTM(2, 3, dtype=torch.float64), torch.randn(8, 2, 2, dtype=torch.float64)
    with record(layer) as pieces:
        _, state = layer(x[:5])
        layer(x[5:], state)
    with record(layer) as whole:
        layer(x)
    torch.testing.assert_close(explain.ledger(pieces.joined()).values, explain.ledger(whole).values, rtol=0, atol=1e-15)
    with record(layer) as apart:
        layer(x[:5])
        layer(x[5:])
    for trace in (apart, apart.joined()):
        book = explain.ledger(trace)
        for index, start, stop in ((0, 0, 5), (1, 5, 8)):
            torch.testing.assert_close(
                book.values[start:stop, start:stop], explain.ledger(apart.call(index)).values, rtol=0, atol=1e-15
            )
        assert (book.values[5:, :5] == 0).all()
        torch.testing.assert_close(book.values.sum(1) + book.initial, book.memory, rtol=0, atol=1e-15)


def test_a_single_cell_and_a_model() -> None:
    cell = byhand.LSTMCell(2, 3, dtype=torch.float64)
    state = None
    with record(cell) as trace:
        for x in torch.randn(5, 2, 2, dtype=torch.float64):
            state = cell(x, state)
    book = explain.ledger(trace)
    assert (book.values.sum(1) + book.initial - book.memory).abs().max() < 1e-14
    model = torch.nn.ModuleDict({"a": LSTM(2, 3, 2), "b": LSTM(2, 3)})
    with record(model) as trace:
        for layer in model.values():
            layer(torch.randn(5, 2, 2))
    assert explain.ledger(trace, 1).name == "a.l1.c"
    assert explain.ledger(trace, "b.l0").name == "b.l0.c"
    with pytest.raises(UnknownSiteError, match=r"ledger found layer 0 at a.l0, b.l0: say which, as in layer='a.l0'"):
        explain.ledger(trace, 0)


def test_wrong_arguments() -> None:
    trace = recorded(cells.lstm)
    with pytest.raises(TypeError, match="ledger expected a Trace, got a Tensor"):
        explain.ledger(trace["l0.c"])  # type: ignore[arg-type]
    with pytest.raises(IndexError, match="expected a unit from 0 to 3, got 4"):
        explain.ledger(trace, unit=4)
    with pytest.raises(UnknownSiteError, match="'l3'"):
        explain.ledger(trace, "l3")
    with pytest.raises(UnknownSiteError, match="'x'"):
        explain.ledger(trace, state="x")
    with pytest.raises(TypeError, match=r"ledger expected layer to be a layer's number or the name of a place, got 1.5"):
        explain.ledger(trace, 1.5)  # type: ignore[arg-type]
    for run in trace.runs["l0"]:
        run.cell = "unheard of"
    with pytest.raises(LookupError, match="'unheard of', which this process does not know"):
        explain.ledger(trace)


def test_half_lives() -> None:
    trace = recorded(cells.lstm, packed=True, bidirectional=True)
    found = explain.half_life(trace)
    assert list(found) == ["l0.c", "l0.reverse.c"]
    for place, ranges in (("l0", [(1, 7), (1, 4)]), ("l0.reverse", [(0, 6), (0, 3)])):
        for unit in range(4):
            gates = [trace[f"{place}.f"][t, b, unit].item() for b, (start, end) in enumerate(ranges) for t in range(start, end)]
            geometric = math.exp(sum(math.log(f) for f in gates) / len(gates))
            assert geometric ** found[f"{place}.c"][unit].item() == pytest.approx(0.5)


def test_half_lives_of_constant_gates() -> None:
    layer = LSTM(1, 2, dtype=torch.float64)
    for held, wanted in ((0.5, 1.0), (1.0, math.inf), (0.0, 0.0), (0.5**0.1, 10.0)):
        with byhand.edit(layer, {"l0.f": held}), record(layer) as trace:
            layer(torch.randn(6, 2, 1, dtype=torch.float64))
        assert explain.half_life(trace)["l0.c"].tolist() == pytest.approx([wanted] * 2)
    with record(layer) as trace:
        layer(torch.randn(1, 2, 1, dtype=torch.float64))
    assert explain.half_life(trace)["l0.c"].isnan().all()


def test_saturation_counts() -> None:
    trace = recorded(cells.lstm, packed=True)
    found = explain.saturation(trace, shut=0.45, open=0.55)
    assert list(found) == ["l0.i", "l0.f", "l0.o"]
    for name, (left, right) in found.items():
        for unit in range(4):
            values = [v for v in trace[name][..., unit].flatten().tolist() if not math.isnan(v)]
            assert left[unit].item() == pytest.approx(sum(v < 0.45 for v in values) / len(values))
            assert right[unit].item() == pytest.approx(sum(v > 0.55 for v in values) / len(values))
    with pytest.raises(ValueError, match=r"shut=0.9, open=0.1"):
        explain.saturation(trace, shut=0.9, open=0.1)


@pytest.mark.parametrize(
    ("cell", "gates"),
    [
        (cells.cifg, {"l0.f", "l0.o", "l0.i"}),
        (cells.gru, {"l0.r", "l0.z"}),
        (cells.slstm, {"l0.i", "l0.f", "l0.o"}),
        (cells.lstm_1997, {"l0.i", "l0.o"}),
        (cells.no_output_gate(cells.lstm), {"l0.i", "l0.f"}),
        (cells.rnn, set()),
    ],
)
def test_which_sites_are_gates(cell: Cell, gates: set[str]) -> None:
    assert set(explain.saturation(recorded(cell))) == gates
