"""``record/export/`` of the Export recording API."""

import re
import time
from typing import Any
from xml.etree import ElementTree as ET

from tests.conformance.client import Answer
from tests.conformance.harness import XSI, ConformanceTestCase

PATH = "/axis-cgi/record/export/"
SCHEMA = "http://www.axis.com/vapix/http_cgi/exportrecording1.xsd"
UTC = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"
NOBODYS = "20000101_000000_0000_000000000000"
#: A recording has pictures after so long, in seconds.
PATIENCE_SECONDS = 60.0


class ExportTestCase(ConformanceTestCase):
    def child(self, name: str, role: str = "viewer", **arguments: Any) -> ET.Element:
        """What stands in the root, which names its schema."""
        root = self.ask_xml(f"{PATH}{name}.cgi", role, **arguments)
        self.assertEqual(root.tag, "ExportRecordingResponse")
        self.assertRegex(root.get("SchemaVersion") or "", r"^1\.\d+$")
        self.assertEqual(root.get(f"{XSI}noNamespaceSchemaLocation"), SCHEMA)
        (child,) = root
        return child

    def assert_error(self, code: int, name: str, **arguments: Any) -> None:
        error = self.child(name, **arguments)
        self.assertEqual(error.tag, "GeneralError")
        self.assertEqual([one.tag for one in error], ["ErrorCode", "ErrorDescription"])
        self.assertEqual(error.findtext("ErrorCode"), str(code))

    def recording(self) -> dict[str, str]:
        """A recording with pictures, as arguments of a request."""
        options = f"device={self.camera_device()}&resolution=640x360&fps=25"
        disk = self.device.disk
        made = self.ask_xml("/axis-cgi/record/record.cgi", "operator", diskid=disk, options=options)
        recording_id = made[0].attrib["recordingid"]
        arguments = {"schemaversion": "1", "recordingid": recording_id, "diskid": disk}
        try:
            for _ in range(int(PATIENCE_SECONDS / 0.5)):
                if self.child("properties", **arguments).tag == "PropertiesSuccess":
                    return arguments
                time.sleep(0.5)
        finally:
            self.ask_xml("/axis-cgi/record/stop.cgi", "operator", recordingid=recording_id)
        raise self.failureException("nothing was recorded")

    def download(self, **arguments: Any) -> Answer:
        return self.ask(f"{PATH}exportrecording.cgi", "viewer", **arguments)


class DescriptionTests(ExportTestCase):
    def test_roles(self) -> None:
        """All methods are viewers'."""
        for name in ("schemaversions", "capabilities", "properties", "getjobstatus"):
            self.assert_roles(f"{PATH}{name}.cgi", "admin", "operator", "viewer")

    def test_schema_versions(self) -> None:
        """Each minor version is an entry."""
        listed = self.child("schemaversions")
        self.assertEqual(listed.tag, "SchemaVersionsSuccess")
        numbers = [one.findtext("VersionNumber") for one in listed]
        self.assertEqual(numbers[:3], ["1.0", "1.1", "1.2"])
        self.assertEqual({one.findtext("Deprecated") for one in listed}, {"false"})

    def test_capabilities(self) -> None:
        """Matroska, and its encryption."""
        listed = self.child("capabilities", schemaversion="1")
        self.assertEqual(listed.tag, "CapabilitiesSuccess")
        formats = {one.get("ExportFormat"): one for one in listed}
        (encryption,) = formats["matroska"]
        self.assertEqual(encryption.attrib, {"EncryptionFormat": "zip-aes256"})

    def test_unknown_version(self) -> None:
        """Another major version is not supported."""
        self.assert_error(40, "capabilities", schemaversion="9")

    def test_unknown_recording(self) -> None:
        """There is no such recording."""
        arguments = {"schemaversion": "1", "recordingid": NOBODYS, "diskid": self.device.disk}
        self.assert_error(110, "properties", **arguments)

    def test_unknown_job(self) -> None:
        """There is no such job."""
        self.assert_error(190, "getjobstatus", schemaversion="1", jobid="999999")

    def test_missing_arguments(self) -> None:
        """What is required must be there."""
        self.assert_error(20, "properties", schemaversion="1")
        self.assert_error(20, "getjobstatus", schemaversion="1")


class DownloadTests(ExportTestCase):
    def test_a_recording(self) -> None:
        """Its properties, the file, its name; parts of it; times outside of it; each error."""
        wanted = self.recording()
        told = self.child("properties", **wanted)[0]
        self.assertEqual(told.get("RecordingId"), wanted["recordingid"])
        self.assertEqual(told.get("ExportFormat"), "matroska")
        for name in ("Starttime", "Stoptime"):
            self.assertRegex(told.get(name) or "", UTC)
        self.assertRegex(told.get("EstimatedFileSize") or "", r"^(-1|\d+)$")
        whole = self.download(**wanted, exportformat="matroska")
        self.assertEqual((whole.status, whole.header("content-type")), (200, "video/x-matroska"))
        name = r'^attachment; filename="\d{8}_\d{6,10}_\d{8}_\d{6,10}\.mkv"$'
        self.assertTrue(re.match(name, whole.header("content-disposition")))
        self.assertEqual(whole.body[:4], b"\x1a\x45\xdf\xa3")
        named = self.download(**wanted, exportformat="matroska", filename="evidence")
        self.assertEqual(named.header("content-disposition"), 'attachment; filename="evidence.mkv"')
        early = self.download(**wanted, exportformat="matroska", starttime="2000-01-01T00:00:00Z")
        self.assertEqual(early.header("content-type"), "video/x-matroska")
        zipped = self.download(
            **wanted, exportformat="matroska", encryptionformat="zip-aes256", password="secret"
        )
        self.assertEqual(zipped.header("content-type"), "application/zip")
        self.assertEqual(zipped.body[:2], b"PK")
        for code, more in (
            (120, {"starttime": "x"}),
            (130, {"stoptime": "x"}),
            (140, {"starttime": "2030-01-02T00:00:00Z", "stoptime": "2030-01-01T00:00:00Z"}),
            (150, {"starttime": "2090-01-01T00:00:00Z"}),
            (160, {"stoptime": "2000-01-01T00:00:00Z"}),
            (170, {"exportformat": "avi"}),
            (250, {"encryptionformat": "x"}),
        ):
            self.assert_error(code, "properties", **wanted, **more)
        self.assert_error(
            200, "exporttoexternal", **wanted, externaldiskid="X_DISK", exportformat="matroska"
        )

    def test_beyond_devices(self) -> None:
        """Lengths, ranges and MP4, which devices do not have."""
        self.ours()
        wanted = {**self.recording(), "exportformat": "matroska"}
        whole = self.download(**wanted)
        self.assertEqual(whole.header("content-length"), str(len(whole.body)))
        self.assertTrue(whole.header("etag"))
        self.assertEqual(whole.header("accept-ranges"), "bytes")
        film = self.download(**{**wanted, "exportformat": "mp4"})
        self.assertEqual((film.header("content-type"), film.body[4:8]), ("video/mp4", b"ftyp"))
