"""The page in a notebook: Jupyter, VS Code, Colab, marimo. What is changed there comes back as `edits`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anywidget
import traitlets

from byhand.explorer.hosts.page import json_text, static


class Widget(anywidget.AnyWidget):
    """document: as JSON. edits: what the page has changed, those switched off among them, as JSON (frontend/src/model/types.ts, Edit).
    state: what the page shows, both ways, as in the address of a page of its own. kept: the name of what the notebook keeps of it, which
    is hidden while the widget is there.
    """

    _esm = static("explorer.js")
    _css = static("explorer.css")
    document = traitlets.Unicode().tag(sync=True)
    edits = traitlets.Unicode("[]").tag(sync=True)
    state = traitlets.Unicode().tag(sync=True)
    kept = traitlets.Unicode().tag(sync=True)

    def __init__(self, document: Mapping[str, Any]) -> None:
        super().__init__(document=json_text(document))
