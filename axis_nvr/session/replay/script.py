"""What is sent for one PLAY, unit by unit, with its marks.

::

    groups, in the direction of playing ─► add() ─► | unit | unit | unit | ─► take()
                                                     marked when what follows it is known

A unit is held back until the next one of its track is there, for it may be the last before a gap
(E) or of all (T). Not for longer than it takes to read on: of a recording that is still written the
newest unit is sent without them, and so is one that much would have to wait for.

Marks, by the ONVIF Streaming Specification §6.2 and §6.4:

* C, clean point: a unit that decoding can begin with.
* E, end of section: the last unit of its track that is sent before something is missing, or at all.
* D, discontinuity: the first unit of each track of a PLAY that does not go on where it stopped;
  backwards, the first unit of each group; forward, a key frame of before what was sent, where
  another recording goes on.
* T, terminal: there is nothing more of this track in this direction.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from axis_nvr.media.units import AccessUnit
from axis_nvr.session.replay.extension import (
    CLEAN_POINT,
    DISCONTINUITY,
    END_OF_SECTION,
    TERMINAL,
)
from axis_nvr.session.replay.frames import Chooser, is_picture
from axis_nvr.session.replay.line import Line
from axis_nvr.session.replay.order import Order

#: So much is read ahead of what is sent.
AHEAD_BYTES = 512 << 10
#: A unit is held back no longer than until so much waits behind it.
MAX_HELD_BYTES = 8 << 20
MAX_HELD_UNITS = 2000
#: Backwards, a group that comes in parts is put together up to here; more of it is left out.
MAX_GROUP_BYTES = 96 << 20


@dataclass(frozen=True, slots=True)
class Group:
    """A group of pictures, or a part of one, with the sound that came with it.

    :param units: in recorded order; empty if only something is missing. Their `gap` tells that
        something is missing directly before them.
    :param starts_at_sync: decoding can begin here.
    :param is_before_gap: something is missing behind them.
    """

    units: Sequence[AccessUnit]
    starts_at_sync: bool = True
    is_before_gap: bool = False

    @property
    def has_gap(self) -> bool:
        """Whether anything is missing in it, or directly before it."""
        return not self.units or any(unit.gap is not None for unit in self.units)

    @property
    def size_bytes(self) -> int:
        """How much media it holds."""
        return sum(len(unit.data) for unit in self.units)


@dataclass(slots=True, eq=False)
class Step:
    """A unit to be sent.

    :param shown_us: when it is shown, on the playback's line.
    :param due_us: when it is to be sent, on that line.
    :param flags: of the replay extension.
    :param is_settled: nothing more will be marked.
    """

    unit: AccessUnit
    shown_us: int
    due_us: int
    flags: int
    is_settled: bool = False
    is_taken: bool = False


class Script:
    """Lays out what one PLAY sends.

    :param tracks: those that the client has set up; others are passed over.
    :ivar is_over: nothing more comes.
    """

    def __init__(self, order: Order, tracks: frozenset[int]) -> None:
        self.is_over = False
        self._order = order
        self._tracks = tracks
        self._chooser = Chooser(order.frames, order.interval_us)
        self._line = Line(is_forward=order.is_forward)
        self._queue: deque[Step] = deque()
        self._queued_bytes = 0
        self._last: dict[int, Step] = {}
        self._begun: set[int] = set()
        self._is_behind_gap = False
        self._held: list[AccessUnit] = []  # backwards: the later parts of a group

    # What comes in.

    def add(self, group: Group) -> None:
        """Take the next group in the direction of playing."""
        if self._order.is_forward:
            self._add_forward(group)
        else:
            self._add_backward(group)

    def end(self, *, is_terminal: bool = True) -> None:
        """Nothing more comes.

        :param is_terminal: because there is nothing more, and not because no more was asked for.
        """
        if is_terminal:
            for step in self._last.values():
                if not step.is_taken:
                    step.flags |= END_OF_SECTION | TERMINAL
        self.settle()
        self.is_over = True

    def settle(self) -> None:
        """Hold nothing back: what follows is not there yet."""
        for step in self._last.values():
            step.is_settled = True

    # What goes out.

    @property
    def wants_more(self) -> bool:
        """Whether it is time to read on."""
        if self.is_over:
            return False
        return self.next is None or self._queued_bytes < AHEAD_BYTES

    @property
    def first(self) -> Step | None:
        """What `next` will give, even if it is not all known of it yet."""
        return self._queue[0] if self._queue else None

    @property
    def next(self) -> Step | None:
        """What is to be sent next; None if nothing is known yet."""
        if not self._queue:
            return None
        step = self._queue[0]
        is_crowded = self._queued_bytes > MAX_HELD_BYTES or len(self._queue) > MAX_HELD_UNITS
        return step if step.is_settled or is_crowded else None

    def take(self) -> Step:
        """Take what `next` gave: it is sent."""
        step = self._queue.popleft()
        step.is_taken = True
        self._queued_bytes -= len(step.unit.data)
        return step

    # Forward.

    def _add_forward(self, group: Group) -> None:
        if not group.units:
            self._break()
        for part in _between_gaps(group.units):
            if part[0].gap is not None:
                self._break()
            within = self._up_to_end(part)
            self._push(within, is_new_group=False)
            if len(within) < len(part) and self._is_ended_by(part, within):
                self.end(is_terminal=False)
                return
        if group.is_before_gap:
            self._break()

    def _up_to_end(self, units: Sequence[AccessUnit]) -> Sequence[AccessUnit]:
        """Give what is sent of units: of each track, up to the last one not behind the end."""
        end_us = self._order.end_us
        if end_us is None:
            return units
        last = {unit.track: at for at, unit in enumerate(units) if unit.utc_us <= end_us}
        return [unit for at, unit in enumerate(units) if at <= last.get(unit.track, -1)]

    @staticmethod
    def _is_ended_by(part: Sequence[AccessUnit], within: Sequence[AccessUnit]) -> bool:
        """Tell whether all is behind the end, or a picture is; sound may be a little ahead."""
        return not within or sum(map(is_picture, within)) < sum(map(is_picture, part))

    # Backward.

    def _add_backward(self, group: Group) -> None:
        if not group.units or group.is_before_gap:
            self._held = []  # what it began with is missing
            self._break()
        units = [unit for unit in group.units if is_picture(unit)]
        is_last = False
        if not group.starts_at_sync:
            self._hold(units)
        elif units:
            whole = self._back_from_start([*units, *self._held])
            self._held = []
            is_last = self._push_backward(whole)
        if group.has_gap:
            self._held = []
            self._break()
        if is_last:
            self.end(is_terminal=False)

    def _push_backward(self, pictures: list[AccessUnit]) -> bool:
        """Lay out a whole group; tell whether the end is in it or behind it."""
        end_us = self._order.end_us
        is_behind = self._is_behind_gap and end_us is not None
        if is_behind and max(picture.utc_us for picture in pictures) < (end_us or 0):
            return True  # the end is in the gap
        for run in reversed(_runs(pictures)):
            self._push(run, is_new_group=True)
        return end_us is not None and pictures[0].utc_us <= end_us

    def _back_from_start(self, pictures: list[AccessUnit]) -> list[AccessUnit]:
        """Leave out what is not needed to show the start of the first group, if any is not."""
        start_us = self._order.start_us
        if (
            start_us is None
            or self._last
            or any(a.utc_us > b.utc_us for a, b in pairwise(pictures))
        ):
            return pictures
        return [picture for picture in pictures if picture.utc_us <= start_us] or pictures[:1]

    def _hold(self, units: Sequence[AccessUnit]) -> None:
        """Keep a part of a group until what it begins with is there."""
        self._held = [*units, *self._held]
        while self._held and sum(len(unit.data) for unit in self._held) > MAX_GROUP_BYTES:
            del self._held[len(self._held) // 2 :]

    # Both.

    def _break(self) -> None:
        """Note that something is missing here."""
        for step in self._last.values():
            if not step.is_taken:
                step.flags |= END_OF_SECTION
        self._chooser.section()
        self._is_behind_gap = True

    def _push(self, units: Sequence[AccessUnit], *, is_new_group: bool) -> None:
        wanted = [unit for unit in units if unit.track in self._tracks]
        if not self._order.has_sound:
            wanted = [unit for unit in wanted if is_picture(unit)]
        chosen = self._chooser.choose(wanted)
        if not chosen:
            return
        places = self._line.place(chosen, is_behind_gap=self._is_behind_gap)
        is_back = not self._is_behind_gap and self._is_before_last(chosen[0])
        self._is_behind_gap = False
        placed = list(zip(chosen, places, strict=True))
        if self._order.is_paced:  # of each track it is their order already
            placed.sort(key=lambda one: one[1].due_us)
        for at, (unit, place) in enumerate(placed):
            flags = CLEAN_POINT if unit.sync else 0
            if unit.track not in self._begun or (not at and (is_new_group or is_back)):
                flags |= DISCONTINUITY
                self._begun.add(unit.track)
            step = Step(unit, place.shown_us, place.due_us, flags)
            before = self._last.get(unit.track)
            if before is not None:
                before.is_settled = True
            self._last[unit.track] = step
            self._queue.append(step)
            self._queued_bytes += len(unit.data)

    def _is_before_last(self, unit: AccessUnit) -> bool:
        """Tell whether a unit goes back in time, forward."""
        before = self._last.get(unit.track)
        return unit.sync and before is not None and unit.utc_us < before.unit.utc_us


def _between_gaps(units: Sequence[AccessUnit]) -> list[list[AccessUnit]]:
    """Cut units where something is missing."""
    parts: list[list[AccessUnit]] = []
    for unit in units:
        if not parts or unit.gap is not None:
            parts.append([])
        parts[-1].append(unit)
    return parts


def _runs(pictures: Sequence[AccessUnit]) -> list[list[AccessUnit]]:
    """Cut pictures so that each run begins with a key frame: JPEG has one to itself each."""
    runs: list[list[AccessUnit]] = []
    for picture in pictures:
        if not runs or picture.sync:
            runs.append([])
        runs[-1].append(picture)
    return runs
