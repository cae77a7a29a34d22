"""A responder of the zeroconf library, made a good neighbour, on one interface.

What the library does not do as RFC 6762 wants it is mended where it sends:

- Answers to legacy unicast queries, which come from any port but 5353, have the TTL that multicast
  answers have, 75 minutes (measured with 0.154). A client that asks in this way is told of no
  change, so it must not believe an answer for more than ten seconds (§6.7).
- Unicast answers go to whoever asked, wherever that is, and as often as he likes (§11).

Its socket gets what comes in for our group on all interfaces as soon as anybody has joined there.
It is told to take what its own interface gets and nothing else: then it is known whom we speak to,
and what we say ourselves on another interface is no conflict of names. And it leaves the group of
those that share a port, in which the library has it: Linux (seen with 6.18) gives a multicast
datagram that one socket of the machine wants to any one of the sockets in its group.
"""

import asyncio
import selectors
import socket
import time
from collections.abc import Callable
from copy import copy
from typing import Any

from zeroconf import (  # type: ignore[attr-defined]  # the first two are not in its `__all__`
    DNSOutgoing,
    DNSRecord,
    IPVersion,
    NonUniqueNameException,
    ServiceInfo,
    Zeroconf,
)
from zeroconf.asyncio import AsyncZeroconf

from axis_nvr.protocols.ssdp import IP_MULTICAST_ALL, IPV6_MULTICAST_ALL
from axis_nvr.session.bonjour import MAX_NAMES, DnsService, Link, numbered
from axis_nvr.session.neighbours import Neighbours

PORT = 5353
#: How long an answer to a legacy query may be believed, in seconds (RFC 6762 §6.7).
MAX_LEGACY_TTL_SECONDS = 10
#: Unicast answers in a second: to one address, and to all together.
ANSWERS_PER_SECOND = 20
ALL_ANSWERS_PER_SECOND = 200
#: Datagrams read in so many seconds; the kernel throws away what comes beyond.
MAX_READS = 25
READS_SECONDS = 0.05

_TYPE_SRV, _CLASS_IN = 33, 1


