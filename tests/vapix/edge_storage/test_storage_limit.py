"""``record/storage/``: a limit is set, told, kept, and in force."""

from typing import Any
from xml.etree import ElementTree as ET

from axis_nvr.vapix.edge_storage.storage_limit import TEXTS, StorageLimitCgis
from tests.vapix.edge_storage.disk_serving import DiskServingTestCase

PATH = "/axis-cgi/record/storage/"
XSI = "{http://www.w3.org/2001/XMLSchema-instance}"


class StorageLimitTests(DiskServingTestCase):
    def endpoints(self) -> tuple[Any, ...]:
        return StorageLimitCgis(self.disks, self.house.audit).endpoints()

    def call(self, name: str, **arguments: str) -> ET.Element:
        """What stands in the root."""
        arguments = {"schemaversion": "1", **arguments}
        root = self.root(f"{PATH}{name}.cgi", "otto", **arguments)
        self.assertEqual((root.tag, root.get("SchemaVersion")), ("StorageLimitsResponse", "1.0"))
        self.assertEqual(
            root.get(f"{XSI}noNamespaceSchemaLocation"),
            "http://www.axis.com/vapix/http_cgi/recordingstoragelimit1.xsd",
        )
        (child,) = root
        return child

    def limits(self, **arguments: str) -> list[dict[str, str]]:
        answer = self.call("getlimit", **arguments)
        self.assertEqual(answer.tag, "GetStorageLimitsResponse")
        return [dict(limit.attrib) for limit in answer]

    def code(self, name: str, **arguments: str) -> int:
        """The error code."""
        error = self.call(name, **arguments)
        self.assertEqual([error.tag, *(child.tag for child in error)], ERROR)
        code = int(error[0].text or "")
        self.assertEqual(error[1].text, TEXTS[code])
        return code

    def test_roles(self) -> None:
        """All of it is for operators."""
        names = ("schemaversions", "getlimit", "setlimit")
        self.assert_roles(**{f"{PATH}{name}.cgi": "otto" for name in names})

    def test_schema_versions(self) -> None:
        """There is one, and it is told to who names none."""
        root = self.root(f"{PATH}schemaversions.cgi", "otto")
        self.assertEqual([child.text for child in root[0][0]], ["1.0", "false"])
        for version in ("2", "", "x"):
            self.assertEqual(self.code("getlimit", schemaversion=version), 40)

    def test_what_is_used(self) -> None:
        """What recordings take, in kB of 1024 bytes; there is no limit at first."""
        size = sum(path.stat().st_size for path in self.folders["HDD_DISK"].rglob("*.mkv"))
        hdd = {"diskid": "HDD_DISK", "size": "0", "usedspace": str(size // 1024)}
        sd = {"diskid": "SD_DISK", "size": "0", "usedspace": "0"}
        self.assertGreater(size, 1024)
        self.assertEqual(self.limits(), [hdd, sd])
        self.assertEqual(self.limits(diskid="HDD_DISK"), [hdd])
        self.assertEqual(self.limits(diskid="SD_DISK"), [sd])

    def test_set_and_taken_away(self) -> None:
        """It is in force at once and after a restart, for this disk only."""
        for size in ("1048576", "4000000000", "0"):
            answer = self.call("setlimit", diskid="HDD_DISK", size=size)
            self.assertEqual((answer.tag, len(answer)), ("GeneralSuccess", 0))
            self.assertEqual(self.settings.rules("HDD_DISK").limit_bytes, int(size) * 1024)
            self.restart()
            self.assertEqual([limit["size"] for limit in self.limits()], [size, "0"])
            self.assertEqual(self.settings.rules("HDD_DISK").limit_bytes, int(size) * 1024)
        self.assertEqual(self.audited()[0], "change disk HDD_DISK: limit 1048576 kB: ok")

    def test_who_cleans_up_is_told(self) -> None:
        """The disk does not wait for its next look."""
        self.call("setlimit", diskid="HDD_DISK", size="1048576")
        self.assertEqual(self.made["HDD_DISK"].woken, ["retention"])

    def test_mistakes(self) -> None:
        """Each has its code, and changes nothing."""
        for disk_id in ("USB_DISK", "all", "../x"):
            self.assertEqual(self.code("getlimit", diskid=disk_id), 110)
            self.assertEqual(self.code("setlimit", diskid=disk_id, size="0"), 110)
        for arguments in ({"size": "0"}, {"diskid": "HDD_DISK"}, {"diskid": "", "size": "0"}):
            self.assertEqual(self.code("setlimit", **arguments), 20)
        for size in ("-1", "1.5", "much", "9" * 16, "\u0661", "1 000 000 000"):
            self.assertEqual(self.code("setlimit", diskid="HDD_DISK", size=size), 120, size)
        for size in ("1", "1048575"):
            self.assertEqual(self.code("setlimit", diskid="HDD_DISK", size=size), 130)
        self.assertEqual(self.settings.rules("HDD_DISK").limit_bytes, 0)
        self.assertEqual(self.audited(), [])

    def test_a_disk_that_cannot_be_read(self) -> None:
        """That is an error of the request: how much is used is not known."""
        (self.folders["HDD_DISK"] / "index.db").write_bytes(b"no database" * 100)
        answer = self.call("getlimit", diskid="HDD_DISK")
        self.assertEqual((answer.tag, answer[0].text), ("GeneralError", "10"))


ERROR = ["GeneralError", "ErrorCode", "ErrorDescription"]
