"""An LSTM in a folder: config.json says what it is, model.safetensors holds its values, README.md introduces it.

Everything in config.json is a number, a word or true or false; the cell is found again by its name. Nothing is unpickled, and
nothing that was read is run.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import torch

from byhand import checks
from byhand.saving import cell_names, model_card
from byhand.saving.model_folder import ARGUMENTS, CONFIG, REMEDY, Description, LoadError, digest, read, replace

if TYPE_CHECKING:
    from torch import Tensor

    from byhand.cells import Cell
    from byhand.nn import LSTM

__all__ = ["LoadError", "load", "save"]

Made = TypeVar("Made", bound="LSTM")


def save(lstm: LSTM, folder: str | os.PathLike[str]) -> None:
    """Write `lstm` into a folder, made if need be. A model that is there is replaced; a README.md that you have edited is kept.

    Tied parameters are written under each of their names: once loaded they are equal, and no longer tied. Neither what is frozen
    nor eval mode is written. One process at a time may save into a folder (rank 0, say); others may load from it meanwhile.

    Raises ValueError for an LSTM without its plain parameters (parametrised, pruned, of several dtypes, on the meta device) and
    for a cell that goes by the name of another; OSError for a folder that cannot be written to or has a stranger's files. After
    an error, or a kill at any moment, the folder holds what it held or the new model, whole.
    """
    folder, model = Path(folder), describe(lstm)
    weights = serialise(lstm, model)
    model["weights_sha256"] = digest(weights)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        card = folder / "README.md"
        replace(folder, model, weights, {} if model_card.is_edited(card) else {card.name: model_card.written(lstm)})
    except OSError as error:
        raise OSError(
            error.errno,
            f"{folder}: expected a folder to save into, got: {error.strerror or error}. A model that was there is not lost; make"
            " room or name another folder, and save again",
        ) from error


def load(
    cls: type[Made],
    folder: str | os.PathLike[str],
    *,
    cell: Cell | None = None,
    device: torch.device | str | int | None = None,
) -> Made:
    """The LSTM that a folder holds, bit for bit, as a new `cls` in training mode; on torch's default device if none is given.

    cell: the model's cell, where byhand.cells cannot make it from its name.

    Raises LoadError for a file that is missing or in any byte not as it was written, for a cell that is missing or another, and
    for a `cls` that cannot hold the model. Draws no random numbers.
    """
    import safetensors.torch  # noqa: PLC0415 (import byhand stays light)

    folder = Path(folder)
    try:
        model, weights = read(folder)
    except OSError as error:
        raise LoadError(f"{folder}: expected a folder that save_pretrained has written, got: {error}; {REMEDY}") from error
    cell = choose_cell(str(model["cell"]), cell, folder / CONFIG)
    try:
        lstm = blank(cls, model, cell)
        # Cloned: safetensors' own tensors may lie unaligned in memory, where kernels may round differently.
        lstm.load_state_dict({name: value.clone() for name, value in safetensors.torch.load(weights).items()}, assign=True)
    except (ArithmeticError, AttributeError, RuntimeError, TypeError, ValueError, safetensors.SafetensorError) as error:
        raise LoadError(f"{folder}: expected a model that {cls.__name__}(cell={cell}) can hold, got: {error}") from error
    return lstm.to(torch.get_default_device() if device is None else device)


def describe(lstm: LSTM) -> Description:
    """What it takes to make it again, but for the values. ValueError for a cell that would come back as another."""
    if cell_names.find(lstm.cell.name) not in (None, lstm.cell):
        raise ValueError(
            f"save_pretrained expected a cell with a name of its own, got one named {lstm.cell.name!r} that is not byhand's of that"
            " name: write dataclasses.replace(cell, name=...)"
        )
    arguments = {name: getattr(lstm, name) for name in ARGUMENTS}
    return arguments | {"cell": lstm.cell.name, "dtype": str(lstm.weight_ih_l0.dtype).removeprefix("torch.")}


def blank(cls: type[Made], model: Description, cell: Cell) -> Made:
    """An LSTM of that description, without values."""
    arguments = {name: model[name] for name in ARGUMENTS}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what there was to say of its dropout was said when it was made
        return cls(**arguments, cell=cell, dtype=getattr(torch, model["dtype"]), device="meta")


def choose_cell(name: str, given: Cell | None, path: Path) -> Cell:
    """The cell of that name: byhand's, or the one given. LoadError if there is none or it is another."""
    known = cell_names.find(name)
    if given is None:
        if known is None:
            raise LoadError(
                f"{path}: expected a cell out of byhand.cells, got one named {name!r}: write from_pretrained(folder, cell=...) with"
                " the cell of that name"
            )
        return known
    checks.check_cell(given)
    if given.name != name or known not in (None, given):
        raise LoadError(
            f"{path}: expected cell={name}, with which the model was saved, got cell={given}: leave cell out, or give that one"
        )
    return given


def serialise(lstm: LSTM, model: Description) -> bytes:
    """Its values as a safetensors file, with the description in it: two models never have the same file."""
    import safetensors.torch  # noqa: PLC0415 (import byhand stays light)

    state = lstm.state_dict()
    check_plain(state, lstm, model)
    values = {name: value.cpu().clone(memory_format=torch.contiguous_format) for name, value in state.items()}
    return safetensors.torch.save(values, {"byhand": json.dumps(model, allow_nan=False)})


def check_plain(state: Mapping[str, Tensor], lstm: LSTM, model: Description) -> None:
    """That these are the parameters which its arguments make, of one dtype and with values. ValueError."""
    from byhand.nn import LSTM  # noqa: PLC0415 (nn itself offers what stands here)

    expected, got = kinds(blank(LSTM, model, lstm.cell).state_dict()), kinds(state)
    wrong = [name for name in {**expected, **got} if expected.get(name) != got.get(name)]
    if wrong:
        listed = "; ".join(f"{name}: expected {expected.get(name, 'none')}, got {got.get(name, 'none')}" for name in wrong)
        raise ValueError(
            f"save_pretrained expected the plain parameters of LSTM({lstm.extra_repr()}), all {model['dtype']}; {listed}."
            " Take parametrisations off first, with torch.nn.utils.parametrize.remove_parametrizations(lstm, name), and bring"
            " all to one dtype, with lstm.float()"
        )
    if any(value.is_meta for value in state.values()):
        raise ValueError(
            "save_pretrained expected parameters with values, got them on the meta device: load or initialise them first, for"
            " instance with lstm.load_state_dict(values, assign=True)"
        )


def kinds(state: Mapping[str, Tensor]) -> dict[str, str]:
    return {name: f"{value.dtype} {tuple(value.shape)}" for name, value in state.items()}
