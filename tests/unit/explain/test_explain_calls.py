"""Layers that are called several times: what byhand.explain says of all calls along time, against one call and torch."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

import byhand
from byhand import LSTM, Cell, LSTMCell, Trace, cells, explain, record
from byhand.errors import UnknownSiteError

DOUBLE = torch.float64


class Pieces(nn.Module):
    """A layer that is handed a sequence piece by piece; gives all outputs and the last memories."""

    def __init__(self, layer: LSTM, piece: int) -> None:
        super().__init__()
        self.layer, self.piece = layer, piece

    def forward(self, x: Tensor) -> tuple[Tensor, object]:
        state, outputs = None, []
        for part in x.split(self.piece):
            y, state = self.layer(part, state)
            outputs.append(y)
        return torch.cat(outputs), state


class Loop(nn.Module):
    """The same over a single cell."""

    def __init__(self, cell: LSTMCell) -> None:
        super().__init__()
        self.layer = cell

    def forward(self, x: Tensor) -> Tensor:
        state, outputs = None, []
        for step in x:
            state = self.layer(step, state)
            outputs.append(state if isinstance(state, Tensor) else state[0])
        return torch.stack(outputs)


class Translator(nn.Module):
    """An encoder, and a decoder that is handed what it said last; `kind` makes both layers."""

    def __init__(self, kind: Callable[..., nn.Module], **options: object) -> None:
        super().__init__()
        self.encoder, self.decoder = kind(3, 4, dtype=DOUBLE, **options), kind(2, 4, dtype=DOUBLE, **options)
        self.head = nn.Linear(4, 2, dtype=DOUBLE)

    def forward(self, x: Tensor, moved: Tensor) -> Tensor:
        """moved: what is added to each input of the decoder."""
        state, said, outputs = self.encoder(x)[1], x.new_zeros(1, x.shape[1], 2), []
        self.memories = []
        for step in moved:
            y, state = self.decoder(said + step, state)
            self.memories.append(state[1])
            said = self.head(y)
            outputs.append(said)
        return torch.cat(outputs)


def translators() -> tuple[Translator, Translator]:
    """Ours and torch's, with equal parameters."""
    torch.manual_seed(0)
    ours, theirs = Translator(LSTM), Translator(nn.LSTM)
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


X, MOVED = torch.randn(7, 2, 3, dtype=DOUBLE), torch.zeros(5, 1, 2, 2, dtype=DOUBLE)


def summed(output: Tensor | tuple[Tensor, object]) -> Tensor:
    return (output if isinstance(output, Tensor) else output[0]).sin().sum()


@pytest.mark.parametrize("piece", [1, 3])
@pytest.mark.parametrize("cell", [cells.lstm, cells.peephole, cells.gru, cells.zoneout(cells.lstm)], ids=lambda one: one.name)
def test_pieces_say_what_the_whole_says(cell: Cell, piece: int) -> None:
    layer = LSTM(3, 4, 2, cell=cell, dtype=DOUBLE).eval()
    model = Pieces(layer, piece)
    with record(layer) as whole:
        layer(X)
    with record(model) as pieces:
        model(X)
    for name, life in explain.half_life(whole).items():
        torch.testing.assert_close(explain.half_life(pieces)[f"layer.{name}"], life, rtol=1e-12, atol=0)
    for name, shares in explain.saturation(whole, shut=0.4, open=0.5).items():
        assert torch.equal(explain.saturation(pieces, shut=0.4, open=0.5)[f"layer.{name}"].right, shares.right)
    book, other = explain.ledger(pieces, 1, unit=2), explain.ledger(whole, 1, unit=2)
    torch.testing.assert_close(book.values, other.values, rtol=0, atol=1e-14)
    state = "c" if "c" in cell.state else "h"
    for site in (f"l0.{state}", f"l1.{state}"):
        one = explain.connectivity(model, X, at=5, site=f"layer.{site}", item=1)
        torch.testing.assert_close(
            one.values, explain.connectivity(layer, X, at=5, site=site, item=1).values, rtol=0, atol=1e-14
        )
    paths, others = explain.gradient_paths(model, X, summed), explain.gradient_paths(layer, X, summed)
    for name, path in others.items():
        torch.testing.assert_close(paths[f"layer.{name}"].total, path.total, rtol=0, atol=1e-13)
        torch.testing.assert_close(paths[f"layer.{name}"].along, path.along, rtol=0, atol=1e-13)
        assert path.gates.abs().max() > 1e-4


