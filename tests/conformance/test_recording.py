"""``record.cgi``, ``stop.cgi`` and ``continuous/`` of the Recording API."""

import re
from typing import Any
from xml.etree import ElementTree as ET

from tests.conformance.harness import XSI, ConformanceTestCase

PATH = "/axis-cgi/record/"
SCHEMAS = "http://www.axis.com/vapix/http_cgi/recording/"
RECORDING_ID = r"^\d{8}_\d{6}_[0-9A-F]{4}_[0-9A-F]{12}$"
#: What is recorded besides the device.
STREAM = "resolution=640x360&fps=25"


class RecordingTestCase(ConformanceTestCase):
    def child(self, name: str, schema: str, role: str = "operator", **arguments: Any) -> ET.Element:
        """What stands in the root, which names its schema."""
        root = self.ask_xml(f"{PATH}{name}.cgi", role, **arguments)
        self.assertEqual(root.tag, "root")
        self.assertEqual(root.get(f"{XSI}noNamespaceSchemaLocation"), f"{SCHEMAS}{schema}.xsd")
        (child,) = root
        return child

    def assert_refused(self, child: ET.Element, name: str) -> None:
        """An error has a text for people."""
        self.assertEqual((child.tag, child.get("result")), (name, "ERROR"))
        self.assertTrue(child.get("errormsg"))


class RecordTests(RecordingTestCase):
    def record(self, role: str = "operator", **arguments: Any) -> ET.Element:
        return self.child("record", "record1", role, **arguments)

    def stop(self, role: str = "operator", **arguments: Any) -> ET.Element:
        return self.child("stop", "stop1", role, **arguments)

    def begin(self) -> str:
        """A recording that is stopped after the test."""
        options = f"device={self.camera_device()}&{STREAM}"
        child = self.record(diskid=self.device.disk, options=options)
        self.assertEqual(list(child.attrib), ["recordingid", "result"])
        self.assertEqual(child.get("result"), "OK")
        recording_id = child.attrib["recordingid"]
        self.addCleanup(self.stop, recordingid=recording_id)
        return recording_id

    def test_roles(self) -> None:
        """Both are operators'."""
        for name in ("record", "stop"):
            self.assert_roles(f"{PATH}{name}.cgi", "admin", "operator")

    def test_record_and_stop(self) -> None:
        """A recording gets an id with time and serial number, and ends when it is stopped."""
        recording_id = self.begin()
        self.assertRegex(recording_id, RECORDING_ID)
        child = self.stop(recordingid=recording_id)
        self.assertEqual(child.attrib, {"recordingid": recording_id, "result": "OK"})

    def test_serial_in_the_id(self) -> None:
        """The id ends with the serial number of the recorder."""
        path = "/axis-cgi/basicdeviceinfo.cgi"
        told = self.ask_json(path, "getAllUnrestrictedProperties")["data"]["propertyList"]
        self.assertTrue(self.begin().endswith(told["SerialNumber"]))

    def test_two_at_the_same_time(self) -> None:
        """Several can run; each is stopped by its own id."""
        first, second = self.begin(), self.begin()
        self.assertNotEqual(first, second)
        self.assertEqual(self.stop(recordingid=first).get("result"), "OK")
        self.assertEqual(self.stop(recordingid=second).get("result"), "OK")

    def test_by_administrators_too(self) -> None:
        """An administrator may stop what an operator began."""
        child = self.stop("admin", recordingid=self.begin())
        self.assertEqual(child.get("result"), "OK")

    def test_stop_ignores_the_disk(self) -> None:
        """Clients send ``diskid`` to stop too, and the id in quotes."""
        self.ours()
        quoted = f'"{self.begin()}"'
        self.assertEqual(self.stop(recordingid=quoted, diskid="other").get("result"), "OK")

    def test_stop_twice(self) -> None:
        """What does not run any more cannot be stopped."""
        recording_id = self.begin()
        self.assertEqual(self.stop(recordingid=recording_id).get("result"), "OK")
        self.assert_refused(self.stop(recordingid=recording_id), "stop")

    def test_stop_what_is_unknown(self) -> None:
        """An id that is none."""
        for arguments in ({}, {"recordingid": ""}, {"recordingid": "20240101_000000_0000_X"}):
            self.assert_refused(self.stop(**arguments), "stop")

    def test_record_without_a_disk(self) -> None:
        """The disk is needed and must be one; nothing begins."""
        options = f"device={self.camera_device()}"
        for arguments in ({}, {"diskid": ""}, {"diskid": "NO_SUCH"}, {"diskid": "../x"}):
            child = self.record(options=options, **arguments)
            self.assert_refused(child, "record")
            self.assertNotIn("recordingid", child.attrib)

    def test_record_without_a_device(self) -> None:
        """On a recorder the options must name a device that is known."""
        for options in ("", "resolution=640x360", "device=", f"device={self.fresh_id()}"):
            self.assert_refused(self.record(diskid=self.device.disk, options=options), "record")
        self.assert_refused(self.record(diskid=self.device.disk), "record")

    def test_a_device_without_an_address(self) -> None:
        """A device that is known by its id alone cannot be recorded."""
        device_id, path = self.fresh_id(), "/axis-cgi/externalipdeviceinfo/"
        self.ask_xml(f"{path}create.cgi", schemaversion=2, id=device_id)
        self.addCleanup(self.ask, f"{path}delete.cgi", schemaversion=2, id=device_id)
        options = f"device={device_id}"
        self.assert_refused(self.record(diskid=self.device.disk, options=options), "record")


