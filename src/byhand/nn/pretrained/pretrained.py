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

from byhand.cells import names as cell_names
from byhand.errors import LoadError
from byhand.files.atomic import digest
from byhand.nn.config import Config, check_cell_argument
from byhand.nn.pretrained import card
from byhand.nn.pretrained.folder import CONFIG, REMEDY, WEIGHTS, Description, read, replace

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

    from byhand.cells import Cell

Made = TypeVar("Made", bound="nn.Module")


def save(
    config: Config,
    state: Mapping[str, Tensor],
    folder: str | os.PathLike[str],
    make: Callable[[Config, torch.dtype], nn.Module],
) -> None:
    """Write a layer's arguments and values into a folder, made if need be. A model that is there is replaced; a README.md that you
    have edited is kept. make: a layer of these arguments on the meta device.

    Tied parameters are written under each of their names: once loaded they are equal, and no longer tied. Neither what is frozen
    nor eval mode is written. One process at a time may save into a folder (rank 0, say); others may load from it meanwhile.

    Raises ValueError for an LSTM without its plain parameters (parametrised, pruned, of several dtypes, on the meta device) and
    for a cell that goes by the name of another; OSError for a folder that cannot be written to or has a stranger's files. After
    an error, or a kill at any moment, the folder holds what it held or the new model, whole.
    """
    folder, model = Path(folder), describe(config, state)
    weights = serialise(config, state, model, make)
    model["weights_sha256"] = digest(weights)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        readme = folder / "README.md"
        replace(folder, model, weights, {} if card.is_edited(readme) else {readme.name: card.written(config, state)})
    except OSError as error:
        raise OSError(
            error.errno,
            f"{folder}: expected a folder to save into, got: {error.strerror or error}. A model that was there is not lost; make"
            " room or name another folder, and save again",
        ) from error


def load(
    make: Callable[[Config, torch.dtype], Made],
    folder: str | os.PathLike[str],
    *,
    cell: Cell | None = None,
    device: torch.device | str | int | None = None,
    kind: str = "LSTM",
) -> Made:
    """The layer that a folder holds, bit for bit, as `make` makes it, in training mode; on torch's default device if none is given.

    cell: the model's cell, where byhand.cells cannot make it from its name.

    Raises LoadError for a file that is missing, is no regular one or in any byte not as it was written, for a description that is not
    that of the values, for a cell that is missing or another, and for a class (`kind`) that cannot hold the model. Draws no random
    numbers and takes no more memory than twice the file.
    """
    import safetensors.torch  # noqa: PLC0415 (import byhand stays light)

    folder = Path(folder)
    try:
        model, weights = read(folder)
    except OSError as error:
        raise LoadError(f"{folder}: expected a folder that save_pretrained has written, got: {error}; {REMEDY}") from error
    cell = choose_cell(str(model["cell"]), cell, folder / CONFIG)
    try:
        values = safetensors.torch.load(weights)
        del weights  # twice the file is what is in memory at most
        lstm = fitting(blank_for(make, model, cell, values), values)
        for name in values:
            # Copied: safetensors' own tensors may lie unaligned in memory, where kernels may round differently.
            values[name] = values[name].clone()
        lstm.load_state_dict(values, assign=True)
    except (ArithmeticError, AttributeError, RuntimeError, TypeError, ValueError, safetensors.SafetensorError) as error:
        raise LoadError(f"{folder}: expected a model that {kind}(cell={cell}) can hold, got: {error}") from error
    return lstm.to(torch.get_default_device() if device is None else device)


def describe(config: Config, state: Mapping[str, Tensor]) -> Description:
    """What it takes to make it again, but for the values. ValueError for a cell that would come back as another."""
    cell = config.cell
    if cell_names.find(cell.name) not in (None, cell):
        raise ValueError(
            f"save_pretrained expected a cell with a name of its own, got one named {cell.name!r} that is not byhand's of that"
            " name: write dataclasses.replace(cell, name=...)"
        )
    return config.arguments() | {"cell": cell.name, "dtype": card.dtype_of(state)}


def blank_for(
    make: Callable[[Config, torch.dtype], Made], model: Description, cell: Cell, values: Mapping[str, Tensor]
) -> Made:
    """A layer of that description, without values. ValueError, before it is made, if it has more layers than there are values for."""
    if not isinstance(model["num_layers"], int) or model["num_layers"] > len(values):
        raise ValueError(f"{model['num_layers']} layers with {len(values)} tensors")
    arguments = {name: value for name, value in model.items() if name in Config._fields and name != "cell"}
    return blank(make, Config(**arguments, cell=cell), getattr(torch, model["dtype"]))


def blank(make: Callable[[Config, torch.dtype], Made], config: Config, dtype: torch.dtype) -> Made:
    """Without values and without a word: what there was to say of its dropout was said when it was made."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make(config, dtype)


def fitting(lstm: Made, values: Mapping[str, Tensor]) -> Made:
    """The lstm, which is still without values. ValueError unless these are of its names, shapes and dtype."""
    expected, got = kinds(lstm.state_dict()), kinds(values)
    if expected != got:
        wrong = next(name for name in (*expected, *got) if expected.get(name) != got.get(name))
        raise ValueError(f"{wrong} is {got.get(wrong, 'none')} in {WEIGHTS}, {expected.get(wrong, 'none')} by its description")
    return lstm


def choose_cell(name: str, given: Cell | None, path: Path) -> Cell:
    """The cell of that name: byhand's, or the one given. LoadError if there is none or it is another."""
    known = cell_names.find(name)
    if given is None:
        if known is None:
            raise LoadError(
                f"{path}: expected a cell out of byhand.cells, got one named {name!r}: write from_pretrained(folder, cell=...) with"
                " the cell of that name, or byhand explore FOLDER --cell module:name"
            )
        return known
    check_cell_argument(given)
    if given.name != name or known not in (None, given):
        raise LoadError(
            f"{path}: expected cell={name}, with which the model was saved, got cell={given}: leave cell out, or give that one"
        )
    return given


def serialise(
    config: Config, state: Mapping[str, Tensor], model: Description, make: Callable[[Config, torch.dtype], nn.Module]
) -> bytes:
    """The values as a safetensors file, with the description in it: two models never have the same file."""
    import safetensors.torch  # noqa: PLC0415 (import byhand stays light)

    check_plain(state, blank(make, config, getattr(torch, model["dtype"])), config, model)
    values = {name: value.cpu().clone(memory_format=torch.contiguous_format) for name, value in state.items()}
    return safetensors.torch.save(values, {"byhand": json.dumps(model, allow_nan=False)})


def check_plain(state: Mapping[str, Tensor], plain: nn.Module, config: Config, model: Description) -> None:
    """That these are the parameters which its arguments make, of one dtype and with values. ValueError."""
    expected, got = kinds(plain.state_dict()), kinds(state)
    wrong = [name for name in {**expected, **got} if expected.get(name) != got.get(name)]
    if wrong:
        listed = "; ".join(f"{name}: expected {expected.get(name, 'none')}, got {got.get(name, 'none')}" for name in wrong)
        raise ValueError(
            f"save_pretrained expected the plain parameters of LSTM({config.extra_repr()}), all {model['dtype']}; {listed}."
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
