"""``remove.cgi``: what goes, what is refused, what is told."""

from twisted.internet.defer import Deferred

from axis_nvr.services import removals
from axis_nvr.services.recordings import Order
from axis_nvr.storage.locks import Locks
from axis_nvr.storage.recording import RecordingDetails, RecordingWriter
from axis_nvr.vapix.edge_storage.recording_removal import RecordingRemoval
from tests.storage.making import DETAILS, START_US
from tests.vapix.edge_storage.archive import ArchiveTestCase

MINUTE_US = 60_000_000
MOTION = RecordingDetails("yard", "fps=25", 2, "triggered", "motion", "record")


class RecordingRemovalTests(ArchiveTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.serve(*RecordingRemoval(self.removals, self.house.audit).endpoints())
        hdd, sd = self.shelves.disks.values()
        self.names = [
            hdd.record(START_US),
            sd.record(START_US + MINUTE_US, MOTION),
            hdd.record(START_US + 2 * MINUTE_US, MOTION),
            sd.record(START_US + 3 * MINUTE_US),
        ]

    def removed(self, user: str = "otto", **arguments: str) -> list[dict[str, str]]:
        """Attributes of each element."""
        root = self.root("remove.cgi", user, **arguments)
        self.assertEqual(self.location(root), "recording/remove1.xsd")
        self.assertEqual({child.tag for child in root} - {"remove"}, set())
        return [dict(child.attrib) for child in root]

    def left(self) -> list[int]:
        """Which recordings are still there."""
        there = []
        for number, name in enumerate(self.names):
            located = Deferred.fromCoroutine(self.library.locate(name))
            located.addCallbacks(lambda _, n=number: there.append(n), lambda _: None)
        return there

    def lock(self, disk_id: str, name: str) -> None:
        premises = self.shelves.disks[disk_id].premises
        locks = Locks(premises.files, premises.folder, premises.index, premises.now)
        locks.lock(name, reason="evidence", owner="ann")

    def test_roles(self) -> None:
        """Operators remove; who only views does not."""
        path = f"/axis-cgi/record/remove.cgi?recordingid={self.names[0]}"
        self.assertEqual(self.ask(path).status, 401)
        self.assertEqual(self.ask(path, "vera").status, 403)
        self.assertEqual(self.ask(path, "otto", method="DELETE").status, 405)
        self.assertEqual(self.left(), [0, 1, 2, 3])
        self.assertEqual(len(self.removed("ann", recordingid=self.names[0])), 1)
        self.assertEqual(self.left(), [1, 2, 3])

    def test_by_id(self) -> None:
        """One, or several with blanks and quotes between; each is told, in this order, once."""
        unknown = "20240506_070809_FFFF_ACCC8E012345"
        listed = f'{self.names[3]}, "{self.names[0]}",{unknown},,{self.names[3]},../../x'
        found = self.removed(recordingid=listed)
        self.assertEqual(
            [(one["recordingid"], one["result"]) for one in found],
            [
                (self.names[3], "OK"),
                (self.names[0], "OK"),
                (unknown, "ERROR"),
                ("../../x", "ERROR"),
            ],
        )
        self.assertEqual(list(found[0]), ["recordingid", "result"])
        self.assertEqual(list(found[2]), ["recordingid", "result", "errormsg"])
        self.assertEqual(self.left(), [1, 2])
        for disk in self.shelves.disks.values():
            self.assertEqual(disk.woken, ["retention"], "its files go at once")
        self.assertEqual(
            [(who, what) for who, what, _ in self.audited()],
            [("otto", f"recording {one['recordingid']}") for one in found],
        )

    def test_of_one_disk(self) -> None:
        """An id on another disk is none."""
        (one,) = self.removed(recordingid=self.names[1], diskid="HDD_DISK")
        self.assertEqual(one["result"], "ERROR")
        self.assertEqual(len(self.removed(recordingid="all", diskid="SD_DISK")), 2)
        self.assertEqual(self.left(), [0, 2])
        self.assertEqual(self.removed(recordingid="all", diskid="NAS"), [])

    def test_all(self) -> None:
        """Also where there are more than a batch of them."""
        self.patch(removals, "BATCH", 1)
        found = self.removed(recordingid="all")
        self.assertEqual({one["recordingid"] for one in found}, set(self.names))
        self.assertEqual(self.left(), [])
        self.assertEqual(self.removed(recordingid="all"), [])
        self.assertEqual(self.audited()[0], ("otto", "recordings all", "ok: 4 removed, 0 refused"))

    def test_by_what_matches(self) -> None:
        """Before a time, by event, by source; what has any part before the time goes whole."""
        self.assertEqual(self.removed(beforetime="2024-05-06T07:08:09Z"), [])
        found = self.removed(beforetime="2024-05-06T07:10:10Z", eventid="motion", source="2")
        self.assertEqual({one["recordingid"] for one in found}, {self.names[1], self.names[2]})
        self.removed(beforetime="2024-05-06T07:11:09.012345", diskid="HDD_DISK")
        self.assertEqual(self.left(), [3])
        self.removed(source="1")
        self.assertEqual(self.left(), [])

    def test_what_is_no_request(self) -> None:
        """One element that says why; nothing goes."""
        for arguments in (
            {},
            {"diskid": "SD_DISK"},
            {"recordingid": ""},
            {"recordingid": "all", "beforetime": "2025-01-01T00:00:00Z"},
            {"recordingid": self.names[0], "eventid": "motion"},
            {"recordingid": self.names[0], "source": "1"},
            {"beforetime": "now"},
        ):
            (one,) = self.removed(**arguments)
            self.assertEqual(list(one), ["result", "errormsg"])
            self.assertEqual(one["result"], "ERROR")
        self.assertEqual(self.left(), [0, 1, 2, 3])

    def test_locked(self) -> None:
        """Refused, each for itself, with who locked it and why; the others go."""
        self.lock("HDD_DISK", self.names[2])
        found = {one["recordingid"]: one for one in self.removed(recordingid="all")}
        refused = found.pop(self.names[2])
        self.assertEqual(refused["result"], "ERROR")
        self.assertIn("ann: evidence", refused["errormsg"])
        self.assertTrue(all(one["result"] == "OK" for one in found.values()))
        self.assertEqual(self.left(), [2])
        self.assertEqual(self.audited()[0][2], "ok: 3 removed, 1 refused")

    def begin(self, details: RecordingDetails, kind: str) -> RecordingWriter:
        """A recording that runs, on its disk and in the recorder."""
        disk = self.shelves.disks["HDD_DISK"]
        writer = disk.open(START_US + 9 * MINUTE_US, details)
        run = self.recordings.begin(Order("HDD_DISK", "device=front", kind))
        run.ids[:] = [writer.recording_id]
        close = self.fake_disk.recordings[-1].close

        def closed() -> Deferred[None]:
            disk.bench.close(writer)
            return close()

        self.patch(self.fake_disk.recordings[-1], "close", closed)
        self.names.append(writer.recording_id)
        return writer

    def test_one_that_runs(self) -> None:
        """Is ended first; nothing runs after it."""
        writer = self.begin(MOTION, "triggered")
        (one,) = self.removed(recordingid=writer.recording_id)
        self.assertEqual(one["result"], "OK")
        self.assertEqual(self.left(), [0, 1, 2, 3])
        self.assertEqual(self.recordings.runs, [])

    def test_a_continuous_one_that_runs(self) -> None:
        """Goes, and recording goes on as another one."""
        writer = self.begin(DETAILS, "continuous")
        self.removed(beforetime="2024-05-06T07:17:09.5Z")
        self.assertEqual(self.left(), [])
        (run,) = self.recordings.runs
        self.assertEqual(run.ids, [writer.recording_id, "R2"])

    def test_a_locked_one_that_runs(self) -> None:
        """Is refused, and goes on."""
        writer = self.begin(DETAILS, "triggered")
        self.lock("HDD_DISK", writer.recording_id)
        (one,) = self.removed(recordingid=writer.recording_id)
        self.assertEqual(one["result"], "ERROR")
        self.assertEqual(self.left(), [0, 1, 2, 3, 4])
        self.assertEqual(self.log, ["front started"])

    def test_a_disk_that_goes_meanwhile(self) -> None:
        """Is told for each that was not removed."""
        self.shelves.disks["SD_DISK"].errands.close()
        found = {one["recordingid"]: one["result"] for one in self.removed(recordingid="all")}
        self.assertEqual([found[name] for name in self.names], ["OK", "ERROR", "OK", "ERROR"])
        self.assertEqual(self.left(), [1, 3])
