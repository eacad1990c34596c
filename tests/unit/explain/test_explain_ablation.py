"""ablation: what a score loses, against models that were edited by hand."""

import pytest
import torch
from torch import Tensor, nn

import byhand
from byhand import LSTM, cells, explain
from byhand.errors import UnknownSiteError


def score(output: tuple[Tensor, object]) -> Tensor:
    return output[0].square().mean()


def test_rows_are_the_scores_of_edited_models() -> None:
    layer, x = LSTM(3, 4, dtype=torch.float64), torch.randn(6, 5, 3, dtype=torch.float64)
    found = explain.ablation(layer, x, score, units=[1, 3])
    with byhand.record(layer) as trace:
        assert found.base == pytest.approx(score(layer(x)).item(), abs=1e-15)
    assert [(row.site, row.unit, row.held) for row in found.rows] == [
        (f"l0.{gate}", unit, held) for gate in "ifo" for unit in (None, 1, 3) for held in ("open", "shut", "mean")
    ]
    for row in found.rows:
        mean = trace[row.site].mean((0, 1))
        value = {"open": torch.ones(4), "shut": torch.zeros(4), "mean": mean}[row.held].double()
        change = value if row.unit is None else byhand.at(value[row.unit], unit=row.unit)
        with byhand.edit(layer, {row.site: change}):
            wanted = score(layer(x)[0:1]).item()
        assert row.score == pytest.approx(wanted, abs=1e-15)
        assert row.change == row.score - found.base


def test_the_gate_that_decides_is_ranked_first() -> None:
    """The score reads what only unit 2 lets out."""
    layer, x = LSTM(2, 3), torch.randn(8, 4, 2)
    found = explain.ablation(layer, x, lambda output: output[0][..., 2].abs().sum(), units="all", sites=["*.o"])
    assert found.ranked()[0].name in ("l0.o", "l0.o[2]")
    assert all(row.change == 0 for row in found.rows if row.unit == 0 and row.site == "l1.o")
    lines = found.table().splitlines()
    assert len(lines) == 2 + 3 * 4
    assert lines[1].split() == ["nothing", f"{found.base:.5g}", "+0"]
    assert len({len(line) for line in lines}) == 1
    assert str(found) == found.table()


def test_what_is_no_gate_is_shut_or_at_its_mean() -> None:
    layer, x = LSTM(2, 3, cell=cells.rnn), torch.randn(8, 4, 2)
    with pytest.raises(ValueError, match="found no gates"):
        explain.ablation(layer, x, score)
    found = explain.ablation(layer, x, score, sites=["l0.h"])
    assert [row.held for row in found.rows] == ["shut", "mean"]
    assert found.rows[0].score == 0


def test_several_calls_noise_and_progress() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = LSTM(2, 3, 2, dropout=0.5, cell=cells.zoneout(cells.lstm))

        def forward(self, a: Tensor, b: Tensor) -> Tensor:
            return self.lstm(a)[0].mean() + self.lstm(b)[0].mean()

    model, seen = Twice(), []
    state = torch.get_rng_state()
    given = (torch.randn(4, 2, 2), torch.randn(7, 3, 2))
    found = explain.ablation(model, given, float, sites=["lstm.l1.f"], progress=lambda done, of: seen.append((done, of)))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    torch.set_rng_state(state)
    given = (torch.randn(4, 2, 2), torch.randn(7, 3, 2))
    assert explain.ablation(model, given, float, sites=["lstm.l1.f"]) == found


def test_an_edit_that_changes_nothing_changes_no_score() -> None:
    layer, x = LSTM(2, 3, dtype=torch.float64), torch.randn(1, 4, 2, dtype=torch.float64)
    found = explain.ablation(layer, x, score, sites=["l0.f"])  # one step from a memory of 0: nothing to forget
    assert [row.change for row in found.rows] == pytest.approx([0, 0, 0], abs=1e-15)


def test_wrong_arguments() -> None:
    layer, x = LSTM(2, 3), torch.randn(4, 1, 2)
    with pytest.raises(TypeError, match=r"write \['l0.f'\]"):
        explain.ablation(layer, x, score, sites="l0.f")
    with pytest.raises(UnknownSiteError, match=r"'l9\.f'"):
        explain.ablation(layer, x, score, sites=["l9.f"])
    with pytest.raises(IndexError, match=r"units of l0.i from 0 to 2, got 3"):
        explain.ablation(layer, x, score, units=[3])
    with pytest.raises(TypeError, match=r"score to give one number, got shape \(4, 1, 3\)"):
        explain.ablation(layer, x, lambda output: output[0])
