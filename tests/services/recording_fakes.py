"""A disk and streams that do at once what they are told, and cameras to name."""

from pathlib import Path

from twisted.internet.defer import Deferred, succeed

from axis_nvr.config import CameraConfig
from axis_nvr.media.buffer import GopBuffer
from axis_nvr.media.gop import Gop
from axis_nvr.media.units import AccessUnit, Codec, Gap, VideoFormat
from axis_nvr.protocols.address import StreamProtocol
from axis_nvr.services.stream_registry import StreamRequest
from axis_nvr.services.stream_status import StreamState, StreamStatus
from axis_nvr.storage.disk_status import DiskState, DiskStatus
from axis_nvr.storage.recording import RecordingDetails

FRONT = CameraConfig("front", "192.168.0.90", port=8554, username="root", password="s3cret")
YARD = CameraConfig("yard", url="rtsp://192.168.0.91:554/live?key=s3cret")
GATE = CameraConfig("gate", "192.168.0.92")
VIDEO = VideoFormat(Codec.H264, b"", 640, 360)


class FakeRecording:
    def __init__(self, recording_id: str, log: list[str]) -> None:
        self.recording_id = recording_id
        self.gops: list[Gop] = []
        self.gaps: list[Gap] = []
        self._log = log

    def write(self, gop: Gop) -> Deferred[None]:
        self.gops.append(gop)
        return succeed(None)

    def note_gap(self, gap: Gap) -> None:
        self.gaps.append(gap)

    def close(self) -> Deferred[None]:
        self._log.append(f"{self.recording_id} closed")
        return succeed(None)


class FakeDisk:
    disk_id = "HDD_DISK"
    folder = Path("/disk")

    def __init__(self, log: list[str]) -> None:
        self.log = log
        self.details: list[RecordingDetails] = []
        self.named_from: list[int | None] = []
        self.recordings: list[FakeRecording] = []
        self.stopping: Deferred[None] = succeed(None)

    def start(self, *, is_known: bool = False) -> Deferred[None]:
        return succeed(None)

    def stop(self) -> Deferred[None]:
        self.log.append("disk stopped")
        return self.stopping

    def catch_up(self) -> None:
        """Nothing waits."""

    def open_recording(
        self, details: RecordingDetails, *, start_us: int | None = None
    ) -> Deferred[FakeRecording]:
        self.details.append(details)
        self.named_from.append(start_us)
        self.recordings.append(FakeRecording(f"R{len(self.details)}", self.log))
        return succeed(self.recordings[-1])

    def status(self) -> DiskStatus:
        return DiskStatus("HDD_DISK", DiskState.OK, 100, 40, 0, 0, 0, 0, 0, 0, 0, "")


class FakeStream:
    def __init__(self, request: StreamRequest, log: list[str]) -> None:
        self.request = request
        self.buffer = GopBuffer()
        protocol = StreamProtocol.RTSPT
        self.status = StreamStatus(request.camera.id, protocol, StreamState.PLAYING, 0)
        self._log = log
        self.newest_us: int | None = None

        self.unread: list[AccessUnit] = []  # what comes with the next read

    def media_time(self, utc_us: int) -> int:
        return utc_us

    def read_now(self) -> None:
        while self.unread:
            self.buffer.push(self.unread.pop(0))

    def start(self) -> None:
        self._log.append(f"{self.request.camera.id} started")

    def stop(self) -> Deferred[None]:
        self._log.append(f"{self.request.camera.id} stopped")
        return succeed(None)
