"""HTTP and tunnels on one port."""

import contextlib
import ssl
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL import crypto
from twisted.internet.address import IPv4Address
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import CertificateOptions
from twisted.internet.task import Clock
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.protocols import rtsp_server
from axis_nvr.protocols.rtsp_server import RtspServerFactory
from axis_nvr.protocols.shared_port import SharedPort, SharedPortFactory
from axis_nvr.session.server.tunnel import MAX_HEAD_BYTES, opens_tunnel
from tests.protocols.certificates import issue
from tests.protocols.rtsp_serving import Presentation, UdpClock
from tests.simulator.client import MemoryTransport

TUNNEL = (
    b"GET /axis-media/media.amp?device=a HTTP/1.0\r\nUser-Agent: x\r\n"
    b"X-SessionCookie: c\r\nAccept: application/x-rtsp-tunnelled\r\n\r\n"
)
PEER = IPv4Address("TCP", "192.0.2.9", 5)


class Web(Protocol):
    """An HTTP server that keeps what it is told."""

    def __init__(self) -> None:
        self.data = b""
        self.lost = 0

    def connectionMade(self) -> None:
        self.transport.registerProducer(self, True)  # type: ignore[union-attr]

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def connectionLost(self, reason: Any = None) -> None:
        self.lost += 1


class SharedPortTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.webs: list[Web] = []

        class Site(Factory):
            def buildProtocol(_, addr: Any) -> Web:  # noqa: N805
                self.webs.append(Web())
                return self.webs[-1]

        self.rtsp = RtspServerFactory(UdpClock(), self)
        self.factory = SharedPortFactory(Site(), self.rtsp)

    def open(self, url: Any) -> Any:
        return Presentation([])

    def connect(self) -> tuple[SharedPort, MemoryTransport]:
        protocol = self.factory.buildProtocol(PEER)
        assert isinstance(protocol, SharedPort)
        transport = MemoryTransport(peerAddress=PEER)
        protocol.makeConnection(transport)
        return protocol, transport

    def negotiated(self, factory: Any, *offered: str) -> str | None:
        """Shake hands in TLS, offering protocols (ALPN); give the one that was agreed on."""
        own = issue("recorder")
        options = CertificateOptions(
            crypto.PKey.from_cryptography_key(own.key),
            crypto.X509.from_cryptography(own.certificate),
        )
        server = TLSMemoryBIOFactory(options, False, factory, Clock()).buildProtocol(PEER)
        transport = MemoryTransport(peerAddress=PEER)
        server.makeConnection(transport)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(list(offered))
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = context.wrap_bio(incoming, outgoing)
        for _ in range(3):
            with contextlib.suppress(ssl.SSLWantReadError):
                client.do_handshake()
            if data := outgoing.read():
                server.dataReceived(data)
            incoming.write(transport.value())
            transport.clear()
        self.assertEqual(client.version(), "TLSv1.3")
        return client.selected_alpn_protocol()

    def test_what_browsers_offer(self) -> None:
        """Browsers and curl offer HTTP/2 and HTTP/1.1 within TLS, others nothing: all get in."""
        for factory in (self.factory, self.rtsp):
            self.assertEqual(self.negotiated(factory, "h2", "http/1.1"), "http/1.1")
            self.assertIsNone(self.negotiated(factory))

    def test_http(self) -> None:
        """Goes on byte for byte, as soon as it is sure, and the end too."""
        for first in (b"POST /axis-cgi/x", b"GET / ", b"HEAD", b"\x16", b"G/", TUNNEL[:50]):
            protocol, _ = self.connect()
            rest = b"\r\n\r\nbody"
            for data in (first[:1], first[1:], rest):
                protocol.dataReceived(data)
            self.assertEqual(self.webs[-1].data, first + rest)
            protocol.connectionLost()
            self.assertEqual(self.webs[-1].lost, 1)

    def test_a_tunnel(self) -> None:
        """HTTP hears that the connection is gone; RTSP gets all of it."""
        protocol, transport = self.connect()
        for place in range(len(TUNNEL)):
            self.assertEqual(transport.value(), b"")
            protocol.dataReceived(TUNNEL[place : place + 1])
        self.assertTrue(transport.value().startswith(b"HTTP/1.0 200 OK\r\n"))
        self.assertEqual((self.webs[0].data, self.webs[0].lost), (b"", 1))
        (connection,) = self.rtsp.connections
        self.assertIs(transport.producer, connection)
        protocol.connectionLost()
        self.assertEqual((self.rtsp.connections, self.webs[0].lost), ([], 1))

    def test_no_room(self) -> None:
        """A tunnel that the RTSP server does not take is closed."""
        self.patch(rtsp_server, "MAX_CONNECTIONS", 0)
        protocol, transport = self.connect()
        protocol.dataReceived(TUNNEL)
        self.assertTrue(transport.aborted)
        protocol.dataReceived(b"more")
        protocol.connectionLost()

    def test_a_head_without_end(self) -> None:
        """Is HTTP's business after a while."""
        protocol, _ = self.connect()
        protocol.dataReceived(TUNNEL[:-2] + b"X: " + b"x" * MAX_HEAD_BYTES)
        self.assertGreater(len(self.webs[0].data), MAX_HEAD_BYTES)

    @settings(max_examples=50, deadline=None)
    @given(st.integers(0, len(TUNNEL) - 1))
    def test_the_verdict_never_turns(self, size: int) -> None:
        """Of a tunnel's first bytes none is taken for HTTP."""
        self.assertIsNone(opens_tunnel(TUNNEL[:size]))
        self.assertTrue(opens_tunnel(TUNNEL + b"anything"))
