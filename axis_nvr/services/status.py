"""What people want to know about the whole recorder, as plain values; no secret is among them."""

from dataclasses import dataclass

from axis_nvr.media.buffer import BufferStatus
from axis_nvr.services.camera_events.report import CameraEventsReport
from axis_nvr.services.recording_job import JobStatus
from axis_nvr.services.stream_status import StreamStatus
from axis_nvr.storage.housekeeping import ChoreReport


@dataclass(frozen=True, slots=True)
class StreamReport:
    """A stream and the memory it takes.

    :param address: where the camera is, without account.
    :param sent_options: what the camera was asked for; empty for a camera given by URL.
    :param warnings: what of the options will not work well.
    """

    device: str
    address: str
    sent_options: str
    status: StreamStatus
    buffer: BufferStatus
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class IdleCamera:
    """A camera that is known and of which nothing is wanted now."""

    device: str
    address: str


@dataclass(frozen=True, slots=True)
class RecordingReport:
    """A continuous recording.

    :param options: as configured.
    :param state: in a word or two: the job's, but ``no pictures`` where it is ready to record and
        its stream does not play.
    """

    disk: str
    options: str
    job: JobStatus
    state: str


@dataclass(frozen=True, slots=True)
class ReachReport:
    """How far back the recordings of a disk reach, and how long it has room.

    :param is_known: whether `since_us` is; not before somebody has looked, nor while the index is
        made anew.
    :param since_us: when the oldest recording begins: UTC, microseconds since 1970; None: there is
        nothing.
    :param bytes_per_day: the rate at which the disk fills; None: it is too early to say.
    :param seconds_to_full: until it takes no more, or removes what is oldest to make room; 0: it is
        as full as that. None: it is not known, or what is too old goes before.
    :param is_automatic: what is oldest makes room; else nothing is removed.
    :param kept_free_bytes: what is kept free by that.
    :param max_age_days: what is older goes; 0: nothing is too old.
    """

    is_known: bool = False
    since_us: int | None = None
    bytes_per_day: int | None = None
    seconds_to_full: float | None = None
    is_automatic: bool = False
    kept_free_bytes: int = 0
    max_age_days: int = 0


@dataclass(frozen=True, slots=True)
class DiskReport:
    """A disk.

    :param state: in one word.
    :param free_bytes: what its file system has left; 0 if unknown, and so `total_bytes`.
    :param queued: groups that wait for it or are being written, `queued_bytes` in all.
    :param error: what is wrong, in words; empty: nothing.
    :param condition: the state in the words of the VAPIX disk list; `is_full`, `is_read_only` and
        `is_locked` are its flags.
    :param last_serial: serial number of the recorder that used it before; empty: not known.
    :param chores: what goes on at it beside recording.
    :param reach: how far back its recordings reach.
    """

    disk: str
    folder: str
    state: str
    free_bytes: int = 0
    total_bytes: int = 0
    queued: int = 0
    queued_bytes: int = 0
    error: str = ""
    condition: str = "OK"
    is_full: bool = False
    is_read_only: bool = False
    is_locked: bool = False
    last_serial: str = ""
    chores: tuple[ChoreReport, ...] = ()
    reach: ReachReport = ReachReport()


@dataclass(frozen=True, slots=True)
class RuleReport:
    """A rule that records, or those that record together by a group.

    :param names: of the rules.
    :param state: in a word or two.
    :param detail: the recording that is made, or why none can be.
    """

    names: tuple[str, ...]
    state: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class RecorderReport:
    """The recorder at one moment.

    :param now_us: UTC, microseconds since 1970.
    :param buffered_bytes: in all pre-buffers together, of at most `buffer_limit_bytes`.
    :param buffer_drops: groups that left a pre-buffer early because of the common limit.
    :param camera_events: of the devices whose events are listened to.
    :param rules: those that record.
    """

    version: str
    serial: str
    now_us: int
    uptime_seconds: float
    streams: tuple[StreamReport, ...]
    idle_cameras: tuple[IdleCamera, ...]
    recordings: tuple[RecordingReport, ...]
    disks: tuple[DiskReport, ...]
    buffered_bytes: int
    buffer_limit_bytes: int
    buffer_drops: int
    camera_events: tuple[CameraEventsReport, ...] = ()
    rules: tuple[RuleReport, ...] = ()
