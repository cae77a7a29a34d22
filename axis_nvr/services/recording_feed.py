"""From a stream's groups to a recording's writes, with a bound on what is under way.

The stream never waits for the disk. A group is handed over at once and acknowledged when it is
durable; at most `MAX_GOPS_UNDER_WAY` groups or `MAX_BYTES_UNDER_WAY` of a recording are in between,
and one allowance bounds all recordings of a
disk together. Past that whole groups are dropped, and the time
they covered is noted as one gap, `GapReason.SLOW_DISK`, as soon as the disk takes groups again. A
part without its beginning is of no use: the parts that follow a dropped one are dropped with it.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from axis_nvr.media.buffer import IGopConsumer
from axis_nvr.media.gop import Gop
from axis_nvr.media.units import AccessUnit, Gap, GapReason

#: Groups of one recording that are handed over and not acknowledged.
MAX_GOPS_UNDER_WAY = 16
#: The bytes of these groups.
MAX_BYTES_UNDER_WAY = 32 * 1024 * 1024
#: The bytes of all groups that are under way to a disk; a recording with none may have one. Below
#: the limit of the disk's own queue (`axis_nvr.storage.queue`), so that it is here they are lost.
MAX_DISK_BYTES_UNDER_WAY = 240 * 1024 * 1024


class RecordingSink(Protocol):
    """What a feed asks of a recording on a disk."""

    @property
    def recording_id(self) -> str:
        """The name it has on its disk."""

    def write(self, gop: Gop) -> "Deferred[None]":
        """Write a group; fires when it is durable."""

    def note_gap(self, gap: Gap) -> object:
        """Record that something is missing."""

    def close(self) -> "Deferred[None]":
        """End it; fires when it is whole on the disk."""


class Allowance:
    """The bytes that all feeds of a disk may have under way together."""

    def __init__(self, limit_bytes: int = MAX_DISK_BYTES_UNDER_WAY) -> None:
        self.limit_bytes = limit_bytes
        self.used_bytes = 0


@dataclass(slots=True)
class FeedCounts:
    """What a feed did since it was made.

    :ivar written_gops: groups acknowledged.
    :ivar written_bytes: the units' data in them.
    :ivar last_end_us: UTC end of the newest acknowledged group; 0: none yet.
    :ivar dropped_gops: groups lost to a slow or failed disk.
    :ivar gaps: gaps noted, whatever their reason.
    """

    written_gops: int = 0
    written_bytes: int = 0
    last_end_us: int = 0
    dropped_gops: int = 0
    gaps: int = 0


@implementer(IGopConsumer)
class RecordingFeed:
    """Takes a stream's groups and gives them to a recording while there is one.

    :param name: of the recording, for the log.
    :param allowance: shared with the other feeds.
    :param failed: called once for a recording, when it can take no more, with what it said.
    """

    log = Logger()

    def __init__(self, name: str, allowance: Allowance, failed: Callable[[Failure], None]) -> None:
        self.name = name
        self.counts = FeedCounts()
        self.under_way_bytes = 0
        self._allowance = allowance
        self._failed = failed
        self._recording: RecordingSink | None = None
        self._patient = False
        self._queue: deque[Gop | Gap] = deque()
        self._under_way = 0
        self._dropping = False
        self._missing: Gap | None = None
        self._outage: Gap | None = None

    @property
    def under_way(self) -> int:
        """Groups that are queued or written and not acknowledged."""
        return self._under_way

    @property
    def is_dropping(self) -> bool:
        """Whether groups are being lost now."""
        return self._dropping

    def wait(self) -> None:
        """Keep what comes, up to the bound: a recording is about to open."""
        self._patient = True

    def attach(self, recording: RecordingSink) -> None:
        """Write to a recording from now on, what was kept first."""
        self._recording, self._patient = recording, False
        if self._missing is not None:  # what was lost while there was no recording
            self._note(recording, self._missing)
            self._missing = None
        while self._queue and self._recording is recording:
            entry = self._queue.popleft()
            if isinstance(entry, Gop):
                self._write(recording, entry)
            else:
                self._note(recording, entry)

    def note_missing(self) -> None:
        """Note in the recording what is missing and not noted yet: dropped, or not come."""
        if self._outage is not None:
            self._end_outage(self._outage.end_us)
        if self._missing is not None and self._recording is not None:
            self._note(self._recording, self._missing)
            self._missing = None

    def detach(self) -> None:
        """Write no more; what is not acknowledged counts as lost to the disk."""
        self._recording, self._patient = None, False
        self._forget(self.under_way_bytes)
        self._under_way = 0
        for entry in self._queue:
            if isinstance(entry, Gop):
                self._lose(entry)
        self._queue.clear()

    # IGopConsumer

    def unit_received(self, unit: AccessUnit) -> None:
        """Whole groups are written, not units."""

    def gop_closed(self, gop: Gop) -> None:
        """Write a group, keep it for the recording that opens, or drop it."""
        self._end_outage(gop.start_us)
        follows_a_lost_one = self._dropping and not gop.starts_at_sync
        nowhere_to_go = self._recording is None and not self._patient
        if follows_a_lost_one or nowhere_to_go or self._is_full(gop.size_bytes):
            self._lose(gop)
        else:
            self._dropping = False
            self._under_way += 1
            self.under_way_bytes += gop.size_bytes
            self._allowance.used_bytes += gop.size_bytes
            if self._recording is None:
                self._queue.append(gop)
            else:
                self._take(self._recording, gop)

    def interrupted(self, gap: Gap) -> None:
        """Remember that the camera is away; how long is known when it is back."""
        self._outage = gap if self._outage is None else replace(self._outage, end_us=gap.end_us)

    # Below: one group or gap.

    def _end_outage(self, back_us: int) -> None:
        if self._outage is None:
            return
        gap = replace(self._outage, end_us=max(self._outage.end_us, back_us))
        self._outage = None
        if self._recording is not None:
            self._note(self._recording, gap)
        elif self._patient:
            self._queue.append(gap)

    def _is_full(self, size_bytes: int) -> bool:
        if self._under_way == 0:
            return False
        return (
            self._under_way >= MAX_GOPS_UNDER_WAY
            or self.under_way_bytes + size_bytes > MAX_BYTES_UNDER_WAY
            or self._allowance.used_bytes + size_bytes > self._allowance.limit_bytes
        )

    def _take(self, recording: RecordingSink, gop: Gop) -> None:
        if self._missing is not None:
            self.log.info(
                "{recording}: groups are written again; {seconds:.1f} s are missing",
                recording=self.name,
                seconds=(self._missing.end_us - self._missing.start_us) / 1e6,
            )
            self.note_missing()
        self._write(recording, gop)

    def _write(self, recording: RecordingSink, gop: Gop) -> None:
        def acknowledged(_: object) -> None:
            if self._recording is recording:
                self._under_way -= 1
                self._forget(gop.size_bytes)
            self.counts.written_gops += 1
            self.counts.gaps += len(gop.gaps)
            self.counts.written_bytes += gop.size_bytes
            self.counts.last_end_us = gop.end_us

        def refused(failure: Failure) -> None:
            self._lose(gop)
            if self._recording is recording:
                self.detach()
                self._failed(failure)

        recording.write(gop).addCallbacks(acknowledged, refused)

    def _forget(self, size_bytes: int) -> None:
        self.under_way_bytes -= size_bytes
        self._allowance.used_bytes -= size_bytes

    def _lose(self, gop: Gop) -> None:
        if not self._dropping:
            self.log.critical(
                "{recording}: the disk takes no more; pictures from {start_us} on are lost",
                recording=self.name,
                start_us=gop.start_us,
            )
        self._dropping = True
        self.counts.dropped_gops += 1
        if self._missing is None:
            self._missing = Gap(gop.start_us, gop.end_us, GapReason.SLOW_DISK)
        self._missing = replace(
            self._missing,
            start_us=min(self._missing.start_us, gop.start_us),
            end_us=max(self._missing.end_us, gop.end_us),
        )

    def _note(self, recording: RecordingSink, gap: Gap) -> None:
        self.counts.gaps += 1
        recording.note_gap(gap)
