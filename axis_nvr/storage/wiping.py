"""Emptying a disk: all recordings go, and the index with them; what is not ours stays.

Steps, of a disk that this process has locked and nobody has open:

1. The index goes, its log first: of a log without its index SQLite would make part of the next one.
2. That is made durable. From here on a disk on which this was cut short is one that has lost its
   index: what is left is found again when it is opened, and can be played or wiped once more.
3. Day by day, oldest first: the files of blocks, then those of recordings, then folders that are
   empty.
4. The disk's folder is synced.

Whatever does not have a name that the recorder gives stays, with the folders that lead to it. No
symbolic link is followed: what is none of a plain file and a folder is not ours either.
"""

import re
from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from axis_nvr.storage.files import EntryKind, IFiles, storage_errors
from axis_nvr.storage.layout import (
    INDEX_NAME,
    RECORDING_XML,
    is_block_id,
    is_block_path,
    is_day_folder,
    is_hour_folder,
    is_recording_id,
)
from axis_nvr.storage.locks_xml import LOCKS_XML
from axis_nvr.storage.retention.ballast import BALLAST_NAME
from axis_nvr.storage.unused import unused_disk

#: The index, what a rebuild and a broken one leave, and what SQLite keeps beside each.
_INDEX = re.compile(
    rf"\.?{re.escape(INDEX_NAME)}(\.(old|new|condemned|corrupt-[0-9]{{8}}T[0-9]{{6}}Z))?(-wal|-shm)?",
    re.ASCII,
)
_OF_RECORDING = {name for xml in (RECORDING_XML, LOCKS_XML) for name in (xml, f".{xml}.tmp")}


@dataclass(slots=True)
class Wiped:
    """What was removed.

    :ivar stayed: files and folders that are not ours.
    """

    files: int = 0
    stayed: int = 0


def wipe(files: IFiles, folder: Path) -> Generator[float, None, Wiped]:
    """Remove all that a recorder wrote to a disk.

    :returns: how much of it is done, 0 to 1, now and then; what was removed, at the end. Closing it
        ends it in the middle.
    :raises StorageError: see `unused_disk`; or something could not be removed.
    """
    with unused_disk(files, folder), storage_errors(folder, "empty the disk"):
        wiping = _Wiping(files, Wiped())
        yield 0.0
        wiping.index(folder)
        days = [name for name, kind in files.entries(folder) if _is(kind, is_day_folder(name))]
        for number, day in enumerate(days):
            for _ in wiping.day(folder / day):
                yield number / len(days)
        files.sync_folder(folder)
        return wiping.wiped


def _is(kind: EntryKind, has_name: bool) -> bool:
    return has_name and kind is EntryKind.FOLDER


@dataclass(frozen=True, slots=True)
class _Wiping:
    files: IFiles
    wiped: Wiped

    def index(self, folder: Path) -> None:
        """Remove the index, and whatever else there is one of on a disk."""
        names = [name for name, kind in self.files.entries(folder) if kind is EntryKind.FILE]
        ours = [name for name in names if _INDEX.fullmatch(name) or name == BALLAST_NAME]
        for name in sorted(ours, key=lambda name: not name.endswith(("-wal", "-shm"))):
            self._remove(folder / name)
        self.files.sync_folder(folder)

    def day(self, folder: Path) -> Iterator[None]:
        """Remove a day; one step for each recording."""
        for hour in self._folders(folder, is_hour_folder):
            for recording in self._folders(hour, is_recording_id):
                self._recording(recording)
                yield
            self._remove_empty(hour)
        self._remove_empty(folder)

    def _recording(self, folder: Path) -> None:
        for blocks in list(self._folders(folder, is_block_path, files=_OF_RECORDING)):
            for name, kind in self.files.entries(blocks):
                if kind is EntryKind.FILE and _is_of_block(name):
                    self._remove(blocks / name)
                else:
                    self.wiped.stayed += 1
            self._remove_empty(blocks)
        for name in _OF_RECORDING:
            with suppress(FileNotFoundError):
                self._remove(folder / name)
        self._remove_empty(folder)

    def _folders(
        self, folder: Path, is_ours: Callable[[str], bool], files: Collection[str] = ()
    ) -> Iterator[Path]:
        """Give the folders of ours in another one; count what is neither that nor among `files`."""
        for name, kind in self.files.entries(folder):
            if _is(kind, is_ours(name)):
                yield folder / name
            elif name not in files:
                self.wiped.stayed += 1

    def _remove(self, path: Path) -> None:
        self.files.remove(path)
        self.wiped.files += 1

    def _remove_empty(self, folder: Path) -> None:
        with suppress(OSError):  # what is not ours is in it
            self.files.remove_folder(folder)


def _is_of_block(name: str) -> bool:
    """Tell whether a file is one of a block: media, XML, or XML that was to become it."""
    for ending in (".mkv", ".xml"):
        if name.endswith(ending) and is_block_id(name.removesuffix(ending)):
            return True
    is_draft = name.startswith(".") and name.endswith(".xml.tmp")
    return is_draft and is_block_id(name[1:].removesuffix(".xml.tmp"))
