"""Reading many connections on one beat instead of at each arrival.

Waking up costs more than parsing: a loop that wakes for each arrival takes several times the CPU
of one that looks at all of its sockets a few times a second. So a stream that is only recorded is
taken away from the reactor and read here, by one `TickReader` for each reactor::

            every 250 ms                                           more than a tick may take
    RESTING ───────────► one recv per connection, or a few ───────────────────────────► FLOWING
       ▲                                                                                   │
       └──────────────── less than that came through the reactor since the last tick ◄─────┘

A connection that brings more than `TICK_BYTES` in a tick is handed back to the reactor, which reads
it in turn with all others, until a whole tick brings less again. So nobody waits for a fast
neighbour, and a download at full speed is not slowed to one buffer per tick. A usual tick costs
each connection one ``recv``: a read that does not fill its buffer is the last one.

Somebody who watches live needs pictures when they come: `TickedConnection.set_urgent` leaves a
connection with the reactor for as long as that lasts.
"""

import socket
from collections import deque
from typing import Any, Protocol

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

#: How often resting connections are read, in seconds. Half of it costs a tenth more CPU: what a
#: read costs, however little it brings. The price is the time of arrival, told to a tick. It
#: matters for cameras that send no reports, whose quickest pictures tell the time; and the last one
#: of each read is told to the time from picture to picture, however long a tick is.
TICK_SECONDS = 0.25
#: The most that one read in a tick takes, in bytes. A tick of a 4 Mbit/s camera brings 125 KB.
READ_BYTES = 256 * 1024
#: The most that one connection brings in a tick before the reactor takes it over, in bytes.
TICK_BYTES = 4 * READ_BYTES
#: The most that one read of the reactor takes of a connection that was handed back for its speed,
#: in bytes: its own work is 20 µs a read, and a picture that a read cuts in two costs twice.
FLOW_READ_BYTES = 1024 * 1024
#: What the kernel is asked to hold for a connection between two ticks, in bytes. A key frame
#: comes at line speed: a camera that has to wait with the rest of it may drop pictures.
WINDOW_BYTES = 2 * 1024 * 1024
#: Sources that are read before the reactor has a turn: an event waits no longer for pictures. Eight
#: cameras of 4 Mbit/s are some 3 ms.
SOURCES_PER_TURN = 8


class ITickSource(Protocol):
    """Something that is read once in each tick."""

    def read_tick(self) -> None:
        """Read what is there, within a bound, and do not block."""


