"""The streams of cameras: what opens their sessions, and where their pictures are kept."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from axis_nvr.config import Config
from axis_nvr.media.budget import ByteBudget
from axis_nvr.media.buffer import GopBuffer, IGopConsumer
from axis_nvr.media.units import AccessUnit
from axis_nvr.protocols.camera import CameraOpener
from axis_nvr.protocols.tick import TickReader
from axis_nvr.services.camera_stream import CameraStream
from axis_nvr.services.plans import check_camera, plan_stream
from axis_nvr.services.stream_plan import ICameraSession, StreamPlan
from axis_nvr.services.stream_registry import StreamRegistry, StreamRequest

_log = Logger()


def make_registry(reactor: Any, config: Config, budget: ByteBudget) -> StreamRegistry[CameraStream]:
    """Make what shares the streams of the configured cameras.

    :param budget: of all pre-buffers.
    :raises ConfigError: a camera can never be connected to.
    """
    for camera in config.cameras:
        check_camera(camera)
    return StreamRegistry(config.cameras, _stream_maker(reactor, config, budget))


def _stream_maker(
    reactor: Any, config: Config, budget: ByteBudget
) -> Callable[[StreamRequest], CameraStream]:
    """Make what makes streams."""
    opener = CameraOpener(reactor, TickReader(reactor))

    def open_session(
        plan: StreamPlan, deliver: Callable[[AccessUnit], None], lost: Callable[[Failure], None]
    ) -> "Deferred[ICameraSession]":
        opening: Deferred[Any] = opener.open(plan.address, plan.wants, deliver, lost)
        return opening

    def make(request: StreamRequest) -> CameraStream:
        def failed(consumer: IGopConsumer, error: Exception) -> None:
            _log.failure(
                "{camera}: {consumer} takes no more of it, as it raised an error",
                Failure(error),
                camera=request.camera.id,
                consumer=type(consumer).__name__,
            )

        buffer = GopBuffer(
            limit_bytes=config.stream_buffer_bytes, budget=budget, consumer_failed=failed
        )
        return CameraStream(plan_stream(request), buffer, open_session, reactor)

    return make
