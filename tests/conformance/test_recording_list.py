"""``list.cgi`` and ``remove.cgi`` of the Recording API."""

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree as ET

from tests.conformance.harness import XSI, ConformanceTestCase

PATH = "/axis-cgi/record/"
SCHEMAS = "http://www.axis.com/vapix/http_cgi/recording/"
STREAM = "resolution=640x360&fps=25&videokeyframeinterval=5"
#: A recording that was begun has pictures on the disk within so many seconds.
PATIENCE_SECONDS = 60.0
#: In their order; others may follow.
ATTRIBUTES = [
    "diskid",
    "recordingid",
    "starttime",
    "starttimelocal",
    "stoptime",
    "stoptimelocal",
    "recordingtype",
    "eventid",
    "eventtrigger",
    "recordingstatus",
    "source",
    "locked",
]
UTC_TIME = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"
LOCAL_TIME = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$"


class ArchiveTestCase(ConformanceTestCase):
    def child(self, name: str, schema: str, role: str = "viewer", **arguments: Any) -> ET.Element:
        (child,) = self.children(name, schema, role, **arguments)
        return child

    def children(self, name: str, schema: str, role: str, **arguments: Any) -> list[ET.Element]:
        root = self.ask_xml(f"{PATH}{name}.cgi", role, **arguments)
        self.assertEqual(root.tag, "root")
        self.assertEqual(root.get(f"{XSI}noNamespaceSchemaLocation"), f"{SCHEMAS}{schema}.xsd")
        return list(root)

    def listed(self, role: str = "viewer", **arguments: Any) -> ET.Element:
        return self.child("list", "list1", role, **arguments)

    def ids(self, **arguments: Any) -> list[str]:
        return [one.attrib["recordingid"] for one in self.listed(**arguments)]

    def removed(self, role: str = "operator", **arguments: Any) -> list[dict[str, str]]:
        children = self.children("remove", "remove1", role, **arguments)
        self.assertEqual({child.tag for child in children} - {"remove"}, set())
        return [dict(child.attrib) for child in children]

    def begin(self) -> str:
        """A recording that runs and has pictures on the disk; it is removed after the test."""
        options = f"device={self.camera_device()}&{STREAM}"
        child = self.child(
            "record", "record1", "operator", diskid=self.device.disk, options=options
        )
        recording_id = child.attrib["recordingid"]
        self.addCleanup(self.removed, recordingid=recording_id)
        until = time.monotonic() + PATIENCE_SECONDS
        while not self.ids(recordingid=recording_id):
            self.assertLess(time.monotonic(), until, f"{recording_id} is not listed")
            time.sleep(0.05)
        return recording_id

    def record(self) -> str:
        """A recording that has ended; it is removed after the test."""
        recording_id = self.begin()
        self.child("stop", "stop1", "operator", recordingid=recording_id)
        return recording_id


