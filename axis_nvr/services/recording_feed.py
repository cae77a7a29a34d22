"""From a stream's groups to a recording's writes.

The stream never waits for the disk. A group is handed to the recording at once and acknowledged
when it is durable. What the disk does not take the recording refuses and notes as a gap; the bounds
are those of the disk's queue (`axis_nvr.storage.queue`).

While there is no recording, because its disk is not ready, the first groups are kept for the one
that opens: at most `MAX_KEPT_GOPS` or `MAX_KEPT_BYTES` of a recording, and one allowance bounds all
recordings of a disk together. Past that whole groups are dropped, and the time they covered is
noted as one gap in the recording that opens. A part without its beginning is of no use: the parts
that follow a dropped one are dropped with it, and so are those that a feed hears first.

A recording by rule begins with groups that a pre-buffer held. They are kept beside the bound of a
recording, as they are in memory already, and within the allowance; where that is too little the
newest are kept. What is kept goes to the disk a burst at a time, the next when one is acknowledged:
minutes of a pre-buffer at once would fill the disk's queue. What the stream delivers meanwhile
follows behind.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.media.buffer import IGopConsumer
from axis_nvr.media.gop import Gop
from axis_nvr.media.units import AccessUnit, Gap, GapReason
from axis_nvr.storage.layout import utc_text
from axis_nvr.storage.recording import gap_reason

#: Groups of one recording that are kept while it has no disk.
MAX_KEPT_GOPS = 16
#: The bytes of these groups.
MAX_KEPT_BYTES = 32 * 1024 * 1024
#: Of what was kept so many groups, or so many bytes, are on their way to the disk at a time.
BURST_GOPS = 16
BURST_BYTES = 8 * 1024 * 1024
#: The bytes that all recordings of a disk keep while it is not ready; each may keep one group.
MAX_DISK_KEPT_BYTES = 240 * 1024 * 1024


class RecordingSink(Protocol):
    """What a feed asks of a recording on a disk."""

    @property
    def recording_id(self) -> str:
        """The name it has on its disk."""

    def write(self, gop: Gop) -> "Deferred[None]":
        """Write a group; fires when it is durable.

        :raises StorageError: as a failure: it is not, and the recording notes that; kind
            `StorageErrorKind.CLOSED`: another recording is needed.
        """

    def note_gap(self, gap: Gap) -> object:
        """Record that something is missing."""

    def close(self) -> "Deferred[None]":
        """End it; fires when it is whole on the disk."""


class Allowance:
    """The bytes that all feeds of a disk may keep together while it is not ready."""

    def __init__(self, limit_bytes: int = MAX_DISK_KEPT_BYTES) -> None:
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
        self._kept: deque[Gop | Gap] = deque()
        self._kept_gops = 0
        self._kept_bytes = 0
        self._head_gops = 0  # what of it was held before, beside the bound
        self._head_bytes = 0
        self._awaits_sync = True
        self._is_pumping = False
        self._drained: list[Deferred[None]] = []
        self._under_way = 0
        self._dropping = False
        self._missing: Gap | None = None
        self._refused: Gap | None = None
        self._outage: Gap | None = None

    @property
    def under_way(self) -> int:
        """Groups that are kept or written and not acknowledged."""
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
            self.log.info(
                "{recording}: groups are written again; {seconds:.1f} s are missing",
                recording=self.name,
                seconds=(self._missing.end_us - self._missing.start_us) / 1e6,
            )
            self._note(recording, self._missing)
            self._missing = None
        self._pump()

    def begin_with(self, gops: Sequence[Gop]) -> None:
        """Record groups that were held before, ahead of what comes; there is no recording yet.

        :param gops: the first one begins at a sync unit.
        """
        room_bytes = self._allowance.limit_bytes - self._allowance.used_bytes
        first = len(gops)
        while first and gops[first - 1].size_bytes <= room_bytes:
            first -= 1
            room_bytes -= gops[first].size_bytes
        while first < len(gops) and not gops[first].starts_at_sync:
            first += 1
        for gop in gops[:first]:
            self._lose(gop, GapReason.BUFFER_FULL)
        for gop in gops[first:]:
            self._keep(gop)
        self._head_gops, self._head_bytes = self._kept_gops, self._kept_bytes

    def drained(self) -> "Deferred[None]":
        """Wait until all that is kept has been handed to the recording, or is lost."""
        if not self._kept:
            return succeed(None)
        waiter: Deferred[None] = Deferred()
        self._drained.append(waiter)
        return waiter

    def note_missing(self) -> None:
        """Note in the recording what has not come and is not noted yet."""
        if self._outage is not None:
            self._end_outage(self._outage.end_us)

    def detach(self) -> None:
        """Write no more; what is not acknowledged counts as lost to the disk."""
        self._recording, self._patient = None, False
        kept = self._take_kept()
        self._under_way = self.under_way_bytes = 0
        if self._refused is not None:  # noted in a recording that is given up
            self._miss(self._refused)
            self._refused = None
        for entry in kept:
            if isinstance(entry, Gop):
                self._lose(entry, GapReason.FAILED_DISK)
        self._tell_drained()

    def _take_kept(self) -> list[Gop | Gap]:
        kept = list(self._kept)
        self._kept.clear()
        self._allowance.used_bytes -= self._kept_bytes
        self._kept_gops = self._kept_bytes = self._head_gops = self._head_bytes = 0
        return kept

    def _tell_drained(self) -> None:
        waiting, self._drained = self._drained, []
        for waiter in waiting:
            waiter.callback(None)

    # IGopConsumer

    def unit_received(self, unit: AccessUnit) -> None:
        """Whole groups are written, not units."""

    def gop_closed(self, gop: Gop) -> None:
        """Write a group, keep it for the recording that opens, or drop it."""
        if self._awaits_sync and not gop.starts_at_sync:
            return  # what it follows began before this feed did
        self._end_outage(gop.start_us)
        if self._recording is not None:
            self._follow(self._recording, gop)
            return
        follows_a_lost_one = self._dropping and not gop.starts_at_sync
        if follows_a_lost_one or not self._patient or self._is_full(gop.size_bytes):
            self._lose(gop, GapReason.FAILED_DISK)
            return
        self._keep(gop)

    def _follow(self, recording: RecordingSink, gop: Gop) -> None:
        """Write a group behind what is kept; if too much is, the disk is to take it or refuse."""
        if not self._kept:
            self._awaits_sync = False
            self._start(gop)
            self._write(recording, gop)
            return
        is_full = self._is_full(gop.size_bytes)
        self._keep(gop)
        self._pump(all_at_once=is_full)

    def _keep(self, gop: Gop) -> None:
        self._awaits_sync = self._dropping = False
        self._start(gop)
        self._kept.append(gop)
        self._kept_gops += 1
        self._kept_bytes += gop.size_bytes
        self._allowance.used_bytes += gop.size_bytes

    def _pump(self, *, all_at_once: bool = False) -> None:
        """Hand on what is kept: as much as makes a burst, or all of it."""
        if self._is_pumping:  # a group was refused at once: the loop below goes on
            return
        self._is_pumping = True
        while self._kept and self._recording is not None:
            if self._is_bursting() and not all_at_once:
                break
            entry = self._kept.popleft()
            if isinstance(entry, Gap):
                self._note(self._recording, entry)
                continue
            self._kept_gops -= 1
            self._kept_bytes -= entry.size_bytes
            self._allowance.used_bytes -= entry.size_bytes
            if self._head_gops:  # it comes first
                self._head_gops -= 1
                self._head_bytes -= entry.size_bytes
            self._write(self._recording, entry)
        self._is_pumping = False
        if not self._kept:
            self._tell_drained()

    def _is_bursting(self) -> bool:
        gops = self._under_way - self._kept_gops
        return gops >= BURST_GOPS or self.under_way_bytes - self._kept_bytes >= BURST_BYTES

    def interrupted(self, gap: Gap) -> None:
        """Remember that the camera is away; how long is known when it is back."""
        self._outage = gap if self._outage is None else replace(self._outage, end_us=gap.end_us)

    # Below: one group or gap.

    def _end_outage(self, back_us: int) -> None:
        if self._outage is None:
            return
        gap = replace(self._outage, end_us=max(self._outage.end_us, back_us))
        self._outage = None
        if self._recording is not None and not self._kept:
            self._note(self._recording, gap)
        elif self._recording is not None or self._patient:
            self._kept.append(gap)

    def _is_full(self, size_bytes: int) -> bool:
        if self._kept_gops == 0:
            return False
        return (
            self._kept_gops >= MAX_KEPT_GOPS + self._head_gops
            or self._kept_bytes + size_bytes > MAX_KEPT_BYTES + self._head_bytes
            or self._allowance.used_bytes + size_bytes > self._allowance.limit_bytes
        )

    def _start(self, gop: Gop) -> None:
        self._under_way += 1
        self.under_way_bytes += gop.size_bytes

    def _write(self, recording: RecordingSink, gop: Gop) -> None:
        def acknowledged(_: object) -> None:
            if self._recording is recording:
                self._under_way -= 1
                self.under_way_bytes -= gop.size_bytes
                self._dropping, self._refused = False, None
            self.counts.written_gops += 1
            self.counts.gaps += len(gop.gaps)
            self.counts.written_bytes += gop.size_bytes
            self.counts.last_end_us = gop.end_us
            if self._kept:
                self._pump()

        def refused(failure: Failure) -> None:
            error = failure.value
            is_final, reason = True, GapReason.FAILED_DISK
            if isinstance(error, StorageError):
                is_final, reason = error.kind is StorageErrorKind.CLOSED, gap_reason(error)
            if self._recording is not recording:
                self._lose(gop, reason)
                return
            self._under_way -= 1
            self.under_way_bytes -= gop.size_bytes
            self._count_lost(gop)
            self._refused = _joined(self._refused, Gap(gop.start_us, gop.end_us, reason))
            if is_final:
                self.detach()
                self._failed(failure)
            elif self._kept:
                self._pump()

        recording.write(gop).addCallbacks(acknowledged, refused)

    def _lose(self, gop: Gop, reason: GapReason) -> None:
        """Drop a group that no recording notes."""
        self._count_lost(gop)
        self._miss(Gap(gop.start_us, gop.end_us, reason))

    def _miss(self, gap: Gap) -> None:
        self._missing = _joined(self._missing, gap)

    def _count_lost(self, gop: Gop) -> None:
        if not self._dropping:
            self.log.critical(
                "{recording}: the disk takes no more; pictures from {start} on are lost",
                recording=self.name,
                start=utc_text(gop.start_us),
            )
        self._dropping = True
        self.counts.dropped_gops += 1

    def _note(self, recording: RecordingSink, gap: Gap) -> None:
        self.counts.gaps += 1
        recording.note_gap(gap)


def _joined(before: Gap | None, gap: Gap) -> Gap:
    """Give one gap over two; its reason is the first one's."""
    if before is None:
        return gap
    start_us = min(before.start_us, gap.start_us)
    return replace(before, start_us=start_us, end_us=max(before.end_us, gap.end_us))
