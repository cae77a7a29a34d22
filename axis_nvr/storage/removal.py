"""Noting what is to be removed: the first step, after which nobody finds it any more.

One transaction moves rows from ``blocks`` to ``remove_blocks``, and from ``recordings`` to
``remove_recordings`` with their last block. Names stay taken and bytes stay where they are until
`axis_nvr.storage.sweeper` has removed the files. What is locked, open or being recorded is refused
within that same transaction, so that a lock that was acknowledged is never too late.

A recording that runs loses its oldest blocks like any other, and then starts later. If it loses all
it has, its row stays for what is still to come, and is noted once it has ended without a block.
"""

from collections.abc import Container, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.storage.index import Index
from axis_nvr.storage.layout import (
    parse_utc,
    recording_folder,
)
from axis_nvr.storage.lock_span import find_recording
from axis_nvr.storage.locks import find_locks, lock_words
from axis_nvr.storage.locks_xml import Lock

#: A recording that runs without a block is remembered in the index's state under this and its id.
EMPTIED = "emptied/"
#: With so many blocks a transaction that removes recordings ends: some tens of milliseconds.
MAX_BLOCKS_AT_ONCE = 500
_AFTER_EMPTIED = "emptied0"

_BLOCK_COLUMNS = "filename, path, starttime, stoptime, recording_id, filesize"
_RECORDING_COLUMNS = (
    "id, filename, path, starttime, stoptime, recording_type_id, recording_source_id,"
    " recording_event_id, recording_action_id, audio_id, video_id, metadata_id"
)
_CLOSED_BLOCK = (
    "SELECT b.starttime, b.stoptime, b.filesize, r.id, r.filename"
    " FROM blocks b JOIN recordings r ON r.id = b.recording_id"
    " WHERE b.filename = ? AND b.stoptime IS NOT NULL"
)


class Noted(NamedTuple):
    """What is to go: how many blocks, and their bytes as the index has them."""

    blocks: int
    size_bytes: int


def note_blocks(index: Index, block_ids: Iterable[str], running: Container[str]) -> Noted:
    """Note closed blocks for removal; those that are locked or open by now are left out.

    :param block_ids: their names; those the index does not have any more are left out too.
    :param running: ids of the recordings that are being written.
    :raises StorageError: the index cannot be written.
    """
    noted, recordings = Noted(0, 0), dict[int, str]()
    with index.transaction():
        locks: dict[str, Sequence[Lock]] = {}
        for block_id in block_ids:
            row = index.first(_CLOSED_BLOCK, block_id)
            if row is None:
                continue
            start, stop, size_bytes, recording_row, recording_id = row
            if recording_id not in locks:
                locks[recording_id] = list(find_locks(index, recording_id))
            if _is_held(locks[recording_id], start, stop):
                continue
            _move_blocks(index, "filename = ?", block_id)
            recordings[recording_row] = recording_id
            noted = Noted(noted.blocks + 1, noted.size_bytes + (size_bytes or 0))
        for recording_row, recording_id in recordings.items():
            _follow_up(index, recording_row, recording_id, running)
    return noted


def _is_held(locks: Iterable[Lock], start: str, stop: str) -> bool:
    return any(lock.holds(parse_utc(start), parse_utc(stop)) for lock in locks)


def _move_blocks(index: Index, where: str, value: object) -> None:
    """Move rows to the table of what is to go, where they have ids of their own."""
    index.execute(
        f"INSERT INTO remove_blocks ({_BLOCK_COLUMNS})"  # noqa: S608 - all of it is ours
        f" SELECT {_BLOCK_COLUMNS} FROM blocks WHERE {where} ORDER BY starttime",
        value,
    )
    index.execute(f"DELETE FROM blocks WHERE {where}", value)  # noqa: S608


