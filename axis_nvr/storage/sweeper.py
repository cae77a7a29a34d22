"""Removing the files of what is noted for removal, so that a stop leaves nothing half told.

Steps, and what holds after each; the first is `axis_nvr.storage.removal`'s:

1. What is to go is noted in the ``remove_`` tables, by a transaction.
2. The files of noted blocks go: first the Matroska file, then the XML, so that no rebuild ever
   takes a block for one whose XML was lost; then folders that are empty.
3. The folders' changes are made durable.
4. The rows of ``remove_blocks`` go. Once a recording has no more of them, its ``recording.xml`` and
   ``locks.xml`` go, its folder and those above it if they are empty, and last its row.

Whatever stands in the ``remove_`` tables when a disk is opened is swept again from step 2: what is
gone already is no error. What the system refuses to remove stays noted, is told once, and holds up
nothing else.
"""

import errno
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from axis_nvr.errors import StorageError
from axis_nvr.storage.files import IFiles, storage_error
from axis_nvr.storage.ground import Ground
from axis_nvr.storage.index import Index
from axis_nvr.storage.layout import (
    RECORDING_XML,
    is_block_id,
    is_block_path,
    is_recording_id,
    recording_folder,
)
from axis_nvr.storage.locks_xml import LOCKS_XML


class Swept(NamedTuple):
    """What a sweep did.

    :ivar blocks: whose files are gone for good.
    :ivar has_more: something noted is left that was not tried yet.
    :ivar error: why something could not be removed; it stays noted and is tried again later.
    """

    blocks: int
    has_more: bool
    error: StorageError | None


class _Block(NamedTuple):
    row_id: int
    block_id: str
    path: str
    recording_id: str


@dataclass(slots=True, eq=False)
class Sweeper:
    """Removes what is noted, a little at a time; for one thread.

    :param folder: the disk's.
    :ivar stuck: what could not be removed, by its name, oldest first; left out until `try_again`.
    """

    files: IFiles
    folder: Path
    index: Index
    stuck: dict[str, StorageError] = field(default_factory=dict)
    _ground: Ground = field(init=False)

    def __post_init__(self) -> None:
        self._ground = Ground(self.files, self.folder)

    def try_again(self) -> None:
        """Try what could not be removed once more, with the next sweep."""
        self.stuck.clear()

    def sweep(self, limit: int) -> Swept:
        """Remove the files of some noted blocks, and of recordings that have no more of them.

        :param limit: the most blocks, and the most recordings.
        :raises StorageError: the disk is gone, or its index cannot be written.
        """
        self._ground.check_present()  # files that are not found are gone, and not only their disk
        before = len(self.stuck)
        blocks = self._noted_blocks(limit)
        is_last = len(blocks) < limit
        names = self._noted_recordings(limit) if is_last else []
        folders = {block.block_id: self._remove_block(block) for block in blocks}
        folders |= {name: self.remove_leftovers(name) for name in names}
        self._make_durable(folders)
        gone = [block for block in blocks if block.block_id not in self.stuck]
        if gone or names:
            self._forget(gone, [name for name in names if name not in self.stuck])
        errors = list(self.stuck.values())
        has_more = not is_last or bool(gone) or len(names) == limit
        return Swept(len(gone), has_more, errors[-1] if len(errors) > before else None)

    def _forget(self, blocks: Iterable[_Block], recording_ids: Iterable[str]) -> None:
        with self.index.transaction():
            for block in blocks:
                self.index.execute("DELETE FROM remove_blocks WHERE id = ?", block.row_id)
            for name in recording_ids:
                self.index.execute("DELETE FROM remove_recordings WHERE filename = ?", name)

    def _noted_blocks(self, limit: int) -> list[_Block]:
        rows = self.index.query(
            "SELECT b.id, b.filename, b.path, COALESCE(r.filename, g.filename, '')"
            " FROM remove_blocks b LEFT JOIN recordings r ON r.id = b.recording_id"
            " LEFT JOIN remove_recordings g ON g.id = b.recording_id ORDER BY b.id LIMIT ?",
            limit + len(self.stuck),
        )
        blocks = [_Block(*row) for row in rows]
        return [block for block in blocks if block.block_id not in self.stuck][:limit]

    def _noted_recordings(self, limit: int) -> list[str]:
        """Name recordings that are to go; asked only when few blocks are still noted."""
        rows = self.index.query(
            "SELECT g.filename FROM remove_recordings g WHERE NOT EXISTS"
            " (SELECT 1 FROM remove_blocks b WHERE b.recording_id = g.id) ORDER BY g.id LIMIT ?",
            limit + len(self.stuck),
        )
        return [name for (name,) in rows if name not in self.stuck][:limit]

    def _remove_block(self, block: _Block) -> Path | None:
        """Remove a block's files; give the folder whose change is to be made durable."""
        names = (is_recording_id(block.recording_id), is_block_id(block.block_id))
        if not all(names) or not is_block_path(block.path):
            return None  # such a row never had a file of ours
        folder = recording_folder(self.folder, block.recording_id) / block.path
        files = (f"{block.block_id}.mkv", f"{block.block_id}.xml", f".{block.block_id}.xml.tmp")
        return self._remove(block.block_id, [folder / name for name in files], [folder])

    def remove_leftovers(self, recording_id: str) -> Path | None:
        """Remove what a recording without blocks has left.

        What is not ours in its folder stays, and the folder with it.

        :returns: the folder whose change is to be made durable; None if there is none.
        """
        if not is_recording_id(recording_id):
            return None
        folder = recording_folder(self.folder, recording_id)
        names = (RECORDING_XML, f".{RECORDING_XML}.tmp", LOCKS_XML, f".{LOCKS_XML}.tmp")
        folders = [folder, folder.parent, folder.parent.parent]
        return self._remove(recording_id, [folder / name for name in names], folders)

    def _remove(self, name: str, paths: Sequence[Path], folders: Sequence[Path]) -> Path:
        """Remove files, then folders that are empty, from the innermost on."""
        for path in paths:
            try:
                _remove_file(self.files, path)
            except OSError as error:
                self.stuck[name] = storage_error(error, path, "remove")
                return folders[0]
        for folder in folders:
            with suppress(OSError):  # not empty, or not there
                self.files.remove_folder(folder)
        return folders[0]

    def _make_durable(self, folders: Mapping[str, Path | None]) -> None:
        """Make durable that files and folders are gone.

        Each folder once, and behind all that was removed: one commit of the file system's journal
        serves them all.
        """
        synced: dict[Path, StorageError | None] = {}
        for name, folder in folders.items():
            if folder is None or name in self.stuck:
                continue
            if folder not in synced:
                synced[folder] = self._sync(folder)
            error = synced[folder]
            if error is not None:
                self.stuck[name] = error

    def _sync(self, folder: Path) -> StorageError | None:
        """Make durable what went from a folder, or that it went itself."""
        for path in self._upwards(folder):
            try:
                self.files.sync_folder(path)
            except FileNotFoundError:
                continue
            except OSError as error:
                return storage_error(error, path, "sync a folder")
            break
        return None

    def _upwards(self, folder: Path) -> Iterator[Path]:
        while folder != self.folder:
            yield folder
            folder = folder.parent
        yield folder


def _remove_file(files: IFiles, path: Path) -> None:
    try:
        files.remove(path)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR):
            raise
