"""Makes byhand's wheels, into dist: the pure one, and one for each system whose kernels `tools/prebuilt.py` has compiled here.

    python tools/wheels.py                 the pure wheel is built by pip first, which fetches hatchling
    python tools/wheels.py PURE.whl        from this one
    python tools/wheels.py --into FOLDER   elsewhere

A platform wheel is the pure one and that system's kernels, with the programs that they were printed from. They link against nothing of
Python or torch, so one wheel serves all versions of both. The pure wheel runs everywhere, and compiles.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from byhand.engine.cpp.shipped import KERNELS
from byhand.engine.cpp.source import source
from byhand.engine.cpp.toolchain import compiler, prebuilt
from byhand.engine.cpp.toolchain.instructions import INSTRUCTION_SETS
from byhand.files.atomic import digest
from byhand.files.prebuilt import FOLDER
from byhand.ir import partition

ROOT = Path(__file__).resolve().parent.parent
TAGS = {
    "linux-x86_64": "py3-none-manylinux_2_28_x86_64",  # torch's own wheels ask for no less
    "linux-arm64": "py3-none-manylinux_2_28_aarch64",
    "darwin-arm64": "py3-none-macosx_11_0_arm64",
}
NEWEST = {"GLIBC": (2, 28), "GLIBCXX": (3, 4, 24), "CXXABI": (1, 3, 11), "GCC": (7, 0, 0)}  # what manylinux_2_28 allows
LIBRARIES = {"libc.so.6", "libm.so.6", "libgcc_s.so.1", "libstdc++.so.6", "libpthread.so.0", "ld-linux-aarch64.so.1"}


def main(words: list[str] | None = None) -> None:
    """Write the wheels and say how large they are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pure", nargs="?", type=Path, help="the pure wheel; default: built now")
    parser.add_argument("--into", type=Path, default=ROOT / "dist", help="default: dist")
    asked = parser.parse_args(words)
    asked.into.mkdir(parents=True, exist_ok=True)
    pure = asked.pure or build_pure(asked.into)
    made = [platform_wheel(pure, system, asked.into) for system in TAGS if (FOLDER / system).is_dir()]
    for wheel in (pure, *made):
        print(f"{wheel.name:<56}{wheel.stat().st_size / 1e6:6.2f} MB")
    if not made:
        print("no platform wheel: there are no prebuilt kernels; to compile them, type: make prebuilt")


def build_pure(into: Path) -> Path:
    """The wheel of pyproject.toml, which leaves out what git ignores."""
    with tempfile.TemporaryDirectory(dir=into) as folder:
        words = [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--wheel-dir",
            folder,
        ]
        subprocess.run([*words, str(ROOT)], check=True)
        (made,) = Path(folder).glob("*.whl")
        return made.replace(into / made.name)


def platform_wheel(pure: Path, system: str, into: Path) -> Path:
    """The pure wheel with the kernels of a system. SystemExit if they are not those that this version would compile, or need a newer
    system than the wheel's tag promises.
    """
    if not pure.name.endswith("-py3-none-any.whl"):
        sys.exit(f"expected a pure wheel, NAME-VERSION-py3-none-any.whl, got {pure.name}")
    check(system)
    target = into / pure.name.replace("py3-none-any", TAGS[system])
    with zipfile.ZipFile(pure) as wheel:
        names = wheel.namelist()
        if any(name.startswith("byhand/prebuilt/") for name in names):
            sys.exit(f"{pure} holds prebuilt kernels already: expected a pure wheel; type: make wheels")
        for name in (name for name in names if name.startswith(("byhand/engine/cpp/", "byhand/ir/"))):
            if wheel.read(name) != (ROOT / "src" / name).read_bytes():
                sys.exit(f"{name} in {pure} is not the one here, for which the kernels were compiled: type: make wheels")
        (about,) = (name for name in names if name.endswith(".dist-info/WHEEL"))
        record, when = about.replace("WHEEL", "RECORD"), wheel.getinfo(about).date_time
        contents = {name: wheel.read(name) for name in names if name != record and not name.endswith("/")}
        contents[about] = retagged(contents[about].decode(), TAGS[system]).encode()
        contents |= {
            f"byhand/prebuilt/{path.relative_to(FOLDER).as_posix()}": path.read_bytes() for path in shipped_files(system)
        }
        contents[record] = "".join(f"{name},{hashed(content)},{len(content)}\n" for name, content in contents.items()).encode()
        contents[record] += f"{record},,\n".encode()
    with zipfile.ZipFile(target, "w") as made:
        for name, content in contents.items():
            entry = zipfile.ZipInfo(name, when)
            entry.external_attr = 0o100644 << 16
            made.writestr(entry, content, zipfile.ZIP_DEFLATED, compresslevel=9)
    return target


def shipped_files(system: str) -> list[Path]:
    """The manifest, what it lists, and all programs."""
    listed = [FOLDER / system / one.file for one in prebuilt.listed(FOLDER / system)]
    return [FOLDER / system / prebuilt.MANIFEST, *listed, *sorted((FOLDER / "programs").glob("*.json"))]


def retagged(about: str, tag: str) -> str:
    return re.sub(r"(?m)^Tag: .*$", f"Tag: {tag}", about).replace("Root-Is-Purelib: true", "Root-Is-Purelib: false")


def hashed(content: bytes) -> str:
    """As RECORD has it."""
    return f"sha256={base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b'=').decode()}"


def check(system: str) -> None:
    """SystemExit unless every kernel is there for every instruction set, current, whole, and fit for the wheel's tag."""
    entries = {(one.source, one.instructions): one for one in prebuilt.listed(FOLDER / system)}
    machine = system.partition("-")[2]
    for cell, dtype in KERNELS:
        text = digest(source(cell, partition(cell), dtype).encode())
        for instructions in (one for one in INSTRUCTION_SETS if one.machine == machine):
            entry = entries.get((text, instructions.name))
            if entry is None or entry.flags != (*compiler.FLAGS, *instructions.flags):
                sys.exit(
                    f"no current kernel of {cell.name} in {dtype} for {instructions.name} in {FOLDER / system}: type: make prebuilt"
                )
            content = (FOLDER / system / entry.file).read_bytes()
            if digest(content) != entry.library:
                sys.exit(f"{FOLDER / system / entry.file} is not as it was built: type: make prebuilt")
            if system.startswith("linux") and (strange := list(too_new(content))):
                sys.exit(
                    f"{entry.file} needs {', '.join(strange)}, which {TAGS[system]} does not promise: build on an older system"
                )


def too_new(library: bytes) -> Iterator[str]:
    """Versions of symbols, and libraries, that a system may lack. Both stand in the file as strings with a zero before and after."""
    for name, version in re.findall(rb"(?<=\0)(GLIBC|GLIBCXX|CXXABI|GCC)_([0-9.]+)(?=\0)", library):
        if tuple(map(int, version.split(b"."))) > NEWEST[name.decode()]:
            yield f"{name.decode()}_{version.decode()}"
    yield from (
        one.decode() for one in re.findall(rb"(?<=\0)([\w+-]+\.so[.\d]*)(?=\0)", library) if one.decode() not in LIBRARIES
    )


if __name__ == "__main__":
    main()
