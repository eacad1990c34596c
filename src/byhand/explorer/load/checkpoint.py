"""Trained models out of files: whoever wrote them, as a byhand.LSTM and what is known of its inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from byhand.cells import Cell
from byhand.cells import names as cell_names
from byhand.cells.own_cells import find_own
from byhand.errors import LoadError
from byhand.explorer.load.frameworks import ENDINGS, of_frameworks
from byhand.explorer.load.model import Trained
from byhand.explorer.load.unreadable import needs_code, other_kind
from byhand.explorer.load.weight_files import read_layer
from byhand.explorer.load.zoo import name_in_zoo, of_zoo
from byhand.files.archive import read_archive
from byhand.files.regular_file import read_regular
from byhand.files.run_folder import checkpoint_in, what_is_missing
from byhand.nn import LSTM
from byhand.nn.pretrained.folder import CONFIG

# LSTM.py's names of the gates, in the order of cells.lstm.gates.
COLOURS = ("green", "blue", "orange", "purple")
COMPANIES = torch.tensor([[0.0, 0.5, 0.25, 1.0], [1.0, 0.5, 0.25, 1.0]])
EXPECTED = (
    "expected a checkpoint of byhand fit or LSTM.py, a folder of save_pretrained, or weights of an LSTM (.pt, .safetensors, .keras, .h5,"
    " .npz)"
)


def open_trained(
    path: Path, count: int, layer: str | None = None, cell: str | None = None, layout: str | None = None
) -> Trained:
    """What the file or folder holds.

    Args:
        path: of a checkpoint, a model folder or a file of weights.
        count: sequences of its own task to show.
        layer: the name of a recurrent layer, in a file of weights that has several.
        cell: the name of its cell, where that is the user's own; its module is imported.
        layout: of arrays by name: how they are laid out, as in "keras.GRU".

    Raises:
        ValueError, OSError: what was expected there; LoadError for a file or folder that is damaged.
    """
    if (name := name_in_zoo(path)) is not None:
        for option, value in {"layer": layer, "cell": cell, "layout": layout}.items():
            if value is not None:
                raise ValueError(f"--{option}: not of a model of the zoo, which is whole; got {path}: leave it out")
        return of_zoo(name, count)
    if path.is_dir():
        if layout is not None:
            raise ValueError(f"--layout: expected a file of arrays by name (.npz), got the folder {path}: leave it out")
        if not (path / CONFIG).exists():
            missing = what_is_missing(path, "byhand explore")
            raise ValueError(
                f"{path}: {EXPECTED}; this folder has no {CONFIG}, as save_pretrained writes it, nor a checkpoint: {missing}"
            )
        refuse_layer(path, layer)
        lstm = LSTM.from_pretrained(path, cell=None if cell is None else typed_cell(cell))
        return Trained(lstm, f"{path.name or 'lstm'}", lstm.input_size)
    if path.suffix.lower() in ENDINGS:
        if cell is not None:
            raise ValueError(
                f"--cell: not of a file of Keras or numpy, which byhand's own cells compute; got {path}: leave it out"
            )
        return of_frameworks(path, layer, layout)
    if layout is not None:
        raise ValueError(f"--layout: expected a file of arrays by name (.npz), got {path}: leave it out")
    content = read(path)
    state = content.get("state_dict", content)
    if isinstance(state, Mapping) and "w_blue1" in state:
        refuse_layer(path, layer)
        return of_the_lesson(path, state)
    hyper_parameters = content.get("hyper_parameters")
    if isinstance(hyper_parameters, Mapping) and "form" in hyper_parameters and isinstance(state, Mapping):
        refuse_layer(path, layer)
        from byhand.explorer.load.fit_run import of_fit  # noqa: PLC0415 (Lightning is loaded when it is needed)

        return of_fit(path, dict(hyper_parameters), dict(state), count, cell)
    if cell is not None:
        raise ValueError(
            f"--cell: expected a checkpoint of byhand fit or a folder of save_pretrained, which name it; got {path}"
        )
    found = read_layer(path, content, layer)
    title = path.stem if layer is None else f"{path.stem}, {found.name}"
    return Trained(found.lstm, title, found.lstm.input_size, notices=tuple(found.notices))


def refuse_layer(path: Path, layer: str | None) -> None:
    """ValueError if a layer was asked for in what holds one model."""
    if layer is not None:
        raise ValueError(
            f"--layer: expected a file of weights with several recurrent layers; {path} holds one model: leave it out"
        )


def typed_cell(name: str) -> Cell:
    """ValueError if there is no such cell."""
    cell = cell_names.read(name) or find_own(name)
    if cell is None:
        raise ValueError(f"--cell: expected module:name of your own cell, or one of byhand.cells; got {name!r}")
    return cell


def of_run(path: Path) -> Path | None:
    """The checkpoint that the folder of a run stands for; None for a file, for a folder of save_pretrained, and where there is none."""
    return checkpoint_in(path) if path.is_dir() and not (path / CONFIG).exists() else None


def read(path: Path) -> dict[str, Any]:
    """A dict that a file holds, or a list of such by their numbers; nothing in it is run. ValueError, LoadError, OSError."""
    if path.is_file() and (other := other_kind(path)) is not None:
        raise ValueError(f"{path}: {EXPECTED}; {other}")
    try:
        if path.suffix == ".safetensors":
            return dict(safetensors.torch.load(read_regular(path)))
        found = read_archive(path, older=True)
    except OSError as problem:
        raise LoadError(f"{path}: {EXPECTED}; got nothing that can be read: {problem.strerror or problem}") from problem
    except (LoadError, ValueError, safetensors.SafetensorError) as problem:
        why = needs_code(path, f"{problem} {problem.__cause__}") or f"got {problem}"
        raise LoadError(f"{path}: {EXPECTED}; {why}") from problem
    if isinstance(found, list | tuple) and any(isinstance(one, Mapping | list | tuple) for one in found):
        return {str(number): one for number, one in enumerate(found)}
    if not isinstance(found, Mapping):
        raise LoadError(f"{path}: {EXPECTED}; it holds a {type(found).__name__}")
    return dict(found)


def of_the_lesson(path: Path, state: Mapping[str, Tensor]) -> Trained:
    """The twelve numbers of LSTM.py, and the companies."""
    lstm = lesson_lstm(path, state)
    example = {"x": COMPANIES.T.unsqueeze(-1), "items": ["company A", "company B"], "targets": COMPANIES[:, 0]}
    about = "The one LSTM unit of LSTM.py, twelve numbers: it reads a company's prices on four days and answers with that of the fifth."
    options = {"features": ["price"], "about": about}
    return Trained(lstm, "LSTM.py: twelve numbers", 1, options, example, columns=("price",))


def lesson_lstm(path: Path, state: Mapping[str, Tensor]) -> LSTM:
    """Index 1 multiplies the short memory, index 2 the input. ValueError."""
    names = [f"{kind}_{colour}{number}" for colour in COLOURS for kind, number in (("w", 1), ("w", 2), ("b", 1))]
    wrong = [name for name in names if not isinstance(state.get(name), Tensor) or state[name].numel() != 1]
    if wrong:
        raise ValueError(f"{path}: expected the twelve numbers of LSTM.py, got none called {', '.join(wrong)}")

    def column(kind: str, number: int) -> Tensor:
        return torch.stack([state[f"{kind}_{colour}{number}"].float().reshape(()) for colour in COLOURS])

    lstm = LSTM(1, 1)
    weights = {"weight_ih_l0": column("w", 2).unsqueeze(1), "weight_hh_l0": column("w", 1).unsqueeze(1)}
    lstm.load_state_dict(weights | {"bias_ih_l0": column("b", 1), "bias_hh_l0": torch.zeros(4)})
    return lstm
