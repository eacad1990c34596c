"""byhand.explore of models with several LSTMs, and of layers that are called several times."""

import re
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

import byhand
from byhand import LSTM, LSTMCell, Trace, explain, record
from byhand.errors import UnknownSiteError
from byhand.explorer.document.packing import restored


class Translator(nn.Module):
    """An encoder of three features, and a decoder that is handed what it said last; beams: sequences of the decoder to one of the
    encoder's.
    """

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder, self.head = LSTM(3, 4), LSTM(2, 5), nn.Linear(5, 2)
        self.bridge = nn.Linear(4, 5)

    def forward(self, x: Tensor, steps: int = 5, beams: int = 1, idle: bool = False) -> Tensor:
        h, c = self.encoder(x)[1]
        state = tuple(self.bridge(one.repeat_interleave(beams, 1)) for one in (h, c))
        said, outputs = x.new_zeros(1, beams * x.shape[1], 2), []
        for _ in range(steps):
            y, state = self.decoder(said, state)
            said = self.head(y)
            outputs.append(said)
        return torch.cat(outputs)


X = torch.randn(7, 2, 3)


def traced(model: nn.Module, *x: Any, **more: Any) -> Trace:
    with torch.no_grad(), record(model) as trace:
        model(*x, **more)
    return trace


def maps(item: dict[str, Any], place: str, site: str) -> Tensor:
    return restored(item["maps"][place][site]["values"])


@pytest.mark.parametrize("steps", [5, 9])
def test_an_encoder_and_a_decoder_with_steps_of_their_own(steps: int) -> None:
    model = Translator()
    trace, longest = traced(model, X, steps).joined(), max(7, steps)
    found = byhand.explore(model, (X, steps), head=model.head, characters=["abcdefg"] * 2).document
    assert [(one["place"], one["layer"], one["hidden"]) for one in found["layers"]] == [
        ("encoder.l0", 0, 4),
        ("decoder.l0", 1, 5),
    ]
    assert found["head"]["weight"]["shape"] == [2, 5]  # of the decoder's five units
    assert not found["computed"] and "one by itself: layer='encoder'" in found["why_not"]
    assert (
        f"the layers have steps of their own, each counted from its first: 7 of encoder.l0 and {steps} of decoder.l0"
        in found["notices"]
    )
    for row, item in enumerate(found["items"]):
        assert item["steps"] == longest and item["characters"] == [*"abcdefg", *[""] * (longest - 7)]
        for place, count in (("encoder.l0", 7), ("decoder.l0", steps)):
            shown = maps(item, place, "c")
            assert shown.shape[0] == longest and shown[count:].isnan().all()
            torch.testing.assert_close(shown[:count].float(), trace[f"{place}.c"][:, row], rtol=0, atol=0)
        assert restored(item["input"])[7:].isnan().all()


def test_one_of_several_layers_is_computed_by_itself() -> None:
    model = Translator()
    for name in ("encoder", "encoder.l0"):
        found = byhand.explore(model, X, layer=name).document
        assert found["computed"] and [one["place"] for one in found["layers"]] == ["encoder.l0"]
        assert torch.equal(restored(found["layers"][0]["weights"]["recurrent"]).float(), model.encoder.weight_hh_l0)
    found = byhand.explore(model, X, layer="decoder").document
    assert (
        not found["computed"]
        and found["why_not"] == "Translator calls its LSTM several times; shown are all calls, one after the other"
    )
    trace = traced(model, X)
    torch.testing.assert_close(
        maps(found["items"][1], "decoder.l0", "h").float(), trace.joined()["decoder.l0.h"][:, 1], rtol=0, atol=0
    )
    for layer, said in (
        (0, "explore found layer 0 at encoder.l0, decoder.l0: say which, as in layer='encoder.l0'"),
        ("attention", "explore knows no 'attention'; it knows encoder.l0, decoder.l0"),
    ):
        with pytest.raises(UnknownSiteError, match=re.escape(said)):
            byhand.explore(model, X, layer=layer)