class PacedSelector(selectors.DefaultSelector):
    """Lets a loop read so much in a time and no more.

    The thread of the loop shares the interpreter with the recorder: a flood that it reads as fast
    as it can takes that time from what writes recordings. An event is a datagram here.
    """

    def __init__(self) -> None:
        super().__init__()
        self._events = 0
        self._until = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for events; first of all wait if there were too many."""
        now = time.monotonic()
        if now >= self._until:
            self._events, self._until = 0, now + READS_SECONDS
        elif self._events >= MAX_READS:
            time.sleep(self._until - now)
        ready: list[tuple[selectors.SelectorKey, int]] = super().select(timeout)
        self._events += len(ready)
        return ready


class Responder(Zeroconf):
    """Answers on one interface; to be made in a running loop.

    :ivar link: what is announced.
    :raises OSError: the interface cannot be used.
    """

    def __init__(self, link: Link, say: Callable[[str], None]) -> None:
        self.link = link
        self._say = say
        self._neighbours = Neighbours(ANSWERS_PER_SECOND, ALL_ANSWERS_PER_SECOND)
        self._announced: dict[tuple[str, str], ServiceInfo] = {}
        super().__init__(_places(link), ip_version=_version())

    async def announce(self, link: Link) -> None:
        """Announce what the link says now; what stays is never taken back meanwhile.

        :raises OSError: the interface cannot be used.
        """
        await self.async_wait_for_start()
        if link.networks != self.link.networks:
            await self.async_update_interfaces(_places(link))
        self._keep_to_interface()
        self.link = link
        wanted = {(service.type, service.instance): service for service in link.services}
        for key in self._announced.keys() - wanted.keys():
            await (await self.async_unregister_service(self._announced.pop(key)))
        await asyncio.gather(*(self._announce_service(service) for service in wanted.values()))

    def _keep_to_interface(self) -> None:
        if not self.engine.senders:  # the library has logged why, and thinks that it is up
            raise OSError("no address of it can be used")
        for reader in self.engine.readers:
            reader.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 0)
            if reader.is_ipv6:
                reader.sock.setsockopt(socket.IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0)
            reader.sock.setsockopt(socket.IPPROTO_IP, IP_MULTICAST_ALL, 0)

    async def _announce_service(self, service: DnsService) -> None:
        key = service.type, service.instance
        known = self._announced.get(key)
        if known is None:
            info = await self._register(service)
            if info is not None:
                self._announced[key] = info
        else:
            info = self._announced[key] = _info(self.link, service, known.name)
            await (await self.async_update_service(info))

    async def _register(self, service: DnsService) -> ServiceInfo | None:
        """Announce a service for the first time, by another name if somebody else has this one."""
        for number in range(1, MAX_NAMES + 1):
            name = numbered(service.instance, number)
            info = _info(self.link, service, f"{name}.{service.type}.local.")
            try:
                await (await self.async_register_service(info))
            except NonUniqueNameException:
                if not self._is_ours(info):
                    continue
                # we hear ourselves: two interfaces of ours are on one network
                await (await self.async_register_service(info, cooperating_responders=True))
            if number > 1:
                self._say(f"{service.instance!r} of {service.type} is taken: ours is {name!r}")
            return info
        self._say(
            f"{service.instance!r} of {service.type} is taken, and so are {MAX_NAMES - 1} more"
        )
        return None

    def _is_ours(self, info: ServiceInfo) -> bool:
        """Tell whether who has the name already is the same recorder."""
        known: list[Any] = [*self.cache.get_all_by_details(info.name, _TYPE_SRV, _CLASS_IN)]
        return bool(known) and all(record.server_key == info.server_key for record in known)

    def async_send(
        self,
        out: DNSOutgoing,
        addr: str | None = None,
        port: int = PORT,
        v6_flow_scope: Any = (),
        transport: Any = None,
    ) -> None:
        """Send to a group, or to a neighbour that asked."""
        if addr is not None:
            if not self._neighbours.admit(addr, self.link.networks, time.monotonic()):
                return
            if port != PORT:
                out = legacy_answer(out)
        super().async_send(out, addr, port, v6_flow_scope, transport)


def legacy_answer(answer: DNSOutgoing) -> DNSOutgoing:
    """Make an answer one to a legacy query: believed for a short time only."""
    legacy = DNSOutgoing(answer.flags, multicast=False, id_=answer.id)
    for question in answer.questions:
        legacy.add_question(question)
    for record, now in answer.answers:
        legacy.add_answer_at_time(_short_lived(record), now)
    for record in answer.additionals:
        legacy.add_additional_answer(_short_lived(record))
    return legacy


def _short_lived(record: DNSRecord) -> DNSRecord:
    short = copy(record)  # the library keeps this record for the next answer
    short.ttl = min(record.ttl, MAX_LEGACY_TTL_SECONDS)
    return short


class Station:
    """What is announced on an interface, as it changes.

    :param say: called with a line for the log.
    """

    def __init__(self, link: Link, say: Callable[[str], None]) -> None:
        self._link = link
        self._say = say
        self._changed = asyncio.Event()

    def want(self, link: Link) -> None:
        """Say what is to be announced from now on."""
        if link != self._link:
            self._link = link
            self._changed.set()

    async def serve(self) -> None:
        """Announce until cancelled, and take it all back then.

        :raises OSError: the interface cannot be used.
        """
        responder = Responder(self._link, self._say)
        whole = AsyncZeroconf(zc=responder)
        try:
            while True:
                self._changed.clear()
                await responder.announce(self._link)
                await self._changed.wait()
        finally:
            await whole.async_close()


def _places(link: Link) -> list[str | int]:
    """Say where to listen, in the library's words: IPv4 by addresses, IPv6 by the interface."""
    places: list[str | int] = [str(each.ip) for each in link.networks if each.version == 4]
    if any(each.version == 6 for each in link.networks):
        places.append(link.number)
    return places


def _version() -> IPVersion:
    """Say what to listen by: both if there is IPv6, for it may come to an interface any time."""
    try:
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).close()
    except OSError:
        return IPVersion.V4Only
    return IPVersion.All


def _info(link: Link, service: DnsService, name: str) -> ServiceInfo:
    return ServiceInfo(
        f"{service.type}.local.",
        name,
        port=service.port,
        weight=0,
        priority=0,
        properties=dict(service.txt),
        server=link.host,
        addresses=[address.ip.packed for address in link.addresses],
    )
