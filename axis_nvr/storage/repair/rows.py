"""What repair asks of the index and tells it; every question has an index of its own."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from axis_nvr.media.units import Gap, GapReason
from axis_nvr.storage.index import Index
from axis_nvr.storage.layout import parse_utc, utc_text
from axis_nvr.storage.repair.block import FinishedBlock
from axis_nvr.storage.schema import REBUILD_STATE
from axis_nvr.storage.settle import NOT_UNDERSTOOD

#: The most gaps of one block that its tags tell.
MAX_GAPS = 1000
#: Behind every time there is.
_LATEST_US = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class UnfinishedBlock:
    """A block whose file was not closed properly.

    :param row_id: by which they are taken in order.
    :param stop_us: None if nobody knows.
    :param good_bytes: None if nobody knows.
    """

    row_id: int
    block_id: str
    recording_id: str
    path: str
    start_us: int
    stop_us: int | None
    good_bytes: int | None


_BLOCK = "SELECT b.id, b.filename, r.filename, b.path, b.starttime, b.stoptime"


def next_open_block(index: Index, after: int, newest: int) -> UnfinishedBlock | None:
    """Give the next block without stop time.

    :param after: the row of the one before.
    :param newest: blocks of recordings behind this row are being written.
    """
    row = index.first(
        f"{_BLOCK}, NULL FROM blocks b INDEXED BY nvr_open_blocks"
        " JOIN recordings r ON r.id = b.recording_id"
        " WHERE b.stoptime IS NULL AND b.id > ? AND b.recording_id <= ? ORDER BY b.id LIMIT 1",
        after,
        newest,
    )
    return None if row is None else _unfinished(row)


def next_lost_block(index: Index, after: int) -> UnfinishedBlock | None:
    """Give the next block that was noted as unfinished when its disk failed.

    :param after: the row of the one before.
    """
    row = index.first(
        f"{_BLOCK}, n.good_bytes FROM nvr_unfinished n CROSS JOIN blocks b ON b.id = n.block_id"
        " JOIN recordings r ON r.id = b.recording_id"
        " WHERE n.block_id > ? AND n.good_bytes <> ? ORDER BY n.block_id LIMIT 1",
        after,
        NOT_UNDERSTOOD,
    )
    return None if row is None else _unfinished(row)


def _unfinished(row: Any) -> UnfinishedBlock:
    row_id, block_id, recording_id, path, start, stop, good_bytes = row
    stop_us = None if stop is None else parse_utc(stop)
    return UnfinishedBlock(
        row_id, block_id, recording_id, path, parse_utc(start), stop_us, good_bytes
    )


def newest_recording(index: Index) -> int:
    """Give the row of the newest recording, 0 if there is none."""
    return int(index.first("SELECT COALESCE(MAX(id), 0) FROM recordings")[0])


def next_open_recording(index: Index, after: int, upto: int) -> tuple[int, str] | None:
    """Give the row and the id of the next recording without stop time.

    :param after: the row of the one before.
    :param upto: no row behind this one.
    """
    found: tuple[int, str] | None = index.first(
        "SELECT id, filename FROM recordings INDEXED BY nvr_open_recordings"
        " WHERE stoptime IS NULL AND id > ? AND id <= ?"
        " ORDER BY id LIMIT 1",
        after,
        upto,
    )
    return found


def has_open_blocks(index: Index, recording_id: str) -> bool:
    """Tell whether a recording has blocks without stop time."""
    query = (
        "SELECT 1 FROM recordings r JOIN blocks b ON b.recording_id = r.id"
        " WHERE r.filename = ? AND b.stoptime IS NULL LIMIT 1"
    )
    return index.first(query, recording_id) is not None


class BlocksSpan(NamedTuple):
    """From when to when a recording's blocks are: UTC, microseconds since 1970."""

    start_us: int
    last_start_us: int
    stop_us: int


def span_of_blocks(index: Index, recording_id: str) -> BlocksSpan | None:
    """Give from when to when a recording's blocks are; None if it has none."""
    times = index.first(
        "SELECT MIN(b.starttime), MAX(b.starttime), MAX(COALESCE(b.stoptime, b.starttime))"
        " FROM recordings r JOIN blocks b ON b.recording_id = r.id WHERE r.filename = ?",
        recording_id,
    )
    return None if times[0] is None else BlocksSpan(*map(parse_utc, times))


