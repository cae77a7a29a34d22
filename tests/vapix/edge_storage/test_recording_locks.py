"""``lock.cgi``: locked, told, unlocked."""

from xml.etree import ElementTree as ET

from axis_nvr.services.recording_locks import RecordingLocks
from axis_nvr.vapix.edge_storage.recording_locks import RecordingLockCgi
from tests.storage.making import START_US
from tests.vapix.edge_storage.archive import ArchiveTestCase


class RecordingLockTests(ArchiveTestCase):
    def setUp(self) -> None:
        super().setUp()
        locks = RecordingLocks(self.library)
        self.serve(*RecordingLockCgi(locks, self.house.audit).endpoints())
        hdd, sd = self.shelves.disks.values()
        self.names = [hdd.record(START_US), sd.record(START_US + 60_000_000)]

    def answers(self, user: str = "otto", **arguments: str) -> list[ET.Element]:
        root = self.root("lock.cgi", user, **arguments)
        self.assertEqual(self.location(root), "recording/lock1.xsd")
        return list(root)

    def listed(self, **arguments: str) -> list[dict[str, str]]:
        (locks,) = self.answers("vera", action="list", **arguments)
        self.assertEqual(locks.tag, "locks")
        self.assertEqual({child.tag for child in locks} - {"lock"}, set())
        return [dict(child.attrib) for child in locks]

    def lock(self, number: int, **arguments: str) -> dict[str, str]:
        (one,) = self.answers(
            action="lock", recordingid=self.names[number], reason="theft, case 7", **arguments
        )
        self.assertEqual(one.tag, "lock")
        return dict(one.attrib)

    def test_roles(self) -> None:
        """Who views may list, an operator may lock; nobody may do nothing."""
        path = "/axis-cgi/record/lock.cgi?action="
        for action in ("lock", "unlock", "free"):
            self.assertEqual(self.ask(path + action, "vera").status, 403)
            self.assertEqual(self.ask(path + action).status, 401)
        self.assertEqual(self.ask(path + "list", "vera").status, 200)
        self.assertEqual(self.ask("/axis-cgi/record/lock.cgi", "vera").status, 200)

    def test_locked_and_unlocked(self) -> None:
        """A lock has a name, its owner is the account; by its name it is taken away."""
        told = self.lock(1)
        names = ["token", "recordingid", "starttime", "stoptime", "owner", "reason", "created"]
        self.assertEqual(list(told), [*names, "result"])
        self.assertEqual((told["owner"], told["reason"]), ("otto", "theft, case 7"))
        self.assertEqual((told["starttime"], told["stoptime"], told["result"]), ("", "", "OK"))
        (listed,) = self.listed()
        self.assertEqual(list(listed), ["token", "diskid", *names[1:]])
        self.assertEqual((listed["diskid"], listed["token"]), ("SD_DISK", told["token"]))
        self.assertEqual(self.listed(recordingid=self.names[0]), [])
        (gone,) = self.answers(action="unlock", token=told["token"])
        self.assertEqual((gone.get("token"), gone.get("result")), (told["token"], "OK"))
        self.assertEqual(self.listed(), [])
        self.assertEqual(
            [(who, what) for who, what, _ in self.audited()],
            [("otto", f"recording {self.names[1]}, lock {told['token']}")] * 2,
        )

    def test_a_span(self) -> None:
        """Rounded out to groups of pictures; here the recording is one."""
        told = self.lock(0, starttime="2024-05-06T07:08:10Z", stoptime="2024-05-06T07:08:10.5Z")
        self.assertEqual(told["starttime"], "2024-05-06T07:08:09.012345Z")
        self.assertEqual(told["stoptime"], "2024-05-06T07:08:11.012345Z")

    def test_all_locks_of_a_recording(self) -> None:
        """Unlocked by its id, each is told."""
        first = self.lock(0)
        second = self.lock(0, stoptime="2024-05-06T07:08:10Z")
        self.lock(1)
        gone = self.answers(action="unlock", recordingid=self.names[0])
        self.assertEqual({one.get("token") for one in gone}, {first["token"], second["token"]})
        self.assertEqual([one["recordingid"] for one in self.listed()], [self.names[1]])

    def test_what_cannot_be_locked(self) -> None:
        """An unknown recording, no reason, a span without a picture: told, nothing is locked."""
        good = {"action": "lock", "recordingid": self.names[0], "reason": "why"}
        for arguments in (
            {**good, "action": "free"},
            {**good, "recordingid": ""},
            {**good, "recordingid": "../../etc"},
            {**good, "recordingid": "20240506_070809_FFFF_ACCC8E012345"},
            {**good, "reason": ""},
            {**good, "reason": "x" * 401},
            {**good, "reason": "two\nlines"},
            {**good, "starttime": "soon"},
            {**good, "starttime": "2024-05-06T08:00:00Z"},
            {**good, "starttime": "2024-05-06T07:08:10Z", "stoptime": "2024-05-06T07:08:09Z"},
            {"action": "unlock"},
            {"action": "unlock", "token": "0123456789abcdef"},
            {"action": "unlock", "recordingid": self.names[0]},
        ):
            (one,) = self.answers(**arguments)
            self.assertEqual((one.tag, list(one.attrib)), ("lock", ["result", "errormsg"]))
            self.assertNotIn("/", one.attrib["errormsg"].replace("../../etc", ""))
        self.assertEqual(self.listed(), [])
