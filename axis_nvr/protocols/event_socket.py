"""The events of a camera over WebSocket: a session like one over RTSP, for whoever uses it.

It asks for its topics and begins when the camera has agreed. A camera that does not take the filter
is asked for all events. It is pinged when it is silent, and given up when it does not answer.
"""

from collections.abc import Callable, Mapping
from typing import Any, NoReturn
from urllib.parse import urlsplit

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure

from axis_nvr.errors import NvrError, PeerRefused, RemoteProtocolError
from axis_nvr.media.units import AccessUnit, Codec, MetadataFormat, UnitSink
from axis_nvr.protocols.address import ENCRYPTED, CameraAddress
from axis_nvr.protocols.channel import make_endpoint
from axis_nvr.protocols.failures import NoAnswer
from axis_nvr.protocols.websocket import WebSocket
from axis_nvr.protocols.websocket_client import connect
from axis_nvr.session.digest import Authenticator
from axis_nvr.session.media_track import TrackStatistics
from axis_nvr.session.tracks import TrackDescription
from axis_nvr.session.websocket import ABNORMAL, Limits, Oversized, Received
from axis_nvr.wire.event_json import MAX_MESSAGE_BYTES, configure_request, read_answer

#: A camera that is silent is pinged after so long, and given up after so long, in seconds.
PING_SECONDS = 10.0
SILENCE_SECONDS = 30.0
#: How long the camera may take to agree, in seconds.
CONFIGURE_SECONDS = 10.0
ALL_TOPICS = "//."
LIMITS = Limits(
    message_bytes=MAX_MESSAGE_BYTES,
    fatal_bytes=4 * MAX_MESSAGE_BYTES,
    ping_seconds=PING_SECONDS,
    silence_seconds=SILENCE_SECONDS,
)
_FORMAT = MetadataFormat()


class EventSocket:
    """A session that brings events: see `axis_nvr.services.stream_plan.ICameraSession`.

    :param topics: what is asked for.
    :param clock: the reactor.
    :param deliver: takes the messages, each as a unit.
    :param lost: told once, if it happens after `configured` and not by `close`, that it is over.
    :ivar configured: fires when the camera has agreed.
    """

    def __init__(
        self,
        topics: str,
        clock: Any,
        deliver: UnitSink,
        lost: Callable[[Failure], None],
    ) -> None:
        self.configured: Deferred[None] = Deferred(lambda _: self._end())
        self.tracks = (_describe(),)
        self.clock_offset_us: int | None = None
        self.warnings: tuple[str, ...] = ()
        self._topics = topics
        self._clock = clock
        self._deliver = deliver
        self._lost: Callable[[Failure], None] | None = lost
        self._websocket: WebSocket | None = None
        self._gone: Deferred[None] | None = None

    # What the owner does.

    @property
    def heard(self) -> float | None:
        """Now: the WebSocket itself ends when the camera is silent for too long."""
        now: float = self._clock.seconds()
        return now

    def statistics(self) -> Mapping[int, TrackStatistics]:
        """Tell nothing: there are no packets."""
        return {}

    def set_urgent(self, urgent: bool) -> None:
        """Do nothing: what comes is read at once."""

    def read_now(self) -> None:
        """Do nothing, for the same reason."""

    def abort(self, reason: Failure) -> None:
        """End at once; it is lost for this reason."""
        self._tell_lost(reason)
        self._end()

    def close(self) -> "Deferred[None]":
        """End; fires when it is gone, and never fails."""
        self._lost = None
        self._gone = Deferred(lambda _: None)
        if self._websocket is None:
            self._gone.callback(None)
        else:
            self._websocket.close()
        return self._gone

    def _end(self) -> None:
        if self._websocket is not None:
            self._websocket.abort()

    # What the WebSocket does.

    def opened(self, websocket: WebSocket) -> None:
        """Ask for the events."""
        self._websocket = websocket
        websocket.send(configure_request(self._topics))

    def received(self, message: Received) -> None:
        """Take a message."""
        if isinstance(message, Oversized | bytes):
            return
        if self.configured.called:
            unit = AccessUnit(0, 0, 0, True, message.encode("utf-8", "replace"), _FORMAT)
            self._deliver((unit,))
        else:
            self._take_answer(message)

    def _take_answer(self, message: str) -> None:
        try:
            refusal = read_answer(message)
        except NvrError as error:
            self.configured.errback(RemoteProtocolError(str(error)))
            return
        if not refusal:
            self.configured.callback(None)
        elif self._topics != ALL_TOPICS and self._websocket is not None:
            self._topics = ALL_TOPICS
            self._websocket.send(configure_request(ALL_TOPICS))
        else:
            self.configured.errback(PeerRefused("events:configure", 0, refusal))

    def blocked(self) -> None:
        """Nothing is held back: next to nothing is sent."""

    def writable(self) -> None:
        """Nothing was held back."""

    def closed(self, code: int, reason: str) -> None:
        """Tell that it is over."""
        words = f"the camera closed its event stream: {code} {reason[:200]}"
        broken = ConnectionLost(reason[:200]) if code == ABNORMAL else RemoteProtocolError(words)
        self._websocket = None
        if self.configured.called:
            self._tell_lost(Failure(broken))
        else:
            self.configured.errback(broken)
        if self._gone is not None and not self._gone.called:
            self._gone.callback(None)

    def _tell_lost(self, reason: Failure) -> None:
        lost, self._lost = self._lost, None
        if lost is not None:
            lost(reason)


async def open_event_socket(
    reactor: Any,
    address: CameraAddress,
    topics: str,
    deliver: UnitSink,
    lost: Callable[[Failure], None],
) -> EventSocket:
    """Connect to a camera and have it tell its events. Cancelled, it stops trying.

    :param address: of its event stream, with ``ws`` or ``wss`` as scheme.
    :raises ConfigError: the address cannot be used as it is.
    :raises PeerRefused: the camera said no.
    :raises RemoteProtocolError: it did not say anything that can be understood.
    """
    endpoint = make_endpoint(reactor, address)
    parts = urlsplit(address.url)
    session = EventSocket(topics, reactor, deliver, lost)
    try:
        await connect(
            reactor,
            endpoint,
            _host(address),
            f"{parts.path}?{parts.query}",
            session,
            authenticator=Authenticator(address.credentials) if address.credentials else None,
            limits=LIMITS,
        )
        await session.configured.addTimeout(CONFIGURE_SECONDS, reactor, _took_too_long)
    except BaseException:
        session.close()
        raise
    return session


def _took_too_long(result: object, timeout: float) -> NoReturn:
    raise NoAnswer(f"the camera does not agree to tell events within {timeout:g} s")


def _host(address: CameraAddress) -> str:
    """Return the Host of a request."""
    host = f"[{address.host}]" if ":" in address.host else address.host
    usual = 443 if address.protocol in ENCRYPTED else 80
    return host if address.port == usual else f"{host}:{address.port}"


def _describe() -> TrackDescription:
    return TrackDescription(
        0, "application", Codec.ONVIF_METADATA, -1, 90_000, 1, {}, "", None, "JSON"
    )
