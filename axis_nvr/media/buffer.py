"""The GOP buffer of a stream: units in, whole groups kept and handed to any number of consumers.

Theory of operation. `GopBuffer.push` runs for each unit of each camera, 7 680 times a second with
256 cameras of 30 pictures a second, so its common case is one comparison chain and an append.
Everything that is rare (a sync unit, a bound reached, a gap, the wait for the first sync unit)
takes `_turn`. While it is not yet known whether the stream has video, each unit takes `_turn`.

Nothing is copied: the units that came in are the units that consumers get, and the list that the
open group grew in is the list of the closed `Gop`.

A consumer is called, never waited for. It takes what it needs and returns; one that has more to do
than it can keeps a bounded queue of its own. One that raises is dropped and reported; the camera
and the other consumers do not notice.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice

from zope.interface import Interface

from axis_nvr.media.budget import ByteBudget, HeldGop
from axis_nvr.media.gop import (
    MAX_GOP_BYTES,
    MAX_GOP_GAPS,
    MAX_GOP_US,
    MIN_GOP_US,
    SOUND_GOP_US,
    Gop,
)
from axis_nvr.media.units import AccessUnit, Format, Gap, VideoFormat

#: What one stream's buffer holds at most unless configured otherwise, in bytes.
DEFAULT_STREAM_BYTES = 64 * 1024 * 1024
#: Whole groups kept even when the pre-event time is shorter.
KEPT_GOPS = 2


class IGopConsumer(Interface):
    """Takes the units and groups of a stream, in order. No method of it waits for anything."""

    def unit_received(unit: AccessUnit) -> None:  # noqa: N805
        """A unit came. Called only if the consumer subscribed with ``units=True``."""

    def gop_closed(gop: Gop) -> None:  # noqa: N805
        """A group, or a part of one, is whole. It is shared: not to be changed."""

    def interrupted(gap: Gap) -> None:  # noqa: N805
        """The stream stopped; what was open has been closed before this call."""


#: Called with a consumer that raised, and what it raised.
ConsumerFailed = Callable[[IGopConsumer, Exception], None]


@dataclass(frozen=True, slots=True)
class BufferStatus:
    """What a buffer holds and what happened at its limits.

    :ivar held_gops: whole groups held, not counting the open one.
    :ivar held_bytes: of these groups.
    :ivar held_seconds: media time from the oldest group's start to the newest one's end.
    :ivar open_bytes: of the group that still grows.
    :ivar dropped_at_stream_limit: whole groups that went sooner than the pre-event time wants,
        because this stream reached its limit.
    :ivar dropped_at_total_limit: the same, because all streams together reached theirs.
    :ivar skipped_units: video units that came before any sync unit: nothing can decode them.
    :ivar failed_consumers: consumers dropped because they raised.
    """

    held_gops: int
    held_bytes: int
    held_seconds: float
    open_bytes: int
    dropped_at_stream_limit: int
    dropped_at_total_limit: int
    skipped_units: int
    failed_consumers: int


class GopBuffer:
    """Groups the units of one stream, keeps the newest groups and hands all to the consumers.

    :param pre_event_seconds: how far back an event's recording reaches: that much is kept, and
        never less than `KEPT_GOPS` whole groups. None: no pre-buffer, only the open group is kept.
        It may be changed at any time, and counts from the next group that closes.
    :param limit_bytes: what is kept at most; the oldest whole groups go first.
    :param budget: the limit shared with the other buffers of the recorder.
    :param consumer_failed: told about each consumer that raised.
    """

    def __init__(
        self,
        pre_event_seconds: float | None = None,
        limit_bytes: int = DEFAULT_STREAM_BYTES,
        *,
        budget: ByteBudget | None = None,
        consumer_failed: ConsumerFailed | None = None,
    ) -> None:
        self.pre_event_seconds = pre_event_seconds
        self.limit_bytes = limit_bytes
        self._budget = budget if budget is not None else ByteBudget()
        self._consumer_failed = consumer_failed
        self._held: deque[HeldGop] = deque()
        self._newest: HeldGop | None = None  # the group whose parts may still come
        self._consumers: tuple[IGopConsumer, ...] = ()
        self._unit_consumers: tuple[IGopConsumer, ...] = ()
        self._dropped_at_stream_limit = 0
        self._dropped_at_total_limit = 0
        self._skipped_units = 0
        self._failed_consumers = 0
        # the open group; a unit outside [_floor_us, _due_us) takes the slow path
        self._units: list[AccessUnit] = []
        self._gaps: list[Gap] = []
        self._size_bytes = 0
        self._starts_at_sync = True
        self._video_track = -1
        self._video_format: Format | None = None
        self._start_us = 0
        self._floor_us = 0
        self._due_us = 0

    def push(self, *units: AccessUnit) -> None:
        """Take the next units, in order of arrival. Their data is not copied."""
        for unit in units:
            track, utc_us, _, sync, data, _, gap = unit
            size_bytes = self._size_bytes + len(data)
            if (
                (sync and track == self._video_track)
                or not self._floor_us <= utc_us < self._due_us
                or size_bytes > MAX_GOP_BYTES
                or gap is not None
            ):
                if not self._turn(unit):
                    continue
                size_bytes = self._size_bytes + len(data)
            self._size_bytes = size_bytes
            self._units.append(unit)
            for consumer in self._unit_consumers:
                try:
                    consumer.unit_received(unit)
                except Exception as error:
                    self._drop_consumer(consumer, error)

    def interrupt(self, gap: Gap) -> None:
        """Close what is open, tell the consumers, and wait for the next sync unit."""
        if self._units:
            self._close(self._units[-1].utc_us, complete=False)
        self._video_track, self._video_format = -1, None
        self._floor_us = self._due_us = 0
        self._newest = None
        self._tell("interrupted", gap)

    def flush(self) -> None:
        """Hand on what is open without waiting for its end; what follows goes out as a part."""
        if self._units:
            self._close(self._units[-1].utc_us, complete=False)
        self._floor_us = self._due_us = 0

    def subscribe(self, consumer: IGopConsumer, *, units: bool = True) -> None:
        """Hand everything from now on to a consumer too; what came before is in `buffered`.

        :param units: whether it wants `IGopConsumer.unit_received`; one that takes whole groups
            only should say no, it costs a call for each unit.
        """
        self.unsubscribe(consumer)
        self._consumers += (consumer,)
        if units:
            self._unit_consumers += (consumer,)

    def unsubscribe(self, consumer: IGopConsumer) -> None:
        """Hand nothing more to a consumer; it may not be there."""
        self._consumers = tuple(c for c in self._consumers if c is not consumer)
        self._unit_consumers = tuple(c for c in self._unit_consumers if c is not consumer)

    @property
    def consumers(self) -> tuple[IGopConsumer, ...]:
        """Who is handed the groups now."""
        return self._consumers

    def buffered(self) -> list[Gop]:
        """Return the closed groups that are held, oldest first; parts one by one, none alone."""
        return [part for held in self._held for part in held.parts]

    def since(self, utc_us: int | None) -> list[Gop]:
        """Return the closed groups that a recording of what happened from a time on begins with.

        They are whole, oldest first, parts one by one. The first one holds that time, or ends
        after it; if the buffer does not reach as far back it is the oldest one. Who subscribes in
        the same breath gets all that follows, the open group first: nothing twice, nothing missing.

        :param utc_us: UTC, microseconds since 1970; None: from the beginning of the open group on,
            of which a part may have been closed already.
        """
        first = len(self._held)
        while first and self._is_wanted(self._held[first - 1], utc_us):
            first -= 1
        return [part for held in islice(self._held, first, None) for part in held.parts]

    def _is_wanted(self, held: HeldGop, utc_us: int | None) -> bool:
        """Tell whether a group holds something of the time from `utc_us` on, or still grows."""
        last = held.parts[-1]
        if utc_us is not None and last.end_us > utc_us:
            return True
        if last.end_us == utc_us and not last.complete:  # the time of its last unit
            return True
        grows = not (self._starts_at_sync if self._units else last.complete)
        return held is self._newest and grows

    @property
    def open_us(self) -> int | None:
        """When the open group starts: UTC, microseconds since 1970; None: nothing is open."""
        return self._start_us if self._units else None

    def open_units(self) -> list[AccessUnit]:
        """Return what came of the open group so far (a copy of the list, not of the units)."""
        return self._units.copy()

    def clear(self) -> None:
        """Give back all that is held; the open group stays."""
        while self._held:
            self._forget(self._held[0])

    @property
    def status(self) -> BufferStatus:
        """What is held now, and what happened at the limits so far."""
        oldest, newest = (self._held[0], self._held[-1]) if self._held else (None, None)
        span_us = newest.parts[-1].end_us - oldest.parts[0].start_us if oldest and newest else 0
        return BufferStatus(
            held_gops=len(self._held),
            held_bytes=sum(held.size_bytes for held in self._held),
            held_seconds=max(0, span_us) / 1e6,
            open_bytes=self._size_bytes,
            dropped_at_stream_limit=self._dropped_at_stream_limit,
            dropped_at_total_limit=self._dropped_at_total_limit,
            skipped_units=self._skipped_units,
            failed_consumers=self._failed_consumers,
        )

    # The slow path of push: whether and how the open group ends before this unit.

    def _turn(self, unit: AccessUnit) -> bool:
        """Close and open groups as a unit asks for; False if the unit is of no use."""
        is_video = isinstance(unit.format, VideoFormat)
        if self._video_track < 0 and is_video:
            accepted = self._first_video(unit)
        else:
            accepted = True
            if self._ends_before(unit):
                self._close(unit.utc_us)
                self._open(unit, starts_at_sync=unit.sync and is_video)
            elif not self._units:
                self._open(unit, starts_at_sync=unit.sync and is_video)
        if unit.gap is not None:
            self._add_gap(unit.gap)
        return accepted

    def _first_video(self, unit: AccessUnit) -> bool:
        """Begin with a sync unit; sound that came just before it is in its group."""
        if not unit.sync:
            self._skipped_units += 1
            return False
        if self._ends_before(unit):
            self._close(unit.utc_us)
        self._video_track = unit.track
        self._open(unit, starts_at_sync=True)
        return True

    def _ends_before(self, unit: AccessUnit) -> bool:
        if not self._units:
            return False
        age_us = unit.utc_us - self._start_us
        if self._video_track < 0:
            is_too_large = self._size_bytes + len(unit.data) > MAX_GOP_BYTES
            return is_too_large or not -SOUND_GOP_US < age_us < SOUND_GOP_US
        if unit.sync and unit.track == self._video_track:
            is_young = self._starts_at_sync and 0 <= age_us < MIN_GOP_US
            return not is_young or unit.format is not self._video_format
        return (
            not -MAX_GOP_US <= age_us < MAX_GOP_US
            or self._size_bytes + len(unit.data) > MAX_GOP_BYTES
        )

    def _open(self, unit: AccessUnit, *, starts_at_sync: bool) -> None:
        if not self._units:
            self._start_us = unit.utc_us
        if self._video_track < 0:  # each unit is looked at until the first picture
            self._starts_at_sync = True
            return
        self._starts_at_sync = starts_at_sync
        if unit.track == self._video_track:
            self._video_format = unit.format
        self._floor_us = self._start_us - MAX_GOP_US
        self._due_us = self._start_us + MAX_GOP_US

    def _close(self, end_us: int, *, complete: bool = True) -> None:
        gop = Gop(
            units=self._units,
            start_us=self._start_us,
            end_us=end_us,
            size_bytes=self._size_bytes,
            gaps=self._gaps,
            complete=complete,
            starts_at_sync=self._starts_at_sync,
        )
        self._units, self._gaps, self._size_bytes = [], [], 0
        self._hold(gop)
        self._tell("gop_closed", gop)

    def _add_gap(self, gap: Gap) -> None:
        gaps = self._gaps
        if len(gaps) < MAX_GOP_GAPS:
            gaps.append(gap)
        else:
            lost = gaps[-1].lost_packets + gap.lost_packets
            gaps[-1] = replace(gaps[-1], end_us=gap.end_us, lost_packets=lost)

    # What is kept.

    def _hold(self, gop: Gop) -> None:
        """Keep a closed group, and let go of what is no longer wanted or does not fit."""
        if self.pre_event_seconds is None:
            return
        if gop.starts_at_sync:
            self._newest = HeldGop(self._drop_at_total_limit)
            self._held.append(self._newest)
        held = self._newest
        if held is None:  # its beginning is gone already
            return
        held.parts.append(gop)
        held.size_bytes += gop.size_bytes
        self._let_go(gop.end_us)
        self._budget.take(held, gop.size_bytes)
        while self._held and sum(held.size_bytes for held in self._held) > self.limit_bytes:
            self._dropped_at_stream_limit += 1
            self._forget(self._held[0])

    def _let_go(self, now_us: int) -> None:
        """Forget the groups that neither the pre-event time nor the rule of two wants."""
        wanted_us = now_us - int((self.pre_event_seconds or 0) * 1e6)
        while len(self._held) > KEPT_GOPS and self._held[1].parts[0].start_us <= wanted_us:
            self._forget(self._held[0])

    def _drop_at_total_limit(self, held: HeldGop) -> None:
        self._dropped_at_total_limit += 1
        self._forget(held)

    def _forget(self, held: HeldGop) -> None:
        self._held.remove(held)
        self._budget.give_back(held)
        if held is self._newest:
            self._newest = None

    # Who is told.

    def _tell(self, method: str, value: Gop | Gap) -> None:
        for consumer in self._consumers:
            try:
                getattr(consumer, method)(value)
            except Exception as error:
                self._drop_consumer(consumer, error)

    def _drop_consumer(self, consumer: IGopConsumer, error: Exception) -> None:
        self._failed_consumers += 1
        self.unsubscribe(consumer)
        if self._consumer_failed is not None:
            self._consumer_failed(consumer, error)
