"""Found on the network by programs of others."""

from typing import Any
from xml.etree import ElementTree as ET

from twisted.internet import reactor as installed_reactor
from twisted.internet.task import deferLater
from twisted.internet.utils import getProcessOutput
from twisted.trial.unittest import TestCase

from axis_nvr.protocols.interfaces import local_addresses
from axis_nvr.protocols.ssdp import SsdpService
from axis_nvr.session.ssdp import Identity, SsdpDevice
from axis_nvr.vapix.upnp_description import PATH, SERVICE_TYPE, UpnpDescription, targets
from tests.integration.networks import CameraNetwork, camera_network
from tests.integration.peers import Program, holds, require_program, start_program

reactor: Any = installed_reactor
SERIAL = "ACCC8E012345"


class SsdpTests(TestCase):
    timeout = 60

    def start(self, program: str, *arguments: str) -> Program:
        """Run a program in the other half of the network."""
        command = [*self.network.prefix, require_program(program), *arguments]
        return start_program(self, reactor, command)

    def announce(self, network: CameraNetwork) -> SsdpService:
        """Announce a recorder on the network's interface and no other."""
        self.network = network
        serve = UpnpDescription(SERIAL, f"AXIS S3008 - {SERIAL}", ("http", 8080)).site()
        port = reactor.listenTCP(0, serve)
        self.addCleanup(port.stopListening)
        identity = Identity(
            targets(SERIAL),
            "Linux/6.1, UPnP/1.0, axis_nvr/1",
            "a8f1",
            lambda interface: f"http://{interface.ip}:{port.getHost().port}{PATH}",
        )
        here = network.camera.rpartition(".")[0] + "."
        service = SsdpService(
            reactor,
            SsdpDevice(identity, lambda: 0.1, boot_id=1),
            lambda: [a for a in local_addresses() if str(a.interface.ip).startswith(here)],
        )
        self.addCleanup(service.stopService)
        return service

    async def test_found_described_and_gone(self) -> None:
        """A control point hears of us, finds us by search, reads the description, hears goodbye."""
        service = self.announce(camera_network(self))
        ears = self.start("gssdp-discover", "-m", "all", "-n", "30")
        await deferLater(reactor, 0.5)
        service.startService()
        await holds(reactor, b"resource available", lambda: ears.output)
        usn = f"uuid:Upnp-BasicDevice-1_0-{SERIAL}::{SERVICE_TYPE}"
        await holds(reactor, usn.encode(), lambda: ears.output)

        seeker = self.start("gssdp-discover", "-t", SERVICE_TYPE, "-n", "10")
        await holds(reactor, PATH.encode(), lambda: seeker.output)
        location = seeker.output.decode().split("Location:")[1].split()[0]

        code = f"import urllib.request as u; print(u.urlopen({location!r}).read().decode())"
        where = [*self.network.prefix, "/usr/bin/python3", "-c", code]
        page = await getProcessOutput(where[0], where[1:], env={"PATH": "/usr/bin:/usr/sbin"})
        device = ET.fromstring(page.decode().strip())[1]
        texts = {child.tag.partition("}")[2]: child.text for child in device}
        self.assertEqual(texts["serialNumber"], SERIAL)
        here = location.split("/")[2].partition(":")[0]
        self.assertEqual(texts["presentationURL"], f"http://{here}:8080/")

        service.stopService()
        await holds(reactor, b"resource unavailable", lambda: ears.output)
