"""Sessions for a camera's events, alone or beside pictures: what is asked for, and what after a no.

An Axis camera is asked for events and nothing else, and for those topics that count. One that
refuses the filter, as very old ones may, is asked once more without it. Of a camera given by URL
the track that tells of events is fetched out of its own stream, if there is one.

An Axis camera that refuses events over RTSP, or has no session left, is asked for them over
WebSocket, if it has that; or at once, if it is configured so (``events_by``).

Pictures come first: a camera that refuses them together with events is asked for them alone.

Events alone come over TCP, whatever the pictures come over: a packet that is lost would be a motion
that never ends.
"""

from collections.abc import Callable
from dataclasses import replace

from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError, ConnectionClosed
from twisted.internet.error import TimeoutError as TimedOut
from twisted.python.failure import Failure

from axis_nvr.config import CameraConfig
from axis_nvr.errors import NvrError, PeerRefused
from axis_nvr.media.units import UnitSink
from axis_nvr.protocols.address import ENCRYPTED, TUNNELLED, StreamProtocol
from axis_nvr.protocols.failures import EventsMissing, MediaMissing
from axis_nvr.services.camera_events.motion_topics import MotionTopics
from axis_nvr.services.plans import camera_address
from axis_nvr.services.stream_errors import ErrorKind, kind_of
from axis_nvr.services.stream_plan import ICameraSession, SessionOpener, StreamPlan

#: Begins what asks an Axis camera for events, and in it the filter: the last arguments of its URL.
_EVENTS = "&event="
_FILTER = "&eventtopic="
_DATAGRAMS = ("rtspu", "rtspm")
_WEBSOCKET_PATH = "/vapix/ws-data-stream?sources=events"
#: Refusals after which another way may do.
_OTHERWISE = frozenset({ErrorKind.REFUSED, ErrorKind.BUSY})


def plan_events(camera: CameraConfig, topics: MotionTopics) -> StreamPlan:
    """Say where the events of a camera are."""
    if camera.protocol in _DATAGRAMS:
        camera = replace(camera, protocol="rtspt")
    plan = StreamPlan(
        device=f"{camera.id}, events",
        address=camera_address(camera, topics.query),
        want_video=False,
        want_events=True,
        topics="" if camera.url else topics.filter,
    )
    return _by_websocket(plan) if camera.events_by == "websocket" else plan


def _by_websocket(plan: StreamPlan) -> StreamPlan:
    """Say where an Axis camera has its events over WebSocket: at its web server."""
    address = plan.address
    is_secure = address.protocol in ENCRYPTED
    port = 443 if is_secure else 80
    if address.protocol in TUNNELLED:
        port = address.port
    host = f"[{address.host}]" if ":" in address.host else address.host
    url = f"{'wss' if is_secure else 'ws'}://{host}:{port}{_WEBSOCKET_PATH}"
    protocol = StreamProtocol.RTSPSH if is_secure else StreamProtocol.RTSPH
    return replace(plan, address=replace(address, url=url, protocol=protocol))


def with_events(plan: StreamPlan, arguments: str) -> StreamPlan:
    """Ask for events beside what is asked for already.

    :param arguments: what an Axis camera is asked for in addition; empty: the camera has an URL of
        its own, and only its track is fetched too.
    """
    address = plan.address
    if arguments:
        address = replace(address, url=f"{address.url}&{arguments}")
    return replace(plan, address=address, want_events=True)


def _with_less(plan: StreamPlan) -> StreamPlan | None:
    """Return what to ask for where this was refused; None if nothing else is left."""
    pictures = plan.want_video or plan.want_audio
    bare, found, _ = plan.address.url.partition(_EVENTS if pictures else _FILTER)
    if not found or not plan.want_events:
        return None
    address = replace(plan.address, url=bare)
    return replace(plan, address=address, want_events=not pictures)


def events_opener(
    open_session: SessionOpener, open_socket: SessionOpener | None = None
) -> SessionOpener:
    """Make what opens sessions for events, too or alone, out of what opens any.

    :param open_socket: opens one over WebSocket.
    """

    async def attempt(
        plan: StreamPlan, deliver: UnitSink, lost: Callable[[Failure], None]
    ) -> ICameraSession:
        if open_socket is not None and plan.address.url.startswith("ws"):
            return await open_socket(plan, deliver, lost)
        try:
            return await attempt_rtsp(plan, deliver, lost)
        except (PeerRefused, EventsMissing) as refusal:
            if open_socket is None or not plan.topics or kind_of(refusal) not in _OTHERWISE:
                raise
            try:
                return await open_socket(_by_websocket(plan), deliver, lost)
            except (NvrError, ConnectError, ConnectionClosed, SSL.Error, TimedOut):
                raise refusal from None  # what was wanted in the first place

    async def attempt_rtsp(
        plan: StreamPlan, deliver: UnitSink, lost: Callable[[Failure], None]
    ) -> ICameraSession:
        try:
            return await open_session(plan, deliver, lost)
        except MediaMissing as error:
            if plan.want_video or plan.want_audio:
                raise
            raise EventsMissing(f"the camera offers no events: {error}") from error
        except PeerRefused as refusal:
            less = _with_less(plan)
            if less is None or kind_of(refusal) is not ErrorKind.REFUSED:
                raise
            return await open_session(less, deliver, lost)

    def open_for_events(
        plan: StreamPlan, deliver: UnitSink, lost: Callable[[Failure], None]
    ) -> "Deferred[ICameraSession]":
        return Deferred.fromCoroutine(attempt(plan, deliver, lost))

    return open_for_events
