"""The events of all cameras: whose are listened to, and by which session.

Each device with events switched on is heard by a session of its own, which is kept going as a
stream of pictures is. Where events are to come with the video (``with_video``), the streams of the
device bring them too, and its own session is opened only while none of them plays: so a camera that
allows a single session can be recorded and heard.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList

from axis_nvr.config import CameraConfig, EventsConfig
from axis_nvr.media.buffer import GopBuffer
from axis_nvr.services.camera_events.ear import Ear, Passenger
from axis_nvr.services.camera_events.event_plan import plan_events, with_events
from axis_nvr.services.camera_events.listener import CameraListener
from axis_nvr.services.camera_events.motion_topics import MotionTopics
from axis_nvr.services.camera_events.report import CameraEventsReport
from axis_nvr.services.camera_stream import CameraStream
from axis_nvr.services.motion_relay import MotionRelay
from axis_nvr.services.stream_plan import IDocumentSink, SessionOpener, StreamPlan


class CameraEvents(Service):
    """Listens to the cameras whose events are switched on.

    :param open_session: connects: see `event_plan.events_opener`.
    :param relay: is told of motion.
    :param config: what counts as motion where a camera does not say.
    :param clock: the reactor.
    :param utc_us: the time of day.
    :param tell_of: is told of each stream that is made for a device.
    """

    def __init__(
        self,
        open_session: SessionOpener,
        relay: MotionRelay,
        config: EventsConfig,
        clock: Any,
        utc_us: Callable[[], int],
        tell_of: Callable[[CameraStream, str], None] = lambda stream, device: None,
    ) -> None:
        self._open_session = open_session
        self._tell_of = tell_of
        self.relay = relay
        self._config = config
        self._clock = clock
        self._utc_us = utc_us
        self._ears: dict[str, Ear] = {}
        self._ending: set[Deferred[None]] = set()

    def startService(self) -> None:
        """Begin to listen."""
        super().startService()
        for ear in self._ears.values():
            ear.start()

    def stopService(self) -> "Deferred[None]":
        """Listen no more; the states of the devices stay as they are.

        :returns: fires when all sessions are gone; never fails.
        """
        super().stopService()
        for ear in self._ears.values():
            self._end(ear)
        return DeferredList(list(self._ending)).addCallback(lambda _: None)

    def change(self, device: str, camera: CameraConfig | None) -> None:
        """Take note of a device that is new, has changed, or is gone.

        :param camera: None: gone, or it cannot be connected to.
        """
        camera = _as_used(camera)
        ear = self._ears.get(device)
        if ear is not None and camera == ear.camera:
            return
        if ear is not None:
            del self._ears[device]
            self._end(ear)
        if camera is None:
            self.relay.remove(device)
            return
        self.relay.add(device)
        self.relay.tell(device, False, self._utc_us())  # until the new one is heard
        self._ears[device] = self._make(camera)
        if self.running:
            self._ears[device].start()

    def with_video(self, camera: CameraConfig) -> bool:
        """Tell whether the events of a camera are to come with its pictures."""
        chosen = camera.events_with_video
        return camera.events and (self._config.with_video if chosen is None else chosen)

    def add_to(self, plan: StreamPlan, camera: CameraConfig) -> StreamPlan:
        """Ask for events beside the pictures, if they are to come so."""
        if not self.with_video(camera):
            return plan
        return with_events(plan, "" if camera.url else self._topics(camera).arguments)

    def passenger(self, device: str) -> IDocumentSink:
        """Make what takes the documents of a stream of pictures."""
        return Passenger(lambda: self._ears.get(device))

    @property
    def reports(self) -> tuple[CameraEventsReport, ...]:
        """The events of each camera, as they are now."""
        return tuple(ear.report for ear in self._ears.values())

    def _topics(self, camera: CameraConfig) -> MotionTopics:
        return MotionTopics(camera.motion or self._config.motion)

    def _make(self, camera: CameraConfig) -> Ear:
        topics = self._topics(camera)
        listener = CameraListener(
            camera.id, topics, partial(self.relay.tell, camera.id), self._clock, self._utc_us
        )
        stream = CameraStream(
            plan_events(camera, topics),
            GopBuffer(),  # nothing gets there: documents go past it
            self._open_session,
            self._clock,
            utc=lambda: self._utc_us() / 1e6,
            documents=listener.session(),
        )
        self._tell_of(stream, camera.id)
        return Ear(camera, listener, stream, self._clock, with_video=self.with_video(camera))

    def _end(self, ear: Ear) -> None:
        """End what hears a device; `stop` waits for it."""
        gone = ear.stop()
        self._ending.add(gone)
        gone.addBoth(lambda _: self._ending.discard(gone))


def _as_used(camera: CameraConfig | None) -> CameraConfig | None:
    """Leave out what makes no difference: who is trusted, where nobody is asked for papers."""
    if camera is None or not camera.events:
        return None
    return camera if camera.certvalidation != "off" else replace(camera, ca=b"")
