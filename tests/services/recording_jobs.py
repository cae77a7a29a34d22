"""A recording that remembers what it is told, and who hears of it."""

from pathlib import Path

from twisted.internet.defer import Deferred

from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.media.gop import Gop
from axis_nvr.media.units import Codec, Gap, GapReason, VideoFormat

VIDEO = VideoFormat(Codec.H264, b"avcC", 640, 360)
START_US = 1_700_000_000_000_000
OUTAGE = Gap(START_US, START_US + 1, GapReason.DISCONNECTED)


class FakeRecording:
    """Remembers what it is told; its writes are acknowledged by the test."""

    def __init__(self, recording_id: str) -> None:
        self.recording_id = recording_id
        self.gops: list[Gop] = []
        self.gaps: list[Gap] = []
        self.acknowledgements: list[Deferred[None]] = []
        self.closing: Deferred[None] | None = None

    def write(self, gop: Gop) -> Deferred[None]:
        self.gops.append(gop)
        self.acknowledgements.append(Deferred())
        return self.acknowledgements[-1]

    def note_gap(self, gap: Gap) -> None:
        self.gaps.append(gap)

    def close(self) -> Deferred[None]:
        self.closing = Deferred()
        return self.closing

    def acknowledge(self, count: int = 1) -> None:
        for _ in range(count):
            self.acknowledgements.pop(0).callback(None)

    @property
    def seconds(self) -> list[float]:
        """When the written groups start."""
        return [(gop.start_us - START_US) / 1e6 for gop in self.gops]


def closed() -> StorageError:
    return StorageError(StorageErrorKind.CLOSED, Path("/disk"), "the disk is closed")


def too_slow() -> StorageError:
    return StorageError(StorageErrorKind.SLOW, Path("/disk"), "too slow")


def no_disk() -> StorageError:
    return StorageError(StorageErrorKind.ABSENT, Path("/disk"), "no such folder")


class Heard:
    """Remembers what it is told of recordings."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def recording_began(self, recording_id: str) -> None:
        self.told.append(f"{recording_id} began")

    def recording_ended(self, recording_id: str) -> None:
        self.told.append(f"{recording_id} ended")