class TickReader:
    """Reads its sources once in each tick, from a single timer, some in each turn of the reactor.

    The ticks lie on a fixed grid: a late one does not move those after it, and those that a busy
    process missed are left out.

    :param clock: the reactor.
    :param period: from tick to tick, in seconds.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime, period: float = TICK_SECONDS) -> None:
        self._clock = clock
        self._period = period
        self._sources: dict[ITickSource, None] = {}
        self._unread: deque[ITickSource] = deque()  # of this tick
        self._timer: IDelayedCall | None = None
        self._origin = 0.0  # when the grid began
        #: How many ticks have been.
        self.ticks = 0

    def add(self, source: ITickSource) -> None:
        """Read `source` from the next tick on."""
        self._sources[source] = None
        if self._timer is None:
            self._origin = self._clock.seconds()
            self._timer = self._clock.callLater(self._period, self._tick)

    def remove(self, source: ITickSource) -> None:
        """Read `source` no more; one that is not read is no error."""
        self._sources.pop(source, None)
        if not self._sources and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def __len__(self) -> int:
        return len(self._sources)

    def _tick(self) -> None:
        self.ticks += 1
        self._unread = deque(self._sources)
        self._read_some()

    def _read_some(self) -> None:
        """Read as many sources as make a turn; when that were all, wait for the next tick."""
        self._timer = None
        for _ in range(min(SOURCES_PER_TURN, len(self._unread))):
            self._read(self._unread.popleft())
        if self._timer is not None:  # all were removed, and another added: the grid is a new one
            return
        if self._unread and self._sources:
            self._timer = self._clock.callLater(0, self._read_some)
        elif self._sources:
            since = self._clock.seconds() - self._origin
            periods = int(since / self._period + 1e-6) + 1  # those missed are passed over
            self._timer = self._clock.callLater(periods * self._period - since, self._tick)

    def _read(self, source: ITickSource) -> None:
        if source not in self._sources:  # removed since the tick began
            return
        try:
            source.read_tick()
        except Exception:  # the outermost frame of one source: the others go on
            self._sources.pop(source, None)
            self.log.failure("while reading {source} on a tick", source=source)


def widen_receive_window(connection: socket.socket, size_bytes: int = WINDOW_BYTES) -> None:
    """Ask the kernel to hold `size_bytes` of a TCP connection for us between reads.

    ``SO_RCVBUF`` would end the kernel's own tuning of the window and is capped by
    ``net.core.rmem_max``, on most machines too low for a key frame. A low-water mark makes Linux
    grow the buffer to twice the mark instead, up to ``net.ipv4.tcp_rmem``, and leaves the tuning
    on; set back to 1 at once, it has no other effect.

    Source: socket(7), ``SO_RCVLOWAT``; Linux ``tcp_set_rcvlowat``.
    """
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size_bytes)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
    except OSError:
        pass  # a smaller window is slower, not wrong


class TickedConnection:
    """A TCP connection of Twisted that is read on ticks, or by the reactor while it is urgent.

    It is made when the connection is made, and leaves reading to the reactor until `rest`.

    :param transport: the TCP transport; below TLS the lower one.
    :param protocol: whose ``dataReceived`` takes what was read; with TLS the TLS layer.
    :param ticker: what reads it.
    """

    def __init__(self, transport: Any, protocol: Any, ticker: TickReader) -> None:
        self._transport = transport
        self._deliver = protocol.dataReceived
        self._socket: socket.socket = transport.getHandle()
        self._ticker = ticker
        self._resting = False  # read on ticks, unless something below says no
        self._urgent = False
        self._flowing = False  # handed back to the reactor for its speed
        self._paused = False
        self._over = False
        self._is_reading = False  # what was read is being taken
        self._seen_bytes = 0
        transport.bufferSize = READ_BYTES
        widen_receive_window(self._socket)

    def rest(self) -> None:
        """Read this connection on ticks from now on."""
        self._resting = True
        self._arrange()

    def set_urgent(self, urgent: bool) -> None:
        """Read at once what comes, or on ticks again."""
        self._urgent = urgent
        self._arrange()

    def pause(self) -> None:
        """Read nothing until `resume`; what comes waits in the kernel, then at the camera."""
        self._paused = True
        self._arrange()

    def resume(self) -> None:
        """Read again, in the way that was set before."""
        self._paused = False
        self._arrange()

    def release(self) -> None:
        """Leave the connection to the reactor for good, as for an orderly end."""
        if not self._over:
            self._resting = self._paused = False
            self._arrange()

    def connection_lost(self) -> None:
        """Forget the connection: it is gone."""
        self._over = True
        self._ticker.remove(self)

    def count(self, size: int) -> None:
        """Note that `size` bytes came, whoever read them."""
        self._seen_bytes += size

    def _arrange(self) -> None:
        """Put the connection where its flags say."""
        if self._over:
            return
        if self._paused:
            self._ticker.remove(self)
            self._transport.pauseProducing()
        elif not self._resting or self._urgent:
            self._set_flowing(False)
            self._ticker.remove(self)
            self._transport.resumeProducing()
        else:
            self._set_flowing(False)
            self._transport.pauseProducing()
            self._ticker.add(self)

    def _set_flowing(self, flowing: bool) -> None:
        """Note whether the connection was handed back, and how much a read of the reactor takes."""
        self._flowing = flowing
        self._transport.bufferSize = FLOW_READ_BYTES if flowing else READ_BYTES

    def read_tick(self) -> None:
        """Read what has come since the last tick."""
        if self._flowing:
            if self._seen_bytes >= TICK_BYTES:
                self._seen_bytes = 0
                return
            self._set_flowing(False)
            self._transport.pauseProducing()
        if self._read_all():
            return
        self._set_flowing(True)
        self._seen_bytes = 0
        self._transport.resumeProducing()

    def read_now(self) -> None:
        """Read what has come since the last tick; where the reactor reads, it has been read."""
        if self._is_ticking() and not (self._flowing or self._is_reading):
            self._read_all()

    def _read_all(self) -> bool:
        """Read until nothing is left.

        :returns: no, if that is more than a tick may take.
        """
        for _ in range(TICK_BYTES // READ_BYTES):
            if self._read() < READ_BYTES or not self._is_ticking():
                return True
        return False

    def _read(self) -> int:
        """Read once and hand it on.

        :returns: how much came, in bytes.
        """
        try:
            data = self._socket.recv(READ_BYTES)
        except BlockingIOError:
            return 0
        except OSError:
            self._lose(Failure(ConnectionLost()))
            return 0
        if not data:
            self._lose(Failure(ConnectionDone()))
            return 0
        self._is_reading = True
        try:
            self._deliver(data)
        except Exception:  # the outermost frame of this connection: it goes, the others stay
            failure = Failure()
            self._ticker.log.failure("while a connection took what it was sent", failure)
            self._lose(failure)
        finally:
            self._is_reading = False
        return len(data)

    def _is_ticking(self) -> bool:
        return self._resting and not (self._urgent or self._paused or self._over)

    def _lose(self, reason: Failure) -> None:
        """End the connection as the reactor does when a read of its own says so."""
        if not self._over:
            self.connection_lost()
            self._transport.connectionLost(reason)
