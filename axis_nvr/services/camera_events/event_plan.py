"""Sessions for a camera's events, alone or beside pictures: what is asked for, and what after a no.

An Axis camera is asked for events and nothing else, and for those topics that count. One that
refuses the filter, as very old ones may, is asked once more without it. Of a camera given by URL
the track that tells of events is fetched out of its own stream, if there is one.

Pictures come first: a camera that refuses them together with events is asked for them alone.

Events alone come over TCP, whatever the pictures come over: a packet that is lost would be a motion
that never ends.
"""

from collections.abc import Callable
from dataclasses import replace

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from axis_nvr.config import CameraConfig
from axis_nvr.errors import PeerRefused
from axis_nvr.media.units import AccessUnit
from axis_nvr.protocols.failures import EventsMissing, MediaMissing
from axis_nvr.services.plans import camera_address
from axis_nvr.services.stream_errors import ErrorKind, kind_of
from axis_nvr.services.stream_plan import ICameraSession, SessionOpener, StreamPlan

#: Begins what asks an Axis camera for events, and in it the filter: the last arguments of its URL.
_EVENTS = "&event="
_FILTER = "&eventtopic="
_DATAGRAMS = ("rtspu", "rtspm")


def plan_events(camera: CameraConfig, query: str) -> StreamPlan:
    """Say where the events of a camera are.

    :param query: what an Axis camera is asked for.
    """
    if camera.protocol in _DATAGRAMS:
        camera = replace(camera, protocol="rtspt")
    return StreamPlan(
        device=f"{camera.id}, events",
        address=camera_address(camera, query),
        want_video=False,
        want_events=True,
    )


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


def events_opener(open_session: SessionOpener) -> SessionOpener:
    """Make what opens sessions for events, too or alone, out of what opens any."""

    async def attempt(
        plan: StreamPlan, deliver: Callable[[AccessUnit], None], lost: Callable[[Failure], None]
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
        plan: StreamPlan, deliver: Callable[[AccessUnit], None], lost: Callable[[Failure], None]
    ) -> "Deferred[ICameraSession]":
        return Deferred.fromCoroutine(attempt(plan, deliver, lost))

    return open_for_events
