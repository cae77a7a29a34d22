"""A recording that runs, as the rest of the recorder sees it.

When its disk has no room for a group, the group is dropped, and what follows of it up to the next
key frame. The recording keeps a gap of it, which says from when to when, and that the disk was
slow; it goes to the disk with the next group that is taken.
"""

from typing import Any, Protocol

from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger

from axis_nvr.errors import StorageError
from axis_nvr.media.gop import Gop
from axis_nvr.media.units import Gap, GapReason
from axis_nvr.storage.once import Once
from axis_nvr.storage.recording import RecordingWriter
from axis_nvr.storage.writer import CloseRecording, Job, NoteGap, WriteGop


class IRecordingDisk(Protocol):
    """What a recording asks of its disk.

    :ivar dropped_gops: groups given up because the disk was slow, of all recordings.
    """

    disk_id: str
    dropped_gops: int

    def offer(self, job: WriteGop, size_bytes: int) -> "Deferred[None] | None":
        """Queue a group; None if there is no room for it."""

    def put(self, job: Job) -> "Deferred[Any]":
        """Queue a job without media; fails if the disk is stopped."""

    def error(self, message: str) -> StorageError:
        """Give an error of this disk."""


class Recording:
    """A recording that runs. Made by `axis_nvr.storage.disk.Disk.open_recording`.

    :ivar recording_id: its id, as every API shows it.
    :ivar details: what it was opened with.
    :ivar dropped_gops: groups given up because the disk was slow.
    """

    log = Logger()

    def __init__(self, disk: IRecordingDisk, writer: RecordingWriter) -> None:
        self.recording_id = writer.recording_id
        self.details = writer.details
        self.dropped_gops = 0
        self._disk = disk
        self._writer = writer
        self._lost: Gap | None = None
        self._skips_parts = False
        self._closed: Once | None = None

    def write(self, gop: Gop) -> "Deferred[None]":
        """Store a group.

        :returns: fires when it is durable: written, synced and in the index. Cancelling it changes
            nothing on the disk.
        :raises StorageError: as a failure: it is not stored: the disk failed, the queue was full,
            or the recording is closed.
        """
        if self._closed is not None:
            return fail(self._disk.error(f"recording {self.recording_id} is closed"))
        if gop.starts_at_sync:
            self._skips_parts = False
        if not self._skips_parts:
            gaps = () if self._lost is None else (self._lost,)
            outcome = self._disk.offer(WriteGop(self._writer, gop, gaps), gop.size_bytes)
            if outcome is not None:
                self._lost = None
                return outcome
        self._skips_parts = True  # the rest of the group is of no use without this part
        self._drop(gop)
        return fail(self._disk.error("the disk is too slow: a group was dropped"))

    def _drop(self, gop: Gop) -> None:
        self.dropped_gops += 1
        self._disk.dropped_gops += 1
        if self._lost is None:
            self.log.warn(
                "{recording}: the disk {disk} is too slow, groups are dropped",
                recording=self.recording_id,
                disk=self._disk.disk_id,
            )
        start_us = gop.start_us if self._lost is None else self._lost.start_us
        self._lost = Gap(start_us, gop.end_us, GapReason.SLOW_DISK)

    def note_gap(self, gap: Gap) -> None:
        """Note that something is missing, such as after a lost connection."""
        if self._closed is None:
            noted = self._disk.put(NoteGap(self._writer, (gap,)))
            noted.addErrback(lambda failure: None)  # the disk has logged it

    def close(self) -> "Deferred[None]":
        """End the recording behind what was given to it so far.

        :returns: fires when it is closed on the disk; the same for each call. Cancelling it changes
            nothing on the disk.
        """
        if self._closed is None:
            if self._lost is not None:
                self.note_gap(self._lost)
            self._closed = Once()
            self._disk.put(CloseRecording(self._writer)).addBoth(self._closed.fire)
        return self._closed.wait()
