"""Making models of the zoo: trained by a recipe, tested on the test part of their task, written with their card."""

from __future__ import annotations

import platform
from dataclasses import replace
from importlib import metadata
from typing import Any

import torch
import yaml

from byhand import configs
from byhand.files.atomic import digest
from byhand.nn.config import Config
from byhand.tasks import TASKS, Table, Task, Text
from byhand.train.callbacks.progress import progress
from byhand.train.model.sequence_model import SequenceModel
from byhand.train.run import train
from byhand.zoo.card import Card
from byhand.zoo.files import card
from byhand.zoo.looks import LOOKS
from byhand.zoo.model import Example, Form, ZooModel
from byhand.zoo.recipes import RECIPES, Recipe

MADE_WITH = ("byhand", "torch", "lightning")


def make(name: str, *, seeds: list[int] | None = None) -> ZooModel:
    """Train a model of the zoo by its recipe, with each of the seeds, and return that of the first; its card says how all have done.

    Raises:
        ValueError: there is no such recipe.
    """
    if name not in RECIPES:
        raise ValueError(f"byhand zoo make: expected one of {', '.join(RECIPES)}; got {name!r}")
    recipe = RECIPES[name]
    seeds = [recipe.seed] if seeds is None else seeds
    config = configuration(recipe)
    task = TASKS[config["data"]["class_path"]](**config["data"]["init_args"])
    scores, kept = dict[str, float](), None
    for seed in seeds:
        model, outcome = train(
            task,
            config["model"],
            seed=seed,
            validate_every=0,
            callbacks=[progress()],
            trainer={"enable_progress_bar": True},
            **config["trainer"],
        )
        scores[str(seed)] = outcome.metrics[f"test_{recipe.metric}"]
        print(f"{name}, seed {seed}: {recipe.metric} {scores[str(seed)]:.4g}, {outcome.steps} steps in {outcome.seconds:.0f} s")
        kept = model if kept is None else kept
    assert kept is not None
    return exported(name, kept, task, config, scores)


def configuration(recipe: Recipe) -> dict[str, Any]:
    """The sections data, model and trainer of its configuration, with what the recipe changes."""
    found = yaml.safe_load((configs.FOLDER / f"{recipe.config}.yaml").read_text(encoding="utf-8"))
    data = {"class_path": found["data"]["class_path"], "init_args": found["data"]["init_args"] | recipe.data}
    length = {name: value for name, value in found["trainer"].items() if name in ("max_epochs", "max_steps")}
    return {"data": data, "model": found["model"] | recipe.model, "trainer": length | recipe.trainer}


def exported(name: str, trained: SequenceModel, task: Task, config: dict[str, Any], scores: dict[str, float]) -> ZooModel:
    """The model as the zoo has it, with its card; it gives the same numbers."""
    recipe, trained = RECIPES[name], trained.eval()
    guesses = {who: guess[recipe.metric] for who, guess in task.baselines.items() if recipe.metric in guess}
    rival = {} if recipe.rival is None else {f"the LSTM of {recipe.rival}": card(recipe.rival).score}
    made = Card(
        name=name,
        title=recipe.title,
        about=recipe.about,
        task=config["data"],
        data=recipe.source if not isinstance(task, Text) else f"{recipe.source}: {text_read(task)}.",
        licence=recipe.licence,
        model=config["model"],
        trainer=config["trainer"],
        parameters=sum(value.numel() for value in trained.parameters()),
        seed=int(next(iter(scores))),
        command=f"byhand zoo make {name}",
        metric=recipe.metric,
        better="higher" if recipe.higher else "lower",
        score=next(iter(scores.values())),
        spread=recipe.spread,
        seeds=scores,
        baselines=guesses | rival,
        look="",
        made_with={"python": platform.python_version()}
        | {what: metadata.version(what).partition("+")[0] for what in MADE_WITH},
    )
    model = ZooModel(form_of(trained, task, recipe), made, example_of(task, *recipe.shown))
    model.load_state_dict({key: value.detach().clone() for key, value in trained.state_dict().items()}, assign=True)
    with torch.no_grad():
        given = model.example.input, model.example.lengths
        if not torch.equal(model.eval()(*given)[0], trained(*given)[0]):
            raise RuntimeError(
                f"{name}: the model of the zoo differs from the one that was trained; this is a mistake in byhand"
            )
    model.card = replace(made, look=LOOKS[name](model))
    return model


def text_read(task: Text) -> str:
    """Which text that was, for it differs between versions of Python."""
    return f"Python {platform.python_version()}, {len(task.whole):,} characters, sha256 {digest(task.whole.encode())[:16]}"


def form_of(trained: SequenceModel, task: Task, recipe: Recipe) -> Form:
    """Its sizes, and what its inputs and outputs are called."""
    form, config = trained.form, Config.of(trained.lstm)
    letters = recipe.symbols or form.alphabet
    scaled = task.scaling if isinstance(task, Table) else None
    return Form(
        layer=config.arguments() | {"cell": config.cell.name},
        outputs=form.output_size,
        every=form.every,
        squash="none" if form.goal == "regression" else "softmax",
        embedding=None if trained.embedding is None else (form.input_size, trained.embedding.embedding_dim),
        symbols=(*letters, *["other"] * bool(form.alphabet)) if form.symbols else None,
        others=len(form.alphabet) if form.alphabet else None,
        features=recipe.features,
        answers=recipe.answers,
        scale=None if scaled is None else (float(scaled.means[0]), float(scaled.spreads[0])),
        sequences=recipe.sequences,
    )


def example_of(task: Task, sequences: int, batches: int) -> Example:
    """Of the test part; of a text several batches, one after the other."""
    read = [task.batch("test", 0, index, sequences) for index in range(batches)]
    if batches == 1:
        return Example(read[0].input, read[0].target, read[0].lengths)
    return Example(torch.cat([one.input for one in read]), torch.cat([one.target for one in read]), None)
