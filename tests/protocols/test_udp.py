"""Ports for RTP and RTCP: how they are found, what is read from them and when."""

import errno
import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import RemoteProtocolError
from axis_nvr.protocols.tick import TICK_SECONDS, TickReader
from axis_nvr.protocols.udp import (
    BUFFER_BYTES,
    MAX_DATAGRAMS_PER_READ,
    MAX_PAIR_ATTEMPTS,
    DatagramPort,
    bind_pair,
)

CAMERA = ("192.0.2.1", 50000)


class FakeSocket:
    """A UDP socket that gives what it is told to give."""

    def __init__(self, port: int = 4000, buffer_bytes: int = 2 * BUFFER_BYTES) -> None:
        self.port = port
        self.buffer_bytes = buffer_bytes
        self.coming: list[tuple[bytes, tuple[str, int]] | OSError] = []
        self.sent: list[tuple[bytes, tuple[str, int]]] = []
        self.send_error: OSError | None = None
        self.closed = False
        self.refused_options: set[int] = set()

    def setblocking(self, flag: bool) -> None:
        pass

    def getsockname(self) -> tuple[str, int]:
        return "192.0.2.9", self.port

    def setsockopt(self, level: int, option: int, value: int) -> None:
        if option in self.refused_options:
            raise PermissionError

    def getsockopt(self, level: int, option: int) -> int:
        return self.buffer_bytes

    def recvfrom(self, size: int) -> tuple[bytes, tuple[str, int]]:
        if not self.coming:
            raise BlockingIOError
        value = self.coming.pop(0)
        if isinstance(value, OSError):
            raise value
        return value

    def sendto(self, data: bytes, address: tuple[str, int]) -> None:
        if self.send_error is not None:
            raise self.send_error
        self.sent.append((data, address))

    def fileno(self) -> int:
        return 7

    def close(self) -> None:
        self.closed = True


class FakeReactor:
    """Notes which descriptors it is to read."""

    def __init__(self) -> None:
        self.readers: set[Any] = set()

    def addReader(self, reader: object) -> None:  # noqa: N802
        self.readers.add(reader)

    def removeReader(self, reader: object) -> None:  # noqa: N802
        self.readers.discard(reader)


class DatagramPortTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.ticker = TickReader(self.clock)
        self.reactor = FakeReactor()
        self.received: list[bytes] = []
        self.make(FakeSocket())

    def make(self, sock: FakeSocket, deliver: Callable[[bytes], None] | None = None) -> None:
        self.socket = sock
        self.port = DatagramPort(
            sock,  # type: ignore[arg-type]
            self.reactor,  # type: ignore[arg-type]
            self.ticker,
            frozenset({CAMERA[0]}),
            deliver or self.received.append,
        )

    def test_all_that_came_in_one_tick(self) -> None:
        """A tick reads every datagram that is there."""
        self.port.start(urgent=False)
        self.socket.coming = [(b"%d" % i, CAMERA) for i in range(5)]
        self.clock.advance(TICK_SECONDS)
        self.assertEqual(self.received, [b"0", b"1", b"2", b"3", b"4"])
        self.assertEqual(self.reactor.readers, set())

    def test_read_now(self) -> None:
        """What is there is read between two ticks too, but not while it is being read."""
        self.port.start(urgent=False)
        self.socket.coming = [(b"now", CAMERA)]
        self.port.read_now()
        self.assertEqual(self.received, [b"now"])
        deliver = self.port._deliver

        def read_within(data: bytes) -> None:
            self.port.read_now()
            deliver(data)

        self.patch(self.port, "_deliver", read_within)
        self.socket.coming = [(b"1", CAMERA), (b"2", CAMERA)]
        self.clock.advance(TICK_SECONDS)
        self.assertEqual(self.received, [b"now", b"1", b"2"])

    def test_a_flood_is_cut(self) -> None:
        """One port is read up to a bound, so that the others have their turn."""
        self.port.start(urgent=False)
        self.socket.coming = [(b"x", CAMERA)] * (MAX_DATAGRAMS_PER_READ + 3)
        self.clock.advance(TICK_SECONDS)
        self.assertEqual(len(self.received), MAX_DATAGRAMS_PER_READ)

    def test_urgent(self) -> None:
        """While it is urgent the reactor reads; then ticks do again."""
        self.port.start(urgent=True)
        self.assertEqual((self.reactor.readers, len(self.ticker)), ({self.port}, 0))
        self.socket.coming = [(b"now", CAMERA)]
        self.port.doRead()
        self.assertEqual(self.received, [b"now"])
        self.port.start(urgent=False)
        self.assertEqual((self.reactor.readers, len(self.ticker)), (set(), 1))

    def test_a_small_buffer_is_read_on_arrival(self) -> None:
        """Where the kernel holds too little for a tick, nothing is left lying."""
        self.make(FakeSocket(buffer_bytes=425984))
        self.port.start(urgent=False)
        self.assertEqual((self.reactor.readers, len(self.ticker)), ({self.port}, 0))

    def test_without_privilege(self) -> None:
        """Where the buffer may not be forced it is asked for."""
        sock = FakeSocket()
        sock.refused_options = {33}
        self.make(sock)
        self.assertTrue(self.port.holds_a_tick)

    def test_other_hosts(self) -> None:
        """Datagrams of another host are dropped and counted; any port of the camera's will do."""
        self.socket.coming = [
            (b"intruder", ("192.0.2.66", CAMERA[1])),
            (b"camera", (CAMERA[0], 1234)),
        ]
        self.port.read_tick()
        self.assertEqual((self.received, self.port.foreign), ([b"camera"], 1))

    def test_a_closed_port_at_the_camera(self) -> None:
        """An ICMP error for what we sent does not end what we receive."""
        self.socket.coming = [OSError(errno.ECONNREFUSED, "refused"), (b"video", CAMERA)]
        self.port.read_tick()
        self.assertEqual(self.received, [b"video"])

    def test_sending(self) -> None:
        """What cannot be sent is forgotten; the port goes on."""
        self.port.send(b"report", *CAMERA)
        self.assertEqual(self.socket.sent, [(b"report", CAMERA)])
        self.socket.send_error = OSError(errno.ENOBUFS, "full")
        self.port.send(b"lost", *CAMERA)
        self.socket.send_error = None
        self.port.send(b"more", *CAMERA)
        self.assertEqual(self.socket.sent, [(b"report", CAMERA), (b"more", CAMERA)])

    def test_closed_while_delivering(self) -> None:
        """What a datagram leads to may close the port."""
        self.make(self.socket, lambda data: self.port.close())
        self.port.start(urgent=False)
        self.socket.coming = [(b"last", CAMERA), (b"too late", CAMERA)]
        self.clock.advance(TICK_SECONDS)
        self.assertEqual(len(self.socket.coming), 1)
        self.assertTrue(self.socket.closed)
        self.assertEqual((self.port.fileno(), self.clock.getDelayedCalls()), (-1, []))
        self.port.send(b"report", *CAMERA)
        self.port.start(urgent=True)
        self.assertEqual(self.reactor.readers, set())

    def test_a_surprise_closes_this_port(self) -> None:
        """An exception under the reactor is logged, and only this port goes."""

        def raising(data: bytes) -> None:
            raise RuntimeError("broken")

        self.make(self.socket, raising)
        self.port.start(urgent=True)
        self.socket.coming = [(b"video", CAMERA)]
        self.port.doRead()
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertTrue(self.socket.closed)


class PairSocket(FakeSocket):
    """Binds to what a list of free ports says."""

    def __init__(self, free: list[int], taken: set[int]) -> None:
        super().__init__()
        self.free = free
        self.taken = taken

    def bind(self, address: tuple[str, int]) -> None:
        port = address[1] or self.free.pop(0)
        if port in self.taken:
            raise OSError(errno.EADDRINUSE, "in use")
        self.port = port


class PairTests(SynchronousTestCase):
    def pair(self, free: list[int], taken: set[int]) -> tuple[int, int]:
        made: list[PairSocket] = []

        def make(family: int, kind: int) -> PairSocket:
            made.append(PairSocket(free, taken))
            return made[-1]

        try:
            return bind_pair("192.0.2.9", make).ports  # type: ignore[arg-type]
        finally:
            self.assertEqual([sock.closed for sock in made[:-2]], [True] * (len(made) - 2))

    def test_the_lower_port_is_even(self) -> None:
        """RTP gets the even port and RTCP the odd one above, whichever the kernel gave first."""
        self.assertEqual(self.pair([4000], set()), (4000, 4001))
        self.assertEqual(self.pair([4001], set()), (4000, 4001))

    def test_a_taken_neighbour(self) -> None:
        """When the other port of a pair is taken, another pair is found."""
        self.assertEqual(self.pair([4000, 5001], {4001}), (5000, 5001))

    def test_no_pair(self) -> None:
        """It is given up after so many attempts, with a clear error."""
        with self.assertRaisesRegex(RemoteProtocolError, "no free pair"):
            self.pair([4000] * MAX_PAIR_ATTEMPTS, {4001})

    def test_real_sockets(self) -> None:
        """The kernel agrees."""
        pair = bind_pair("127.0.0.1", socket.socket)
        self.addCleanup(pair.close)
        self.assertEqual(pair.ports[0] % 2, 0)
        self.assertEqual(pair.ports[1], pair.ports[0] + 1)
