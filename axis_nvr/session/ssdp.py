"""An SSDP device: when it says that it is there, and who is answered.

Each target is announced when an interface comes, again well before the announcement grows old, and
taken back at the end. On the interfaces that were there before, a new one is told as an update:
what is known of us by another address stays true. A search is answered after a random part of the
time that it leaves, so that not all devices speak at once.

Whoever forges the address of a search has its answers sent to somebody else, and they are longer
than the search. So only `Neighbours` are answered, and what waits is bounded.

Source: UPnP Device Architecture 1.1 §1.2.2 to §1.2.4, §1.3.3.
"""

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import count

from axis_nvr.session.neighbours import Interface, Neighbours
from axis_nvr.wire.ssdp import (
    GROUP_IPV4,
    GROUPS_IPV6,
    PORT,
    Search,
    build_answer,
    build_notify,
)

#: For how long an announcement holds, in seconds.
MAX_AGE_SECONDS = 1800
#: When it is made again, at the latest: less than half of it (§1.2.2).
REPEAT_SECONDS = 800.0
#: Announcements on a new interface are sent so often, so far apart in seconds: datagrams get lost.
INITIAL_ROUNDS = 3
INITIAL_ROUND_SECONDS = 1.0
#: Searches answered in a second: of one address, and of all together.
ANSWERS_PER_SECOND = 5
ALL_ANSWERS_PER_SECOND = 50
#: Datagrams that may wait to be sent.
MAX_WAITING = 1000
#: What makes clients that look for it at this place read the description (of Axis devices).
USER_AGENT = "redsonic"


@dataclass(frozen=True, slots=True)
class Target:
    """Something that can be searched for.

    :param type: ``NT`` and ``ST``.
    :param usn: its unique service name.
    """

    type: str
    usn: str


@dataclass(frozen=True, slots=True)
class Identity:
    """What the device says of itself in each message.

    :param server: ``SERVER``.
    :param boot_uuid: another one after each start.
    :param location: gives the URL of the description for an address of ours.
    """

    targets: tuple[Target, ...]
    server: str
    boot_uuid: str
    location: Callable[[Interface], str]


@dataclass(frozen=True, slots=True)
class Datagram:
    """A datagram to be sent.

    :param interface: the address of ours to send from.
    :param destination: address and port.
    """

    interface: Interface
    data: bytes
    destination: tuple[str, int]


