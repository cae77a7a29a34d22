"""A recording that runs, as the rest of the recorder sees it.

What its disk does not take is lost in whole groups, and noted in the recording as gaps with the
reason: a group that was refused untried, here, and what follows of it up to the next key frame; a
group that was tried and not stored, in the writer (`axis_nvr.storage.recording`). A gap goes to the
disk with the next group that is taken.
"""

from dataclasses import replace
from typing import Any, Protocol

from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger

from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.media.gop import Gop
from axis_nvr.media.units import Gap
from axis_nvr.storage.jobs import CloseRecording, Job, NoteGap, WriteGop
from axis_nvr.storage.once import Once
from axis_nvr.storage.recording import RecordingWriter, gap_reason

#: Gaps that wait for a group that is taken; after so many the last one grows, whatever its reason.
MAX_LOST = 64


class IRecordingDisk(Protocol):
    """What a recording asks of its disk.

    :ivar dropped_gops: groups given up because they were refused, of all recordings.
    """

    disk_id: str
    dropped_gops: int

    def offer(self, job: WriteGop, size_bytes: int) -> "Deferred[None] | StorageError":
        """Queue a group, or say why it is not taken."""

    def put(self, job: Job) -> "Deferred[Any]":
        """Queue a job without media; fails if the disk is closed."""

    def error(self, kind: StorageErrorKind, message: str) -> StorageError:
        """Give an error of this disk."""


class Recording:
    """A recording that runs. Made by `axis_nvr.storage.disk.Disk.open_recording`.

    :ivar recording_id: its id, as every API shows it.
    :ivar details: what it was opened with.
    :ivar dropped_gops: groups that were refused untried.
    """

    log = Logger()

    def __init__(self, disk: IRecordingDisk, writer: RecordingWriter) -> None:
        self.recording_id = writer.recording_id
        self.details = writer.details
        self.dropped_gops = 0
        self._disk = disk
        self._writer = writer
        self._lost: list[Gap] = []
        self._skipping: StorageError | None = None
        self._closed: Once | None = None

    def write(self, gop: Gop) -> "Deferred[None]":
        """Store a group.

        :returns: fires when it is durable: written, synced and in the index. Cancelling it changes
            nothing on the disk.
        :raises StorageError: as a failure: it is not stored, and that is noted as a gap. Its kind
            is `StorageErrorKind.CLOSED` where nothing more can be: another recording is needed.
        """
        if self._closed is not None:
            message = f"recording {self.recording_id} is closed"
            return fail(self._disk.error(StorageErrorKind.CLOSED, message))
        if gop.starts_at_sync:
            self._skipping = None
        if self._skipping is None:
            taken = self._disk.offer(WriteGop(self._writer, gop, tuple(self._lost)), gop.size_bytes)
            if not isinstance(taken, StorageError):
                self._lost.clear()
                return taken
            self._skipping = taken  # the rest of the group is of no use without this part
        self._drop(gop, self._skipping)
        return fail(self._skipping)

    def _drop(self, gop: Gop, error: StorageError) -> None:
        self.dropped_gops += 1
        self._disk.dropped_gops += 1
        reason = gap_reason(error)
        if not self._lost:
            self.log.warn(
                "{recording}: groups are dropped: {error}",
                recording=self.recording_id,
                error=str(error),
            )
        if self._lost and (self._lost[-1].reason is reason or len(self._lost) == MAX_LOST):
            self._lost[-1] = replace(self._lost[-1], end_us=gop.end_us)
        else:
            self._lost.append(Gap(gop.start_us, gop.end_us, reason))

    def note_gap(self, gap: Gap) -> None:
        """Note that something is missing, such as after a lost connection."""
        if self._closed is None:
            self._put_gaps((gap,))

    def _put_gaps(self, gaps: tuple[Gap, ...]) -> None:
        noted = self._disk.put(NoteGap(self._writer, gaps))
        noted.addErrback(lambda failure: None)  # the disk has logged it

    def close(self) -> "Deferred[None]":
        """End the recording behind what was given to it so far.

        :returns: fires when it is closed on the disk; the same for each call. Cancelling it changes
            nothing on the disk. A disk that is closed has ended it already.
        """
        if self._closed is None:
            if self._lost:
                self._put_gaps(tuple(self._lost))
            self._closed = Once()
            closing = self._disk.put(CloseRecording(self._writer))
            closing.addErrback(_not_if_closed)
            closing.addBoth(self._closed.fire)
        return self._closed.wait()


def _not_if_closed(failure: Any) -> Any:
    if failure.check(StorageError) and failure.value.kind is StorageErrorKind.CLOSED:
        return None
    return failure
