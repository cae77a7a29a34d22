"""RTSP for browsers: ``/rtsp-over-websocket``.

What a player would send through a TCP connection it sends in binary messages, cut anywhere; what
it would get comes the same way. The RTSP server's own protocol sits on this as on a transport, so
a player that does not keep up is met as over TCP: frames are turned away until it does.

Source: ONVIF Streaming Specification §5.1.1.5 (``rtsp.onvif.org``); ``binary`` is the name that
Axis gives to the same.
"""

import math
from typing import Any
from typing import Protocol as Interface

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IPushProducer, ITransport
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from zope.interface import implementer

from axis_nvr.protocols.websocket import WebSocket
from axis_nvr.services.session_tokens import SessionTokens
from axis_nvr.session.websocket import NORMAL, UNSUPPORTED_DATA, Limits, Received
from axis_nvr.vapix.call import Call, Endpoint, Reply, Upgrade, html_reply
from axis_nvr.vapix.websocket.entry import let_in

PATH = "/rtsp-over-websocket"
SUBPROTOCOLS = ("binary", "rtsp.onvif.org")
#: Whether a client is silent for too long, the RTSP session knows: one that is paused may be.
LIMITS = Limits(message_bytes=1 << 17, fatal_bytes=1 << 17, silence_seconds=math.inf)


class IRtspServer(Interface):
    """The RTSP server, as far as it matters here."""

    def build_admitted(self, address: str, account: str) -> Protocol | None:
        """Make a protocol for a client that was let in; None if there is no room."""


class RtspOverWebSocket:
    """Serves RTSP over WebSocket."""

    def __init__(self, server: IRtspServer, tokens: SessionTokens) -> None:
        self._server = server
        self._tokens = tokens

    def endpoint(self) -> Endpoint:
        """Return what serves it; who may use it is found out in `answer`."""
        return Endpoint(PATH, self.answer, None, ("GET",))

    async def answer(self, call: Call) -> Reply | Upgrade:
        """Open a connection to the RTSP server."""
        account = let_in(call, self._tokens, "rtspwssession")
        if isinstance(account, Reply):
            return account
        protocol = self._server.build_admitted(call.address, account)
        if protocol is None:
            return html_reply("<p>503 Service Unavailable: too many connections</p>", 503)
        return Upgrade(RtspCarrier(protocol), SUBPROTOCOLS, limits=LIMITS)


@implementer(ITransport, IPushProducer)
class RtspCarrier:
    """A WebSocket, to its RTSP protocol a transport.

    :param protocol: of the RTSP server.
    """

    disconnecting = False

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol
        self._producer: Any = None
        self._websocket: WebSocket

    # What the WebSocket calls.

    def opened(self, websocket: WebSocket) -> None:
        """Begin."""
        self._websocket = websocket
        self._protocol.makeConnection(self)

    def received(self, message: Received) -> None:
        """Take bytes from the client."""
        if isinstance(message, bytes):
            self._protocol.dataReceived(message)
        else:
            self._websocket.close(UNSUPPORTED_DATA, "binary messages only")

    def blocked(self) -> None:
        """Have frames turned away."""
        if self._producer is not None:
            self._producer.pauseProducing()

    def writable(self) -> None:
        """Have them come again."""
        if self._producer is not None:
            self._producer.resumeProducing()

    def closed(self, code: int, reason: str) -> None:
        """End what the connection carried."""
        clean = code == NORMAL
        self._protocol.connectionLost(Failure(ConnectionDone() if clean else ConnectionLost()))

    # What the protocol calls.

    def write(self, data: bytes) -> None:
        """Send bytes to the client."""
        self._websocket.send(data)

    def writeSequence(self, data: Any) -> None:  # noqa: N802
        """Send bytes to the client."""
        self.write(b"".join(data))

    def loseConnection(self) -> None:  # noqa: N802
        """Close, what was written going out first."""
        self.disconnecting = True
        self._websocket.close()

    def abortConnection(self) -> None:  # noqa: N802
        """Close at once."""
        self.disconnecting = True
        self._websocket.abort()

    def getPeer(self) -> Any:  # noqa: N802
        """Give the client's address."""
        return self._websocket.peer

    def getHost(self) -> Any:  # noqa: N802
        """Give our own address."""
        return self._websocket.host

    def registerProducer(self, producer: Any, streaming: bool) -> None:  # noqa: N802
        """Tell a producer from now on when the client does not keep up."""
        self._producer = producer

    def unregisterProducer(self) -> None:  # noqa: N802
        """Tell it no more."""
        self._producer = None

    def pauseProducing(self) -> None:
        """Read nothing from the client."""
        self._websocket.pause()

    def resumeProducing(self) -> None:
        """Read again."""
        self._websocket.resume()

    def stopProducing(self) -> None:
        """Close."""
        self.loseConnection()
