"""Connections to a disk's index for reading, one for each thread that asks."""

from contextlib import suppress
from pathlib import Path
from threading import Lock, local

from axis_nvr.errors import NvrError
from axis_nvr.storage.files import IFiles
from axis_nvr.storage.index import Index


class Connections:
    """Gives each thread a connection of its own; they are opened when they are first needed.

    :param path: the ``index.db``.
    """

    def __init__(self, files: IFiles, path: Path) -> None:
        self._files = files
        self._path = path
        self._local = local()
        self._all: set[Index] = set()
        self._lock = Lock()

    def here(self) -> Index:
        """Give the connection of the thread that asks.

        :raises StorageError: the index cannot be opened.
        """
        index: Index | None = getattr(self._local, "index", None)
        if index is None:
            index = Index.open_read_only(self._files, self._path)
            self._local.index = index
            with self._lock:
                self._all.add(index)
        return index

    def drop(self) -> None:
        """Close the connection of the thread that asks; the next one is new."""
        index: Index | None = getattr(self._local, "index", None)
        if index is not None:
            self._local.index = None
            with self._lock:
                self._all.discard(index)
            with suppress(NvrError):
                index.close()

    def close(self) -> None:
        """Close all connections, when no thread asks any more."""
        with self._lock:
            every, self._all = self._all, set()
        self._local = local()
        for index in every:
            index.close()
