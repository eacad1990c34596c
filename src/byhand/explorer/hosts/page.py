"""The page: one HTML file with everything in it, which asks no network for anything and opens from the disk."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

STATIC = Path(__file__).parents[1] / "static"
POLICY = (  # nothing is loaded from anywhere; its one script may make its products' WebAssembly; pictures are what it draws, to be saved
    "default-src 'none'; script-src 'sha256-{script}' 'wasm-unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:;"
    " base-uri 'none'; form-action 'none';"
)
TRAINING = " worker-src blob:;"  # the page's own script, run a second time beside it, where the page trains
FILE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>
{style}
</style>
</head>
<body>
{body}
</body>
</html>
"""
BODY = """<noscript>This page draws with JavaScript, which is switched off here: to see the model, allow it for this page.</noscript>
<script type="application/json" id="byhand-document">{document}</script>
<script type="module">{script}</script>"""


def page(document: Mapping[str, Any]) -> str:
    """The whole HTML file of a document. FileNotFoundError in a clone whose page was not built."""
    script = page_script()
    return file(
        document["title"],
        policy=POLICY.format(script=digest(script)) + (TRAINING if document.get("play") else ""),
        style=static("explorer.css").replace("</style", "<\\/style"),
        body=BODY.format(document=json_text(document), script=script),
    )


def file(title: str, *, policy: str, style: str, body: str) -> str:
    """A whole HTML file, which says by its policy what it may load and run."""
    return FILE.format(policy=policy, title=html.escape(visible(f"{title} – byhand")), style=style, body=body)


def page_script() -> str:
    """The page's one script, as it may stand in HTML. FileNotFoundError in a clone whose page was not built."""
    return static("explorer.js").replace("</script", "<\\/script").replace("<!--", "\\x3C!--")


def digest(script: str) -> str:
    """By which a policy allows a script: its SHA-256, in base64 (Content Security Policy Level 3, section 2.3.1)."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def static(name: str) -> str:
    """A built file of the page."""
    path = STATIC / name
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: expected the explorer's built page there: in a clone, cd frontend && npm ci && npm run build"
        )
    return path.read_text(encoding="utf-8")


def json_text(document: Mapping[str, Any]) -> str:
    """As JSON that may stand in HTML: no < in it, ASCII alone. Infinities as numbers too large for a float, no number as null."""
    text = json.dumps(document, separators=(",", ":"))
    text = re.sub(r'"[^"\\]*(?:\\.[^"\\]*)*"|-?Infinity|NaN', lambda match: TOKENS.get(match[0], match[0]), text)
    return text.replace("<", "\\u003c")


TOKENS = {"Infinity": "1e999", "-Infinity": "-1e999", "NaN": "null"}


def visible(text: str) -> str:
    """In one line, without control characters and halves of characters, which no HTML file may hold."""
    return "".join(one if one.isprintable() else "\ufffd" for one in " ".join(text.split()))
