"""What a disk's writer thread is given to do: recordings to begin and end, groups, gaps."""

from dataclasses import dataclass
from typing import Protocol

from axis_nvr.media.gop import Gop
from axis_nvr.media.units import Gap
from axis_nvr.storage.papers import RecordingDetails
from axis_nvr.storage.recording import RecordingWriter


class IJobDisk(Protocol):
    """What jobs are done at (`axis_nvr.storage.writer`).

    :ivar written_gops: groups written since the disk was opened.
    :ivar written_bytes: their size.
    """

    written_gops: int
    written_bytes: int

    def monotonic(self) -> float:
        """Tell the time by a clock that never steps, in seconds."""

    def open_recording(self, details: RecordingDetails, start_us: int) -> RecordingWriter:
        """Begin a recording."""

    def try_out(self) -> None:
        """See whether the disk takes bytes."""


class Job(Protocol):
    """Something for the writer to do.

    :ivar recording: whose success it depends on; None if on nobody's.
    """

    @property
    def recording(self) -> RecordingWriter | None:
        """The recording that must be durable before the job is done."""

    def perform(self, disk: IJobDisk) -> object:
        """Do it; what this returns is the outcome once the batch is durable."""


@dataclass(frozen=True, slots=True, eq=False)
class OpenRecording:
    """Begin a recording; its outcome is the `RecordingWriter`.

    :param start_us: what its name says: UTC, microseconds since 1970.
    """

    details: RecordingDetails
    start_us: int
    recording: RecordingWriter | None = None

    def perform(self, disk: IJobDisk) -> object:
        """See `Job`."""
        return disk.open_recording(self.details, self.start_us)


@dataclass(frozen=True, slots=True, eq=False)
class WriteGop:
    """Write a group, and note what was lost before it."""

    recording: RecordingWriter
    gop: Gop
    gaps: tuple[Gap, ...] = ()

    def perform(self, disk: IJobDisk) -> object:
        """See `Job`."""
        now = disk.monotonic()
        self.recording.gaps.extend(self.gaps, now)
        self.recording.write(self.gop, now)
        disk.written_gops += 1
        disk.written_bytes += self.gop.size_bytes
        return None


@dataclass(frozen=True, slots=True, eq=False)
class NoteGap:
    """Note what is missing from a recording."""

    recording: RecordingWriter
    gaps: tuple[Gap, ...]

    def perform(self, disk: IJobDisk) -> object:
        """See `Job`."""
        self.recording.gaps.extend(self.gaps, disk.monotonic())
        return None


@dataclass(frozen=True, slots=True, eq=False)
class CloseRecording:
    """End a recording."""

    recording: RecordingWriter

    def perform(self, disk: IJobDisk) -> object:
        """See `Job`."""
        self.recording.finish()
        return None


@dataclass(frozen=True, slots=True, eq=False)
class TryOut:
    """See whether the disk takes bytes (`axis_nvr.storage.trial`)."""

    recording: RecordingWriter | None = None

    def perform(self, disk: IJobDisk) -> object:
        """See `Job`."""
        disk.try_out()
        return None
