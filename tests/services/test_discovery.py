"""What is announced where, as servers and interfaces come and go."""

from collections.abc import Mapping
from ipaddress import ip_interface
from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import ServerFactory
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.protocols.interfaces import NetworkInterface
from axis_nvr.services.discovery import (
    LOOK_SECONDS,
    Description,
    Discovery,
    Place,
    places_of,
)
from axis_nvr.session.bonjour import DnsService, Link

ETH = NetworkInterface(
    "eth0", 2, tuple(map(ip_interface, ("192.0.2.1/24", "fe80::1/64", "192.0.2.2/24")))
)
WLAN = NetworkInterface("wlan0", 3, (ip_interface("198.51.100.1/24"),))


def services(ports: Mapping[str, int]) -> tuple[DnsService, ...]:
    return tuple(DnsService(f"_{scheme}._tcp", "name", port) for scheme, port in ports.items())


class PlaceTests(SynchronousTestCase):
    def serves(self, host: str) -> list[str]:
        place = Place(host, 80)
        return [str(a.ip) for a in (*ETH.addresses, *WLAN.addresses) if place.serves(a)]

    def test_everywhere(self) -> None:
        """What listens everywhere does so by IPv4, or by both."""
        ipv4 = ["192.0.2.1", "192.0.2.2", "198.51.100.1"]
        self.assertEqual(self.serves("0.0.0.0"), ipv4)  # noqa: S104
        self.assertEqual(len(self.serves("::")), 4)

    def test_somewhere(self) -> None:
        """What listens at one address serves there."""
        self.assertEqual(self.serves("192.0.2.2"), ["192.0.2.2"])
        self.assertEqual(self.serves("127.0.0.1"), [])

    def test_ports(self) -> None:
        """A server that is off, or at no address of a network, has no place."""

        class Unix:
            def getHost(self) -> UNIXAddress:  # noqa: N802
                return UNIXAddress(b"socket")

        port = MemoryReactorClock().listenTCP(8080, ServerFactory())
        unix: Any = Unix()
        places = places_of({"http": port, "https": None, "rtsp": unix})
        self.assertEqual(places, {"http": Place("0.0.0.0", 8080)})  # noqa: S104


class DescriptionTests(SynchronousTestCase):
    def listen(self, refuse: Any) -> tuple[bool, list[tuple[int, str]], int]:
        tried = []

        class Picky(MemoryReactorClock):
            def listenTCP(  # noqa: N802
                self, port: int, factory: Any, backlog: int = 50, interface: str = ""
            ) -> Any:
                tried.append((port, interface))
                if refuse(port, interface):
                    raise CannotListenError(interface, port, OSError("no"))
                return super().listenTCP(port or 40_000, factory)

        description = Description(Picky(), ServerFactory(), 49152)
        with capturedLogs() as logs:
            listens = description.listen()
        self.assertEqual(bool(logs), not listens)
        return listens, tried, description.port

    def test_its_port(self) -> None:
        """It has its own port if nobody else does, another one otherwise."""
        self.assertEqual(self.listen(lambda *_: False), (True, [(49152, "::")], 49152))
        taken = self.listen(lambda port, _: port == 49152)
        self.assertEqual(taken, (True, [(49152, "::"), (0, "::")], 40_000))

    def test_no_ipv6(self) -> None:
        """Without IPv6 it listens by IPv4."""
        listens, tried, port = self.listen(lambda _, interface: interface == "::")
        self.assertEqual((listens, tried[-1], port), (True, (49152, ""), 49152))

    def test_nothing_to_be_had(self) -> None:
        """It says so, and raises nothing."""
        self.assertFalse(self.listen(lambda *_: True)[0])

    def test_again(self) -> None:
        """Tried again it is silent, until it works."""

        class Full(MemoryReactorClock):
            full = True

            def listenTCP(self, *arguments: Any, **more: Any) -> Any:  # noqa: N802
                if self.full:
                    raise CannotListenError("", 0, OSError("no"))
                return super().listenTCP(*arguments, **more)

        reactor = Full()
        description = Description(reactor, ServerFactory(), 49152)
        with capturedLogs() as logs:
            self.assertEqual([description.listen() for _ in range(3)], [False] * 3)
        self.assertEqual(len(logs), 1)
        reactor.full = False
        self.assertTrue(description.listen() and description.listen())
        self.assertEqual(len(reactor.tcpServers), 1)


class DiscoveryTests(SynchronousTestCase):
    """Bonjour is replaced by a list here: no sockets."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.places = {"http": Place("0.0.0.0", 80)}  # noqa: S104
        self.interfaces = [ETH]
        self.wrong: Exception | None = None
        self.links: list[Link] = []
        self.discovery = Discovery(
            self.reactor,
            "axis-accc8e012345.local.",
            lambda: self.places,
            services,
            None,
            bonjour=True,
            interfaces=self.list_interfaces,
        )
        test = self

        class Recorded:
            def startService(self) -> None:
                test.links = []

            def stopService(self) -> None:
                test.links = []

            def set_links(self, links: Any) -> None:
                test.links = list(links)

        setattr(self.discovery, "_bonjour", Recorded())  # noqa: B010
        self.discovery.startService()

    def list_interfaces(self) -> list[NetworkInterface]:
        if self.wrong is not None:
            raise self.wrong
        return self.interfaces

    def test_what_can_be_reached(self) -> None:
        """The addresses at which something listens are announced, with what listens there."""
        (link,) = self.links
        self.assertEqual((link.name, link.number, link.networks), ETH)
        self.assertEqual([str(a.ip) for a in link.addresses], ["192.0.2.1", "192.0.2.2"])
        self.assertEqual(link.services, services({"http": 80}))

    def test_a_server_of_one_network(self) -> None:
        """A server at one address is announced there and nowhere else."""
        self.interfaces = [ETH, WLAN]
        self.places["https"] = Place("198.51.100.1", 443)
        self.reactor.advance(LOOK_SECONDS)
        lan, wlan = self.links
        self.assertEqual(lan.services, services({"http": 80}))
        self.assertEqual(wlan.services, services({"http": 80, "https": 443}))

    def test_nothing_that_can_be_reached(self) -> None:
        """With nothing but the machine's own loopback nothing is announced."""
        self.places = {"http": Place("127.0.0.1", 80)}
        self.reactor.advance(LOOK_SECONDS)
        self.assertEqual(self.links, [])

    def test_interfaces_come_and_go(self) -> None:
        """They are looked at every few seconds."""
        self.interfaces = [WLAN]
        self.reactor.advance(LOOK_SECONDS - 0.1)
        self.assertEqual([link.name for link in self.links], ["eth0"])
        self.reactor.advance(0.1)
        self.assertEqual([link.name for link in self.links], ["wlan0"])
        self.interfaces = []
        self.reactor.advance(LOOK_SECONDS)
        self.assertEqual(self.links, [])

    def test_a_surprise(self) -> None:
        """What fails is in the log, changes nothing, and the next look is as any other."""
        self.wrong = OSError("no such list")
        with capturedLogs() as logs:
            self.reactor.advance(LOOK_SECONDS)
        self.assertEqual(logs[0]["log_level"], LogLevel.critical)
        self.assertEqual(len(self.links), 1)
        self.wrong, self.interfaces = None, []
        self.reactor.advance(LOOK_SECONDS)
        self.assertEqual(self.links, [])
        self.flushLoggedErrors(OSError)

    def test_the_end(self) -> None:
        """Nothing is looked at any more."""
        self.successResultOf(self.discovery.stopService())
        self.assertEqual(self.reactor.getDelayedCalls(), [])
