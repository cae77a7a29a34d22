"""An index that cannot be used, put out of the way before the disk is opened.

The look at it is short, so that half a million blocks hold up no start: the file is a database, its
schema can be read, and the first page of each table. What is broken further in shows when it is
met; whoever meets it condemns the index, and the next opening puts it out of the way.

What is put out of the way is kept, as ``index.db.corrupt-<UTC>``, the newest few. The index made in
its place does not know what is on the disk, and says so: the chore ``rebuild`` does the rest.

An error of the disk is not an error of the index: it is raised, and nothing is moved.
"""

import sqlite3
from contextlib import suppress
from pathlib import Path

from twisted.logger import Logger

from axis_nvr.storage.files import IFiles, storage_errors
from axis_nvr.storage.layout import INDEX_NAME, utc_datetime
from axis_nvr.storage.repair.offline import SUFFIXES, remove_if_there, set_aside

#: How many broken indexes are kept.
MAX_KEPT = 3
#: Says, by being there, that the index was found to be broken.
CONDEMNED_NAME = f".{INDEX_NAME}.condemned"
_KEPT = f"{INDEX_NAME}.corrupt-"
_BROKEN = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
_log = Logger()


def put_broken_index_aside(files: IFiles, folder: Path, now_us: int) -> Path | None:
    """See that the index can be opened, or that there is none.

    :param now_us: UTC, microseconds since 1970.
    :returns: where the broken index is kept; None if there was nothing to do.
    :raises StorageError: the disk cannot be read or written.
    """
    path = folder / INDEX_NAME
    with storage_errors(path, "look at the index"):
        is_there = files.exists(path)
        is_condemned = files.exists(folder / CONDEMNED_NAME)
        why = _why_broken(files, path) if is_there else ""
        has_log = any(files.exists(folder / f"{INDEX_NAME}{suffix}") for suffix in SUFFIXES)
        if is_there and is_condemned:
            why = why or "it was found to be broken while it was used"
        kept = None
        if why or (has_log and not is_there):
            name = f"{_KEPT}{utc_datetime(now_us):%Y%m%dT%H%M%SZ}"
            set_aside(files, folder, name)
            kept = folder / name
            _remove_oldest(files, folder)
        remove_if_there(files, folder / CONDEMNED_NAME)
    if why:
        _log.critical(
            "{path} cannot be used ({why}); it is kept as {kept}, and made anew from the files",
            path=str(path),
            why=why,
            kept="" if kept is None else kept.name,
        )
    return kept if why else None


def _why_broken(files: IFiles, path: Path) -> str:
    """Tell why an index cannot be used; empty: nothing is seen."""
    connection = files.connect(path, read_only=False)
    try:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (name,) in names:
            quoted = str(name).replace('"', '""')
            connection.execute(f'SELECT 1 FROM "{quoted}" LIMIT 1').fetchall()  # noqa: S608
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorname", "").startswith(_BROKEN):
            return str(error)
        raise
    finally:
        connection.close()
    return ""


def _remove_oldest(files: IFiles, folder: Path) -> None:
    found = [name for name in files.list_folder(folder) if name.startswith(_KEPT)]
    kept = sorted(name for name in found if not name.endswith(SUFFIXES))[-MAX_KEPT:]
    for name in found:
        if not any(name.startswith(stays) for stays in kept):
            remove_if_there(files, folder / name)


def condemn_index(files: IFiles, folder: Path) -> None:
    """Note that the index is broken, for the next time the disk is opened; raises nothing."""
    with suppress(OSError):
        files.close(files.create(folder / CONDEMNED_NAME))
        files.sync_folder(folder)
