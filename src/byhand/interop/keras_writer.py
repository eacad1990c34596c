"""to_keras: a byhand.LSTM as a layer of Keras 3, the inverse of load_weights."""

from __future__ import annotations

from typing import Any

from byhand.interop.arrays import needed, numpy_of
from byhand.interop.keras import ARRAYS
from byhand.interop.keras_options import kept, options_of
from byhand.interop.stacks import weights_of
from byhand.interop.weights import write
from byhand.nn import LSTM


def to_keras(layer: LSTM, *, return_state: bool = False) -> Any:
    """Write a byhand.LSTM as a Keras layer with the same weights: the inverse of load_weights.

    Where Keras has one bias, it is the sum of byhand's two, rounded once; bit for bit the first where the second is 0.

    Args:
        layer: the layer. Its cell is lstm, gru, gru_reset_before or rnn, or one of these with activations that Keras has.
        return_state: whether a single layer is to give its states too.

    Returns:
        An LSTM, GRU or SimpleRNN of Keras, in a Bidirectional if it has both directions; a Sequential of them if it has several layers,
        with Dropout between them if it has dropout. All give whole sequences, (batch, time, units).

    Raises:
        ImportError: Keras is missing; it says what to install.
        TypeError: `layer` is no byhand.LSTM.
        ValueError: Keras has no such layer: another cell, a projection, learnt first states, or return_state with several layers.
    """
    weights = weights_of(layer)
    kind, options = options_of(layer.cell)
    if layer.proj_size:
        raise ValueError("to_keras expected a layer without projection, which Keras does not have, got proj_size")
    if return_state and layer.num_layers > 1:
        raise ValueError(
            f"to_keras expected one layer with return_state=True, got {layer.num_layers}: a Sequential gives no states"
        )
    keras = needed("keras", "keras", "to_keras")
    directions, made = 2 if layer.bidirectional else 1, []
    options |= {
        "units": layer.hidden_size,
        "use_bias": layer.bias,
        "return_sequences": True,
        "return_state": return_state,
        "dtype": str(weights[0]["weight_ih"].dtype).removeprefix("torch."),
    }
    for number in range(layer.num_layers):
        one = getattr(keras.layers, kind)(**options)
        one = keras.layers.Bidirectional(one, dtype=options["dtype"]) if layer.bidirectional else one
        width = layer.input_size if not number else layer.hidden_size * directions
        one.build((None, None, width))
        halves = [one.forward_layer, one.backward_layer] if layer.bidirectional else [one]
        for half, own in zip(halves, weights[number * directions :], strict=False):
            arrays = write(kept(kind, options, "to_keras").layout, own)
            half.cell.set_weights([numpy_of(arrays[name]) for name in ARRAYS if name in arrays])
        made += [keras.layers.Dropout(layer.dropout)] if number and layer.dropout else []
        made.append(one)
    if len(made) == 1:
        return made[0]
    return keras.Sequential([keras.Input((None, layer.input_size), dtype=options["dtype"]), *made])
