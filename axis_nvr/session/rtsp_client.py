"""Requests to an RTSP server and their responses: CSeq, session, credentials, time limits.

What is asked for and why is the business of `axis_nvr.session.dialogue`; here a request goes out,
is sent again if the server asks for credentials, and comes back as `Accepted`, `Refused` or
`Unanswered`. Requests of the server are answered.

Source: RFC 2326 §10, §12.17, §12.37, §A.1.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TypeAlias

from axis_nvr.errors import LocalProtocolError, RemoteProtocolError, WireError
from axis_nvr.session.digest import Authenticator, Failure
from axis_nvr.wire.rtsp import Headers, Message, Request, Response, encode
from axis_nvr.wire.rtsp_headers import DEFAULT_SESSION_TIMEOUT_SECONDS, parse_session_header

#: How long a server may take for an answer, in seconds. Cameras that wake an encoder take 5.
REQUEST_TIMEOUT_SECONDS = 15.0
#: Requests sent and not answered.
MAX_IN_FLIGHT = 8
#: How often one request is sent: plain, with credentials, with a fresher nonce.
MAX_ATTEMPTS = 3
#: Responses of one connection that answer nothing we have asked.
MAX_STRAY_RESPONSES = 64
#: Requests that a server may send within a minute.
MAX_SERVER_REQUESTS_PER_MINUTE = 60


class State(StrEnum):
    """The client's states (RFC 2326 §A.1); recording to a server is not ours."""

    INIT = "init"
    READY = "ready"
    PLAYING = "playing"


#: Methods allowed in each state, and the state after a 2xx (RFC 2326 §A.1).
TRANSITIONS = {
    State.INIT: {"SETUP": State.READY, "TEARDOWN": State.INIT},
    State.READY: {"SETUP": State.READY, "PLAY": State.PLAYING, "TEARDOWN": State.INIT},
    State.PLAYING: {
        "SETUP": State.PLAYING,
        "PLAY": State.PLAYING,
        "PAUSE": State.READY,
        "TEARDOWN": State.INIT,
    },
}
#: Methods that are allowed in every state and change none.
STATELESS = frozenset({"OPTIONS", "DESCRIBE", "GET_PARAMETER", "SET_PARAMETER"})

#: What we do when the server asks, for the Public header of our answer.
_OWN_METHODS = "OPTIONS, GET_PARAMETER, TEARDOWN, REDIRECT"
#: Notices of servers that end a stream by ANNOUNCE: end of stream reached, continuous feed
#: terminated, client session terminated.
_END_NOTICES = ("2101", "2306", "5402")


@dataclass(frozen=True, slots=True)
class Accepted:
    """A 2xx.

    :param tag: what `RtspClient.send` returned for the request.
    :param state: the state it leads to.
    """

    tag: int
    method: str
    response: Response
    state: State


