"""``list.cgi``: what is listed, how, and in which order."""

from xml.etree import ElementTree as ET

from twisted.internet.defer import Deferred, fail
from twisted.logger import capturedLogs

from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.services.recordings import Order
from axis_nvr.storage.locks import Locks
from axis_nvr.storage.recording import RecordingDetails
from axis_nvr.vapix.edge_storage.recording_list import RecordingList
from tests.storage.making import START_US, gop_of, sound_gop, unit
from tests.vapix.edge_storage.archive import ZONE, ArchiveTestCase

SECOND_US = 1_000_000
MOTION = RecordingDetails(
    "yard", "fps=25", 2, "triggered", "motion", "com.axis.action.unlimited.recording.storage"
)


class RecordingListTests(ArchiveTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.serve(*RecordingList(self.library, self.recordings, ZONE).endpoints())
        hdd, sd = self.shelves.disks.values()
        minute = 60 * SECOND_US
        self.names = [
            hdd.record(START_US),
            sd.record(START_US + minute, MOTION),
            hdd.record(START_US + 2 * minute, MOTION),
            sd.record(START_US + 3 * minute),
        ]

    def listed(self, user: str = "vera", **arguments: str) -> ET.Element:
        root = self.root("list.cgi", user, **arguments)
        self.assertEqual(self.location(root), "recording/list1.xsd")
        (child,) = root
        return child

    def ids(self, **arguments: str) -> list[int]:
        """Which of the recordings are listed; the count must say as many."""
        listed = self.listed(**arguments)
        found = [self.names.index(one.attrib["recordingid"]) for one in listed]
        if not arguments.keys() & {"maxnumberofresults", "startatresultnumber"}:
            self.assertEqual(listed.get("numberofrecordings"), str(len(found)))
        return found

    def test_roles(self) -> None:
        """A viewer may list, nobody may not; by GET and by POST alike."""
        path = "/axis-cgi/record/list.cgi"
        self.assertEqual(self.ask(path).status, 401)
        self.assertEqual(self.ask(path, "vera", method="PUT").status, 405)
        answered = self.ask(
            path, "vera", method="POST", data={"recordingid": "all", "maxnumberofresults": "1"}
        )
        self.assertEqual(len(ET.fromstring(answered.body)[0]), 1)

    def test_every_attribute_in_order(self) -> None:
        """As a camera lists them, and the device behind them."""
        listed = self.listed(recordingid=self.names[2])
        self.assertEqual(listed.tag, "recordings")
        self.assertEqual(
            list(listed.attrib.items()),
            [("totalnumberofrecordings", "4"), ("numberofrecordings", "1")],
        )
        (one,) = listed
        self.assertEqual(one.tag, "recording")
        self.assertEqual(
            list(one.attrib.items()),
            [
                ("diskid", "HDD_DISK"),
                ("recordingid", self.names[2]),
                ("starttime", "2024-05-06T07:10:09.012345Z"),
                ("starttimelocal", "2024-05-06T09:10:09.012345+02:00"),
                ("stoptime", "2024-05-06T07:10:11.012345Z"),
                ("stoptimelocal", "2024-05-06T09:10:11.012345+02:00"),
                ("recordingtype", "triggered"),
                ("eventid", "motion"),
                ("eventtrigger", "com.axis.action.unlimited.recording.storage"),
                ("recordingstatus", "completed"),
                ("source", "2"),
                ("locked", "No"),
                ("deviceid", "yard"),
            ],
        )
        (video,) = one
        self.assertEqual(video.tag, "video")
        names = ["mimetype", "framerate", "resolution", "width", "height"]
        values = ["video/x-h264", "2:1", "1920x1080", "1920", "1080"]
        self.assertEqual(list(video.attrib.items()), list(zip(names, values, strict=True)))

    def test_sound(self) -> None:
        """A recording with sound has an element for it, behind the picture's."""
        disk = self.shelves.disks["HDD_DISK"]
        writer = disk.bench.open()
        pictures = [unit(START_US, sync=True), *sound_gop(START_US).units]
        disk.bench.write(writer, gop_of(pictures, START_US + 2 * SECOND_US))
        disk.bench.close(writer)
        (one,) = self.listed(recordingid=writer.recording_id)
        self.assertEqual([child.tag for child in one], ["video", "audio"])
        self.assertEqual(one[1].attrib, {"mimetype": "audio/x-mulaw", "samplerate": "8000"})

    def test_filters(self) -> None:
        """Each, and together: all that are given must be so; the total is the disk's."""
        second = "2024-05-06T07:09:09.5Z"
        third = "2024-05-06T09:10:09.012345%2B02:00".replace("%2B", "+")
        for arguments, expected in (
            ({"recordingid": "all"}, [3, 2, 1, 0]),
            ({"recordingid": "all", "listentity": "recording"}, [3, 2, 1, 0]),
            ({"recordingid": "all", "listentity": "recordingid"}, [3, 2, 1, 0]),
            ({"recordingid": "all", "sortorder": "descending"}, [3, 2, 1, 0]),
            ({"recordingid": "all", "sortorder": "ascending"}, [0, 1, 2, 3]),
            ({"recordingid": f'"{self.names[1]}"'}, [1]),
            ({"recordingid": self.names[1], "diskid": "HDD_DISK"}, []),
            ({"recordingid": "20240506_070809_FFFF_ACCC8E012345"}, []),
            ({"recordingid": "../../etc/passwd"}, []),
            ({"starttime": second}, [3, 2, 1]),
            ({"starttime": "2024-05-06T07:09:11.02"}, [3, 2]),
            ({"stoptime": third}, [2, 1, 0]),
            ({"starttime": second, "stoptime": third}, [2, 1]),
            ({"starttime": third, "stoptime": second}, []),
            ({"recordingid": "all", "starttime": third, "eventid": "motion"}, [2]),
            ({"recordingid": "all", "eventid": "motion"}, [2, 1]),
            ({"recordingid": "all", "eventid": "x' OR 1=1"}, []),
            ({"recordingid": "all", "source": "2", "diskid": "SD_DISK"}, [1]),
            ({"recordingid": "all", "source": "Quad"}, []),
            ({"recordingid": "all", "diskid": "SD_DISK"}, [3, 1]),
            ({"recordingid": "all", "diskid": "NAS"}, []),
        ):
            self.assertEqual(self.ids(**arguments), expected, arguments)
        totals = {"SD_DISK": "2", "HDD_DISK": "2", "NAS": "0", "": "4"}
        for disk, total in totals.items():
            listed = self.listed(recordingid="all", diskid=disk, eventid="none")
            self.assertEqual(listed.get("totalnumberofrecordings"), total)

    def test_pages(self) -> None:
        """From 0 and from 1 alike; the number of matches is that before paging."""
        for first, limit, expected in (
            ("0", "3", [3, 2, 1]),
            ("1", "3", [3, 2, 1]),
            ("2", "1", [2]),
            ("4", "3", [0]),
            ("5", "3", []),
            ("999999999999", "3", []),
            ("2", "", [2, 1, 0]),
            ("", "0", []),
        ):
            arguments = {"startatresultnumber": first, "maxnumberofresults": limit}
            self.assertEqual(self.ids(recordingid="all", **arguments), expected)
            listed = self.listed(recordingid="all", **arguments)
            self.assertEqual(listed.get("numberofrecordings"), "4")

    def test_what_is_no_question(self) -> None:
        """An empty list that says why, with the total; nothing else is told."""
        for arguments in (
            {},
            {"eventid": "motion"},
            {"recordingid": ""},
            {"starttime": "yesterday"},
            {"starttime": "2024-13-06T07:09:09Z"},
            {"starttime": "0001-01-01T00:00:00+10:00"},
            {"stoptime": "2024-05-06 07:09:09Z"},
            {"recordingid": "all", "sortorder": "upwards"},
            {"recordingid": "all", "maxnumberofresults": "-1"},
            {"recordingid": "all", "maxnumberofresults": "1" * 13},
            {"recordingid": "all", "startatresultnumber": "one"},
            {"listentity": "everything", "recordingid": "all"},
        ):
            listed = self.listed(**arguments)
            self.assertEqual(len(listed), 0)
            self.assertEqual(
                list(listed.attrib),
                ["totalnumberofrecordings", "numberofrecordings", "errormsg"],
            )
            self.assertEqual(listed.get("totalnumberofrecordings"), "4")

    def test_events_and_sources(self) -> None:
        """Of all disks or of one, each once, as bare text."""
        for entity, everywhere in (("eventid", ["continuous", "motion"]), ("source", ["1", "2"])):
            for disk in ("", "SD_DISK"):
                listed = self.listed(listentity=entity, diskid=disk)
                self.assertEqual(listed.tag, f"{entity}s")
                told = [(one.tag, one.text) for one in listed]
                self.assertEqual(told, [(entity, text) for text in everywhere])
            self.assertEqual(len(self.listed(listentity=entity, diskid="NAS")), 0)

    def test_one_that_runs(self) -> None:
        """Its status is told, and where it ends so far; one that nobody writes is unknown."""
        disk = self.shelves.disks["HDD_DISK"]
        writer = disk.open(START_US + 4 * 60 * SECOND_US)
        (one,) = self.listed(recordingid=writer.recording_id)
        told = [one.get(name) for name in ("recordingstatus", "stoptime", "stoptimelocal")]
        self.assertEqual(told, ["unknown", "", ""])
        run = self.recordings.begin(Order("HDD_DISK", "device=front"))
        run.ids[:] = [writer.recording_id]
        run.job._feed.counts.last_end_us = START_US + 4 * 60 * SECOND_US + 2_000_000
        (one,) = self.listed(recordingid=writer.recording_id)
        told = [one.get(name) for name in ("recordingstatus", "stoptime", "stoptimelocal")]
        local = "2024-05-06T09:12:11.012345+02:00"
        self.assertEqual(told, ["recording", "2024-05-06T07:12:11.012345Z", local])
        run.job._feed.counts.last_end_us = START_US  # of the recording before it
        (one,) = self.listed(recordingid=writer.recording_id)
        self.assertEqual(one.get("stoptime"), "")

    def test_locked(self) -> None:
        """What is locked in any part says so."""
        premises = self.shelves.disks["SD_DISK"].premises
        locks = Locks(premises.files, premises.folder, premises.index, premises.now)
        locks.lock(self.names[1], reason="evidence")
        found = {
            one.get("recordingid"): one.get("locked") for one in self.listed(recordingid="all")
        }
        self.assertEqual(found[self.names[1]], "Yes")
        self.assertEqual(list(found.values()).count("No"), 3)

    def test_more_than_a_page(self) -> None:
        """A long list comes whole, in pieces."""
        disk = self.shelves.disks["SD_DISK"]
        with disk.premises.index.transaction():
            for number in range(600):
                name = f"20250101_000000_{number:04X}_ACCC8E012345"
                disk.premises.index.execute(
                    "INSERT INTO recordings (filename, path, starttime, stoptime)"
                    " VALUES (?, '', ?, '2026-01-01T00:00:00.000000Z')",
                    name,
                    f"2025-01-01T00:00:00.{number:06}Z",
                )
        listed = self.listed(recordingid="all", sortorder="ascending")
        self.assertEqual(len(listed), 604)
        starts = [one.get("starttime", "") for one in listed]
        self.assertEqual(starts, sorted(starts))
        self.assertEqual(self.listed(recordingid="all").get("totalnumberofrecordings"), "604")

    def test_a_disk_that_cannot_be_read(self) -> None:
        """Is not taken for one without recordings."""

        def ask(*arguments: object) -> Deferred[object]:
            return fail(StorageError(StorageErrorKind.CORRUPT, self.house.state.path, "broken"))

        self.patch(self.library.shelves["SD_DISK"].reader, "ask", ask)
        with capturedLogs() as logged:
            answered = self.ask("/axis-cgi/record/list.cgi?recordingid=all", "vera")
        self.assertEqual(answered.status, 503)
        self.assertTrue(any("cannot be listed" in e.get("log_format", "") for e in logged))