@pytest.mark.parametrize("cell", [cells.lstm, cells.gru], ids=lambda one: one.name)
def test_a_single_cell_listens_as_the_layer_does(cell: Cell) -> None:
    layer, model = LSTM(3, 4, cell=cell, dtype=DOUBLE), Loop(LSTMCell(3, 4, cell=cell, dtype=DOUBLE))
    layer.load_state_dict({f"{name}_l0": value for name, value in model.layer.state_dict().items()})
    state = cell.state[-1]
    for more in ({}, {"unit": 2}):
        found = explain.connectivity(model, X, at=4, site=f"layer.{state}", item=1, **more)
        wanted = explain.connectivity(layer, X, at=4, site=f"l0.{state}", item=1, **more)
        torch.testing.assert_close(found.values, wanted.values, rtol=0, atol=1e-14)
    assert found.values.shape == (7, 3) and (found.values[5:] == 0).all()
    alone = explain.connectivity(model.layer, X[0], at=0)
    assert (alone.name, alone.values.shape) == (state, (1, 3))


def test_a_decoder_listens_to_what_it_said() -> None:
    """The derivative of torch's decoder by a shift of each of its inputs: what it says then moves too."""
    ours, theirs = translators()
    for at, unit in ((4, 1), (2, None)):

        def memory(moved: Tensor, at: int = at) -> Tensor:
            theirs(X, moved)
            return theirs.memories[at][0, 1]

        jacobian = torch.autograd.functional.jacobian(memory, MOVED)[:, :, 0, 1]  # unit, time, input
        wanted = jacobian.square().sum(0).sqrt() if unit is None else jacobian[unit].abs()
        found = explain.connectivity(ours, (X, MOVED), at=at, site="decoder.l0.c", unit=unit, item=1)
        torch.testing.assert_close(found.values, wanted, rtol=0, atol=1e-13)
        assert (wanted[: at + 1] > 0).all()
    alone = explain.connectivity(ours, (X, MOVED), at=0, site="decoder.l0.c", item=1, call=4)
    last = explain.connectivity(ours, (X, MOVED), at=4, site="decoder.l0.c", item=1)
    torch.testing.assert_close(alone.values, last.values[4:], rtol=0, atol=0)


