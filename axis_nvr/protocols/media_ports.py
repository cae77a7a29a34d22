"""The UDP ports of one session: bound before SETUP, opened after it, closed with the session."""

import ipaddress
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from axis_nvr.errors import RemoteProtocolError
from axis_nvr.protocols.multicast import DEFAULT_TTL, is_source_specific, join_group
from axis_nvr.protocols.tick import TickReader
from axis_nvr.protocols.udp import DatagramPort, PortPair, bind_pair
from axis_nvr.session.transports import MulticastTransport, UnicastTransport
from axis_nvr.wire.rtcp import ReceiverReport, build_receiver_report
from axis_nvr.wire.rtp import build_packet

#: The payload type of what is sent only to open the way back: one that no track has.
_PUNCH_PAYLOAD_TYPE = 127


class IDatagramReceiver(Protocol):
    """Takes the datagrams of a session."""

    def rtp_received(self, track: int, data: bytes) -> None:
        """Take one RTP packet."""

    def rtcp_received(self, track: int, data: bytes) -> None:
        """Take one RTCP packet."""

    def drained(self) -> None:
        """Do what is due after a number of datagrams."""


class _TrackPorts(NamedTuple):
    """The two ports of a track, and where its reports go."""

    rtp: DatagramPort
    rtcp: DatagramPort
    report_to: tuple[str, int] | None


class MediaPorts:
    """The ports of one session.

    :param local_host: the address of ours that faces the camera.
    :param remote_host: the camera's address.
    :param interface: the address that joins multicast groups; empty: `local_host`.
    :param receiver: takes what comes.
    :param bind: binds a pair to an address.
    :param join: joins a group, as `axis_nvr.protocols.multicast.join_group`.
    """

    def __init__(
        self,
        reactor: Any,
        ticker: TickReader,
        local_host: str,
        remote_host: str,
        interface: str,
        receiver: IDatagramReceiver,
        *,
        bind: Callable[[str], PortPair] = bind_pair,
        join: Callable[..., PortPair] = join_group,
    ) -> None:
        self._reactor = reactor
        self._ticker = ticker
        self._local_host = local_host
        self._remote_host = remote_host
        self._interface = interface or local_host
        self._receiver = receiver
        self._bind = bind
        self._join = join
        self._bound: dict[tuple[int, int], PortPair] = {}
        self._tracks: dict[int, _TrackPorts] = {}
        self._urgent = False

    def bind(self, count: int) -> tuple[tuple[int, int], ...]:
        """Bind `count` pairs, to be offered to the camera.

        :raises RemoteProtocolError: there are not so many.
        """
        for _ in range(count):
            pair = self._bind(self._local_host)
            self._bound[pair.ports] = pair
        return tuple(self._bound)

    def open(self, track: int, transport: UnicastTransport | MulticastTransport, ssrc: int) -> None:
        """Read the ports of a track from now on.

        :param ssrc: ours, for what opens the way back.
        :raises RemoteProtocolError: the ports are none of ours, or the group cannot be joined.
        """
        if isinstance(transport, MulticastTransport):
            self._open_group(track, transport)
        else:
            self._open_unicast(track, transport, ssrc)

    def _open_unicast(self, track: int, transport: UnicastTransport, ssrc: int) -> None:
        pair = self._bound.pop(transport.client_ports, None)
        if pair is None:
            raise RemoteProtocolError(f"SETUP answered with ports {transport.client_ports}")
        source = address_or(transport.source, self._remote_host)
        ports = transport.server_ports
        self._start(track, pair, {source, self._remote_host}, (source, ports[1]) if ports else None)
        if ports is not None:
            opened = self._tracks[track]
            opened.rtp.send(opening_packet(ssrc), source, ports[0])
            opened.rtcp.send(build_receiver_report(ReceiverReport(ssrc, ())), source, ports[1])

    def _open_group(self, track: int, transport: MulticastTransport) -> None:
        group = transport.group
        source = address_or(transport.source, "")
        try:
            if not source and is_source_specific(group):
                source = self._remote_host
        except ValueError:
            raise RemoteProtocolError(f"{group!r} is no multicast group")
        ttl = DEFAULT_TTL if transport.ttl is None else transport.ttl
        pair = self._join(group, transport.ports, self._interface, source=source, ttl=ttl)
        self._start(track, pair, {source or self._remote_host}, (group, transport.ports[1]))

    def _start(
        self, track: int, pair: PortPair, hosts: set[str], report_to: tuple[str, int] | None
    ) -> None:
        allowed = frozenset(hosts | {host.partition("%")[0] for host in hosts})
        receiver = self._receiver
        rtp, rtcp = (
            DatagramPort(
                sock,
                self._reactor,
                self._ticker,
                allowed,
                lambda data, take=take: take(track, data),  # type: ignore[misc]
                receiver.drained,
            )
            for sock, take in (
                (pair.rtp, receiver.rtp_received),
                (pair.rtcp, receiver.rtcp_received),
            )
        )
        self._tracks[track] = _TrackPorts(rtp, rtcp, report_to)
        rtp.start(self._urgent)
        rtcp.start(urgent=True)  # a packet in five seconds: waking for it costs less than looking

    def set_urgent(self, urgent: bool) -> None:
        """Read at once what comes, or on ticks."""
        self._urgent = urgent
        for track in self._tracks.values():
            track.rtp.start(urgent)

    def read_now(self) -> None:
        """Read what has come since the last tick."""
        for track in list(self._tracks.values()):
            track.rtp.read_now()

    def send_report(self, track: int, data: bytes) -> None:
        """Send RTCP of ours about a track, if the camera said where to."""
        ports = self._tracks.get(track)
        if ports is not None and ports.report_to is not None:
            ports.rtcp.send(data, *ports.report_to)

    def close_spare(self) -> None:
        """Give back the pairs that no track took."""
        for pair in self._bound.values():
            pair.close()
        self._bound.clear()

    def close(self) -> None:
        """Give back all ports."""
        self.close_spare()
        for track in self._tracks.values():
            track.rtp.close()
            track.rtcp.close()
        self._tracks.clear()

    @property
    def warnings(self) -> list[str]:
        """What is odd about these ports, in words."""
        ports = [port for track in self._tracks.values() for port in (track.rtp, track.rtcp)]
        found = []
        if any(not port.holds_a_tick for port in ports):
            found.append("small UDP buffers (sysctl net.core.rmem_max): read on arrival")
        if foreign := sum(port.foreign for port in ports):
            found.append(f"{foreign} datagrams of other hosts dropped")
        return found


def address_or(text: str, other: str) -> str:
    """Return `text` if it is an IP address one can hear from, else `other`."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return other
    return other if address.is_unspecified or address.is_multicast else text


def opening_packet(ssrc: int) -> bytes:
    """Make an RTP packet without payload, sent so that firewalls let the answers in."""
    return build_packet(
        marker=False,
        payload_type=_PUNCH_PAYLOAD_TYPE,
        sequence_number=0,
        timestamp=0,
        ssrc=ssrc,
        payload=b"",
    )
