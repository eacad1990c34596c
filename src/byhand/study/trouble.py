"""What is wrong with a database that does not answer, in words; a full disk by its name."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator

from sqlalchemy.engine import URL

from byhand.errors import StudyError
from byhand.study.errors import first_line

NO_ROOM = re.compile(r"disk is full|no space left|disk quota exceeded|could not extend file", re.IGNORECASE)
BROKEN = re.compile(r"malformed|not a database|can't decode byte")  # of a file that is none of SQLite's, or no more
PATIENCE = 300.0  # seconds that is waited for a database that does not answer


def causes(error: BaseException) -> Iterator[BaseException]:
    """An error and what it came of, the last first."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__


def is_full(error: BaseException) -> bool:
    """Whether there was no room to write, on this machine or the database's."""
    return any(
        NO_ROOM.search(str(one)) or (isinstance(one, OSError) and one.errno in (errno.ENOSPC, errno.EDQUOT))
        for one in causes(error)
    )


def reason(error: BaseException) -> str:
    """Why the database does not answer."""
    said = first_line(list(causes(error))[-1])
    return f"the disk is full ({said}): make room" if is_full(error) else f"the database does not answer ({said})"


def unreachable(url: URL, error: BaseException) -> StudyError:
    """What to raise for a database that cannot be opened."""
    if BROKEN.search(str(error)):
        return damaged(str(url.database), first_line(error))
    said = reason(error) if is_full(error) else first_line(error)
    return StudyError(f"storage: expected a database that can be reached, got from {url.render_as_string()}: {said}")


def damaged(where: str, what: str) -> StudyError:
    """What to raise for a database that holds other things than were written."""
    return StudyError(
        f"storage: {where} is damaged ({what}): bring it back from a copy, or move it away; the next run then does all again"
    )
