"""``recording_group/``: recording groups, version 1."""

from typing import Any
from xml.etree import ElementTree as ET

from tests.conformance.harness import XSI, ConformanceTestCase

PATH = "/axis-cgi/record/recording_group/"
SCHEMA = "http://www.axis.com/vapix/http_cgi/recording_group.xsd"
STREAM = "resolution=640x360&fps=25"
ATTRIBUTES = [
    "RecordingGroupId",
    "NiceName",
    "Description",
    "RetentionTime",
    "DiskId",
    "StreamOptions",
    "PreDuration",
    "PostDuration",
]
METHODS = ("create", "update", "delete", "list")


class RecordingGroupTests(ConformanceTestCase):
    def child(self, method: str, role: str = "operator", **arguments: Any) -> ET.Element:
        """What stands in the root."""
        given = {"schemaversion": 1, **arguments}
        root = self.ask_xml(f"{PATH}{method}.cgi", role, **given)
        self.assertEqual(root.tag, "RecordingGroupResponse")
        self.assertEqual(root.get(f"{XSI}noNamespaceSchemaLocation"), SCHEMA)
        (child,) = root
        return child

    def error(self, method: str, **arguments: Any) -> int:
        """The code of an error."""
        child = self.child(method, **arguments)
        self.assertEqual(child.tag, "GeneralError", ET.tostring(child))
        self.assertEqual([one.tag for one in child], ["ErrorCode", "ErrorDescription"])
        return int(child.findtext("ErrorCode") or "")

    def options(self) -> str:
        return f"device={self.camera_device()}&{STREAM}"

    def create(self, **arguments: Any) -> str:
        """A group that is removed after the test; its id."""
        given = {"diskid": self.device.disk, "retentiontime": 0, **arguments}
        given.setdefault("streamoptions", self.options())
        child = self.child("create", **given)
        self.assertEqual((child.tag, list(child.attrib)), ("CreateSuccess", ["RecordingGroupId"]))
        group_id = child.attrib["RecordingGroupId"]
        self.addCleanup(self.child, "delete", recordinggroupid=group_id)
        return group_id

    def listed(self, **arguments: Any) -> list[dict[str, str]]:
        child = self.child("list", "viewer", **arguments)
        self.assertEqual(child.tag, "ListSuccess")
        for one in child:
            self.assertEqual((one.tag, list(one.attrib)), ("RecordingGroup", ATTRIBUTES))
        return [dict(one.attrib) for one in child]

    def test_roles(self) -> None:
        """Viewers list and ask for versions, operators do the rest."""
        for method in ("schemaversions", "list"):
            self.assert_roles(f"{PATH}{method}.cgi", "admin", "operator", "viewer")
        for method in ("create", "update", "delete"):
            self.assert_roles(f"{PATH}{method}.cgi", "admin", "operator")

    def test_schema_versions(self) -> None:
        """Version 1.0 is there, and not deprecated; it is asked for without a version."""
        root = self.ask_xml(f"{PATH}schemaversions.cgi", "viewer")
        (success,) = root
        self.assertEqual(success.tag, "SchemaVersionsSuccess")
        found = {one.findtext("VersionNumber"): one.findtext("Deprecated") for one in success}
        self.assertEqual(found.get("1.0"), "false")

    def test_another_version(self) -> None:
        """Is not supported."""
        for method in METHODS:
            self.assertEqual(self.error(method, schemaversion=99), 40)

    def test_create_and_list(self) -> None:
        """What was given is listed, in the order of the page; also one group alone."""
        group_id, options = self.fresh_id(), self.options()
        made = self.create(
            recordinggroupid=group_id,
            description="a & b",
            nicename="Front",
            retentiontime=48,
            streamoptions=options,
            preduration=5000,
            postduration=2000,
        )
        values = [group_id, "Front", "a & b", "48", self.device.disk, options, "5000", "2000"]
        expected = dict(zip(ATTRIBUTES, values, strict=True))
        self.assertEqual(made, group_id)
        self.assertIn(expected, self.listed())
        self.assertEqual(self.listed(recordinggroupid=group_id), [expected])

    def test_create_with_what_is_needed(self) -> None:
        """An id is made up; what is missing is empty or 0."""
        group_id = self.create()
        self.assertRegex(group_id, r"^[A-Za-z0-9_-]{1,50}$")
        (one,) = self.listed(recordinggroupid=group_id)
        self.assertEqual([one[name] for name in ("NiceName", "Description")], ["", ""])
        self.assertEqual([one[name] for name in ("PreDuration", "PostDuration")], ["0", "0"])

    def test_create_with_mistakes(self) -> None:
        """The disk must be one, the stream options must name a device that is known."""
        before, disk, options = self.listed(), self.device.disk, self.options()
        for arguments, code in (
            ({"streamoptions": options}, 20),
            ({"diskid": "NO_SUCH", "streamoptions": options}, 20),
            ({"diskid": disk, "streamoptions": options, "recordinggroupid": "a/b"}, 20),
            ({"diskid": disk, "streamoptions": options, "recordinggroupid": "x" * 51}, 20),
            ({"diskid": disk, "streamoptions": options, "retentiontime": "x"}, 20),
            ({"diskid": disk, "streamoptions": options, "preduration": "-1"}, 20),
            ({"diskid": disk}, 130),
            ({"diskid": disk, "streamoptions": STREAM}, 130),
            ({"diskid": disk, "streamoptions": f"device={self.fresh_id()}"}, 130),
        ):
            self.assertEqual(self.error("create", **arguments), code, arguments)
        self.assertEqual(self.listed(), before)

    def test_update(self) -> None:
        """What is sent changes, the rest stays."""
        group_id = self.create(description="before", retentiontime=5)
        child = self.child("update", recordinggroupid=group_id, retentiontime=7)
        self.assertEqual((child.tag, len(child)), ("GeneralSuccess", 0))
        (one,) = self.listed(recordinggroupid=group_id)
        self.assertEqual((one["RetentionTime"], one["Description"]), ("7", "before"))
        code = self.error("update", recordinggroupid=group_id, streamoptions="fps=25")
        self.assertEqual(code, 130)
        self.assertEqual(self.listed(recordinggroupid=group_id), [one])

    def test_delete(self) -> None:
        """What was deleted is not there any more."""
        group_id = self.create()
        child = self.child("delete", recordinggroupid=group_id)
        self.assertEqual((child.tag, len(child)), ("GeneralSuccess", 0))
        self.assertEqual(self.error("list", recordinggroupid=group_id), 110)

    def test_what_is_unknown(self) -> None:
        """Has a code of its own."""
        for method in ("update", "delete", "list"):
            self.assertEqual(self.error(method, recordinggroupid=self.fresh_id()), 110)
