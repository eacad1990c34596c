"""The distributions of this project, built as a release builds them, and fresh environments with the wheel."""

import os
import subprocess
import sys
from pathlib import Path

from conftest import ROOT

NEEDED = ("torch", "lightning", "jsonargparse", "optuna", "sklearn", "onnxruntime", "keras")


def build(folder: Path, *only: str, source: Path = ROOT) -> list[Path]:
    """An sdist and the wheel that is made of it, or one of both: with the tools that are installed, without the network."""
    words = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), *only, str(source)]
    done = subprocess.run(words, cwd=folder, env=outside(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return sorted(folder.iterdir())


def environment(python: str, wheel: Path, folder: Path) -> Path:
    """A fresh environment, with the wheel in it; what that needs comes from the environment of the Python. Gives its bin."""
    subprocess.run([python, "-I", "-m", "venv", "--without-pip", str(folder)], check=True)
    (site,) = (one for one in places(str(folder / "bin/python")) if Path(one).is_relative_to(folder))
    # Read as they are: a .pth in them, such as that of an editable byhand, does not count.
    (Path(site) / "needed.pth").write_text("\n".join(places(python)) + "\n")
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin/python"), "--disable-pip-version-check", "install"]
    done = subprocess.run([*pip, "--quiet", "--no-index", "--no-deps", str(wheel)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "bin"


def places(python: str) -> list[str]:
    """Where a Python has its packages."""
    said = [python, "-I", "-c", "import sys; print(*sys.path, sep='\\n')"]
    found = subprocess.run(said, capture_output=True, text=True, check=True).stdout.splitlines()
    return [place for place in found if Path(place).name in ("site-packages", "dist-packages")]


def outside(**more: str) -> dict[str, str]:
    """The environment of a process that knows nothing of the clone."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"OMP_NUM_THREADS": "1"} | more
