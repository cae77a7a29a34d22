"""The ways from a server to its client: in the RTSP connection, in datagrams, to a group.

A TCP client that does not keep up is noticed when its transport asks for a pause; from then on
whole frames are turned away, so memory stays bounded by one transport buffer and one frame.
Datagrams are sent and forgotten.

All UDP clients of a server share one pair of ports; whose a receiver report is, its source tells.
"""

import socket
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from typing import Protocol as Interface

from twisted.internet.error import CannotListenError, MessageLengthError
from twisted.internet.protocol import DatagramProtocol
from twisted.python.failure import Failure

from axis_nvr.protocols.pacing import PacedSender
from axis_nvr.session.rtp_sender import RTP_HEADER_BYTES
from axis_nvr.session.server.sessions import RequestRefused

#: Bytes of an RTP packet where the client asks for nothing else: fits an Ethernet frame.
DEFAULT_PACKET_BYTES = 1400
#: Bytes of the largest RTP packet in a datagram: without fragments on Ethernet.
MAX_DATAGRAM_PACKET_BYTES = 1472
#: Bytes of the largest RTP packet in an interleaved frame: its length has 16 bits.
MAX_INTERLEAVED_PACKET_BYTES = 65535
#: Ports for RTP and RTCP, as in the replies of Axis devices: the first pair that is free.
UDP_PORTS = range(50000, 51000, 2)

_FRAME = struct.Struct("!BBH")


def payload_limit(blocksize: int | None, largest: int) -> int:
    """Return the bytes of the largest payload.

    :param blocksize: the largest packet that the client asked for, if it did.
    :param largest: the largest packet that the transport takes.
    """
    return min(blocksize or DEFAULT_PACKET_BYTES, largest) - RTP_HEADER_BYTES


