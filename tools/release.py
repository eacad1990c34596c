"""What a release needs beside its files.

    python tools/release.py urls REPOSITORY SITE  where the project lives, into pyproject.toml, README.md and CITATION.cff
    python tools/release.py check TAG             whether everything is ready for the release of that tag
    python tools/release.py readme                README.md with whole addresses, as the page of a package index needs them

[project.urls] of pyproject.toml is the one place of all addresses; as long as there is none, README.md has no badges.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
BADGES = re.compile(r"^\[!\[tests\].*\n\n", re.MULTILINE)
CITED = re.compile(r"^(?:repository-code|url): .*\n", re.MULTILINE)
TABLE = re.compile(r"^\[project\.urls\]\n(?:[^\n\[]+\n)*\n", re.MULTILINE)


def main(words: list[str] | None = None) -> None:
    """SystemExit with a line for each thing that is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    places = commands.add_parser("urls", help="write where the project lives")
    places.add_argument("repository", type=address, metavar="REPOSITORY", help="https://HOST/OWNER/NAME")
    places.add_argument("site", type=address, metavar="SITE", help="where .github/workflows/pages.yml publishes")
    commands.add_parser("check", help="is everything ready?").add_argument("tag", metavar="TAG", help="as in v0.1.0")
    commands.add_parser("readme", help="write whole addresses into README.md")
    asked = parser.parse_args(words)
    if asked.command == "urls":
        write_urls(asked.repository, asked.site)
    elif asked.command == "readme":
        change("README.md", whole_addresses)
    elif problems := list(missing(asked.tag)):
        sys.exit("\n".join(problems))


def address(word: str) -> str:
    """The address, without a slash at its end. ValueError for anything else."""
    parts = urlsplit(word)
    if parts.scheme != "https" or not parts.netloc or parts.query or parts.fragment:
        raise ValueError(word)
    return word.rstrip("/")


def project() -> dict[str, str]:
    """The version, and the addresses as far as they are set."""
    found = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {"version": found["version"], **found.get("urls", {})}


def write_urls(repository: str, site: str) -> None:
    urls = {
        "Homepage": f"{site}/",
        "Documentation": f"{site}/",
        "Source": repository,
        "Changelog": f"{repository}/blob/main/CHANGELOG.md",
        "Issues": f"{repository}/issues",
    }
    table = "\n".join(["[project.urls]", *(f'{name} = "{url}"' for name, url in urls.items())]) + "\n\n"
    change("pyproject.toml", lambda text: TABLE.sub("", text).replace("[project.scripts]\n", f"{table}[project.scripts]\n"))
    change("README.md", lambda text: BADGES.sub("", text).replace("# byhand\n\n", f"# byhand\n\n{badges(urls)}\n\n", 1))
    cited = f"repository-code: {repository}\nurl: {site}/\n"
    change("CITATION.cff", lambda text: CITED.sub("", text).replace("license: ", f"{cited}license: ", 1))


def badges(urls: dict[str, str]) -> str:
    """README's line of badges: the tests, the site, the notebook in Colab."""
    source = urls["Source"]
    notebook = f"https://colab.research.google.com/github{urlsplit(source).path}/blob/main/main.ipynb"
    shown = (
        ("tests", f"{source}/actions/workflows/test.yml/badge.svg", f"{source}/actions/workflows/test.yml"),
        ("documentation", f"{source}/actions/workflows/pages.yml/badge.svg", urls["Documentation"]),
        ("open in Colab", "https://colab.research.google.com/assets/colab-badge.svg", notebook),
    )
    return " ".join(f"[![{name}]({picture})]({target})" for name, picture, target in shown)


def missing(tag: str) -> list[str]:
    """What is not as the release of this tag needs it, and what to do."""
    found, version = [], project()["version"]
    if tag != f"v{version}":
        found.append(f"tag {tag}: expected v{version}, the version in pyproject.toml")
    if f"\nversion: {version}\n" not in (ROOT / "CITATION.cff").read_text(encoding="utf-8"):
        found.append(f"CITATION.cff: expected version: {version}")
    if not re.search(rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$", read("CHANGELOG.md"), re.MULTILINE):
        found.append(f"CHANGELOG.md: expected a heading, ## [{version}] - YYYY-MM-DD, above what is in this release")
    if "Source" not in project():
        found.append("pyproject.toml: expected [project.urls], got none: python tools/release.py urls REPOSITORY SITE")
    elif badges(project()) not in read("README.md"):
        found.append(
            "README.md: expected badges to the addresses in [project.urls]: python tools/release.py urls REPOSITORY SITE"
        )
    return found


def whole_addresses(text: str) -> str:
    """Links and pictures lead to the files of this release, code blocks stay. SystemExit without [project.urls]."""
    known = project()
    if "Source" not in known:
        sys.exit("pyproject.toml: expected [project.urls], got none: python tools/release.py urls REPOSITORY SITE")

    def whole(match: re.Match[str]) -> str:
        if match[3] is None:
            return match[0]
        kind = "raw" if match[1] else "blob"
        return f"{match[1]}[{match[2]}]({known['Source']}/{kind}/v{known['version']}/{match[3]})"

    # A block of code, or a link whose target is neither whole nor on this page.
    return re.sub(r"^```.*?^```|(!?)\[([^\]\[]*)\]\((?!https://|#)([^)]+)\)", whole, text, flags=re.DOTALL | re.MULTILINE)


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def change(name: str, how: Callable[[str], str]) -> None:
    (ROOT / name).write_text(how(read(name)), encoding="utf-8")


if __name__ == "__main__":
    main()
