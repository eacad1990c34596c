"""Builds the site into build/site, without a network: python -m tools.website, or make docs.

    --install     install what it needs and is missing, from the group docs of pyproject.toml, first
    --clean       from nothing: without what was kept of earlier builds

Ends with code 1 if Sphinx warns of anything, or a link leads nowhere.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import time

from tools.website.places import BUILD, ROOT, SITE, SOURCE

NEEDED = {
    "sphinx": "sphinx",
    "myst_nb": "myst-nb",
    "furo": "furo",
    "sphinx_copybutton": "sphinx-copybutton",
    "latex2mathml": "latex2mathml",
}


def missing() -> list[str]:
    return [name for module, name in NEEDED.items() if importlib.util.find_spec(module) is None]


def install() -> None:
    """The group docs, at the versions of constraints.txt, into the environment that runs this."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--constraint",
        "constraints.txt",
    ]
    subprocess.run([*command, "--group", "docs"], cwd=ROOT, check=True)


def build() -> int:
    """Stage, build, check; the exit code."""
    from tools.website import check, stage  # noqa: PLC0415 (after what they need was installed)

    started = time.monotonic()

    def say(what: str) -> None:
        print(f"{time.monotonic() - started:5.0f} s  {what}", flush=True)

    say("live pages")
    stage.live_pages()
    say("sources")
    stage.Stage().all()
    say("Sphinx")
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "--builder",
        "html",
        "--fail-on-warning",
        "--keep-going",
        "--quiet",
        "--jobs",
        "auto",
    ]
    command += ["--conf-dir", str(ROOT / "docs" / "site"), "--doctree-dir", str(BUILD / "doctrees"), str(SOURCE), str(SITE)]
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    say("links")
    return check.main() or code


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.website", description="Build the site into build/site.")
    parser.add_argument("--install", action="store_true", help="first install what is missing of the group docs")
    parser.add_argument("--clean", action="store_true", help="without anything that was built before")
    options = parser.parse_args()
    if options.install and missing():
        install()
    if missing():
        parser.error(f"expected {', '.join(missing())}, not installed here: python -m tools.website --install, or make docs")
    if options.clean:
        from tools.website import stage  # noqa: PLC0415

        stage.clean()
    return build()


if __name__ == "__main__":
    sys.exit(main())
