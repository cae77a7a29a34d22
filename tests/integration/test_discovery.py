"""Found on the network by programs of others."""

import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import maybeDeferred
from twisted.internet.task import deferLater
from twisted.logger import capturedLogs
from twisted.trial.unittest import SkipTest, TestCase
from twisted.web.resource import Resource
from twisted.web.server import Site

from axis_nvr.config import Config
from axis_nvr.protocols.interfaces import NetworkInterface, network_interfaces
from axis_nvr.services import discovery
from axis_nvr.services.discovery import Discovery
from axis_nvr.session.bonjour import Link
from axis_nvr.vapix.announcement import make_discovery
from axis_nvr.vapix.upnp_description import PATH, SERVICE_TYPE
from tests import dns
from tests.integration.avahi import Avahi
from tests.integration.networks import CameraNetwork, camera_network, has_ipv6
from tests.integration.peers import (
    SYSTEM_PYTHON,
    Program,
    holds,
    require_program,
    start_program,
)

reactor: Any = installed_reactor
ONE_SHOT = Path(__file__).with_name("one_shot.py")
SERIAL = "ACCC8E012345"
NAME = f"AXIS S3008 - {SERIAL}"
#: A name as `avahi-browse -p` writes it.
ESCAPED = NAME.replace(" ", r"\032").encode()
NVR = "_axis-nvr._tcp.local"
SEARCH = (
    b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n"
    b'MAN: "ssdp:discover"\r\nMX: 1\r\nST: %s\r\n\r\n'
)


