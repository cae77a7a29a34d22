"""SSDP on the network: a socket for each address of ours, joined to its group.

Each socket is bound to the group and its port, so that nothing else reaches it, and joined on one
interface and no other, so that it is known on which a search came. Answers go out from another
socket on the same interface, bound to our own address: whoever asked sees who answers.

Anybody may flood the group. A socket on which too much comes is not read for the rest of the
second: what the kernel throws away costs us nothing, and the reactor has recordings to write.
"""

import socket
import struct
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReadDescriptor
from twisted.logger import Logger
from zope.interface import implementer

from axis_nvr.protocols.interfaces import LocalAddress
from axis_nvr.session.neighbours import Interface
from axis_nvr.session.ssdp import Datagram, SsdpDevice, groups_of
from axis_nvr.wire.ssdp import MAX_DATAGRAM_BYTES, PORT, parse_search

#: Datagrams read in one go, and in a second from one socket.
MAX_READS = 32
MAX_READS_PER_SECOND = 320
#: Linux: whether a socket gets what comes for a group that others joined on other interfaces.
IP_MULTICAST_ALL = 49
IPV6_MULTICAST_ALL = 29
#: How far announcements go, in hops (UPnP Device Architecture 1.1 §1.1.1).
TTL = 2


@implementer(IReadDescriptor)
@dataclass(slots=True, eq=False)
class _Ears:
    """The sockets of an address.

    :ivar resting: called when no more is read until the second is over; None while it is read.
    """

    reactor: Any
    address: LocalAddress
    listening: socket.socket
    sending: socket.socket
    received: Callable[[bytes, tuple[str, int], Interface], None]
    resting: IDelayedCall | None = None
    _second: int = -1
    _reads: int = 0

    def fileno(self) -> int:
        """See `IReadDescriptor`."""
        return self.listening.fileno()

    def logPrefix(self) -> str:  # noqa: N802 - Twisted's name
        """See `IReadDescriptor`."""
        return "ssdp"

    def connectionLost(self, reason: object) -> None:
        """See `IReadDescriptor`."""
        self.close()

    def doRead(self) -> None:  # noqa: N802 - Twisted's name
        """Read what has come, and rest for what is left of a second in which too much came."""
        now = self.reactor.seconds()
        if int(now) != self._second:
            self._second, self._reads = int(now), 0
        for _ in range(MAX_READS):
            try:
                data, source = self.listening.recvfrom(MAX_DATAGRAM_BYTES + 1)
            except OSError:  # nothing more, or the interface has gone
                break
            self._reads += 1
            self.received(data, source[:2], self.address.interface)
        if self._reads >= MAX_READS_PER_SECOND and self.resting is None:
            self.reactor.removeReader(self)
            self.resting = self.reactor.callLater(int(now) + 1 - now, self._go_on)

    def _go_on(self) -> None:
        self.resting = None
        self.reactor.addReader(self)

    def send(self, datagram: Datagram) -> None:
        """Send; what cannot be sent is lost, as any datagram may be."""
        host, port = datagram.destination
        place: tuple[object, ...] = (host, port)
        if ":" in host:
            place = (host.partition("%")[0], port, 0, self.address.scope)
        with suppress(OSError):
            self.sending.sendto(datagram.data, place)

    def close(self) -> None:
        """Read no more, and close both sockets."""
        self.reactor.removeReader(self)
        if self.resting is not None:
            self.resting.cancel()
            self.resting = None
        self.listening.close()
        self.sending.close()


def _open(
    reactor: Any,
    address: LocalAddress,
    received: Callable[[bytes, tuple[str, int], Interface], None],
) -> _Ears:
    """Open the sockets of an address.

    :raises OSError: the system refuses.
    """
    family = socket.AF_INET if address.interface.version == 4 else socket.AF_INET6
    listening = socket.socket(family, socket.SOCK_DGRAM)
    sending = socket.socket(family, socket.SOCK_DGRAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for sock in (listening, sending):
            sock.setblocking(False)
        (group,) = groups_of(address.interface)
        if family == socket.AF_INET:
            _open_ipv4(listening, sending, group, address)
        else:
            _open_ipv6(listening, sending, group, address)
    except OSError:
        listening.close()
        sending.close()
        raise
    return _Ears(reactor, address, listening, sending, received)


def _open_ipv4(
    listening: socket.socket, sending: socket.socket, group: str, address: LocalAddress
) -> None:
    own = address.interface.ip.packed
    listening.setsockopt(socket.IPPROTO_IP, IP_MULTICAST_ALL, 0)
    listening.bind((group, PORT))
    membership = socket.inet_aton(group) + own + struct.pack("@i", address.scope)
    listening.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
    sending.bind((str(address.interface.ip), 0))
    sending.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, own)
    sending.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, TTL)


def _open_ipv6(
    listening: socket.socket, sending: socket.socket, group: str, address: LocalAddress
) -> None:
    listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    listening.setsockopt(socket.IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0)
    listening.bind((group, PORT, 0, address.scope))
    membership = socket.inet_pton(socket.AF_INET6, group) + struct.pack("@I", address.scope)
    listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, membership)
    sending.bind((str(address.interface.ip), 0, 0, address.scope))
    sending.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, address.scope)
    sending.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, TTL)


class SsdpService(Service):
    """Announces a device and answers searches at the addresses it is told."""

    log = Logger()

    def __init__(self, reactor: Any, device: SsdpDevice) -> None:
        self._reactor = reactor
        self._device = device
        self._ears: dict[LocalAddress, _Ears] = {}
        self._timer: IDelayedCall | None = None

    def stopService(self) -> None:
        """Take the announcements back."""
        super().stopService()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._send(self._device.farewell())
        for address in list(self._ears):
            self._close(address)

    def set_addresses(self, present: Iterable[LocalAddress]) -> None:
        """Say at which addresses the device can be found now; where it fails it is tried again."""
        if not self.running:
            return
        present = list(present)
        for address in [address for address in self._ears if address not in present]:
            self._close(address)
        for address in present:
            if address not in self._ears:
                self._open(address)
        now = self._reactor.seconds()
        self._device.set_interfaces([address.interface for address in self._ears], now)
        self._flush()

    def _open(self, address: LocalAddress) -> None:
        try:
            ears = _open(self._reactor, address, self._received)
        except OSError as error:
            self.log.debug(
                "no SSDP at {address}: {error}", address=str(address.interface), error=str(error)
            )
            return
        self._ears[address] = ears
        self._reactor.addReader(ears)

    def _close(self, address: LocalAddress) -> None:
        self._ears.pop(address).close()

    def _received(self, data: bytes, source: tuple[str, int], at: Interface) -> None:
        search = parse_search(data)
        if search is not None:
            self._device.receive(search, source, at, self._reactor.seconds())
            self._flush()

    def _flush(self) -> None:
        """Send what is due, and come back for the rest."""
        now = self._reactor.seconds()
        self._send(self._device.take(now))
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        due = self._device.next_timeout()
        if due is not None and self.running:
            later = self._reactor.callLater
            self._timer = later(max(0.0, due - now), self._flush)

    def _send(self, datagrams: list[Datagram]) -> None:
        ears = {address.interface: ears for address, ears in self._ears.items()}
        for datagram in datagrams:
            if datagram.interface in ears:
                ears[datagram.interface].send(datagram)
