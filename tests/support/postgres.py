"""A PostgreSQL server of the tests' own, in a temporary folder, on a socket."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Neither as fast as they can be nor durable matters here; the clocks of another zone do.
OPTIONS = {"listen_addresses": "", "fsync": "off", "timezone": "Asia/Tokyo", "max_connections": "50"}


def programs() -> Path | None:
    """The folder of initdb and pg_ctl, the newest; None if there is none."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: [len(path.parent.name), path.parent.name])
    folders += sorted(Path("/opt/homebrew/opt").glob("postgresql*/bin"))
    found = shutil.which("initdb")
    folders += [Path(found).parent] if found else []
    return next((folder for folder in reversed(folders) if (folder / "initdb").exists()), None)


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """The address of a running one, to which ?options may not be added."""
    user = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}  # root may not run it
    with tempfile.TemporaryDirectory(prefix="pg", dir="/tmp") as place:  # a socket's path has to be short
        if user:
            shutil.chown(place, **user)

        def call(program: str, *words: str) -> None:
            log = Path(place) / "log"
            with log.open("a") as output:
                done = subprocess.run(
                    [folder / program, "-D", f"{place}/data", *words],
                    cwd=place,
                    stdout=output,
                    stderr=output,
                    check=False,
                    **user,
                )
            assert done.returncode == 0, log.read_text()

        call("initdb", "--auth", "trust", "--username", "byhand", "--no-sync", "--locale", "C", "--encoding", "UTF8")
        options = OPTIONS | {"unix_socket_directories": place}
        call(
            "pg_ctl",
            "-w",
            "-l",
            f"{place}/server",
            "-o",
            " ".join(f"-c {name}='{one}'" for name, one in options.items()),
            "start",
        )
        try:
            yield f"postgresql://byhand@/postgres?host={place}"
        finally:
            call("pg_ctl", "-m", "immediate", "stop")