class DiscoveryTests(TestCase):
    timeout = 120

    def setUp(self) -> None:
        self.patch(discovery, "LOOK_SECONDS", 0.2)

    def run_in(self, network: CameraNetwork, program: str, *arguments: str) -> Program:
        """Run a program in the other half of a network."""
        prefix = [require_program(network.prefix[0]), *network.prefix[1:]]
        command = [*prefix, require_program(program), *arguments]
        return start_program(self, reactor, command)

    async def ask(
        self, network: CameraNetwork, group: str, port: int, question: bytes, seconds: float = 2.0
    ) -> list[tuple[str, int, bytes]]:
        """Ask once from an ephemeral port: who answered, from which port, and what."""
        hexadecimal = question.hex()
        arguments = (str(ONE_SHOT), group, str(port), hexadecimal, str(seconds))
        asked = self.run_in(network, SYSTEM_PYTHON, *arguments)
        await holds(reactor, b"end", lambda: asked.output)
        lines = [line.split() for line in asked.output.decode().splitlines()[:-1]]
        return [(host, int(sender), bytes.fromhex(data)) for host, sender, data in lines]

    def announce(self, *networks: CameraNetwork, **more: Any) -> Discovery:
        """Announce a recorder on the interfaces of these networks and no other."""
        port = reactor.listenTCP(0, Site(Resource()), interface="::")
        self.addCleanup(port.stopListening)
        self.web_port = port.getHost().port
        self.networks = list(networks)

        def interfaces() -> list[NetworkInterface]:
            here = tuple(each.camera.rpartition(".")[0] + "." for each in self.networks)
            return [
                each
                for each in network_interfaces()
                if any(str(address.ip).startswith(here) for address in each.addresses)
            ]

        self.service = make_discovery(
            reactor,
            Config(Path(), {}),
            SERIAL,
            "1",
            lambda: {"http": port, "https": None},
            interfaces=interfaces,
            **more,
        )
        self.service.startService()
        self.addCleanup(self.stop)
        return self.service

    def stop(self) -> Any:
        """Take the announcements back, unless that was done."""
        return maybeDeferred(self.service.stopService) if self.service.running else None

    async def test_ssdp_found_described_and_gone(self) -> None:
        """A control point hears of us, finds us by search, reads the description, hears goodbye."""
        network = camera_network(self)
        ears = self.run_in(network, "gssdp-discover", "-m", "all", "-n", "30")
        await deferLater(reactor, 0.5)
        service = self.announce(network)
        await holds(reactor, b"resource available", lambda: ears.output)
        usn = f"uuid:Upnp-BasicDevice-1_0-{SERIAL}::{SERVICE_TYPE}"
        await holds(reactor, usn.encode(), lambda: ears.output)

        seeker = self.run_in(network, "gssdp-discover", "-t", SERVICE_TYPE, "-n", "10")
        await holds(reactor, PATH.encode(), lambda: seeker.output)
        location = seeker.output.decode().split("Location:")[1].split()[0]

        code = f"import urllib.request as u; print(u.urlopen({location!r}).read().decode(), 'end')"
        reader = self.run_in(network, SYSTEM_PYTHON, "-c", code)
        await holds(reactor, b"end", lambda: reader.output)
        device = ET.fromstring(reader.output.decode().removesuffix("end\n").strip())[1]
        texts = {child.tag.partition("}")[2]: child.text for child in device}
        self.assertEqual(texts["serialNumber"], SERIAL)
        here = location.removeprefix("http://").rpartition(":")[0]
        self.assertEqual(texts["presentationURL"], f"http://{here}:{self.web_port}/")

        await service.stopService()
        await holds(reactor, b"resource unavailable", lambda: ears.output)

    async def test_bonjour_browsed_resolved_and_gone(self) -> None:
        """Avahi's browser sees each service with host, address, port and text, and its end."""
        network = camera_network(self)
        avahi = Avahi(self, reactor, network)
        await avahi.start()
        browser = avahi.run("avahi-browse", "-rpka")
        service = self.announce(network, paths=["/axis-cgi/apidiscovery.cgi"])
        ours = network.camera.rpartition(".")[0] + ".1"
        for name, kind, text in (
            (ESCAPED, b"_axis-nvr._tcp", b'"macaddress=ACCC8E012345"'),
            (ESCAPED, b"_http._tcp", b""),
            (rb"AXIS\032S3008", b"_vapix-http._tcp", b'"ep=apidisc" "sn=ACCC8E012345" "txtvers=1"'),
        ):
            place = f"axis-{SERIAL.lower()}.local;{ours};{self.web_port};".encode()
            line = b";IPv4;" + name + b";" + kind + b";local;" + place + text + b"\n"
            await holds(reactor, line, lambda: browser.output)
        if has_ipv6():
            await holds(reactor, b";IPv6;" + ESCAPED + b";_axis-nvr._tcp;", lambda: browser.output)
        for kind in (b"_https._tcp", b"_rtsp._tcp", b"_vapix-https._tcp"):
            self.assertNotIn(kind, browser.output)  # nothing listens there

        await service.stopService()
        for kind in (b"_axis-nvr._tcp", b"_http._tcp"):
            gone = b";IPv4;" + ESCAPED + b";" + kind + b";local\n"
            await holds(
                reactor,
                gone,
                lambda: b"".join(
                    line + b"\n" for line in browser.output.split(b"\n") if line.startswith(b"-")
                ),
            )

    async def test_a_name_that_is_taken(self) -> None:
        """Another recorder has the name: ours bears the number 2, and both are seen."""
        network = camera_network(self)
        avahi = Avahi(self, reactor, network)
        await avahi.start()
        other = avahi.run("avahi-publish-service", "AXIS S3008", "_vapix-http._tcp", "80")
        await deferLater(reactor, 1.5)
        assert not other.ended.called
        browser = avahi.run("avahi-browse", "-pk", "_vapix-http._tcp")
        await holds(reactor, rb";AXIS\032S3008;", lambda: browser.output)
        self.announce(network, paths=["/axis-cgi/apidiscovery.cgi"])
        await holds(reactor, rb";AXIS\032S3008\032\0402\041;", lambda: browser.output)

    async def test_two_interfaces_on_one_network(self) -> None:
        """The recorder hears itself, and does not take itself for another of the same name.

        By IPv6: of IPv4 Linux drops what comes in from an address of its own.
        """
        if not has_ipv6():
            raise SkipTest("this machine has no IPv6")
        network = camera_network(self)
        second = CameraNetwork(network.camera.replace("10.231.", "10.232."), network.prefix)
        inside = list(network.prefix)
        number = inside[-1].removeprefix("nvr")
        ours = f"{second.camera.rpartition('.')[0]}.1/30"
        for command in (
            f"ip link add nvc{number} type veth peer name nvd{number} netns {inside[-1]}",
            f"ip addr add {ours} dev nvc{number}",
            f"ip link set nvc{number} up",
            f"ip -n {inside[-1]} link add bridge type bridge",
            f"ip -n {inside[-1]} link set nvb{number} master bridge",
            f"ip -n {inside[-1]} link set nvd{number} master bridge up",
            f"ip -n {inside[-1]} link set bridge up",
            f"ip -n {inside[-1]} addr flush dev nvb{number}",
            f"ip -n {inside[-1]} addr add {network.camera}/30 dev bridge",
            f"ip -n {inside[-1]} route replace 224.0.0.0/4 dev bridge",
        ):
            subprocess.run(command.split(), check=True)
        self.announce(network)  # one is there, and known, before the other comes
        await self.until_it_answers(network)
        await holds(reactor, b"True", lambda: str(self.has_ipv6(f"nvc{number}")).encode())
        self.networks.append(second)
        with capturedLogs() as logs:
            await deferLater(reactor, 4)
        self.assertEqual([log for log in logs if "Bonjour" in log["log_format"]], [])
        sent = [link for link in self.bonjour_links() if link.name == f"nvc{number}"]
        self.assertEqual(len(sent), 1)

    def has_ipv6(self, name: str) -> bool:
        """Tell whether an interface has an IPv6 address that can be used."""
        (addresses,) = [each.addresses for each in network_interfaces() if each.name == name]
        return any(address.version == 6 for address in addresses)

    def bonjour_links(self) -> list[Link]:
        """What is announced by Bonjour."""
        service: Any = self.service
        return list(service._bonjour._links)

    async def test_one_shot_query(self) -> None:
        """Who asks once from any port is told all at once, in the form of plain DNS.

        The answer comes to that port with the question's id, repeats the question, has SRV, TXT and
        addresses beside the name, and is to be believed for ten seconds at most; the bit that tells
        caches to forget others, which plain DNS does not know, is not set.
        """
        network = camera_network(self)
        self.announce(network)
        await self.until_it_answers(network)
        question = dns.query(NVR, dns.PTR, 0x1234)
        answers = await self.ask(network, "224.0.0.251", 5353, question)
        ((host, sender, data),) = answers
        ours = network.camera.rpartition(".")[0] + ".1"
        self.assertEqual((host, sender), (ours, 5353))
        message = dns.parse(data)
        self.assertEqual((message.id, message.flags), (0x1234, 0x8400))
        self.assertEqual(message.questions, [(NVR, dns.PTR, dns.IN)])
        instance, target = f"{NAME}.{NVR}", f"axis-{SERIAL.lower()}.local"
        self.assertEqual(message.answers, [dns.Record(NVR, dns.PTR, dns.IN, 10, instance)])
        beside = message.additionals
        srv = dns.Record(instance, dns.SRV, dns.IN, 10, (0, 0, self.web_port, target))
        self.assertIn(srv, beside)
        txt = dns.Record(instance, dns.TXT, dns.IN, 10, [b"macaddress=" + SERIAL.encode()])
        self.assertIn(txt, beside)
        self.assertIn(dns.Record(target, dns.A, dns.IN, 10, ours), beside)
        self.assertEqual({record.ttl for record in beside}, {10})
        self.assertEqual({record.dns_class for record in beside}, {dns.IN})

    async def until_it_answers(self, network: CameraNetwork) -> None:
        """Wait until names are known to be free."""
        for number in range(20):
            probe = dns.query(NVR, dns.PTR, number)
            if await self.ask(network, "224.0.0.251", 5353, probe, 0.5):
                return
        self.fail("no answer")

    async def test_two_networks(self) -> None:
        """Each network is told the address that we have there and no other.

        When one of them goes the other stays, and it is told again when it comes back.
        """
        near, far = networks = [camera_network(self, which) for which in range(2)]
        self.announce(*networks)
        search = SEARCH % SERVICE_TYPE.encode()
        for network in networks:
            await self.until_it_answers(network)
            ours = network.camera.rpartition(".")[0] + ".1"
            ((host, _, answer),) = await self.ask(network, "239.255.255.250", 1900, search)
            self.assertEqual(host, ours)
            self.assertIn(f"LOCATION: http://{ours}:".encode(), answer)
            question = dns.query(f"axis-{SERIAL.lower()}.local", dns.A)
            ((host, _, data),) = await self.ask(network, "224.0.0.251", 5353, question)
            self.assertEqual([record.data for record in dns.parse(data).answers], [ours])
        service: Any = self.service
        heard_elsewhere = service._ssdp._device.neighbours.ignored
        self.assertEqual(heard_elsewhere, 0)
        (name,) = [
            each.name
            for each in network_interfaces()
            if str(each.addresses[0].ip) == near.camera.rpartition(".")[0] + ".1"
        ]
        subprocess.run(["ip", "link", "set", name, "down"], check=True)
        subprocess.run(["ip", "addr", "flush", "dev", name], check=True)
        await deferLater(reactor, 0.5)
        self.assertTrue(await self.ask(far, "239.255.255.250", 1900, search))
        address = near.camera.rpartition(".")[0] + ".1/30"
        subprocess.run(["ip", "addr", "add", address, "dev", name], check=True)
        subprocess.run(["ip", "link", "set", name, "up"], check=True)
        await self.until_it_answers(near)
        self.assertTrue(await self.ask(near, "239.255.255.250", 1900, search))
