"""One connection to a camera, and the two of a tunnel as one channel."""

from base64 import b64decode
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError, ConnectionDone, ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import ConfigError, PeerRefused, RemoteProtocolError, WireError
from axis_nvr.protocols.address import CameraAddress, CertificateValidation, StreamProtocol
from axis_nvr.protocols.channel import CLOSE_SECONDS, Connection, connect
from axis_nvr.protocols.tick import TICK_SECONDS, TickReader
from axis_nvr.protocols.tunnel import TunnelChannel
from axis_nvr.session.digest import Authenticator, Credentials
from axis_nvr.session.tunnel import TunnelClient
from tests.protocols.test_tick import FakeSocket

ADDRESS = CameraAddress("rtsp://192.0.2.1/axis-media/media.amp", StreamProtocol.RTSPH)
OK = b"HTTP/1.0 200 OK\r\n\r\n"
CHALLENGE = b'HTTP/1.0 401 Unauthorized\r\nWWW-Authenticate: Basic realm="x"\r\n\r\n'


class Transport(StringTransport):
    """A TCP transport as Twisted's, with a socket that says nothing."""

    def __init__(self) -> None:
        super().__init__(peerAddress=IPv4Address("TCP", "192.0.2.1", 554))
        self.socket = FakeSocket()
        self.aborted = False
        self.reading = True

    def getHandle(self) -> FakeSocket:  # noqa: N802
        return self.socket

    def setTcpNoDelay(self, enabled: bool) -> None:  # noqa: N802
        pass

    def setTcpKeepAlive(self, enabled: bool) -> None:  # noqa: N802
        pass

    def pauseProducing(self) -> None:
        self.reading = False

    def resumeProducing(self) -> None:
        self.reading = True

    def abortConnection(self) -> None:  # noqa: N802
        self.aborted = True


class Owner:
    """Notes what comes; raises if told to."""

    def __init__(self) -> None:
        self.data = b""
        self.lost: list[Failure] = []
        self.error: Exception | None = None

    def received(self, data: bytes) -> None:
        self.data += data
        if self.error is not None:
            raise self.error

    def channel_lost(self, reason: Failure) -> None:
        self.lost.append(reason)


class ConnectionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.ticker = TickReader(self.clock)
        self.owner = Owner()
        self.transport = Transport()
        self.connection = Connection(self.owner, self.ticker, self.clock)
        self.connection.makeConnection(self.transport)

    def test_to_and_fro(self) -> None:
        """What is written is sent, what comes is handed on, and both addresses are known."""
        self.connection.write(b"OPTIONS")
        self.connection.dataReceived(b"200")
        self.assertEqual((self.transport.value(), self.owner.data), (b"OPTIONS", b"200"))
        self.assertEqual(self.connection.hosts[1], "192.0.2.1")

    def test_rest(self) -> None:
        """At rest it is read on ticks, and ends as it should."""
        self.connection.rest()
        self.transport.socket.coming = [b"media", b""]
        self.transport.connectionLost = self.connection.connectionLost  # type: ignore[attr-defined]
        self.clock.advance(TICK_SECONDS)
        self.assertEqual(self.owner.data, b"media")
        self.clock.advance(TICK_SECONDS)
        self.assertIsInstance(self.owner.lost[0].value, ConnectionDone)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_nonsense(self) -> None:
        """What the owner cannot understand ends the connection at once, with the reason."""
        self.owner.error = WireError("no such thing")
        self.connection.dataReceived(b"?")
        self.assertTrue(self.transport.aborted)
        self.connection.connectionLost(Failure(ConnectionLost()))
        self.assertEqual([type(r.value) for r in self.owner.lost], [WireError])

    def test_a_surprise(self) -> None:
        """A bug of ours is logged with its traceback and ends this connection."""
        self.owner.error = KeyError("bug")
        self.connection.dataReceived(b"?")
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)
        self.assertTrue(self.transport.aborted)
        self.connection.dataReceived(b"too late")
        self.assertEqual(self.owner.data, b"?")

    def test_an_orderly_end(self) -> None:
        """Closing leaves the reactor reading, and after a while cuts."""
        self.connection.rest()
        self.connection.close()
        self.connection.close()
        self.assertTrue(self.transport.disconnecting)
        self.assertTrue(self.transport.reading)
        self.clock.advance(CLOSE_SECONDS)
        self.assertTrue(self.transport.aborted)

    def test_an_end_in_time(self) -> None:
        """A connection that goes when asked leaves no timer."""
        self.connection.close()
        self.connection.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(len(self.owner.lost), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_no_tls_to_validate(self) -> None:
        """Validation asked of a protocol without TLS: no connection, and the words say why."""
        for protocol in ("rtspt", "rtsph", "rtspu", "rtspm"):
            address = CameraAddress(
                ADDRESS.url,
                StreamProtocol(protocol),
                validation=CertificateValidation.LIMITED,
                ca=b"any",
            )
            made = connect(None, address, self.ticker, self.owner)
            failure = self.failureResultOf(Deferred.fromCoroutine(made), ConfigError)
            self.assertIn(f"protocol={protocol} has none", str(failure.value))

    def test_no_ca(self) -> None:
        """Validation without a CA: no connection either."""
        address = CameraAddress(
            ADDRESS.url, StreamProtocol.RTSPS, validation=CertificateValidation.STANDARD
        )
        made = connect(None, address, self.ticker, self.owner)
        failure = self.failureResultOf(Deferred.fromCoroutine(made), ConfigError)
        self.assertIn("needs a CA", str(failure.value))


class TunnelTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.ticker = TickReader(self.clock)
        self.owner = Owner()
        self.made: list[Connection] = []
        self.waiting: list[tuple[Any, Deferred[Connection]]] = []

    def tunnel(self, credentials: Credentials | None = None) -> TunnelChannel:
        async def connector(
            reactor: Any, address: CameraAddress, ticker: TickReader, owner: Any
        ) -> Connection:
            deferred: Deferred[Connection] = Deferred()
            self.waiting.append((owner, deferred))
            return await deferred

        authenticator = Authenticator(credentials) if credentials else None
        client = TunnelClient(ADDRESS.url, "cookie", authenticator)
        return TunnelChannel(self.clock, ADDRESS, self.ticker, self.owner, client, connector)

    def accept(self) -> Connection:
        """Have the oldest attempt connect."""
        owner, deferred = self.waiting.pop(0)
        connection = Connection(owner, self.ticker, self.clock)
        connection.makeConnection(Transport())
        deferred.callback(connection)
        self.clock.advance(0)
        return connection

    def open(self, channel: TunnelChannel) -> tuple[Deferred[None], Connection]:
        opening = Deferred.fromCoroutine(channel.open())
        return opening, self.accept()

    def test_one_channel(self) -> None:
        """Written bytes go up in base64, what comes down is handed on."""
        channel = self.tunnel()
        opening, down = self.open(channel)
        self.assertTrue(sent(down).startswith(b"GET "))
        down.dataReceived(OK + b"early")
        self.successResultOf(opening)
        channel.write(b"OPTIONS")
        channel.write(b"DESCRIBE")
        up = self.accept()
        head, _, body = sent(up).partition(b"\r\n\r\n")
        self.assertTrue(head.startswith(b"POST "))
        self.assertEqual(b64decode(body), b"OPTIONSDESCRIBE")
        channel.write(b"SETUP")
        self.assertTrue(sent(up).endswith(b"U0VUVVA="))
        down.dataReceived(b" late")
        self.assertEqual(self.owner.data, b"early late")

    def test_credentials(self) -> None:
        """A challenged GET is sent again on another connection; the first is dropped."""
        channel = self.tunnel(Credentials("root", "secret"))
        opening, first = self.open(channel)
        first.dataReceived(CHALLENGE)
        second = self.accept()
        self.assertTrue(transport(first).aborted)
        self.assertIn(b"Authorization: Basic", sent(second))
        second.dataReceived(OK)
        self.successResultOf(opening)
        first.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(self.owner.lost, [])

    def test_refused(self) -> None:
        """A refusal fails the opening, in the server's words."""
        opening, down = self.open(self.tunnel())
        down.dataReceived(b"HTTP/1.0 503 Too many\r\n\r\n")
        failure = self.failureResultOf(opening, PeerRefused)
        self.assertEqual(str(failure.value), "GET refused: 503 Too many")
        self.assertTrue(transport(down).aborted)

    def test_cancelled(self) -> None:
        """Cancelling an opening ends what it began."""
        opening, down = self.open(self.tunnel())
        opening.cancel()
        self.failureResultOf(opening)
        self.assertTrue(transport(down).aborted)

    def test_the_upward_connection_is_closed(self) -> None:
        """Closed unread, it is opened again with what was sent; closed read, with the next."""
        channel = self.tunnel()
        opening, down = self.open(channel)
        down.dataReceived(OK)
        self.successResultOf(opening)
        channel.write(b"OPTIONS")
        self.accept().connectionLost(Failure(ConnectionDone()))
        second = self.accept()
        self.assertEqual(b64decode(sent(second).partition(b"\r\n\r\n")[2]), b"OPTIONS")
        down.dataReceived(b"RTSP/1.0 200 OK")
        second.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.waiting, [])
        channel.write(b"DESCRIBE")
        third = self.accept()
        self.assertEqual(b64decode(sent(third).partition(b"\r\n\r\n")[2]), b"DESCRIBE")

    def test_the_upward_connection_is_challenged(self) -> None:
        """A challenged POST is sent again with what was behind it."""
        channel = self.tunnel(Credentials("root", "secret"))
        opening, down = self.open(channel)
        down.dataReceived(OK)
        self.successResultOf(opening)
        channel.write(b"OPTIONS")
        self.accept().dataReceived(CHALLENGE)
        second = self.accept()
        self.assertIn(b"Authorization: Basic", sent(second))
        self.assertEqual(b64decode(sent(second).partition(b"\r\n\r\n")[2]), b"OPTIONS")

    def test_the_upward_connection_fails(self) -> None:
        """Refused or unreachable, it takes the channel with it, once."""
        for outcome in (PeerRefused, ConnectError, RemoteProtocolError):
            self.setUp()
            channel = self.tunnel()
            opening, down = self.open(channel)
            down.dataReceived(OK)
            self.successResultOf(opening)
            channel.write(b"OPTIONS")
            if outcome is PeerRefused:
                self.accept().dataReceived(b"HTTP/1.0 403 Forbidden\r\n\r\n")
            elif outcome is ConnectError:
                self.waiting.pop(0)[1].errback(ConnectError())
            else:
                for _ in range(3):
                    self.accept().connectionLost(Failure(ConnectionDone()))
                self.accept()
            self.assertEqual([type(r.value) for r in self.owner.lost], [outcome])
            self.assertTrue(transport(down).aborted)
            down.connectionLost(Failure(ConnectionLost()))
            self.assertEqual(len(self.owner.lost), 1)

    def test_the_downward_connection_is_the_channel(self) -> None:
        """With it the channel ends."""
        channel = self.tunnel()
        opening, down = self.open(channel)
        down.dataReceived(OK)
        self.successResultOf(opening)
        channel.write(b"OPTIONS")
        up = self.accept()
        channel.rest()
        down.connectionLost(Failure(ConnectionDone()))
        self.assertTrue(transport(up).aborted)
        self.assertEqual(len(self.owner.lost), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_close(self) -> None:
        """Both connections end in an orderly way."""
        channel = self.tunnel()
        opening, down = self.open(channel)
        down.dataReceived(OK)
        self.successResultOf(opening)
        channel.write(b"TEARDOWN")
        up = self.accept()
        channel.close()
        for connection in (up, down):
            self.assertTrue(transport(connection).disconnecting)
            connection.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(len(self.owner.lost), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])


def transport(connection: Connection) -> Transport:
    found = connection.transport
    assert isinstance(found, Transport)
    return found


def sent(connection: Connection) -> bytes:
    return bytes(transport(connection).value())
