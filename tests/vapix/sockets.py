"""WebSockets as clients see them, in memory: what is asked, answered, sent and read."""

from typing import Any

from twisted.internet.testing import StringTransport

from axis_nvr.session.websocket import Limits, Received, WebSocketDialogue
from axis_nvr.session.websocket_handshake import ClientHandshake


class Client:
    """A client's end of a connection to a channel of our HTTP server.

    :param channel: of the server; it is connected to a transport here.
    """

    def __init__(self, channel: Any, transport: StringTransport) -> None:
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
