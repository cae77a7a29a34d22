"""From a stream's groups to a recording's writes.

The stream never waits for the disk. A group is handed to the recording at once and acknowledged
when it is durable. What the disk does not take the recording refuses and notes as a gap; the bounds
are those of the disk's queue (`axis_nvr.storage.queue`).

While there is no recording, because its disk is not ready, the first groups are kept for the one
that opens: at most `MAX_KEPT_GOPS` or `MAX_KEPT_BYTES` of a recording, and one allowance bounds all
recordings of a disk together. Past that whole groups are dropped, and the time they covered is
noted as one gap in the recording that opens. A part without its beginning is of no use: the parts
that follow a dropped one are dropped with it.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.media.buffer import IGopConsumer
from axis_nvr.media.gop import Gop
from axis_nvr.media.units import AccessUnit, Gap, GapReason
from axis_nvr.storage.recording import gap_reason

#: Groups of one recording that are kept while it has no disk.
MAX_KEPT_GOPS = 16
#: The bytes of these groups.
MAX_KEPT_BYTES = 32 * 1024 * 1024
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
        kept = self._take_kept()
        for entry in kept:
            if isinstance(entry, Gap):
                self._note(recording, entry)
            else:
                self._write(recording, entry)

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

    def _take_kept(self) -> list[Gop | Gap]:
        kept = list(self._kept)
        self._kept.clear()
        self._allowance.used_bytes -= self._kept_bytes
        self._kept_gops = self._kept_bytes = 0
        return kept

    # IGopConsumer

    def unit_received(self, unit: AccessUnit) -> None:
        """Whole groups are written, not units."""

    def gop_closed(self, gop: Gop) -> None:
        """Write a group, keep it for the recording that opens, or drop it."""
        self._end_outage(gop.start_us)
        if self._recording is not None:
            self._start(gop)
            self._write(self._recording, gop)
            return
        follows_a_lost_one = self._dropping and not gop.starts_at_sync
        if follows_a_lost_one or not self._patient or self._is_full(gop.size_bytes):
            self._lose(gop, GapReason.FAILED_DISK)
            return
        self._dropping = False
        self._start(gop)
        self._kept.append(gop)
        self._kept_gops += 1
        self._kept_bytes += gop.size_bytes
        self._allowance.used_bytes += gop.size_bytes

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
            self._kept.append(gap)

    def _is_full(self, size_bytes: int) -> bool:
        if self._kept_gops == 0:
            return False
        return (
            self._kept_gops >= MAX_KEPT_GOPS
            or self._kept_bytes + size_bytes > MAX_KEPT_BYTES
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
                "{recording}: the disk takes no more; pictures from {start_us} on are lost",
                recording=self.name,
                start_us=gop.start_us,
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
