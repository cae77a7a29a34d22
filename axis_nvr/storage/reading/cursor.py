"""Going through what was recorded, group by group, forward and backward.

A cursor stands between two groups. It opens a file for each group it reads and closes it again, and
keeps nothing of what it gave away; what it needs to know of blocks is shared by all cursors of the
disk. So any number of them can be left standing, and a block may be removed, repaired or closed at
any moment: the next step finds what is there then.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import Enum
from typing import NamedTuple

from axis_nvr.errors import NvrError, StorageError, StorageErrorKind
from axis_nvr.media.units import Gap, GapReason
from axis_nvr.storage.files import IFiles
from axis_nvr.storage.index import Index
from axis_nvr.storage.reading.blocks import BlockMap, Group
from axis_nvr.storage.reading.gops import Content, Decoder, StoredGop, read_range
from axis_nvr.storage.reading.maps import MapCache
from axis_nvr.storage.reading.notes import Notes, mark, read_notes
from axis_nvr.storage.reading.trail import Stretch, Trail

#: Stretches without any group, and groups without news, that one step goes over; then it says that
#: there is more later.
MAX_EMPTY_STRETCHES = 1000
_FILE_END = 1 << 62


class Edge(Enum):
    """Why there is no group."""

    BEGIN = "nothing is before this"
    END = "nothing is behind this, and nothing will be"
    LATER = "nothing is behind this yet"


class _Opened(NamedTuple):
    """A stretch and what is known of its file.

    :ivar times: when each group begins: UTC, microseconds since 1970.
    :ivar shown: the first group that is shown, and the one behind the last.
    """

    stretch: Stretch
    map: BlockMap
    times: Sequence[int]
    shown: tuple[int, int]


class Cursor:
    """Goes through the groups of a trail; not safe for threads.

    :param index: gives a connection for reading, that of the thread that asks.
    :param trail: which blocks, in what order.
    """

    def __init__(
        self, files: IFiles, index: Callable[[], Index], trail: Trail, maps: MapCache
    ) -> None:
        self._files = files
        self._index = index
        self._trail = trail
        self._maps = maps
        self._stretch: Stretch | None = None
        self._offset = 0
        self._notes: tuple[Stretch, Notes] | None = None

    def seek(self, utc_us: int, *, backward: bool = False) -> None:
        """Stand before the group that shows a moment, or begins last before it.

        Before everything if nothing does.

        :param backward: stand behind this group, so that `previous_gop` gives it.
        :raises StorageError: the index cannot be read, here and below.
        """
        stretch = self._trail.at(utc_us)
        self._stretch, self._offset = stretch, 0
        if stretch is None:
            return
        opened = self._open(stretch, is_new=True)
        if isinstance(opened, Gap):
            self._offset = _FILE_END if backward else 0
            return
        first, end = opened.shown
        at = min(bisect_right(opened.times, utc_us), end) - 1
        if at < first and (before := self._trail.before(stretch)) is not None:
            self._stretch, self._offset = before, _FILE_END
            if not backward:
                self._step_back()
        elif end > first:
            group = opened.map.groups[max(at, first)]
            self._offset = group.end if backward else group.offset

    def _step_back(self) -> None:
        """Stand before the last group of the stretch."""
        assert self._stretch is not None
        opened = self._open(self._stretch, is_new=False)
        if isinstance(opened, Gap) or opened.shown[0] >= opened.shown[1]:
            self._offset = 0
        else:
            self._offset = opened.map.groups[opened.shown[1] - 1].offset

    def next_gop(self) -> StoredGop | Edge:
        """Go forward by a group and give it.

        :returns: the group; `Edge.END`, or `Edge.LATER` if something is still being recorded: ask
            again.
        """
        for _ in range(MAX_EMPTY_STRETCHES):
            stretch = self._stretch
            if stretch is None:
                stretch = self._begin()
                if stretch is None:
                    return Edge.LATER if self._trail.is_running() else Edge.END
            opened = self._open(stretch, is_new=False)
            if not isinstance(opened, Gap) and self._is_behind(opened):
                opened = self._open(stretch, is_new=True)
            if isinstance(opened, Gap):
                if self._offset < _FILE_END:
                    self._offset = _FILE_END
                    return _gap_only(stretch, opened)
            elif (at := self._next_in(opened)) is not None:
                gop = self._read(opened, at, forward=True)
                if _has_news(gop):
                    return gop
                continue
            edge = self._go_on(stretch)
            if edge is not None:
                return edge
        return Edge.LATER

    def _begin(self) -> Stretch | None:
        """Find the beginning of a trail that had none when it was last looked at."""
        self._stretch, self._offset = self._trail.at(0), 0
        return self._stretch

    def _is_behind(self, opened: _Opened) -> bool:
        """Tell whether everything that is known of an open block was given."""
        return opened.stretch.stop_us is None and self._next_in(opened) is None

    def _next_in(self, opened: _Opened) -> int | None:
        first, end = opened.shown
        ends = [group.end for group in opened.map.groups]
        at = max(bisect_right(ends, self._offset), first)
        return at if at < end else None

    def _go_on(self, stretch: Stretch) -> Edge | None:
        """Go to the next stretch; tell if there is none."""
        is_running = self._trail.is_running()
        if stretch.stop_us is None:
            now = self._trail.again(stretch)
            if now is not None and now.stop_us is None and now.until_us is None:
                return Edge.LATER
            if now is not None and now != stretch:  # it was closed meanwhile: there may be more
                self._stretch = now
                return None
        following = self._trail.after(stretch)
        if following is None:
            return Edge.LATER if is_running else Edge.END
        self._stretch, self._offset = following, 0
        return None

    def previous_gop(self) -> StoredGop | Edge:
        """Go backward by a group and give it.

        :returns: the group, or `Edge.BEGIN`.
        """
        for _ in range(MAX_EMPTY_STRETCHES):
            stretch = self._stretch
            if stretch is None:
                return Edge.BEGIN
            opened = self._open(stretch, is_new=False)
            if isinstance(opened, Gap):
                if self._offset > 0:
                    self._offset = 0
                    return _gap_only(stretch, opened)
            else:
                first, end = opened.shown
                offsets = [group.offset for group in opened.map.groups]
                at = min(bisect_left(offsets, self._offset), end) - 1
                if at >= first:
                    gop = self._read(opened, at, forward=False)
                    if _has_news(gop):
                        return gop
                    continue
            before = self._trail.before(stretch)
            if before is None:
                return Edge.BEGIN
            self._stretch, self._offset = before, _FILE_END
        return Edge.BEGIN

    # One stretch.

    def _open(self, stretch: Stretch, *, is_new: bool) -> _Opened | Gap:
        """Find the groups of a stretch; a gap over all of it if its file cannot be read."""
        try:
            found = self._maps.get(stretch, is_new=is_new)
        except NvrError as error:
            return _lost(stretch, error)
        date_us = found.head.date_us
        start_us = stretch.start_us if date_us is None else date_us
        times = [start_us + group.time_ms * 1000 for group in found.groups]
        first, end = 0, len(times)
        if stretch.from_us is not None:
            first = max(0, bisect_right(times, stretch.from_us) - 1)
        if stretch.until_us is not None:
            end = bisect_left(times, stretch.until_us)
        return _Opened(stretch, found, times, (first, end))

    def _read(self, opened: _Opened, at: int, *, forward: bool) -> StoredGop:
        stretch, group = opened.stretch, opened.map.groups[at]
        is_rest = forward and group.offset < self._offset
        if is_rest:  # it went on since its beginning was given
            group = group._replace(offset=self._offset, starts_at_sync=False)
        self._offset = group.end if forward else group.offset
        start_us = opened.times[at]
        end_us = self._end_of(opened, at)
        notes = self._notes_of(stretch)
        content = self._content(opened, group, (start_us, end_us), notes)
        gaps = () if is_rest else notes.of_group(at, opened.times)
        mark(content.units, gaps)
        return StoredGop(
            recording_id=stretch.recording_id,
            block_id=stretch.block_id,
            units=content.units,
            start_us=start_us,
            end_us=end_us,
            gaps=tuple(sorted((*gaps, *content.gaps), key=lambda gap: gap.end_us)),
            starts_at_sync=group.starts_at_sync,
            fresh_from_us=stretch.from_us,
            fresh_until_us=stretch.until_us,
        )

    def _end_of(self, opened: _Opened, at: int) -> int:
        if at + 1 < len(opened.times):
            return opened.times[at + 1]
        stop_us = opened.stretch.stop_us
        return opened.times[at] if stop_us is None else max(stop_us, opened.times[at])

    def _content(
        self, opened: _Opened, group: Group, times: tuple[int, int], notes: Notes
    ) -> Content:
        stretch, head = opened.stretch, opened.map.head
        start_us = stretch.start_us if head.date_us is None else head.date_us
        decoder = Decoder(head, start_us)
        try:
            path = self._maps.path(stretch)
            content = read_range(self._files, path, group, decoder, times, notes.damaged)
        except NvrError as error:
            self._maps.forget(stretch)
            gap = _lost(stretch, error)
            return Content([], [replace(gap, start_us=times[0], end_us=max(times))])
        if content.gaps:
            self._maps.forget(stretch)
        return content

    def _notes_of(self, stretch: Stretch) -> Notes:
        """Give what is missing from a stretch; of an open one it is looked up each time."""
        if self._notes is None or self._notes[0] != stretch or stretch.stop_us is None:
            before = self._trail.before(stretch)
            self._notes = stretch, read_notes(self._index(), stretch, before)
        return self._notes[1]


def _has_news(gop: StoredGop) -> bool:
    """Tell whether a group says anything that another recording does not."""
    return bool(gop.gaps) or any(gop.is_fresh(unit) for unit in gop.units)


def _lost(stretch: Stretch, error: NvrError) -> Gap:
    """Tell of a block that cannot be read."""
    is_gone = isinstance(error, StorageError) and error.kind is StorageErrorKind.ABSENT
    start_us = stretch.start_us if stretch.from_us is None else stretch.from_us
    stop_us = stretch.stop_us if stretch.until_us is None else stretch.until_us
    reason = GapReason.REMOVED if is_gone else GapReason.DAMAGED
    end_us = start_us if stop_us is None else max(start_us, stop_us)
    return Gap(start_us, end_us, reason, detail=str(error))


def _gap_only(stretch: Stretch, gap: Gap) -> StoredGop:
    return StoredGop(
        recording_id=stretch.recording_id,
        block_id=stretch.block_id,
        units=(),
        start_us=gap.start_us,
        end_us=gap.end_us,
        gaps=(gap,),
        starts_at_sync=False,
    )
