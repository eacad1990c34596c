"""Flax's side of a certificate: linen's parameters, as to_flax makes them, run by Flax itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from byhand import cells
from byhand.interop.arrays import needed, tensor_of
from byhand.interop.certify import certify
from byhand.interop.parity import ParityReport, versions_of
from byhand.nn import LSTM

KINDS = {cells.lstm: "LSTMCell", cells.gru: "GRUCell", cells.rnn: "SimpleCell"}


def certify_flax(layer: LSTM, variables: Mapping[str, Any]) -> ParityReport:
    """Compare a layer with what Flax computes with these parameters. ImportError without Flax, ValueError for another cell."""
    linen, jax = needed("flax.linen", "flax", "certify"), needed("jax", "flax", "certify")
    if layer.cell not in KINDS:
        raise ValueError(f"expected a layer with cell lstm, gru or rnn, got {layer.cell.name!r}")
    kind, width = getattr(linen, KINDS[layer.cell]), next(layer.parameters()).dtype
    options = {"dtype": str(width).removeprefix("torch."), "param_dtype": str(width).removeprefix("torch.")}

    def linens_layers(x: Any, lengths: Any = None) -> tuple[Any, tuple[Any, ...]]:
        value = jax.numpy.asarray(x if layer.batch_first else x.swapaxes(0, 1))
        found: list[list[Any]] = []  # for each layer and direction its states, h before c
        for number in range(layer.num_layers):
            own = variables["params"] if layer.num_layers == 1 else variables["params"][f"layers_{number}"]
            half = [linen.RNN(kind(layer.hidden_size, **options)) for _ in range(1 + layer.bidirectional)]
            module = linen.Bidirectional(*half) if layer.bidirectional else half[0]
            carry, value = module.apply({"params": own}, value, seq_lengths=lengths, return_carry=True)
            halves = carry if layer.bidirectional else [carry]
            found += [[one[1], one[0]] if isinstance(one, tuple) else [one] for one in halves]
        states = tuple(jax.numpy.stack(one) for one in zip(*found, strict=True))
        outputs = value if layer.batch_first else value.swapaxes(0, 1)
        return tensor_of(outputs).numpy(), tuple(tensor_of(one).numpy() for one in states)

    linens_layers.__name__ = f"Flax's {KINDS[layer.cell]}"
    report = certify(layer, linens_layers, lengths=True)
    return ParityReport(report.what, report.values, report.tolerance, versions_of(("flax", "jax")), report.notes)
