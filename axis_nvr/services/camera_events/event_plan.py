"""A session with a camera for its events alone: what is asked for, and what if it is refused.

An Axis camera is asked for events and nothing else, and for those topics that count. One that
refuses the filter, as very old ones may, is asked once more without it. Of a camera given by URL
the track that tells of events is fetched out of its own stream, if there is one.

Events come over TCP, whatever the pictures come over: a packet that is lost would be a motion that
never ends.
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

#: Begins the filter in the URL of an Axis camera: the last argument.
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


def events_opener(open_session: SessionOpener) -> SessionOpener:
    """Make what opens sessions for events out of what opens any."""

    async def attempt(
        plan: StreamPlan, deliver: Callable[[AccessUnit], None], lost: Callable[[Failure], None]
    ) -> ICameraSession:
        try:
            return await open_session(plan, deliver, lost)
        except MediaMissing as error:
            raise EventsMissing(f"the camera offers no events: {error}") from error
        except PeerRefused as refusal:
            bare, found, _ = plan.address.url.partition(_FILTER)
            if not found or kind_of(refusal) is not ErrorKind.REFUSED:
                raise
            unfiltered = replace(plan, address=replace(plan.address, url=bare))
            return await open_session(unfiltered, deliver, lost)

    def open_for_events(
        plan: StreamPlan, deliver: Callable[[AccessUnit], None], lost: Callable[[Failure], None]
    ) -> "Deferred[ICameraSession]":
        return Deferred.fromCoroutine(attempt(plan, deliver, lost))

    return open_for_events
