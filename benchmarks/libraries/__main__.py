"""Other libraries with byhand's layers in the place of torch's: the same trainings, side by side, as a table.

    python benchmarks/libraries [--only NAME ...] [--folder FOLDER]

Makes an environment in a folder of its own, on top of the one that runs this and with its torch, installs the libraries there, and runs
each in a process of its own. Ends with code 1 if anything differs, or fails in a way that docs/libraries.md does not name. Not to be
run as a module: torchrl installs a package that is named benchmarks, too.
"""

import argparse
import json
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path

import torch

import byhand

HERE = Path(__file__).parent
PACKAGES = {
    "torch": [],
    "torchrl": ["torchrl==0.14.1"],
    "sb3_contrib": ["sb3-contrib==2.9.2"],
    "pytorch_forecasting": ["pytorch-forecasting==1.8.0", "lightning!=2.6.2,!=2.6.3"],
    "opacus": ["opacus==1.6.0"],
    "captum": ["captum==0.9.0"],
    "skorch": ["skorch==1.4.0"],
    "accelerate": ["accelerate==1.15.0"],
    "peft": ["peft==0.21.2"],
}


def environment(folder: Path, names: list[str]) -> Path:
    """A Python that sees what this one sees, and the libraries of these names."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        (site,) = folder.glob("lib/python*/site-packages")
        seen = [sysconfig.get_path("purelib"), str(Path(byhand.__file__).parents[1])]
        (site / "this.pth").write_text("\n".join(seen) + "\n")
    limits = folder / "constraints.txt"
    limits.write_text(f"torch=={torch.__version__.partition('+')[0]}\n")
    packages = [package for name in names for package in PACKAGES[name]]
    if packages:
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--constraint", limits, *packages], check=True)
    return python


def rows(python: Path, name: str) -> list[list[str]]:
    """Of one library; its output is shown if it ends badly."""
    process = subprocess.run([python, HERE / f"with_{name}.py"], capture_output=True, text=True, check=False)
    found = [json.loads(line.removeprefix("ROW ")) for line in process.stdout.splitlines() if line.startswith("ROW ")]
    if process.returncode or any(verdict(row) in ("DIFFERS", "FAILS") for row in found):
        print(process.stdout[-4000:], process.stderr[-4000:], file=sys.stderr)
    if process.returncode:
        found.append([name, "", "all", "", None, f"FAILS: ended with code {process.returncode}"])
    return found


def verdict(row: list[str]) -> str:
    return row[-1].partition(":")[0]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", nargs="+", choices=PACKAGES, default=list(PACKAGES), help="these libraries")
    parser.add_argument("--folder", type=Path, help="where the environment is made and kept; else a temporary folder")
    options = parser.parse_args()
    bad = 0
    with tempfile.TemporaryDirectory() as temporary:
        python = environment(options.folder or Path(temporary), options.only)
        print("| library | version | what | by | greatest difference | verdict |\n|---|---|---|---|---|---|")
        for name in options.only:
            for row in rows(python, name):
                library, version, what, way, difference, said = row
                print(
                    f"| {library} | {version} | {what} | {way} | {'' if difference is None else f'{difference:.1e}'} | {said} |",
                    flush=True,
                )
                bad += verdict(row) in ("DIFFERS", "FAILS")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
