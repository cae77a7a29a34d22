"""A rebuild without a recorder: a new index in place of the old one, or of none.

Steps, each of which may be the last:

1. The disk is locked: no recorder has it, and none gets it before this ends.
2. The new index is made under another name. What an earlier try left under it goes first.
3. It is closed and synced: it is one file, and whole.
4. What the old index has in its log is put into it, if it can be read, and it is renamed; then what
   is left of its log and its memory, which would be taken for the new one's.
5. The new one is renamed into place, and the folder is synced.

A stop before step 4 changes nothing. One between 4 and 5 leaves no index; then the recorder begins
one, and rebuilds it.
"""

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from datetime import tzinfo
from pathlib import Path

from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.storage.files import EntryKind, IFiles, storage_errors
from axis_nvr.storage.housekeeping import Premises, Progress
from axis_nvr.storage.index import Index
from axis_nvr.storage.layout import INDEX_NAME, LOCK_NAME, is_day_folder
from axis_nvr.storage.repair.adoption import entries
from axis_nvr.storage.repair.rebuild import Rebuild, RebuildReport

#: Where the new index is made, and where the old one goes.
NEW_NAME = f".{INDEX_NAME}.new"
OLD_NAME = f"{INDEX_NAME}.old"
#: What SQLite keeps beside a database.
SUFFIXES = ("-wal", "-shm")
#: Nobody waits for this index: larger slices than beside recording.
SLICE_FILES = 2000


def rebuild_index(
    files: IFiles,
    folder: Path,
    now: Callable[[], float],
    *,
    zone: tzinfo | None = None,
    progress: Callable[[Progress], None] = lambda progress: None,
) -> RebuildReport:
    """Make the index of a disk anew from its files; the old one is kept as ``index.db.old``.

    :param now: the UTC clock, seconds since 1970.
    :param zone: whose local time names are in; None is this machine's.
    :param progress: told how far it is, now and then.
    :raises StorageError: a recorder uses the disk, it is none, or it cannot be written.
    """
    has_days = any(
        kind is EntryKind.FOLDER and is_day_folder(name) for name, kind in entries(files, folder)
    )
    if not has_days and not files.exists(folder / INDEX_NAME):
        message = "no disk of a recorder: it has neither recordings nor an index"
        raise StorageError(StorageErrorKind.ABSENT, folder, message)
    lock = _lock(files, folder)
    try:
        report = _make(files, folder, now, zone, progress)
        with storage_errors(folder / INDEX_NAME, "put the index in place"):
            set_aside(files, folder, OLD_NAME)
            files.rename(folder / NEW_NAME, folder / INDEX_NAME)
            files.sync_folder(folder)
    finally:
        files.close(lock)
    return report


def _lock(files: IFiles, folder: Path) -> int:
    try:
        with storage_errors(folder / LOCK_NAME, "lock the disk"):
            return files.lock(folder / LOCK_NAME)
    except StorageError as error:
        if error.kind is not StorageErrorKind.LOCKED:
            raise
        message = "a recorder uses the disk; stop it first, or let it rebuild the index itself"
        raise StorageError(error.kind, folder, message) from error


def _make(
    files: IFiles,
    folder: Path,
    now: Callable[[], float],
    zone: tzinfo | None,
    progress: Callable[[Progress], None],
) -> RebuildReport:
    path = folder / NEW_NAME
    for suffix in ("", *SUFFIXES):
        remove_if_there(files, path.with_name(path.name + suffix))
    index = Index.open(files, path, int(now() * 1e6))
    try:
        premises = Premises(files, folder, index, now, running=tuple, zone=zone)
        chore = Rebuild(premises, slice_files=SLICE_FILES)
        while chore.step() is not None:
            if chore.progress is not None:
                progress(chore.progress)
    finally:
        index.close()
    with storage_errors(path, "sync the index"):
        fd = files.open_write(path)
        try:
            files.sync(fd)
        finally:
            files.close(fd)
    return chore.report


def set_aside(files: IFiles, folder: Path, name: str) -> None:
    """Rename an index, if there is one, and see that nothing of its log is taken for another's."""
    path = folder / INDEX_NAME
    if files.exists(path):
        _empty_log(files, path)
        files.rename(path, folder / name)
    for suffix in SUFFIXES:
        if files.exists(folder / f"{INDEX_NAME}{suffix}"):
            files.rename(folder / f"{INDEX_NAME}{suffix}", folder / f"{name}{suffix}")
    files.sync_folder(folder)


def _empty_log(files: IFiles, path: Path) -> None:
    """Put what is in an index's log into it, if it can be read at all."""
    with suppress(sqlite3.Error, OSError):
        connection = files.connect(path, read_only=False)
        try:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            connection.close()


def remove_if_there(files: IFiles, path: Path) -> None:
    """Remove a file, if there is one."""
    with storage_errors(path, "remove"), suppress(FileNotFoundError):
        files.remove(path)
