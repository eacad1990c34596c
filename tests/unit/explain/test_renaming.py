"""layer= and batch= mean the same in every public function; their earlier names, place= and item=, are taken, too."""

import inspect

import pytest
import torch

import byhand
from byhand import explain, plots


def test_no_public_function_has_names_of_its_own() -> None:
    found = {
        f"{module.__name__}.{name}": set(inspect.signature(getattr(module, name)).parameters)
        for module in (byhand, explain, plots)
        for name in module.__all__
        if inspect.isfunction(getattr(module, name))
    }
    assert len(found) >= 25
    assert not {name: names for name, names in found.items() if names & {"place", "item", "sequence"}}


def test_earlier_names_give_the_same() -> None:
    torch.manual_seed(0)
    lstm, x = byhand.LSTM(2, 3, 2), torch.randn(5, 4, 2)
    old, new = (explain.connectivity(lstm, x, at=3, unit=1, **{name: 2}) for name in ("item", "batch"))
    assert torch.equal(old.values, new.values) and old.item == new.item == 2
    with byhand.record(lstm) as trace:
        lstm(x)
    for draw in (plots.gates, plots.memories, plots.unit):
        assert draw(trace, place=1, item=2).get_suptitle() == draw(trace, layer=1, batch=2).get_suptitle()
        assert "l1 (lstm), sequence 2" in draw(trace, layer=1, batch=2).get_suptitle()
    with pytest.raises(TypeError, match=r"gates got both batch= and item=, .*: type batch= alone"):
        plots.gates(trace, batch=1, item=2)
    with pytest.raises(IndexError, match="a sequence from 0 to 3, got 4"):
        plots.gates(trace, item=4)
