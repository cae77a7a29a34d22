"""What is on the disks, for whoever reads: one reader for each disk that is in use.

The library follows the disks: with each that is opened a reader comes, and goes before the disk is
let go of; one that is locked is read too. Beside the reader each disk has a way to its housekeeping
thread (`Errands`), by which something is changed on it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from axis_nvr.errors import NvrError, StorageError
from axis_nvr.storage.errands import Errands
from axis_nvr.storage.files import IFiles
from axis_nvr.storage.layout import INDEX_NAME, is_recording_id
from axis_nvr.storage.reading.catalogue import count_recordings
from axis_nvr.storage.reading.reader import InThread, Reader
from axis_nvr.storage.reading.search import Found, Search, find


class NoRecording(NvrError):
    """No disk that is in use has a recording of this id."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """A disk that is in use.

    :param errands: changes something on it.
    """

    disk: str
    folder: Path
    reader: Reader
    errands: Errands


@dataclass(frozen=True, slots=True)
class Located:
    """A recording and the disk it is on."""

    shelf: Shelf
    found: Found


class Library:
    """Knows the disks that are in use.

    :param errands: of each disk, by its id.
    :param in_thread: calls a function in a thread.
    :ivar shelves: the disks that are in use, by id, in the order of the configuration.
    """

    log = Logger()

    def __init__(self, files: IFiles, errands: Mapping[str, Errands], in_thread: InThread) -> None:
        self.shelves: dict[str, Shelf] = {}
        self._files = files
        self._errands = errands
        self._in_thread = in_thread
        self._locked: set[str] = set()
        self._opened: list[Callable[[Shelf], None]] = []
        self._gone: list[Callable[[str], None]] = []

    def follow(self, opened: Callable[[Shelf], None], gone: Callable[[str], None]) -> None:
        """Hear of each disk that comes into use, and of the id of each that is let go of.

        One that broke and is opened again comes into use again without having gone.
        """
        self._opened.append(opened)
        self._gone.append(gone)

    @property
    def disks(self) -> tuple[str, ...]:
        """The ids of all disks, in use or not."""
        return tuple(self._errands)

    # IDiskUser

    def disk_opened(self, disk_id: str, folder: Path) -> None:
        """Have a reader for it."""
        self._locked.discard(disk_id)
        shelf = self._put(disk_id, folder)
        shelf.errands.open()
        for told in self._opened:
            told(shelf)

    def disk_locked(self, disk_id: str, folder: Path) -> None:
        """Have a reader for it, if it is there; its errands are refused."""
        self._locked.add(disk_id)

        def found(is_there: bool) -> None:
            if is_there and disk_id in self._locked:
                self._put(disk_id, folder)

        looking = self._in_thread(lambda: self._files.exists(folder / INDEX_NAME))
        looking.addCallback(found).addErrback(
            lambda failure: self.log.failure("while {disk} was looked for", failure, disk=disk_id)
        )

    def _put(self, disk_id: str, folder: Path) -> Shelf:
        errands = self._errands[disk_id]
        reader = Reader(self._files, folder, self._in_thread, errands.catch_up)
        shelf = Shelf(disk_id, folder, reader, errands)
        shelves = {**self.shelves, disk_id: shelf}
        self.shelves = {name: shelves[name] for name in self._errands if name in shelves}
        return shelf

    def disk_closing(self, disk_id: str, *, comes_back: bool) -> "Deferred[None]":
        """Let go of it."""
        self._locked.discard(disk_id)
        if not comes_back:
            for told in self._gone:
                told(disk_id)
        shelf = self.shelves.pop(disk_id, None)
        if shelf is None:
            return succeed(None)
        shelf.errands.close()
        closed = shelf.reader.close()
        return closed.addErrback(
            lambda failure: self.log.failure("while {disk} was closed", failure, disk=disk_id)
        )

    # What is asked.

    def chosen(self, disk: str | None = None) -> list[Shelf]:
        """Give the disks in use, or the one of an id; nothing if that one is not in use."""
        return [shelf for name, shelf in self.shelves.items() if disk in (None, name)]

    async def count(self, disk: str | None = None) -> int:
        """Tell how many recordings there are.

        :param disk: count those of this disk only.
        """
        counts = [await shelf.reader.ask(count_recordings) for shelf in self.chosen(disk)]
        return sum(counts)

    async def locate(self, recording_id: str, disk: str | None = None) -> Located:
        """Find a recording.

        :param disk: on this disk only.
        :raises NoRecording: there is none of this id.
        :raises StorageError: a disk that may have it cannot be read.
        """
        trouble: StorageError | None = None
        if is_recording_id(recording_id):
            for shelf in self.chosen(disk):
                try:
                    page = await shelf.reader.ask(find, Search(recording_id=recording_id))
                except StorageError as error:
                    trouble = error
                    continue
                if page.found:
                    return Located(shelf, page.found[0])
        if trouble is not None:
            raise trouble
        raise NoRecording(f"there is no recording {recording_id!r:.60}")
