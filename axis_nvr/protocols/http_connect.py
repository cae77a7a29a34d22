"""A connection through an HTTP proxy: ``CONNECT``, and from then on bytes of both ends.

::

    CONNECT host:port HTTP/1.1          HTTP/1.1 200 …
    Host: host:port                     [headers]
    [Proxy-Authorization: Basic …]
                                        (blank line; then it is as if connected to host)

Source: RFC 9110 §9.3.6.
"""

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
    ITCPTransport,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from axis_nvr.errors import PeerRefused, RemoteProtocolError

#: Bytes of the proxy's answer.
MAX_ANSWER_BYTES = 16 * 1024


@implementer(IStreamClientEndpoint)
class ConnectEndpoint:
    """Connects to a host through a proxy.

    :param proxy: connects to the proxy.
    :param authorization: value of ``Proxy-Authorization``, empty for none.
    """

    def __init__(
        self, proxy: IStreamClientEndpoint, host: str, port: int, authorization: str = ""
    ) -> None:
        self._proxy = proxy
        place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        lines = [f"CONNECT {place} HTTP/1.1", f"Host: {place}"]
        if authorization:
            lines.append(f"Proxy-Authorization: {authorization}")
        self._request = "\r\n".join([*lines, "", ""]).encode()

    def connect(self, protocolFactory: IProtocolFactory) -> "Deferred[IProtocol]":  # noqa: N803
        """Connect; cancelling ends the connection to the proxy.

        :raises PeerRefused: as a failure: the proxy said no.
        """
        return Deferred.fromCoroutine(self._connect(protocolFactory))

    async def _connect(self, factory: IProtocolFactory) -> IProtocol:
        tunnel = _Tunnel(self._request, factory)
        await self._proxy.connect(Factory.forProtocol(lambda: tunnel))
        return await tunnel.opened


class _Tunnel(Protocol):
    """Asks the proxy, then passes everything on."""

    transport: ITCPTransport

    def __init__(self, request: bytes, factory: IProtocolFactory) -> None:
        self.opened: Deferred[IProtocol] = Deferred(lambda _: self.transport.abortConnection())
        self._request = request
        self._factory = factory
        self._answer = b""
        self._inner: IProtocol | None = None

    def connectionMade(self) -> None:
        self.transport.write(self._request)

    def dataReceived(self, data: bytes) -> None:
        if self._inner is not None:
            self._inner.dataReceived(data)
            return
        self._answer += data
        head, blank, rest = self._answer.partition(b"\r\n\r\n")
        if blank:
            self._answered(head, rest)
        elif len(self._answer) > MAX_ANSWER_BYTES:
            self._fail(RemoteProtocolError("the proxy's answer has no end"))

    def _answered(self, head: bytes, rest: bytes) -> None:
        words = head.partition(b"\r\n")[0].split(None, 2)
        if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
            self._fail(RemoteProtocolError("the proxy does not answer in HTTP"))
            return
        status = int(words[1][:3])
        if not 200 <= status < 300:
            reason = words[2].decode("latin-1")[:100] if len(words) > 2 else ""
            self._fail(PeerRefused("CONNECT by the proxy", status, reason))
            return
        inner = self._factory.buildProtocol(self.transport.getPeer())
        assert inner is not None
        self._inner = inner
        inner.makeConnection(self.transport)
        if not self.opened.called:
            self.opened.callback(inner)
        if rest:
            inner.dataReceived(rest)

    def _fail(self, error: Exception) -> None:
        if not self.opened.called:
            self.opened.errback(error)
        self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._inner is not None:
            self._inner.connectionLost(reason)
        elif not self.opened.called:
            self.opened.errback(reason)
