"""SSDP messages: HTTP without a connection, one message to a datagram.

::

    NOTIFY * HTTP/1.1                             M-SEARCH * HTTP/1.1
    HOST: 239.255.255.250:1900                    HOST: 239.255.255.250:1900
    CACHE-CONTROL: max-age=1800                   MAN: "ssdp:discover"
    LOCATION: http://192.0.2.10:49152/…           MX: 3
    NT: upnp:rootdevice                           ST: upnp:rootdevice
    NTS: ssdp:alive
    USN: uuid:…::upnp:rootdevice

Anybody on the network may send anything here: a datagram that is no search is no error, it is
nothing.

Source: UPnP Device Architecture 1.1 §1.2, §1.3.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

PORT = 1900
GROUP_IPV4 = "239.255.255.250"
#: Link-local and site-local scope.
GROUPS_IPV6 = ("ff02::c", "ff05::c")
#: Bytes of a datagram that is looked at.
MAX_DATAGRAM_BYTES = 2048
#: Header lines of a datagram that are looked at.
MAX_HEADERS = 32
#: The longest wait that a search may ask for, in seconds; more is taken for this (§1.3.2).
MAX_MX_SECONDS = 5
#: Characters of a search target.
MAX_TARGET_CHARACTERS = 256

_LINE_END = re.compile(rb"\r\n|\n")


@dataclass(frozen=True, slots=True)
class Search:
    """An ``M-SEARCH``.

    :param target: ``ST``.
    :param mx_seconds: within how long to answer; 0 of a search that was sent to us alone.
    """

    target: str
    mx_seconds: int


def parse_search(data: bytes) -> Search | None:
    """Read a search; None if it is none.

    ``MAN`` may lack its quotes; ``MX`` may be missing, as in a search that is not multicast.
    """
    if len(data) > MAX_DATAGRAM_BYTES or not data.startswith(b"M-SEARCH * HTTP/1."):
        return None
    headers: dict[str, str] = {}
    for line in _LINE_END.split(data, MAX_HEADERS + 1)[1 : MAX_HEADERS + 1]:
        name, colon, value = line.decode("latin-1").partition(":")
        if colon:
            headers.setdefault(name.strip().upper(), value.strip())
    target, wait = headers.get("ST", ""), headers.get("MX", "0")
    if headers.get("MAN", "").strip('"') != "ssdp:discover":
        return None
    if not 0 < len(target) <= MAX_TARGET_CHARACTERS:
        return None
    if not (wait.isascii() and wait.isdecimal() and len(wait) <= 9):
        return None
    return Search(target, min(int(wait), MAX_MX_SECONDS))


def build_notify(headers: Iterable[tuple[str, str]]) -> bytes:
    """Write a ``NOTIFY``."""
    return _build("NOTIFY * HTTP/1.1", headers)


def build_answer(headers: Iterable[tuple[str, str]]) -> bytes:
    """Write the answer to a search."""
    return _build("HTTP/1.1 200 OK", headers)


def _build(start: str, headers: Iterable[tuple[str, str]]) -> bytes:
    lines = [start, *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("ascii", "replace")
