"""The dialogue that makes a camera send its stream, from OPTIONS to TEARDOWN.

::

    OPTIONS ─► DESCRIBE ─► SETUP, once for each wanted track ─► PLAY ─► signs of life ─► TEARDOWN

The shell connects, calls `Dialogue.start`, gives it each message that arrives and calls
`Dialogue.time_out` when `Dialogue.next_timeout` says so; after each call it sends what
`Dialogue.take_output` returns and looks at `Dialogue.take_events`. After `Redirected`, `Refused`
or `Ended`, or an exception, it sends the rest of the output and closes the connection.

A redirect ends a dialogue: `Dialogue.successor` makes the one that goes on, over a new connection.
Credentials go along to the same host only, whatever its port; from TLS to plain text nothing goes.

Quirks are numbered as in the project's list of what real cameras do.

Source: RFC 2326 §10, §14, §A.1.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from enum import Enum, auto

from axis_nvr.errors import PeerRefused, RemoteProtocolError, WireError
from axis_nvr.session import rtsp_client
from axis_nvr.session.control_urls import base_url, control_url
from axis_nvr.session.dialogue_events import (
    Ended,
    Event,
    Paused,
    Playing,
    Redirected,
    Refused,
    TracksDescribed,
)
from axis_nvr.session.digest import Credentials
from axis_nvr.session.keepalive import KeepAlive
from axis_nvr.session.refusal import RefusalKind, refusal_kind, refusal_words
from axis_nvr.session.request_url import (
    host_of,
    redirect_target,
    sendable,
    split_credentials,
    with_argument,
)
from axis_nvr.session.rtsp_client import (
    REQUEST_TIMEOUT_SECONDS,
    Accepted,
    Outcome,
    RtspClient,
    ServerEnded,
    Unanswered,
)
from axis_nvr.session.track_setup import TrackRequest, TrackSetup
from axis_nvr.session.tracks import describe_tracks
from axis_nvr.session.wish import LIVE_RANGE, Wish
from axis_nvr.wire.rtsp import Message, Response
from axis_nvr.wire.rtsp_headers import parse_methods, parse_rtp_info
from axis_nvr.wire.sdp import parse_session

#: Redirects followed in a row.
MAX_REDIRECTS = 5
#: Tracks of one session: more than any camera has.
MAX_TRACKS = 8
#: How long to wait for the answer to TEARDOWN, in seconds.
TEARDOWN_TIMEOUT_SECONDS = 2.0

_REDIRECTS = frozenset({301, 302, 303, 305, 307})
#: Bad Request and Invalid Range: what cameras say that do not understand the Range of a PLAY.
_RANGE_STATUSES = frozenset({400, 457})


class Phase(Enum):
    """How far the dialogue is."""

    IDLE = auto()
    STARTING = auto()
    PLAYING = auto()
    PAUSED = auto()
    ENDING = auto()
    OVER = auto()


class Dialogue:
    """One session with one camera.

    :param url: of the stream; user and password in it are used if `credentials` is None.
    :param credentials: None: the camera asks for none.
    :param wish: what is wanted of it.
    :param redirects_left: how many redirects `successor` dialogues may still follow.
    """

    def __init__(
        self,
        url: str,
        credentials: Credentials | None,
        wish: Wish,
        *,
        redirects_left: int = MAX_REDIRECTS,
    ) -> None:
        self.url, own_credentials = split_credentials(url)
        self._credentials = credentials or own_credentials
        self._wish = wish
        self._play_range = wish.play_range
        self._redirects_left = redirects_left
        self._client = RtspClient(wish.authenticator(self._credentials), wish.user_agent)
        self._phase = Phase.IDLE
        self._events: list[Event] = []
        self._redirected: Redirected | None = None
        # What the server has told of itself.
        self._public: frozenset[str] = frozenset()
        self._options_work = False
        self._server = ""
        # The presentation and its tracks.
        self._aggregate_url = self.url
        self._setup: TrackSetup | None = None
        # Signs of life: the round that runs, and the tag of its request.
        self._keep_alive: KeepAlive | None = None
        self._keep_alive_tag: int | None = None
        self._optional_tags: set[int] = set()

    def __repr__(self) -> str:
        return f"Dialogue({self.url!r}, {self._phase.name})"

    # What the shell calls

    @property
    def over(self) -> bool:
        """Whether nothing more is to come."""
        return self._phase is Phase.OVER

    @property
    def playing(self) -> bool:
        """Whether media flows."""
        return self._phase is Phase.PLAYING

    @property
    def session_timeout_seconds(self) -> int:
        """How long the camera keeps the session without a sign of life."""
        return self._client.session_timeout_seconds

    def start(self, now: float) -> None:
        """Begin; the connection stands."""
        self._phase = Phase.STARTING
        self._send("OPTIONS", self.url, now)

    def take_output(self) -> bytes:
        """Return what is to be sent, and forget it."""
        return self._client.take_output()

    def take_events(self) -> list[Event]:
        """Return what has happened, and forget it."""
        events, self._events = self._events, []
        return events

    def receive_message(self, message: Message, now: float) -> None:
        """Take one message of the camera.

        :raises RemoteProtocolError: it breaks the protocol: close the connection.
        """
        for outcome in self._client.receive(message, now):
            self._take(outcome, now)

    def next_timeout(self) -> float | None:
        """Return when `time_out` is to be called, None for never."""
        due = [self._client.next_timeout()]
        if self._phase in (Phase.PLAYING, Phase.PAUSED) and self._keep_alive is not None:
            due.append(self._keep_alive.next_at)
        return min((time for time in due if time is not None), default=None)

    def time_out(self, now: float) -> None:
        """Do what is due.

        :raises RemoteProtocolError: the camera does not answer.
        """
        for outcome in self._client.time_out(now):
            self._take(outcome, now)
        keep_alive = self._keep_alive
        if self._phase not in (Phase.PLAYING, Phase.PAUSED) or keep_alive is None:
            return
        if keep_alive.next_at is not None and keep_alive.next_at <= now:
            self._send_keep_alive(keep_alive.begin(), now)

    def teardown(self, now: float) -> None:
        """End the session; `Ended` comes when the camera agrees, or soon without."""
        if self._phase in (Phase.ENDING, Phase.OVER):
            return
        if not self._client.session_id:
            self._end("torn down")
            return
        self._phase = Phase.ENDING
        self._client.abandon()
        self._send_optional("TEARDOWN", now, timeout=TEARDOWN_TIMEOUT_SECONDS)

    def pause(self, now: float) -> None:
        """Ask the camera to stop sending; `Paused` comes when it does, nothing if it will not."""
        self._send("PAUSE", self._aggregate_url, now)

    def play(self, now: float, play_range: str = "") -> None:
        """Ask the camera to send again, or from elsewhere.

        :param play_range: a Range header; empty: none, which goes on where it stopped.
        """
        self._play_range = play_range
        self._send_play(now)

    def successor(self) -> "Dialogue":
        """Make the dialogue that follows a redirect, over a new connection.

        :raises RemoteProtocolError: there was no redirect.
        """
        if self._redirected is None:
            raise RemoteProtocolError("no redirect to follow")
        return Dialogue(
            self._redirected.url,
            self._redirected.credentials,
            replace(self._wish, play_range=self._play_range),
            redirects_left=self._redirects_left - 1,
        )

    # Requests

    def _send(
        self, method: str, url: str, now: float, headers: Iterable[tuple[str, str]] = ()
    ) -> None:
        """Send a request that must be answered."""
        self._client.send(method, sendable(url), now, headers)

    def _send_optional(
        self,
        method: str,
        now: float,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        timeout: float = REQUEST_TIMEOUT_SECONDS,
    ) -> None:
        """Send a request about the session whose answer, if any, changes little."""
        tag = self._client.send(
            method, self._aggregate_url, now, headers, body, essential=False, timeout=timeout
        )
        self._optional_tags.add(tag)

    @property
    def _require_headers(self) -> list[tuple[str, str]]:
        required = self._wish.require
        return [("Require", ", ".join(required))] if required else []

    # Outcomes

    def _take(self, outcome: Outcome, now: float) -> None:
        """Go on after a response, or after none came."""
        if self._phase is Phase.OVER:
            return
        if isinstance(outcome, ServerEnded):
            self._server_ended(outcome, now)
        elif outcome.method == "TEARDOWN":
            self._end("torn down")
        elif self._phase is Phase.ENDING:
            return
        elif outcome.tag == self._keep_alive_tag:
            self._keep_alive_answered(outcome, now)
        elif outcome.tag in self._optional_tags:
            self._optional_tags.discard(outcome.tag)
        elif isinstance(outcome, Accepted):
            _ACCEPTED[outcome.method](self, outcome.response, now)
        elif isinstance(outcome, Unanswered):
            raise RemoteProtocolError(f"no answer to {outcome.method}, but to what came after it")
        else:
            self._take_refusal(outcome, now)

    def _options_accepted(self, response: Response, now: float) -> None:
        self._options_work = True
        self._public = parse_methods(response.headers.get_all("Public"))
        self._server = response.headers.get("Server")
        self._describe(now)

    def _describe(self, now: float) -> None:
        headers = [("Accept", "application/sdp"), *self._require_headers]
        self._send("DESCRIBE", self.url, now, headers)

    def _describe_accepted(self, response: Response, now: float) -> None:
        """Choose tracks.

        :raises RemoteProtocolError: there is no session description to choose from.
        """
        headers = response.headers
        self._server = self._server or headers.get("Server")
        base = base_url(self.url, headers.get("Content-Base"), headers.get("Content-Location"))
        try:
            description = parse_session(response.body)
            tracks = describe_tracks(description, base)
        except WireError as error:
            raise RemoteProtocolError(f"DESCRIBE answered with {error}") from error
        self._aggregate_url = sendable(control_url(base, description.control))
        self._events.append(TracksDescribed(tuple(tracks)))
        # A track that is not understood costs nothing but itself (quirk 14).
        want = self._wish.want
        wanted = [track for track in tracks if track.codec is not None and want(track)]
        if not wanted:
            offered = ", ".join(sorted({track.kind for track in tracks})) or "nothing"
            words = f"no track that is wanted and understood; the camera offers {offered}"
            self._refuse("DESCRIBE", 200, words, RefusalKind.NOTHING_WANTED, now)
            return
        transport, keys = self._wish.transport, self._wish.keys
        self._setup = TrackSetup(transport, wanted[:MAX_TRACKS], description, keys)
        self._set_up_next(self._setup, now)

    def _set_up_next(self, setup: TrackSetup, now: float) -> None:
        """Send SETUP for the next track, or PLAY after the last."""
        request = setup.next()
        if request is not None:
            self._send_setup(request, now)
            return
        self._events += setup.refused
        refusal = setup.verdict()
        if refusal is not None:
            self._give_up(Refused(refusal.error, refusal.kind), now)
        else:
            self._events += setup.events()
            self._send_play(now)

    def _send_setup(self, request: TrackRequest, now: float) -> None:
        headers = [*request.headers, *self._require_headers]
        self._send("SETUP", request.track.control, now, headers)

    def _setup_accepted(self, response: Response, now: float) -> None:
        assert self._setup is not None
        self._setup.note_answer(response.headers)
        self._set_up_next(self._setup, now)

    def _setup_refused(self, error: PeerRefused, kind: RefusalKind, now: float) -> None:
        assert self._setup is not None
        if kind is RefusalKind.ENCRYPTION_REQUIRED:
            again = self._setup.with_named_key()
            if again is not None:
                self._send_setup(again, now)
                return
        self._setup.note_refusal(error, kind)
        if self._setup.is_fatal(kind):
            self._give_up(Refused(error, kind), now)
        else:
            self._set_up_next(self._setup, now)

    def _send_play(self, now: float) -> None:
        headers = [("Range", self._play_range)] if self._play_range else []
        self._send("PLAY", self._aggregate_url, now, [*headers, *self._require_headers])

    def _play_accepted(self, response: Response, now: float) -> None:
        headers = response.headers
        rtp_info = parse_rtp_info(",".join(headers.get_all("RTP-Info")))
        self._events.append(Playing(tuple(rtp_info), headers.get("Range")))
        self._phase = Phase.PLAYING
        if self._keep_alive is None:
            self._keep_alive = KeepAlive(
                self._public,
                options_work=self._options_work,
                server=self._server,
                timeout_seconds=self._client.session_timeout_seconds,
                jitter=self._wish.jitter,
                quiet=self._setup is not None and self._setup.brings_events_only,
            )
            self._keep_alive.schedule(now)

    def _pause_accepted(self, response: Response, now: float) -> None:
        self._events.append(Paused())
        self._phase = Phase.PAUSED

    # Refusals

    def _take_refusal(self, outcome: rtsp_client.Refused, now: float) -> None:
        """Try otherwise where a known oddity may be the reason, else give up."""
        method, response = outcome.method, outcome.response
        status, headers = response.status, response.headers
        kind = refusal_kind(status, outcome.failure)
        words = refusal_words(kind, response.reason)
        if kind is RefusalKind.UNSUPPORTED_OPTION:
            words = f"{words}: {headers.get('Unsupported') or ', '.join(self._wish.require)}"
        if status in _REDIRECTS:
            self._redirect(method, status, headers.get("Location"), now)
        elif method == "OPTIONS" and outcome.failure is None:
            self._describe(now)  # it need not know OPTIONS: what it does know is found by trying
        elif method == "DESCRIBE" and status == 403 and self._is_companion_url():
            # Quirk 17: AXIS Companion cameras refuse all other software unless asked this way.
            self.url = with_argument(self.url, "Axis-Orig-Sw=true")
            self._describe(now)
        elif method == "SETUP":
            self._setup_refused(PeerRefused(method, status, words), kind, now)
        elif method == "PLAY" and status in _RANGE_STATUSES and self._play_range == LIVE_RANGE:
            # Quirk 22: cameras that do not know the Range they are told to know.
            self.play(now)
        elif method != "PAUSE":
            self._refuse(method, status, words, kind, now)

    def _is_companion_url(self) -> bool:
        """Whether the URL is one of Axis, and without the argument that Companion cameras ask."""
        return "/axis-media/" in self.url and "axis-orig-sw" not in self.url.lower()

    def _redirect(self, method: str, status: int, location: str, now: float) -> None:
        """Go elsewhere, if that is safe."""
        kind = RefusalKind.NOT_FOLLOWED
        try:
            target = redirect_target(self.url, location, status)
        except WireError as error:
            self._refuse(method, status, error.message, kind, now)
            return
        if self._redirects_left <= 0:
            self._refuse(method, status, "redirected too often", kind, now)
            return
        # Who is another host gets no credentials: a camera could hand them to anyone.
        same_host = host_of(target) == host_of(self.url)
        self._redirected = Redirected(target, self._credentials if same_host else None)
        self._give_up(self._redirected, now)

    def _refuse(self, method: str, status: int, words: str, kind: RefusalKind, now: float) -> None:
        self._give_up(Refused(PeerRefused(method, status, words), kind), now)

    def _give_up(self, event: Refused | Redirected, now: float) -> None:
        """End, and free the session: cameras have few of them (quirk 10)."""
        lost = isinstance(event, Refused) and event.kind is RefusalKind.SESSION_LOST
        if self._client.session_id and not lost:
            self._client.abandon()
            self._send_optional("TEARDOWN", now)
            self._client.abandon()
        self._phase = Phase.OVER
        self._events.append(event)

    # The end

    def _server_ended(self, outcome: ServerEnded, now: float) -> None:
        """End as the server wants, or go where it says."""
        self._client.session_id = ""
        if outcome.location:
            self._redirect("REDIRECT", 302, outcome.location, now)
        else:
            self._end(outcome.reason)

    def _end(self, reason: str) -> None:
        self._phase = Phase.OVER
        self._client.abandon()
        self._events.append(Ended(reason))

    # Signs of life

    def _send_keep_alive(self, method: str | None, now: float) -> None:
        """Send the next method of a round, if there is one."""
        assert self._keep_alive is not None
        self._keep_alive_tag = None
        if method is not None:
            timeout = min(REQUEST_TIMEOUT_SECONDS, self._keep_alive.interval_seconds / 2)
            self._keep_alive_tag = self._client.send(
                method, self._aggregate_url, now, essential=False, timeout=timeout
            )

    def _keep_alive_answered(self, outcome: Outcome, now: float) -> None:
        """Go on with a round; only "session not found" by every method ends the session."""
        assert self._keep_alive is not None
        assert not isinstance(outcome, ServerEnded)
        status = 0 if isinstance(outcome, Unanswered) else outcome.response.status
        forbidden = isinstance(outcome, rtsp_client.Refused) and outcome.failure is not None
        following = self._keep_alive.answered(outcome.method, status, now, forbidden)
        if self._keep_alive.session_lost:
            words = "the camera does not know the session any more"
            self._refuse(outcome.method, status, words, RefusalKind.SESSION_LOST, now)
        else:
            self._send_keep_alive(following, now)


#: What follows a 2xx.
_ACCEPTED: dict[str, Callable[[Dialogue, Response, float], None]] = {
    "OPTIONS": Dialogue._options_accepted,
    "DESCRIBE": Dialogue._describe_accepted,
    "SETUP": Dialogue._setup_accepted,
    "PLAY": Dialogue._play_accepted,
    "PAUSE": Dialogue._pause_accepted,
}
