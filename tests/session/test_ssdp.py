"""An SSDP device: announcements, answers, and what does not get one."""

from ipaddress import ip_interface

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.session.ssdp import (
    ALL_ANSWERS_PER_SECOND,
    ANSWERS_PER_SECOND,
    INITIAL_ROUNDS,
    MAX_WAITING,
    REPEAT_SECONDS,
    Datagram,
    Identity,
    SsdpDevice,
    Target,
)
from axis_nvr.wire.ssdp import MAX_MX_SECONDS, Search, parse_search

LAN = ip_interface("192.0.2.10/24")
WLAN = ip_interface("198.51.100.7/24")
LINK = ip_interface("fe80::1/64")
UUID = "uuid:Upnp-BasicDevice-1_0-ACCC8E012345"
TARGETS = (
    Target("upnp:rootdevice", f"{UUID}::upnp:rootdevice"),
    Target(UUID, UUID),
    Target("urn:axis-com:service:BasicNvrService:1", f"{UUID}::urn:axis-com:service:x"),
)
NEIGHBOUR = ("192.0.2.99", 50000)


def search_bytes(target: str, mx: str = "3", man: str = '"ssdp:discover"') -> bytes:
    lines = f"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: {man}\r\n"
    return f"{lines}MX: {mx}\r\nST: {target}\r\n\r\n".encode()


class ParseTests(SynchronousTestCase):
    def test_a_search(self) -> None:
        """Target and time are read; names of headers in any case, line ends of either kind."""
        self.assertEqual(parse_search(search_bytes("ssdp:all")), Search("ssdp:all", 3))
        plain = search_bytes("x").replace(b"\r\n", b"\n").replace(b"MX", b"mx")
        self.assertEqual(parse_search(plain), Search("x", 3))
        self.assertEqual(parse_search(search_bytes("x", man="ssdp:discover")), Search("x", 3))

    def test_a_long_wait(self) -> None:
        """More than five seconds are taken for five."""
        search = parse_search(search_bytes("x", mx="120"))
        assert search is not None
        self.assertEqual(search.mx_seconds, MAX_MX_SECONDS)

    def test_what_is_no_search(self) -> None:
        """Nothing is made of it."""
        for data in (
            b"",
            b"NOTIFY * HTTP/1.1\r\n\r\n",
            search_bytes(""),
            search_bytes("x" * 300),
            search_bytes("x", mx="-1"),
            search_bytes("x", mx="٣"),
            search_bytes("x", man='"other"'),
            search_bytes("x") + bytes(3000),
        ):
            self.assertIsNone(parse_search(data), data[:60])

    @settings(max_examples=300, deadline=None)
    @given(st.binary(max_size=300), st.integers(0, 200))
    def test_any_bytes(self, noise: bytes, at: int) -> None:
        """Any datagram is a search or nothing."""
        parse_search(noise)
        whole = search_bytes("ssdp:all")
        parse_search(whole[:at] + noise + whole[at:])


