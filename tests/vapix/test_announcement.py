"""How the recorder is found, in the words of Axis recorders."""

from ipaddress import ip_interface
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from treq.testing import StubTreq
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.config import Config
from axis_nvr.session.bonjour import DnsService
from axis_nvr.session.ssdp import SsdpDevice
from axis_nvr.vapix.announcement import make_discovery, services_at
from axis_nvr.vapix.upnp_description import UpnpDescription

SERIAL = "ACCC8E012345"
NAME = f"AXIS S3008 - {SERIAL}"
NVR = DnsService("_axis-nvr._tcp", NAME, 80, (("macaddress", SERIAL),))


class ServicesTests(SynchronousTestCase):
    def at(self, *entry_points: str, **ports: int) -> list[DnsService]:
        return list(services_at(ports, SERIAL, NAME, entry_points))

    def test_all(self) -> None:
        """Everything that a recorder announces, with its texts."""
        vapix = (("txtvers", "1"), ("sn", SERIAL), ("ep", "apidisc,decaf"))
        self.assertEqual(
            self.at("apidisc", "decaf", http=80, https=443, rtsp=554),
            [
                NVR,
                DnsService("_http._tcp", NAME, 80),
                DnsService("_vapix-http._tcp", "AXIS S3008", 80, vapix),
                DnsService("_https._tcp", NAME, 443),
                DnsService("_vapix-https._tcp", "AXIS S3008", 443, vapix),
                DnsService("_rtsp._tcp", NAME, 554, (("path", "axis-media/media.amp"),)),
            ],
        )

    def test_what_is_not_there(self) -> None:
        """A server that is off is not announced, nor is VAPIX while none of it is served."""
        self.assertEqual(self.at(http=80), [NVR, DnsService("_http._tcp", NAME, 80)])

    def test_https_only(self) -> None:
        """The recorder is announced at the port that there is."""
        (nvr, _) = self.at(https=443)
        self.assertEqual((nvr.type, nvr.port), ("_axis-nvr._tcp", 443))

    def test_no_web_server(self) -> None:
        """Who cannot be asked anything is not announced."""
        self.assertEqual(self.at("apidisc", rtsp=554), [])


class MakingTests(SynchronousTestCase):
    def make(self, *, ssdp: bool, mdns: bool) -> Any:
        config = Config(Path(), {}, ssdp=ssdp, mdns=mdns)
        reactor = MemoryReactorClock()
        discovery: Any = make_discovery(reactor, config, SERIAL, "1.2", dict, interfaces=list)
        discovery.startService()
        self.addCleanup(discovery.stopService)
        return discovery, reactor

    def test_each_can_be_switched_off(self) -> None:
        """What is off has no thread, no port and no socket."""
        discovery, reactor = self.make(ssdp=False, mdns=False)
        self.assertEqual((discovery._ssdp, discovery._bonjour), (None, None))
        self.assertEqual(reactor.tcpServers, [])

    def test_what_upnp_says(self) -> None:
        """Each address is told the description at itself; the header tells who we are."""
        discovery, reactor = self.make(ssdp=True, mdns=False)
        device: SsdpDevice = discovery._ssdp._device
        self.assertEqual(reactor.tcpServers, [])  # nobody can reach it
        self.assertTrue(discovery._upnp.description.listen())
        location = device.identity.location
        self.assertEqual(
            location(ip_interface("192.0.2.1/24")), "http://192.0.2.1:49152/rootdesc1.xml"
        )
        self.assertEqual(
            location(ip_interface("fe80::1/64")), "http://[fe80::1]:49152/rootdesc1.xml"
        )
        self.assertRegex(device.identity.server, r"^Linux/[^ ,]+, UPnP/1\.0, axis_nvr/1\.2$")
        self.assertTrue(0 < device.boot_id < 2**31)


class DescriptionTests(SynchronousTestCase):
    def read(self, path: str, url: str = "http://192.0.2.1:49152") -> bytes:
        asked: list[str] = []

        def presentation(address: str) -> tuple[str, int]:
            asked.append(address)
            return "https", 8443

        site = UpnpDescription(SERIAL, NAME, presentation).site()
        client: Any = StubTreq(site.resource)
        response = self.successResultOf(client.get(f"{url}{path}"))
        self.assertEqual(response.code, 200)
        body: bytes = self.successResultOf(response.content())
        return body

    def test_the_description(self) -> None:
        """It says what a client looks for, in the order of its schema, `URLBase` behind."""
        root = ET.fromstring(self.read("/rootdesc1.xml").decode())
        space = "{urn:schemas-upnp-org:device-1-0}"
        self.assertEqual(
            [child.tag.removeprefix(space) for child in root], ["specVersion", "device", "URLBase"]
        )
        device = {child.tag.removeprefix(space): child.text for child in root[1]}
        self.assertEqual(device["friendlyName"], NAME)
        self.assertEqual(device["modelName"], "AXIS S3008")
        self.assertEqual(device["UDN"], f"uuid:Upnp-BasicDevice-1_0-{SERIAL}")
        self.assertRegex(str(device["presentationURL"]), r"^https://[^/]+:8443/$")
        (kind,) = root.iter(f"{space}serviceType")
        self.assertEqual(kind.text, "urn:axis-com:service:BasicNvrService:1")

    def test_the_service(self) -> None:
        """It has no actions."""
        root = ET.fromstring(self.read("/scpd_basic.xml").decode())
        self.assertEqual(root.tag, "{urn:schemas-upnp-org:service-1-0}scpd")
