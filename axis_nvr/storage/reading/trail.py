"""Which block comes next: those of one recording, in order of their start.

A *stretch* is a block, or as much of it as is to be shown. For those of a device, whatever it was
recorded by, see `axis_nvr.storage.reading.device_trail`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from axis_nvr.storage.index import Index
from axis_nvr.storage.layout import parse_utc, utc_text


@dataclass(frozen=True, slots=True)
class Stretch:
    """A block, or as much of it as is to be shown.

    :param number: of the block in the index.
    :param recording: number of its recording in the index.
    :param start_us: of the block: UTC, microseconds since 1970.
    :param stop_us: of the block; None while it is open.
    :param good_bytes: how much of its file is good, if it was not closed properly.
    :param from_us: what is before is shown by another recording; None if nothing is.
    :param until_us: what is not before this is shown by another recording; None if nothing is.
    """

    number: int
    block_id: str
    recording: int
    recording_id: str
    start_us: int
    stop_us: int | None
    good_bytes: int | None = None
    from_us: int | None = None
    until_us: int | None = None

    @property
    def end_us(self) -> int | None:
        """Behind what it holds; None while it is open."""
        return None if self.stop_us is None else max(self.stop_us, self.start_us + 1)

    def holds(self, utc_us: int) -> bool:
        """Tell whether a moment lies within its block."""
        end_us = self.end_us
        return self.start_us <= utc_us and (end_us is None or utc_us < end_us)


class Trail(Protocol):
    """Gives stretches in order. All of it raises `StorageError` if the index cannot be read."""

    def at(self, utc_us: int) -> Stretch | None:
        """Give the stretch that shows a moment; in a hole the one before it, else the first."""

    def after(self, stretch: Stretch) -> Stretch | None:
        """Give the stretch behind one; None if there is none so far."""

    def before(self, stretch: Stretch) -> Stretch | None:
        """Give the stretch before one; None if there is none."""

    def again(self, stretch: Stretch) -> Stretch | None:
        """Look a stretch up again; None if it is gone."""

    def is_running(self) -> bool:
        """Tell whether something may follow that is being recorded."""


_COLUMNS = (
    "SELECT b.id, b.filename, b.recording_id, r.filename, b.starttime, b.stoptime, u.good_bytes"
    " FROM blocks b JOIN recordings r ON r.id = b.recording_id"
    " LEFT JOIN nvr_unfinished u ON u.block_id = b.id WHERE b.starttime IS NOT NULL AND "
)
_ASCENDING = " ORDER BY b.starttime, b.id LIMIT 1"
_DESCENDING = " ORDER BY b.starttime DESC, b.id DESC LIMIT 1"


def _stretch(index: Index, text: str, *values: object) -> Stretch | None:
    for number, block_id, recording, recording_id, start, stop, good in list(
        index.query(_COLUMNS + text, *values)
    ):
        stop_us = None if stop is None else parse_utc(stop)
        return Stretch(number, block_id, recording, recording_id, parse_utc(start), stop_us, good)
    return None


def last_begun(index: Index, recording: int, utc_us: int) -> Stretch | None:
    """Give the last block of a recording that begins at or before a moment."""
    text = "b.recording_id = ? AND b.starttime <= ?" + _DESCENDING
    return _stretch(index, text, recording, utc_text(utc_us))


def next_begun(index: Index, recording: int, utc_us: int) -> Stretch | None:
    """Give the first block of a recording that begins behind a moment."""
    text = "b.recording_id = ? AND b.starttime > ?" + _ASCENDING
    return _stretch(index, text, recording, utc_text(utc_us))


def block_after(index: Index, stretch: Stretch) -> Stretch | None:
    """Give the next block of the same recording."""
    return _beside(index, stretch, ">", _ASCENDING)


def block_before(index: Index, stretch: Stretch) -> Stretch | None:
    """Give the block before of the same recording."""
    return _beside(index, stretch, "<", _DESCENDING)


def _beside(index: Index, stretch: Stretch, sign: str, order: str) -> Stretch | None:
    start = utc_text(stretch.start_us)
    text = (
        f"b.recording_id = ? AND b.starttime {sign}= ?"
        f" AND (b.starttime {sign} ? OR b.id {sign} ?){order}"
    )
    return _stretch(index, text, stretch.recording, start, start, stretch.number)


def block_again(index: Index, stretch: Stretch) -> Stretch | None:
    """Look a block up again, of which as much is to be shown; None if it is gone."""
    found = _stretch(index, "b.id = ? AND b.filename = ?", stretch.number, stretch.block_id)
    if found is None:
        return None
    return replace(found, from_us=stretch.from_us, until_us=stretch.until_us)


class RecordingTrail:
    """The blocks of one recording.

    :param index: gives a connection for reading, that of the thread that asks.
    """

    def __init__(self, index: Callable[[], Index], recording_id: str) -> None:
        self._index = index
        self._recording_id = recording_id

    def _number(self) -> int:
        rows = self._index().query(
            "SELECT id FROM recordings WHERE filename = ?", self._recording_id
        )
        return next((int(row[0]) for row in list(rows)), 0)

    def at(self, utc_us: int) -> Stretch | None:
        """See `Trail`."""
        number = self._number()
        found = last_begun(self._index(), number, utc_us)
        return found or next_begun(self._index(), number, utc_us)

    def after(self, stretch: Stretch) -> Stretch | None:
        """See `Trail`."""
        return block_after(self._index(), stretch)

    def before(self, stretch: Stretch) -> Stretch | None:
        """See `Trail`."""
        return block_before(self._index(), stretch)

    def again(self, stretch: Stretch) -> Stretch | None:
        """See `Trail`."""
        return block_again(self._index(), stretch)

    def is_running(self) -> bool:
        """See `Trail`."""
        rows = self._index().query(
            "SELECT 1 FROM recordings WHERE filename = ? AND stoptime IS NULL", self._recording_id
        )
        return bool(list(rows))
