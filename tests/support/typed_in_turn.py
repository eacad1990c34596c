"""A script: runs command lines of byhand one after the other, each in a process of its own that has imported torch and Lightning already.

python -I typed_in_turn.py < '[["FOLDER", "byhand configs"], ...]'. For each command a line of JSON: exit code, what it printed, seconds of
a processor.
"""

from __future__ import annotations

import json
import os
import resource
import shlex
import signal
import sys
import traceback
from pathlib import Path

LONGEST = 600  # seconds of a command, on a machine that has much else to do


def main() -> None:
    import byhand.explorer.cli  # noqa: PLC0415
    import byhand.train.cli.command  # noqa: PLC0415

    print(json.dumps(byhand.__file__), flush=True)
    for folder, command in json.load(sys.stdin):
        said, before = Path(folder) / "said.txt", taken()
        child = os.fork()
        if child == 0:
            typed(folder, shlex.split(command), said)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(json.dumps([code, said.read_text(), taken() - before]), flush=True)


def taken() -> float:
    """Seconds of a processor, of all commands so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def typed(folder: str, words: list[str], said: Path) -> None:
    """Run one command, and end."""
    os.chdir(folder)
    output = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(output, 1)
    os.dup2(output, 2)
    signal.alarm(LONGEST)
    sys.argv = words
    from byhand.__main__ import main as run  # noqa: PLC0415

    try:
        code = run(words[1:])
    except SystemExit as ended:  # of --help
        code = int(ended.code or 0)
    except BaseException:  # noqa: BLE001 (whatever it is, it is shown)
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
