"""The index read piece by piece: for work that goes over all of it while others write to it.

A query that stays open for hours keeps SQLite from ever emptying its log; so a page is read whole,
and the next one is asked for by where that one ended. Rows are taken as they are: what a row says
may be nonsense, and is then a finding and no error.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from axis_nvr.errors import WireError
from axis_nvr.storage.index import BlockRow, Index
from axis_nvr.storage.layout import is_block_id, is_block_path, is_recording_id, parse_utc

#: Rows read at once.
PAGE_ROWS = 256
#: Rows named that lead nowhere; more are not named one by one.
MAX_LOST_ROWS = 1000

_BLOCK = (
    "SELECT b.id, b.filename, r.filename, b.path, b.starttime, b.stoptime, b.filesize,"
    " {unfinished} FROM blocks b JOIN recordings r ON r.id = b.recording_id"
)
_RECORDING = "SELECT id, filename, starttime, stoptime FROM recordings"


class IndexedRecording(NamedTuple):
    """A recording's row: number, name, times."""

    row_id: int
    recording_id: str
    start_us: int | None
    stop_us: int | None


class IndexedBlock(NamedTuple):
    """A block's row and its number."""

    row_id: int
    row: BlockRow


class BadRow(NamedTuple):
    """A row that cannot be used, and why; names may be anything."""

    row_id: int
    recording_id: str
    block_id: str
    message: str


def recordings_after(index: Index, row_id: int) -> list[IndexedRecording | BadRow]:
    """Give the next page of recordings behind a row."""
    query = f"{_RECORDING} WHERE id > ? ORDER BY id LIMIT ?"
    return [_recording(row) for row in index.query(query, row_id, PAGE_ROWS)]


def recording_again(index: Index, row_id: int) -> IndexedRecording | BadRow | None:
    """Give a recording as it is now; None if it is gone."""
    rows = index.query(f"{_RECORDING} WHERE id = ?", row_id)
    return next((_recording(row) for row in rows), None)


def blocks_of(index: Index, recording_row_id: int) -> Iterator[IndexedBlock | BadRow]:
    """Give a recording's blocks by time, page by page; not those without a start time."""
    query = (
        f"{_block_query(index)} WHERE b.recording_id = ? AND (b.starttime, b.id) > (?, ?)"
        " ORDER BY b.starttime, b.id LIMIT ?"
    )
    after: tuple[Any, int] = ("", 0)
    while rows := list(index.query(query, recording_row_id, *after, PAGE_ROWS)):
        yield from map(_block, rows)
        after = rows[-1][4], rows[-1][0]


def block_after(index: Index, row_id: int) -> IndexedBlock | BadRow | None:
    """Give the closed block that comes next in the order of the rows; None behind the last."""
    query = f"{_block_query(index)} WHERE b.id > ? AND b.stoptime NOT NULL ORDER BY b.id LIMIT 1"
    return next(map(_block, index.query(query, row_id)), None)


def block_again(index: Index, row_id: int) -> IndexedBlock | BadRow | None:
    """Give a block as it is now; None if it is gone."""
    return next(map(_block, index.query(f"{_block_query(index)} WHERE b.id = ?", row_id)), None)


def lost_blocks(index: Index) -> list[BadRow]:
    """Give rows of blocks that belong to no recording or have no start time."""
    query = (
        "SELECT id, filename FROM blocks b WHERE b.starttime IS NULL OR b.recording_id IS NULL"
        " OR NOT EXISTS (SELECT 1 FROM recordings r WHERE r.id = b.recording_id) LIMIT ?"
    )
    message = "its row has no recording or no start time"
    rows = index.query(query, MAX_LOST_ROWS)
    return [BadRow(row_id, "", _words(name), message) for row_id, name in rows]


def _block_query(index: Index) -> str:
    """Give the query of blocks; an index that another recorder wrote has no table of ours."""
    if not has_table(index, "nvr_unfinished"):
        return _BLOCK.format(unfinished="NULL")
    column = "(SELECT good_bytes FROM nvr_unfinished n WHERE n.block_id = b.id)"
    return _BLOCK.format(unfinished=column)


def has_table(index: Index, name: str) -> bool:
    """Tell whether the index has a table."""
    query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
    return any(True for _ in index.query(query, name))


def _recording(row: Any) -> IndexedRecording | BadRow:
    row_id, name, start, stop = row
    try:
        if not is_recording_id(str(name)):
            raise WireError("no recording id")
        return IndexedRecording(row_id, name, _time(start), _time(stop))
    except WireError as error:
        return BadRow(row_id, _words(name), "", str(error))


def _block(row: Any) -> IndexedBlock | BadRow:
    row_id, name, recording_id, path, start, stop, size_bytes, good_bytes = row
    try:
        if not is_block_id(str(name)) or not is_recording_id(str(recording_id)):
            raise WireError("no block id")
        if not is_block_path(str(path)):
            raise WireError(f"no folder of blocks: {path!r:.60}")
        start_us = _time(start)
        if start_us is None:
            raise WireError("no start time")
        size_bytes = size_bytes or 0
        if type(size_bytes) is not int or size_bytes < 0:
            raise WireError(f"no size: {size_bytes!r:.30}")
        found = BlockRow(name, recording_id, path, start_us, _time(stop), size_bytes, good_bytes)
        return IndexedBlock(row_id, found)
    except WireError as error:
        return BadRow(row_id, _words(recording_id), _words(name), str(error))


def _time(value: object) -> int | None:
    return None if value is None else parse_utc(str(value))


def _words(value: object) -> str:
    """Give a name that may be anything, cut to what a line can hold."""
    return str(value)[:60]
