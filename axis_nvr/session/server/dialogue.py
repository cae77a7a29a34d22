"""An RTSP 1.0 server: the dialogue on one connection, and the sessions that all of them share.

`RtspServer` reads what a client sends and answers what the protocol alone decides: versions,
credentials, sessions, states, the forms of headers. What needs the application (which
presentations there are, how their packets travel) comes out as `Asked` and goes back in with
`RtspServer.accept` or `RtspServer.refuse`. Requests are answered in their order: while one is
asked, those behind it wait unread.

Source: RFC 2326 §10, §A.2.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from axis_nvr.errors import WireError
from axis_nvr.session.server.presentation_url import PresentationUrl, parse_url
from axis_nvr.session.server.request_reader import InterleavedFrame, RequestReader
from axis_nvr.session.server.sessions import (
    INIT,
    TRANSITIONS,
    RequestRefused,
    ServerSession,
    SessionTable,
)
from axis_nvr.wire.rtsp import VERSION, Headers, Request, Response, encode
from axis_nvr.wire.rtsp_headers import (
    SessionHeader,
    Transport,
    build_session_header,
    parse_session_header,
    parse_transports,
)
from axis_nvr.wire.rtsp_range import Range, parse_range

#: Seconds a connection without a session may stay silent.
IDLE_TIMEOUT_SECONDS = 60
#: The smallest packet that ``Blocksize`` may ask for, in bytes.
MIN_BLOCKSIZE_BYTES = 256

#: What Axis devices call themselves and say they know.
SERVER_NAME = "GStreamer RTSP server"
PUBLIC = (
    "OPTIONS",
    "DESCRIBE",
    "ANNOUNCE",
    "GET_PARAMETER",
    "PAUSE",
    "PLAY",
    "RECORD",
    "SETUP",
    "SET_PARAMETER",
    "TEARDOWN",
)
#: Methods that have no say in the state.
STATELESS = frozenset({"OPTIONS", "DESCRIBE", "GET_PARAMETER", "SET_PARAMETER"})
#: Methods that go to a session that exists already.
NEEDS_SESSION = frozenset({"PLAY", "PAUSE", "TEARDOWN"})


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A request that the application has to answer.

    :param url: of the request, taken apart.
    :param session: of SETUP (a new one has no tracks), PLAY and PAUSE; of parameters if named.
    :param transports: of SETUP: what the client offers, best first.
    :param blocksize: of SETUP: bytes of the largest RTP packet the client wants, None: any.
    :param range: of PLAY: what to play, None where not said.
    """

    request: Request
    url: PresentationUrl
    session: ServerSession | None = None
    transports: tuple[Transport, ...] = ()
    blocksize: int | None = None
    range: Range | None = None

    @property
    def method(self) -> str:
        """The method of the request."""
        return self.request.method


@dataclass(frozen=True, slots=True)
class SessionClosed:
    """A client has torn its session down; the answer is given."""

    session: ServerSession


Event: TypeAlias = Asked | SessionClosed | InterleavedFrame

#: Decides who may pass, see `axis_nvr.session.server.guard`: called with each request but OPTIONS.
Guard: TypeAlias = Callable[[Request, ServerSession | None, float], None]


def open_guard(request: Request, session: ServerSession | None, now: float) -> None:
    """Let everybody pass."""


