"""Stages the site's sources in build/source: the repository's documents with their links rewritten, and the pages that are made.

What has not changed keeps its date, so that Sphinx reads again only what has.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath

import torch

from byhand.files.atomic import write_whole
from tools.website import cells, commands, exhibits, film, live, reference, tables, zoo
from tools.website.places import BUILD, ROOT, SOURCE, Links, documents, repository_url

EXTRA = BUILD / "extra"
MADE = re.compile(r"<!-- (live|made): ([\w/-]+)(?: view=(\w+))? -->")
LANGUAGES = {
    ".py": "python",
    ".sh": "bash",
    ".ts": "typescript",
    ".yaml": "yaml",
    ".yml": "yaml",
    ".toml": "toml",
    ".h": "cpp",
    ".json": "json",
}
LESSON = """# The lesson: LSTM.py

One file, the equations above the lines that mirror them. Change it; that is what it is for.

```bash
python LSTM.py
```

It needs `torch` and `lightning`, nothing of byhand. {{doc}}`main` goes through it, day by day.

```python
{source}
```
"""
TITLES = {"README.md": "Overview", "docs/rosetta.md": "Rosetta", "docs/gallery.md": "Figures"}
# So that a notebook's explorer is a page of the site. It is put before the notebook's cells and leaves no trace in them.
SHOWN = """\
import hashlib, html, json, pathlib
from byhand.explorer import Explorer
from byhand.explorer.hosts.page import page
def _shown(explorer):
    whole = page(explorer.document)
    name = hashlib.sha256(whole.encode()).hexdigest()[:12]
    pathlib.Path({folder!r}).mkdir(parents=True, exist_ok=True)
    pathlib.Path({folder!r}, name + ".html").write_text(whole, encoding="utf-8")
    title, where = html.escape(explorer.document["title"]), "../live/notebooks/" + name + ".html"
    return (f'<figure class="live" data-live="{{where}}" data-title="{{title}}"><a class="live-still" href="{{where}}">{{title}}: live</a>'
            f'<figcaption>{{title}}. <a href="{{where}}">Open it in a page of its own</a></figcaption></figure>')
