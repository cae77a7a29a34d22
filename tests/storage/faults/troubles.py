"""What can go wrong with a call: errors of the system and of SQLite, short writes, slow ones."""

import errno
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from tests.storage.faults.database import sqlite_error
from tests.storage.faults.fault_files import Call, ShortWriteError

#: Calls of SQLite's; the others are the system's.
SQLITE_CALLS = ("connect", "execute", "commit")
WRITES = ("writev", "pwrite")
#: Calls that change something: all that a full or a read-only disk refuses.
CHANGES = (*WRITES, "create", "make_folder", "rename", "remove", "remove_folder", "truncate")
#: Calls that make something last.
SYNCS = ("sync", "sync_folder")


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that goes wrong with some kinds of calls.

    :param error: the system's, as a name of `errno`.
    :param sqlite: SQLite's, where it is SQLite that meets it.
    :param operations: the calls that it can happen to; empty: all.
    """

    name: str
    error: str
    sqlite: str
    operations: tuple[str, ...] = ()

    def concerns(self, operation: str) -> bool:
        """Tell whether it can happen to a call."""
        if operation in SQLITE_CALLS:
            return bool(self.sqlite)
        return bool(self.error) and (not self.operations or operation in self.operations)

    def exception(self, operation: str) -> OSError | sqlite3.Error:
        """Give what the call raises."""
        if operation in SQLITE_CALLS:
            return sqlite_error(self.sqlite, f"{self.name}, as SQLite says it")
        number: int = getattr(errno, self.error)
        return OSError(number, os.strerror(number))


TROUBLES = (
    Trouble("an I/O error", "EIO", "SQLITE_IOERR"),
    Trouble("a full disk", "ENOSPC", "SQLITE_FULL", (*CHANGES, *SYNCS)),
    Trouble("a read-only disk", "EROFS", "SQLITE_READONLY", CHANGES),
    Trouble("another owner", "EACCES", "SQLITE_CANTOPEN"),
    Trouble("a vanished disk", "ENOENT", "SQLITE_IOERR"),
    Trouble("a corrupt index", "", "SQLITE_CORRUPT"),
)


class At:
    """An injector: trouble from one call on, for so many calls that it concerns.

    :ivar hit: the calls that failed.
    """

    def __init__(self, trouble: Trouble, at: int, times: int = 1) -> None:
        self.hit: list[Call] = []
        self._trouble = trouble
        self._at = at
        self._times = times

    def __call__(self, call: Call) -> None:
        """Fail the call, if it is its turn."""
        concerned = call.at >= self._at and self._trouble.concerns(call.operation)
        if concerned and len(self.hit) < self._times:
            self.hit.append(call)
            raise self._trouble.exception(call.operation)


class ShortThenFull:
    """An injector: a write takes a part, and the next says that the disk is full, or takes more.

    :param is_full: whether it is.
    """

    def __init__(self, at: int, *, is_full: bool) -> None:
        self.hit: list[Call] = []
        self._at = at
        self._is_full = is_full

    def __call__(self, call: Call) -> None:
        """Shorten the write, if it is its turn."""
        if call.at < self._at or call.operation not in WRITES or len(self.hit) > 1:
            return
        self.hit.append(call)
        if len(self.hit) == 1:
            raise ShortWriteError
        if self._is_full:
            raise TROUBLES[1].exception(call.operation)


def places(calls: list[Call], trouble: Trouble, every: int, offset: int) -> Iterator[int]:
    """Give each so-many-th of the calls that a trouble concerns."""
    concerned = [call.at for call in calls if trouble.concerns(call.operation)]
    yield from concerned[offset % every :: every]
