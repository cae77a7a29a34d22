"""Connections through a proxy."""

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import PeerRefused, RemoteProtocolError
from axis_nvr.protocols.http_connect import MAX_ANSWER_BYTES, ConnectEndpoint

ANSWER = b"HTTP/1.1 200 Connection established\r\nVia: a proxy\r\n\r\n"


class Inner(Protocol):
    """What is spoken through the proxy."""

    received = b""
    ended = False

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.ended = True


class Proxy:
    """Connects at once."""

    def __init__(self) -> None:
        self.transport = StringTransport(peerAddress=IPv4Address("TCP", "127.0.0.1", 8080))
        self.protocol: Any = None

    def connect(self, factory: Any) -> "Deferred[Any]":
        self.protocol = factory.buildProtocol(None)
        self.protocol.makeConnection(self.transport)
        return succeed(self.protocol)


class ConnectTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.proxy: Any = Proxy()

    def connect(self, host: str = "example.com", authorization: str = "") -> "Deferred[Any]":
        endpoint = ConnectEndpoint(self.proxy, host, 443, authorization)
        return endpoint.connect(Factory.forProtocol(Inner))

    def test_opened(self) -> None:
        """However the answer is cut, what is behind it goes to the protocol within."""
        for cut in range(len(ANSWER) + 1):
            self.setUp()
            connecting = self.connect()
            data = ANSWER + b"hello"
            self.proxy.protocol.dataReceived(data[:cut])
            self.proxy.protocol.dataReceived(data[cut:])
            inner = self.successResultOf(connecting)
            self.assertEqual(inner.received, b"hello")
            inner.transport.write(b"there")
            self.assertTrue(self.proxy.transport.value().endswith(b"\r\n\r\nthere"))
            self.proxy.protocol.connectionLost(Failure(connectionDone.value))
            self.assertTrue(inner.ended)

    def test_request(self) -> None:
        """Host and port, an IPv6 address in brackets, who we are if that is asked for."""
        self.connect("::1", "Basic cDpx")
        expected = (
            b"CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\nProxy-Authorization: Basic cDpx"
        )
        self.assertEqual(self.proxy.transport.value(), expected + b"\r\n\r\n")

    def test_refused(self) -> None:
        """A proxy that says no, or does not speak HTTP, or does not come to an end."""
        for answer, kind in (
            (b"HTTP/1.1 407 Who are you?\r\n\r\n", PeerRefused),
            (b"SSH-2.0-x\r\n\r\n", RemoteProtocolError),
            (b"HTTP/1.1\r\n\r\n", RemoteProtocolError),
            (b"x" * (MAX_ANSWER_BYTES + 1), RemoteProtocolError),
        ):
            self.setUp()
            connecting = self.connect()
            self.proxy.protocol.dataReceived(answer)
            self.failureResultOf(connecting, kind)
            self.assertTrue(self.proxy.transport.disconnecting)

    def test_gone(self) -> None:
        """The proxy ends the connection before it has answered; or we do."""
        connecting = self.connect()
        self.proxy.protocol.connectionLost(Failure(connectionDone.value))
        self.failureResultOf(connecting)
        self.setUp()
        connecting = self.connect()
        connecting.cancel()
        self.failureResultOf(connecting)
        self.assertTrue(self.proxy.transport.disconnecting)
