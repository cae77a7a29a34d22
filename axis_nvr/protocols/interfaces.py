"""Which interfaces this machine has, and which addresses."""

import ipaddress
from collections.abc import Iterable
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import ifaddr

from axis_nvr.session.neighbours import Interface

#: IPv6 addresses: as hexadecimal digits, interface, length of the network, scope, flags, name.
IPV6_ADDRESSES = Path("/proc/net/if_inet6")
#: Flags of an address that cannot be used: not yet known to be ours alone, or known not to be.
_TENTATIVE, _DUPLICATE = 0x40, 0x08
#: Interfaces that are looked at, and addresses of each.
MAX_INTERFACES = 64
MAX_ADDRESSES = 16


class NetworkInterface(NamedTuple):
    """An interface of this machine by which others can reach us.

    :param name: such as ``eth0``.
    :param number: as the system counts.
    :param addresses: all that it has, with their networks.
    """

    name: str
    number: int
    addresses: tuple[Interface, ...]


class LocalAddress(NamedTuple):
    """An address of this machine.

    :param interface: address and network.
    :param name: of the interface, such as ``eth0``.
    :param scope: the interface's number.
    """

    interface: Interface
    name: str
    scope: int


def network_interfaces(adapters: Iterable[ifaddr.Adapter] | None = None) -> list[NetworkInterface]:
    """List the interfaces that have addresses by which others can reach us: not the loopback.

    :raises OSError: the system does not tell.
    """
    found: list[NetworkInterface] = []
    unusable = _unusable_addresses()
    for adapter in adapters if adapters is not None else ifaddr.get_adapters():
        number, name = adapter.index or 0, adapter.name
        usable = (
            address
            for address in map(_interface, adapter.ips)
            if not address.ip.is_loopback and (number, address.ip.packed) not in unusable
        )
        addresses = tuple(islice(usable, MAX_ADDRESSES))
        if addresses and len(found) < MAX_INTERFACES:
            found.append(NetworkInterface(name, number, addresses))
    return found


def one_of_each_kind(interface: NetworkInterface) -> list[LocalAddress]:
    """List one address of each kind: IPv4 and IPv6, link-local apart from others."""
    kinds: dict[tuple[int, bool], LocalAddress] = {}
    for address in interface.addresses:
        kind = (address.version, address.version == 6 and address.ip.is_link_local)
        kinds.setdefault(kind, LocalAddress(address, interface.name, interface.number))
    return list(kinds.values())


def _interface(ip: ifaddr.IP) -> Interface:
    text = ip.ip if isinstance(ip.ip, str) else ip.ip[0]
    return ipaddress.ip_interface(f"{text}/{ip.network_prefix}")


def _unusable_addresses() -> set[tuple[int, bytes]]:
    """List what cannot be bound to: an IPv6 address is tried for a second or two when it is new."""
    found = set()
    with suppress(OSError, ValueError):  # a system without IPv6 has no such file
        for line in IPV6_ADDRESSES.read_text().splitlines():
            address, number, _, _, flags, *_ = line.split()
            if int(flags, 16) & (_TENTATIVE | _DUPLICATE):
                found.add((int(number, 16), bytes.fromhex(address)))
    return found
