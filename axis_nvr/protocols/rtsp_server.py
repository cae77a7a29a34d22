"""The RTSP server on sockets: connections, tunnels, and the sessions of both.

One port takes RTSP, interleaved media and RTSP through HTTP; the first bytes tell which. Behind a
TLS endpoint the same factory serves ``rtsps`` and tunnels in HTTPS. What is served is behind
`axis_nvr.protocols.presentation.IPresentations`.

A session whose packets travel in a connection ends with it; one with datagrams lives on until its
client is silent for a minute, and may be told more from any connection.
"""

import secrets
from collections.abc import Callable, Iterator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IDelayedCall, IPushProducer
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from axis_nvr.errors import WireError
from axis_nvr.protocols.presentation import IPresentations
from axis_nvr.protocols.rtp_delivery import InterleavedDelivery, MulticastGroup, UdpPorts
from axis_nvr.protocols.rtsp_requests import ClientSession, RequestAnswerer
from axis_nvr.session.server.dialogue import (
    IDLE_TIMEOUT_SECONDS,
    Asked,
    Guard,
    RtspServer,
    SessionClosed,
    open_guard,
)
from axis_nvr.session.server.request_reader import InterleavedFrame
from axis_nvr.session.server.sessions import (
    MAX_SESSIONS,
    SESSION_ID_CHARACTERS,
    RequestRefused,
    ServerSession,
    SessionTable,
)
from axis_nvr.session.server.srtp import SrtpGate
from axis_nvr.session.server.tunnel import (
    Base64Stream,
    TunnelOpened,
    TunnelOpening,
    acceptance,
    begins_with_http,
    refusal,
)
from axis_nvr.wire.rtsp import Request

#: Connections of one server at a time; those beyond are closed at once.
MAX_CONNECTIONS = 1024
#: Seconds between two looks at what has timed out, at least.
MIN_SWEEP_SECONDS = 0.1


