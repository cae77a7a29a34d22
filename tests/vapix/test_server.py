"""The HTTP server: requests are bounded, answers whole or in pieces."""

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.services.accounts import Role
from axis_nvr.vapix.bounded_site import (
    MAX_ADDRESS_CONNECTIONS,
    MAX_BODY_BYTES,
    REQUEST_SECONDS,
    BoundedSite,
)
from axis_nvr.vapix.call import Call, Endpoint, Reply, text_reply
from axis_nvr.vapix.server import HttpServer
from tests.vapix.serving import House, ServingTestCase

LOST = Failure(ConnectionLost())


async def echo(call: Call) -> Reply:
    words = [f"{name}={value}" for name, value in call.arguments.items()]
    return text_reply(f"{call.method} {call.path} {' '.join(words)} {len(call.body)}")


async def broken(call: Call) -> Reply:
    raise RuntimeError("a bug of ours, with a secret in it")


class ServerTests(ServingTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.house.set_up()
        self.serve(
            Endpoint("/echo", echo, None),
            Endpoint("/get", echo, None, methods=("GET",)),
            Endpoint("/broken", broken, None),
        )

    def test_arguments_from_query_and_form(self) -> None:
        """Both count, the query first; unknown ones are passed on; Latin-1 is understood."""
        form = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        answered = self.send(
            "/echo?a=1%262&b=%E9&a=2", method="POST", headers=form, data=b"c=x+y&a=3&d"
        )
        self.assertEqual(answered.text, "POST /echo a=1&2 b=é c=x y d= 11")

    def test_a_body_that_is_no_form(self) -> None:
        """It is left to the endpoint."""
        answered = self.send("/echo", method="POST", data=b'{"a":1}')
        self.assertEqual(answered.text, "POST /echo  7")

    def test_wrong_method(self) -> None:
        """405 names those that are right."""
        answered = self.send("/get", method="DELETE")
        self.assertEqual((answered.status, answered.header("Allow")), (405, "GET"))

    def test_no_such_path(self) -> None:
        """Strangers hear 401; 404 is for those with an account."""
        self.assertEqual(self.send("/axis-cgi/param.cgi").status, 401)
        self.assertEqual(self.ask("/axis-cgi/param.cgi", "vera").status, 404)

    def test_too_many_arguments(self) -> None:
        """400, in words."""
        answered = self.send("/echo?" + "&".join(f"a{n}=1" for n in range(300)))
        self.assertEqual((answered.status, "256 arguments" in answered.text), (400, True))

    def test_a_bug_of_ours(self) -> None:
        """500 without a word of what happened; the log has it."""
        answered = self.send("/broken")
        self.assertEqual(answered.status, 500)
        self.assertNotIn("secret", answered.text)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_safe_headers(self) -> None:
        """Each answer says that it is not to be framed, sniffed or kept."""
        answered = self.send("/echo")
        self.assertEqual(answered.header("X-Content-Type-Options"), "nosniff")
        self.assertEqual(answered.header("X-Frame-Options"), "SAMEORIGIN")
        self.assertEqual(answered.header("Cache-Control"), "no-store")


class Pieces:
    """A body whose pieces a test counts."""

    def __init__(self, count: int, *, breaks: bool = False) -> None:
        self.given = 0
        self.is_closed = False
        self._count = count
        self._breaks = breaks

    async def __call__(self, call: Call) -> Reply:
        return Reply(self.pieces(), "application/octet-stream")

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        try:
            for _ in range(self._count):
                self.given += 1
                yield b"x" * 1000
            if self._breaks:
                raise RuntimeError("the disk failed")
        finally:
            self.is_closed = True


class ConnectionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.house = House(self.mktemp())
        self.addCleanup(self.house.database.close)
        self.house.set_up()
        self.clock = Clock()

    def connect(self, *endpoints: Endpoint) -> tuple[Any, StringTransport]:
        self.site: BoundedSite = HttpServer(self.house.door, endpoints).site()
        self.site.reactor = self.clock
        return self.reconnect()

    def reconnect(self) -> tuple[Any, StringTransport]:
        transport = StringTransport()
        channel = self.site.buildProtocol(transport.getPeer())
        if channel is not None:
            channel.makeConnection(transport)
        return channel, transport

    def test_a_body_too_long(self) -> None:
        """It is refused at its head, nothing of it is read."""
        channel, transport = self.connect(Endpoint("/e", echo, None))
        head = f"POST /e HTTP/1.1\r\nHost: x\r\nContent-Length: {MAX_BODY_BYTES + 1}\r\n\r\n"
        channel.dataReceived(head.encode())
        self.assertTrue(transport.value().startswith(b"HTTP/1.1 413 "))
        self.assertTrue(transport.disconnecting)

    def test_chunks_too_long(self) -> None:
        """Also a body that does not tell its length."""
        channel, transport = self.connect(Endpoint("/e", echo, None))
        channel.dataReceived(b"POST /e HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(MAX_BODY_BYTES // 65536 + 1):
            channel.dataReceived(b"10000\r\n" + bytes(65536) + b"\r\n")
        self.assertTrue(transport.value().startswith(b"HTTP/1.1 413 "))

    def test_a_slow_request(self) -> None:
        """One byte a second does not hold a connection for ever."""
        channel, transport = self.connect(Endpoint("/e", echo, None))
        channel.dataReceived(b"POST /e HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(int(REQUEST_SECONDS) + 1):
            channel.dataReceived(b"x")
            self.clock.advance(1)
        self.assertTrue(transport.value().startswith(b"HTTP/1.1 408 "))
        channel.connectionLost(LOST)

    def test_too_many_connections(self) -> None:
        """One address gets so many; when one of them ends there is room again."""
        channel, _ = self.connect(Endpoint("/e", echo, None))
        for _ in range(MAX_ADDRESS_CONNECTIONS - 1):
            self.assertIsNotNone(self.reconnect()[0])
        self.assertIsNone(self.reconnect()[0])
        channel.connectionLost(LOST)
        self.assertIsNotNone(self.reconnect()[0])

    def get(self, channel: Any, path: str = "/e") -> None:
        channel.dataReceived(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())

    def test_pieces(self) -> None:
        """A body in pieces comes whole, in chunks."""
        pieces = Pieces(5)
        channel, transport = self.connect(Endpoint("/e", pieces, None))
        self.get(channel)
        self.assertIn(b"Transfer-Encoding: chunked", transport.value())
        self.assertEqual(transport.value().count(b"x" * 1000), 5)
        self.assertTrue(transport.value().endswith(b"0\r\n\r\n"))
        self.assertTrue(pieces.is_closed)

    def test_a_slow_client(self) -> None:
        """Nothing is asked for that the client has no room for; when it has, it goes on."""
        pieces = Pieces(100)

        async def slow(call: Call) -> Reply:
            async def parts() -> AsyncIterator[bytes]:
                async for piece in pieces.pieces():
                    yield piece
                    if pieces.given == 3:
                        channel.pauseProducing()

            return Reply(parts(), "text/plain")

        channel, transport = self.connect(Endpoint("/e", slow, None))
        self.get(channel)
        self.assertLessEqual(pieces.given, 4)
        channel.resumeProducing()
        self.assertEqual(pieces.given, 100)
        self.assertTrue(transport.value().endswith(b"0\r\n\r\n"))

    def test_a_client_that_leaves(self) -> None:
        """What makes the pieces is closed."""
        pieces = Pieces(100)
        wait: Deferred[None] = Deferred()

        async def slow(call: Call) -> Reply:
            async def parts() -> AsyncIterator[bytes]:
                async with contextlib.aclosing(pieces.pieces()) as given:
                    async for piece in given:
                        yield piece
                        if pieces.given == 3:
                            await wait

            return Reply(parts(), "text/plain")

        channel, _ = self.connect(Endpoint("/e", slow, None))
        self.get(channel)
        channel.connectionLost(LOST)
        self.assertEqual((pieces.given, pieces.is_closed), (3, True))

    def test_an_error_in_the_middle(self) -> None:
        """The connection breaks off: the client must not take a half for the whole."""
        channel, transport = self.connect(Endpoint("/e", Pieces(2, breaks=True), None))
        self.get(channel)
        self.assertFalse(transport.value().endswith(b"0\r\n\r\n"))
        self.assertTrue(transport.disconnecting)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        channel.connectionLost(LOST)

    def test_a_client_that_leaves_before_the_answer(self) -> None:
        """What was begun is brought to its end, and pieces that nobody gets are given up."""
        wait, pieces, done = Deferred[None](), Pieces(3), []

        async def change(call: Call) -> Reply:
            await wait
            done.append("kept")
            return await pieces(call)

        channel, _ = self.connect(Endpoint("/e", change, None))
        self.get(channel)
        channel.connectionLost(LOST)
        self.assertEqual(done, [])
        wait.callback(None)
        self.assertEqual((done, pieces.given), (["kept"], 0))

    def test_an_error_after_the_client_has_left(self) -> None:
        """It is in the log, as nobody else hears of it."""
        wait = Deferred[None]()

        async def breaks(call: Call) -> Reply:
            await wait
            raise RuntimeError("after all")

        channel, _ = self.connect(Endpoint("/e", breaks, None))
        self.get(channel)
        channel.connectionLost(LOST)
        wait.callback(None)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_what_is_no_text(self) -> None:
        """A path or a host that is no UTF-8 is refused before anybody sees it."""
        for head in (b"GET /e\xff HTTP/1.1\r\nHost: x", b"GET /%ff HTTP/1.1\r\nHost: x"):
            channel, transport = self.connect(Endpoint("/e", Pieces(1), None))
            channel.dataReceived(head + b"\r\n\r\n")
            self.assertTrue(transport.value().startswith(b"HTTP/1.1 400 "), head)
        channel, transport = self.connect(Endpoint("/e", Pieces(1), None))
        channel.dataReceived(b"GET /e HTTP/1.1\r\nHost: \xff\r\n\r\n")
        self.assertTrue(transport.value().startswith(b"HTTP/1.1 400 "))

    def test_head(self) -> None:
        """HEAD gets the head of the answer and makes no pieces."""
        pieces = Pieces(5)
        channel, transport = self.connect(Endpoint("/e", pieces, Role.VIEWER))
        channel.dataReceived(b"HEAD /e HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertIn(b"401", transport.value().split(b"\r\n")[0])
        self.assertEqual(pieces.given, 0)