class ListTests(ArchiveTestCase):
    def test_roles(self) -> None:
        """Viewers may list; nobody may not."""
        self.assert_roles(f"{PATH}list.cgi", "admin", "operator", "viewer", recordingid="all")

    def test_a_recording(self) -> None:
        """Has all attributes in their order, times in UTC and local, and its picture track."""
        recording_id = self.record()
        listed = self.listed(recordingid=recording_id)
        self.assertEqual(listed.tag, "recordings")
        names = ["totalnumberofrecordings", "numberofrecordings"]
        self.assertEqual(list(listed.attrib), names)
        self.assertEqual(listed.get("numberofrecordings"), "1")
        (one,) = listed
        self.assertEqual((one.tag, list(one.attrib)[: len(ATTRIBUTES)]), ("recording", ATTRIBUTES))
        self.assertEqual(one.get("diskid"), self.device.disk)
        self.assertEqual(one.get("recordingstatus"), "completed")
        self.assertEqual(one.get("locked"), "No")
        self.assertIn(one.get("recordingtype"), ("triggered", "scheduled", "continuous"))
        for name in ("starttime", "stoptime"):
            self.assertRegex(one.attrib[name], UTC_TIME)
            self.assertRegex(one.attrib[f"{name}local"], LOCAL_TIME)
            utc, local = (datetime.fromisoformat(one.attrib[n]) for n in (name, f"{name}local"))
            self.assertEqual(utc, local)
        stamp = datetime.fromisoformat(one.attrib["starttimelocal"])
        named = datetime.strptime(f"{recording_id[:15]}{stamp:%z}", "%Y%m%d_%H%M%S%z")
        self.assertLess(abs(named - stamp), timedelta(seconds=60), "the id tells local time")
        (video,) = [child for child in one if child.tag == "video"]
        self.assertEqual(video.get("mimetype"), "video/x-h264")
        self.assertEqual(video.get("resolution"), f"{video.get('width')}x{video.get('height')}")
        self.assertTrue(re.fullmatch(r"\d+:\d+", video.get("framerate", "")))

    def test_one_that_runs(self) -> None:
        """Is listed as such; where it ends so far is told, or nothing."""
        (one,) = self.listed(recordingid=self.begin())
        self.assertEqual(one.get("recordingstatus"), "recording")
        if one.get("stoptime"):
            self.assertGreaterEqual(one.attrib["stoptime"], one.attrib["starttime"])

    def test_both_names_of_recordings(self) -> None:
        """``recording`` and ``recordingid`` mean the same, as does nothing."""
        recording_id = self.record()
        for more in ({}, {"listentity": "recording"}, {"listentity": "recordingid"}):
            self.assertEqual(self.ids(recordingid=recording_id, **more), [recording_id])

    def test_pages_and_order(self) -> None:
        """Pages put together are all recordings, each once, in order of start; the newest first."""
        made = {self.record() for _ in range(3)}
        whole = self.listed(recordingid="all")
        starts = [one.attrib["starttime"] for one in whole]
        self.assertEqual(starts, sorted(starts, reverse=True))
        ids = [one.attrib["recordingid"] for one in whole]
        self.assertLessEqual(made, set(ids))
        self.assertEqual(whole.get("numberofrecordings"), str(len(ids)))
        for order, expected in (("descending", ids), ("ascending", ids[::-1])):
            paged = []
            for first in range(1, len(ids) + 1, 2):
                page = self.listed(
                    recordingid="all",
                    sortorder=order,
                    maxnumberofresults=2,
                    startatresultnumber=first,
                )
                self.assertEqual(page.get("numberofrecordings"), str(len(ids)), "before paging")
                self.assertLessEqual(len(page), 2)
                paged += [one.attrib["recordingid"] for one in page]
            self.assertEqual(sorted(paged), sorted(expected))
        first_page = self.ids(recordingid="all", maxnumberofresults=1, startatresultnumber=0)
        self.assertEqual(first_page, ids[:1], "0 is the first as well")

    def test_times(self) -> None:
        """What has any part in the time asked for is found, whatever form the time has."""
        recording_id = self.record()
        (one,) = self.listed(recordingid=recording_id)
        start, stop = (datetime.fromisoformat(one.attrib[n]) for n in ("starttime", "stoptime"))
        middle, second = start + (stop - start) / 2, timedelta(seconds=1)
        for arguments, is_found in (
            ({"starttime": middle}, True),
            ({"stoptime": middle}, True),
            ({"starttime": middle, "stoptime": middle}, True),
            ({"starttime": start - second, "stoptime": stop + second}, True),
            ({"starttime": stop + second}, False),
            ({"stoptime": start - second}, False),
        ):
            for text in (_with_z, _with_offset, _bare):
                given = {name: text(value) for name, value in arguments.items()}
                found = self.ids(recordingid=recording_id, **given)
                self.assertEqual(found, [recording_id] if is_found else [], given)

    def test_filters(self) -> None:
        """All that are given must be so."""
        recording_id = self.record()
        (one,) = self.listed(recordingid=recording_id)
        event, source, disk = (one.attrib[name] for name in ("eventid", "source", "diskid"))
        for arguments, is_found in (
            ({"eventid": event}, True),
            ({"source": source}, True),
            ({"diskid": disk}, True),
            ({"eventid": event, "source": source, "diskid": disk}, True),
            ({"eventid": "no such"}, False),
            ({"source": "99"}, False),
            ({"diskid": "NO_SUCH"}, False),
            ({"eventid": event, "source": "99"}, False),
        ):
            found = self.ids(recordingid=recording_id, **arguments)
            self.assertEqual(found, [recording_id] if is_found else [], arguments)

    def test_an_unknown_argument(self) -> None:
        """Is passed over."""
        recording_id = self.record()
        found = self.ids(recordingid=recording_id, recordingstatus="recording")
        self.assertEqual(found, [recording_id])

    def test_nothing_found(self) -> None:
        """An empty list, with the total."""
        for name in ("20200101_000000_0000_000000000000", "x", "../../etc/passwd"):
            listed = self.listed(recordingid=name)
            self.assertEqual((listed.get("numberofrecordings"), len(listed)), ("0", 0))
            self.assertTrue(listed.get("totalnumberofrecordings", "").isdigit())

    def test_what_is_no_question(self) -> None:
        """One of id, start and stop is needed; a mistake lists nothing, and is told."""
        self.ours()
        self.record()
        for arguments in (
            {},
            {"eventid": "manual"},
            {"starttime": "yesterday"},
            {"recordingid": "all", "maxnumberofresults": "x"},
            {"recordingid": "all", "startatresultnumber": "-1"},
            {"recordingid": "all", "sortorder": "x"},
        ):
            listed = self.listed(**arguments)
            self.assertEqual(len(listed), 0)
            self.assertTrue(listed.get("errormsg"))

    def test_events_and_sources(self) -> None:
        """Each that has recordings, as text; of one disk too."""
        (one,) = self.listed(recordingid=self.record())
        for entity, value in (("eventid", one.get("eventid")), ("source", one.get("source"))):
            for more in ({}, {"diskid": self.device.disk}):
                listed = self.listed(listentity=entity, **more)
                self.assertEqual(listed.tag, f"{entity}s")
                self.assertIn(value, [child.text for child in listed if child.tag == entity])


