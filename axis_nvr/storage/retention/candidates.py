"""Which blocks may go: closed and not locked, oldest first, found a page at a time.

No query here looks at more rows than a page, however large the disk: blocks come in the order of
the index over their start times, those of a group in the order in which its recordings start.

What is locked is passed over. Where a disk begins with thousands of locked blocks, a `Hunt`
remembers that, so that each search does not pass over them again; when a lock is made or taken
away, or after a while, it begins anew.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from axis_nvr.storage.index import Index
from axis_nvr.storage.layout import parse_utc, utc_text
from axis_nvr.storage.locks import LOCKS_CHANGED, find_locks
from axis_nvr.storage.locks_xml import Lock

#: Rows looked at in one go: a few milliseconds.
PAGE_ROWS = 250

_SOME, _WHOLE = 1, 2
#: The locks of a block's recording: `_WHOLE` if one holds all of it, `_SOME` if there are others.
_LOCKS = (
    "(SELECT MAX(1 + (l.start_us IS NULL AND l.end_us IS NULL))"
    " FROM nvr_locks l WHERE l.recording_id = b.recording_id)"
)
_OLDEST = (
    f"SELECT b.starttime, b.id, b.filename, b.stoptime, b.filesize, r.filename, {_LOCKS}"  # noqa: S608
    " FROM blocks b CROSS JOIN recordings r ON r.id = b.recording_id"
    " WHERE (b.starttime, b.id) > (?, ?) AND b.starttime < ?"
    " ORDER BY b.starttime, b.id LIMIT ?"
)
_OF_GROUP = (
    "SELECT n.starttime, n.recording_id FROM nvr_recordings n"
    " WHERE n.group_token = ? AND (n.starttime, n.recording_id) > (?, ?) AND n.starttime < ?"
    " ORDER BY n.starttime, n.recording_id LIMIT ?"
)
_OF_RECORDING = (
    f"SELECT b.starttime, b.id, b.filename, b.stoptime, b.filesize, r.filename, {_LOCKS}"  # noqa: S608
    " FROM blocks b CROSS JOIN recordings r ON r.id = b.recording_id"
    " WHERE b.recording_id = ? AND (b.starttime, b.id) > (?, ?) AND b.starttime < ?"
    " ORDER BY b.starttime, b.id LIMIT ?"
)


class Candidate(NamedTuple):
    """A block that may be removed."""

    block_id: str
    recording_id: str
    stop_us: int
    size_bytes: int


class _Block(NamedTuple):
    """A block as it is found."""

    start: str
    row_id: int
    block_id: str
    stop: str | None
    size_bytes: int | None
    recording_id: str
    locks: int | None

    def candidate(self) -> Candidate:
        stop_us = parse_utc(self.stop or "")
        return Candidate(self.block_id, self.recording_id, stop_us, self.size_bytes or 0)


class _Place(NamedTuple):
    """A place among rows: time and id of the last one looked at."""

    starttime: str = ""
    row_id: int = 0


#: What was found on a page; nothing where all of it is locked or open.
Page = Sequence[Candidate]


class Hunt:
    """Finds the oldest blocks of a disk, remembering where there is nothing to be had."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._floor = _Place()
        self._locks_changed: str | None = None

    def forget(self) -> None:
        """Begin at the very oldest again, with the next search."""
        self._floor = _Place()

    def oldest(self, before_us: int | None = None) -> Iterator[Page]:
        """Search from the oldest block on; a page for each step.

        :param before_us: blocks that start earlier only.
        """
        changed = self._index.state(LOCKS_CHANGED)
        if changed != self._locks_changed:
            self._locks_changed = changed
            self.forget()
        before = _text(before_us)
        place, only_locked = self._floor, True
        while True:
            rows = list(self._index.query(_OLDEST, *place, before, PAGE_ROWS))
            locks = _LocksOf(self._index)
            found = []
            for row in rows:
                block = _Block(*row)
                place = _Place(block.start, block.row_id)
                if block.stop is not None and not locks.hold(block):
                    found.append(block.candidate())
                if block.stop is None or found:
                    only_locked = False
                if only_locked:
                    self._floor = place
            yield found
            if len(rows) < PAGE_ROWS:
                return


def oldest_of_group(index: Index, group: str, before_us: int) -> Iterator[Page]:
    """Search blocks of a recording group, its recordings in the order of their start.

    :param before_us: blocks that start earlier only.
    """
    before, place = _text(before_us), _Place()
    while True:
        rows = list(index.query(_OF_GROUP, group, *place, before, PAGE_ROWS))
        for row in rows:
            place = _Place(*row)
            yield from _oldest_of_recording(index, place.row_id, before)
        if len(rows) < PAGE_ROWS:
            return


def _oldest_of_recording(index: Index, recording_row: int, before: str) -> Iterator[Page]:
    place = _Place()
    while True:
        rows = list(index.query(_OF_RECORDING, recording_row, *place, before, PAGE_ROWS))
        locks = _LocksOf(index)
        blocks = [_Block(*row) for row in rows]
        closed = [block for block in blocks if block.stop is not None]
        yield [block.candidate() for block in closed if not locks.hold(block)]
        if len(rows) < PAGE_ROWS:
            return
        place = _Place(*rows[-1][:2])


def _text(before_us: int | None) -> str:
    """Give a time as the index compares it; one after all others for none."""
    return "9" if before_us is None else utc_text(before_us)


class _LocksOf:
    """The locks of the recordings on a page that are locked in parts, each asked for once."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._locks: dict[str, list[Lock]] = {}

    def hold(self, block: _Block) -> bool:
        """Tell whether a closed block is locked."""
        if block.locks != _SOME:
            return block.locks == _WHOLE
        recording_id = block.recording_id
        if recording_id not in self._locks:
            self._locks[recording_id] = list(find_locks(self._index, recording_id))
        span = parse_utc(block.start), parse_utc(block.stop or "")
        return any(lock.holds(*span) for lock in self._locks[recording_id])
