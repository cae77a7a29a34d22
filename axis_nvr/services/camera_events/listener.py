"""What is heard of one camera: documents in, "something moves" and "nothing moves any more" out.

::

    session ─┐                                        5 s after a session began: what it has not
             ├─► documents ─► Intake ─► MotionStates ◄── told is gone
    session ─┘                              │
                                            └─► told, when motion begins or ends

Events may come by a session of their own and by those of the video too: what is told twice is no
news. Without any session the camera is *lost*: it is given `LOST_SECONDS` to come back, then what
moved there is over, since nobody can say any more.

**Time.** Pictures bear the camera's own time if its clock is near ours
(`axis_nvr.session.session_clock`), and a motion is to be found among the pictures that show it. So
an event is given the time that the camera says under the same condition, else that of its arrival.
A state that was told at the beginning of a session counts from its arrival: what began an hour ago
is recorded from now on.
"""

import re
from collections.abc import Callable
from functools import partial

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from axis_nvr.errors import WireError
from axis_nvr.media.units import AccessUnit
from axis_nvr.services.camera_events.intake import Intake
from axis_nvr.services.camera_events.motion_states import MotionStates
from axis_nvr.services.camera_events.motion_topics import MotionTopics
from axis_nvr.session.session_clock import MAX_CLOCK_OFFSET_US
from axis_nvr.wire.event_json import parse_notify
from axis_nvr.wire.notification import (
    MAX_DOCUMENT_BYTES,
    Notification,
    Operation,
    parse_document,
)

#: How long a session has to tell the states anew, in seconds.
CONFIRM_SECONDS = 5.0
#: How long a camera may be lost before its motion is over, in seconds.
LOST_SECONDS = 10.0
#: Documents that make no sense are told in the log only so often, in seconds.
NONSENSE_LOG_SECONDS = 600.0

_BEGINNING = re.compile(rb"<(?:[\w.-]+:)?metadatastream[\s>/]", re.IGNORECASE)
#: How far into a document its root may begin, in bytes.
_PROLOGUE_BYTES = 1024


