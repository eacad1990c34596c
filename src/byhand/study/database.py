"""Where the queue is kept: Optuna's tables, in an SQLite file or in any database that SQLAlchemy reaches."""

from __future__ import annotations

import os
import random
import re
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import optuna
import sqlalchemy
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy import event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from byhand.study.errors import StudyError, first_line

Found = TypeVar("Found")
BUSY = 60  # seconds that a process waits for another's write to an SQLite file
TRIES = 20  # to make the tables, while others may be making them
PATIENCE = 300.0  # seconds that a worker goes on trying while a database does not answer


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
    """Whether there is a queue already; makes nothing. StudyError if the database cannot be reached."""
    if url.get_backend_name() == "sqlite" and not Path(str(url.database)).exists():
        return False
    try:
        engine = sqlalchemy.create_engine(url, connect_args=_options(url), poolclass=NullPool)
    except (SQLAlchemyError, ImportError) as error:  # no such kind of database, or its driver is missing
        raise _unreachable(url, error) from error
    try:
        return sqlalchemy.inspect(engine).has_table("studies")
    except (SQLAlchemyError, OSError) as error:
        raise _unreachable(url, error) from error


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
    except (SQLAlchemyError, StorageInternalError, ImportError, OSError, RuntimeError) as error:
        raise _unreachable(url, error) from error
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
    waiting: Callable[[], None] = lambda: None,
    over: Callable[[], bool] = lambda: False,
) -> Found:
    """What the action gives, tried again while the database does not answer; then what it raises. waiting: called once if it does not.
    over: asked often whether to wait no longer.
    """
    end, pause = time.monotonic() + patience, 0.2
    while True:
        try:
            return action()
        except (StorageInternalError, SQLAlchemyError):
            until = time.monotonic() + pause
            if until > end:
                raise
            waiting()
            waiting = lambda: None  # noqa: E731 (it has been said)
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
        except (SQLAlchemyError, StorageInternalError):
            time.sleep(random.uniform(0.05, 0.5))
    return _storage(url, lost_after)


def _storage(url: URL, lost_after: int) -> RDBStorage:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # heartbeats are called experimental since 2021
        return RDBStorage(
            url.render_as_string(hide_password=False).replace("{", "{{").replace("}", "}}"),
            # No connection is kept: none to close, none gone stale, and a hundred workers do not use up a server's.
            engine_kwargs={"connect_args": _options(url), "poolclass": NullPool},
            heartbeat_interval=max(1, lost_after // 4),
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


def _unreachable(url: URL, error: BaseException) -> StudyError:
    return StudyError(
        f"storage: expected a database that can be reached, got from {url.render_as_string()}: {first_line(error)}"
    )
