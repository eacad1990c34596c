"""Files of Keras and numpy, as the explorer opens them: by load_weights, whose warnings become notices."""

from __future__ import annotations

import warnings
from pathlib import Path

from byhand.explorer.document.document import counted
from byhand.explorer.load.model import Trained
from byhand.explorer.load.weight_files import HALVES
from byhand.interop.choosing import as_option
from byhand.interop.load import load_weights

ENDINGS = (".keras", ".h5", ".hdf5", ".npz")


def of_frameworks(path: Path, layer: str | None, layout: str | None) -> Trained:
    """The layer in a file, which `layer` names where there are several. LoadError, ValueError, with options in the place of arguments."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            lstm = load_weights(path, prefix=layer, layout=layout)
        except ValueError as problem:
            raise type(problem)(as_option(str(problem), "--layer")) from problem
    if next(lstm.parameters()).dtype in HALVES:
        lstm.float()
    sizes = [counted(lstm.input_size, "input"), counted(lstm.hidden_size, "unit"), counted(lstm.num_layers, "layer")]
    sizes += ["both directions"] * lstm.bidirectional
    notice = f"read as byhand.LSTM with cell {lstm.cell.name} ({', '.join(sizes)})"
    title = path.name.removesuffix(path.suffix).removesuffix(".weights") + (f", {layer}" if layer else "")
    return Trained(lstm, title, lstm.input_size, notices=(notice, *(str(one.message) for one in said)))
