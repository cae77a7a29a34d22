"""One connection of a client of the RTSP server: RTSP, or one direction of a tunnel.

The first bytes tell whether it speaks RTSP or HTTP. Requests are answered in their order, whatever
the connection they came by; where a tunnel has two, replies and media go down the one that was
opened with GET.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer, ISSLTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from axis_nvr.errors import WireError
from axis_nvr.protocols.rtsp_requests import ClientSession
from axis_nvr.session.server.dialogue import (
    IDLE_TIMEOUT_SECONDS,
    Asked,
    Guard,
    RtspServer,
    SessionClosed,
)
from axis_nvr.session.server.sessions import RequestRefused, ServerSession
from axis_nvr.session.server.tunnel import (
    Base64Stream,
    TunnelOpened,
    TunnelOpening,
    acceptance,
    begins_with_http,
    refusal,
)
from axis_nvr.wire.rtsp import Request

if TYPE_CHECKING:
    from axis_nvr.protocols.rtsp_server import RtspServerFactory


@implementer(IPushProducer)
class RtspServerProtocol(Protocol):
    """One connection of a client: RTSP, or one direction of a tunnel.

    :param server: what it is a connection of.
    :param account: in whose name it is spoken, where that is known already; None: its client is
        yet to say.
    :ivar account: empty while nobody has proved to be anybody.
    :ivar carried: the sessions whose packets travel in it.
    """

    log = Logger()
    transport: Any

    def __init__(self, server: "RtspServerFactory", account: str | None = None) -> None:
        self.blocked = False
        #: Since when nothing of what it says is read, for it takes nothing; None: it is read.
        self.unread_since: float | None = None
        self.account = account or ""
        self.carried: dict[ServerSession, ClientSession] = {}
        #: What names the tunnel that this connection is the downward half of; or empty.
        self.cookie = ""
        self._server = server
        self._receive: Callable[[bytes], None] = self._sniff
        self._start = b""
        self._rtsp: RtspServer | None = None
        self._opening = TunnelOpening(self._let_in)
        self._base64 = Base64Stream()
        self._down: RtspServerProtocol | None = None  # of the connection that goes up
        self._ups: set[RtspServerProtocol] = set()  # of the connection that goes down
        self._pumping = False
        self._ended = False
        self._due = server.clock.seconds() + IDLE_TIMEOUT_SECONDS
        self._is_inner = account is not None
        if self._is_inner:
            self._speak_rtsp(server.inner_guard)

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
        self.unread_since = self._server.clock.seconds()
        for source in (self, *self._ups):
            source.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """Go on."""
        self.blocked = self._ended
        self.unread_since = None
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
        return str(getattr(self.transport.getPeer(), "host", ""))

    @property
    def server_host(self) -> str:
        """The IP address by which the client reached us."""
        return str(getattr(self.transport.getHost(), "host", ""))

    @property
    def is_secure(self) -> bool:
        """Whether TLS is around it."""
        return bool(ISSLTransport.providedBy(self.transport))

    @property
    def tunnelled(self) -> bool:
        """Whether HTTP or a WebSocket is around it."""
        return bool(self.cookie) or self._is_inner

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
            self._speak_rtsp(self._server.admission.guard(self))
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

    def _let_in(self, request: Request) -> None:
        """Learn in whose name a tunnel is opened.

        :raises RequestRefused: in nobody's.
        """
        self.account = self._server.admission.tunnel(request, self)

    def _begin_tunnel(self, opened: TunnelOpened) -> None:
        """Become one direction of a tunnel.

        :raises RequestRefused: there is no other half, or this one is there already.
        """
        if opened.down:
            self._server.add_tunnel(opened.cookie, self)
            self.cookie = opened.cookie
            self.write(acceptance())
            self._speak_rtsp(self._server.inner_guard)
            self._receive = _ignore  # nothing comes up on this one
            return
        self._down = self._server.tunnel(opened.cookie, self.account)
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
