"""Two disks with recordings behind an HTTP server, and what asks it."""

from datetime import timedelta, timezone
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

from twisted.internet.task import Clock

from axis_nvr.services.disk_keeper import DiskKeeper
from axis_nvr.services.recordings import Recordings
from axis_nvr.services.removals import Removals
from axis_nvr.services.stream_registry import StreamRegistry, StreamRequest
from tests.services.recording_fakes import FRONT, GATE, FakeDisk, FakeStream
from tests.services.shelves import Shelves
from tests.vapix.serving import ServingTestCase

SCHEMAS = "http://www.axis.com/vapix/http_cgi/"
ZONE = timezone(timedelta(hours=2))


class ArchiveTestCase(ServingTestCase):
    """Recordings on two real disks; what runs, runs on a disk that is none."""

    def setUp(self) -> None:
        super().setUp()
        self.house.set_up()
        self.shelves = Shelves(self.mktemp())
        self.shelves.open()
        self.addCleanup(self.shelves.close)
        self.library = self.shelves.library
        self.log: list[str] = []
        clock, disk = Clock(), self.any(FakeDisk(self.log))
        self.fake_disk: FakeDisk = disk
        keepers = {name: DiskKeeper(lambda: disk, clock) for name in self.shelves.disks}
        for keeper in keepers.values():
            keeper.start()
        registry = self.any(StreamRegistry([FRONT, GATE], self.make))
        self.recordings = Recordings(registry, keepers, clock)
        self.removals = Removals(self.library, self.recordings)

    def any(self, value: Any) -> Any:
        return value

    def make(self, request: StreamRequest) -> FakeStream:
        return FakeStream(request, self.log)

    def root(self, path: str, user: str = "otto", **arguments: str) -> ET.Element:
        """The root of a whole answer of the old style."""
        query = urlencode(arguments)
        answered = self.ask(f"/axis-cgi/record/{path}?{query}&x=1", user)
        self.assertEqual((answered.status, answered.header("Content-Type")[:8]), (200, "text/xml"))
        root = ET.fromstring(answered.body)
        self.assertEqual(root.tag, "root")
        return root

    def location(self, root: ET.Element) -> str:
        """The schema a root names."""
        name = "{http://www.w3.org/2001/XMLSchema-instance}noNamespaceSchemaLocation"
        return root.attrib[name].removeprefix(SCHEMAS)

    def audited(self) -> list[tuple[str, str, str]]:
        """Account, target and outcome of what was audited, oldest first."""
        entries = self.successResultOf(self.house.audit.newest(50))
        return [(e.account, e.target, e.outcome) for e in reversed(entries)]
