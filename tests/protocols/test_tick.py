"""Reading on a tick: the beat, what is read on it, and what leaves it."""

import socket

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.protocols.tick import (
    FLOW_READ_BYTES,
    READ_BYTES,
    SOURCES_PER_TURN,
    TICK_BYTES,
    TickedConnection,
    TickReader,
)


class Source:
    """Notes when it was read."""

    def __init__(self, clock: Clock, error: Exception | None = None) -> None:
        self.clock = clock
        self.error = error
        self.read_at: list[float] = []

    def read_tick(self) -> None:
        self.read_at.append(round(self.clock.seconds(), 6))
        if self.error is not None:
            raise self.error


class FakeSocket:
    """Gives what it is told to give, one value for each read."""

    def __init__(self) -> None:
        self.coming: list[bytes | OSError] = []
        self.reads = 0
        self.options: list[tuple[int, int, int]] = []

    def recv(self, size: int) -> bytes:
        self.reads += 1
        if not self.coming:
            raise BlockingIOError
        value = self.coming.pop(0)
        if isinstance(value, OSError):
            raise value
        return value

    def setsockopt(self, level: int, option: int, value: int) -> None:
        self.options.append((level, option, value))


class FakeTransport:
    """A connection that says who reads it."""

    def __init__(self) -> None:
        self.socket = FakeSocket()
        self.by_reactor = True
        self.lost: Failure | None = None
        self.bufferSize = 65536

    def getHandle(self) -> FakeSocket:  # noqa: N802
        return self.socket

    def pauseProducing(self) -> None:
        self.by_reactor = False

    def resumeProducing(self) -> None:
        self.by_reactor = True

    def connectionLost(self, reason: Failure) -> None:
        self.lost = reason


class Receiver:
    """Takes what was read; raises if told to."""

    def __init__(self) -> None:
        self.data: list[bytes] = []
        self.error: Exception | None = None

    def dataReceived(self, data: bytes) -> None:
        self.data.append(data)
        if self.error is not None:
            raise self.error


class TickReaderTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.ticker = TickReader(self.clock, 0.05)

    def test_all_sources_on_one_timer(self) -> None:
        """Any number of sources are read on the same beat by one timer."""
        sources = [Source(self.clock) for _ in range(50)]
        for source in sources:
            self.ticker.add(source)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.pump([0.05] * 3)
        for source in sources:
            self.assertEqual(source.read_at, [0.05, 0.1, 0.15])

    def test_the_reactor_has_turns_between(self) -> None:
        """Of many sources some are read at once, the others after what else is due by then."""
        sources = [Source(self.clock) for _ in range(2 * SOURCES_PER_TURN + 1)]
        for source in sources:
            self.ticker.add(source)
        read: list[int] = []

        def look() -> None:
            read.append(sum(len(source.read_at) for source in sources))
            if len(read) < 4:
                self.clock.callLater(0, look)

        self.clock.callLater(0.05, look)
        self.clock.advance(0.05)
        self.assertEqual(read, [SOURCES_PER_TURN, 2 * SOURCES_PER_TURN, len(sources), len(sources)])
        self.clock.advance(0.05)
        self.assertEqual({len(source.read_at) for source in sources}, {2})

    def test_all_removed_between_two_turns(self) -> None:
        """What is added then, or within a turn, is read from its own first tick on, and once."""
        sources = [Source(self.clock) for _ in range(SOURCES_PER_TURN + 1)]
        late = Source(self.clock)

        def remove_all() -> None:
            for source in sources:
                self.ticker.remove(source)
            self.ticker.add(late)
            self.ticker.add(sources[-1])

        for when in ("between", "within"):
            for source in sources:
                self.ticker.add(source)
            if when == "between":
                self.clock.callLater(0.05, remove_all)
            else:
                sources[0].read_tick = remove_all  # type: ignore[method-assign]
            self.clock.advance(0.05)
            self.assertEqual(len(self.clock.getDelayedCalls()), 1)
            self.assertEqual(late.read_at + sources[-1].read_at, [])
            self.clock.advance(0.05)
            self.assertEqual(len(late.read_at), 1)
            self.assertEqual(len(sources[-1].read_at), 1)
            late.read_at.clear()
            sources[-1].read_at.clear()
            self.ticker.remove(late)
            self.ticker.remove(sources[-1])

    def test_a_late_tick_does_not_move_the_next(self) -> None:
        """Ticks lie on a grid; those missed are left out, not made up for."""
        source = Source(self.clock)
        self.ticker.add(source)
        self.clock.advance(0.07)
        self.clock.advance(0.03)
        self.assertEqual(source.read_at, [0.07, 0.1])
        self.clock.advance(0.22)
        self.clock.advance(0.031)
        self.assertEqual(source.read_at, [0.07, 0.1, 0.32, 0.351])

    def test_no_source_no_timer(self) -> None:
        """The timer ends with the last source, removed from outside or from within a tick."""
        source = Source(self.clock)
        self.ticker.add(source)
        self.ticker.remove(source)
        self.ticker.remove(source)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.ticker.add(source)
        source.read_tick = lambda: self.ticker.remove(source)  # type: ignore[method-assign]
        self.clock.advance(0.05)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_removed_within_a_tick_is_not_read(self) -> None:
        """What one source removes in a tick is not read later in the same tick."""
        second = Source(self.clock)

        first = Source(self.clock)
        first.read_tick = lambda: self.ticker.remove(second)  # type: ignore[method-assign]
        self.ticker.add(first)
        self.ticker.add(second)
        self.clock.advance(0.05)
        self.assertEqual(second.read_at, [])

    def test_a_source_that_raises_is_alone(self) -> None:
        """An exception ends its own source; the others are read, in this tick and later."""
        bad, good = Source(self.clock, RuntimeError("no")), Source(self.clock)
        self.ticker.add(bad)
        self.ticker.add(good)
        self.clock.pump([0.05, 0.05])
        self.assertEqual(bad.read_at, [0.05])
        self.assertEqual(good.read_at, [0.05, 0.1])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)


class TickedConnectionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.ticker = TickReader(self.clock, 0.05)
        self.transport = FakeTransport()
        self.receiver = Receiver()
        self.connection = TickedConnection(self.transport, self.receiver, self.ticker)
        self.socket = self.transport.socket

    def test_the_reactor_reads_until_rest(self) -> None:
        """A new connection stays with the reactor, with small reads and a wide window."""
        self.assertTrue(self.transport.by_reactor)
        self.assertEqual(self.transport.bufferSize, READ_BYTES)
        marks = [v for _, option, v in self.socket.options if option == socket.SO_RCVLOWAT]
        self.assertEqual(marks[-1], 1)
        self.assertGreater(marks[0], TICK_BYTES)
        self.assertEqual(len(self.ticker), 0)

    def test_one_read_for_each_tick(self) -> None:
        """At rest one read is made in each tick and the reactor is not asked."""
        self.connection.rest()
        self.assertFalse(self.transport.by_reactor)
        self.socket.coming = [b"one", b"two"]
        self.clock.advance(0.05)
        self.assertEqual(self.receiver.data, [b"one"])
        self.clock.pump([0.05, 0.05])
        self.assertEqual(self.receiver.data, [b"one", b"two"])
        self.assertEqual(self.socket.reads, 3)

    def test_urgent_and_back(self) -> None:
        """While somebody watches, the reactor reads; afterwards the tick does again."""
        self.connection.rest()
        self.connection.set_urgent(True)
        self.assertTrue(self.transport.by_reactor)
        self.assertEqual(len(self.ticker), 0)
        self.connection.set_urgent(False)
        self.assertFalse(self.transport.by_reactor)
        self.assertEqual(len(self.ticker), 1)

    def test_urgent_before_rest(self) -> None:
        """Urgency asked for before the stream plays is kept."""
        self.connection.set_urgent(True)
        self.connection.rest()
        self.assertTrue(self.transport.by_reactor)

    def test_a_key_frame_in_one_tick(self) -> None:
        """What is more than one read but no more than a tick may take is read at once."""
        self.connection.rest()
        self.socket.coming = [bytes(READ_BYTES), bytes(READ_BYTES), b"end", b"later"]
        self.clock.advance(0.05)
        self.assertEqual(len(self.receiver.data), 3)
        self.assertFalse(self.transport.by_reactor)

    def test_a_fast_stream_goes_back_to_the_reactor(self) -> None:
        """Too much for a tick hands the connection over until a tick with less."""
        self.connection.rest()
        self.socket.coming = [bytes(READ_BYTES)] * 9
        self.clock.advance(0.05)
        self.assertEqual(self.socket.reads, TICK_BYTES // READ_BYTES)
        self.assertTrue(self.transport.by_reactor)
        self.assertEqual(self.transport.bufferSize, FLOW_READ_BYTES)
        self.connection.count(TICK_BYTES)
        self.clock.advance(0.05)
        self.assertTrue(self.transport.by_reactor)
        self.assertEqual(self.socket.reads, TICK_BYTES // READ_BYTES)
        self.socket.coming.clear()
        self.connection.count(TICK_BYTES - 1)
        self.clock.advance(0.05)
        self.assertFalse(self.transport.by_reactor)
        self.assertEqual(self.transport.bufferSize, READ_BYTES)

    def test_urgent_in_the_middle(self) -> None:
        """What a read leads to may end the reading on ticks."""
        self.receiver.dataReceived = (  # type: ignore[method-assign]
            lambda data: self.connection.set_urgent(True)
        )
        self.connection = TickedConnection(self.transport, self.receiver, self.ticker)
        self.connection.rest()
        self.socket.coming = [bytes(READ_BYTES)] * 9
        self.clock.advance(0.05)
        self.assertEqual(self.socket.reads, 1)
        self.assertEqual(len(self.ticker), 0)

    def test_read_now(self) -> None:
        """What is there is read between two ticks too, within the bound of a tick."""
        self.connection.read_now()
        self.assertEqual(self.socket.reads, 0, "the reactor reads")
        self.connection.rest()
        self.socket.coming = [b"now"]
        self.connection.read_now()
        self.assertEqual(self.receiver.data, [b"now"])
        self.socket.coming = [bytes(READ_BYTES)] * 9
        self.connection.read_now()
        self.assertEqual(self.socket.reads, 1 + TICK_BYTES // READ_BYTES)
        self.connection.pause()
        self.connection.read_now()
        self.assertEqual(self.socket.reads, 1 + TICK_BYTES // READ_BYTES)

    def test_read_now_while_reading(self) -> None:
        """What a read leads to reads no further: nothing is taken out of order."""
        received: list[bytes] = []

        def take(data: bytes) -> None:
            self.connection.read_now()
            received.append(data)

        self.receiver.dataReceived = take  # type: ignore[method-assign]
        self.connection = TickedConnection(self.transport, self.receiver, self.ticker)
        self.connection.rest()
        self.socket.coming = [b"first".ljust(READ_BYTES), b"second"]
        self.clock.advance(0.05)
        self.assertEqual([data[:6].strip() for data in received], [b"first", b"second"])

    def test_pause_and_resume(self) -> None:
        """Paused, nobody reads; resumed, whoever read before does."""
        self.connection.rest()
        self.connection.pause()
        self.socket.coming = [b"later"]
        self.clock.advance(0.5)
        self.assertEqual((self.socket.reads, self.transport.by_reactor), (0, False))
        self.connection.resume()
        self.clock.advance(0.05)
        self.assertEqual(self.receiver.data, [b"later"])

    def test_the_end_is_seen_on_a_tick(self) -> None:
        """End of file and reset end the connection with the reason the reactor would give."""
        for coming, error in ((b"", ConnectionDone), (ConnectionResetError(), ConnectionLost)):
            self.setUp()
            self.connection.rest()
            self.socket.coming = [coming]
            self.clock.advance(0.05)
            assert self.transport.lost is not None
            self.assertIsInstance(self.transport.lost.value, error)
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_surprise_ends_this_connection(self) -> None:
        """An exception of the receiver's drops its connection, and no other."""
        other, receiver = FakeTransport(), Receiver()
        second = TickedConnection(other, receiver, self.ticker)
        self.connection.rest()
        second.rest()
        self.receiver.error = RuntimeError("broken")
        self.socket.coming = [b"data"]
        other.socket.coming = [b"data"]
        self.clock.advance(0.05)
        self.assertIsNotNone(self.transport.lost)
        self.assertIsNone(other.lost)
        self.assertEqual(receiver.data, [b"data"])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_release(self) -> None:
        """Released, the connection is the reactor's, for an orderly end."""
        self.connection.rest()
        self.connection.release()
        self.assertTrue(self.transport.by_reactor)
        self.assertEqual(self.clock.getDelayedCalls(), [])