Explorer._repr_mimebundle_ = lambda self, **more: {{"text/html": _shown(self), "text/plain": repr(self)}}
"""


class Stage:
    """The files of the site's source, put where Sphinx reads them."""

    def __init__(self, folder: Path = SOURCE) -> None:
        self.folder, self.files = folder, set[Path]()
        self.pages = documents()
        self.links = Links(self.pages, repository_url())

    def write(self, name: str, content: str | bytes) -> None:
        """Write a file, unless it is there already."""
        path = self.folder / name
        content = content.encode() if isinstance(content, str) else content
        self.files.add(path)
        if not path.is_file() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, content)

    def all(self) -> None:
        """Everything; what was there of earlier and is no more, is removed."""
        sources = self.sources()
        for name, text in sources.items():
            self.write(name, without_empty(text, name, sources))
        for file in sorted(self.links.pictures):
            self.write(f"pictures/{file}", (ROOT / file).read_bytes())
        for path in [*self.folder.rglob("*")]:
            if path.is_file() and path not in self.files:
                path.unlink()

    def sources(self) -> dict[str, str]:
        """File of the site's source -> its text."""
        found = dict(self.document(file, page) for file, page in self.pages.items())
        found |= {name: self.with_made(text, name) for name, text in generated().items()}
        return found | {f"source/{file}.md": shown(file) for file in sorted(self.links.files)}

    def document(self, file: str, page: str) -> tuple[str, str]:
        """A document of the repository: the file that it becomes, and its text."""
        text = (ROOT / file).read_text(encoding="utf-8")
        if file.endswith(".ipynb"):
            return f"{page}.ipynb", self.notebook(text, file, page)
        if file.endswith(".py"):
            return f"{page}.md", LESSON.format(source=text.rstrip())
        if file in TITLES:
            text = re.sub(r"\A# .*", f"# {TITLES[file]}", text)
        return f"{page}.md", self.with_made(self.links.rewritten(text, file, page) + foot(file), page)

    def notebook(self, text: str, file: str, page: str) -> str:
        """Without outputs, for it is run; an explorer in it becomes a page."""
        content = json.loads(text)
        for cell in content["cells"]:
            source = "".join(cell["source"])
            if cell["cell_type"] == "markdown":
                cell["source"] = self.links.rewritten(source, file, page)
            else:
                cell |= {"outputs": [], "execution_count": None}
                if any(tag.startswith("source:") for tag in cell["metadata"].get("tags", [])):
                    cell["metadata"]["tags"].append("remove-input")
        first = {"cell_type": "code", "execution_count": None, "id": "site", "outputs": []}
        source = SHOWN.format(folder=str(EXTRA / "live" / "notebooks"))
        content["cells"].insert(0, first | {"metadata": {"tags": ["remove-cell"]}, "source": source})
        content["metadata"] |= {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        return json.dumps(content, ensure_ascii=False, indent=1)

    def with_made(self, text: str, page: str) -> str:
        """With what the page has a mark for: <!-- live: NAME view=VIEW -->, <!-- made: NAME -->."""

        def put(match: re.Match[str]) -> str:
            kind, name, view = match.groups()
            if kind == "made":
                return MAKERS[name]()
            return live.figure(name, page, caption(name), f"view={view}" if view else "")

        return MADE.sub(put, text)


def generated() -> dict[str, str]:
    """The pages that no document is: file -> its text."""
    markdown = {"reference/cells": cells.page(), "reference/configs": commands.configs(), "gallery/live": gallery()}
    markdown |= commands.pages() | tables.benchmarks()
    return {f"{page}.md": text for page, text in markdown.items()} | {
        f"{page}.rst": text for page, text in reference.pages().items()
    }


def without_empty(text: str, name: str, sources: Iterable[str]) -> str:
    """Without the patterns of its tables of contents that no page fits: a place for what may come is no mistake."""
    folder = PurePosixPath(name).parent

    def kept(match: re.Match[str]) -> str:
        lines = match[0].split("\n")
        named = {f"{folder / line}" for line in lines}
        others = [page for one in sources if (page := str(PurePosixPath(one).with_suffix(""))) not in named and one != name]
        return "\n".join(line for line in lines if "*" not in line or fnmatch.filter(others, str(folder / line)))

    return re.sub(r"^```\{toctree\}\n.*?^```$", kept, text, flags=re.DOTALL | re.MULTILINE)


def foot(file: str) -> str:
    """What stands under a document: the numbers of an experiment; under a folder's first page, the pages of the folder."""
    if file in ("experiments/README.md", "docs/tasks/README.md"):
        return "\n```{toctree}\n:hidden:\n:glob:\n\n*\n```\n"
    folder = (ROOT / file).parent
    if folder.parent.name == "experiments" and file.endswith("README.md"):
        return "\n" + tables.experiment(folder) + "\n"
    return ""


def shown(file: str) -> str:
    """A page that shows a file of the repository."""
    text = (ROOT / file).read_text(encoding="utf-8")
    fence = "`" * (max([2, *(len(one) for one in re.findall(r"`{3,}", text))]) + 1)
    language = LANGUAGES.get(Path(file).suffix, "text")
    return f"---\norphan: true\n---\n\n# {Path(file).name}\n\n`{file}` of the repository:\n\n{fence}{language}\n{text.rstrip()}\n{fence}\n"


def gallery() -> str:
    """The page of live models."""
    blocks = [
        "# Live",
        "Each of these computes in your browser, with byhand's own program of the cell. It starts when it is seen.",
    ]
    blocks += ["## The zoo"] * bool(zoo.names())
    for name in zoo.names():
        blocks += [f"### {name}", f"<!-- live: zoo/{name} -->"]
    for name, one in exhibits.EXHIBITS.items():
        blocks.append(f"## {one.heading}")
        for view in one.views:
            blocks += [f"### {view.capitalize()}"] * (len(one.views) > 1)
            blocks.append(f"<!-- live: {name} view={view} -->")
    return "\n\n".join(blocks) + "\n"


def caption(name: str) -> str:
    """The sentence of a live page."""
    kind, _, rest = name.partition("/")
    if rest:
        return cells.caption(rest) if kind == "cells" else zoo.caption(rest)
    return exhibits.EXHIBITS[name].caption


MAKERS: dict[str, Callable[[], str]] = {"film": film.svg, "legend": film.legend, "modules": reference.index}


def live_pages() -> bool:
    """Make the live pages, if what they are made of has changed since; whether it had."""
    state = fingerprint(
        [
            *(ROOT / "src" / "byhand").rglob("*.py"),
            *(ROOT / "src" / "byhand" / "explorer" / "static").iterdir(),
            *(Path(module.__file__ or "") for module in (cells, exhibits, live, zoo)),
            *(ROOT / "src" / "byhand" / "zoo").glob("models/*"),
        ]
    )
    mark = EXTRA / "live" / ".made-of"
    if mark.is_file() and mark.read_text() == state:
        return False
    for folder in ("cells", "zoo", "."):
        for path in [*(EXTRA / "live" / folder).glob("*.*")]:
            path.unlink()
    (EXTRA / "live").mkdir(parents=True, exist_ok=True)
    made: dict[str, Callable[[], live.Live]] = {name: one.make for name, one in exhibits.EXHIBITS.items()}
    made |= {f"cells/{name}": (lambda cell=cell: cells.unit(cell)) for name, (_, cell) in cells.examples().items()}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # these are small: two threads would wait for each other
    for name, make in made.items():
        make().save(EXTRA / "live" / f"{name}.html")
    for name in zoo.names():
        zoo.save(name, EXTRA / "live" / "zoo" / f"{name}.html")
    torch.set_num_threads(threads)
    mark.write_text(state)
    return True


def fingerprint(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(set(files)):
        if path.is_file():
            digest.update(path.as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def clean() -> None:
    """Remove everything that was built."""
    shutil.rmtree(BUILD, ignore_errors=True)
