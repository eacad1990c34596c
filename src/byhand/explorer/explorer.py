"""explore: a model on its input, as a page, a widget or a server; and what was changed there."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from byhand.explorer.document.document import document
from byhand.explorer.hosts.page import json_text, page
from byhand.explorer.hosts.stored import stored
from byhand.files.atomic import write_whole
from byhand.trace.edit import At, at

if TYPE_CHECKING:
    from byhand.explorer.hosts.widget import Widget
    from byhand.nn.snapshots import Snapshots
    from byhand.trace import Trace

Changes = list[dict[str, Any]]
SHOWN = itertools.count()  # the same names when a notebook is run again from its start


class Explorer:
    """What byhand.explore gives. In a notebook it shows itself; elsewhere, save it or serve it.

    document: all that the page shows, as JSON (its form: frontend/src/document/schema.ts).
    """

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document

    def __repr__(self) -> str:
        return f"Explorer({self.document['title']!r}): .save('page.html'), .serve(), .widget"

    def save(self, file: str | Path) -> Path:
        """Write one HTML file that opens anywhere, without a network, whole or not at all. OSError, which says where."""
        path = Path(file)
        write_whole(path, page(self.document).encode())
        return path

    def film(self, file: str | Path, *, fragment: str = "view=unit", width: int = 1280, height: int = 800) -> Path:
        """Write a film of a view, one frame a step, whole or not at all: at most 120 steps, evenly chosen, over about eight seconds.

        The page itself makes it, in a Chromium that is not seen; needs playwright (`pip install playwright`). In an open page the menu Save
        does the same.

        Args:
            file: its ending says what it becomes: .gif or .webm.
            fragment: what is filmed, as the page's address has it behind #: "view=layer&item=1".
            width: of the page, in pixels.
            height: of the page, in pixels; the film is as high as the view.

        Returns:
            The file.

        Raises:
            ValueError: the file has another ending.
            ModuleNotFoundError: playwright is not installed.
            FileNotFoundError: no Chromium was found.
            OSError: the file cannot be written.
        """
        from byhand.explorer.hosts.film import film  # noqa: PLC0415 (few need it)

        return film(page(self.document), file, fragment=fragment, width=width, height=height)

    def serve(self, port: int = 0, *, open_browser: bool = False) -> None:
        """Show it at http://127.0.0.1:PORT, a free port if 0, to this machine only, until Ctrl-C.

        Args:
            port: where; 0: any that is free.
            open_browser: whether it is opened in the browser at once.

        Raises:
            OSError: the port is taken.
            ValueError: it is no port.
        """
        from byhand.explorer.hosts.server import serve  # noqa: PLC0415 (few need it)

        serve(page(self.document), port, open_browser=open_browser)

    @cached_property
    def widget(self) -> Widget:
        """The page in a notebook; changes come back. ModuleNotFoundError, which says what to install, without anywidget."""
        try:
            from byhand.explorer.hosts.widget import Widget  # noqa: PLC0415 (it needs anywidget, which few have)
        except ModuleNotFoundError as problem:
            raise ModuleNotFoundError(
                f"the explorer's widget needs {problem.name}, not installed here: pip install 'byhand[explore]'; without it:"
                " explorer.save('page.html')"
            ) from problem
        return Widget(self.document)

    def _ipython_display_(self) -> None:
        """Two outputs: what the notebook keeps, then the widget, which hides it. A widget that is gone, as in a notebook that was closed,
        leaves an error in its own output; in one output together JupyterLab would show nothing but that.
        """
        from IPython.display import display  # noqa: PLC0415 (who calls this has it)

        kept, widget = self._shown()
        display(kept, raw=True)
        if widget is not None:
            display(widget[0], raw=True, metadata=widget[1])

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """Both in one, for notebooks that are not IPython's."""
        kept, widget = self._shown(**options)
        return (kept, {}) if widget is None else (widget[0] | kept, widget[1])

    def _shown(self, **options: Any) -> tuple[dict[str, Any], tuple[dict[str, Any], dict[str, Any]] | None]:
        """What a notebook keeps, and the widget's output with its metadata; None without anywidget, and words that say what to do."""
        name = f"{hashlib.sha256(json_text(self.document).encode()).hexdigest()[:12]}-{next(SHOWN)}"
        kept = {"text/plain": repr(self), "text/html": stored(self.document, name)}
        try:
            made = self.widget._repr_mimebundle_(**options)
        except ModuleNotFoundError as problem:
            return kept | {"text/plain": f"{self!r}\n{problem}"}, None
        self.widget.kept = name
        data, metadata = made if isinstance(made, tuple) else (made or {}, {})
        return kept, (data | {"text/plain": ""}, metadata)

    @property
    def changes(self) -> Changes:
        """What the page changed and did not take back, in the page's words, oldest first."""
        made = vars(self).get("widget")
        return [change for change in json.loads(made.edits if made is not None else "[]") if change["on"]]

    @property
    def edits(self) -> dict[str, list[At]]:
        """Changes of gates and memories in the page, for `with byhand.edit(model, explorer.edits):`."""
        found: dict[str, list[At]] = {}
        for change in self._of("site"):
            name = f"{change['place']}.{change['site']}" if change["place"] else change["site"]
            found.setdefault(name, []).append(at(float(change["value"]), time=change["time"], unit=change["unit"]))
        return found

    @property
    def weights(self) -> Changes:
        """Changes of weights: place, part, row, column, value."""
        return [without_kind(change) for change in self._of("weight")]

    @property
    def inputs(self) -> Changes:
        """Changes of inputs (item, time, feature, value) and of first memories (item, place, state, unit, value)."""
        return [without_kind(change) for change in [*self._of("input"), *self._of("initial")]]

    def _of(self, kind: str) -> Changes:
        return [change for change in self.changes if change["kind"] == kind]


