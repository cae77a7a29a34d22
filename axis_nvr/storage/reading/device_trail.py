"""Which block of a device comes next, whatever it was recorded by: each moment once.

A device may have several recordings of a moment. Then the one that came first in the index shows
it, and another one what the first has not::

    recording 1   |----------|     |--------------|
    recording 2        |-------------------|            |-----|
    shown         |11111111111|2222|11111111111111|      |22222|

Who shows a moment depends on the index alone and not on the way that led there, so that going
backward shows what going forward does, in reverse. Blocks of one recording that overlap, as after
a clock was set back, are different pictures and are all shown.
"""

from collections.abc import Callable
from dataclasses import replace

from axis_nvr.storage.index import Index
from axis_nvr.storage.layout import utc_text
from axis_nvr.storage.reading.running import running_at
from axis_nvr.storage.reading.trail import (
    Stretch,
    block_after,
    block_again,
    last_begun,
    next_begun,
)

#: The most recordings of a device looked at for one step.
MAX_RECORDINGS = 10_000


class DeviceTrail:
    """See `axis_nvr.storage.reading.trail.Trail`.

    :param index: gives a connection for reading, that of the thread that asks.
    """

    def __init__(self, index: Callable[[], Index], device: str) -> None:
        self._index = index
        self._device = device

    def at(self, utc_us: int) -> Stretch | None:
        """See `Trail`."""
        return self._shown(utc_us) or self._last_before(utc_us) or self._first_behind(utc_us)

    def after(self, stretch: Stretch) -> Stretch | None:
        """See `Trail`."""
        end_us = stretch.until_us if stretch.until_us is not None else stretch.end_us
        following = block_after(self._index(), stretch)
        if following is not None and (end_us is None or following.start_us < end_us):
            return self._window(following, following.start_us)
        if end_us is None:
            return None
        return self._shown(end_us) or self._first_behind(end_us)

    def before(self, stretch: Stretch) -> Stretch | None:
        """See `Trail`."""
        begin_us = stretch.start_us if stretch.from_us is None else stretch.from_us
        return self._shown(begin_us - 1) or self._last_before(begin_us - 1)

    def again(self, stretch: Stretch) -> Stretch | None:
        """See `Trail`."""
        found = block_again(self._index(), stretch)
        if found is None:
            return None
        return self._window(found, max(found.start_us, found.from_us or 0))

    def is_running(self) -> bool:
        """See `Trail`."""
        rows = self._index().query(
            "SELECT 1 FROM recordings r INDEXED BY nvr_open_recordings"
            " JOIN nvr_recordings n ON n.recording_id = r.id"
            " WHERE r.stoptime IS NULL AND n.device = ? LIMIT 1",
            self._device,
        )
        return bool(list(rows))

    # Who shows a moment.

    def _running_at(self, utc_us: int) -> list[int]:
        places = running_at(self._index(), utc_us, ["n.device = ?"], [self._device])
        return sorted(place.number for place in places)

    def _begun_between(self, after_us: int, until_us: int | None) -> list[int]:
        """Give the recordings that begin behind a moment and before another, in that order."""
        rows = self._index().query(
            "SELECT recording_id FROM nvr_recordings INDEXED BY nvr_recordings_device"
            " WHERE device = ? AND starttime > ? AND starttime < ? ORDER BY starttime LIMIT ?",
            self._device,
            utc_text(after_us),
            "9999" if until_us is None else utc_text(until_us),
            MAX_RECORDINGS,
        )
        return [row[0] for row in list(rows)]

    def _owner(self, utc_us: int) -> Stretch | None:
        """Give the block that shows a moment."""
        for recording in self._running_at(utc_us):
            block = last_begun(self._index(), recording, utc_us)
            if block is not None and block.holds(utc_us):
                return block
        return None

    def _shown(self, utc_us: int) -> Stretch | None:
        owner = self._owner(utc_us)
        return None if owner is None else self._window(owner, utc_us)

    def _window(self, owner: Stretch, utc_us: int) -> Stretch:
        """Tell how much of a block, which shows a moment, is shown around it."""
        index = self._index()
        from_us, end_us = owner.start_us, owner.end_us
        rivals = {*self._running_at(from_us), *self._begun_between(from_us, end_us)}
        for recording in rivals:
            if recording >= owner.recording:
                continue
            past = last_begun(index, recording, utc_us)
            if past is not None and past.end_us is not None and past.end_us <= utc_us:
                from_us = max(from_us, past.end_us)
            coming = next_begun(index, recording, utc_us)
            if coming is not None and (end_us is None or coming.start_us < end_us):
                end_us = coming.start_us
        return replace(
            owner,
            from_us=from_us if from_us > owner.start_us else None,
            until_us=self._taken_over_at(owner, end_us),
        )

    def _taken_over_at(self, owner: Stretch, end_us: int | None) -> int | None:
        """Tell where another recording goes on; None if none does."""
        successor = None if end_us is None else self._owner(end_us)
        return None if successor is None or successor.recording == owner.recording else end_us

    # Over holes.

    def _first_behind(self, utc_us: int) -> Stretch | None:
        """Give what is shown first behind a moment at which nothing is."""
        first: Stretch | None = None
        for recording in [*self._running_at(utc_us), *self._begun_next(utc_us)]:
            block = next_begun(self._index(), recording, utc_us)
            if block is not None and (first is None or block.start_us < first.start_us):
                first = block
        return None if first is None else self._shown(first.start_us)

    def _begun_next(self, utc_us: int) -> list[int]:
        """Give the next recording that has a block, and those that begin with it."""
        rows = list(
            self._index().query(
                "SELECT n.recording_id, n.starttime FROM nvr_recordings n"
                " INDEXED BY nvr_recordings_device WHERE n.device = ? AND n.starttime > ?"
                " AND EXISTS (SELECT 1 FROM blocks b WHERE b.recording_id = n.recording_id)"
                " ORDER BY n.starttime LIMIT 1",
                self._device,
                utc_text(utc_us),
            )
        )
        return [row[0] for row in rows]

    def _last_before(self, utc_us: int) -> Stretch | None:
        """Give what was shown last before a moment at which nothing is.

        What ended after the recording that began last had begun before it, and so ran at its end.
        """
        rows = list(
            self._index().query(
                "SELECT n.recording_id FROM nvr_recordings n INDEXED BY nvr_recordings_device"
                " WHERE n.device = ? AND n.starttime <= ?"
                " AND EXISTS (SELECT 1 FROM blocks b WHERE b.recording_id = n.recording_id)"
                " ORDER BY n.starttime DESC LIMIT 1",
                self._device,
                utc_text(utc_us),
            )
        )
        last: Stretch | None = None
        for (recording,) in rows:
            last = last_begun(self._index(), recording, utc_us)
        if last is None or last.end_us is None:
            return last
        for recording in self._running_at(last.end_us):
            block = last_begun(self._index(), recording, utc_us)
            if block is not None and (block.end_us or 0) > (last.end_us or 0):
                last = block
        return self._shown((last.end_us or 1) - 1)