def has_route(address: str, port: int) -> bool:
    """Tell whether a datagram to an IP address would find its way out; none is sent."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((address, port))
        except OSError:
            return False
    return True


class IClientConnection(Interface):
    """The RTSP connection of a client, as deliveries see it."""

    blocked: bool  #: whether the client does not keep up
    account: str  #: whose name it is spoken in, empty for nobody's
    carried: dict[Any, Any]  #: the sessions whose packets travel in it, and what is theirs

    def write(self, data: bytes) -> None:
        """Send bytes."""

    def disconnect(self) -> None:
        """Close, what was written going out first."""

    def abort(self) -> None:
        """Close at once."""

    @property
    def client_host(self) -> str:
        """The IP address of the client."""

    @property
    def server_host(self) -> str:
        """The IP address by which the client reached us."""

    @property
    def tunnelled(self) -> bool:
        """Whether HTTP is around it."""

    @property
    def is_secure(self) -> bool:
        """Whether TLS is around it."""


class InterleavedDelivery:
    """Frames within the RTSP connection (RFC 2326 §10.12).

    :param channels: of RTP and of RTCP.
    """

    def __init__(
        self, connection: IClientConnection, channels: tuple[int, int], blocksize: int | None
    ) -> None:
        self.connection = connection
        self.channels = channels
        self.payload_limit = payload_limit(blocksize, MAX_INTERLEAVED_PACKET_BYTES)

    def send(self, packets: Sequence[bytes]) -> bool:
        """Send the packets of one frame in one write."""
        if self.connection.blocked:
            return False
        channel = self.channels[0]
        parts: list[bytes] = []
        for packet in packets:
            parts += (_FRAME.pack(0x24, channel, len(packet)), packet)
        if parts:
            self.connection.write(b"".join(parts))
        return True

    def send_report(self, data: bytes) -> None:
        """Send one RTCP compound unless the client is too slow."""
        if not self.connection.blocked:
            self.connection.write(_FRAME.pack(0x24, self.channels[1], len(data)) + data)

    def send_partly(self, packet: bytes, size: int) -> None:
        """Send a frame that is cut off."""
        head = _FRAME.pack(0x24, self.channels[0], len(packet))
        self.connection.write(head + packet[:size])

    def disconnect(self) -> None:
        """Close the connection."""
        self.connection.disconnect()

    def close(self) -> None:
        """Nothing to give back."""


class UdpPort(DatagramProtocol):
    """One UDP port of the server.

    :param received: takes each datagram with the host and port it came from.
    """

    noisy = False

    def __init__(self, received: Callable[[bytes, tuple[str, int]], None]) -> None:
        self._received = received
        self.transport: Any = None

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """Hand a datagram on."""
        self._received(datagram, (addr[0], addr[1]))

    def send(self, data: bytes, to: tuple[str, int]) -> None:
        """Send a datagram; one that cannot be sent is forgotten."""
        if self.transport is not None:
            with suppress(OSError, MessageLengthError):
                self.transport.write(data, to)


class UdpPorts:
    """The pair of UDP ports that all clients of a server share; opened for the first of them.

    :param interface: the IP address to bind to, empty for all.
    :param multicast: whether groups are sent to as well.
    :param paced: whether frames go out in small bursts.
    """

    def __init__(
        self,
        reactor: Any,
        interface: str = "",
        *,
        multicast: bool = False,
        paced: bool = False,
        ports: Sequence[int] = UDP_PORTS,
    ) -> None:
        self._reactor = reactor
        self._multicast = multicast
        self._interface = interface
        self._candidates = ports
        self._paced = paced
        self._listening: list[Any] = []
        self._deliveries: dict[tuple[str, int], UdpDelivery] = {}
        self.rtp = UdpPort(lambda data, source: None)
        self.rtcp = UdpPort(self._report_received)

    @property
    def ports(self) -> tuple[int, int]:
        """The port numbers for RTP and RTCP; opens them if they are not yet.

        :raises RequestRefused: 503, no pair is free.
        """
        self._open()
        return tuple(port.getHost().port for port in self._listening)

    def _open(self) -> None:
        if not self._listening and not any(self._listen(port) for port in self._candidates):
            raise RequestRefused(503, "no UDP ports")

    def _listen(self, port: int) -> bool:
        """Open `port` and the one above it, or none of them."""
        listen = self._reactor.listenMulticast if self._multicast else self._reactor.listenUDP
        try:
            first = listen(port, self.rtp, interface=self._interface)
        except CannotListenError:
            return False
        try:
            second = listen(port + 1, self.rtcp, interface=self._interface)
        except CannotListenError:
            first.stopListening()
            return False
        self._listening = [first, second]
        return True

    def aim(self, group: "MulticastGroup") -> None:
        """Send to groups so far, and from there, as a group has it.

        :raises RequestRefused: 503, no pair is free, the interface is not there, or none was named
            and there is no route to the group.
        """
        self._open()
        if not group.interface and not has_route(group.address, group.port):
            words = f"no route to the group {group.address}, and no interface named for it"
            raise RequestRefused(503, words)
        failures: list[Failure] = []
        for port in (self.rtp, self.rtcp):
            if port.transport is not None:
                port.transport.setTTL(group.ttl)
                if group.interface:
                    leaving = port.transport.setOutgoingInterface(group.interface)
                    leaving.addErrback(failures.append)  # at once: there is nothing to resolve
        if failures:
            raise RequestRefused(503, f"no interface {group.interface} for multicast")

    def pacer(
        self, send: Callable[[bytes], None], resumed: Callable[[], None]
    ) -> PacedSender | None:
        """Return what lets packets out in small bursts; None where that is not wanted."""
        return PacedSender(self._reactor, send, resumed) if self._paced else None

    def add(self, delivery: "UdpDelivery") -> None:
        """Hand receiver reports from the client's RTCP port to `delivery`."""
        self._deliveries[delivery.rtcp_address] = delivery

    def remove(self, delivery: "UdpDelivery") -> None:
        """Forget a client; the ports stay open."""
        if self._deliveries.get(delivery.rtcp_address) is delivery:
            del self._deliveries[delivery.rtcp_address]

    def close(self) -> None:
        """Give the ports back."""
        for port in self._listening:
            port.stopListening()
        self._listening = []
        self.rtp.transport = self.rtcp.transport = None

    def _report_received(self, data: bytes, source: tuple[str, int]) -> None:
        delivery = self._deliveries.get(source)
        if delivery is not None:
            delivery.report_received(data)


