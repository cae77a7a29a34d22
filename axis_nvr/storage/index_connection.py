"""A connection to ``index.db``: how it is opened and made, its transactions, its SQL.

The database is in WAL mode with ``synchronous=FULL``: readers never wait for the writer, and what
is committed survives a power cut. FULL costs one ``fdatasync`` for each transaction; nothing is
written here per GOP, and blocks that end and begin share one (`axis_nvr.storage.index_news`).
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.storage.files import IFiles, replace_file, storage_errors
from axis_nvr.storage.layout import utc_text
from axis_nvr.storage.schema import (
    AXIS_TABLES,
    EXPECT_REBUILD,
    MAJOR,
    MINOR,
    OUR_INDEXES,
    OUR_TABLES,
    UPGRADES,
    USER_VERSION,
)

#: Where in a database's first page it says that it has a log (sqlite.org/fileformat2.html §1.3).
_WAL_VERSIONS = slice(18, 20)


class IndexConnection:
    """One connection: the writer's, or a reader's.

    :param path: for messages.
    """

    def __init__(self, connection: Any, path: Path) -> None:
        self._connection = connection
        self._path = path

    @classmethod
    def open(cls, files: IFiles, path: Path, now_us: int) -> Self:
        """Open the index for writing; create it if there is none.

        :param now_us: UTC, microseconds since 1970: its date if it is new.
        :raises StorageError: it cannot be opened, is broken or of another version.
        """
        with storage_errors(path, "open the index"):
            is_new = not files.exists(path)
            if is_new and (image := _new_image(path, now_us)):
                replace_file(files, path, image)
            index = cls(files.connect(path, read_only=False), path)
            try:
                index._set_up()
                index._prepare(now_us)
            except BaseException:
                index.close()
                raise
            if is_new:
                files.sync_folder(path.parent)
        return index

    @classmethod
    def join(cls, files: IFiles, path: Path) -> Self:
        """Open an index that this process has open for writing a second time, for another thread.

        :raises StorageError: it cannot be opened.
        """
        with storage_errors(path, "open the index"):
            index = cls(files.connect(path, read_only=False), path)
            index._set_up()
        return index

    @classmethod
    def open_read_only(cls, files: IFiles, path: Path) -> Self:
        """Open an index that exists, for reading only.

        :raises StorageError: there is none, or it is broken or of another version.
        """
        with storage_errors(path, "open the index"):
            index = cls(files.connect(path, read_only=True), path)
            try:
                index._check_version()
            except BaseException:
                index.close()
                raise
        return index

    def _set_up(self) -> None:
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute("PRAGMA foreign_keys=ON")

    def _prepare(self, now_us: int) -> None:
        execute = self._connection.execute
        if not self._has_table("version"):
            version = f"INSERT INTO version VALUES ({MAJOR}, {MINOR}, '{utc_text(now_us)}')"  # noqa: S608
            self._connection.executescript(f"BEGIN IMMEDIATE; {AXIS_TABLES} {version}; COMMIT;")
        self._check_version()
        ours = execute("PRAGMA user_version").fetchone()[0]
        if ours > USER_VERSION:
            message = f"the index is of a newer axis_nvr (tables of version {ours})"
            raise StorageError(StorageErrorKind.FAILED, self._path, message)
        if ours < USER_VERSION:
            first = EXPECT_REBUILD if not ours else ""
            self._connection.executescript(
                f"BEGIN IMMEDIATE; {UPGRADES.get(ours, '')} {OUR_TABLES} {OUR_INDEXES} {first}"
                f" PRAGMA user_version={USER_VERSION}; COMMIT;"
            )

    def _has_table(self, name: str) -> bool:
        query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
        return any(True for _ in self.query(query, name))

    def _check_version(self) -> None:
        found = None
        if self._has_table("version"):
            found = self._connection.execute("SELECT major, minor FROM version").fetchone()
        if found is None or found[0] != MAJOR:
            version = "no version" if found is None else f"version {found[0]}.{found[1]}"
            message = f"the index has {version}, {MAJOR}.{MINOR} was expected"
            raise StorageError(StorageErrorKind.CORRUPT, self._path, message)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Let what is written within be committed as one, or not at all.

        :raises StorageError: SQLite could not.
        """
        with storage_errors(self._path, "write the index"):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            try:
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def loosely(self) -> Iterator[None]:
        """Let what is committed within be safe a little later, for what can be done again.

        The order of commits stays: one that survives a power cut has all before it.
        """
        self._connection.execute("PRAGMA synchronous=NORMAL")
        try:
            yield
        finally:
            self._connection.execute("PRAGMA synchronous=FULL")

    def query(self, text: str, *values: object) -> Iterator[Any]:
        """Ask in SQL; give the rows.

        :raises StorageError: SQLite could not.
        """
        with storage_errors(self._path, "read the index"):
            yield from self._connection.execute(text, values)

    def first(self, text: str, *values: object) -> Any:
        """Ask in SQL; give the first row, None if there is none.

        :raises StorageError: SQLite could not.
        """
        with storage_errors(self._path, "read the index"):
            return self._connection.execute(text, values).fetchone()

    def execute(self, text: str, *values: object) -> int:
        """Change something in SQL, within a `transaction`; tell how many rows it changed."""
        return int(self._connection.execute(text, values).rowcount)

    def check(self) -> list[str]:
        """Let SQLite look for damage; what it finds, nothing if all is well."""
        with storage_errors(self._path, "check the index"):
            rows = self._connection.execute("PRAGMA quick_check(20)").fetchall()
        return [row[0] for row in rows if row[0] != "ok"]

    def state(self, name: str) -> str | None:
        """Give what work on the disk remembers under a name."""
        row = self.first("SELECT value FROM nvr_state WHERE name = ?", name)
        return None if row is None else str(row[0])

    def set_state(self, name: str, value: str | None) -> None:
        """Remember something, or forget it, within a `transaction`."""
        if value is None:
            self.execute("DELETE FROM nvr_state WHERE name = ?", name)
        else:
            self.execute("INSERT OR REPLACE INTO nvr_state VALUES (?, ?)", name, value)


def _new_image(path: Path, now_us: int) -> bytes:
    """Give the bytes of an index that holds nothing, to be written in one go.

    Made in place it costs some two hundred writes.

    :returns: nothing if this SQLite gives none: it is made in place then.
    """
    if not hasattr(sqlite3.Connection, "serialize"):
        return b""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        IndexConnection(connection, path)._prepare(now_us)
        image = bytearray(connection.serialize())
    finally:
        connection.close()
    image[_WAL_VERSIONS] = b"\x02\x02"
    return bytes(image)
