"""Joining the multicast groups that cameras send to.

The sockets are bound to the group's own address, so that another group on the same port stays out,
and may be shared, so that two sessions can listen to one group. A group of the source-specific
range, or one whose source the camera has told, is joined for that source only: routers then
forward nothing else.

Source: RFC 4607 §1 (source-specific multicast), RFC 3678 §4.1, ip(7), ipv6(7).
"""

import ipaddress
import socket
import struct

from axis_nvr.errors import RemoteProtocolError
from axis_nvr.protocols.udp import PortPair, SocketFactory

#: How far our receiver reports go when the camera does not say, in hops.
DEFAULT_TTL = 5

_IP_ADD_SOURCE_MEMBERSHIP = 39  # Linux; the socket module learns it in Python 3.12
_MCAST_JOIN_SOURCE_GROUP = 46
_SOURCE_SPECIFIC = (ipaddress.ip_network("232.0.0.0/8"), ipaddress.ip_network("ff30::/12"))


def join_group(
    group: str,
    ports: tuple[int, int],
    interface: str,
    *,
    source: str = "",
    ttl: int = DEFAULT_TTL,
    make_socket: SocketFactory = socket.socket,
) -> PortPair:
    """Open the RTP and the RTCP socket of a track that is sent to `group`.

    :param interface: the local IP address of the interface to join on.
    :param source: the address of the sender, if it is known.
    :param ttl: of what we send to the group.
    :raises RemoteProtocolError: `group` is no multicast address, or it cannot be joined.
    """
    try:
        address = ipaddress.ip_address(group)
    except ValueError:
        address = None
    if address is None or not address.is_multicast:
        raise RemoteProtocolError(f"{group!r} is no multicast group")
    rtp = _join(group, ports[0], interface, source, ttl, make_socket)
    try:
        rtcp = _join(group, ports[1], interface, source, ttl, make_socket)
    except RemoteProtocolError:
        rtp.close()
        raise
    return PortPair(rtp, rtcp)


def is_source_specific(group: str) -> bool:
    """Tell whether `group` can be joined only together with a source (RFC 4607 §1)."""
    address = ipaddress.ip_address(group)
    return any(
        address in network for network in _SOURCE_SPECIFIC if network.version == address.version
    )


def _join(
    group: str, port: int, interface: str, source: str, ttl: int, make_socket: SocketFactory
) -> socket.socket:
    """Open one socket and join."""
    family = socket.AF_INET6 if ":" in group else socket.AF_INET
    sock = make_socket(family, socket.SOCK_DGRAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            _join_ipv6(sock, group, port, interface, source, ttl)
        else:
            _join_ipv4(sock, group, port, interface, source, ttl)
    except OSError as error:
        sock.close()
        raise RemoteProtocolError(f"cannot join {group}:{port} on {interface}: {error}")
    return sock


def _join_ipv4(
    sock: socket.socket, group: str, port: int, interface: str, source: str, ttl: int
) -> None:
    sock.bind((group, port))
    members = socket.inet_aton(group), socket.inet_aton(interface)
    if source:  # struct ip_mreq_source: group, interface, source
        membership = b"".join([*members, socket.inet_aton(source)])
        sock.setsockopt(socket.IPPROTO_IP, _IP_ADD_SOURCE_MEMBERSHIP, membership)
    else:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, b"".join(members))
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, members[1])
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, ttl)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)  # not our own reports


def _join_ipv6(
    sock: socket.socket, group: str, port: int, interface: str, source: str, ttl: int
) -> None:
    index = _interface_index(interface)
    sock.bind((group, port, 0, index))
    if source:  # struct group_source_req: index, padding, two sockaddr_storage of 128 bytes
        membership = struct.pack("@I4x", index) + _storage(group) + _storage(source)
        sock.setsockopt(socket.IPPROTO_IPV6, _MCAST_JOIN_SOURCE_GROUP, membership)
    else:
        membership = socket.inet_pton(socket.AF_INET6, group) + struct.pack("@I", index)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, membership)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, ttl)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 0)


def _storage(address: str) -> bytes:
    """Return a ``sockaddr_storage`` that holds an IPv6 address."""
    packed = socket.inet_pton(socket.AF_INET6, address)
    return struct.pack("@HHI16sI", socket.AF_INET6, 0, 0, packed, 0).ljust(128, b"\0")


def _interface_index(interface: str) -> int:
    """Return the index in ``address%name``; 0, the kernel's choice, if none is named."""
    zone = interface.partition("%")[2]
    return int(zone) if zone.isdigit() else socket.if_nametoindex(zone) if zone else 0