class RtspServer:
    """The server's end of one connection.

    :param sessions: those of the whole server.
    :param guard: raises `RequestRefused` for requests that may not pass.
    :param intercept: sees every request before anything else and may raise `RequestRefused`.
    :param options: feature tags that a ``Require`` header may name.
    """

    def __init__(
        self,
        sessions: SessionTable,
        *,
        guard: Guard = open_guard,
        intercept: Callable[[Request], None] = lambda request: None,
        options: frozenset[str] = frozenset(),
    ) -> None:
        self.closing = False
        self._sessions = sessions
        self._guard = guard
        self._intercept = intercept
        self._options = options
        self._reader = RequestReader()
        self._output: list[bytes] = []
        self._events: list[Event] = []
        self._asked: Asked | None = None
        self._last_seen = 0.0

    def start(self, now: float) -> None:
        """Note that the connection was made."""
        self._last_seen = now

    def receive(self, data: bytes, now: float) -> None:
        """Take bytes from the client; see `take_events` and `take_output` for what they do."""
        if self.closing:
            return
        self._last_seen = now
        try:
            self._reader.feed(data)
        except WireError:
            self._broken()
            return
        self._advance(now)

    def take_output(self) -> bytes:
        """Return what is to be sent; if `closing`, the connection is closed behind it."""
        output, self._output = b"".join(self._output), []
        return output

    def take_events(self) -> list[Event]:
        """Return what has happened, in order."""
        events, self._events = self._events, []
        return events

    @property
    def waiting(self) -> bool:
        """Whether a request is with the application."""
        return self._asked is not None

    def next_timeout(self) -> float:
        """When the connection is silent for too long."""
        return self._last_seen + IDLE_TIMEOUT_SECONDS

    def accept(
        self,
        asked: Asked,
        now: float,
        *,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> None:
        """Answer a request with 200, and go on with those behind it."""
        if asked is not self._asked:
            return
        self._asked = None
        if asked.session is not None and asked.method not in STATELESS:
            after = TRANSITIONS[asked.session.state]
            asked.session.state = after.get(asked.method, asked.session.state)
        self._respond(asked.request, 200, "", headers, body, asked.session)
        self._advance(now)

    def refuse(self, asked: Asked, refused: RequestRefused, now: float) -> None:
        """Answer a request with an error, and go on with those behind it."""
        if asked is not self._asked:
            return
        self._asked = None
        if asked.session is not None and not asked.session.tracks:
            self._sessions.remove(asked.session)
        self._respond(asked.request, refused.status, refused.reason, refused.headers)
        self._advance(now)

    def _advance(self, now: float) -> None:
        """Take requests up to one that the application has to answer."""
        while self._asked is None and not self.closing:
            try:
                received = self._reader.next()
            except WireError:
                self._broken()
                return
            if received is None:
                return
            if isinstance(received, InterleavedFrame):
                self._events.append(received)
                continue
            try:
                self._take(received, now)
            except RequestRefused as refused:
                self._respond(received, refused.status, refused.reason, refused.headers)

    def _broken(self) -> None:
        """Answer what is no message, and be done with this client."""
        self.closing = True
        headers = Headers([("Server", SERVER_NAME), ("Connection", "close")])
        self._output.append(encode(Response(400, headers=headers)))

    def _take(self, request: Request, now: float) -> None:
        """Do what the protocol says about one request.

        :raises RequestRefused: what it says is no.
        """
        if request.version != VERSION:
            raise RequestRefused(505)
        cseq = request.headers.get("CSeq").strip()
        if not (cseq.isascii() and cseq.isdigit()):
            raise RequestRefused(400, "Bad Request: no CSeq")
        self._intercept(request)
        self._check_method(request)
        session = self._named_session(request)
        if request.method != "OPTIONS":
            self._guard(request, session, now)
        if session is not None:
            session.last_seen = now
        elif request.method in NEEDS_SESSION or "Session" in request.headers:
            raise RequestRefused(454)
        if request.method == "OPTIONS":
            self._respond(request, 200, "", [("Public", ", ".join(PUBLIC))], b"", session)
        elif request.method == "TEARDOWN":
            self._tear_down(request, session)
        elif request.method.endswith("_PARAMETER") and not request.body:
            self._respond(request, 200, "", (), b"", session)
        else:
            self._ask(request, session, now)

    def _check_method(self, request: Request) -> None:
        """Refuse methods and features that there are not.

        :raises RequestRefused: 405, 501 or 551.
        """
        unknown = [tag for tag in _required(request) if tag not in self._options]
        if unknown:
            raise RequestRefused(551, headers=[("Unsupported", ", ".join(unknown))])
        if request.method in ("ANNOUNCE", "RECORD"):
            allowed = [method for method in PUBLIC if method not in ("ANNOUNCE", "RECORD")]
            raise RequestRefused(405, headers=[("Allow", ", ".join(allowed))])
        if request.method not in PUBLIC:
            raise RequestRefused(501)

    def _named_session(self, request: Request) -> ServerSession | None:
        """Find the session that a request names, None also if there is none such."""
        try:
            named = parse_session_header(request.headers.get("Session"))
        except WireError:
            return None
        return self._sessions.find(named.session_id)

    def _tear_down(self, request: Request, session: ServerSession | None) -> None:
        """End a session, and the connection with it, as Axis devices do."""
        assert session is not None  # NEEDS_SESSION
        self._sessions.remove(session)
        self._events.append(SessionClosed(session))
        self.closing = True
        self._respond(request, 200, "", [("Connection", "close")], b"", session)

    def _ask(self, request: Request, session: ServerSession | None, now: float) -> None:
        """Hand a request to the application.

        :raises RequestRefused: 400, 451, 453, 455, 457 or 461.
        """
        try:
            url = parse_url(request.uri)
        except WireError:
            raise RequestRefused(400, "Bad Request: URL") from None
        state = INIT if session is None else session.state
        if request.method not in STATELESS and request.method not in TRANSITIONS[state]:
            allowed = [*STATELESS, *TRANSITIONS[state]]
            raise RequestRefused(455, headers=[("Allow", ", ".join(sorted(allowed)))])
        if request.method == "SETUP":
            self._asked = self._setup(request, url, session, now)
        else:
            self._asked = Asked(request, url, session, range=_range(request))
        if self._asked.session is not None:
            self._asked.session.features.update(_required(request))
        self._events.append(self._asked)

    def _setup(
        self, request: Request, url: PresentationUrl, session: ServerSession | None, now: float
    ) -> Asked:
        """Read what a SETUP wants, and begin its session.

        :raises RequestRefused: 453, 455 (a second SETUP of a track) or 461.
        """
        try:
            transports = tuple(parse_transports(request.headers.get("Transport")))
        except WireError:
            raise RequestRefused(461) from None
        if session is not None and url.track in session.tracks:
            raise RequestRefused(455, "Transport cannot be changed")
        if session is None:
            session = self._sessions.create(url, now)
        blocksize = request.headers.get("Blocksize").strip()
        limit = None
        if blocksize.isascii() and blocksize.isdigit() and len(blocksize) < 10:
            limit = max(MIN_BLOCKSIZE_BYTES, int(blocksize))
        return Asked(request, url, session, transports, limit)

    def _respond(
        self,
        request: Request,
        status: int,
        reason: str = "",
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        session: ServerSession | None = None,
    ) -> None:
        """Write a response."""
        fields = Headers()
        cseq = request.headers.get("CSeq").strip()
        if cseq:
            fields.add("CSeq", cseq[:20])
        fields.add("Server", SERVER_NAME)
        for name, value in headers:
            fields.add(name, value)
        if session is not None:
            named = SessionHeader(session.session_id, session.timeout_seconds)
            fields.add("Session", build_session_header(named))
        self._output.append(encode(Response(status, reason, fields, body)))


def _required(request: Request) -> list[str]:
    """Read the feature tags that a client cannot do without."""
    values = request.headers.get_all("Require")
    return [tag.strip() for value in values for tag in value.split(",") if tag.strip()]


def _range(request: Request) -> Range | None:
    """Read the Range of a PLAY.

    :raises RequestRefused: 457, it cannot be read.
    """
    value = request.headers.get("Range")
    if not value or request.method != "PLAY":
        return None
    try:
        return parse_range(value)
    except WireError:
        raise RequestRefused(457) from None
