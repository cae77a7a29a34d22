"""Notifications by TCP: a connection, the message as UTF-8, the end. Nothing is asked in return."""

from collections.abc import Mapping
from dataclasses import dataclass

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import ITCPTransport
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from axis_nvr.services.actions import values
from axis_nvr.services.actions.modifiers import Modifiers
from axis_nvr.services.actions.outgoing import Outgoing


@dataclass(frozen=True, slots=True)
class TcpOrder:
    """What is sent where."""

    message: str
    host: str
    port: int
    code_point: int

    @classmethod
    def read(cls, given: Mapping[str, str]) -> "TcpOrder":
        """Read the parameters.

        :raises InvalidActionConfiguration: one cannot be used.
        """
        return cls(
            given["message"],
            values.host("host", given["host"]),
            values.port("port", given["port"], 0),
            values.code_point("qos", given["qos"]),
        )


class TcpNotifier:
    """Sends messages by TCP."""

    def __init__(self, order: TcpOrder, outgoing: Outgoing, modifiers: Modifiers) -> None:
        self.place = f"{order.host}, port {order.port}"
        self._order = order
        self._outgoing = outgoing
        self._modifiers = modifiers

    def compose(self, utc_us: int) -> bytes:
        """Write a message."""
        return self._modifiers.expand(self._order.message, utc_us).encode()

    async def send(self, message: bytes) -> None:
        """Send one; it has been delivered when the connection came to its end in order."""
        order = self._order
        endpoint = self._outgoing.endpoint(order.host, order.port, order.code_point)
        sender = _Sender(message)
        await endpoint.connect(Factory.forProtocol(lambda: sender))
        await sender.ended


class _Sender(Protocol):
    """Writes a message, ends its side, and waits until the other one has ended too."""

    transport: ITCPTransport

    def __init__(self, message: bytes) -> None:
        self._message = message
        self.ended: Deferred[None] = Deferred(lambda _: self.transport.abortConnection())

    def connectionMade(self) -> None:
        self.transport.write(self._message)
        self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if not self.ended.called:
            is_whole = reason.check(ConnectionDone)
            self.ended.callback(None) if is_whole else self.ended.errback(reason)
