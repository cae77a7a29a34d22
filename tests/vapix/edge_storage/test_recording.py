"""``record.cgi``, ``stop.cgi``, ``continuous/``: what is begun, what is answered."""

from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from axis_nvr.services.continuous import ContinuousRecordings
from axis_nvr.services.disk_keeper import DiskKeeper
from axis_nvr.services.recordings import Recordings
from axis_nvr.services.stream_registry import StreamRegistry, StreamRequest
from axis_nvr.vapix.edge_storage.recording import RecordingCgis
from tests.services.recording_fakes import FRONT, FakeDisk, FakeStream
from tests.vapix.serving import ServingTestCase

PATH = "/axis-cgi/record/"
OPTIONS = "device=front&videocodec=h264&fps=25"


class RecordingCgiTests(ServingTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.house.set_up()
        self.log: list[str] = []
        disk: Any = FakeDisk(self.log)
        self.disk: FakeDisk = disk
        self.cameras: Any = [FRONT]
        registry: Any = StreamRegistry(self.cameras, self.make)
        keeper = DiskKeeper(lambda: disk, Clock())
        keeper.start()
        self.recordings = Recordings(registry, {"HDD_DISK": keeper}, Clock())
        self.continuous = self.load()
        self.continuous.start()
        self.serve(*RecordingCgis(self.recordings, self.continuous, self.house.audit).endpoints())

    def load(self) -> ContinuousRecordings:
        return ContinuousRecordings(self.house.database, self.recordings)

    def make(self, request: StreamRequest) -> FakeStream:
        return FakeStream(request, self.log)

    def call(self, name: str, user: str = "otto", **arguments: str) -> tuple[str, dict[str, str]]:
        """Name and attributes of the element in the root."""
        (child,) = self.root(name, user, **arguments)
        return child.tag, dict(child.attrib)

    def root(self, name: str, user: str = "otto", **arguments: str) -> ET.Element:
        answered = self.ask(f"{PATH}{name}.cgi?{urlencode(arguments)}&x=1", user)
        self.assertEqual((answered.status, answered.header("Content-Type")[:8]), (200, "text/xml"))
        root = ET.fromstring(answered.body)
        self.assertEqual(root.tag, "root")
        return root

    def test_roles(self) -> None:
        """Viewers may list, operators do the rest."""
        for name in (
            "record",
            "stop",
            "continuous/addconfiguration",
            "continuous/removeconfiguration",
        ):
            self.assertEqual(self.ask(f"{PATH}{name}.cgi", "vera").status, 403)
        self.assertEqual(self.ask(f"{PATH}continuous/listconfiguration.cgi", "vera").status, 200)

    def test_recorded_and_stopped(self) -> None:
        """The id of record.cgi is what stop.cgi takes; a further argument does not hurt."""
        reply = self.call("record", diskid="HDD_DISK", options=OPTIONS)
        self.assertEqual(reply, ("record", {"recordingid": "R1", "result": "OK"}))
        reply = self.call("stop", recordingid="R1", diskid="HDD_DISK")
        self.assertEqual(reply, ("stop", {"recordingid": "R1", "result": "OK"}))
        self.assertEqual(self.log, ["front started", "R1 closed", "front stopped"])

    def test_what_cannot_be_recorded(self) -> None:
        """Each mistake is told in words, without an id; nothing is begun."""
        for arguments in (
            {},
            {"diskid": "HDD_DISK"},
            {"diskid": "HDD_DISK", "options": "fps=25"},
            {"diskid": "HDD_DISK", "options": "device=nobody"},
            {"diskid": "../..", "options": OPTIONS},
            {"diskid": "HDD_DISK", "options": "x" * 5000},
        ):
            tag, attributes = self.call("record", **arguments)
            self.assertEqual((tag, list(attributes)), ("record", ["result", "errormsg"]))
            self.assertTrue(attributes["errormsg"])
        self.assertEqual(self.log, [])

    def test_what_cannot_be_stopped(self) -> None:
        """An id that does not run is told."""
        tag, attributes = self.call("stop", recordingid="R9")
        self.assertEqual((tag, attributes["result"]), ("stop", "ERROR"))

    def test_continuous(self) -> None:
        """Added, listed as it was given, begun; removed, and ended."""
        reply = self.call("continuous/addconfiguration", diskid="HDD_DISK", options=OPTIONS)
        self.assertEqual(reply, ("configure", {"profile": "1", "result": "OK"}))
        (details,) = self.disk.details
        self.assertEqual((details.trigger_type, details.trigger_name), ("continuous",) * 2)
        reply = self.call(
            "continuous/addconfiguration", diskid="HDD_DISK", options=OPTIONS, eventid="night"
        )
        self.assertEqual(reply[1]["profile"], "2")
        (listed,) = self.root("continuous/listconfiguration", "vera")
        self.assertEqual(listed.tag, "continuousrecordingconfigurations")
        self.assertEqual(
            [(e.tag, dict(e.attrib)) for e in listed],
            [
                (
                    "continuousrecordingconfiguration",
                    {"profile": p, "diskid": "HDD_DISK", "options": OPTIONS, "eventid": event},
                )
                for p, event in (("1", "continuous"), ("2", "night"))
            ],
        )
        (one,) = self.root("continuous/listconfiguration", profile="2")
        self.assertEqual([e.get("profile") for e in one], ["2"])
        reply = self.call("continuous/removeconfiguration", profile="1")
        self.assertEqual(reply, ("remove", {"profile": "1", "result": "OK"}))
        self.assertIn("R1 closed", self.log)
        self.assertEqual(list(self.load().all), [2])

    def test_continuous_mistakes(self) -> None:
        """Told in words; nothing is kept."""
        for arguments in (
            {"diskid": "HDD_DISK"},
            {"options": OPTIONS},
            {"diskid": "HDD_DISK", "options": "device=nobody"},
            {"diskid": "HDD_DISK", "options": OPTIONS, "eventid": "x" * 300},
        ):
            tag, attributes = self.call("continuous/addconfiguration", **arguments)
            self.assertEqual((tag, attributes["result"]), ("configure", "ERROR"))
        for profile in ("", "7", "x", "-1", "9" * 30):
            tag, attributes = self.call("continuous/removeconfiguration", profile=profile)
            self.assertEqual((tag, attributes["result"]), ("remove", "ERROR"))
        self.assertEqual(dict(self.continuous.all), {})

    def test_after_a_restart(self) -> None:
        """What was asked for is begun again, as another recording; a profile is given once."""
        self.call("continuous/addconfiguration", diskid="HDD_DISK", options=OPTIONS)
        self.call("continuous/addconfiguration", diskid="HDD_DISK", options=OPTIONS)
        self.call("continuous/removeconfiguration", profile="2")
        self.successResultOf(Deferred.fromCoroutine(self.recordings.end_all()))
        again = self.load()
        again.start()
        self.assertEqual([run.ids for run in self.recordings.runs], [["R3"]])
        added = again.add("HDD_DISK", OPTIONS, "continuous")
        self.assertEqual(self.successResultOf(Deferred.fromCoroutine(added)), 3)

    def test_a_device_that_is_not_known_yet(self) -> None:
        """What waits for it is begun when it is."""
        self.call("continuous/addconfiguration", diskid="HDD_DISK", options=OPTIONS)
        self.successResultOf(Deferred.fromCoroutine(self.recordings.end_all()))
        self.recordings.registry.cameras.clear()
        again = self.load()
        again.start()
        self.assertEqual(self.recordings.runs, [])
        self.recordings.registry.cameras["front"] = FRONT
        again.start()
        self.assertEqual(len(self.recordings.runs), 1)