def _follow_up(
    index: Index, recording_row: int, recording_id: str, running: Container[str]
) -> None:
    """Bring a recording into line with the blocks it has left."""
    query = "SELECT MIN(starttime) FROM blocks WHERE recording_id = ?"
    start = index.first(query, recording_row)[0]
    if start is not None:  # it starts later now, by the index's own trigger
        index.execute(
            "DELETE FROM nvr_gaps WHERE recording_id = ?1 AND start_us < ?2 AND end_us <= ?2",
            recording_row,
            parse_utc(start),
        )
    elif _runs(index, recording_row, recording_id, running):
        index.set_state(EMPTIED + recording_id, "")
    else:
        _move_recording(index, recording_row)


def _runs(index: Index, recording_row: int, recording_id: str, running: Container[str]) -> bool:
    query = "SELECT 1 FROM recordings WHERE id = ? AND stoptime IS NULL"
    return recording_id in running or index.first(query, recording_row) is not None


def _move_recording(index: Index, recording_row: int) -> None:
    index.execute(
        f"INSERT INTO remove_recordings ({_RECORDING_COLUMNS})"  # noqa: S608
        f" SELECT {_RECORDING_COLUMNS} FROM recordings WHERE id = ?",
        recording_row,
    )
    index.execute("DELETE FROM recordings WHERE id = ?", recording_row)


def note_recordings(
    index: Index, folder: Path, recording_ids: Sequence[str], running: Container[str]
) -> list[StorageError | None]:
    """Note whole recordings for removal, as many as one transaction should take.

    :param folder: the disk's.
    :param running: ids of the recordings that are being written.
    :returns: for each of the first ones, at least one, why it is refused, or None.
    :raises StorageError: the index cannot be written; nothing is noted.
    """
    outcomes: list[StorageError | None] = []
    blocks = 0
    with index.transaction():
        for recording_id in recording_ids:
            try:
                blocks += _note_recording(index, folder, recording_id, running).blocks
                outcomes.append(None)
            except StorageError as error:
                if error.__cause__ is not None:  # the index's own
                    raise
                outcomes.append(error)
            if blocks >= MAX_BLOCKS_AT_ONCE:
                break
    return outcomes


def _note_recording(
    index: Index, folder: Path, recording_id: str, running: Container[str]
) -> Noted:
    row_id = find_recording(index, folder, recording_id).row_id
    path = recording_folder(folder, recording_id)
    lock = next(find_locks(index, recording_id), None)
    if lock is not None:
        raise StorageError(StorageErrorKind.LOCKED, path, f"not removed: {lock_words(lock)}")
    if _runs(index, row_id, recording_id, running):
        raise StorageError(StorageErrorKind.LOCKED, path, "not removed: it is being recorded")
    query = "SELECT COUNT(*), SUM(filesize) FROM blocks WHERE recording_id = ?"
    count, size_bytes = index.first(query, row_id)
    _move_blocks(index, "recording_id = ?", row_id)
    _move_recording(index, row_id)
    return Noted(count, size_bytes or 0)


def emptied_recordings(index: Index, running: Container[str]) -> list[str]:
    """See to recordings that lost all their blocks while they ran.

    One that has ended since without a block is noted for removal.

    :returns: ids of those that have no row any more, but may have left a folder: it is to be
        cleared before `forget_emptied`.
    """
    query = "SELECT name FROM nvr_state WHERE name >= ? AND name < ?"
    names = [name.removeprefix(EMPTIED) for (name,) in index.query(query, EMPTIED, _AFTER_EMPTIED)]
    gone = []
    for recording_id in names:
        query = (
            "SELECT r.id, EXISTS (SELECT 1 FROM blocks b WHERE b.recording_id = r.id)"
            " FROM recordings r WHERE r.filename = ?"
        )
        row = index.first(query, recording_id)
        if row is None:
            gone.append(recording_id)
            continue
        if not row[1] and _runs(index, row[0], recording_id, running):
            continue
        with index.transaction():
            if not row[1]:
                _move_recording(index, row[0])
            index.set_state(EMPTIED + recording_id, None)
    return gone


def forget_emptied(index: Index, recording_ids: Iterable[str]) -> None:
    """Remember recordings no longer that lost all their blocks while they ran."""
    with index.transaction():
        for recording_id in recording_ids:
            index.set_state(EMPTIED + recording_id, None)
