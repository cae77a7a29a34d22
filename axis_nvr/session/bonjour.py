"""What is announced by Bonjour: services, and the interfaces that they are announced on.

A link tells all of one interface: a client there learns the addresses that are valid there, and
none of another network (RFC 6762 §14 wants it so, and they would lead it nowhere).

Source: RFC 6763 §4, §6, §7.
"""

from dataclasses import dataclass

from axis_nvr.session.neighbours import Interface

#: The longest name of an instance, in bytes, so that a number can be added to it (the limit of
#: Axis devices; a label has up to 63).
MAX_NAME_BYTES = 48
#: An instance is announced under this many names at most before it is given up.
MAX_NAMES = 20


@dataclass(frozen=True, slots=True)
class DnsService:
    """A service.

    :param type: such as ``_http._tcp``.
    :param instance: its name, for people.
    :param txt: names and values.
    """

    type: str
    instance: str
    port: int
    txt: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Link:
    """An interface, and what is announced on it.

    :param name: such as ``eth0``.
    :param number: as the system counts.
    :param host: our name, such as ``axis-accc8e012345.local.``.
    :param networks: all of our addresses there: who is on one of them is answered.
    :param addresses: those that are announced.
    """

    name: str
    number: int
    host: str
    networks: tuple[Interface, ...]
    addresses: tuple[Interface, ...]
    services: tuple[DnsService, ...]


def instance_name(name: str) -> str:
    """Make a name fit: no control characters, no dots, which would part it, and not too long."""
    plain = "".join(sign if sign.isprintable() and sign != "." else " " for sign in name)
    return plain.encode()[:MAX_NAME_BYTES].decode(errors="ignore").strip()


def numbered(name: str, number: int) -> str:
    """Name an instance whose name is taken: the second one is ``name (2)``."""
    return name if number == 1 else f"{name} ({number})"
