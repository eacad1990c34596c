"""A story: its sections, measured and written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from byhand.explorer.explorer import Explorer, explore
from byhand.explorer.load.checkpoint import open_trained, read
from byhand.explorer.load.model import Trained
from byhand.explorer.load.zoo import name_in_zoo
from byhand.explorer.story import pictures, prose
from byhand.explorer.story.measure import Measured, measure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from byhand.train.callbacks.losses import Loss
SHOWN = 4  # sequences in the page


@dataclass(frozen=True)
class Section:
    """picture: an address of data, with words for who does not see it. fragment: where its explorer opens; None: it has none."""

    title: str
    sentences: list[str]
    picture: str | None
    fragment: str | None


@dataclass(frozen=True)
class Story:
    """title: of the model. explorer: that all sections open. measured: what their numbers are of."""

    title: str
    sections: list[Section]
    explorer: Explorer
    measured: Measured


def tell(path: Path, count: int, cell: str | None = None) -> Story:
    """The story of a model.

    Args:
        path: of a checkpoint of byhand fit, or zoo:NAME.
        count: sequences that losses are measured on.
        cell: the model's own cell, as module:name.

    Returns:
        The story, to be laid out.

    Raises:
        ValueError, OSError: it is no such model, or its task is not known; LoadError for a damaged file.
    """
    scored, shown = (open_trained(path, size, cell=cell) for size in (count, min(count, SHOWN)))
    if not scored.sequence_model:
        raise ValueError(
            f"{path}: expected a checkpoint of byhand fit, or zoo:NAME, whose task is known; got {scored.title}: byhand explore {path}"
        )
    if scored.example is None or shown.example is None:
        why = scored.without or "the file does not say what the model was trained on"
        raise ValueError(
            f"{path}: {why}: run this where it was trained; byhand explore {path} --input FILE shows it on other data"
        )
    made = explorer_of(shown)
    found = measure(scored, shown)
    return Story(made.document["title"], sections(found, shown, made.document, losses_of(path)), made, found)


def explorer_of(shown: Trained) -> Explorer:
    given: dict[str, Any] = shown.options | (shown.example or {}) | {"title": shown.title}
    made = explore(shown.model, given.pop("x"), **given)
    made.document["notices"] += list(shown.notices)
    return made


def losses_of(path: Path) -> tuple[Loss, ...]:
    """Those that the checkpoint keeps; none of the zoo."""
    if name_in_zoo(path) is not None:
        return ()
    from byhand.train.callbacks.losses import losses_in  # noqa: PLC0415 (Lightning is loaded when it is needed)

    return losses_in(read(path))


def sections(found: Measured, shown: Trained, document: dict[str, Any], losses: tuple[Loss, ...]) -> list[Section]:
    best, broken = found.units[0], found.broken
    here = f"item={broken.item}&place={best.place}&unit={best.number}"
    held = f"&edits={best.site}~all~{best.number}~0" if document["computed"] else ""
    training = "view=training" if document["training"] else None
    time, told = f"&time={broken.step}", f"&time={found.told}"

    def section(title: str, sentences: list[str], figure: Figure | None, fragment: str | None) -> Section:
        return Section(title, sentences, None if figure is None else pictures.address(figure), fragment)

    return [
        section("The task and the model", prose.model(shown, str(document["about"])), None, None),
        section("How it learnt", prose.curve(shown, losses), pictures.curve(losses) if losses else None, training),
        section("The units that matter", prose.matter(found), pictures.matter(found), f"view=layer&{here}{time}"),
        section("What they keep", prose.keep(found), pictures.keep(found), f"view=unit&{here}{told}"),
        section("Who wrote it", prose.wrote(found, shown), pictures.wrote(found, shown), f"view=ledger&{here}{told}"),
        section("What breaks without it", prose.breaks(found, shown), None, f"view=unit&{here}{time}{held}"),
    ]
