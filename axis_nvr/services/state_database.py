"""The state database: what the recorder knows apart from media, and must not forget.

One SQLite file in the state folder. Services read their tables whole when they are made and answer
from memory; what changes goes to the database first, in a thread of its own, and counts once it is
committed: in WAL mode with ``synchronous=FULL`` it then survives ``kill -9`` and a power cut.
"""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

from axis_nvr.errors import ConfigError, NvrError
from axis_nvr.services.state_folder import FILE_MODE
from axis_nvr.services.state_schema import STEPS

FILE_NAME = "state.db"
#: Another program that looks at the database may hold it so long, in seconds.
BUSY_SECONDS = 5.0

T = TypeVar("T")
#: Runs something in the database's thread.
Run = Callable[[Callable[[], Any]], "Deferred[Any]"]


class StateError(NvrError):
    """The state database did not take a change; nothing has changed."""


class StateDatabase:
    """The recorder's state, opened.

    :param path: the database; made if it is not there, brought to the present version if it is of
        an older one.
    :param run: runs one thing at a time in a thread, such as ``deferToThreadPool`` over a pool of
        one.
    :raises ConfigError: it cannot be opened, is damaged, or of a newer version.
    """

    def __init__(self, path: Path, run: Run) -> None:
        self._path = path
        self._run = run
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE))
            self._connection = sqlite3.connect(
                path, isolation_level=None, check_same_thread=False, timeout=BUSY_SECONDS
            )
            self._set_up()
        except OSError as error:
            raise ConfigError(f"state_dir: {path} cannot be opened: {error.strerror}") from error
        except sqlite3.Error as error:
            raise ConfigError(f"state_dir: {path} cannot be used: {error}") from error

    def _set_up(self) -> None:
        execute = self._connection.execute
        execute("PRAGMA journal_mode=WAL")
        execute("PRAGMA synchronous=FULL")
        execute("PRAGMA foreign_keys=ON")
        (version,) = execute("PRAGMA user_version").fetchone()
        if version > len(STEPS):
            self._connection.close()
            raise ConfigError(f"state_dir: {self._path} is of a newer axis_nvr (version {version})")
        for step in range(version, len(STEPS)):
            self._connection.executescript(
                f"BEGIN IMMEDIATE; {STEPS[step]} PRAGMA user_version={step + 1}; COMMIT;"
            )

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Read, at once and in the caller's thread: for what is read when a service is made.

        :raises ConfigError: it cannot be read.
        """
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise ConfigError(f"state_dir: {self._path} cannot be read: {error}") from error

    def change(self, work: Callable[[sqlite3.Connection], T]) -> "Deferred[T]":
        """Change something, as a whole or not at all.

        :param work: is called in the database's thread, within a transaction; must not keep the
            connection.
        :returns: what `work` returned, once it is durable. Cancelling it takes nothing back.
        :raises StateError: as a failure: nothing has changed.
        """
        return self._run(lambda: self._change(work))

    def execute(self, statement: str, *values: object) -> "Deferred[int]":
        """Change something by one statement.

        :returns: the id of the row that it has inserted, if it has, once it is durable. Cancelling
            it takes nothing back.
        :raises StateError: as a failure: nothing has changed.
        """
        return self.change(lambda connection: connection.execute(statement, values).lastrowid or 0)

    def ask(self, work: Callable[[sqlite3.Connection], T]) -> "Deferred[T]":
        """Read in the database's thread.

        :raises StateError: as a failure: it cannot be read.
        """
        return self._run(lambda: self._guarded(work))

    def _change(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def transaction(connection: sqlite3.Connection) -> T:
            connection.execute("BEGIN IMMEDIATE")
            try:
                result = work(connection)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            return result

        return self._guarded(transaction)

    def _guarded(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return work(self._connection)
        except sqlite3.Error as error:
            raise StateError(f"{self._path}: {error}") from error

    def close(self) -> None:
        """Close it; nothing may be under way."""
        self._connection.close()