@implementer(IPushProducer)
class RtspServerProtocol(Protocol):
    """One connection of a client: RTSP, or one direction of a tunnel.

    :param server: what it is a connection of.
    """

    log = Logger()
    transport: Any

    def __init__(self, server: "RtspServerFactory") -> None:
        self.blocked = False
        #: What names the tunnel that this connection is the downward half of; or empty.
        self.cookie = ""
        self._server = server
        self._receive: Callable[[bytes], None] = self._sniff
        self._start = b""
        self._rtsp: RtspServer | None = None
        self._opening = TunnelOpening(server.tunnel_check)
        self._base64 = Base64Stream()
        self._down: RtspServerProtocol | None = None  # of the connection that goes up
        self._ups: set[RtspServerProtocol] = set()  # of the connection that goes down
        self._pumping = False
        self._ended = False
        self._due = server.clock.seconds() + IDLE_TIMEOUT_SECONDS

    # What Twisted calls.

    def connectionMade(self) -> None:
        """Take part in the server."""
        self.transport.registerProducer(self, True)
        if hasattr(self.transport, "setTcpNoDelay"):
            self.transport.setTcpNoDelay(True)
        self._server.connected(self)

    def dataReceived(self, data: bytes) -> None:
        """Take bytes from the client."""
        self._receive(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """End what depends on this connection."""
        self._receive = _ignore
        if self._down is not None:
            self._down._ups.discard(self)
        for up in list(self._ups):
            up.transport.abortConnection()
        self._server.disconnected(self)

    def pauseProducing(self) -> None:
        """Turn frames away and read nothing: the client does not keep up."""
        self.blocked = True
        for source in (self, *self._ups):
            source.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """Go on."""
        self.blocked = self._ended
        for source in (self, *self._ups):
            source.transport.resumeProducing()
        self._server.writable(self)

    def stopProducing(self) -> None:
        """Nothing to do: `connectionLost` follows."""

    # What the rest of the server asks of a connection.

    def write(self, data: bytes) -> None:
        """Send bytes to the client; none behind the end."""
        if not self._ended:
            self.transport.write(data)

    def disconnect(self) -> None:
        """Close, what was written going out first."""
        self._ended = self.blocked = True
        self._receive = _ignore
        self.transport.unregisterProducer()  # TLS would wait for it for ever
        self.transport.loseConnection()

    def abort(self) -> None:
        """Close at once."""
        self.transport.abortConnection()

    @property
    def client_host(self) -> str:
        """The IP address of the client."""
        return str(self.transport.getPeer().host)

    @property
    def server_host(self) -> str:
        """The IP address by which the client reached us."""
        return str(self.transport.getHost().host)

    @property
    def tunnelled(self) -> bool:
        """Whether HTTP is around it."""
        return bool(self.cookie)

    @property
    def carrier(self) -> "RtspServerProtocol":
        """The connection that replies and media go to."""
        return self if self._down is None else self._down

    @property
    def due(self) -> float:
        """When this connection has been silent for too long."""
        rtsp = self.carrier._rtsp
        return self._due if rtsp is None else rtsp.next_timeout()

    # The beginning: RTSP or HTTP?

    def _sniff(self, data: bytes) -> None:
        self._start += data
        http = begins_with_http(self._start)
        if http is None:
            return
        if http:
            self._receive = self._open_tunnel
        else:
            self._speak_rtsp(self._server.guard)
        self._receive(self._start)

    def _speak_rtsp(self, guard: Guard) -> None:
        """Be an RTSP server from now on."""
        self._rtsp = self._server.dialogue(guard)
        self._rtsp.start(self._server.clock.seconds())
        self._receive = self._take_rtsp

    def _open_tunnel(self, data: bytes) -> None:
        """Read the request that opens one direction of a tunnel."""
        try:
            opened = self._opening.receive(data)
            if opened is not None:
                self._begin_tunnel(opened)
        except RequestRefused as refused:
            self.write(refusal(refused))
            self.disconnect()

    def _begin_tunnel(self, opened: TunnelOpened) -> None:
        """Become one direction of a tunnel.

        :raises RequestRefused: there is no other half, or this one is there already.
        """
        if opened.down:
            self._server.add_tunnel(opened.cookie, self)
            self.cookie = opened.cookie
            self.write(acceptance())
            self._speak_rtsp(self._server.tunnel_guard)
            self._receive = _ignore  # nothing comes up on this one
            return
        self._down = self._server.tunnel(opened.cookie)
        self._down._ups.add(self)
        self._receive = self._take_base64
        self._take_base64(opened.rest)

    def _take_base64(self, data: bytes) -> None:
        """Take what the client sends up."""
        try:
            plain = self._base64.feed(data)
        except WireError:
            self.disconnect()
            return
        if plain:
            self.carrier._take_rtsp(plain)

    # RTSP.

    def _take_rtsp(self, data: bytes) -> None:
        if self._rtsp is not None:
            self._rtsp.receive(data, self._server.clock.seconds())
            self._pump(self._rtsp)

    def _pump(self, rtsp: RtspServer) -> None:
        """Send what is to be sent and do what is asked, until nothing is left to do."""
        if self._pumping:
            return
        self._pumping = True
        while True:
            self._flush(rtsp)
            events = rtsp.take_events()
            if not events:
                break
            for event in events:
                if isinstance(event, Asked):
                    Deferred.fromCoroutine(self._answer(event, rtsp))
                elif isinstance(event, SessionClosed):
                    self._server.answerer.end(event.session)
                else:
                    self._server.frame_received(self, event)
        self._pumping = False
        if rtsp.closing:
            self.disconnect()

    def _flush(self, rtsp: RtspServer) -> None:
        if output := rtsp.take_output():
            self.write(output)

    async def _answer(self, asked: Asked, rtsp: RtspServer) -> None:
        """Answer one request, whatever happens."""
        clock = self._server.clock
        try:
            reply = await self._server.answerer.answer(asked, self)
        except RequestRefused as refused:
            rtsp.refuse(asked, refused, clock.seconds())
        except Exception:  # the outermost frame of one request
            self.log.failure("while answering {method}", method=asked.method)
            rtsp.refuse(asked, RequestRefused(500), clock.seconds())
        else:
            rtsp.accept(asked, clock.seconds(), headers=reply.headers, body=reply.body)
            if reply.playing is not None:
                self._flush(rtsp)  # the reply goes before the media
                with self.log.failuresHandled("while beginning to play"):
                    reply.playing.started()
        self._pump(rtsp)


def _ignore(data: bytes) -> None:
    """Take bytes that mean nothing any more."""


class RtspServerFactory(ServerFactory):
    """The server: its connections, its sessions, and what times out.

    :param reactor: clock, and where UDP ports are opened.
    :param presentations: what there is to see.
    :param guard: who may ask for it over RTSP.
    :param tunnel_check: raises `RequestRefused` for HTTP requests that may not open a tunnel.
    :param tunnel_guard: who may ask within a tunnel; open, since HTTP has asked already
        (``Network.RTSP.AuthenticateOverHTTP=no``).
    :param intercept: sees each request first and may refuse it.
    :param interface: the IP address that UDP ports are bound to, empty for all.
    :param multicast: where tracks go for clients that ask for multicast; None: they may not.
    :param options: feature tags that a ``Require`` header may name.
    :param srtp: has the keys, if media is to be protected; None: it goes as plain RTP.
    """

    noisy = False

    def __init__(
        self,
        reactor: Any,
        presentations: IPresentations,
        *,
        guard: Guard = open_guard,
        tunnel_check: Callable[[Request], None] = lambda request: None,
        tunnel_guard: Guard = open_guard,
        intercept: Callable[[Request], None] = lambda request: None,
        session_limit: int = MAX_SESSIONS,
        interface: str = "",
        multicast: MulticastGroup | None = None,
        options: frozenset[str] = frozenset(),
        srtp: SrtpGate | None = None,
    ) -> None:
        self.clock = reactor
        self.guard = guard
        self.tunnel_check = tunnel_check
        self.tunnel_guard = tunnel_guard
        self.sessions = SessionTable(
            lambda: secrets.token_hex(SESSION_ID_CHARACTERS // 2), limit=session_limit
        )
        self.udp = UdpPorts(reactor, interface, multicast=multicast is not None)
        self.answerer = RequestAnswerer(
            reactor, presentations, self.sessions, self.udp, multicast, srtp
        )
        #: Connections are closed at once until then, in seconds of the reactor.
        self.refusing_until = 0.0
        self._intercept = intercept
        self._options = options
        self._connections: dict[RtspServerProtocol, None] = {}
        self._tunnels: dict[str, RtspServerProtocol] = {}
        self._timer: IDelayedCall | None = None

    def buildProtocol(self, addr: IAddress | None) -> RtspServerProtocol | None:
        """Take one more client, if there is room."""
        full = len(self._connections) >= MAX_CONNECTIONS
        if full or self.clock.seconds() < self.refusing_until:
            return None
        return RtspServerProtocol(self)

    def stopFactory(self) -> None:  # noqa: N802
        """End everything: no port listens any more."""
        self.close()

    def close(self) -> None:
        """End all sessions and connections, and give the UDP ports back."""
        for session in self.sessions:
            self.sessions.remove(session)
            self.answerer.end(session)
        for connection in list(self._connections):
            connection.abort()
        self.udp.close()
        self._stop_timer()

    @property
    def connections(self) -> list[RtspServerProtocol]:
        """The connections there are."""
        return list(self._connections)

    def dialogue(self, guard: Guard) -> RtspServer:
        """Return the dialogue for a new connection."""
        return RtspServer(
            self.sessions, guard=guard, intercept=self._intercept, options=self._options
        )

    def connected(self, connection: RtspServerProtocol) -> None:
        """Count a connection in."""
        self._connections[connection] = None
        self._schedule()

    def disconnected(self, connection: RtspServerProtocol) -> None:
        """Count a connection out, and end the sessions that it carries."""
        self._connections.pop(connection, None)
        if self._tunnels.get(connection.cookie) is connection:
            del self._tunnels[connection.cookie]
        for session, _ in self._carried_by(connection):
            self.sessions.remove(session)
            self.answerer.end(session)
        if not self._connections and not len(self.sessions):
            self._stop_timer()

    def add_tunnel(self, cookie: str, connection: RtspServerProtocol) -> None:
        """Remember the downward half of a tunnel.

        :raises RequestRefused: there is one of this name.
        """
        if cookie in self._tunnels:
            raise RequestRefused(400, "Bad Request: x-sessioncookie in use")
        self._tunnels[cookie] = connection

    def tunnel(self, cookie: str) -> RtspServerProtocol:
        """Find the downward half of a tunnel.

        :raises RequestRefused: there is none of this name.
        """
        if cookie not in self._tunnels:
            raise RequestRefused(404)
        return self._tunnels[cookie]

    def writable(self, connection: RtspServerProtocol) -> None:
        """Let the presentations go on that a slow client held up."""
        for _, client in self._carried_by(connection):
            client.presentation.writable()

    def frame_received(self, connection: RtspServerProtocol, frame: InterleavedFrame) -> None:
        """Take a frame of a client's: a sign of life, and mostly a receiver report."""
        for session, client in self._carried_by(connection):
            session.last_seen = self.clock.seconds()
            for track, delivery in client.deliveries.items():
                if isinstance(delivery, InterleavedDelivery) and (
                    delivery.channels[1] == frame.channel
                ):
                    client.presentation.receiver_report(track, frame.payload)

    def _carried_by(
        self, connection: RtspServerProtocol
    ) -> Iterator[tuple[ServerSession, ClientSession]]:
        """Find the sessions whose packets travel in a connection."""
        for session in self.sessions:
            client = session.application
            if isinstance(client, ClientSession) and client.connection is connection:
                yield session, client

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _schedule(self) -> None:
        """Look again when the first session or connection may have timed out."""
        dues = [connection.due for connection in self._connections]
        if (due := self.sessions.next_timeout()) is not None:
            dues.append(due)
        if self._timer is None and dues:
            delay = max(MIN_SWEEP_SECONDS, min(dues) - self.clock.seconds())
            self._timer = self.clock.callLater(delay, self._time_out)

    def _time_out(self) -> None:
        """End the sessions and connections that are silent for too long."""
        self._timer = None
        now = self.clock.seconds()
        for session in self.sessions.expire(now):
            client = session.application
            self.answerer.end(session)
            if isinstance(client, ClientSession) and client.connection is not None:
                client.connection.abort()
        busy = {
            session.application.connection
            for session in self.sessions
            if isinstance(session.application, ClientSession)
        }
        for connection in list(self._connections):
            if connection.due <= now and connection.carrier not in busy:
                connection.abort()
        self._schedule()
