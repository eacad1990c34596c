"""A story as one HTML file, which asks no network for anything. The explorer stands in it once, and opens in a frame where it is seen."""

from __future__ import annotations

import html
import json
from pathlib import Path

from byhand.explorer.hosts.page import digest, file, page, page_script, visible
from byhand.explorer.story.story import Section, Story

POLICY = (  # frames are made of the page's own explorer, and take over what it forbids
    "default-src 'none'; script-src 'sha256-{own}' 'sha256-{explorer}' 'wasm-unsafe-eval'; style-src 'unsafe-inline';"
    " img-src data: blob:; frame-src blob:; base-uri 'none'; form-action 'none';"
)
BODY = """<main>
<h1>{title}</h1>
{sections}
</main>
<script type="application/json" id="byhand-explorer-page">{explorer}</script>
<script type="module">{script}</script>"""
HERE = Path(__file__).parent


def laid_out(story: Story) -> str:
    """The whole file."""
    script = (HERE / "frames.js").read_text(encoding="utf-8")
    explorer = json.dumps(page(story.explorer.document)).replace("<", "\\u003c")
    sections = "\n".join(map(section, story.sections))
    return file(
        story.title,
        policy=POLICY.format(own=digest(script), explorer=digest(page_script())),
        style=(HERE / "story.css").read_text(encoding="utf-8"),
        body=BODY.format(title=escaped(story.title), sections=sections, explorer=explorer, script=script),
    )


def section(one: Section) -> str:
    parts = [f"<h2>{escaped(one.title)}</h2>", *(f"<p>{escaped(said)}</p>" for said in one.sentences)]
    if one.picture is not None:
        alt = escaped(f"{one.title}, drawn: the numbers of the text above it")
        frame = f'<div class="picture" role="group" tabindex="0" aria-label="{escaped(one.title)}: picture">'
        parts.append(f'{frame}<img src="{one.picture}" alt="{alt}"></div>')
    if one.fragment is not None:
        title = escaped(f"{one.title}: the explorer, live")
        parts.append(f'<div class="live" data-fragment="{escaped(one.fragment)}" data-title="{title}"></div>')
        parts.append("<noscript><p>The live explorer needs JavaScript, which is switched off here.</p></noscript>")
    return f"<section>\n{chr(10).join(parts)}\n</section>"


def escaped(text: str) -> str:
    return html.escape(visible(text))
