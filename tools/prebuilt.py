"""Compiles the kernels that platform wheels bring along, for every instruction set of a system, into the package's folder `prebuilt`.

    python tools/prebuilt.py                                        for this kind of machine
    CXX=aarch64-linux-gnu-g++ python tools/prebuilt.py linux-arm64  for another, with a cross compiler

Besides, the programs of all cells, for every system: what the kernels are printed from, and what else takes a second to trace. What is
compiled is what byhand/engine/cpp/shipped.py lists. tools/wheels.py makes wheels of it.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from byhand import cells
from byhand.cells import Cell
from byhand.engine.cpp.shipped import KERNELS
from byhand.engine.cpp.source import source
from byhand.engine.cpp.toolchain import compiler, prebuilt
from byhand.engine.cpp.toolchain.instructions import INSTRUCTION_SETS, InstructionSet, system
from byhand.files.atomic import digest
from byhand.files.prebuilt import FOLDER
from byhand.ir import lower, partition, store

SYSTEMS = {"linux-x86_64": "x86_64", "linux-arm64": "arm64", "darwin-arm64": "arm64"}  # -> the machine
# std::vector calls this, GCC 11 and later, where it is asked for more than can be; libstdc++ of older systems does not have it.
OLDER_LIBSTDCXX = """#include <new>
namespace std {
void __throw_bad_array_new_length() { throw bad_alloc(); }
}
"""


def main(words: list[str] | None = None) -> None:
    """Compile and list what was made."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("system", nargs="?", choices=SYSTEMS, default=system(), help="default: this machine's")
    wanted = parser.parse_args(words).system
    if wanted not in SYSTEMS:
        sys.exit(f"no kernels are built for {wanted}, only for {', '.join(SYSTEMS)}")
    if reason := compiler.refusal():
        sys.exit(reason)
    write_programs()
    made = build(wanted)
    for one in made:
        print(f"{one.file:<40}{(FOLDER / wanted / one.file).stat().st_size // 1000:>6} kB")
    print(f"{len(made)} kernels in {FOLDER / wanted}")


def write_programs() -> None:
    """The programs of all cells that have one, traced anew."""
    folder = FOLDER / "programs"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for cell in (getattr(cells, name) for name in cells.__all__):
        if isinstance(cell, Cell) and cell.elementwise:
            name, program = store.shipped_name(store.recorded(cell)), lower.lower(cell)
            assert store.matches_step(cell, program), cell
            (FOLDER / name).write_text(store.text_of(program), encoding="utf-8")


def build(system: str) -> list[prebuilt.Entry]:
    """Compile every kernel for every instruction set of the system, then put them and their manifest in place of what was there."""
    sets = [one for one in INSTRUCTION_SETS if one.machine == SYSTEMS[system]]
    texts = {
        f"{cell.name}-{str(dtype).removeprefix('torch.')}": source(cell, partition(cell), dtype) for cell, dtype in KERNELS
    }
    with TemporaryDirectory(dir=FOLDER, prefix=".building-") as place, ThreadPoolExecutor(os.cpu_count()) as pool:
        folder = Path(place) / system
        folder.mkdir()
        jobs = [
            pool.submit(compile_one, folder, f"{name}-{one.name}", text, one, system)
            for one in sets
            for name, text in texts.items()
        ]
        made = [job.result() for job in jobs]
        for left in folder.glob("*.cpp"):
            left.unlink()
        manifest = {"format": prebuilt.FORMAT, "libraries": [one._asdict() for one in made]}
        (folder / prebuilt.MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        shutil.rmtree(FOLDER / system, ignore_errors=True)
        folder.replace(FOLDER / system)
    prebuilt.listed.cache_clear()
    return made


def compile_one(folder: Path, name: str, text: str, instructions: InstructionSet, system: str) -> prebuilt.Entry:
    """One library in the folder. SystemExit with what the compiler said if it failed."""
    target = folder / f"{name}.so"
    said = compiler.build(text, target, flags=(*instructions.flags, *link_flags(folder, name, system)), native=False)
    if said is not None:
        sys.exit(f"{target.name} was not compiled: {said}")
    target.chmod(0o644)
    flags = (*compiler.FLAGS, *instructions.flags)
    return prebuilt.Entry(
        target.name, digest(text.encode()), instructions.name, flags, digest(target.read_bytes()), compiler_version()
    )


def link_flags(folder: Path, name: str, system: str) -> tuple[str, ...]:
    """What the file must be like to run on older systems; nothing that changes the kernel's code."""
    if system.startswith("darwin"):
        return ("-mmacosx-version-min=11.0",)
    older = folder / f"{name}-older-libstdc++.cpp"
    older.write_text(OLDER_LIBSTDCXX, encoding="utf-8")
    return ("-Wl,--strip-all", str(older))


def compiler_version() -> str:
    """As the compiler says it."""
    said = subprocess.run([*(compiler.find() or ()), "--version"], capture_output=True, text=True, check=True).stdout
    return said.splitlines()[0] if said else shlex.join(compiler.find() or ())


if __name__ == "__main__":
    main()
