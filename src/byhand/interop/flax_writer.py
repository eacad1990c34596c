"""to_flax: the weights of a byhand.LSTM for Flax, the inverse of load_weights."""

from __future__ import annotations

from typing import Any

from byhand import cells
from byhand.interop.arrays import needed, nested, numpy_of
from byhand.interop.flax import HALVES
from byhand.interop.layouts import LINEN_GRU, LINEN_LSTM, LINEN_RNN, NNX_GRU, NNX_LSTM, NNX_OPTIMIZED_LSTM, NNX_RNN
from byhand.interop.stacks import weights_of
from byhand.interop.weights import write
from byhand.nn import LSTM


def to_flax(layer: LSTM, *, api: str = "linen", optimized: bool = False) -> Any:
    """Write the weights of a byhand.LSTM for Flax: the inverse of load_weights.

    Where Flax has one bias, it is the sum of byhand's two, rounded once; bit for bit the first where the second is 0.

    Args:
        layer: the layer; its cell is lstm, gru or rnn.
        api: "linen" or "nnx".
        optimized: with "nnx", for OptimizedLSTMCell in place of LSTMCell; in linen both have the same parameters.

    Returns:
        With "linen" a dict {"params": ...} for RNN(LSTMCell(...)), GRUCell or SimpleCell, or for Bidirectional(RNN(...), RNN(...)); for
        a Sequential of these, layers_0, layers_1, ..., where there are several layers. With "nnx" an nnx.State for the same, for
        nnx.update(rnn, state); for nnx.Sequential where there are several.

    Raises:
        ImportError: Flax is missing; it says what to install.
        TypeError: `layer` is no byhand.LSTM.
        ValueError: Flax has no such layer: another cell, a projection, learnt first states; or, with nnx, a GRU whose recurrent bias of
            the candidate is not 0.
    """
    weights = weights_of(layer)
    kinds = {
        ("linen", cells.lstm): LINEN_LSTM,
        ("linen", cells.gru): LINEN_GRU,
        ("linen", cells.rnn): LINEN_RNN,
        ("nnx", cells.lstm): NNX_OPTIMIZED_LSTM if optimized else NNX_LSTM,
        ("nnx", cells.gru): NNX_GRU,
        ("nnx", cells.rnn): NNX_RNN,
    }
    if api not in ("linen", "nnx"):
        raise ValueError(f"to_flax expected api='linen' or api='nnx', got {api!r}")
    if (api, layer.cell) not in kinds or layer.dropout:
        what = f"dropout={layer.dropout}" if layer.dropout else f"{layer.cell.name!r}"
        raise ValueError(f"to_flax expected a layer with cell lstm, gru or rnn and without dropout, got {what}")
    layout, leaves = kinds[api, layer.cell], {}
    jax = needed("jax", "flax", "to_flax")
    for place, own in zip(layer.sublayers, weights, strict=True):
        at = "cell" if not layer.bidirectional else f"{HALVES[place.reverse]}/cell"
        if layer.num_layers > 1:
            at = f"layers_{place.layer}/{at}" if api == "linen" else f"layers/{place.layer}/{at}"
        for name, value in write(layout, own).items():
            leaves[f"{at}/{name.replace('.', '/')}"] = jax.numpy.asarray(numpy_of(value))
    if api == "linen":
        return {"params": nested(leaves)}
    nnx = needed("flax.nnx", "flax", "to_flax")
    return nnx.State(nested({path: nnx.Param(value) for path, value in leaves.items()}))
