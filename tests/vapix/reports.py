"""Reports to lay out: a recorder that is well, and one with everything wrong."""

from dataclasses import replace

from axis_nvr.media.buffer import BufferStatus
from axis_nvr.protocols.address import StreamProtocol
from axis_nvr.services.recording_feed import FeedCounts
from axis_nvr.services.recording_job import JobStatus
from axis_nvr.services.status import (
    DiskReport,
    IdleCamera,
    RecorderReport,
    RecordingReport,
    StreamReport,
)
from axis_nvr.services.stream_errors import ErrorKind, StreamError
from axis_nvr.services.stream_status import StreamState, StreamStatus, TrackStatus

NOW_US = 1_767_225_600_000_000

BUFFER = BufferStatus(2, 2_000_000, 4.2, 400_000, 0, 0, 0, 0)
FRONT = StreamReport(
    "front",
    "192.168.0.90",
    "videocodec=h264&fps=25",
    StreamStatus(
        "front",
        StreamProtocol.RTSPT,
        StreamState.PLAYING,
        NOW_US,
        bitrate=4_120_000,
        fps=25.02,
        packets_received=1_204_511,
        reconnects=1,
        tracks=(
            TrackStatus(0, "video", "h264", 1920, 1080),
            TrackStatus(1, "audio", "aac", sample_rate=48_000, channels=2),
        ),
    ),
    BUFFER,
)
YARD = StreamReport(
    "yard",
    "192.168.0.91:554",
    "",
    StreamStatus(
        "yard",
        StreamProtocol.RTSPU,
        StreamState.PLAYING,
        NOW_US,
        bitrate=1_480_000,
        fps=14.98,
        packets_received=500_000,
        packets_lost=12,
        tracks=(TrackStatus(0, "video", "h265", 2560, 1440),),
    ),
    BUFFER,
)
JOB = JobStatus(
    "front",
    "recording",
    "20260101_000000_A1B2_ACCC8E012345",
    FeedCounts(5_120, 3_456_000_000, NOW_US, 0, 2),
    False,
    1,
    500_000,
    "",
    0,
)
WELL = RecorderReport(
    "0.1.0",
    "ACCC8E012345",
    NOW_US,
    93_784.0,
    (FRONT, YARD),
    (IdleCamera("gate", "192.168.0.92"),),
    (
        RecordingReport("HDD_DISK", "device=front&videocodec=h264&fps=25", JOB, JOB.state),
        RecordingReport("HDD_DISK", "device=yard", replace(JOB, name="yard"), JOB.state),
    ),
    (
        DiskReport(
            "HDD_DISK", "/srv/nvr/HDD_DISK", "ok", 1_230_000_000_000, 4_000_000_000_000, 1, 500_000
        ),
    ),
    4_000_000,
    536_870_912,
    0,
)
_EVIL = "<script>alert('x')</script>&\""
ILL = replace(
    WELL,
    streams=(
        replace(
            FRONT,
            device=_EVIL,
            warnings=("videozgopmode: with a dynamic GOP key frames may be a minute apart",),
            status=replace(
                FRONT.status,
                state=StreamState.LOCKED_OUT,
                tracks=(),
                bitrate=0,
                fps=0.0,
                last_error=StreamError(
                    ErrorKind.AUTHENTICATION, "DESCRIBE refused: 401 Unauthorized", NOW_US
                ),
            ),
        ),
        YARD,
    ),
    recordings=(
        RecordingReport(
            "HDD_DISK",
            _EVIL,
            replace(
                JOB,
                name=_EVIL,
                state="waiting",
                recording_id="",
                last_error=f"{_EVIL}: no space",
            ),
            "waiting",
        ),
        RecordingReport(
            "HDD_DISK", "device=yard", replace(JOB, name="yard", is_dropping=True), JOB.state
        ),
    ),
    disks=(
        DiskReport("HDD_DISK", _EVIL, "failed", 1, 2, 3, 4, error="no space left on device"),
        DiskReport("SECOND", "/mnt/second", "ok", 40_000_000_000, 4_000_000_000_000),
    ),
)
NOTHING = replace(WELL, streams=(), idle_cameras=(), recordings=(), disks=())
STARTING = replace(
    WELL,
    streams=(replace(FRONT, status=replace(FRONT.status, state=StreamState.CONNECTING)),),
    recordings=(
        RecordingReport("HDD_DISK", "device=front", replace(JOB, state="opening"), "opening"),
    ),
)