def _with_z(time_utc: datetime) -> str:
    return time_utc.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _with_offset(time_utc: datetime) -> str:
    return (time_utc + timedelta(hours=5.5)).isoformat().replace("+00:00", "+05:30")


def _bare(time_utc: datetime) -> str:
    return time_utc.astimezone(UTC).isoformat().replace("+00:00", "")


class RemoveTests(ArchiveTestCase):
    def test_roles(self) -> None:
        """Operators' only."""
        name = "20200101_000000_0000_000000000000"
        self.assert_roles(f"{PATH}remove.cgi", "admin", "operator", recordingid=name)

    def test_removed(self) -> None:
        """Each recording named is told, and not listed any more."""
        first, second = self.record(), self.record()
        found = self.removed(recordingid=f"{first},{second}")
        self.assertEqual(found, [{"recordingid": one, "result": "OK"} for one in (first, second)])
        self.assertEqual(self.ids(recordingid=first) + self.ids(recordingid=second), [])

    def test_one_that_runs(self) -> None:
        """Is stopped first."""
        recording_id = self.begin()
        self.assertEqual([one["result"] for one in self.removed(recordingid=recording_id)], ["OK"])
        child = self.child("stop", "stop1", "operator", recordingid=recording_id)
        self.assertEqual(child.get("result"), "ERROR", "it does not run any more")

    def test_what_is_not_there(self) -> None:
        """Is told, beside what is."""
        recording_id, none = self.record(), "20200101_000000_0000_000000000000"
        found = self.removed(recordingid=f"{none},{recording_id}")
        self.assertEqual([one["result"] for one in found], ["ERROR", "OK"])
        self.assertTrue(found[0]["errormsg"])

    def test_of_another_disk(self) -> None:
        """A disk limits what goes."""
        recording_id = self.record()
        self.removed(recordingid=recording_id, diskid="NO_SUCH")
        self.assertEqual(self.ids(recordingid=recording_id), [recording_id])

    def test_before_a_time(self) -> None:
        """What began before it goes as a whole; nothing else does."""
        self.ours()
        old = self.record()
        (one,) = self.listed(recordingid=old)
        time.sleep(0.1)
        new = self.record()
        found = self.removed(beforetime=one.attrib["stoptime"])
        self.assertIn({"recordingid": old, "result": "OK"}, found)
        self.assertEqual((self.ids(recordingid=old), self.ids(recordingid=new)), ([], [new]))
        self.assertEqual(self.removed(beforetime="2001-01-01T00:00:00Z"), [])

    def test_what_excludes_each_other(self) -> None:
        """An id goes together with none of the others; nothing is removed."""
        recording_id = self.record()
        for arguments in (
            {"beforetime": "2001-01-01T00:00:00Z"},
            {"eventid": "x"},
            {"source": "9"},
        ):
            found = self.removed(recordingid=recording_id, **arguments)
            self.assertEqual([one["result"] for one in found], ["ERROR"])
        self.ours()
        for arguments in ({}, {"diskid": self.device.disk}, {"beforetime": "x"}):
            (one,) = self.removed(**arguments)
            self.assertEqual(list(one), ["result", "errormsg"])
        self.assertEqual(self.ids(recordingid=recording_id), [recording_id])

    def test_locked(self) -> None:
        """What is locked stays, until it is unlocked."""
        self.ours()
        recording_id, path = self.record(), f"{PATH}lock.cgi"
        asked = {"recordingid": recording_id, "reason": "evidence"}
        (lock,) = self.ask_xml(path, "operator", action="lock", **asked)
        self.assertEqual((lock.get("owner"), lock.get("result")), ("otto", "OK"))
        self.assertEqual(self.listed(recordingid=recording_id)[0].get("locked"), "Yes")
        (one,) = self.removed(recordingid=recording_id)
        self.assertEqual(one["result"], "ERROR")
        self.assertIn("evidence", one["errormsg"])
        self.ask_xml(path, "operator", action="unlock", recordingid=recording_id)
        (one,) = self.removed(recordingid=recording_id)
        self.assertEqual(one["result"], "OK")
