"""Where a playback gets its groups from: a cursor, put where it is to begin.

Forward that is the group with the key frame at or before the start, or, where nothing was recorded
then, the first one behind. Backwards it is the group that shows the start, or the last one before.
"""

from collections import deque
from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred

from axis_nvr.media.units import AccessUnit, AudioFormat, Format
from axis_nvr.session.replay.frames import is_picture
from axis_nvr.session.replay.order import Order
from axis_nvr.session.replay.script import Group
from axis_nvr.storage.reading.cursor import Edge
from axis_nvr.storage.reading.gops import StoredGop
from axis_nvr.storage.reading.reader import ReadingCursor

#: Groups that are looked through for the one to begin with.
MAX_LOOKED_AT = 200
#: Behind everything that was ever recorded: the year 9999.
_END_OF_TIME_US = 253_402_300_799_000_000


def can_carry(track: Format, form: Format) -> bool:
    """Tell whether units of a format can go where another one was described."""
    if isinstance(track, AudioFormat):
        return track == form
    return type(track) is type(form) and track.codec is form.codec


class Tracks:
    """The tracks as they were described, and which of them a unit belongs to.

    A block may lack a track that the first one had, or have others; one that is of another codec
    than was described has no place.

    :param formats: as described.
    """

    def __init__(self, formats: Mapping[int, Format]) -> None:
        self.formats = dict(formats)
        self._known: dict[int, tuple[Format, int | None]] = {}

    def sort(self, units: Any) -> list[AccessUnit]:
        """Give the units that have a place, each with the number of its track."""
        sorted_: list[AccessUnit] = []
        gap = None
        for unit in units:
            track = self._place(unit.track, unit.format)
            gap = gap or unit.gap
            if track is None:
                continue
            if track != unit.track or gap is not unit.gap:
                unit = unit._replace(track=track, gap=gap)
            gap = None
            sorted_.append(unit)
        return sorted_

    def _place(self, number: int, form: Format) -> int | None:
        known = self._known.get(number)
        if known is not None and known[0] is form:
            return known[1]
        candidates = [at for at, track in self.formats.items() if can_carry(track, form)]
        place = number if number in candidates else next(iter(candidates), None)
        self._known[number] = form, place
        return place


class Source:
    """Gives groups for one PLAY, in its direction.

    :param cursor: used by nobody else.
    """

    def __init__(self, cursor: ReadingCursor, order: Order, tracks: Tracks) -> None:
        self._cursor = cursor
        self._order = order
        self._tracks = tracks
        self._ahead: deque[Group | Edge] = deque()

    async def begin(self) -> None:
        """Go to where it is to begin.

        :raises StorageError: the index cannot be read, here and below.
        """
        order = self._order
        if order.is_forward:
            if order.is_newest or order.start_us is not None:
                at_us = _END_OF_TIME_US if order.start_us is None else order.start_us
                await self._cursor.seek(at_us)
                await self._begin_forward(at_us)
        else:
            at_us = _END_OF_TIME_US if order.start_us is None else order.start_us
            await self._cursor.seek(min(at_us, _END_OF_TIME_US), backward=True)

    async def next(self) -> Group | Edge:
        """Give the next group."""
        if self._ahead:
            return self._ahead.popleft()
        return await self._read()

    def _read(self) -> "Deferred[Group | Edge]":
        cursor = self._cursor
        reading: Deferred[Any] = (
            cursor.next_gop() if self._order.is_forward else cursor.previous_gop()
        )
        return reading.addCallback(self._group)

    def _group(self, found: StoredGop | Edge) -> Group | Edge:
        if isinstance(found, Edge):
            return found
        units = self._tracks.sort(found.units)
        if found.fresh_until_us is not None:
            units = [unit for unit in units if unit.utc_us < found.fresh_until_us]
        latest_us = max((unit.utc_us for unit in found.units), default=0)
        is_before_gap = any(gap.end_us > latest_us + 1000 for gap in found.gaps)
        if not units:  # what has no place among the tracks is missing too
            return Group((), starts_at_sync=False)
        return Group(units, found.starts_at_sync, is_before_gap)

    async def _begin_forward(self, at_us: int) -> None:
        """Find the group to begin with: behind a gap, or with a key frame to begin with."""
        first = await self._read()
        if isinstance(first, Edge):
            self._ahead.append(first)
            return
        if not _is_startable(first):
            first = await self._back_to_key(first)
        if isinstance(first, Group) and first.units and _end_us(first) < at_us:
            following = await self._behind_gap(first)
            self._ahead.extend(following)
            return
        self._ahead.append(first)

    async def _back_to_key(self, found: Group) -> Group | Edge:
        """Go back to the group that a part of one belongs to; it stays if there is none."""
        back: Group | Edge = found
        await self._cursor.previous_gop()  # gives what was found once more
        for _ in range(MAX_LOOKED_AT):
            back = self._group(await self._cursor.previous_gop())
            if isinstance(back, Edge) or _is_startable(back) or back.has_gap:
                break
        if isinstance(back, Group) and _is_startable(back):
            return await self._read()
        # Nothing to begin with lies before it: what can be begun with behind it is next.
        for _ in range(2 * MAX_LOOKED_AT):
            following = await self._read()
            if isinstance(following, Edge) or _is_startable(following):
                return following
        return Edge.LATER

    async def _behind_gap(self, first: Group) -> list[Group | Edge]:
        """Look whether a gap lies between a group and what follows it."""
        missing = first.is_before_gap
        for _ in range(MAX_LOOKED_AT):
            following = await self._read()
            if isinstance(following, Edge):
                return [first, following]
            if not following.units:
                missing = True
                continue
            if missing or following.units[0].gap is not None:
                return [following] if _is_startable(following) else [first, following]
            return [first, following]
        return [first]


def _is_startable(group: Group) -> bool:
    """Tell whether playing can begin with a group."""
    return group.starts_at_sync and bool(group.units)


def _end_us(group: Group) -> int:
    """Tell up to when a group is shown: its last picture lasts as long as the others."""
    times = sorted(unit.utc_us for unit in group.units if is_picture(unit))
    times = times or sorted(unit.utc_us for unit in group.units)
    return times[-1] + (times[-1] - times[0]) // max(1, len(times) - 1)
