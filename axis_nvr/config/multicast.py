"""The table ``[multicast]``: the groups that live streams go to for clients that ask for them."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from axis_nvr.config.table import Table

#: Groups of one recorder at most: one for each track that is watched.
MAX_GROUPS = 256
DEFAULT_PORT = 50100
DEFAULT_TTL = 5

_LOCAL_CONTROL = IPv4Network("224.0.0.0/24")


@dataclass(frozen=True, slots=True)
class MulticastConfig:
    """Where live streams may go.

    :param places: address and even port of each group.
    :param ttl: in hops.
    :param interface: IP address of the interface to send on; empty: as routes have it.
    """

    places: tuple[tuple[str, int], ...]
    ttl: int = DEFAULT_TTL
    interface: str = ""


def read_multicast(table: Table) -> MulticastConfig:
    """Read the table: group n has the port `port` + 2n.

    :raises ConfigError: naming the key.
    """
    addresses = _groups(table)
    port = table.integer("port", 1024, 65534 - 2 * (len(addresses) - 1), DEFAULT_PORT)
    if port % 2:
        raise table.wrong("port", f"must be even, not {port}")
    config = MulticastConfig(
        tuple((address, port + 2 * n) for n, address in enumerate(addresses)),
        table.integer("ttl", 1, 255, DEFAULT_TTL),
        _interface(table),
    )
    table.finish()
    return config


def _groups(table: Table) -> list[str]:
    text = table.text("groups")
    try:
        network = IPv4Network(text)
    except ValueError:
        network = None
    if (
        network is None
        or not network.is_multicast
        or network.overlaps(_LOCAL_CONTROL)
        or network.num_addresses > MAX_GROUPS
    ):
        words = f"must be up to {MAX_GROUPS} multicast addresses, such as 239.192.40.0/26"
        raise table.wrong("groups", f"{words}, not {text!r:.80}")
    return [str(address) for address in network]


def _interface(table: Table) -> str:
    text = table.text("interface")
    try:
        return str(IPv4Address(text)) if text else ""
    except ValueError:
        raise table.wrong("interface", f"must be an IPv4 address, not {text!r:.80}") from None