class ContinuousTests(RecordingTestCase):
    def add(self, role: str = "operator", **arguments: Any) -> ET.Element:
        name = "continuous/addconfiguration"
        return self.child(name, "continuousconfigurationadd1", role, **arguments)

    def remove(self, **arguments: Any) -> ET.Element:
        name = "continuous/removeconfiguration"
        return self.child(name, "continuousconfigurationremove1", **arguments)

    def listed(self, role: str = "viewer", **arguments: Any) -> list[dict[str, str]]:
        name = "continuous/listconfiguration"
        child = self.child(name, "continuousconfigurationlist1", role, **arguments)
        self.assertEqual(child.tag, "continuousrecordingconfigurations")
        for each in child:
            self.assertEqual(each.tag, "continuousrecordingconfiguration")
            self.assertEqual(list(each.attrib), ["profile", "diskid", "options", "eventid"])
        return [dict(each.attrib) for each in child]

    def make(self, **more: str) -> tuple[str, str]:
        """A configuration that is removed after the test; its profile and options."""
        options = f"device={self.camera_device()}&{STREAM}"
        child = self.add(diskid=self.device.disk, options=options, **more)
        self.assertEqual((child.tag, list(child.attrib)), ("configure", ["profile", "result"]))
        self.assertEqual(child.get("result"), "OK")
        profile = child.attrib["profile"]
        self.addCleanup(self.remove, profile=profile)
        return profile, options

    def test_roles(self) -> None:
        """Viewers may list, operators add and remove."""
        path = f"{PATH}continuous/"
        self.assert_roles(f"{path}listconfiguration.cgi", "admin", "operator", "viewer")
        self.assert_roles(f"{path}addconfiguration.cgi", "admin", "operator")
        self.assert_roles(f"{path}removeconfiguration.cgi", "admin", "operator")

    def test_add_list_remove(self) -> None:
        """The options are listed as they were given; what was removed is not listed."""
        profile, options = self.make()
        self.assertTrue(re.fullmatch(r"\d+", profile))
        disk = self.device.disk
        expected = {"profile": profile, "diskid": disk, "options": options, "eventid": "continuous"}
        self.assertIn(expected, self.listed())
        self.assertEqual(self.listed(profile=profile), [expected])
        child = self.remove(profile=profile)
        self.assertEqual(
            (child.tag, child.attrib), ("remove", {"profile": profile, "result": "OK"})
        )
        self.assertEqual(self.listed(profile=profile), [])

    def test_event_id(self) -> None:
        """An event id of one's own is kept."""
        profile, _ = self.make(eventid="front & back")
        self.assertEqual(self.listed(profile=profile)[0]["eventid"], "front & back")

    def test_profiles_differ(self) -> None:
        """Each configuration has a profile of its own, and none comes back."""
        first, _ = self.make()
        second, _ = self.make()
        self.assertNotEqual(first, second)
        self.remove(profile=second)
        self.ours()
        self.assertNotIn(self.make()[0], (first, second))

    def test_list_of_a_profile_that_is_none(self) -> None:
        """It is empty."""
        self.assertEqual(self.listed(profile="999999999"), [])
        self.ours()
        self.assertEqual(self.listed(profile="x"), [])

    def test_add_with_arguments_missing_or_wrong(self) -> None:
        """Disk and options are needed and must be known; nothing is kept."""
        before = self.listed()
        options = f"device={self.camera_device()}"
        for arguments in (
            {},
            {"diskid": self.device.disk},
            {"options": options},
            {"diskid": "NO_SUCH", "options": options},
            {"diskid": self.device.disk, "options": ""},
            {"diskid": self.device.disk, "options": f"device={self.fresh_id()}"},
            {"diskid": self.device.disk, "options": "resolution=640x360"},
        ):
            self.assert_refused(self.add(**arguments), "configure")
        self.ours()
        for event in ("x" * 257, "a\0b"):
            child = self.add(diskid=self.device.disk, options=options, eventid=event)
            self.assert_refused(child, "configure")
        self.assertEqual(self.listed(), before)

    def test_remove_what_is_not_there(self) -> None:
        """A profile that is none, is no number, or is missing."""
        for arguments in ({}, {"profile": "999999999"}, {"profile": ""}, {"profile": "x"}):
            self.assert_refused(self.remove(**arguments), "remove")
        for profile in ("-1", "1" * 30, "1.0", "٣"):
            self.assert_refused(self.remove(profile=profile), "remove")
