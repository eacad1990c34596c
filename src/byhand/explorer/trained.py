"""Trained models out of files: whoever wrote them, as a byhand.LSTM and what is known of its inputs and outputs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from byhand import cells
from byhand.nn import LSTM
from byhand.saving.model_folder import CONFIG

# LSTM.py's names of the gates, in the order of cells.lstm.gates.
COLOURS = ("green", "blue", "orange", "purple")
COMPANIES = torch.tensor([[0.0, 0.5, 0.25, 1.0], [1.0, 0.5, 0.25, 1.0]])
EXPECTED = "expected a checkpoint of byhand fit or LSTM.py, a folder of save_pretrained, or a state_dict of an LSTM (.pt, .safetensors)"
STEPS = 2000  # of a longer sequence the first ones are shown
UNREADABLE = (UnpicklingError, RuntimeError, EOFError, LookupError, TypeError, ValueError, AttributeError)


@dataclass(frozen=True)
class Alphabet:
    """The symbols that a model reads, by number. other: the number of all that are not among them; None: there are no others."""

    symbols: tuple[str, ...]
    other: int | None = None


@dataclass(frozen=True)
class Trained:
    """A model, and what explore is told of it.

    inputs: how many numbers a step has. options: head, names and the like. example: x and the words to it, from the model's own
    task; None where that is not known. alphabet: of a model that reads symbols. columns, scale: the names of the inputs in a table,
    and how they are to be scaled, (inputs, 2) of mean and spread. without: why its own task is not known, where there was one.
    sequence_model: whether it is byhand fit's.
    """

    model: nn.Module
    title: str
    inputs: int
    options: dict[str, Any] = field(default_factory=dict)
    example: dict[str, Any] | None = None
    alphabet: Alphabet | None = None
    columns: tuple[str, ...] | None = None
    scale: Tensor | None = None
    without: str | None = None
    sequence_model: bool = False

    def shown_on(self, input: Tensor, lengths: Tensor | None = None) -> dict[str, Any]:
        """Input (time, batch, inputs), or (time, batch) of symbols, as explore takes it for this model."""
        if input.is_floating_point():
            input = input.to(next(self.model.parameters()).dtype)
        if self.sequence_model:
            return {"x": (input, lengths)}
        return {"x": input.transpose(0, 1) if getattr(self.model, "batch_first", False) else input, "lengths": lengths}

    @property
    def wanted(self) -> str:
        """What --input has to be."""
        return "a text" if self.alphabet is not None else f"{self.inputs} column{'s' * (self.inputs != 1)} of numbers"


def visible(symbol: str) -> str:
    """A symbol that prints nothing, as one that does."""
    return {"\n": "↵", "\t": "⇥", " ": "␣"}.get(symbol, symbol)


def cut(names: list[str], lengths: list[int]) -> list[str]:
    """What there is to say of sequences that are too long."""
    long = [(name, length) for name, length in zip(names, lengths, strict=True) if length > STEPS]
    return [f"of {name}, the first {STEPS} of {length} steps are here" for name, length in long]


def uneven(lengths: list[int]) -> Tensor | None:
    return torch.tensor(lengths) if len(set(lengths)) > 1 else None


def open_trained(path: Path, count: int) -> Trained:
    """What the file or folder holds. count: sequences of its own task to show. ValueError, OSError: what was expected there."""
    if path.is_dir():
        if not (path / CONFIG).exists():
            inside = newest_checkpoint(path)
            meant = "" if inside is None else f"; did you mean {inside}?"
            raise ValueError(f"{path}: {EXPECTED}; this folder has no {CONFIG}{meant}")
        lstm = LSTM.from_pretrained(path)
        return Trained(lstm, f"{path.name or 'lstm'}", lstm.input_size)
    content = read(path)
    state = content.get("state_dict", content)
    if not isinstance(state, Mapping):
        raise ValueError(f"{path}: {EXPECTED}; its state_dict is a {type(state).__name__}")
    if "w_blue1" in state:
        return of_the_lesson(path, state)
    hyper_parameters = content.get("hyper_parameters")
    if isinstance(hyper_parameters, Mapping) and "form" in hyper_parameters:
        from byhand.explorer.fitted import of_fit  # noqa: PLC0415 (Lightning is loaded when it is needed)

        return of_fit(path, dict(hyper_parameters), dict(state), count)
    lstm = of_state(path, state)
    return Trained(lstm, path.stem, lstm.input_size)


def newest_checkpoint(folder: Path) -> Path | None:
    """Where byhand fit and LSTM.py keep theirs: in runs/NAME, in a version of it, or in that one's checkpoints."""
    places = ("", "checkpoints/", "version_*/", "version_*/checkpoints/", "*/version_*/", "*/version_*/checkpoints/")
    found = [file for place in places for file in sorted(folder.glob(f"{place}*.ckpt"))]
    return max(found, key=lambda file: (file.stat().st_mtime, file.name == "best.ckpt"), default=None)