class Written(nn.LSTM):
    """A step of torch's LSTM, written out, so that the memory which is handed on is also the one that is read."""

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:  # type: ignore[override]
        h, c = state
        sums = x @ self.weight_ih_l0.T + self.bias_ih_l0 + h @ self.weight_hh_l0.T + self.bias_hh_l0
        i, f, g, o = sums.chunk(4, -1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        return h, (h, c)


def test_the_gradients_of_a_decoder_are_those_of_its_equations() -> None:
    ours, theirs = translators()
    theirs.decoder = Written(2, 4, dtype=DOUBLE)
    theirs.load_state_dict(ours.state_dict())
    output = theirs(X, MOVED)
    torch.testing.assert_close(output, ours(X, MOVED), rtol=0, atol=1e-14)
    wanted = torch.cat(torch.autograd.grad(output.sin().sum(), theirs.memories))
    found = explain.gradient_paths(ours, (X, MOVED), summed)
    assert list(found) == ["encoder.l0.c", "decoder.l0.c"]
    assert [len(paths.valid) for paths in found.values()] == [7, 5]
    torch.testing.assert_close(found["decoder.l0.c"].total, wanted, rtol=0, atol=1e-13)
    for index in (3, -2):
        (one,) = explain.gradient_paths(ours, (X, MOVED), summed, places=["decoder.l0"], call=index).values()
        torch.testing.assert_close(one.total, wanted[[3]], rtol=0, atol=1e-13)
        torch.testing.assert_close(one.along, found["decoder.l0.c"].along[[3]], rtol=0, atol=1e-13)
    byhand.plots.gradient_paths(found)


class Twice(nn.Module):
    """The same layer for two inputs that have nothing to do with each other."""

    def __init__(self, **options: object) -> None:
        super().__init__()
        self.reader = LSTM(3, 4, dtype=DOUBLE, **options)
        self.idle = LSTM(3, 4, dtype=DOUBLE)

    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        return self.reader(one)[0].sum() * self.reader(other)[0].sum()


@pytest.mark.parametrize("both", [False, True])
def test_half_lives_over_calls_that_do_not_follow(both: bool) -> None:
    model = Twice(bidirectional=both)
    with record(model) as trace:
        model(X, X[:4] * 2)
    for place in ("reader.l0", "reader.l0.reverse") if both else ("reader.l0",):
        gates = [trace.call(index)[f"{place}.f"] for index in (0, 1)]
        kept = torch.cat([gate[:-1] if place.endswith("reverse") else gate[1:] for gate in gates]).flatten(0, 1)
        wanted = math.log(0.5) / kept.log().mean(0)
        torch.testing.assert_close(explain.half_life(trace)[f"{place}.c"], wanted, rtol=1e-12, atol=0)
        book, one, other = explain.ledger(trace, place), *(explain.ledger(trace.call(index), place) for index in (0, 1))
        torch.testing.assert_close(book.values.sum(1) + book.initial, book.memory, rtol=0, atol=1e-14)
        torch.testing.assert_close(book.values[:7, :7], one.values, rtol=0, atol=1e-14)
        torch.testing.assert_close(book.values[7:, 7:], other.values, rtol=0, atol=1e-14)
        assert (book.values[7:, :7] == 0).all() and (book.values[:7, 7:] == 0).all()


@pytest.mark.parametrize("stacked", [False, True])
def test_sequences_that_begin_again(stacked: bool) -> None:
    """As players of games do: one sequence is over after the third step, the other goes on. By the hand of the caller, or by reset."""
    layer, state = LSTM(3, 4, learn_initial_state=stacked, dtype=DOUBLE), None
    start = torch.zeros(4, dtype=DOUBLE)
    with record(layer) as trace:
        if stacked:
            with torch.no_grad():
                start = layer.initial_c.copy_(torch.randn(1, 4))[0]
            layer(X, reset=(torch.arange(7) == 3).unsqueeze(1) & torch.tensor([True, False]))
        for time, step in enumerate(() if stacked else X):
            _, state = layer(step.unsqueeze(0), state)
            if time == 2:
                state = tuple(one * torch.tensor([[[0.0], [1.0]]]) for one in state)
    whole = trace.joined()
    gates = whole["l0.f"]
    kept = torch.cat([gates[1:, 1], gates[[1, 2, 4, 5, 6], 0]])
    torch.testing.assert_close(explain.half_life(trace)["l0.c"], math.log(0.5) / kept.log().mean(0), rtol=1e-12, atol=0)
    book = explain.ledger(trace, unit=1)
    torch.testing.assert_close(book.values.sum(1) + book.initial, whole["l0.c"][..., 1], rtol=0, atol=1e-14)
    assert (book.values[3:, :3, 0] == 0).all() and (book.values[3:, :3, 1] != 0).all()
    torch.testing.assert_close(book.initial[5, 0], gates[3:6, 0, 1].prod() * start[1], rtol=0, atol=1e-14)
    torch.testing.assert_close(book.initial[5, 1], gates[:6, 1, 1].prod() * start[1], rtol=0, atol=1e-14)


def test_padded_calls_that_follow_from_each_other() -> None:
    layer, lengths = LSTM(3, 4, dtype=DOUBLE), torch.tensor([[4, 2], [3, 3]])
    with record(layer) as trace:
        _, state = layer(pack_padded_sequence(X[:4], lengths[0]))
        layer(pack_padded_sequence(X[4:], lengths[1]), state)
    with record(layer) as whole:
        layer(torch.cat([X[:2, 1:], X[4:, 1:]]))
    book, other = explain.ledger(trace, unit=1), explain.ledger(whole, unit=1)
    steps = [0, 1, 4, 5, 6]
    torch.testing.assert_close(book.values[steps][:, steps, 1], other.values[..., 0], rtol=0, atol=1e-14)
    assert book.memory[2:4, 1].isnan().all()
    torch.testing.assert_close(
        explain.half_life(trace.joined())["l0.c"],
        math.log(0.5)
        / trace.joined()["l0.f"][torch.tensor([[0, 1, 1, 1, 1, 1, 1], [0, 1, 0, 0, 1, 1, 1]]).T.bool()].log().mean(0),
    )


def test_calls_of_different_batches_are_chosen() -> None:
    model = Twice()
    model.idle = nn.Identity()  # type: ignore[assignment]
    x = (X, X[:, :1])
    for what in (
        lambda **more: explain.connectivity(model, x, at=2, **more).values,
        lambda **more: explain.gradient_paths(model, x, lambda output: output, **more)["reader.l0.c"].total,
    ):
        with pytest.raises(ValueError, match=r"found 2 calls of reader.l0, with batches of 1 and 2 sequences") as caught:
            what()
        assert "choose one, as in call=1" in str(caught.value)
        assert len(what(call=1)) == 7
        with pytest.raises(IndexError, match=r"expected a call of reader.l0 from 0 to 1, got 2"):
            what(call=2)
    with record(model) as trace:
        model(*x)
    with pytest.raises(LookupError, match=r"holds 2 calls of reader.l0: say trace.call\(0\)\[...\] for one of them$"):
        explain.ledger(trace)
    assert explain.ledger(trace.call(1)).values.shape == (7, 7, 1)


def test_layers_that_are_not_called() -> None:
    model = Twice()
    assert list(explain.gradient_paths(model, (X, X), lambda output: output)) == ["reader.l0.c"]
    assert {row.site for row in explain.ablation(model, (X, X), float).rows} == {"reader.l0.i", "reader.l0.f", "reader.l0.o"}
    for what, said in (
        (lambda: explain.gradient_paths(model, (X, X), lambda output: output, places=["idle.l0"]), "does not call idle.l0"),
        (lambda: explain.connectivity(model, (X, X), at=0, site="idle.l0.c"), "does not call idle.l0 on this input"),
        (lambda: explain.ablation(model, (X, X), float, sites=["idle.*"]), "found nothing to hold"),
    ):
        with pytest.raises(ValueError, match=said):
            what()


def test_a_plain_rnn_is_not_parted_over_several_calls() -> None:
    model = Pieces(LSTM(3, 4, cell=cells.rnn, dtype=DOUBLE), 2)
    with pytest.raises(ValueError, match="it is called 4 times, so that what its next step reads goes outside; call it once"):
        explain.gradient_paths(model, X, summed)
    assert explain.connectivity(model, X, at=6).values.shape == (7, 3)


class Tokens(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = LSTM(5, 4, dtype=DOUBLE)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.lstm(nn.functional.one_hot(tokens, 5).double())[0]


def test_what_has_no_gradient_of_its_own_is_listened_to_all_the_same() -> None:
    model, tokens = Tokens().requires_grad_(False), torch.tensor([[1], [4], [0]])
    x = nn.functional.one_hot(tokens, 5).double().requires_grad_()
    memory = model.lstm(x)[1][1][0, 0]
    jacobian = torch.stack([torch.autograd.grad(one, x, retain_graph=True)[0][:, 0] for one in memory])
    found = explain.connectivity(model, tokens, at=2)
    torch.testing.assert_close(found.values, jacobian.square().sum(0).sqrt(), rtol=0, atol=1e-14)
    total = explain.gradient_paths(model, tokens, torch.sum)["lstm.l0.c"].total
    assert (total != 0).all()
    assert not any(module._forward_pre_hooks for module in model.modules())


def two_layers_0() -> Trace:
    ours, _ = translators()
    with record(ours) as trace:
        ours(X, MOVED)
    return trace


def test_two_layers_0_are_both_named() -> None:
    trace = two_layers_0()
    for what in (explain.ledger, byhand.plots.gates, byhand.plots.memories, lambda trace: byhand.plots.unit(trace, 0)):
        with pytest.raises(
            UnknownSiteError, match=r"found layer 0 at encoder.l0, decoder.l0: say which, as in (layer|place)='encoder.l0'"
        ):
            what(trace)
    for name in ("decoder", "decoder.l0"):
        assert explain.ledger(trace, name).values.shape == (5, 5, 2)
        byhand.plots.gates(trace, name)
        byhand.plots.unit(trace, 0, name)
    with pytest.raises(UnknownSiteError, match=r"ledger knows no 'attention'; it knows encoder.l0, decoder.l0"):
        explain.ledger(trace, "attention")


def test_a_call_that_only_some_layers_have() -> None:
    trace = two_layers_0()
    assert trace.call(0).places == ("encoder.l0", "decoder.l0")
    assert trace.call(3).places == ("decoder.l0",)
    with pytest.raises(IndexError, match=r"the trace holds 5 calls of a layer, counted from 0; got call\(5\)"):
        trace.call(5)


def test_plots_draw_calls_along_time() -> None:
    layer = LSTM(3, 4, dtype=DOUBLE)
    with record(layer) as pieces:
        Pieces(layer, 2)(X)
    with record(layer) as whole:
        layer(X)
    for plot in (byhand.plots.gates, byhand.plots.memories, lambda trace: byhand.plots.unit(trace, 1)):
        drawn = [[line.get_ydata().tolist() for axes in plot(trace).axes for line in axes.lines] for trace in (pieces, whole)]
        assert len(drawn[0]) == len(drawn[1]) > 4
        for one, other in zip(*drawn, strict=True):
            assert one == pytest.approx(other, abs=1e-14)
    byhand.plots.time_lapse([(0, pieces), (1, whole)])  # refuses traces of different lengths
