"""The kernels that the tests need, compiled beforehand by several processes: on a fresh machine one takes three seconds.

python tests/support/compile_kernels.py [NAME ...] compiles these, or all.
"""

import os
import subprocess
import sys

import torch
from cases import CASES
from functions import ALONE, EVERYTHING
from pairs import COMPILED, SINGLE

from byhand import cells
from byhand.cells import Cell
from byhand.cells.held import held
from byhand.engine.cpp.kernel import kernel
from byhand.engine.cpp.source import source
from byhand.engine.cpp.toolchain import compiler, libraries, prebuilt
from byhand.files.cache import cache_folder
from byhand.ir import partition

NEEDED = [
    *((EVERYTHING, dtype) for dtype in (torch.float64, torch.float32)),  # they take longest
    *((CASES[name][0], torch.float64) for name in COMPILED),
    *((CASES[name][0], torch.float32) for name in SINGLE),
    (ALONE, torch.float32),
    *((held(cell), torch.float64) for cell in (cells.lstm, cells.gru, cells.lstm_1997, CASES["zoneout(lstm)"][0])),
    (held(cells.lstm), torch.float32),
]
ALL: dict[str, tuple[Cell, torch.dtype]] = {
    f"{index} {cell.name}/{dtype}": (cell, dtype) for index, (cell, dtype) in enumerate(NEEDED)
}


def is_there(name: str) -> bool:
    cell, dtype = ALL[name]
    text = source(cell, partition(cell), dtype)
    if any(prebuilt.trusted(text, compiler.FLAGS)):
        return True
    key = compiler._key(text, compiler.find() or (), ())
    return libraries.load(cache_folder(), key) is not None


def compile_all() -> None:
    """Those that are not in the cache and did not come along. Nothing where there is no compiler."""
    if compiler.refusal():
        return
    names = [name for name in ALL if not is_there(name)]
    count = min(os.cpu_count() or 1, len(names))
    running = [subprocess.Popen([sys.executable, __file__, *names[k::count]]) for k in range(count)]
    codes = [one.wait() for one in running]
    assert not any(codes), codes


if __name__ == "__main__":
    if len(sys.argv) == 1:
        print(f"compiling the {len(ALL)} kernels of the tests, where they are not yet", flush=True)
        compile_all()
    for name in sys.argv[1:]:
        kernel(*ALL[name])