def read(path: Path) -> dict[str, Any]:
    """A dict that a file holds; nothing in it is run. ValueError, OSError."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: {EXPECTED}; there is no such file")
    try:
        if path.suffix == ".safetensors":
            return dict(safetensors.torch.load(path.read_bytes()))
        found = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except (*UNREADABLE, safetensors.SafetensorError) as problem:
        raise ValueError(f"{path}: {EXPECTED}; it is damaged, or something else ({type(problem).__name__})") from problem
    if not isinstance(found, Mapping):
        raise ValueError(f"{path}: {EXPECTED}; it holds a {type(found).__name__}")
    return dict(found)


def of_the_lesson(path: Path, state: Mapping[str, Tensor]) -> Trained:
    """The twelve numbers of LSTM.py, and the companies."""
    lstm = lesson_lstm(path, state)
    example = {"x": COMPANIES.T.unsqueeze(-1), "items": ["company A", "company B"]}
    return Trained(lstm, "LSTM.py: twelve numbers", 1, {"features": ["price"]}, example, columns=("price",))


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


def of_state(path: Path, state: Mapping[str, Any]) -> LSTM:
    """The one recurrent stack in a state_dict: an LSTM, or a GRU, as torch names its parameters. ValueError."""
    starts = [name.removesuffix("weight_ih_l0") for name in state if re.fullmatch(r"(.*\.)?weight_ih_l0", str(name), re.DOTALL)]
    if len(starts) != 1:
        found = (
            f"{len(starts)} of them, at {starts}" if starts else f"none; its names are {', '.join(map(str, list(state)[:6]))}"
        )
        raise ValueError(f"{path}: {EXPECTED}. In a state_dict one LSTM is expected, with a weight_ih_l0; got {found}")
    pattern = re.compile(re.escape(starts[0]) + r"((?:weight|bias)_\w+_l\d+(?:_reverse)?|initial_\w+)")
    own = {match[1]: value for name, value in state.items() if (match := pattern.fullmatch(str(name)))}
    try:
        lstm = blank(own)
        lstm.load_state_dict(own)
    except (RuntimeError, LookupError, AttributeError, TypeError, ValueError, ZeroDivisionError) as problem:
        said = " ".join(str(problem).split())
        raise ValueError(
            f"{path}: expected the parameters of an LSTM or GRU as torch lays them out, got others ({said}); of another cell: save it"
            " with save_pretrained"
        ) from problem
    return lstm


def blank(state: Mapping[str, Tensor]) -> LSTM:
    """A stack of the shapes of these parameters."""
    inputs, recurrent = state["weight_ih_l0"], state["weight_hh_l0"]
    projected = state["weight_hr_l0"].shape[0] if "weight_hr_l0" in state else 0
    hidden = state["weight_hr_l0"].shape[1] if projected else recurrent.shape[1]
    gates = inputs.shape[0] / hidden
    if gates not in (3, 4):
        raise ValueError(f"{gates:g} gates for each of {hidden} units, where an LSTM has 4 and a GRU 3")
    layers = 1 + max(int(match[1]) for name in state if (match := re.fullmatch(r"weight_ih_l(\d+)", name)))
    return LSTM(
        inputs.shape[1],
        hidden,
        layers,
        bias="bias_ih_l0" in state,
        bidirectional="weight_ih_l0_reverse" in state,
        proj_size=projected,
        dtype=inputs.dtype,
        cell=cells.lstm if gates == 4 else cells.gru,
        learn_initial_state=any(name.startswith("initial_") for name in state),
    )
