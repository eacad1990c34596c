"""make gpu: the GPU engine on this machine's GPU: right first, then how fast, most important first; a second start goes on.

python tools/gpu                    with the Python that has torch: nine minutes, or what is left of the work
python tools/gpu --interpret        the whole flow on small shapes in Triton's interpreter, on a machine without a GPU
python tools/gpu --only bfloat16    those cases alone; --list prints the names of all
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def main(arguments: list[str]) -> int:
    """Set what Triton and Python read at their start, then run the command: as `python tools/gpu`, too, which sets no path."""
    if sys.version_info < (3, 11):  # noqa: UP036 (on a machine that nobody set up for this it may be older)
        print(
            f"gpu: found Python {sys.version.split()[0]}, byhand needs 3.11 or later: make gpu PYTHON=python3.12",
            file=sys.stderr,
        )
        return 2
    if "--interpret" in arguments:
        os.environ["TRITON_INTERPRET"] = "1"
    else:
        os.environ.pop("TRITON_INTERPRET", None)
    sys.path[:] = [
        str(ROOT),
        str(ROOT / "src"),
        *(one for one in sys.path if Path(one or ".").resolve() != Path(__file__).parent),
    ]
    try:
        import torch  # noqa: F401, PLC0415 (which --help need not have)
    except ImportError:
        print(
            f"gpu: no torch in {sys.executable}: name a Python that has it, as in make gpu PYTHON=.venv/bin/python",
            file=sys.stderr,
        )
        return 2
    from tools.gpu.command import run  # noqa: PLC0415 (once the path is set)

    return run(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
