"""The sessions of an RTSP server: their states, how many there may be, and how long they live.

A session lives for `SESSION_TIMEOUT_SECONDS` after the last sign of its client, on whatever
connection. One whose packets travel in a connection ends with that connection; the shell says so.

Source: RFC 2326 §3.4, §A.2.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum

from axis_nvr.errors import NvrError
from axis_nvr.session.server.presentation_url import PresentationUrl
from axis_nvr.wire.rtsp_headers import Transport

#: Seconds a session outlives the last sign of its client (``Network.RTSP.Timeout``).
SESSION_TIMEOUT_SECONDS = 60
#: Characters of a session identifier.
SESSION_ID_CHARACTERS = 16
#: Sessions of one server at a time, where nothing else is said.
MAX_SESSIONS = 256


class SessionState(Enum):
    """Where a session stands (RFC 2326 §A.2)."""

    INIT = "init"
    READY = "ready"
    PLAYING = "playing"


INIT, READY, PLAYING = SessionState

#: Methods allowed in each state, and the state after a 2xx (RFC 2326 §A.2). A SETUP while playing
#: would change the transport, which Axis devices refuse.
TRANSITIONS = {
    INIT: {"SETUP": READY, "TEARDOWN": INIT},
    READY: {"SETUP": READY, "PLAY": PLAYING, "TEARDOWN": INIT},
    PLAYING: {"PLAY": PLAYING, "PAUSE": READY, "TEARDOWN": INIT},
}


class RequestRefused(NvrError):
    """A request gets a well-formed no.

    :param status: the status code.
    :param reason: words for people; empty: those of the RFC.
    :param headers: further headers of the response.
    """

    def __init__(
        self, status: int, reason: str = "", headers: Iterable[tuple[str, str]] = ()
    ) -> None:
        super().__init__(status, reason)
        self.status = status
        self.reason = reason
        self.headers = tuple(headers)

    def __str__(self) -> str:
        return f"{self.status} {self.reason}".rstrip()


@dataclass(eq=False, slots=True)
class ServerSession:
    """One session of a client.

    :ivar application: whatever the application attached to it.
    :ivar tracks: the tracks that were set up, with their transports as agreed.
    :ivar url: of the presentation, as the first SETUP named it.
    :ivar last_seen: when its client last gave a sign of life.
    :ivar features: the feature tags that its client has named in ``Require``.
    """

    session_id: str
    url: PresentationUrl
    last_seen: float
    timeout_seconds: int = SESSION_TIMEOUT_SECONDS
    state: SessionState = INIT
    tracks: dict[int, Transport] = field(default_factory=dict)
    application: object = None
    features: set[str] = field(default_factory=set)

    @property
    def due(self) -> float:
        """When it ends unless its client gives a sign before."""
        return self.last_seen + self.timeout_seconds


class SessionTable:
    """All sessions of a server.

    :param new_id: makes identifiers that nobody can guess.
    :param limit: sessions at a time; the next one is refused with 453.
    """

    def __init__(
        self,
        new_id: Callable[[], str],
        *,
        limit: int = MAX_SESSIONS,
        timeout_seconds: int = SESSION_TIMEOUT_SECONDS,
    ) -> None:
        self.limit = limit
        self.timeout_seconds = timeout_seconds
        self._new_id = new_id
        self._sessions: dict[str, ServerSession] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def __iter__(self) -> Iterator[ServerSession]:
        return iter(list(self._sessions.values()))

    def create(self, url: PresentationUrl, now: float) -> ServerSession:
        """Begin a session.

        :raises RequestRefused: 453, there are as many as there may be.
        """
        if len(self._sessions) >= self.limit:
            raise RequestRefused(453, "Not Enough Bandwidth")
        session = ServerSession(self._new_id(), url, now, self.timeout_seconds)
        self._sessions[session.session_id] = session
        return session

    def find(self, session_id: str) -> ServerSession | None:
        """Return the session of this name, if it lives."""
        return self._sessions.get(session_id)

    def remove(self, session: ServerSession) -> None:
        """End a session; one that has ended is no error."""
        self._sessions.pop(session.session_id, None)
        session.state = INIT

    def expire(self, now: float) -> list[ServerSession]:
        """End the sessions whose clients are silent for too long, and return them."""
        ended = [session for session in self._sessions.values() if session.due <= now]
        for session in ended:
            self.remove(session)
        return ended

    def next_timeout(self) -> float | None:
        """When `expire` has something to do at the earliest."""
        return min((session.due for session in self._sessions.values()), default=None)
