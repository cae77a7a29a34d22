"""The recorder: cameras in, disks out, and what is recorded from which to where.

Everything starts with it and ends with it, in an order that loses nothing: recordings end before
their streams do, so that the last pictures are written and no outage is noted, and the disks are
let go of last.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from axis_nvr.config import CameraConfig, RecordingConfig
from axis_nvr.errors import ConfigError, WireError
from axis_nvr.media.budget import ByteBudget
from axis_nvr.media.stream_options import StreamOptions
from axis_nvr.services.camera_stream import CameraStream
from axis_nvr.services.disk_keeper import DiskKeeper
from axis_nvr.services.recording_feed import Allowance
from axis_nvr.services.recording_job import RecordingJob
from axis_nvr.services.status import IdleCamera, RecorderReport, RecordingReport, StreamReport
from axis_nvr.services.stream_registry import StreamLease, StreamRegistry, StreamRequest
from axis_nvr.services.stream_status import StreamState
from axis_nvr.storage.recording import RecordingDetails

#: A stop that takes longer goes on without the rest, in seconds: a disk that hangs must not keep
#: the recorder from ending.
STOP_SECONDS = 20.0


@dataclass(slots=True, eq=False)
class _Continuous:
    """A continuous recording that is configured, and its parts while it runs."""

    config: RecordingConfig
    request: StreamRequest
    name: str
    lease: StreamLease[CameraStream] | None = None
    job: RecordingJob | None = None


class Recorder(Service):
    """Runs the continuous recordings.

    :param registry: the cameras and their streams.
    :param disks: the disks by id.
    :param budget: of all pre-buffers, for the report.
    :param clock: the reactor.
    :param utc: the time of day, in seconds since 1970.
    """

    log = Logger()

    def __init__(
        self,
        registry: StreamRegistry[CameraStream],
        disks: Mapping[str, DiskKeeper],
        budget: ByteBudget,
        clock: IReactorTime,
        utc: Callable[[], float],
        *,
        version: str,
        serial: str,
    ) -> None:
        self.registry = registry
        self.disks = disks
        self._budget = budget
        self._clock = clock
        self._utc = utc
        self._version = version
        self._serial = serial
        self._recordings: list[_Continuous] = []
        self._allowances = {disk_id: Allowance() for disk_id in disks}
        self._started_at = clock.seconds()

    def add(self, config: RecordingConfig) -> None:
        """Record something continuously, from now on if the recorder runs, else from its start.

        :raises ConfigError: the options name no camera that is known, or cannot be read.
        """
        place = f"{config.place}: options" if config.place else "options"
        try:
            request = self.registry.request(StreamOptions.parse(config.options))
        except WireError as error:
            raise ConfigError(f"{place}: {error}")
        except ConfigError as error:
            raise ConfigError(f"{place} {error}")
        if config.disk not in self.disks:
            raise ConfigError(f"{place}: {config.disk!r} is not among the disks")
        names = {entry.name for entry in self._recordings}
        name, number = request.camera.id, 2
        while name in names:
            name, number = f"{request.camera.id} ({number})", number + 1
        entry = _Continuous(config, request, name)
        self._recordings.append(entry)
        for warning in request.options.warnings(pre_buffer=False):
            self.log.warn("{recording}: {doubt}", recording=name, doubt=str(warning))
        if self.running:
            self._begin(entry)

    def startService(self) -> None:
        """Start disks, streams and recordings; none of them is waited for."""
        super().startService()
        self._started_at = self._clock.seconds()
        for disk in self.disks.values():
            disk.start()
        for entry in self._recordings:
            self._begin(entry)

    def stopService(self) -> "Deferred[None]":
        """End recordings, then streams and disks.

        :returns: fires when all is whole on the disks, or after `STOP_SECONDS`; never fails.
        """
        super().stopService()
        stopping = Deferred.fromCoroutine(self._stop())
        stopping.addTimeout(STOP_SECONDS, self._clock)
        return stopping.addErrback(
            lambda failure: self.log.failure("while the recorder stopped", failure)
        )

    async def _stop(self) -> None:
        jobs = [entry.job for entry in self._recordings if entry.job is not None]
        await gatherResults([job.stop() for job in jobs], consumeErrors=True)
        await self.registry.stop()
        await gatherResults([disk.stop() for disk in self.disks.values()], consumeErrors=True)

    def _begin(self, entry: _Continuous) -> None:
        disk, request = self.disks[entry.config.disk], entry.request
        details = RecordingDetails(
            device=request.camera.id,
            stream_options=request.options.effective(pre_buffer=request.pre_buffer),
            source_token=_source_token(request.options),
        )
        entry.lease = self.registry.acquire(request)
        entry.job = RecordingJob(
            entry.name,
            entry.lease.stream.buffer,
            lambda: disk.open_recording(details),
            self._clock,
            self._allowances[entry.config.disk],
        )
        entry.job.start()

    @property
    def report(self) -> RecorderReport:
        """The recorder as it is now."""
        streams = self.registry.streams
        used = {request.camera.id for request, _ in streams}
        return RecorderReport(
            version=self._version,
            serial=self._serial,
            now_us=int(self._utc() * 1e6),
            uptime_seconds=self._clock.seconds() - self._started_at,
            streams=tuple(_stream_report(request, stream) for request, stream in streams),
            idle_cameras=tuple(
                IdleCamera(camera.id, _place_of(camera))
                for camera in self.registry.cameras.values()
                if camera.id not in used
            ),
            recordings=tuple(
                _recording_report(entry.config, entry.job, entry.lease.stream)
                for entry in self._recordings
                if entry.job is not None and entry.lease is not None
            ),
            disks=tuple(disk.report for disk in self.disks.values()),
            buffered_bytes=self._budget.used_bytes,
            buffer_limit_bytes=self._budget.limit_bytes,
            buffer_drops=self._budget.dropped_gops,
        )


def _source_token(options: StreamOptions) -> int:
    """Read the number of the ``camera`` option; 1 if there is none, or it is no small number."""
    text = options.get("camera") or ""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 3 else 1


def _recording_report(
    config: RecordingConfig, job: RecordingJob, stream: CameraStream
) -> RecordingReport:
    status, state = job.status, stream.status.state
    idle = status.state == "recording" and state is not StreamState.PLAYING
    return RecordingReport(
        config.disk, config.options, status, "no pictures" if idle else status.state
    )


def _stream_report(request: StreamRequest, stream: CameraStream) -> StreamReport:
    warnings = request.options.warnings(pre_buffer=request.pre_buffer)
    return StreamReport(
        device=request.camera.id,
        address=_place_of(request.camera),
        sent_options=request.sent_options,
        status=stream.status,
        buffer=stream.buffer.status,
        warnings=tuple(str(warning) for warning in warnings),
    )


def _place_of(camera: CameraConfig) -> str:
    """Where a camera is, for people: no account, no path, no query."""
    if camera.url:
        return camera.url.partition("://")[2].partition("/")[0]
    return f"{camera.address}:{camera.port}" if camera.port else camera.address