def recording_state(index: Index, recording_id: str) -> bool | None:
    """Tell whether a recording has ended; None if the index does not have it."""
    row = index.first("SELECT stoptime FROM recordings WHERE filename = ?", recording_id)
    return None if row is None else row[0] is not None


def is_rebuilding(index: Index) -> bool:
    """Tell whether the index does not know yet what is on its disk."""
    return index.state(REBUILD_STATE) is not None


def gaps_of_block(index: Index, block: UnfinishedBlock) -> list[Gap]:
    """Give the gaps of a recording that touch a block of it: up to the start of the next one."""
    (next_start,) = index.first(
        "SELECT MIN(n.starttime) FROM blocks b JOIN blocks n ON n.recording_id = b.recording_id"
        " WHERE b.id = ? AND n.starttime > b.starttime",
        block.row_id,
    )
    rows = index.query(
        "SELECT g.start_us, g.end_us, g.reason, g.lost_packets, g.detail"
        " FROM recordings r JOIN nvr_gaps g ON g.recording_id = r.id"
        " WHERE r.filename = ? AND g.end_us >= ? AND g.start_us < ?"
        " ORDER BY g.start_us, g.id LIMIT ?",
        block.recording_id,
        block.start_us,
        _LATEST_US if next_start is None else parse_utc(next_start),
        MAX_GAPS,
    )
    return [
        Gap(start_us, end_us, GapReason(reason), lost, detail)
        for start_us, end_us, reason, lost, detail in rows
        if reason in tuple(GapReason)
    ]


# Within a transaction.


def add_new_gaps(index: Index, recording_id: str, gaps: Iterable[Gap]) -> None:
    """Note what is missing from a recording, each gap once."""
    for gap in gaps:
        values = (gap.start_us, gap.end_us, gap.reason, gap.lost_packets, gap.detail)
        index.execute(
            "INSERT INTO nvr_gaps (recording_id, start_us, end_us, reason, lost_packets, detail)"
            " SELECT r.id, ?1, ?2, ?3, ?4, ?5 FROM recordings r WHERE r.filename = ?6"
            " AND NOT EXISTS (SELECT 1 FROM nvr_gaps g WHERE g.recording_id = r.id"
            " AND g.start_us = ?1 AND g.end_us = ?2 AND g.reason = ?3 AND g.lost_packets = ?4"
            " AND g.detail = ?5)",
            *values,
            recording_id,
        )


def close_finished(index: Index, block: UnfinishedBlock, done: FinishedBlock) -> None:
    """Note that a block is whole."""
    index.close_block(block.block_id, done.stop_us, done.size_bytes)
    add_new_gaps(index, block.recording_id, done.gaps)
    index.execute("DELETE FROM nvr_unfinished WHERE block_id = ?", block.row_id)


def forget_block(index: Index, block: UnfinishedBlock) -> None:
    """Take out a block whose file is not there."""
    index.execute("DELETE FROM nvr_unfinished WHERE block_id = ?", block.row_id)
    index.drop_block(block.block_id)


def give_up_block(index: Index, block: UnfinishedBlock, size_bytes: int, why: str) -> None:
    """Note that a block's file is not understood: it stays, and takes part in retention."""
    index.close_block(block.block_id, block.stop_us or block.start_us, size_bytes)
    index.mark_unfinished(block.block_id, NOT_UNDERSTOOD, why)


def add_closed_block(index: Index, recording_id: str, block_id: str, done: FinishedBlock) -> None:
    """Add a block that is whole."""
    index.add_block(recording_id, block_id, done.start_us)
    index.close_block(block_id, done.stop_us, done.size_bytes)


def end_recording(index: Index, recording_id: str, start_us: int, stop_us: int) -> None:
    """Note a recording's start, which is its first block's, and its end."""
    index.execute(
        "UPDATE recordings SET starttime = ?, stoptime = ? WHERE filename = ?",
        utc_text(start_us),
        utc_text(stop_us),
        recording_id,
    )
