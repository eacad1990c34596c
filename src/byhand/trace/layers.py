"""The byhand layers inside a model, and the names of all that they compute."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from byhand.engine.names import Sublayer, join, site_names
from byhand.nn import LSTM, LSTMCell
from byhand.nn.frozen_layers import Frozen


def layers(model: nn.Module, purpose: str) -> dict[nn.Module, str]:
    """Every byhand.LSTM and LSTMCell inside, with its path. ValueError if there is none."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"{purpose} expected a module, got a {type(model).__name__}")
    found: dict[nn.Module, str] = {
        module: path for path, module in model.named_modules() if isinstance(module, LSTM | LSTMCell)
    }
    if not found:
        torchs = [path or "itself" for path, module in model.named_modules() if isinstance(module, nn.RNNBase | nn.RNNCellBase)]
        frozen = [path or "itself" for path, module in model.named_modules() if isinstance(module, Frozen)]
        hint = f"; it holds torch's own ({', '.join(torchs)}): byhand.convert(model) first" if torchs else ""
        hint = f"; it holds frozen layers ({', '.join(frozen)}): take the model that they were made from" if frozen else hint
        raise ValueError(f"{purpose} found no byhand.LSTM inside {type(model).__name__}{hint}")
    return found


def places(module: LSTM | LSTMCell) -> tuple[Sublayer, ...]:
    return module.sublayers if isinstance(module, LSTM) else (Sublayer(None),)


def names(paths: Mapping[nn.Module, str]) -> list[str]:
    """The names of all sites of these modules."""
    found = []
    for module, path in paths.items():
        assert isinstance(module, LSTM | LSTMCell)
        sites = site_names(module.cell, projected=bool(getattr(module, "proj_size", 0)))
        found += [join(path, place, site) for place in places(module) for site in sites]
    return found
