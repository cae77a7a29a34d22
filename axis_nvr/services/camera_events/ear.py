"""What hears one device: a session of its own, or the streams of its pictures.

Where events come with the pictures, each stream of the device has a `Passenger` that takes its
documents. A session of its own is opened when no stream has brought events for `ALONE_SECONDS`, and
ended as soon as one does.
"""

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from axis_nvr.config import CameraConfig
from axis_nvr.media.units import AccessUnit
from axis_nvr.services.camera_events.listener import CameraListener, EventSession
from axis_nvr.services.camera_events.report import CameraEventsReport
from axis_nvr.services.camera_stream import CameraStream

#: How long no stream of a device may bring events before they get a session of their own, in
#: seconds.
ALONE_SECONDS = 15.0


class Ear:
    """Hears one device.

    :param camera: as it is configured.
    :param stream: of events alone; not started.
    :param clock: the reactor.
    :param with_video: events come with the pictures, while there are some.
    """

    def __init__(
        self,
        camera: CameraConfig,
        listener: CameraListener,
        stream: CameraStream,
        clock: IReactorTime,
        *,
        with_video: bool,
    ) -> None:
        self.camera = camera
        self.listener = listener
        self._stream = stream
        self._clock = clock
        self._with_video = with_video
        self._passengers = 0
        self._timer: IDelayedCall | None = None
        self._is_alone = False
        self._stopped = False

    def start(self) -> None:
        """Begin; where events come with the pictures, these have their chance first."""
        if not self._with_video:
            self._listen_alone()
        elif not self._passengers:
            self._wait()

    def stop(self) -> "Deferred[None]":
        """End for good.

        :returns: fires when its own session is gone; never fails.
        """
        self._stopped = True
        self._cancel()
        self.listener.stop()
        return self._stream.stop()

    def passenger_came(self) -> None:
        """Take note that a stream of pictures brings events."""
        self._passengers += 1
        self._cancel()
        if self._is_alone and self._with_video:
            self._is_alone = False
            self._stream.stop()

    def passenger_left(self) -> None:
        """Take note that a stream of pictures brings no events any more."""
        self._passengers -= 1
        if not self._passengers and self._with_video and not self._stopped:
            self._wait()

    @property
    def report(self) -> CameraEventsReport:
        """What is to be told of it."""
        heard = self.listener
        return CameraEventsReport(
            device=self.camera.id,
            status=self._stream.status if self._is_alone else None,
            is_heard=heard.is_heard,
            is_moving=heard.is_moving,
            states=heard.states,
            notifications=heard.notifications,
            nonsense=heard.nonsense + heard.ignored,
            passed_over=heard.passed_over,
        )

    def _wait(self) -> None:
        self._cancel()
        self._timer = self._clock.callLater(ALONE_SECONDS, self._listen_alone)

    def _listen_alone(self) -> None:
        self._timer = None
        self._is_alone = True
        self._stream.start()

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Passenger:
    """Takes the documents of a stream of pictures: see `stream_plan.IDocumentSink`.

    :param find: gives what hears the device now; None while its events are switched off.
    """

    def __init__(self, find: Callable[[], Ear | None]) -> None:
        self._find = find
        self._aboard: tuple[Ear, EventSession] | None = None

    def began(self) -> None:
        """Take note of a session."""
        self._board()

    def document_received(self, unit: AccessUnit) -> None:
        """Hand a document to who hears the device now."""
        session = self._board()
        if session is not None:
            session.document_received(unit)

    def ended(self, words: str) -> None:
        """Take note that there is none any more."""
        if self._aboard is not None:
            ear, session = self._aboard
            self._aboard = None
            session.ended(words)
            ear.passenger_left()

    def _board(self) -> EventSession | None:
        """Find who hears the device; it may be another one than it was."""
        ear = self._find()
        if self._aboard is not None and self._aboard[0] is ear:
            return self._aboard[1]
        self.ended("the device has been changed")
        if ear is None:
            return None
        session = ear.listener.session()
        self._aboard = ear, session
        session.began()
        ear.passenger_came()
        return session
