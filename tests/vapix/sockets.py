"""WebSockets as clients see them, in memory: what is asked, answered, sent and read."""

from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.session.digest import Authenticator, Credentials
from axis_nvr.session.websocket import Limits, Received, WebSocketDialogue
from axis_nvr.session.websocket_handshake import ClientHandshake
from axis_nvr.vapix.bounded_site import BoundedSite
from axis_nvr.vapix.call import Endpoint
from axis_nvr.vapix.server import HttpServer
from tests.vapix.serving import House


class PatientTransport(StringTransport):
    """Notes an end that is asked for."""

    aborted = False

    def abortConnection(self) -> None:  # noqa: N802
        self.aborted = True

    def unregisterProducer(self) -> None:  # noqa: N802
        if self.producer is not None:  # as a socket, it does not mind
            super().unregisterProducer()


class Client:
    """A client's end of a connection to a channel of our HTTP server.

    :param channel: of the server; it is connected to a transport here.
    """

    def __init__(self, channel: Any, transport: PatientTransport) -> None:
        self.channel = channel
        self.transport = transport
        self.dialogue: WebSocketDialogue | None = None

    def ask(self, target: str, *headers: tuple[str, str], more: bytes = b"", **options: Any) -> str:
        """Ask for a WebSocket.

        :param more: sent behind the request, in the same piece.
        :returns: the head of the answer.
        """
        handshake = ClientHandshake("nvr", target, headers=headers, **options)
        self.channel.dataReceived(handshake.request() + more)
        answer: bytes = self.transport.value()
        self.transport.clear()
        if answer.startswith(b"HTTP/1.1 101 "):
            self.dialogue = handshake.receive(answer, Limits(1 << 24, 1 << 24), 0.0)
        return answer.partition(b"\r\n\r\n")[0].decode()

    def send(self, message: str | bytes) -> None:
        """Send a message."""
        assert self.dialogue is not None
        self.dialogue.send(message)
        self.flush()

    def flush(self) -> None:
        """Send what the dialogue has to say."""
        assert self.dialogue is not None
        if output := self.dialogue.take_output():
            self.channel.dataReceived(output)

    def read(self) -> list[Received]:
        """Give the messages that have come."""
        assert self.dialogue is not None
        data = self.transport.value()
        self.transport.clear()
        return self.dialogue.receive(data, 0.0)

    def end(self) -> None:
        """Close the connection, as a network does."""
        self.channel.connectionLost(Failure(ConnectionDone()))


class SocketTestCase(SynchronousTestCase):
    """A server with accounts and some endpoints; nothing is on a network."""

    def setUp(self) -> None:
        self.house = House(self.mktemp())
        self.addCleanup(self.house.database.close)
        self.house.set_up()
        self.clock = Clock()

    def serve(self, *endpoints: Endpoint) -> None:
        """Begin to serve."""
        self.site: BoundedSite = HttpServer(self.house.door, endpoints).site()
        self.site.reactor = self.clock
        self.client = self.connect()

    def connect(self) -> Client:
        """Open a connection."""
        channel: Any = self.site.buildProtocol(None)
        channel.callLater = self.clock.callLater
        transport = PatientTransport()
        channel.makeConnection(transport)
        return Client(channel, transport)

    def open(self, target: str, user: str = "", *headers: tuple[str, str], **options: Any) -> str:
        """Ask for a WebSocket, and again with an answer to a challenge if there is a user.

        :returns: the head of the answer.
        """
        head = self.client.ask(target, *headers, **options)
        if not user or not head.startswith("HTTP/1.1 401 "):
            return head
        authenticator = Authenticator(Credentials(user, f"pass-{user}"))
        line = next(x for x in head.split("\r\n") if x.startswith("WWW-Authenticate: "))
        authenticator.challenge([line.partition(": ")[2]])
        authorization = authenticator.authorization("GET", target)
        assert authorization is not None
        return self.client.ask(target, ("Authorization", authorization), *headers, **options)
