"""Which addresses this machine has, by interface."""

import ipaddress
from collections.abc import Iterable
from typing import NamedTuple

import ifaddr

from axis_nvr.session.ssdp import Interface

#: Interfaces that are looked at.
MAX_INTERFACES = 64


class LocalAddress(NamedTuple):
    """An address of this machine.

    :param interface: address and network.
    :param name: of the interface, such as ``eth0``.
    :param scope: the interface's number.
    """

    interface: Interface
    name: str
    scope: int


def local_addresses(adapters: Iterable[ifaddr.Adapter] | None = None) -> list[LocalAddress]:
    """List the addresses by which others can reach us, one of each kind for an interface.

    The kinds are IPv4 and IPv6, link-local apart from others. The loopback is not among them.
    """
    found: list[LocalAddress] = []
    for adapter in adapters if adapters is not None else ifaddr.get_adapters():
        kinds = set()
        for ip in adapter.ips:
            text = ip.ip if isinstance(ip.ip, str) else ip.ip[0]
            interface = ipaddress.ip_interface(f"{text}/{ip.network_prefix}")
            kind = (interface.version, interface.version == 6 and interface.ip.is_link_local)
            if not interface.ip.is_loopback and kind not in kinds:
                kinds.add(kind)
                found.append(LocalAddress(interface, adapter.name, adapter.index or 0))
    return found[:MAX_INTERFACES]
