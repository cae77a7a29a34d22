"""RTP and RTCP in datagrams: pairs of ports, read on a tick or on arrival.

Each track has two ports, RTP on an even one and RTCP on the odd one above it (RFC 3550 §11), bound
to the interface that faces the camera. A datagram counts only if it comes from the camera's host;
its port is not asked, because cameras leave ``server_port`` out or send from another one.

Between two ticks the kernel holds what comes, and what it cannot hold is lost. If it refuses a
buffer of `TICK_BUFFER_BYTES` the ports are read on arrival instead, which costs CPU but no video.
"""

import errno
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from twisted.logger import Logger
from zope.interface import implementer

from axis_nvr.errors import RemoteProtocolError
from axis_nvr.protocols.tick import TickReader

#: What the kernel is asked to hold for one port, in bytes: a second of 32 Mbit/s. It doubles that,
#: for its own bookkeeping.
BUFFER_BYTES = 4 * 1024 * 1024
#: With less than this a port is not left to ticks: a key frame in between would not fit.
TICK_BUFFER_BYTES = 2 * 1024 * 1024
#: The largest datagram there is, in bytes.
MAX_DATAGRAM_BYTES = 65536
#: Datagrams read from one port before the others have their turn.
MAX_DATAGRAMS_PER_READ = 2048
#: How many pairs are tried before giving up.
MAX_PAIR_ATTEMPTS = 64

_SO_RCVBUFFORCE = 33  # Linux: past net.core.rmem_max, for who may (CAP_NET_ADMIN)

#: Makes a socket: family and type as for `socket.socket`.
SocketFactory = Callable[[int, int], socket.socket]


#: Takes each datagram of a port; the bytes are its own.
DatagramSink = Callable[[bytes], None]


def enlarge_buffer(sock: socket.socket, size_bytes: int = BUFFER_BYTES) -> int:
    """Ask the kernel to hold `size_bytes` of datagrams for us.

    :returns: what it agreed to, in bytes of payload and bookkeeping together.
    """
    for option in (_SO_RCVBUFFORCE, socket.SO_RCVBUF):
        try:
            sock.setsockopt(socket.SOL_SOCKET, option, size_bytes)
            break
        except OSError:
            continue
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)


@implementer(IReadDescriptor)
class DatagramPort:
    """One bound UDP socket.

    :param sock: bound, and not used by anyone else from now on.
    :param reactor: reads it while it is urgent.
    :param ticker: reads it otherwise.
    :param hosts: the addresses datagrams may come from; empty: from anywhere.
    :param deliver: takes each datagram.
    :param drained: called when what there was has been read.
    """

    log = Logger()

    def __init__(
        self,
        sock: socket.socket,
        reactor: IReactorFDSet,
        ticker: TickReader,
        hosts: frozenset[str],
        deliver: DatagramSink,
        drained: Callable[[], None] = lambda: None,
    ) -> None:
        sock.setblocking(False)
        self._socket: socket.socket | None = sock
        self._reactor = reactor
        self._ticker = ticker
        self._hosts = hosts
        self._deliver = deliver
        self._drained = drained
        self.port: int = sock.getsockname()[1]
        self._is_reading = False  # what was read is being taken
        #: Whether the kernel's buffer is large enough to be read on ticks.
        self.holds_a_tick = enlarge_buffer(sock) >= TICK_BUFFER_BYTES
        #: Datagrams of other hosts, dropped.
        self.foreign = 0

    def start(self, urgent: bool) -> None:
        """Begin to read, at once what comes or on ticks; call it again to change that."""
        if self._socket is None:
            return
        urgent = urgent or not self.holds_a_tick
        if urgent:
            self._ticker.remove(self)
            self._reactor.addReader(self)
        else:
            self._reactor.removeReader(self)
            self._ticker.add(self)

    def pause(self) -> None:
        """Read nothing until `start`."""
        self._reactor.removeReader(self)
        self._ticker.remove(self)

    def send(self, data: bytes, host: str, port: int) -> None:
        """Send one datagram; one that cannot be sent is forgotten."""
        if self._socket is None:
            return
        with suppress(OSError):
            self._socket.sendto(data, (host, port))

    def close(self) -> None:
        """Stop reading and give the port back."""
        if self._socket is not None:
            self.pause()
            self._socket.close()
            self._socket = None

    def read_tick(self) -> None:
        """Read what has come, up to `MAX_DATAGRAMS_PER_READ` datagrams."""
        if self._read() and self._socket is not None:
            self._drained()

    def read_now(self) -> None:
        """Read what has come by now, unless it is being read."""
        if not self._is_reading:
            self.doRead()

    def _read(self) -> int:
        """Read until nothing is left, and return how many datagrams were ours."""
        self._is_reading = True
        try:
            return self._deliver_all()
        finally:
            self._is_reading = False

    def _deliver_all(self) -> int:
        count = 0
        hosts, deliver = self._hosts, self._deliver
        for _ in range(MAX_DATAGRAMS_PER_READ):
            if self._socket is None:  # what was delivered has closed it
                break
            try:
                data, source = self._socket.recvfrom(MAX_DATAGRAM_BYTES)
            except BlockingIOError:
                break
            except OSError as error:
                # what we sent earlier met a closed port; the stream may go on all the same
                if error.errno not in (errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH):
                    raise
                continue
            if hosts and source[0] not in hosts:
                self.foreign += 1
                continue
            count += 1
            deliver(data)
        return count

    def doRead(self) -> None:  # noqa: N802
        """Read for the reactor."""
        try:
            self.read_tick()
        except Exception:  # the outermost frame of this port
            self.log.failure("while reading UDP port {port}", port=self.port)
            self.close()

    def fileno(self) -> int:
        """Return the descriptor for the reactor, -1 when it is closed."""
        return -1 if self._socket is None else self._socket.fileno()

    def connectionLost(self, reason: object) -> None:
        """Close: the reactor says the socket is no good."""
        self.close()

    def logPrefix(self) -> str:  # noqa: N802
        """Name this descriptor in Twisted's own log entries."""
        return f"UDP {self.port}"


class PortPair(NamedTuple):
    """Two sockets: the RTP one on an even port, the RTCP one on the next."""

    rtp: socket.socket
    rtcp: socket.socket

    @property
    def ports(self) -> tuple[int, int]:
        """The two port numbers."""
        return self.rtp.getsockname()[1], self.rtcp.getsockname()[1]

    def close(self) -> None:
        """Give both ports back."""
        self.rtp.close()
        self.rtcp.close()


def bind_pair(interface: str, make_socket: SocketFactory = socket.socket) -> PortPair:
    """Bind two ports, the lower one even, the kernel choosing where.

    :param interface: the local IP address to bind to.
    :raises RemoteProtocolError: no pair is free, or `interface` is no address of ours.

    Source: RFC 3550 §11.
    """
    family = socket.AF_INET6 if ":" in interface else socket.AF_INET
    for _ in range(MAX_PAIR_ATTEMPTS):
        first = make_socket(family, socket.SOCK_DGRAM)
        second = make_socket(family, socket.SOCK_DGRAM)
        try:
            first.bind((interface, 0))
            port = first.getsockname()[1]
            second.bind((interface, port ^ 1))
        except OSError as error:
            first.close()
            second.close()
            if error.errno != errno.EADDRINUSE:
                raise RemoteProtocolError(f"no UDP ports on {interface}: {error}")
            continue
        return PortPair(first, second) if port % 2 == 0 else PortPair(second, first)
    raise RemoteProtocolError(f"no free pair of UDP ports on {interface}")
