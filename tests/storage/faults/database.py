"""SQLite connections that tell what they commit, and that fail when a test wants it."""

import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

#: After these SQLite has rolled the transaction back by itself (sqlite.org/lang_transaction.html).
ROLLS_BACK = ("SQLITE_FULL", "SQLITE_IOERR")


def sqlite_error(name: str, message: str) -> sqlite3.Error:
    """Give an error as SQLite raises it.

    :param name: such as ``SQLITE_FULL``.
    """
    damaged = name in ("SQLITE_CORRUPT", "SQLITE_NOTADB")
    error = (sqlite3.DatabaseError if damaged else sqlite3.OperationalError)(message)
    error.sqlite_errorname = name
    error.sqlite_errorcode = getattr(sqlite3, name)
    return error


class WatchedConnection(sqlite3.Connection):
    """A connection whose every statement is a call that can fail.

    :ivar called: told of each call before it is made, ``execute`` or ``commit``; may raise.
    :ivar committed: told of the database's bytes after a COMMIT, and whether it is durable; or
        before one that fails, with None.
    """

    called: Callable[[str], None]
    committed: Callable[[bytes, bool | None], None]
    _is_synced = True

    def execute(self, text: str, values: Any = (), /) -> sqlite3.Cursor:
        """See `sqlite3.Connection`."""
        word = text.split(maxsplit=1)[0].upper()
        is_commit = word == "COMMIT"
        try:
            if word != "ROLLBACK":  # it writes nothing, and so does not fail
                self.called("commit" if is_commit else "execute")
        except sqlite3.Error as error:
            if is_commit and self.in_transaction:  # nobody knows whether it is done
                self.committed(self.serialize(), None)
            if self.in_transaction and error.sqlite_errorname in ROLLS_BACK:
                super().execute("ROLLBACK")
            raise
        cursor = super().execute(text, values)
        if text.startswith("PRAGMA synchronous="):
            self._is_synced = text.endswith("FULL")
        elif not self.in_transaction and word not in ("SELECT", "PRAGMA", "ROLLBACK"):
            self.committed(self.serialize(), self._is_synced)
        return cursor

    def executemany(self, text: str, rows: Iterable[Any], /) -> sqlite3.Cursor:
        """See `sqlite3.Connection`."""
        self.called("execute")
        cursor = super().executemany(text, rows)
        if not self.in_transaction:
            self.committed(self.serialize(), self._is_synced)
        return cursor

    def executescript(self, text: str, /) -> sqlite3.Cursor:
        """See `sqlite3.Connection`."""
        self.called("execute")
        cursor = super().executescript(text)
        if not self.in_transaction:
            self.committed(self.serialize(), self._is_synced)
        return cursor


def connect(
    path: Path,
    *,
    read_only: bool,
    called: Callable[[str], None],
    committed: Callable[[bytes, bool | None], None],
) -> WatchedConnection:
    """Open a database as the real disk does, and watch it."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rwc'}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=0.2,  # of two connections in one thread, neither can wait for the other
        factory=WatchedConnection,
    )
    connection.called, connection.committed = called, committed
    return connection
