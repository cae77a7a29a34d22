"""The outermost of the HTTP server: what a client may ask for of our memory and our time.

A request is bounded in everything: its head by Twisted, its body in bytes, all of it in time, the
connections in number, in all and from one address. A body that is too long is refused before it is
read.

A connection can be given away to another protocol, for a WebSocket. It is still counted here. Only
what Twisted lets a subclass override is used for it: the request is finished without Twisted having
written an answer to it, which makes the channel go back to reading lines; there the new protocol
steps in, and gets what had come behind the request. HTTP's idle timer and its producer end then.
"""

from collections import Counter
from typing import Any
from urllib.parse import unquote_to_bytes

from twisted.internet.interfaces import IAddress, IDelayedCall
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.resource import IResource
from twisted.web.server import Request, Site

#: Bytes of a request's body.
MAX_BODY_BYTES = 1 << 20
#: A connection on which nothing happens is closed, in seconds.
IDLE_SECONDS = 60
#: A request must be whole so long after its first line, in seconds.
REQUEST_SECONDS = 30.0
#: Connections in all, and from one address.
MAX_CONNECTIONS = 1000
MAX_ADDRESS_CONNECTIONS = 200


class BoundedRequest(Request):
    """Refuses a body that is too long, and breaks off a request that does not come to an end."""

    _deadline: IDelayedCall | None = None
    _received_bytes = 0

    def __init__(self, channel: Any, *arguments: Any, **more: Any) -> None:
        super().__init__(channel, *arguments, **more)
        if isinstance(channel, BoundedChannel):
            later = channel.factory.reactor.callLater
            self._deadline = later(REQUEST_SECONDS, self._refuse, b"408 Request Timeout")

    def gotLength(self, length: int | None) -> None:
        """Refuse what is too long before it is read."""
        if length is not None and length > MAX_BODY_BYTES:
            self._refuse(b"413 Content Too Large")
            length = 0
        super().gotLength(length)

    def handleContentChunk(self, data: bytes) -> None:
        """Count what comes, be it told of or not."""
        self._received_bytes += len(data)
        if self._received_bytes > MAX_BODY_BYTES:
            self._refuse(b"413 Content Too Large")
        else:
            super().handleContentChunk(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """Go on with a request that is whole, and whose path and host are text."""
        self._forget_deadline()
        hosts = self.requestHeaders.getRawHeaders(b"host", [])
        if all(map(_is_text, (unquote_to_bytes(path.partition(b"?")[0]), *hosts))):
            super().requestReceived(command, path, version)
        else:
            self._refuse(b"400 Bad Request")

    def connectionLost(self, reason: Failure) -> None:
        """Forget a request that did not come to its end."""
        self._forget_deadline()
        super().connectionLost(reason)

    def _forget_deadline(self) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()

    def _refuse(self, status: bytes) -> None:
        """Say why, and read no more of this connection."""
        self._forget_deadline()
        channel: Any = self.channel
        channel.transport.write(b"HTTP/1.1 " + status + b"\r\nConnection: close\r\n\r\n")
        channel.loseConnection()


class BoundedChannel(HTTPChannel):
    """A connection that is counted, and may be given away."""

    factory: "BoundedSite"
    transport: Any
    _host: str | None = None
    _successor: Protocol | None = None

    def connectionMade(self) -> None:
        """Count it."""
        super().connectionMade()
        self._host = _host_of(self.getPeer())
        self.factory.connections[self._host] += 1

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """Count it no more."""
        super().connectionLost(reason)
        self._count_out()
        if self._successor is not None:
            self._successor.connectionLost(reason)

    def _count_out(self) -> None:
        connections, host = self.factory.connections, self._host
        if host is not None:
            self._host = None
            connections[host] -= 1
            if not connections[host]:
                del connections[host]

    def hand_over(self, request: Request, answer: bytes, successor: Protocol) -> None:
        """Answer the request being served, and give the connection to another protocol.

        :param answer: head and all.
        """
        self._successor = successor
        self.persistent = 1
        request.startedWriting = 1
        self.transport.write(answer)
        request.finish()

    def setLineMode(self, extra: bytes = b"") -> None:  # noqa: N802
        """Read the next request; or begin what the connection has been given to."""
        if self._successor is None:
            super().setLineMode(extra)
            return
        self.setTimeout(None)
        self.transport.unregisterProducer()
        self.transport.resumeProducing()
        self._successor.makeConnection(self.transport)
        if extra:
            self._successor.dataReceived(extra)

    def rawDataReceived(self, data: bytes) -> None:  # noqa: N802
        """Take bytes that are no line."""
        if self._successor is None:
            super().rawDataReceived(data)
        else:
            self._successor.dataReceived(data)


class BoundedSite(Site):
    """Takes so many connections and no more; tells the log of none of them.

    :ivar connections: how many there are, by address.
    """

    noisy = False
    displayTracebacks = False  # noqa: N815 - Twisted's name
    requestFactory = BoundedRequest  # noqa: N815
    protocol = BoundedChannel  # type: ignore[assignment]

    def __init__(self, resource: IResource) -> None:
        super().__init__(resource, timeout=IDLE_SECONDS)
        self.connections: Counter[str] = Counter()

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Take a connection, unless there are too many."""
        if (
            self.connections[_host_of(addr)] >= MAX_ADDRESS_CONNECTIONS
            or self.connections.total() >= MAX_CONNECTIONS
        ):
            return None
        return super().buildProtocol(addr)

    def log(self, request: Request) -> None:  # type: ignore[override]
        """Say nothing."""


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _host_of(address: object) -> str:
    return getattr(address, "host", "")