def test_a_call_is_chosen() -> None:
    model = Translator()
    trace = traced(model, X)
    for given, call in ((model, 3), (model, -2), (trace, 3)):
        found = byhand.explore(given, *([X] if given is model else []), layer="decoder", call=call).document
        (item, _) = found["items"]
        assert item["steps"] == 1 and not found["computed"]
        torch.testing.assert_close(maps(item, "decoder.l0", "c").float(), trace.call(3)["decoder.l0.c"][:, 0], rtol=0, atol=0)
        assert (
            restored(item["initial"]["decoder.l0"]["c"]).float().tolist() == trace.call(3).initial("decoder.l0.c")[0].tolist()
        )
    assert byhand.explore(model, X, layer="decoder", call=-2).document["why_not"].endswith("shown is call 3 of 5")
    with pytest.raises(IndexError, match="explore expected a call from 0 to 4, got 5"):
        byhand.explore(model, X, layer="decoder", call=5)


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.reader = LSTM(3, 4)

    def forward(self, one: Any, other: Any) -> Tensor:
        return self.reader(one)[1][0].sum() + self.reader(other)[1][0].sum()


def test_batches_of_different_sizes_are_refused_with_advice_that_helps() -> None:
    with pytest.raises(ValueError, match=r"with batches of 1 and 2 sequences.*choose one, as in call=1"):
        byhand.explore(Twice(), (X, X[:, :1]))
    assert len(byhand.explore(Twice(), (X, X[:, :1]), call=1).document["items"]) == 1
    model = Translator()
    with pytest.raises(ValueError, match=r"2 sequences in encoder.l0 and 6 sequences in decoder.l0.*as in layer='decoder.l0'"):
        byhand.explore(model, (X, 4, 3))
    assert len(byhand.explore(model, (X, 4, 3), layer="decoder.l0").document["items"]) == 6


def test_padded_calls_have_a_gap_between_them() -> None:
    model, first, second = (
        Twice(),
        pack_padded_sequence(X[:4], torch.tensor([4, 2])),
        pack_padded_sequence(X[4:], torch.tensor([3, 3])),
    )
    found = byhand.explore(model, (first, second)).document
    trace = traced(model, first, second).joined()
    for row, item in enumerate(found["items"]):
        assert item["steps"] == 7
        torch.testing.assert_close(
            maps(item, "reader.l0", "c").float(), trace["reader.l0.c"][:, row], rtol=0, atol=0, equal_nan=True
        )
    assert maps(found["items"][1], "reader.l0", "c")[2:4].isnan().all()


def test_a_single_cell() -> None:
    class Loop(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = LSTMCell(3, 4)

        def forward(self, x: Tensor) -> Tensor:
            state = None
            for step in x:
                state = self.cell(step, state)
            return state[0]

    model = Loop()
    found = byhand.explore(model, X).document
    assert found["why_not"] == "Loop holds a single cell, whose steps are put together outside"
    torch.testing.assert_close(maps(found["items"][0], "cell", "c").float(), traced(model, X)["cell.c"][:, 0], rtol=0, atol=0)
    cell = model.cell
    found = byhand.explore(cell, (X[0], (X.new_ones(2, 4), X.new_zeros(2, 4)))).document
    assert restored(found["items"][0]["initial"][""]["h"]).tolist() == [1] * 4


def test_sequences_that_start_again_within_a_call() -> None:
    class Player(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = LSTM(3, 4)

        def forward(self, x: Tensor, reset: Tensor) -> Tensor:
            return self.lstm(x, reset=reset)[0]

    model, reset = Player(), (torch.arange(7) == 3).unsqueeze(1) & torch.tensor([True, False])
    found = byhand.explore(model, (X, reset)).document
    assert (
        not found["computed"]
        and found["why_not"] == "Player starts sequences again within a call (reset), which the page does not"
    )
    torch.testing.assert_close(
        maps(found["items"][0], "lstm.l0", "c").float(), traced(model, X, reset)["lstm.l0.c"][:, 0], rtol=0, atol=0
    )
    assert not explain.diagnose(model, (X, reset))


def test_arguments_by_name_and_models_that_take_a_mapping() -> None:
    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = LSTM(3, 4)

        def forward(self, batch: dict[str, Tensor]) -> Tensor:
            return self.lstm(batch["series"])[0]

    model = Translator()
    assert byhand.explore(model, {"x": X, "steps": 9}).document["items"][0]["steps"] == 9
    found = byhand.explore(Reader(), {"series": X}).document
    assert found["call"]["around"] == "x" and found["items"][0]["steps"] == 7
    with pytest.raises(
        TypeError, match=r"takes the first states of a byhand.LSTM as hx, got a tuple: byhand.explore\(lstm, x, hx=hx\)"
    ):
        byhand.explore(LSTM(3, 4), (X, None))
