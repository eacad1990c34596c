"""A model that byhand fit has trained, with the task that it was trained on: what its inputs and outputs are called, and examples."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

from byhand import tasks
from byhand.errors import LoadError
from byhand.explorer.document.about import in_words
from byhand.explorer.document.document import counted
from byhand.explorer.load.model import Alphabet, Trained, visible
from byhand.explorer.load.task_targets import targets_of
from byhand.files.run_folder import config_of
from byhand.nn import LSTM
from byhand.nn.snapshots import Snapshots
from byhand.tasks import Companies, Sequences, Table, Task
from byhand.train.callbacks.snapshots import FILE
from byhand.train.cli.declared import verified
from byhand.train.model.sequence_model import SequenceModel


def of_fit(
    path: Path, hyper_parameters: dict[str, Any], state: dict[str, Tensor], count: int, cell: str | None = None
) -> Trained:
    """LoadError if the checkpoint is not whole. cell: that the user has named, which is the only one of somebody's own to be imported."""
    content = {"hyper_parameters": hyper_parameters, "state_dict": state}
    try:
        model = SequenceModel(**verified(SequenceModel, content, {}, typed=cell, remedy="--cell {}"))
        model.load_state_dict(state)
    except (LoadError, RuntimeError, TypeError, LookupError) as problem:
        raise LoadError(
            f"{path}: expected a checkpoint that byhand fit has kept, whole; got {' '.join(str(problem).split())}"
        ) from problem
    task, without = task_of(path, model)
    alphabet = alphabet_of(task, model)
    options: dict[str, Any] = {"head": model.head, "squash": squash_of(model), "name": "model"}
    options |= {"features": features_of(task, model, alphabet), "names": outputs_of(task, model, alphabet)}
    options["training"] = snapshots_of(path)
    options["about"] = about(model.lstm, task)
    scale = columns = None
    changes: tuple[bool, ...] = ()
    if isinstance(task, Table):
        columns, changes = task.columns[: model.form.input_size], tuple(task.scaling.changes[: model.form.input_size].tolist())
        scale = torch.tensor([list(task.scaling.means), list(task.scaling.spreads)]).T[: model.form.input_size]
    title = f"{type(task).__name__ if task is not None else path.stem}: {model.lstm.cell.name}, {counted(model.lstm.hidden_size, 'unit')}"
    example = example_of(task, alphabet, count) if task is not None else None
    return Trained(
        model,
        title,
        model.form.input_size,
        options,
        example,
        alphabet,
        columns,
        scale,
        without,
        sequence_model=True,
        changes=changes,
        task=task,
    )


def squash_of(model: SequenceModel) -> str:
    """What the page is to put the head's outputs through: what the model does; classes otherwise become probabilities."""
    return "sigmoid" if model.squash == "sigmoid" else "softmax" if model.form.goal != "regression" else "none"


def task_of(path: Path, model: SequenceModel) -> tuple[Task | None, str | None]:
    """The one in the config.yaml that byhand fit wrote beside the checkpoints, if it is one of byhand's; and why there is none, if it
    was but cannot be made again: it says what the training read, which need not be there any more, or not be the same.
    """
    file = config_of(path.resolve())
    if file is None:
        return None, "there is no config.yaml beside it, which says what it was trained on"
    try:
        data = yaml.safe_load(file.read_text(encoding="utf-8"))["data"]
        kind = str(data["class_path"]).rpartition(".")[2]
        if kind not in tasks.__all__ or not isinstance(data["init_args"], dict):
            return None, None
    except (OSError, yaml.YAMLError, LookupError, TypeError, ValueError):
        return None, None
    try:
        made = getattr(tasks, kind)(**data["init_args"])
    except (OSError, LookupError, TypeError, ValueError) as problem:
        return None, f"its task, {kind}, cannot be made again here ({' '.join(str(problem).split())})"
    if not isinstance(made, Task) or made.form != model.form:
        return None, f"its task, {kind}, comes out another one here ({file})"
    return made, None


def alphabet_of(task: Task | None, model: SequenceModel) -> Alphabet | None:
    """The form of a text model says its characters, so it needs no task; of other tasks the module does."""
    if not model.form.symbols:
        return None
    if model.form.alphabet:
        return Alphabet((*model.form.alphabet, "other"), other=len(model.form.alphabet))
    if task is not None and task.outputs is not None and model.form.goal == "next_symbol":
        return Alphabet(tuple(task.outputs))
    known = getattr(inspect.getmodule(type(task)), "SYMBOLS", None) if task is not None else None
    known = known if isinstance(known, str) and len(known) == model.form.input_size else None
    return Alphabet(tuple(known) if known is not None else tuple(map(str, range(model.form.input_size))))


def about(lstm: LSTM, task: Task | None) -> str | None:
    """What the model does, as its task says it; None where it does not: the page then says what is known of the model."""
    if task is None or not task.about:
        return None
    model = in_words(lstm.cell.name, [lstm.hidden_size], lstm.num_layers, both=lstm.bidirectional)
    return f"{model}, that {task.about}."


def features_of(task: Task | None, model: SequenceModel, alphabet: Alphabet | None) -> list[str] | None:
    if alphabet is not None:
        return None if model.embedding is not None else [visible(symbol) for symbol in alphabet.symbols]
    if isinstance(task, Table):
        return list(task.scaling.columns[: model.form.input_size])
    return ["price"] if isinstance(task, Companies) else None


def outputs_of(task: Task | None, model: SequenceModel, alphabet: Alphabet | None) -> list[str] | None:
    """What the numbers that the head gives are called."""
    size = model.form.output_size
    if task is not None and task.outputs is not None:
        return list(task.outputs)
    if alphabet is not None and len(alphabet.symbols) == size and model.form.goal != "regression":
        return [visible(symbol) for symbol in alphabet.symbols]
    return None


def example_of(task: Task, alphabet: Alphabet | None, count: int) -> dict[str, Any]:
    """The first sequences of its test part."""
    batch: Sequences = task.batch("test", 0, 0, count)
    found = batch.input.shape[1]
    names = [f"test sequence {number}" for number in range(found)]
    if isinstance(task, Companies):
        names = ["company A", "company B"][:found]
    lengths = batch.lengths.tolist() if batch.lengths is not None else [len(batch.input)] * found
    example = {"x": (batch.input, batch.lengths), "items": names, "targets": targets_of(task, batch)}
    if alphabet is not None:
        texts = [batch.input[:steps, row].tolist() for row, steps in enumerate(lengths)]
        example["characters"] = [[visible(alphabet.symbols[symbol]) for symbol in text] for text in texts]
    return example


def snapshots_of(path: Path) -> Snapshots | None:
    """Those that byhand.train.callbacks.SnapshotCallback wrote beside the checkpoints. LoadError if they are damaged."""
    folders = list(path.resolve().parents)[:2]
    file = next((folder / FILE for folder in folders if (folder / FILE).is_file()), None)
    return None if file is None else Snapshots.load(file)