def with_beside(made: dict[str, Any], beside: Explorer) -> dict[str, Any]:
    """The document with another one in it. TypeError, ValueError unless that one is of as many sequences with as many steps."""
    if not isinstance(beside, Explorer):
        raise TypeError(f"beside: expected byhand.explore(other, x); got a {type(beside).__name__}")
    steps, others = ([item["steps"] for item in one["items"]] for one in (made, beside.document))
    if steps != others:
        raise ValueError(f"beside: expected the same sequences, of {in_short(steps)} steps; got {in_short(others)}")
    return made | {"beside": {name: value for name, value in beside.document.items() if name != "beside"}}


def in_short(steps: list[int]) -> str:
    return ", ".join(map(str, steps[:6])) + (", ..." if len(steps) > 6 else "")


def without_kind(change: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in change.items() if name not in ("on", "kind")}


def explore(
    model: nn.Module | Trace,
    x: Any = None,
    *,
    hx: Any = None,
    lengths: Sequence[int] | Tensor | None = None,
    characters: str | Sequence[Sequence[str]] | None = None,
    features: Sequence[str] | None = None,
    items: Sequence[str] | None = None,
    head: nn.Module | tuple[Tensor, Tensor | None] | None = None,
    names: Sequence[str] | None = None,
    squash: str = "none",
    targets: Any = None,
    training: Snapshots | None = None,
    full: Sequence[str] = (),
    layer: int | str | None = None,
    call: int | None = None,
    title: str | None = None,
    about: str | None = None,
    name: str = "lstm",
    beside: Explorer | None = None,
) -> Explorer:
    """See every gate and memory of a model on its input, and change them: in a notebook, or as a page.

    Args:
        model: a byhand.LSTM, or a module with one inside; torch.nn.LSTM, GRU, RNN and their cells, alone or inside, are converted on a
            copy, as byhand.convert does. Of other models, and of a Trace, what was recorded is shown and nothing can be changed.
            It is run once, in eval mode and without gradients; of several sequences the layer itself is run again on the last tenth
            of each, to find the one to begin with, whose last output hangs most on its early steps.
        x: input as the model takes it, of a module with several arguments a tuple or a mapping of them. Every sequence can be chosen.
        hx: first memories; of a byhand.LSTM only.
        lengths: lengths of padded sequences; of a byhand.LSTM only.
        characters: what stands at each step where the input is text or symbols: a text, or one for each sequence.
        features: names of the inputs.
        items: names of the sequences.
        head: a linear layer on the outputs, or its weight and bias.
        names: what the numbers that the head gives are called.
        squash: what they are put through: "softmax" (probabilities), "sigmoid", or "none".
        targets: what the model should answer, for every sequence: of each step, (time, batch) laid out as x, or one at the end,
            (batch,): the number of a class or, with the outputs as a last size, their values; or a list with an entry for each
            sequence. NaN where nothing is asked, of classes -1 or -100 too. Without a head, of the last layer's outputs.
        training: byhand.explorer.Snapshots, for the time-lapse.
        full: "weights" puts all weights of a large model in as they are; of a model that the page does not compute, layers and units
            whose maps are neither rounded nor thinned, as in ["l0", "l1.unit 3"].
        layer: of a module with several LSTMs, the one to show by itself: "decoder", or a layer of it, "decoder.l0". All if not given.
        call: of an LSTM that is called several times, the call to show, counted from 0; all along time if not given.
        title: of the page.
        about: what the model does, in one sentence: the page opens with it. Made of its cell, sizes and input if not given.
        name: of the model in the Python lines that the page offers.
        beside: another model on the same sequences, as byhand.explore(other, x) gives it: the view Compare shows both under one cursor.

    Returns:
        The explorer, which shows itself in a notebook; .save(file) and .serve() elsewhere.

    Raises:
        TypeError: an argument is of the wrong type, there is no input, `beside` is no explorer, or `hx` or `lengths` are given for
            another model than a byhand.LSTM, or a model with torch's layers cannot be copied.
        ValueError: there is no layer of byhand's or of torch's that can be converted, or the model calls none; or an argument does not
            fit the model and its input; or `beside` is of other sequences.
        IndexError: there is no such call.
        UnknownSiteError: there is no such layer.
        RuntimeError: a layer of torch's, converted, would compute something else.
    """
    made = document(
        model,
        x,
        hx=hx,
        lengths=lengths,
        characters=characters,
        features=features,
        items=items,
        head=head,
        names=names,
        squash=squash,
        targets=targets,
        training=training,
        full=full,
        layer=layer,
        call=call,
        title=title,
        about=about,
        name=name,
    )
    return Explorer(made if beside is None else with_beside(made, beside))
