"""Opening WebSockets: challenges, refusals, and servers that do not answer."""

from typing import Any, cast

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import RemoteProtocolError
from axis_nvr.protocols.websocket import WebSocket
from axis_nvr.protocols.websocket_client import HANDSHAKE_SECONDS, connect
from axis_nvr.session.digest import Authenticator, Credentials, secret_hash
from axis_nvr.session.server.challenger import Challenger, Verdict
from axis_nvr.session.websocket import Limits, Received
from axis_nvr.session.websocket_handshake import ServerHandshake, UpgradeRefused


class Listener:
    """Notes what comes."""

    def __init__(self) -> None:
        self.log: list[object] = []

    def opened(self, websocket: WebSocket) -> None:
        self.log.append("opened")

    def received(self, message: Received) -> None:
        self.log.append(message)

    def blocked(self) -> None:
        self.log.append("blocked")

    def writable(self) -> None:
        self.log.append("writable")

    def closed(self, code: int, reason: str) -> None:
        self.log.append(code)


class Server:
    """An endpoint whose server answers as told."""

    def __init__(self) -> None:
        self.connections: list[tuple[Any, StringTransport]] = []

    def connect(self, factory: Any) -> "Deferred[Any]":
        protocol, transport = factory.buildProtocol(None), StringTransport()
        protocol.makeConnection(transport)
        self.connections.append((protocol, transport))
        return succeed(protocol)

    @property
    def headers(self) -> dict[str, str]:
        """Headers of the request that came last."""
        lines = self.connections[-1][1].value().decode().split("\r\n")
        return {name: value for name, _, value in (line.partition(": ") for line in lines[1:])}

    def answer(self, data: bytes) -> None:
        self.connections[-1][0].dataReceived(data)

    def accept(self, more: bytes = b"") -> None:
        """Agree, and send more in the same piece."""
        fields = [(name.encode(), value.encode()) for name, value in self.headers.items()]
        answer, _ = ServerHandshake(fields).accept("", Limits(), 0.0, deflate=False)
        self.answer(answer + more)

    def refuse(self, status: int, *challenges: str) -> None:
        fields = "".join(f"WWW-Authenticate: {challenge}\r\n" for challenge in challenges)
        self.answer(f"HTTP/1.1 {status} x\r\n{fields}Content-Length: 0\r\n\r\n".encode())


class ClientTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.server = Server()
        self.listener = Listener()

    def open(self, authenticator: Authenticator | None = None) -> "Deferred[WebSocket]":
        endpoint = cast(IStreamClientEndpoint, self.server)
        coroutine = connect(
            self.clock, endpoint, "cam", "/ws?a=b", self.listener, authenticator=authenticator
        )
        return Deferred.fromCoroutine(coroutine)

    def test_opens(self) -> None:
        """The user is told, and gets what came with the server's answer, and the end once."""
        opening = self.open()
        self.server.accept(b"\x81\x02hi\x88\x00")
        websocket = self.successResultOf(opening)
        self.assertEqual(self.listener.log, ["opened", "hi"])
        self.assertFalse(websocket.is_open)
        self.server.connections[0][0].connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.listener.log, ["opened", "hi", 1005])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_answers_a_challenge(self) -> None:
        """A 401 is answered on a new connection, and the next time at once."""
        challenger = Challenger("AXIS", bytes(16), qop="auth")
        secret = secret_hash(Credentials("root", "pass"), "AXIS")
        authenticator = Authenticator(Credentials("root", "pass"))
        opening = self.open(authenticator)
        self.assertNotIn("Authorization", self.server.headers)
        self.server.refuse(401, challenger.challenge(0.0), 'Basic realm="AXIS"')
        for _ in range(2):
            answer = self.server.headers["Authorization"]
            verdict, _ = challenger.check(answer, "GET", "/ws?a=b", 0.0, lambda name: secret)
            self.assertIs(verdict, Verdict.ACCEPTED)
            self.server.accept()
            self.successResultOf(opening)
            opening = self.open(authenticator)
        self.assertEqual(len(self.server.connections), 4)
        opening.cancel()
        self.failureResultOf(opening, CancelledError)

    def test_wrong_credentials_are_tried_once(self) -> None:
        """A second 401 in a row is final: cameras lock out who guesses."""
        opening = self.open(Authenticator(Credentials("root", "pass")))
        self.server.refuse(401, 'Digest realm="a", nonce="1", qop="auth"')
        self.server.refuse(401, 'Digest realm="a", nonce="2", qop="auth"')
        refused = self.failureResultOf(opening, UpgradeRefused)
        self.assertEqual(refused.value.status, 401)
        self.assertEqual(len(self.server.connections), 2)

    def test_other_refusals(self) -> None:
        """404, 503 and a 401 to one without an account are told as they are."""
        for status in (404, 503, 401):
            opening = self.open()
            self.server.refuse(status, 'Digest realm="a", nonce="1"')
            refused = self.failureResultOf(opening, UpgradeRefused)
            self.assertEqual(refused.value.status, status)
            self.assertTrue(self.server.connections[-1][1].disconnected)

    def test_a_server_that_does_not_answer(self) -> None:
        """Silence, nonsense and an early end are errors of the peer's; the connection is closed."""
        opening = self.open()
        self.clock.advance(HANDSHAKE_SECONDS)
        self.failureResultOf(opening, RemoteProtocolError)
        self.assertTrue(self.server.connections[-1][1].disconnected)
        opening = self.open()
        self.server.answer(b"SSH-2.0-x\r\n\r\n")
        self.failureResultOf(opening, RemoteProtocolError)
        opening = self.open()
        self.server.connections[-1][0].connectionLost(Failure(ConnectionDone()))
        self.failureResultOf(opening, ConnectionDone)
        self.assertEqual(self.listener.log, [])

    def test_can_be_cancelled(self) -> None:
        """Who waits no longer leaves no connection behind."""
        opening = self.open()
        opening.cancel()
        self.failureResultOf(opening, CancelledError)
        self.assertTrue(self.server.connections[-1][1].disconnected)
        self.assertEqual(self.clock.getDelayedCalls(), [])
