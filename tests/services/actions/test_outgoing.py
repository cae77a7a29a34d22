"""Ways out, and a mail server that means harm."""

import socket
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.services.actions.deliveries import DeliveryFailed, DeliveryRefused
from axis_nvr.services.actions.modifiers import Identity, Modifiers
from axis_nvr.services.actions.notification_smtp import (
    MAX_ANSWER_LINES,
    SmtpNotifier,
    SmtpOrder,
)
from axis_nvr.services.actions.outgoing import Outgoing, Way
from tests.services.actions.test_orders import SMTP

US = Identity("ACCC8E012345", "nvr", "10.0.0.9")


class Handle:
    """A socket that notes its options."""

    def __init__(self, family: int) -> None:
        self.family = family
        self.options: list[tuple[int, int, int]] = []

    def setsockopt(self, level: int, option: int, value: int) -> None:
        self.options.append((level, option, value))


class Transport(StringTransport):
    """A transport that can begin TLS, and has a socket."""

    def __init__(self, family: int = socket.AF_INET) -> None:
        super().__init__(hostAddress=IPv4Address("TCP", "127.0.0.1", 1234))
        self.handle = Handle(family)
        self.is_secure = False

    def getHandle(self) -> Handle:  # noqa: N802
        return self.handle

    def startTLS(self, context: object) -> None:  # noqa: N802
        self.is_secure = True

    def abortConnection(self) -> None:  # noqa: N802
        self.disconnecting = True


class Straight:
    """Connects at once."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.protocol: Any = None

    def connect(self, factory: Any) -> "Deferred[Any]":
        self.protocol = factory.buildProtocol(None)
        self.protocol.makeConnection(self._transport)
        return succeed(self.protocol)


class MarkTests(SynchronousTestCase):
    def test_code_point(self) -> None:
        """It stands in the upper six bits, by the option of the address family."""
        for family, option in (
            (socket.AF_INET, (socket.IPPROTO_IP, socket.IP_TOS, 46 << 2)),
            (socket.AF_INET6, (socket.IPPROTO_IPV6, socket.IPV6_TCLASS, 46 << 2)),
        ):
            transport = Transport(family)
            way: Any = Straight(transport)
            connecting = Way(way, 46).connect(Factory.forProtocol(Protocol))
            self.successResultOf(connecting)
            self.assertEqual(transport.handle.options, [option])


class Ways(Outgoing):
    """Gives one way, whatever is asked for."""

    def __init__(self, way: Any) -> None:
        super().__init__(None, bytes)
        self._way = way

    def endpoint(self, host: str, port: int, code_point: int = 0) -> Any:
        return self._way


class MailTests(SynchronousTestCase):
    def begin(self, **given: str) -> "Deferred[None]":
        """Send a mail; what is said to the server is in `transport`."""
        self.transport = Transport()
        way = Straight(self.transport)
        order = SmtpOrder.read({**SMTP, "message": "hello", **given})
        notifier = SmtpNotifier(order, Ways(way), Modifiers(lambda: US))
        sending = Deferred.fromCoroutine(notifier.send(notifier.compose(0)))
        self.client = way.protocol
        return sending

    def answer(self, *lines: bytes) -> bytes:
        """Let the server say something; give what it is told."""
        self.transport.clear()
        self.client.dataReceived(b"".join(line + b"\r\n" for line in lines))
        said: bytes = self.transport.value()
        return said

    def test_nothing_from_before_tls(self) -> None:
        """What somebody put behind the answer to STARTTLS is not taken for what TLS protects."""
        sending = self.begin(encryption="tls")
        self.answer(b"220 mail")
        self.assertEqual(self.answer(b"250-mail", b"250 STARTTLS"), b"STARTTLS\r\n")
        self.answer(b"220 go on", b"250-mail", b"250 AUTH PLAIN")
        self.assertFalse(self.transport.is_secure)
        self.failureResultOf(sending, DeliveryFailed)
        self.assertNotIn(b"AUTH", self.transport.value())

    def test_no_password_without_tls(self) -> None:
        """A server that offers no STARTTLS, where it must be, hears no password."""
        sending = self.begin(encryption="tls")
        self.answer(b"220 mail")
        said = self.answer(b"250-mail", b"250 AUTH PLAIN LOGIN")
        self.assertEqual(said, b"QUIT\r\n")
        self.failureResultOf(sending, DeliveryRefused)

    def test_an_answer_without_end(self) -> None:
        """It is cut."""
        sending = self.begin()
        self.answer(*[b"220-still talking"] * (MAX_ANSWER_LINES + 1))
        self.assertTrue(self.transport.disconnecting)
        self.client.connectionLost()
        self.failureResultOf(sending)

    def test_what_comes_later(self) -> None:
        """A code of 400 to 499 is tried again, one of 500 not; its words are one line."""
        for code, kind in ((b"421", DeliveryFailed), (b"554", DeliveryRefused)):
            sending = self.begin()
            self.answer(code + b"-go\x1b[2J", code + b" away")
            failure = self.failureResultOf(sending, kind)
            self.assertEqual(str(failure.value), f"{code.decode()} go [2J away")

    def test_cancelled(self) -> None:
        """The connection ends."""
        sending = self.begin()
        sending.cancel()
        self.failureResultOf(sending)
        self.assertTrue(self.transport.disconnecting)
