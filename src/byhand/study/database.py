"""Where the queue is kept: Optuna's tables, in an SQLite file or in any database that SQLAlchemy reaches."""

from __future__ import annotations

import os
import random
import re
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import optuna
import sqlalchemy
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy import event
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from byhand.errors import StudyError
from byhand.study.errors import first_line
from byhand.study.trouble import PATIENCE, damaged, is_full, reason, unreachable

Found = TypeVar("Found")
BUSY = 60  # seconds that a process waits for another's write to an SQLite file
TRIES = 20  # to make the tables, while others may be making them
SMALLEST = 512  # bytes of a page of SQLite, and so of a file
STARTING = 10.0  # seconds that another process may take from an empty file to its first page
SIGN = 8  # seconds between two signs of life of a worker at most


def address(storage: str | None, folder: Path) -> URL:
    """Of the database; None: study.db in the folder. StudyError for what is no address."""
    if storage is None:
        return URL.create("sqlite", database=str(folder.absolute() / "study.db"))
    try:
        url = make_url(storage)
    except (SQLAlchemyError, ValueError):
        without_password = re.sub(r"(//[^:/@]*):[^@]*@", r"\1:***@", storage)
        raise StudyError(
            f"storage: expected null or an address, as in postgresql+psycopg://user@host/database; got {without_password!r}"
        ) from None
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
        raise StudyError(f"storage: expected a file, which several processes can share; got {storage!r}")
    return url


def exists(url: URL) -> bool:
    """Whether there is a queue already; makes nothing. StudyError if the database cannot be reached, or is damaged."""
    if url.get_backend_name() == "sqlite" and not Path(str(url.database)).exists():
        return False
    try:
        engine = sqlalchemy.create_engine(url, connect_args=_options(url), poolclass=NullPool)
    except (SQLAlchemyError, ImportError) as error:  # no such kind of database, or its driver is missing
        raise unreachable(url, error) from error
    try:
        if url.get_backend_name() == "sqlite":
            _check_pages(url, engine)
        return sqlalchemy.inspect(engine).has_table("studies")
    except (SQLAlchemyError, OSError, UnicodeDecodeError) as error:  # the last of a damaged name in SQLite's own message
        raise unreachable(url, error) from error


def _check_pages(url: URL, engine: Engine) -> None:
    """StudyError if an SQLite file is too short for a database, which SQLite takes for a new one, or its pages and indices do not fit
    together. One that is empty may have been made by another process at this moment.
    """
    file, end = Path(str(url.database)), time.monotonic() + STARTING
    while file.stat().st_size == 0 and time.monotonic() < end:
        time.sleep(0.05)
    if file.stat().st_size < SMALLEST:
        raise damaged(str(file), f"it has {file.stat().st_size} bytes")
    with engine.connect() as connection:
        found = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalars().all()
    if found != ["ok"]:
        raise damaged(str(url.database), " ".join(str(found[0]).split()))


def for_reading_only(url: URL) -> bool:
    """Whether it is a file that this user may read, not write: someone else's study."""
    path = Path(str(url.database))
    return (
        url.get_backend_name() == "sqlite" and path.exists() and not all(os.access(one, os.W_OK) for one in (path, path.parent))
    )


def connect(url: URL, lost_after: int, *, reading: bool = False) -> RDBStorage:
    """The storage, its tables made if there are none. reading: nothing will be written, for it may not be allowed. StudyError if the
    database cannot be reached or is not Optuna's.

    On SQLite every transaction takes the write lock at its start: Optuna reads a trial's state and then writes it, and two
    processes that both read before either writes would both take the trial. Other databases lock the row.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    exists(url)
    try:
        storage = _made(url, lost_after)
    except (SQLAlchemyError, StorageInternalError, ImportError, OSError, RuntimeError, ValueError) as error:
        raise unreachable(url, error) from error
    if url.get_backend_name() == "sqlite" and not reading:
        event.listen(storage.engine, "connect", _leave_transactions_to_us)
        event.listen(storage.engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    elif url.get_backend_name() == "postgresql":
        event.listen(storage.engine, "connect", _use_utc)
    return storage


def patiently(
    action: Callable[[], Found],
    patience: float = PATIENCE,
    *,
    waiting: Callable[[BaseException], None] = lambda error: None,
    over: Callable[[], bool] = lambda: False,
) -> Found:
    """What the action gives, tried again while the database does not answer; then what it raises. waiting: called once, at once, with
    what it raises. over: asked often whether to wait no longer.
    """
    end, pause = time.monotonic() + patience, 0.2
    while True:
        try:
            return action()
        except (StorageInternalError, SQLAlchemyError) as error:
            until = time.monotonic() + pause
            if until > end:
                raise
            waiting(error)
            waiting = lambda error: None  # noqa: E731 (it has been said)
            while time.monotonic() < until:
                if over():
                    raise
                time.sleep(0.05)
            pause = min(10.0, 2 * pause)


def _made(url: URL, lost_after: int) -> RDBStorage:
    """With its tables, which other processes may be making at this moment, too."""
    for _ in range(TRIES):
        try:
            return _storage(url, lost_after)
        except (SQLAlchemyError, StorageInternalError) as error:
            if is_full(error):
                raise
            time.sleep(random.uniform(0.05, 0.5))
    return _storage(url, lost_after)


def _storage(url: URL, lost_after: int) -> RDBStorage:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # heartbeats are called experimental since 2021
        return RDBStorage(
            url.render_as_string(hide_password=False).replace("{", "{{").replace("}", "}}"),
            # No connection is kept: none to close, none gone stale, and a hundred workers do not use up a server's.
            engine_kwargs={"connect_args": _options(url), "poolclass": NullPool},
            heartbeat_interval=max(1, min(SIGN, lost_after // 4)),
            grace_period=lost_after,
        )


def _options(url: URL) -> dict[str, Any]:
    if url.get_backend_name() == "sqlite":
        return {"timeout": BUSY}
    return {"connect_timeout": 10} if url.get_backend_name() == "postgresql" and "connect_timeout" not in url.query else {}


def _leave_transactions_to_us(connection: Any, record: Any) -> None:
    connection.isolation_level = None


def _use_utc(connection: Any, record: Any) -> None:
    """So that the signs of life of machines in other zones, and of nights when clocks are changed, compare."""
    with connection.cursor() as cursor:
        cursor.execute("SET TIME ZONE 'UTC'")
    connection.commit()


@contextmanager
def answering(url: URL) -> Iterator[None]:
    """What the database cannot do is said in one line, a StudyError."""
    try:
        yield
    except (SQLAlchemyError, StorageInternalError) as error:
        said = f": {reason(error)}" if is_full(error) else f" stopped answering: {first_line(error.__cause__ or error)}"
        raise StudyError(f"storage: {url.render_as_string()}{said}") from error
