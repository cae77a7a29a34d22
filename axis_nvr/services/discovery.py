"""Tells the networks that there is a recorder, and where: UPnP and Bonjour.

What is announced is what can be reached: a server that is not up is not announced, nor is one on
a network where it does not listen, nor an address at which nothing listens. Interfaces come and go
while the recorder runs, and so may servers; both are looked at every few seconds.

Nothing that goes wrong here ends anything else: a recorder that cannot be discovered records.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from twisted.application.service import Service
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from axis_nvr.protocols.interfaces import NetworkInterface, network_interfaces, one_of_each_kind
from axis_nvr.protocols.ssdp import SsdpService
from axis_nvr.session.bonjour import DnsService, Link
from axis_nvr.session.neighbours import Interface
from axis_nvr.session.ssdp import SsdpDevice

if TYPE_CHECKING:
    from axis_nvr.protocols.bonjour import BonjourService

#: How often interfaces and servers are looked at, in seconds.
LOOK_SECONDS = 5.0


class Place(NamedTuple):
    """Where a server listens."""

    host: str
    port: int

    def serves(self, address: Interface) -> bool:
        """Tell whether a client reaches the server at an address of ours."""
        if self.host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
            return self.host == "::" or address.version == 4
        return self.host == str(address.ip)


def places_of(ports: Mapping[str, IListeningPort | None]) -> dict[str, Place]:
    """Tell where servers listen, by the same keys; those that do on no network are left out."""
    places: dict[str, Place] = {}
    for key, port in ports.items():
        address = port.getHost() if port is not None else None
        if isinstance(address, IPv4Address | IPv6Address):
            places[key] = Place(address.host.partition("%")[0], address.port)
    return places


class Description:
    """The server of the UPnP description.

    :param preferred: the port it has if nobody else does.
    :ivar port: the one it has; 0 while it does not listen.
    """

    log = Logger()

    def __init__(self, reactor: Any, factory: IProtocolFactory, preferred: int) -> None:
        self._reactor = reactor
        self._factory = factory
        self._preferred = preferred
        self._listening: IListeningPort | None = None
        self._told = False
        self.port = 0

    def listen(self) -> bool:
        """Listen, by IPv6 and IPv4 if there are both; tell whether it does."""
        if self._listening is not None:
            return True
        errors = []
        for interface in ("::", ""):
            for port in (self._preferred, 0):
                try:
                    listening = self._reactor.listenTCP(port, self._factory, interface=interface)
                except CannotListenError as error:
                    errors.append(str(error.socketError))
                    continue
                self._listening, self.port = listening, listening.getHost().port
                return True
        if not self._told:
            self._told = True
            self.log.warn("no UPnP: its description cannot be served: {errors}", errors=errors)
        return False

    def stop(self) -> Any:
        """Listen no more."""
        listening, self._listening, self.port = self._listening, None, 0
        return listening.stopListening() if listening is not None else None


class Upnp(NamedTuple):
    """UPnP: announcements and the description they lead to."""

    device: SsdpDevice
    description: Description


class Discovery(Service):
    """Announces the recorder where it can be reached.

    :param host: its name, such as ``axis-accc8e012345.local.``.
    :param places: tells where servers listen now, by scheme.
    :param dns_services: says what is announced by Bonjour if these ports can be reached.
    :param upnp: None: not announced by UPnP.
    :param bonjour: whether to announce by Bonjour.
    :param interfaces: lists the interfaces that there are now.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        host: str,
        places: Callable[[], Mapping[str, Place]],
        dns_services: Callable[[Mapping[str, int]], tuple[DnsService, ...]],
        upnp: Upnp | None,
        *,
        bonjour: bool,
        interfaces: Callable[[], list[NetworkInterface]] = network_interfaces,
    ) -> None:
        self._host = host
        self._places = places
        self._dns_services = dns_services
        self._interfaces = interfaces
        self._upnp = upnp
        self._ssdp = SsdpService(reactor, upnp.device) if upnp is not None else None
        self._bonjour = _bonjour_service(reactor) if bonjour else None
        self._looking = LoopingCall(self._look)
        self._looking.clock = reactor

    def startService(self) -> None:
        """Announce; what cannot be used is left out."""
        super().startService()
        for part in (self._ssdp, self._bonjour):
            if part is not None:
                with self.log.failuresHandled("while discovery was started"):
                    part.startService()
        self._looking.start(LOOK_SECONDS)

    def stopService(self) -> "Deferred[None]":
        """Take everything back; fires when that is done."""
        super().stopService()
        if self._looking.running:
            self._looking.stop()
        ends = [part.stopService for part in (self._ssdp, self._bonjour) if part is not None]
        if self._upnp is not None:
            ends.append(self._upnp.description.stop)
        stopped = DeferredList([maybeDeferred(end) for end in ends], consumeErrors=True)
        return stopped.addCallback(lambda _: None)

    def _look(self) -> None:
        """See what can be reached, and where."""
        with self.log.failuresHandled("while interfaces were looked at"):
            interfaces = self._interfaces()
            places = self._places()
            if self._upnp is not None and self._ssdp is not None:
                web = [place for scheme, place in places.items() if scheme in ("http", "https")]
                reached = [_reached(interface, web) for interface in interfaces]
                found = [address for each in reached for address in one_of_each_kind(each)]
                if not found or self._upnp.description.listen():
                    self._ssdp.set_addresses(found)
            if self._bonjour is not None:
                links = (self._link(interface, places) for interface in interfaces)
                self._bonjour.set_links(link for link in links if link is not None)

    def _link(self, interface: NetworkInterface, places: Mapping[str, Place]) -> Link | None:
        """Say what is announced on an interface; None if nothing is."""
        addresses = _reached(interface, places.values()).addresses
        ports = {
            scheme: place.port
            for scheme, place in places.items()
            if any(place.serves(address) for address in addresses)
        }
        services = self._dns_services(ports)
        if not services:
            return None
        name, number, networks = interface
        return Link(name, number, self._host, networks, addresses, services)


def _bonjour_service(reactor: Any) -> "BonjourService":
    from axis_nvr.protocols.bonjour import BonjourService  # 3.1 MiB, only if it is asked for

    return BonjourService(reactor)


def _reached(interface: NetworkInterface, places: Iterable[Place]) -> NetworkInterface:
    """Leave the addresses at which any of the servers is reached."""
    present = list(places)
    return interface._replace(
        addresses=tuple(a for a in interface.addresses if any(p.serves(a) for p in present))
    )
