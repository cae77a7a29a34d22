"""The recorder: cameras in, disks out, and what is recorded from which to where.

Everything starts with it and ends with it, in an order that loses nothing: recordings end before
their streams do, so that the last pictures are written and no outage is noted, and the disks are
let go of last.
"""

from collections.abc import Callable, Mapping

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from axis_nvr.config import CameraConfig, RecordingConfig
from axis_nvr.errors import ConfigError
from axis_nvr.media.budget import ByteBudget
from axis_nvr.services.camera_stream import CameraStream
from axis_nvr.services.disk_keeper import DiskKeeper
from axis_nvr.services.recordings import Order, Recordings, Run
from axis_nvr.services.status import IdleCamera, RecorderReport, RecordingReport, StreamReport
from axis_nvr.services.stream_registry import StreamRegistry, StreamRequest
from axis_nvr.services.stream_status import StreamState

#: A stop that takes longer goes on without the rest, in seconds: a disk that hangs must not keep
#: the recorder from ending.
STOP_SECONDS = 20.0


class Recorder(Service):
    """Runs the continuous recordings.

    :param registry: the cameras and their streams.
    :param disks: the disks by id.
    :param budget: of all pre-buffers, for the report.
    :param clock: the reactor.
    :param utc: the time of day, in seconds since 1970.
    :ivar recordings: what is recorded; others may begin recordings too.
    :ivar when_started: called once disks and recordings have been started.
    :ivar when_stopping: called before recordings are ended; what they begin then is not ended.
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
        self.recordings = Recordings(registry, disks, clock)
        self.when_started: list[Callable[[], None]] = []
        self.when_stopping: list[Callable[[], None]] = []
        self._orders: list[Order] = []
        self._started_at = clock.seconds()

    def add(self, config: RecordingConfig) -> None:
        """Record something continuously, from now on if the recorder runs, else from its start.

        :raises ConfigError: the options name no camera that is known, or cannot be read.
        """
        order = Order(config.disk, config.options)
        try:
            request = self.recordings.request(order)
        except ConfigError as error:
            raise ConfigError(f"{config.place}: {error}" if config.place else str(error)) from None
        for warning in request.options.warnings(pre_buffer=False):
            self.log.warn("{recording}: {doubt}", recording=request.camera.id, doubt=str(warning))
        self._orders.append(order)
        if self.running:
            self.recordings.begin(order)

    def startService(self) -> None:
        """Start disks, streams and recordings; none of them is waited for."""
        super().startService()
        self._started_at = self._clock.seconds()
        for disk in self.disks.values():
            disk.start()
        for order in self._orders:
            self.recordings.begin(order)
        for started in self.when_started:
            started()

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
        for stopping in self.when_stopping:
            stopping()
        ending = Deferred.fromCoroutine(self.recordings.end_all())
        for disk in self.disks.values():
            disk.refuse_waiting("it was not ready before the recorder stopped")
        await ending
        await self.registry.stop()
        await gatherResults([disk.stop() for disk in self.disks.values()], consumeErrors=True)

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
            recordings=tuple(map(_recording_report, self.recordings.runs)),
            disks=tuple(disk.report for disk in self.disks.values()),
            buffered_bytes=self._budget.used_bytes,
            buffer_limit_bytes=self._budget.limit_bytes,
            buffer_drops=self._budget.dropped_gops,
        )


def _recording_report(run: Run) -> RecordingReport:
    status, state = run.job.status, run.lease.stream.status.state
    idle = status.state == "recording" and state is not StreamState.PLAYING
    state_words = "no pictures" if idle else status.state
    return RecordingReport(run.order.disk, run.order.options, status, state_words)


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