@dataclass(slots=True, eq=False)
class SsdpDevice:
    """Decides what is sent, and when.

    :param random: gives numbers from 0 up to 1.
    :param boot_id: grows from start to start, such as seconds since 1970; up to 31 bits.
    :ivar neighbours: who is answered.
    """

    identity: Identity
    random: Callable[[], float]
    boot_id: int
    neighbours: Neighbours = field(
        default_factory=lambda: Neighbours(ANSWERS_PER_SECOND, ALL_ANSWERS_PER_SECOND)
    )
    _interfaces: list[Interface] = field(default_factory=list)
    _waiting: list[tuple[float, int, Datagram]] = field(default_factory=list)
    _order: "count[int]" = field(default_factory=count)
    _next_round: float | None = None

    def set_interfaces(self, interfaces: Iterable[Interface], now: float) -> None:
        """Say which addresses we have now; new ones are announced."""
        present = list(interfaces)
        new = [interface for interface in present if interface not in self._interfaces]
        stay = [interface for interface in self._interfaces if interface in present]
        self._waiting = [entry for entry in self._waiting if entry[2].interface in stay]
        heapq.heapify(self._waiting)
        self._interfaces = present
        if stay and new:
            self._update(stay, now)
        for interface in new:
            for at in range(INITIAL_ROUNDS):
                self._announce(interface, now + at * INITIAL_ROUND_SECONDS)
        if self._next_round is None:
            self._next_round = self._later(now)

    def receive(self, search: Search, source: tuple[str, int], at: Interface, now: float) -> None:
        """Take a search.

        :param source: address and port that it came from.
        :param at: the address of ours on whose interface it came.
        """
        found = [
            target for target in self.identity.targets if search.target in ("ssdp:all", target.type)
        ]
        if not found or not self.neighbours.admit(source[0], (at,), now):
            return
        for target in found:
            headers = (*self._head(at), ("ST", target.type), ("USN", target.usn))
            answer = Datagram(at, build_answer((*headers[:1], ("EXT", ""), *headers[1:])), source)
            self._put(now + self.random() * search.mx_seconds, answer)

    def next_timeout(self) -> float | None:
        """Tell when `take` has something, None if never."""
        due = [entry[0] for entry in self._waiting[:1]]
        if self._next_round is not None:
            due.append(self._next_round)
        return min(due, default=None)

    def take(self, now: float) -> list[Datagram]:
        """Give what is to be sent by now."""
        if self._next_round is not None and now >= self._next_round:
            self._next_round = self._later(now)
            for interface in self._interfaces:
                self._announce(interface, now)
        datagrams = []
        while self._waiting and self._waiting[0][0] <= now:
            datagrams.append(heapq.heappop(self._waiting)[2])
        return datagrams

    def farewell(self) -> list[Datagram]:
        """Give what takes everything back; nothing else is sent after it."""
        self._waiting.clear()
        self._next_round = None
        return [
            datagram
            for interface in self._interfaces
            for datagram in self._notify(interface, "ssdp:byebye")
        ]

    def _later(self, now: float) -> float:
        return now + REPEAT_SECONDS * (0.5 + 0.5 * self.random())

    def _announce(self, interface: Interface, when: float) -> None:
        for datagram in self._notify(interface, "ssdp:alive", self._head(interface)):
            self._put(when, datagram)

    def _update(self, interfaces: Iterable[Interface], now: float) -> None:
        for interface in interfaces:
            location = ("LOCATION", self.identity.location(interface))
            following = ("NEXTBOOTID.UPNP.ORG", str(self.boot_id + 1))
            for datagram in self._notify(interface, "ssdp:update", (location,), (following,)):
                self._put(now, datagram)
        self.boot_id += 1

    def _put(self, when: float, datagram: Datagram) -> None:
        if len(self._waiting) < MAX_WAITING:
            heapq.heappush(self._waiting, (when, next(self._order), datagram))

    def _notify(
        self,
        interface: Interface,
        kind: str,
        head: tuple[tuple[str, str], ...] = (),
        tail: tuple[tuple[str, str], ...] = (),
    ) -> Iterable[Datagram]:
        boot = (("BOOTID.UPNP.ORG", str(self.boot_id)), ("CONFIGID.UPNP.ORG", "1"))
        for group in groups_of(interface):
            host = ("HOST", f"[{group}]:{PORT}" if ":" in group else f"{group}:{PORT}")
            for target in self.identity.targets:
                names = (("NT", target.type), ("NTS", kind), ("USN", target.usn))
                data = build_notify((host, *head, *names, *boot, *tail))
                yield Datagram(interface, data, (group, PORT))

    def _head(self, interface: Interface) -> tuple[tuple[str, str], ...]:
        return (
            ("CACHE-CONTROL", f"max-age={MAX_AGE_SECONDS}"),
            ("LOCATION", self.identity.location(interface)),
            ("SERVER", self.identity.server),
            ("OPT", '"http://schemas.upnp.org/upnp/1/0/"; ns=01'),
            ("01-NLS", self.identity.boot_uuid),
            ("X-User-Agent", USER_AGENT),
        )


def groups_of(interface: Interface) -> tuple[str, ...]:
    """Name the groups that are spoken to from an address."""
    if interface.version == 4:
        return (GROUP_IPV4,)
    return GROUPS_IPV6[:1] if interface.is_link_local else GROUPS_IPV6[1:]
