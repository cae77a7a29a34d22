"""HTTP connections that become WebSockets."""

from typing import Any

from twisted.internet.defer import Deferred

from axis_nvr.protocols.websocket import WebSocket
from axis_nvr.services.accounts import Role
from axis_nvr.session.websocket import POLICY_VIOLATION, Limits, Oversized, Received
from axis_nvr.session.websocket_handshake import ClientHandshake
from axis_nvr.vapix.bounded_site import IDLE_SECONDS
from axis_nvr.vapix.call import Call, Endpoint, Reply, Upgrade, text_reply
from tests.vapix.sockets import SocketTestCase


class Echo:
    """Sends every message back."""

    def __init__(self) -> None:
        self.log: list[object] = []

    def opened(self, websocket: WebSocket) -> None:
        self.websocket = websocket
        self.log.append("opened")

    def received(self, message: Received) -> None:
        if isinstance(message, Oversized):
            self.log.append(message)
        elif message == "fail":
            raise RuntimeError("as asked")
        else:
            self.websocket.send(message)

    def blocked(self) -> None:
        self.log.append("blocked")

    def writable(self) -> None:
        self.log.append("writable")

    def closed(self, code: int, reason: str) -> None:
        self.log.append((code, reason))


class UpgradeTests(SocketTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.echo = Echo()
        self.waited: Deferred[None] = Deferred()

        async def upgrade(call: Call) -> Upgrade:
            limits = Limits(message_bytes=1000)
            return Upgrade(self.echo, ("binary", "other"), deflate=True, limits=limits)

        async def slow(call: Call) -> Upgrade:
            await self.waited
            return await upgrade(call)

        async def hello(call: Call) -> Reply:
            return text_reply("hello")

        self.serve(
            Endpoint("/ws", upgrade, None, ("GET",)),
            Endpoint("/slow", slow, None, ("GET",)),
            Endpoint("/guarded", upgrade, Role.VIEWER, ("GET",)),
            Endpoint("/hello", hello, None),
        )

    def test_messages_go_both_ways(self) -> None:
        """A request for a WebSocket is answered 101, and messages go both ways."""
        head = self.client.ask("/ws", subprotocols=["x", "other", "binary"])
        self.assertIn("HTTP/1.1 101 ", head)
        self.assertIn("Sec-WebSocket-Protocol: other", head)
        self.client.send("hello")
        self.client.send(b"\x00\xff")
        self.assertEqual(self.client.read(), ["hello", b"\x00\xff"])

    def test_compression_is_agreed_to(self) -> None:
        """A client that offers compression gets it; the messages are the same."""
        self.assertIn("permessage-deflate", self.client.ask("/ws", deflate=True))
        self.client.send("hello" * 99)
        self.assertLess(len(self.client.transport.value()), 100)
        self.assertEqual(self.client.read(), ["hello" * 99])

    def test_bytes_in_the_same_piece(self) -> None:
        """A message that comes with the request is not lost, and neither are requests before it."""
        masked = b"\x81\x82\x00\x00\x00\x00hi"
        self.client.ask("/ws", more=masked + masked[:3])
        self.client.channel.dataReceived(masked[3:])
        self.assertEqual(self.client.read(), ["hi", "hi"])
        self.client = self.connect()
        self.client.channel.dataReceived(b"GET /hello HTTP/1.1\r\nHost: nvr\r\n\r\n")
        self.assertIn(b"hello", self.client.transport.value())
        self.client.transport.clear()
        self.client.ask("/ws", more=masked)
        self.assertEqual(self.client.read(), ["hi"])

    def test_bytes_before_the_answer(self) -> None:
        """A message that comes while the answer is worked out waits for it, however long it is."""
        handshake = ClientHandshake("nvr", "/slow")
        self.client.channel.dataReceived(handshake.request())
        self.client.channel.dataReceived(b"\x81\x82\x00\x00\x00\x00hi")
        filler = b"\x8a\x80\x00\x00\x00\x00"  # pongs that nobody asked for
        self.client.channel.dataReceived(filler * 5000)
        self.assertEqual(self.client.transport.producerState, "paused")
        self.client.channel.pauseProducing()  # as if an answer before had not been read
        self.waited.callback(None)
        self.assertEqual(self.client.transport.producerState, "producing")
        dialogue = handshake.receive(self.client.transport.value(), Limits(), 0.0)
        assert dialogue is not None
        self.assertEqual(dialogue.receive(b"", 0.0), ["hi"])

    def test_a_client_that_does_not_wait(self) -> None:
        """One that leaves before it is answered leaves nothing behind."""
        self.client.channel.dataReceived(ClientHandshake("nvr", "/slow").request())
        self.client.end()
        self.waited.callback(None)
        self.assertEqual(self.echo.log, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_outlives_the_idle_timer(self) -> None:
        """Silence as HTTP does not stand it is met with pings; who answers stays, others go."""
        self.client.ask("/ws")
        for _ in range(4):
            self.clock.pump([15.0, 16.0])
            self.assertEqual(self.client.read(), [])
            self.client.flush()  # the pong
        self.assertGreater(self.clock.seconds(), 2 * IDLE_SECONDS)
        self.assertFalse(self.client.transport.disconnecting)
        self.clock.pump([31.0] * 3)
        self.assertTrue(self.client.transport.disconnecting)
        self.client.end()
        self.assertEqual(self.echo.log[-1], (1006, "silent for 75 seconds"))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_is_counted_until_it_ends(self) -> None:
        """The connection counts among those of HTTP; its end is told once."""
        self.client.ask("/ws")
        self.assertEqual(self.site.connections.total(), 1)
        self.client.end()
        self.assertEqual(self.site.connections.total(), 0)
        self.assertEqual(len(self.echo.log), 2)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_who_is_not_let_in(self) -> None:
        """Without credentials the answer is a challenge; answered, on the same connection, 101."""
        self.assertIn("HTTP/1.1 401 ", self.open("/guarded"))
        head = self.open("/guarded", "vera")
        self.assertIn("HTTP/1.1 101 ", head)
        self.assertIn("Authentication-Info: rspauth=", head)

    def test_what_is_no_upgrade(self) -> None:
        """Other requests get an answer that says what is missing, and HTTP goes on."""
        for lines, status in (
            ("GET /ws HTTP/1.1\r\nHost: nvr", 426),
            ("GET /ws HTTP/1.1\r\nHost: nvr\r\nUpgrade: h2c\r\nConnection: upgrade", 400),
            ("POST /ws HTTP/1.1\r\nHost: nvr\r\nUpgrade: websocket", 405),
        ):
            self.client.channel.dataReceived(lines.encode() + b"\r\n\r\n")
            answer = self.client.transport.value()
            self.client.transport.clear()
            self.assertTrue(answer.startswith(b"HTTP/1.1 %d " % status), answer)
        head = self.client.ask("/ws", subprotocols=["soap"])
        self.assertIn("HTTP/1.1 400 ", head)
        self.assertIn("HTTP/1.1 101 ", self.client.ask("/ws"))

    def test_old_http(self) -> None:
        """HTTP/1.0 and HEAD do not begin a WebSocket."""
        fields = b" HTTP/1.0\r\nHost: nvr\r\nUpgrade: websocket\r\n\r\n"
        self.client.channel.dataReceived(b"GET /ws" + fields)
        self.assertTrue(self.client.transport.value().startswith(b"HTTP/1.0 400 "))
        self.client = self.connect()
        self.client.channel.dataReceived(b"HEAD /ws" + fields.replace(b"1.0", b"1.1"))
        self.assertTrue(self.client.transport.value().startswith(b"HTTP/1.1 400 "))

    def test_a_slow_reader(self) -> None:
        """What is not read is kept to a limit; then the connection is closed and told why."""
        self.client.ask("/ws")
        producer: Any = self.client.transport.producer
        producer.pauseProducing()
        self.echo.websocket.send(b"x" * 200_000)
        self.assertEqual(self.client.transport.value(), b"")
        producer.resumeProducing()
        self.assertEqual(self.client.read(), [b"x" * 200_000])
        self.assertEqual(self.echo.log[1:], ["blocked", "writable"])
        producer.pauseProducing()
        self.echo.websocket.send(b"x" * 200_000)
        self.assertTrue(self.echo.websocket.is_open)
        self.echo.websocket.send(b"x" * 200_000)
        self.assertFalse(self.echo.websocket.is_open)
        self.assertTrue(self.client.transport.disconnecting)
        self.assertEqual(self.client.transport.value()[2:4], POLICY_VIOLATION.to_bytes(2))
        self.clock.advance(5.0)
        self.assertTrue(self.client.transport.aborted)
        self.client.end()
        self.assertEqual(self.echo.log[-1], (1008, "over 262144 bytes were not read"))

    def test_we_close(self) -> None:
        """We close: the client's answer ends the connection, or five seconds do."""
        for answers in (True, False):
            self.client.ask("/ws")
            self.echo.websocket.close(1001, "going away")
            self.assertFalse(self.client.transport.disconnecting)
            self.client.read()
            if answers:
                self.client.flush()
            else:
                self.clock.advance(5.0)
            self.assertTrue(self.client.transport.disconnecting)
            self.client.end()
            self.assertEqual(self.echo.log[-1], (1001, "going away"))
            self.assertEqual(self.clock.getDelayedCalls(), [])
            self.client = self.connect()

    def test_a_user_that_fails(self) -> None:
        """An error while a message is taken ends this connection with 1011 and is in the log."""
        self.client.ask("/ws")
        self.client.send("fail")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual(self.client.read(), [])
        assert self.client.dialogue is not None
        self.assertEqual(self.client.dialogue.close_code, 1011)
        self.assertTrue(self.client.transport.disconnecting)
