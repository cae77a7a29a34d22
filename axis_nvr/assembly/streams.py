"""The streams of cameras: what opens their sessions, and where their pictures are kept."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from axis_nvr.assembly.events import Events
from axis_nvr.assembly.foundation import Foundation
from axis_nvr.config import Config
from axis_nvr.media.budget import ByteBudget
from axis_nvr.media.buffer import GopBuffer, IGopConsumer
from axis_nvr.media.units import UnitSink
from axis_nvr.protocols.camera import CameraOpener
from axis_nvr.protocols.event_socket import open_event_socket
from axis_nvr.protocols.tick import TickReader
from axis_nvr.services.camera_events.camera_events import CameraEvents
from axis_nvr.services.camera_events.event_plan import events_opener
from axis_nvr.services.camera_stream import CameraStream
from axis_nvr.services.plans import check_camera, plan_stream
from axis_nvr.services.stream_plan import ICameraSession, SessionOpener, StreamPlan
from axis_nvr.services.stream_registry import StreamRegistry, StreamRequest

_log = Logger()


def check_cameras(config: Config) -> None:
    """Look whether the configured cameras make sense.

    :raises ConfigError: one can never be connected to.
    """
    for camera in config.cameras:
        check_camera(camera)


def make_registry(
    base: Foundation,
    budget: ByteBudget,
    open_session: SessionOpener,
    events: CameraEvents,
    told: Events,
) -> StreamRegistry[CameraStream]:
    """Make what shares the streams of the configured cameras.

    :param budget: of all pre-buffers.
    :param open_session: connects.
    :param events: takes what streams bring of events.
    :param told: tells of the streams.
    """
    maker = _stream_maker(base, budget, open_session, events, told)

    def renew(stream: CameraStream, request: StreamRequest) -> None:
        plan = plan_stream(request)
        if stream.plan.want_events:
            plan = events.add_to(plan, request.camera)
        if plan != stream.plan:
            stream.reconfigure(plan)

    return StreamRegistry(base.config.cameras, maker, renew)


def make_session_opener(reactor: Any) -> SessionOpener:
    """Make what connects to cameras, all of their sessions read by one ticker."""
    opener = CameraOpener(reactor, TickReader(reactor))

    def open_session(
        plan: StreamPlan, deliver: UnitSink, lost: Callable[[Failure], None]
    ) -> "Deferred[ICameraSession]":
        opening: Deferred[Any] = opener.open(plan.address, plan.wants, deliver, lost)
        return opening

    def open_socket(
        plan: StreamPlan, deliver: UnitSink, lost: Callable[[Failure], None]
    ) -> "Deferred[ICameraSession]":
        opening = open_event_socket(reactor, plan.address, plan.topics, deliver, lost)
        return Deferred.fromCoroutine(opening)

    return events_opener(open_session, open_socket)


def _stream_maker(
    base: Foundation,
    budget: ByteBudget,
    open_session: SessionOpener,
    events: CameraEvents,
    told: Events,
) -> Callable[[StreamRequest], CameraStream]:
    """Make what makes streams."""

    def make(request: StreamRequest) -> CameraStream:
        def failed(consumer: IGopConsumer, error: Exception) -> None:
            _log.failure(
                "{camera}: {consumer} takes no more of it, as it raised an error",
                Failure(error),
                camera=request.camera.id,
                consumer=type(consumer).__name__,
            )

        buffer = GopBuffer(
            limit_bytes=base.config.stream_buffer_bytes, budget=budget, consumer_failed=failed
        )
        plan = events.add_to(plan_stream(request), request.camera)
        documents = events.passenger(request.camera.id) if plan.want_events else None
        stream = CameraStream(plan, buffer, open_session, base.reactor, documents=documents)
        told.tell_of(stream, request.camera.id)
        return stream

    return make