@dataclass(frozen=True, slots=True)
class Refused:
    """A 3xx, 4xx or 5xx.

    :param failure: why a 401 was not answered with credentials; None for all others.
    """

    tag: int
    method: str
    response: Response
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Nothing came for a request that was not essential."""

    tag: int
    method: str


@dataclass(frozen=True, slots=True)
class ServerEnded:
    """The server ended the session, or asked to go elsewhere.

    :param location: where to go on (REDIRECT), or empty.
    """

    reason: str
    location: str = ""


Outcome: TypeAlias = Accepted | Refused | Unanswered | ServerEnded


@dataclass(frozen=True, slots=True)
class _Pending:
    """A request that waits for its response."""

    tag: int
    cseq: int
    method: str
    uri: str
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes = field(repr=False)
    deadline: float
    timeout: float
    essential: bool
    attempt: int = 1


class RtspClient:
    """The exchange of messages with one server over one connection.

    :param authenticator: answers challenges; it outlives this exchange if the caller wants.
    :param user_agent: sent with each request: some cameras answer 401 to who does not say who it
        is (quirk 22: go2rtc issue 235).
    """

    def __init__(self, authenticator: Authenticator, user_agent: str) -> None:
        self._authenticator = authenticator
        self._user_agent = user_agent
        self._in_flight: deque[_Pending] = deque()
        self._output: list[bytes] = []
        self._last_cseq = 0
        self._server_requests: deque[float] = deque(maxlen=MAX_SERVER_REQUESTS_PER_MINUTE)
        self.state = State.INIT
        #: The session of all requests, empty before the first SETUP.
        self.session_id = ""
        #: How long the session lives without a sign of life.
        self.session_timeout_seconds = DEFAULT_SESSION_TIMEOUT_SECONDS
        #: Responses that answered nothing.
        self.stray_responses = 0

    def send(
        self,
        method: str,
        uri: str,
        now: float,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        *,
        essential: bool = True,
        timeout: float = REQUEST_TIMEOUT_SECONDS,
    ) -> int:
        """Queue one request for `take_output`.

        :param headers: those besides CSeq, Authorization, User-Agent and Session.
        :param essential: whether silence means that the server is gone.
        :param timeout: how long to wait for the answer, in seconds.
        :returns: a tag that the outcome carries.
        :raises LocalProtocolError: the method is not allowed in this state, or too much waits.
        """
        if method not in STATELESS and method not in TRANSITIONS[self.state]:
            raise LocalProtocolError(f"{method} is not allowed in state {self.state}")
        if len(self._in_flight) >= MAX_IN_FLIGHT:
            raise LocalProtocolError(f"{MAX_IN_FLIGHT} requests wait for an answer")
        tag = self._last_cseq + 1
        pending = _Pending(
            tag, 0, method, uri, tuple(headers), body, now + timeout, timeout, essential
        )
        self._transmit(pending)
        return tag

    def _transmit(self, pending: _Pending) -> None:
        """Send a request, under the next CSeq."""
        self._last_cseq += 1
        headers = Headers([("CSeq", str(self._last_cseq))])
        answer = self._authenticator.authorization(pending.method, pending.uri, pending.body)
        if answer is not None:
            headers.add("Authorization", answer)
        headers.add("User-Agent", self._user_agent)
        if self.session_id:
            # With OPTIONS too: the live555 proxy counts only that as a sign of life (quirk 3).
            headers.add("Session", self.session_id)
        for name, value in pending.headers:
            headers.add(name, value)
        request = Request(pending.method, pending.uri, headers, pending.body)
        self._output.append(encode(request))
        self._in_flight.append(replace(pending, cseq=self._last_cseq))

    def take_output(self) -> bytes:
        """Return what is to be sent, and forget it."""
        data = b"".join(self._output)
        self._output.clear()
        return data

    def abandon(self) -> None:
        """Stop waiting for what is in flight; late answers are ignored."""
        self._in_flight.clear()

    def receive(self, message: Message, now: float) -> list[Outcome]:
        """Take one message and say what came of it.

        :raises RemoteProtocolError: it is no RTSP, its Session header is none, or it is one
            of too many that nobody asked for.
        """
        if not message.version.startswith("RTSP/"):
            raise RemoteProtocolError(f"{message.version} where RTSP was expected")
        if isinstance(message, Request):
            return self._answer(message, now)
        outcomes: list[Outcome] = []
        pending = self._match(message.headers.get("CSeq"), outcomes)
        if pending is None:
            self.stray_responses += 1
            if self.stray_responses > MAX_STRAY_RESPONSES:
                raise RemoteProtocolError(f"{self.stray_responses} responses to nothing we asked")
        elif message.status < 200:
            # 100 Continue: the answer is still to come, and has its full time again.
            self._in_flight.appendleft(replace(pending, deadline=now + pending.timeout))
        else:
            outcome = self._judge(pending, message, now)
            outcomes += [] if outcome is None else [outcome]
        return outcomes

    def _match(self, cseq_text: str, outcomes: list[Outcome]) -> _Pending | None:
        """Take the request that a response answers off the queue; those before it go unanswered.

        A response to something else is ignored: a late one, or one of an earlier connection
        (quirk 6: live555 up to 2017.06.04).
        """
        if not self._in_flight:
            return None
        digits = cseq_text.strip().split(" ")[0]
        if not digits.isascii() or not digits.isdigit() or len(digits) > 10:
            return self._in_flight.popleft()  # no CSeq to go by: responses come in order
        cseq = int(digits)
        if cseq == 0 and len(self._in_flight) == 1:
            # Quirk 22: Foscam C1 (Hisilicon Streaming Media Server/1.0.0) answers with CSeq 0.
            return self._in_flight.popleft()
        if all(pending.cseq != cseq for pending in self._in_flight):
            return None
        while (pending := self._in_flight.popleft()).cseq != cseq:
            outcomes.append(Unanswered(pending.tag, pending.method))
        return pending

    def _judge(self, pending: _Pending, response: Response, now: float) -> Outcome | None:
        """Say what a response means for its request; None if it was sent again."""
        status = response.status
        if status == 401:
            return self._authenticate(pending, response, now)
        if 200 <= status < 300:
            self._take_session(pending, response)
            self._authenticator.next_nonce(response.headers.get("Authentication-Info"))
            self.state = TRANSITIONS[self.state].get(pending.method, self.state)
            if pending.method == "TEARDOWN":
                self.session_id = ""
            return Accepted(pending.tag, pending.method, response, self.state)
        if 300 <= status < 400 and pending.method not in STATELESS:
            self.state = State.INIT  # redirected: start over; an error changes nothing
        return Refused(pending.tag, pending.method, response)

    def _authenticate(self, pending: _Pending, response: Response, now: float) -> Outcome | None:
        """Send a request again with an answer to the server's challenge, if there is one."""
        challenges = response.headers.get_all("WWW-Authenticate")
        again = self._authenticator.challenge(challenges, answered=pending.attempt > 1)
        if not again:
            return Refused(pending.tag, pending.method, response, self._authenticator.failure)
        if pending.attempt >= MAX_ATTEMPTS:
            return Refused(pending.tag, pending.method, response, Failure.NEVER_SATISFIED)
        attempt, deadline = pending.attempt + 1, now + pending.timeout
        self._transmit(replace(pending, attempt=attempt, deadline=deadline))
        return None

    def _take_session(self, pending: _Pending, response: Response) -> None:
        """Keep what a Session header says.

        The first identifier counts: H264DVR 1.0 gives another one with the second SETUP, and plays
        all tracks under the first (quirk 9). Some cameras tell it only after SETUP.
        """
        value = response.headers.get("Session")
        if not value or pending.method in ("OPTIONS", "DESCRIBE", "TEARDOWN"):
            return
        try:
            session = parse_session_header(value)
        except WireError as error:
            raise RemoteProtocolError(f"{pending.method}: {error}") from error
        self.session_id = self.session_id or session.session_id
        if session.timeout_seconds is not None:
            self.session_timeout_seconds = session.timeout_seconds

    def _answer(self, request: Request, now: float) -> list[Outcome]:
        """Answer a request of the server.

        :raises RemoteProtocolError: more than `MAX_SERVER_REQUESTS_PER_MINUTE`.
        """
        recent = self._server_requests
        if len(recent) == MAX_SERVER_REQUESTS_PER_MINUTE and now - recent[0] < 60:
            raise RemoteProtocolError(f"{len(recent)} requests of the server within a minute")
        recent.append(now)
        status, outcomes = _reaction(request)
        headers = Headers()
        if "CSeq" in request.headers:
            headers.add("CSeq", request.headers.get("CSeq"))
        headers.add("User-Agent", self._user_agent)
        if status == 501:
            headers.add("Allow", _OWN_METHODS)
        elif request.method == "OPTIONS":
            headers.add("Public", _OWN_METHODS)
        if self.session_id:
            headers.add("Session", self.session_id)
        self._output.append(encode(Response(status, headers=headers)))
        if outcomes:
            self.state = State.INIT
        return outcomes

    def next_timeout(self) -> float | None:
        """Return when `time_out` is to be called, None for never."""
        return min((pending.deadline for pending in self._in_flight), default=None)

    def time_out(self, now: float) -> list[Outcome]:
        """Give up on answers that are due.

        :raises RemoteProtocolError: one of them was essential.
        """
        late = [pending for pending in self._in_flight if pending.deadline <= now]
        for pending in late:
            self._in_flight.remove(pending)
            if pending.essential:
                waited = f"{pending.timeout:g} s"
                raise RemoteProtocolError(
                    f"no answer to {pending.method} (CSeq {pending.cseq}) within {waited}"
                )
        return [Unanswered(pending.tag, pending.method) for pending in late]


def _reaction(request: Request) -> tuple[int, list[Outcome]]:
    """Return the status that answers a server's request, and what it means for us."""
    match request.method:
        case "OPTIONS":
            return 200, []
        case "GET_PARAMETER" if not request.body:
            return 200, []  # a sign of life is asked for (RFC 2326 §10.8)
        case "TEARDOWN":
            return 200, [ServerEnded("TEARDOWN by the server")]
        case "REDIRECT":
            return 200, [ServerEnded("REDIRECT by the server", request.headers.get("Location"))]
        case "ANNOUNCE":
            for name in ("x-notice", "Event-Type", "Notice"):
                notice = request.headers.get(name)
                if notice.strip().startswith(_END_NOTICES):
                    return 200, [ServerEnded(f"end of stream announced: {notice[:60]}")]
    return 501, []
