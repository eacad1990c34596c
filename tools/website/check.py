"""Checks the built site: every address in it leads to a file, and to an anchor that is there; nothing is loaded from a network."""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tools.website.places import SITE

LOADED = {
    ("script", "src"),
    ("img", "src"),
    ("iframe", "src"),
    ("link", "href"),
    ("source", "src"),
    ("video", "src"),
    ("object", "data"),
}
NAMED = {"canonical", "author", "license"}  # links that a browser does not load
WHOLE = "live"  # pages of the explorer, which are tested by themselves


class Page(HTMLParser):
    """ids: the anchors of a page. addresses: (tag, attribute, address) that it names."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids, self.addresses = set[str](), list[tuple[str, str, str]]()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.ids |= {value for name in ("id", "name") if (value := given.get(name))}
        if tag == "link" and (given.get("rel") or "") in NAMED:
            return
        for name in ("href", "src", "data-live", "data", "poster"):
            value = given.get(name)
            if value is not None and (name != "data" or tag == "object"):
                self.addresses.append((tag, name, value))


def problems(site: Path = SITE) -> list[str]:
    """What is wrong, a line each."""
    files = sorted(site.rglob("*.html"))
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in files if path.relative_to(site).parts[0] != WHOLE}
    found = []
    for path, page in pages.items():
        where = path.relative_to(site).as_posix()
        found += [f"{where}: {problem}" for address in page.addresses if (problem := wrong(path, *address, pages, site))]
    return found


def wrong(path: Path, tag: str, attribute: str, address: str, pages: dict[Path, Page], site: Path) -> str | None:
    parts = urlsplit(address)
    if parts.scheme in ("data", "mailto"):
        return None
    if parts.scheme or parts.netloc:
        return f"loads {address}" if (tag, attribute) in LOADED else None
    target = path if not parts.path else (path.parent / unquote(parts.path)).resolve()
    if target.is_dir():
        target /= "index.html"
    if not target.is_file() or not target.is_relative_to(site.resolve()):
        return f"{attribute} {address}: no such file"
    anchor = unquote(parts.fragment)
    if anchor and target in pages and anchor not in pages[target].ids and "=" not in anchor:
        return f"{attribute} {address}: no such anchor"
    return None


def main(site: Path = SITE) -> int:
    found = problems(site.resolve())
    for problem in found:
        print(problem, file=sys.stderr)
    pages = len([*site.rglob("*.html")])
    print(f"{site}: {pages} pages, {len(found)} broken links")
    return int(bool(found))