class SsdpDeviceTests(SynchronousTestCase):
    def setUp(self) -> None:
        identity = Identity(TARGETS, "Linux/6.1, UPnP/1.0, axis_nvr/1", "boot", self.location)
        self.device = SsdpDevice(identity, lambda: 0.5, boot_id=7)

    def location(self, interface: object) -> str:
        return f"http://{getattr(interface, 'ip', '')}:49152/rootdesc1.xml"

    def settle(self) -> None:
        """Have the first announcements behind us."""
        self.device.set_interfaces([LAN], 0.0)
        self.device.take(10.0)

    def ask(self, target: str, source: tuple[str, int] = NEIGHBOUR, now: float = 20.0) -> int:
        """How many datagrams wait after a search."""
        self.device.receive(Search(target, 2), source, LAN, now)
        return len(self.device._waiting)

    def kinds(self, datagrams: list[Datagram]) -> list[str]:
        return [line for d in datagrams for line in d.data.decode().split("\r\n") if "NTS" in line]

    def test_announced(self) -> None:
        """Each target thrice on a new interface, with where to find us on that one."""
        self.device.set_interfaces([LAN, WLAN], 0.0)
        first = self.device.take(0.0)
        self.assertEqual(len(first), 2 * len(TARGETS))
        self.assertEqual(first[0].destination, ("239.255.255.250", 1900))
        self.assertIn(b"LOCATION: http://192.0.2.10:49152/", first[0].data)
        self.assertIn(b"LOCATION: http://198.51.100.7:49152/", first[-1].data)
        self.assertEqual(set(self.kinds(first)), {"NTS: ssdp:alive"})
        rest = self.device.take(10.0)
        self.assertEqual(len(rest), len(first) * (INITIAL_ROUNDS - 1))

    def test_again_in_time(self) -> None:
        """Before half of the time has gone everything is announced again, and again."""
        self.settle()
        for turn in range(1, 4):
            self.assertEqual(len(self.device.take(turn * REPEAT_SECONDS)), len(TARGETS))

    def test_an_interface_that_comes_and_one_that_goes(self) -> None:
        """The new one is announced; nothing more is sent from the old one."""
        self.device.set_interfaces([LAN], 0.0)
        self.device.set_interfaces([WLAN], 0.5)
        sent = self.device.take(10.0)
        self.assertEqual({d.interface for d in sent}, {WLAN})

    def test_an_update(self) -> None:
        """Where we were known before, a new interface is told as an update of what is known."""
        self.settle()
        self.device.set_interfaces([LAN, WLAN], 20.0)
        sent = self.device.take(20.0)
        updates = [d for d in sent if b"NTS: ssdp:update" in d.data]
        self.assertEqual([d.interface for d in updates], [LAN] * len(TARGETS))
        self.assertIn(b"BOOTID.UPNP.ORG: 7\r\n", updates[0].data)
        self.assertIn(b"NEXTBOOTID.UPNP.ORG: 8\r\n", updates[0].data)
        (alive, *_) = [d for d in sent if d.interface == WLAN]
        self.assertIn(b"BOOTID.UPNP.ORG: 8\r\n", alive.data)

    def test_ipv6(self) -> None:
        """Link-local addresses speak to the link-local group."""
        self.device.set_interfaces([LINK], 0.0)
        (first, *_) = self.device.take(0.0)
        self.assertEqual(first.destination, ("ff02::c", 1900))
        self.assertIn(b"HOST: [ff02::c]:1900", first.data)

    def test_answers(self) -> None:
        """All targets for ``ssdp:all``, one for its own name, none for another product's."""
        self.settle()
        self.assertEqual(self.ask("ssdp:all"), len(TARGETS))
        self.assertEqual(self.device.take(20.9), [])
        answers = self.device.take(21.0)  # half of MX
        self.assertEqual({d.destination for d in answers}, {NEIGHBOUR})
        text = answers[0].data.decode()
        self.assertTrue(text.startswith("HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=1800\r\nEXT:"))
        self.assertIn("ST: upnp:rootdevice\r\nUSN: " + TARGETS[0].usn, text)
        self.assertEqual(self.ask("urn:axis-com:service:BasicNvrService:1", now=30.0), 1)
        self.assertEqual(self.ask("urn:axis-com:service:BasicService:1", now=40.0), 1)

    def test_strangers(self) -> None:
        """Who is on no network of ours gets nothing: nobody is to be flooded through us."""
        self.settle()
        self.assertEqual(self.ask("ssdp:all", ("203.0.113.5", 80)), 0)
        self.assertEqual(self.ask("ssdp:all", ("no address", 80)), 0)
        self.assertEqual(self.device.neighbours.ignored, 2)

    def test_one_that_asks_too_often(self) -> None:
        """So many answers a second and no more; the next second there are some again."""
        self.settle()
        waiting = [self.ask(UUID) for _ in range(50)][-1]
        self.assertEqual(waiting, ANSWERS_PER_SECOND)
        self.assertEqual(self.ask(UUID, now=21.0), waiting + 1)

    def test_many_that_ask(self) -> None:
        """All together have a bound too."""
        self.settle()
        for n in range(200):
            self.ask(UUID, (f"192.0.2.{n % 250 + 1}", 1000 + n))
        self.assertEqual(len(self.device._waiting), ALL_ANSWERS_PER_SECOND)

    def test_what_waits_is_bounded(self) -> None:
        """Whatever comes within the seconds of MX."""
        self.settle()
        for second in range(100):
            for n in range(100):
                self.device.receive(
                    Search("ssdp:all", 5), (f"192.0.2.{n}", second), LAN, 20 + second
                )
        self.assertEqual(len(self.device._waiting), MAX_WAITING)

    def test_farewell(self) -> None:
        """Everything is taken back, and then there is silence."""
        self.settle()
        self.ask("ssdp:all")
        goodbye = self.device.farewell()
        self.assertEqual(self.kinds(goodbye), ["NTS: ssdp:byebye"] * len(TARGETS))
        self.assertNotIn(b"LOCATION", goodbye[0].data)
        self.assertEqual(self.device.take(10_000.0), [])
        self.assertIsNone(self.device.next_timeout())
