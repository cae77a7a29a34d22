"""HTTP and RTSP tunnels on one port: the first request of a connection tells which it is.

A tunnel's request names an ``x-sessioncookie``, and a path where streams are. Everything else goes
on to HTTP at once, byte for byte; while it is not yet known, HTTP's own idle timer and limits watch
over the connection.
"""

from typing import Any

from twisted.internet.interfaces import IAddress, IProtocolNegotiationFactory
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from axis_nvr.protocols.rtsp_server import RtspServerFactory
from axis_nvr.session.server.tunnel import opens_tunnel


class SharedPort(Protocol):
    """One connection, not yet known to be what.

    :param http: what it is unless its first request opens a tunnel.
    """

    transport: Any

    def __init__(self, http: Any, rtsp: RtspServerFactory, address: IAddress | None) -> None:
        self._inner = http
        self._rtsp = rtsp
        self._address = address
        self._start: bytes | None = b""

    def connectionMade(self) -> None:
        """Be HTTP, for now."""
        self._inner.makeConnection(self.transport)

    def dataReceived(self, data: bytes) -> None:
        """Find out what it is, then hand on what comes."""
        if self._start is None:
            self._inner.dataReceived(data)
            return
        self._start += data
        is_tunnel = opens_tunnel(self._start)
        if is_tunnel is None:
            return
        start, self._start = self._start, None
        if is_tunnel and not self._become_tunnel():
            return
        self._inner.dataReceived(start)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell what it has become."""
        self._inner.connectionLost(reason)

    def _become_tunnel(self) -> bool:
        """Part with HTTP; False if the RTSP server takes no more."""
        self.transport.unregisterProducer()
        self._inner.connectionLost(connectionDone)
        tunnel = self._rtsp.buildProtocol(self._address)
        self._inner = Protocol() if tunnel is None else tunnel
        self._inner.makeConnection(self.transport)
        if tunnel is None:
            self.transport.abortConnection()
        return tunnel is not None


@implementer(IProtocolNegotiationFactory)
class SharedPortFactory(ServerFactory):
    """An HTTP server that gives tunnels to an RTSP server.

    Within TLS it takes the protocol that browsers and curl offer (ALPN, RFC 7301): of a factory
    that names none, Twisted 26.10 breaks off the handshake of whoever offers any.

    :param site: the HTTP server.
    """

    noisy = False

    def __init__(self, site: Any, rtsp: RtspServerFactory) -> None:
        self._site = site
        self._rtsp = rtsp

    def doStart(self) -> None:  # noqa: N802
        """Start the HTTP server."""
        self._site.doStart()

    def doStop(self) -> None:  # noqa: N802
        """Stop the HTTP server."""
        self._site.doStop()

    def acceptableProtocols(self) -> list[bytes]:  # noqa: N802
        """Name what may be spoken within TLS."""
        return [b"http/1.1"]

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        """Take a connection, unless the HTTP server does not."""
        http = self._site.buildProtocol(addr)
        return None if http is None else SharedPort(http, self._rtsp, addr)
