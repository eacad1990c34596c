"""What a notebook keeps of an explorer: a picture and, where its size allows, the page itself in a frame. It shows where no kernel
runs: in a preview, in a stored notebook, in a page of nbconvert.

The frame lies over the picture. Where frames are taken out, as on GitHub and in notebooks that JupyterLab does not trust, the picture
is left.
"""

from __future__ import annotations

import base64
import html
from typing import Any

from byhand.explorer.hosts.page import page, visible
from byhand.explorer.still.picture import picture

MOST = 2_000_000  # characters of a page that goes into a notebook
FRAME = (  # its own origin, which is nobody's: it can run, save files and copy, and reach nothing around it
    "<iframe title='{title}' sandbox='allow-scripts allow-downloads' allow='clipboard-write' loading='lazy'"
    " style='grid-area:1/1;width:100%;height:780px;border:0;background:#fff' srcdoc='{page}'></iframe>"
)


def stored(document: dict[str, Any], name: str = "") -> str:
    """HTML, to stand in an output of a notebook. name: by which the widget finds it."""
    drawn = base64.b64encode(picture(document).encode()).decode()
    title = html.escape(visible(document["title"]))
    still = (
        f"<img src='data:image/svg+xml;base64,{drawn}' style='max-width:100%;background:#fff'"
        f" alt='Gates and memories of {title}: {html.escape(visible(document['items'][0]['name']))}, units by time, as maps of colours'>"
    )
    whole = page(document)
    if len(whole) > MOST:
        words = (
            f"The explorer of this model, {len(whole) / 1e6:.1f} MB, is too large to be kept in a notebook. To see it live: run this cell"
            " again, or explorer.save('page.html')."
        )
        return f"<div data-byhand-kept='{name}'>{still}<p>{words}</p></div>"
    frame = FRAME.format(title=f"{title}: the explorer", page=html.escape(whole))
    words = "To change it: run this cell again, or explorer.save('page.html')."
    behind = f"<div style='grid-area:1/1;min-width:0'>{still}<p>{words}</p></div>"
    return f"<div data-byhand-kept='{name}' style='display:grid'>{behind}{frame}</div>"