class CameraListener:
    """Hears one camera.

    :param device: its id.
    :param topics: what counts as motion.
    :param told: told when motion begins or ends, and when: UTC, microseconds since 1970.
    :param clock: the reactor.
    :param utc_us: the time of day.
    :ivar notifications: of motion, that were understood.
    :ivar nonsense: documents that could not be read, or said nothing that can be.
    :ivar sessions_changed: called when there are sessions and were none, or the other way round.
    """

    log = Logger()

    def __init__(
        self,
        device: str,
        topics: MotionTopics,
        told: Callable[[bool, int], None],
        clock: IReactorTime,
        utc_us: Callable[[], int],
    ) -> None:
        self.device = device
        self.notifications = 0
        self.nonsense = 0
        self.sessions_changed: Callable[[], None] = lambda: None
        self._topics = topics
        self._told = told
        self._clock = clock
        self._utc_us = utc_us
        self._states = MotionStates(topics)
        self._intake = Intake(self._read, clock)
        self._playing: dict[EventSession, None] = {}
        self._timer: IDelayedCall | None = None
        self._is_moving = False
        self._told_us = 0
        self._nonsense_logged: float | None = None

    def session(self) -> "EventSession":
        """Make what takes the documents of one more stream."""
        return EventSession(self)

    @property
    def is_moving(self) -> bool:
        """Whether something moves, as it was told last."""
        return self._is_moving

    @property
    def is_heard(self) -> bool:
        """Whether there is a session."""
        return bool(self._playing)

    @property
    def states(self) -> int:
        """Areas, profiles and scenarios that the camera has told."""
        return self._states.known

    @property
    def ignored(self) -> int:
        """Notifications of motion that said nothing usable."""
        return self._states.ignored

    @property
    def passed_over(self) -> int:
        """Documents that came too fast: out of date before they were read, or given up."""
        return self._intake.coalesced + self._intake.dropped

    def stop(self) -> None:
        """Hear nothing more; nothing is told of it."""
        self._set_timer(None)
        self._intake.clear()
        self._playing.clear()

    # What sessions tell.

    def began(self, session: "EventSession") -> None:
        """Take note of a session; it tells all states at its beginning."""
        if session in self._playing:
            return
        self._playing[session] = None
        if len(self._playing) == 1:
            self._states.doubt()
            self._set_timer(CONFIRM_SECONDS, self._forget_doubtful)
            self.sessions_changed()

    def ended(self, session: "EventSession", words: str) -> None:
        """Take note that a session is gone."""
        was_heard = self.is_heard
        self._playing.pop(session, None)
        if was_heard and not self._playing:
            self._intake.clear()
            self._set_timer(LOST_SECONDS, partial(self._lose, words))
            self.sessions_changed()

    def document_received(self, document: bytes) -> None:
        """Take a document; it is looked into if it may be of interest."""
        if len(document) > MAX_DOCUMENT_BYTES:
            self._count_nonsense(f"it has {len(document)} bytes")
        elif self._topics.are_in(document):
            self._intake.push(document)
        elif document[:1] == b"{":  # by WebSocket each message is one event
            return
        elif not (_BEGINNING.search(document[:_PROLOGUE_BYTES]) and document.rstrip()[-1:] == b">"):
            self._count_nonsense("it is no metadata document, or breaks off")

    # What comes of it.

    def _read(self, document: bytes) -> None:
        try:
            found = (parse_notify if document[:1] == b"{" else parse_document)(document)
        except WireError as error:
            self._count_nonsense(str(error))
            return
        for notification in found:
            if self._states.take(notification):
                self.notifications += 1
                self._tell(self._time_of(notification))

    def _time_of(self, notification: Notification) -> int:
        """When it happened: what the camera says, if its clock is near ours."""
        now_us = self._utc_us()
        is_new = notification.operation is not Operation.INITIALIZED
        if notification.operation is None:  # nobody says whether it is a state that has been
            is_new = not self._states.is_in_doubt
        if is_new and abs(notification.utc_us - now_us) <= MAX_CLOCK_OFFSET_US:
            return notification.utc_us
        return now_us

    def _tell(self, utc_us: int) -> None:
        """Tell it if motion has begun or ended; time does not go back."""
        if self._states.is_moving is not self._is_moving:
            self._is_moving = self._states.is_moving
            self._told_us = max(utc_us, self._told_us)
            self._told(self._is_moving, self._told_us)

    def _forget_doubtful(self) -> None:
        self._timer = None
        gone = self._states.forget_doubtful()
        if gone:
            self.log.info(
                "{camera}: {count} of its motion areas are gone", camera=self.device, count=gone
            )
        self._tell(self._utc_us())

    def _lose(self, words: str) -> None:
        self._timer = None
        self._states.forget_all()
        if self._is_moving:
            self.log.warn(
                "{camera}: motion is over, as its events are not heard any more: {words}",
                camera=self.device,
                words=words,
            )
        self._tell(self._utc_us())

    def _set_timer(self, delay: float | None, act: Callable[[], None] = lambda: None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if delay is not None:
            self._timer = self._clock.callLater(delay, act)

    def _count_nonsense(self, words: str) -> None:
        self.nonsense += 1
        now = self._clock.seconds()
        if self._nonsense_logged is None or now - self._nonsense_logged >= NONSENSE_LOG_SECONDS:
            self._nonsense_logged = now
            self.log.warn(
                "{camera}: an event document makes no sense ({count} so far): {words}",
                camera=self.device,
                count=self.nonsense,
                words=words[:300],
            )


class EventSession:
    """What one stream brings of a camera's events: see `stream_plan.IDocumentSink`.

    :param listener: who hears them.
    """

    log = Logger()

    def __init__(self, listener: CameraListener) -> None:
        self._listener = listener

    def began(self) -> None:
        """Take note of a session."""
        self._listener.began(self)

    def document_received(self, unit: AccessUnit) -> None:
        """Take a document, also before the session is said to have begun."""
        with self.log.failuresHandled("while events of a camera were read"):
            self._listener.began(self)
            self._listener.document_received(bytes(unit.data))

    def ended(self, words: str) -> None:
        """Take note that there is none any more."""
        self._listener.ended(self, words)
