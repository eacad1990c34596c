"""Where each file of the repository stands on the site, and the links between them."""

from __future__ import annotations

import posixpath
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
SOURCE, LIVE, SITE = BUILD / "source", BUILD / "live", BUILD / "site"
PAGES = {  # repository file -> page, where the folder's rule below gives another
    "README.md": "overview",
    "CHANGELOG.md": "changelog",
    "CONTRIBUTING.md": "contributing",
    "SECURITY.md": "security",
    "LSTM.py": "learn/lesson",
    "main.ipynb": "learn/main",
    "docs/gallery.md": "gallery/figures",
    "docs/zoo.md": "gallery/zoo",
    "docs/results.md": "experiments/results",
    "docs/verification.md": "experiments/verification",
    "docs/speed.md": "benchmarks/speed",
    "docs/rosetta.md": "rosetta",
    "docs/tasks/README.md": "tasks/index",
    "experiments/README.md": "experiments/index",
    "findings/README.md": "findings",
    "frontend/README.md": "internals/page",
}
FOLDERS = {  # of pages; the longest that fits is taken
    "docs/site/": "",
    "docs/learn/": "learn/",
    "docs/tasks/": "tasks/",
    "docs/decisions/": "decisions/",
    "docs/zoo/": "gallery/",
    "docs/": "guides/",
    "experiments/": "experiments/",
    "src/byhand/": "internals/",
}
DOCUMENTS = (
    "*.md",
    "docs/**/*.md",
    "docs/learn/*.ipynb",
    "main.ipynb",
    "LSTM.py",
    "experiments/*/README.md",
    "src/byhand/*/README.md",
)
INDEXES = {  # a folder, linked as such -> its page
    "configs": "reference/configs",
    "src/byhand/configs": "reference/configs",
    "benchmarks/results": "benchmarks/index",
    "benchmarks/results/amd-epyc": "benchmarks/index",
    "docs": "index",
    "docs/decisions": "decisions/index",
    "docs/tasks": "tasks/index",
    "docs/learn": "learn/index",
    "experiments": "experiments/index",
    "findings": "findings",
}
IMAGE = re.compile(r"!\[[^\]]*\]\((?P<target>[^()\s]+)\)")
CODE = re.compile(r"(^(?P<fence>`{3,}|~{3,}).*?^(?P=fence)[ \t]*$|`[^`\n]+`)", re.DOTALL | re.MULTILINE)
ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:|#|//")


def page_of(file: str) -> str:
    """The page that a document of the repository becomes."""
    if file in PAGES:
        return PAGES[file]
    bare = file.removesuffix(".md").removesuffix(".ipynb")
    for folder in sorted(FOLDERS, key=len, reverse=True):
        if file.startswith(folder):
            name = bare.removeprefix(folder)
            return FOLDERS[folder] + (name.removesuffix("/README") or "index")
    return f"source/{bare}"


def documents() -> dict[str, str]:
    """Every document of the repository -> its page. ValueError if two become one."""
    found = {path.relative_to(ROOT).as_posix() for pattern in DOCUMENTS for path in ROOT.glob(pattern)}
    pages = {file: page_of(file) for file in sorted({*found, *(name for name in PAGES if (ROOT / name).is_file())})}
    twice = {page for page in pages.values() if list(pages.values()).count(page) > 1}
    if twice:
        raise ValueError(f"expected a page for each document, got one for several: {sorted(twice)}")
    return pages


def repository_url() -> str | None:
    """Where the repository's files are read on the web: Source, or Repository, of [project.urls]; None if there is none."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    urls = {name.lower(): url.rstrip("/") for name, url in project.get("urls", {}).items()}
    return urls.get("source") or urls.get("repository") or urls.get("source code")


def upwards(page: str) -> str:
    """From a page to the site's root."""
    return "../" * page.count("/")


class Links:
    """Rewrites the links of documents for the site.

    A link to a document leads to its page; one to another file to the repository's URL, if it has one, or else to a page that shows
    the file. files: those that need such a page, as they are found; pictures: those that a page shows.
    """

    def __init__(self, pages: dict[str, str], url: str | None) -> None:
        self.pages, self.url = pages, url
        self.files: set[str] = set()
        self.pictures: set[str] = set()

    def rewritten(self, text: str, file: str, page: str) -> str:
        """The Markdown of a document, as its page has it; what is code stays as it is."""

        def prose(part: str) -> str:
            part = IMAGE.sub(lambda match: replaced(match, self.picture(match["target"], file, page)), part)
            return re.sub(
                r"(?<!\\)(?P<open>!\[[^\]]*)?\]\((?P<target>[^()\s]+)\)",
                lambda match: match[0] if match["open"] else replaced(match, self.target(match["target"], file, page)),
                part,
            )

        return "".join(part if inside else prose(part) for part, inside in parts(text))

    def picture(self, target: str, file: str, page: str) -> str:
        """A picture's address from a page: as its path under pictures/."""
        if ELSEWHERE.match(target):
            return target
        path = self.path(target, file)
        self.pictures.add(path)
        return f"{upwards(page)}pictures/{path}"

    def target(self, target: str, file: str, page: str) -> str:
        """A link's address from a page."""
        if ELSEWHERE.match(target):
            return target
        bare, mark, anchor = target.partition("#")
        path = self.path(bare, file)
        if path in self.pages:
            return f"{upwards(page)}{self.pages[path]}.md{mark}{anchor}".replace(".md", suffix(path), 1)
        if path in INDEXES:
            return f"{upwards(page)}{INDEXES[path]}.md"
        if self.url is not None:
            return f"{self.url}/{'tree' if (ROOT / path).is_dir() else 'blob'}/main/{path}{mark}{anchor}"
        if not (ROOT / path).is_file():
            raise ValueError(
                f"{file}: expected a link to a file or to a folder with a page, got {target}; name its page in {__file__}"
            )
        self.files.add(path)
        return f"{upwards(page)}source/{path}.md"

    def path(self, target: str, file: str) -> str:
        """The repository's path of what a document names. ValueError if nothing is there."""
        path = posixpath.normpath(posixpath.join(posixpath.dirname(file), target))
        if path.startswith("..") or not (ROOT / path).exists():
            raise ValueError(f"{file}: expected a link to something in the repository, got {target}")
        return path


def suffix(path: str) -> str:
    """Of the staged page: notebooks stay notebooks."""
    return ".ipynb" if path.endswith(".ipynb") else ".md"


def replaced(match: re.Match[str], target: str) -> str:
    start = match.start("target") - match.start()
    return match[0][:start] + target + match[0][start + len(match["target"]) :]


def parts(text: str) -> Iterator[tuple[str, bool]]:
    """The text in pieces, and whether each is code."""
    end = 0
    for match in CODE.finditer(text):
        yield text[end : match.start()], False
        yield match[0], True
        end = match.end()
    yield text[end:], False
