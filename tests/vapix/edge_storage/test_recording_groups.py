"""``recording_group/``: what is kept, what it does to recordings, and the code of each error."""

from datetime import timedelta
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from axis_nvr.services import groups as module
from axis_nvr.services.groups import Groups
from axis_nvr.services.recordings import Order
from axis_nvr.services.triggered import Armed, TriggeredRecordings
from axis_nvr.storage.groups import read_groups
from axis_nvr.storage.locks import Locks
from axis_nvr.storage.recording import RecordingDetails
from axis_nvr.storage.retention.policy import Rules
from axis_nvr.vapix.edge_storage.recording_groups import RecordingGroups
from tests.storage.making import START_US
from tests.vapix.edge_storage.archive import ZONE, ArchiveTestCase

PATH = "/axis-cgi/record/recording_group/"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
OPTIONS = "device=front&videocodec=h264&fps=25"
GIVEN = {
    "recordinggroupid": "G-1",
    "description": "the <front> door",
    "nicename": "Front",
    "retentiontime": "72",
    "diskid": "HDD_DISK",
    "streamoptions": OPTIONS,
    "preduration": "5000",
    "postduration": "3000",
}


class RecordingGroupTests(ArchiveTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.rules = {name: Rules() for name in self.shelves.disks}
        self.groups = self.load()
        self.serve(*RecordingGroups(self.groups, self.house.audit).endpoints())
        for name in self.shelves.disks:
            self.shelves.take(name)
            self.shelves.put(name)

    def load(self) -> Groups:
        return Groups(
            self.library,
            self.recordings,
            self.removals,
            self.rules.__getitem__,
            lambda: START_US / 1e6,
            ZONE,
        )

    def answer(self, name: str, user: str = "otto", **arguments: str) -> ET.Element:
        """What stands in the root."""
        given = {"schemaversion": "1", "x": "1", **arguments}
        answered = self.ask(f"{PATH}{name}.cgi?{urlencode(given)}", user)
        self.assertEqual((answered.status, answered.header("Content-Type")[:8]), (200, "text/xml"))
        root = ET.fromstring(answered.body)
        self.assertEqual(root.tag, "RecordingGroupResponse")
        location = "http://www.axis.com/vapix/http_cgi/recording_group.xsd"
        told = {"schemaversion": "1.0", f"{{{XSI}}}noNamespaceSchemaLocation": location}
        self.assertEqual(dict(root.attrib), told)
        (child,) = root
        return child

    def error(self, name: str, user: str = "otto", **arguments: str) -> int:
        """The code of an error."""
        child = self.answer(name, user, **arguments)
        self.assertEqual(child.tag, "GeneralError")
        self.assertEqual([one.tag for one in child], ["ErrorCode", "ErrorDescription"])
        self.assertTrue(child[1].text)
        return int(child[0].text or "")

    def create(self, **arguments: str) -> str:
        child = self.answer("create", **{**GIVEN, **arguments})
        self.assertEqual((child.tag, list(child.attrib)), ("CreateSuccess", ["RecordingGroupId"]))
        return child.attrib["RecordingGroupId"]

    def listed(self, **arguments: str) -> list[dict[str, str]]:
        child = self.answer("list", "vera", **arguments)
        self.assertEqual(child.tag, "ListSuccess")
        self.assertEqual({one.tag for one in child} - {"RecordingGroup"}, set())
        return [dict(one.attrib) for one in child]

    def done(self, name: str, **arguments: str) -> None:
        child = self.answer(name, **arguments)
        self.assertEqual((child.tag, dict(child.attrib), len(child)), ("GeneralSuccess", {}, 0))

    def test_roles(self) -> None:
        """Viewers list, operators do the rest, nobody does anything."""
        for name in ("create", "update", "delete"):
            self.assertEqual(self.ask(f"{PATH}{name}.cgi?schemaversion=1", "vera").status, 403)
        for name in ("schemaversions", "create", "update", "delete", "list"):
            self.assertEqual(self.ask(f"{PATH}{name}.cgi?schemaversion=1").status, 401)
            self.assertEqual(self.ask(f"{PATH}{name}.cgi", "ann", method="PUT").status, 405)

    def test_versions(self) -> None:
        """One, and it is not deprecated; another one is not supported."""
        answered = self.ask(f"{PATH}schemaversions.cgi", "vera")
        (success,) = ET.fromstring(answered.body)
        self.assertEqual(success.tag, "SchemaVersionsSuccess")
        ((version,),) = [list(success)]
        texts = [(one.tag, one.text) for one in version]
        self.assertEqual(texts, [("VersionNumber", "1.0"), ("Deprecated", "false")])
        for method in ("create", "update", "delete", "list"):
            for version_given in ("2", "", "one", "0"):
                self.assertEqual(self.error(method, schemaversion=version_given), 40)
        for version_given in ("1", "1.0", "1.7"):
            self.assertEqual(self.listed(schemaversion=version_given), [])

    def test_created_and_listed(self) -> None:
        """Every attribute in order, as it was given."""
        self.assertEqual(self.create(), "G-1")
        (one,) = self.listed()
        self.assertEqual(
            list(one.items()),
            [
                ("RecordingGroupId", "G-1"),
                ("NiceName", "Front"),
                ("Description", "the <front> door"),
                ("RetentionTime", "72"),
                ("DiskId", "HDD_DISK"),
                ("StreamOptions", OPTIONS),
                ("PreDuration", "5000"),
                ("PostDuration", "3000"),
            ],
        )
        self.assertEqual(self.listed(recordinggroupid="G-1"), [one])
        self.assertEqual(self.audited()[-1][:2], ("otto", "recording group G-1"))

    def test_only_what_is_needed(self) -> None:
        """A disk and stream options; the id is made up, the rest is empty or 0."""
        child = self.answer("create", diskid="SD_DISK", streamoptions=OPTIONS)
        group_id = child.attrib["RecordingGroupId"]
        self.assertRegex(group_id, r"\ASD_DISK_20240506_[0-9]{6}_[0-9A-F]{8}\Z")
        (one,) = self.listed()
        empty = {"NiceName": "", "Description": "", "RetentionTime": "0"}
        self.assertEqual({name: one[name] for name in empty}, empty)
        self.assertEqual((one["PreDuration"], one["PostDuration"]), ("0", "0"))
        second = self.answer("create", diskid="SD_DISK", streamoptions=OPTIONS, recordinggroupid="")
        self.assertNotEqual(second.attrib["RecordingGroupId"], group_id)

    def test_what_cannot_be_created(self) -> None:
        """Each mistake has its code, and nothing is made."""
        for arguments, code in (
            ({"diskid": ""}, 20),
            ({"diskid": "NAS"}, 20),
            ({"diskid": "../.."}, 20),
            ({"recordinggroupid": "a/b"}, 20),
            ({"recordinggroupid": "../../etc/passwd"}, 20),
            ({"recordinggroupid": "x" * 51}, 20),
            ({"recordinggroupid": "ä"}, 20),
            ({"retentiontime": "-1"}, 20),
            ({"retentiontime": "a day"}, 20),
            ({"retentiontime": "1" * 20}, 20),
            ({"preduration": "1.5"}, 20),
            ({"postduration": "86400001"}, 20),
            ({"description": "x" * 513}, 20),
            ({"nicename": "two\nlines"}, 20),
            ({"streamoptions": ""}, 130),
            ({"streamoptions": "fps=25"}, 130),
            ({"streamoptions": "device=nobody"}, 130),
            ({"streamoptions": "device=front&device=gate"}, 130),
            ({"streamoptions": "device=front&audio=2"}, 130),
            ({"streamoptions": "device=front&audio=0&video=0"}, 130),
            ({"streamoptions": "device=front&x=" + "y" * 5000}, 130),
        ):
            self.assertEqual(self.error("create", **{**GIVEN, **arguments}), code, arguments)
        without = {name: value for name, value in GIVEN.items() if name != "streamoptions"}
        self.assertEqual(self.error("create", **without), 130)
        self.assertEqual(self.listed(), [])
        self.create()
        self.assertEqual(self.error("create", **GIVEN), 20)
        self.assertEqual(self.error("create", **{**GIVEN, "recordinggroupid": "g-1"}), 20)

    def test_too_many(self) -> None:
        """There is a most of them, of all disks together."""
        self.patch(module, "MAX_GROUPS", 2)
        self.create()
        self.create(recordinggroupid="G-2", diskid="SD_DISK")
        self.assertEqual(self.error("create", **{**GIVEN, "recordinggroupid": "G-3"}), 120)
        self.done("delete", recordinggroupid="G-1")
        self.create(recordinggroupid="G-3")

    def test_updated(self) -> None:
        """What is sent changes, what is not stays; the disk cannot."""
        self.create()
        self.done("update", recordinggroupid="G-1", retentiontime="1", diskid="HDD_DISK")
        self.done("update", recordinggroupid="G-1", nicename="", preduration="")
        (one,) = self.listed()
        self.assertEqual(one["RetentionTime"], "1")
        self.assertEqual((one["NiceName"], one["PreDuration"]), ("", "0"))
        self.assertEqual((one["Description"], one["StreamOptions"]), ("the <front> door", OPTIONS))
        for arguments, code in (
            ({}, 20),
            ({"recordinggroupid": ""}, 20),
            ({"recordinggroupid": "G-2"}, 110),
            ({"recordinggroupid": "../../x"}, 110),
            ({"recordinggroupid": "G-1", "diskid": "SD_DISK"}, 20),
            ({"recordinggroupid": "G-1", "retentiontime": "no"}, 20),
            ({"recordinggroupid": "G-1", "streamoptions": ""}, 130),
            ({"recordinggroupid": "G-1", "streamoptions": "device=nobody"}, 130),
        ):
            self.assertEqual(self.error("update", **arguments), code, arguments)
        self.assertEqual(self.listed(), [one])

    def test_not_found(self) -> None:
        """An unknown id is told by its own code."""
        for name in ("delete", "list"):
            for group_id in ("G-9", "../../etc/passwd", "x" * 2000):
                self.assertEqual(self.error(name, recordinggroupid=group_id), 110)
        self.assertEqual(self.error("delete"), 20)

    def test_they_live_on_their_disk(self) -> None:
        """Gone with it, back with it, and known to whoever starts anew; a change is on the disk."""
        self.create()
        self.create(recordinggroupid="G-2", diskid="SD_DISK")
        disk = self.shelves.disks["HDD_DISK"]
        files = disk.bench.files
        self.done("update", recordinggroupid="G-1", description="other")
        self.assertEqual(read_groups(files, disk.bench.folder).groups["G-1"].description, "other")
        before = self.listed()
        self.shelves.take("HDD_DISK")
        self.assertEqual([one["RecordingGroupId"] for one in self.listed()], ["G-2"])
        self.assertEqual(self.error("create", **{**GIVEN, "recordinggroupid": "G-3"}), 10)
        self.shelves.put("HDD_DISK")
        self.assertCountEqual(self.listed(), before)
        self.done("delete", recordinggroupid="G-1")
        self.assertEqual(read_groups(files, disk.bench.folder).groups, {})

    def test_the_same_id_on_two_disks(self) -> None:
        """The one that came first is served, and each disk keeps to its own retention time."""
        self.create(retentiontime="1")
        self.shelves.take("HDD_DISK")
        self.create(retentiontime="2", diskid="SD_DISK")
        with capturedLogs() as logged:
            self.shelves.put("HDD_DISK")
        self.assertTrue(any("on another disk too" in e.get("log_format", "") for e in logged))
        self.assertEqual([one["DiskId"] for one in self.listed()], ["SD_DISK"])
        kept = {name: dict(rules.group_seconds) for name, rules in self.rules.items()}
        self.assertEqual(kept, {"HDD_DISK": {"G-1": 3600}, "SD_DISK": {"G-1": 7200}})

    def test_retention(self) -> None:
        """A change counts from the next look on, for what is recorded already too."""
        self.create()
        rules, now_us = self.rules["HDD_DISK"], START_US
        hours = timedelta(hours=1) // timedelta(microseconds=1)
        self.assertEqual(rules.too_old_of_groups(now_us), {"G-1": now_us - 72 * hours})
        seen = rules.group_seconds
        self.done("update", recordinggroupid="G-1", retentiontime="2")
        self.assertEqual(rules.too_old_of_groups(now_us), {"G-1": now_us - 2 * hours})
        self.assertEqual(seen, {"G-1": 72 * 3600}, "another thread may be reading it")
        self.done("update", recordinggroupid="G-1", retentiontime="0")
        self.assertEqual(rules.too_old_of_groups(now_us), {})
        self.done("delete", recordinggroupid="G-1")
        self.assertEqual(dict(rules.group_seconds), {})

    def arm(self, group_id: str = "G-1") -> Armed:
        """A rule that records by a group."""
        clock = Clock()
        triggered = TriggeredRecordings(self.recordings, self.groups, clock, lambda: START_US / 1e6)
        triggered.start()
        return triggered.arm_group(group_id, "my rule", "my action")

    def record(self) -> Armed:
        armed = self.arm()
        armed.start(START_US)
        return armed

    def test_recorded(self) -> None:
        """What is recorded by a group carries its id and its stream options."""
        self.create()
        armed = self.record()
        self.assertEqual(armed.recording_id, "R1")
        (details,) = self.fake_disk.details
        told = details.group, details.trigger_name, details.trigger_trigger, details.trigger_type
        self.assertEqual(told, ("G-1", "my rule", "my action", "triggered"))
        self.assertTrue(details.stream_options.startswith("videocodec=h264&fps=25"))
        self.assertIn("no recording group 'G-2'", self.arm("G-2").status)
        self.successResultOf(Deferred.fromCoroutine(self.groups.end_group("G-1")))
        self.assertEqual(self.recordings.runs, [])

    def test_other_stream_options(self) -> None:
        """What runs goes on with them, by the same rule; other changes do not touch it."""
        self.create()
        armed = self.record()
        self.recordings.begin(Order("HDD_DISK", "device=gate"))
        self.done("update", recordinggroupid="G-1", nicename="x", streamoptions=OPTIONS)
        self.assertEqual(len(self.fake_disk.details), 2)
        self.done("update", recordinggroupid="G-1", streamoptions="device=front&fps=5")
        details = self.fake_disk.details[2]
        self.assertEqual((details.group, details.trigger_name), ("G-1", "my rule"))
        self.assertTrue(details.stream_options.startswith("fps=5"))
        self.assertIn("R1 closed", self.log)
        self.assertNotIn("R2 closed", self.log)
        self.assertEqual(armed.recording_id, "R3")
        self.successResultOf(Deferred.fromCoroutine(self.recordings.stop("R1")))
        self.assertIn("R3 closed", self.log)

    def test_a_group_that_is_being_deleted(self) -> None:
        """It is not recorded by any more."""
        self.create()
        self.groups._deleting.add("G-1")
        self.assertIn("is being deleted", self.arm().status)

    def test_deleted_with_its_recordings(self) -> None:
        """Those of the group go, what runs is ended first; others stay, and what is locked."""
        self.create()
        self.create(recordinggroupid="G-2")
        disk = self.shelves.disks["HDD_DISK"]
        names = [
            disk.record(START_US + at * 60_000_000, RecordingDetails("front", "", group=group))
            for at, group in enumerate(("G-1", "G-2", "", "G-1", "G-1"))
        ]
        premises = disk.premises
        locks = Locks(premises.files, premises.folder, premises.index, premises.now)
        locks.lock(names[3], reason="evidence")
        self.record()
        with capturedLogs() as logged:
            self.done("delete", recordinggroupid="G-1")
        self.assertTrue(any("deleted group" in e.get("log_format", "") for e in logged))
        there = [row.recording_id for row in premises.index.recordings()]
        self.assertEqual(there, [names[1], names[2], names[3]])
        self.assertEqual(self.recordings.runs, [])
        self.assertEqual([one["RecordingGroupId"] for one in self.listed()], ["G-2"])

    def test_in_use(self) -> None:
        """A group that an action is configured with stays, and so do its recordings."""
        self.create()
        self.record()
        self.groups.in_use = lambda group_id: group_id == "G-1"
        self.assertEqual(self.error("delete", recordinggroupid="G-1"), 140)
        self.assertEqual((len(self.listed()), len(self.recordings.runs)), (1, 1))

    def test_a_disk_that_refuses(self) -> None:
        """Told as an error inside; the group is as it was."""
        self.create()
        before = self.listed()
        files = self.shelves.disks["HDD_DISK"].bench.files
        for name, arguments in (
            ("create", {**GIVEN, "recordinggroupid": "G-2"}),
            ("update", {"recordinggroupid": "G-1", "retentiontime": "5"}),
        ):
            files.fail("rename")
            self.assertEqual(self.error(name, **arguments), 10)
            self.assertEqual(self.listed(), before)

    def test_doubtful_options(self) -> None:
        """Are taken, with a warning in the log that names group and option."""
        with capturedLogs() as logged:
            self.create(streamoptions="device=front&videozgopmode=dynamic")
            self.create(
                recordinggroupid="G-2",
                streamoptions="device=front&videozgopmode=dynamic",
                preduration="0",
            )
        doubts = [e["doubt"] for e in logged if "recording group" in e.get("log_format", "")]
        self.assertEqual(len(doubts), 1, "without a pre-buffer nothing is wrong with it")
        self.assertIn("videozgopmode", doubts[0])
