"""What goes wrong with the events of a virtual camera."""

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import WireError
from axis_nvr.simulator import event_faults
from axis_nvr.wire.notification import (
    MAX_DOCUMENT_BYTES,
    Notification,
    Operation,
    parse_document,
)
from tests.simulator.client import MemoryCamera

QUERY = "video=0&audio=0&event=on&eventtopic=axis:CameraApplicationPlatform//."


class EventFaultTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.memory = MemoryCamera()
        self.camera = self.memory.camera
        self.client = self.memory.connect()
        self.addCleanup(self.camera.clear_fault)

    def documents(self) -> list[bytes]:
        """What came, put together, and forgotten."""
        found, document = [], b""
        for packet in self.client.packets():
            document += bytes(packet.payload)
            if packet.marker:
                found.append(document)
                document = b""
        self.client.frames.clear()
        return found

    def told(self) -> list[Notification]:
        return [told for data in self.documents() for told in parse_document(data)]

    def test_spoilt(self) -> None:
        """Each way to spoil a document makes one that must be refused; the next is well."""
        self.patch(event_faults, "LARGE_DOCUMENT_BYTES", MAX_DOCUMENT_BYTES)
        self.client.play(QUERY)
        self.documents()
        for how in ("cut", "xml", "dtd", "large"):
            self.camera.raise_fault("spoil-events", how=how, count=2)
            self.camera.raise_motion(not self.camera.motion)
            spoilt = self.documents()
            self.assertEqual(len(spoilt), 2, how)
            for data in spoilt:
                self.assertRaises(WireError, parse_document, data)
            self.camera.raise_motion(not self.camera.motion)
            self.assertEqual(len(self.told()), 2, how)

    def test_flood(self) -> None:
        """So many changes come in each second, for so long; then there is peace."""
        self.client.play(QUERY)
        self.documents()
        self.camera.raise_fault("flood-events", per_second=1000, seconds=0.5)
        self.memory.advance(1.0)
        told = self.told()
        self.assertIn(len(told), range(470, 531))
        self.assertEqual({t.operation for t in told}, {Operation.CHANGED})
        self.assertNotEqual(told[0].data, told[2].data)
        self.camera.raise_fault("flood-events", per_second=1000)
        self.camera.raise_fault("flood-events", per_second=1000)
        self.memory.advance(0.1)
        self.assertIn(len(self.told()), range(70, 131))

    def test_no_initial_states(self) -> None:
        """Who begins to listen hears of changes only."""
        self.camera.raise_motion(True)
        self.camera.raise_fault("no-initial-events")
        self.client.play(QUERY)
        self.assertEqual(self.told(), [])
        self.camera.raise_motion(False)
        self.assertEqual([told.operation for told in self.told()], [Operation.CHANGED] * 2)