class UdpDelivery:
    """Datagrams to one client. They go to the host of its RTSP connection and to nobody else.

    :param report_received: takes what comes from the client's RTCP port.
    :param disconnect: closes the client's RTSP connection.
    :param resumed: called when frames are taken again after one was turned away.
    """

    def __init__(
        self,
        ports: UdpPorts,
        host: str,
        client_ports: tuple[int, int],
        blocksize: int | None,
        report_received: Callable[[bytes], None],
        disconnect: Callable[[], None],
        resumed: Callable[[], None],
    ) -> None:
        self._ports = ports
        self._paced = ports.pacer(lambda packet: ports.rtp.send(packet, self.rtp_address), resumed)
        self.rtp_address = (host, client_ports[0])
        self.rtcp_address = (host, client_ports[1])
        self.payload_limit = payload_limit(blocksize, MAX_DATAGRAM_PACKET_BYTES)
        self.report_received = report_received
        self.disconnect = disconnect
        ports.add(self)

    def send(self, packets: Sequence[bytes]) -> bool:
        """Send the packets of one frame."""
        if self._paced is not None:
            return self._paced.send(packets)
        send, address = self._ports.rtp.send, self.rtp_address
        for packet in packets:
            send(packet, address)
        return True

    def send_report(self, data: bytes) -> None:
        """Send one RTCP compound."""
        self._ports.rtcp.send(data, self.rtcp_address)

    def send_partly(self, packet: bytes, size: int) -> None:
        """Send a datagram that is cut off."""
        self._ports.rtp.send(packet[:size], self.rtp_address)

    def close(self) -> None:
        """Forget the client."""
        self._ports.remove(self)
        if self._paced is not None:
            self._paced.close()


@dataclass(slots=True)
class MulticastGroup:
    """A group that tracks are sent to: track n on `port` + 2n.

    Clients that ask for the same track share what one of them brings about; when that one ends,
    another takes over.

    :param address: of the group.
    :param port: even.
    :param ttl: in hops.
    :param interface: IP address of the interface to send on, empty for the default.
    """

    address: str
    port: int
    ttl: int = 5
    interface: str = ""
    speakers: dict[int, "MulticastDelivery"] = field(default_factory=dict)


class MulticastDelivery:
    """Datagrams to a group.

    :param track: which track's ports.
    """

    def __init__(
        self,
        ports: UdpPorts,
        group: MulticastGroup,
        track: int,
        blocksize: int | None,
        disconnect: Callable[[], None],
    ) -> None:
        self._ports = ports
        self._group = group
        self._track = track
        self.ports = (group.port + 2 * track, group.port + 2 * track + 1)
        self.payload_limit = payload_limit(blocksize, MAX_DATAGRAM_PACKET_BYTES)
        self.disconnect = disconnect
        ports.aim(group)

    def _speaks(self) -> bool:
        """Whether this client is the one whose packets go out."""
        return self._group.speakers.setdefault(self._track, self) is self

    def send(self, packets: Sequence[bytes]) -> bool:
        """Send the packets of one frame, unless somebody else's do already."""
        if self._speaks():
            for packet in packets:
                self._ports.rtp.send(packet, (self._group.address, self.ports[0]))
        return True

    def send_report(self, data: bytes) -> None:
        """Send one RTCP compound."""
        if self._speaks():
            self._ports.rtcp.send(data, (self._group.address, self.ports[1]))

    def send_partly(self, packet: bytes, size: int) -> None:
        """Send a datagram that is cut off."""
        self.send([packet[:size]])

    def close(self) -> None:
        """Let another client take over."""
        if self._group.speakers.get(self._track) is self:
            del self._group.speakers[self._track]
