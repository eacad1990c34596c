"""Runs tests/frameworks against the frameworks themselves, each group of them in an environment of its own.

    python tools/libraries.py [--only GROUP ...] [--folder FOLDER]

An environment sees what the one that runs this sees, its torch among it, and has the frameworks besides, at the versions that
src/byhand/interop names. Ends with code 1 if a test fails or a framework cannot be imported. A few gigabytes are downloaded.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parent.parent
GROUPS = {
    "jax": ["equinox==0.13.8", "flax>=0.12.8,<0.13", "dm-haiku==0.0.17"],  # Flax's newest needs Python 3.12
    "paddle": ["paddlepaddle==3.3.1"],
    "mlx": ["mlx[cpu]==0.32.4", "tinygrad==0.14.0"],
    "torch": [
        "xlstm==2.0.6",
        "flashrnn==1.0.8",
        "ncps==1.0.1",
        "torchrecurrent==0.2.5",
        "opacus==1.6.0",
        "neuralhydrology==1.13.0",
        "sb3-contrib==2.9.2",
        "torchrl==0.14.1",
    ],
    "models": ["resemblyzer==0.1.4", "silero-vad==6.2.3", "g2p-en==2.1.0"],
}
ALONE = {"models"}  # installed without what they ask for: their weights are read, and their own code that needs no more is run
# What is imported, where the package is called otherwise.
NAMES = {
    "paddlepaddle": "paddle",
    "sb3-contrib": "sb3_contrib",
    "dm-haiku": "haiku",
    "silero-vad": "silero_vad",
    "g2p-en": "g2p_en",
}


def environment(folder: Path, group: str) -> Path:
    """A Python that sees what this one sees, and a group of frameworks."""
    python = folder / group / "bin" / "python"
    if not python.exists():
        venv.create(folder / group, with_pip=True)
        (site,) = (folder / group).glob("lib/python*/site-packages")
        (site / "this.pth").write_text(sysconfig.get_path("purelib") + "\n")
    limits = folder / "constraints.txt"
    limits.write_text(f"torch=={torch.__version__.partition('+')[0]}\n")
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--constraint", limits]
    subprocess.run([*install, *["--no-deps"] * (group in ALONE), *GROUPS[group]], check=True)
    return python


def run(python: Path, group: str) -> bool:
    """Whether the tests pass. Those of other groups are skipped; a framework of this group that is not there is an error."""
    packages = [re.split(r"[\[=<>]", one)[0] for one in GROUPS[group]]
    paths = [ROOT / "src", ROOT / "tests" / "support", ROOT]
    surroundings = {
        "LIBRARIES": " ".join(NAMES.get(one, one) for one in packages),
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "JAX_PLATFORMS": "cpu",
        "DEV": "PYTHON",  # tinygrad's device that needs no compiler
    }
    command = [python, "-m", "pytest", "-p", "no:cacheprovider", "tests/frameworks"]
    return subprocess.run(command, cwd=ROOT, env=os.environ | surroundings, check=False).returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the tests against the frameworks themselves.")
    parser.add_argument("--only", nargs="+", choices=GROUPS, default=list(GROUPS), help="these groups")
    parser.add_argument("--folder", type=Path, help="where the environments are made and kept; else a temporary folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        passed = {}
        for group in options.only:
            print(f"{group}: {', '.join(GROUPS[group])}", flush=True)
            passed[group] = run(environment(folder, group), group)
    print(", ".join(f"{group} {'passed' if ok else 'FAILED'}" for group, ok in passed.items()))
    return int(not all(passed.values()))


if __name__ == "__main__":
    sys.exit(main())
