"""The cache folder: private to its user, for what is compiled and traced."""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import stat
import sys
import tempfile
from pathlib import Path

from byhand.errors import CompilerError

logger = logging.getLogger("byhand")

_temporary: list[Path] = []


def cache_folder() -> Path:
    """The folder of compiled libraries: $BYHAND_CACHE, else byhand in the user's folder for caches, else, where that cannot be
    written, a temporary one for this process. It is made if it is not there. CompilerError if it is not private to this user, or if
    $BYHAND_CACHE cannot be written.
    """
    if sys.platform == "win32":
        raise CompilerError("nothing is kept on Windows yet, where a folder's owner is not known by a number")
    asked = os.environ.get("BYHAND_CACHE")
    try:
        place = _expanded(Path(asked)).absolute() if asked else _caches_of_user() / "byhand"
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = place.resolve(strict=True)
        private(folder)
        if os.access(folder, os.W_OK | os.X_OK):
            return folder
        reason = f"{folder} cannot be written"
    except FileExistsError as error:
        raise CompilerError(
            f"compiled code is kept in {error.filename}, expected a folder, got something else:"
            " move it away, or name a folder of yours in BYHAND_CACHE"
        ) from None
    except CompilerError:
        raise
    except (OSError, RuntimeError) as error:  # RuntimeError: this user has no home
        reason = str(error)
    if asked:
        raise CompilerError(
            f"BYHAND_CACHE is {asked}, expected a folder that can be written: {reason}; name another, or unset it"
        )
    return _temporary_folder(reason)


def _caches_of_user() -> Path:
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if named.is_absolute():
        return named
    return _home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")


def _home() -> Path:
    """The user's folder: $HOME, or, where that is empty, as where it is not set, the one that the system knows. RuntimeError."""
    if os.environ.get("HOME") != "":
        return Path.home()
    import pwd  # noqa: PLC0415 (there is none on Windows)

    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        raise RuntimeError("this user has no folder of its own") from None


def _expanded(path: Path) -> Path:
    """~ as the user's folder, ~name as that one's. RuntimeError."""
    return _home().joinpath(*path.parts[1:]) if path.parts[:1] == ("~",) else path.expanduser()


def _temporary_folder(reason: str) -> Path:
    if not _temporary or not _temporary[-1].is_dir():
        try:
            made = Path(tempfile.mkdtemp(prefix="byhand-")).resolve()
        except OSError as error:
            raise CompilerError(
                f"there is nowhere to keep compiled code: {reason}; {error}: name a folder of yours in BYHAND_CACHE"
            ) from None
        logger.info("%s: code is compiled again in each process, in %s; a folder in BYHAND_CACHE would keep it", reason, made)
        atexit.register(_remove, made, os.getpid())
        _temporary.append(made)
    private(_temporary[-1])
    return _temporary[-1]


def is_temporary(folder: Path) -> bool:
    """Whether the folder is gone when this process ends."""
    return folder in _temporary


def _remove(folder: Path, owner: int) -> None:
    if os.getpid() == owner:  # not a child that was forked from it
        shutil.rmtree(folder, ignore_errors=True)


def private(folder: Path) -> None:
    """CompilerError unless the folder is this user's and nobody else can write to it: what it holds is run."""
    found, user = folder.lstat(), os.geteuid()
    if found.st_uid != user:
        raise CompilerError(
            f"compiled code is kept in {folder}, expected it to be yours (user {user}), got one of user {found.st_uid}:"
            f" name a folder of yours in BYHAND_CACHE, or let root type: chown -R {user} {folder}"
        )
    if not stat.S_ISDIR(found.st_mode) or found.st_mode & 0o022:
        raise CompilerError(
            f"compiled code is kept in {folder}, expected a folder that only you can write to,"
            f" got {stat.filemode(found.st_mode)}: type: chmod 700 {folder}, or name another in BYHAND_CACHE"
        )
