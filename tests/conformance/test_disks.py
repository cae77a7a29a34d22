"""``disks/``, ``disks/properties/`` and ``record/storage/``, as far as a disk survives the test."""

import time
from typing import Any
from xml.etree import ElementTree as ET

from tests.conformance.harness import XSI, ConformanceTestCase
from tests.conformance.test_recording_list import ArchiveTestCase

DISKS = "/axis-cgi/disks/"
PROPERTIES = f"{DISKS}properties/"
STORAGE = "/axis-cgi/record/storage/"
SCHEMAS = "http://www.axis.com/vapix/http_cgi/"
NAMESPACE = f"{{{SCHEMAS}disks/properties1}}"
#: A job that takes longer is none that this test began, in seconds.
JOB_SECONDS = 60
STATUSES = (
    "OK",
    "connected",
    "disconnected",
    "failed",
    "no passphrase",
    "wrong passphrase",
    "not encrypted",
)


class DiskManagementTests(ConformanceTestCase):
    def child(self, name: str, schema: str, role: str = "admin", **arguments: Any) -> ET.Element:
        """What stands in the root, which names its schema."""
        root = self.ask_xml(f"{DISKS}{name}.cgi", role, **arguments)
        self.assertEqual(root.tag, "root")
        self.assertEqual(root.get(f"{XSI}noNamespaceSchemaLocation"), f"{SCHEMAS}disk/{schema}.xsd")
        (child,) = root
        return child

    def listed(self, diskid: str) -> list[ET.Element]:
        disks = self.child("list", "list1", "operator", diskid=diskid)
        self.assertEqual(disks.attrib, {"numberofdisks": str(len(disks))})
        return list(disks)

    def done(self, name: str, **arguments: Any) -> ET.Element:
        """Begin a job; what it is told to be at its end."""
        job = self.child(name, "startjob1", diskid=self.device.disk, **arguments)
        self.assertEqual(job.get("result"), "OK", job.attrib)
        self.assertRegex(job.attrib["jobid"], r"^\d+$")
        last, until = -1, time.monotonic() + JOB_SECONDS
        while time.monotonic() < until:
            given = {"jobid": job.attrib["jobid"], "diskid": self.device.disk}
            told = self.child("job", "checkjob1", "operator", **given)
            self.assertEqual(told.get("action"), job.get("action"))
            self.assertGreaterEqual(int(told.attrib["progress"]), last)
            last = int(told.attrib["progress"])
            if last == 100:
                return told
            time.sleep(0.1)
        self.fail("the job does not end")
        raise AssertionError

    def test_roles(self) -> None:
        """Operators look and check, administrators change."""
        for name in ("list", "job", "checkdisk", "getcapabilities", "gethealth"):
            self.assert_roles(f"{DISKS}{name}.cgi", "admin", "operator")
        for name in ("format", "repair", "mount", "lock"):
            self.assert_roles(f"{DISKS}{name}.cgi", "admin")

    def test_list(self) -> None:
        """Each disk has every attribute, with a value out of those that it may have."""
        disks = self.listed("all")
        self.assertIn(self.device.disk, [disk.get("diskid") for disk in disks])
        for disk in disks:
            for name in ("totalsize", "freesize", "cleanuplevel", "cleanupmaxage"):
                self.assertRegex(disk.attrib[name], r"^\d+$")
            for name in ("locked", "full", "readonly"):
                self.assertIn(disk.attrib[name], ("yes", "no"))
            for name in ("diskencryptionenabled", "diskencrypted"):
                self.assertIn(disk.attrib[name], ("true", "false"))
            self.assertIn(disk.attrib["cleanuppolicy"], ("fifo", "none"))
            self.assertIn(disk.attrib["requiredfilesystem"], ("none", "ext4"))
            self.assertIn(disk.attrib["filesystem"], ("ext4", "vfat", "cifs", ""))
            self.assertIn(disk.attrib["status"], STATUSES)
            self.assertRegex(disk.attrib["group"], r"^S\d+$")
            self.assertIn("name", disk.attrib)

    def test_list_some(self) -> None:
        """A comma separated list gives these disks; one that is none is not among them."""
        (disk,) = self.listed(f"{self.device.disk},{self.fresh_id()}")
        self.assertEqual(disk.get("diskid"), self.device.disk)
        self.assertEqual(self.listed(self.fresh_id()), [])

    def test_unmount_check_repair_mount(self) -> None:
        """A check and a repair need an unmounted disk; the list tells what it is."""
        self.ours()
        for name in ("checkdisk", "repair"):
            refused = self.child(name, "startjob1", diskid=self.device.disk)
            self.assertEqual((refused.tag, refused.get("result")), ("job", "ERROR"))
            self.assertTrue(refused.get("description"))
        self.addCleanup(self.done, "mount", action="mount")
        self.assertEqual(self.done("mount", action="unmount").get("result"), "OK")
        self.assertEqual(self.listed(self.device.disk)[0].get("status"), "connected")
        for name in ("checkdisk", "repair"):
            told = self.done(name)
            self.assertEqual((told.get("action"), told.get("result")), (name, "OK"), told.attrib)
        self.assertEqual(self.done("mount", action="mount").get("result"), "OK")
        self.assertEqual(self.listed(self.device.disk)[0].get("status"), "OK")

    def test_lock(self) -> None:
        """A locked disk says so, and cannot be formatted."""
        self.ours()
        lock, disk = {"diskid": self.device.disk}, self.device.disk
        self.addCleanup(self.child, "lock", "lock1", action="unlock", **lock)
        told = self.child("lock", "lock1", action="lock", **lock)
        self.assertEqual((told.tag, told.attrib), ("lock", {"diskid": disk, "result": "OK"}))
        self.assertEqual(self.listed(disk)[0].get("locked"), "yes")
        self.assertEqual(self.child("format", "startjob1", **lock).get("result"), "ERROR")
        told = self.child("lock", "lock1", action="unlock", **lock)
        self.assertEqual((told.tag, told.attrib), ("unlock", {"diskid": disk, "result": "OK"}))
        self.assertEqual(self.listed(disk)[0].get("locked"), "no")

    def test_no_such_job(self) -> None:
        """It has the action N/A."""
        told = self.child("job", "checkjob1", jobid="999999999", diskid=self.device.disk)
        self.assertEqual(told.get("action"), "N/A")

    def test_capabilities(self) -> None:
        """The file systems that a disk may have, one at least."""
        disk = self.child("getcapabilities", "capabilities1", diskid=self.device.disk)
        self.assertEqual(disk.get("diskid"), self.device.disk)
        for name in ("requiredfssupported", "encryptionsupported"):
            self.assertIn(disk.attrib[name], ("true", "false"))
        (systems,) = disk
        self.assertGreaterEqual(len(systems), 1)
        for system in systems:
            self.assertIn(system.attrib["name"], ("ext4", "vfat", "cifs"))
            self.assertIn(system.attrib["requiredfssupported"], ("true", "false"))

    def test_health(self) -> None:
        """A value is negative where it is not known."""
        root = self.ask_xml(f"{DISKS}gethealth.cgi", "operator")
        self.assertEqual(root.tag, "HealthStatusResponse")
        (success,) = root
        self.assertEqual(success.tag, "HealthStatusSuccess")
        for disk in success:
            for name in ("wear", "temperature", "overallhealth"):
                self.assertRegex(disk.get(name, "-1"), r"^(-[123]|\d+)$")

    def test_no_network_shares(self) -> None:
        """A recorder without SMB, and without the parameter CGI, has neither."""
        self.ours()
        for path in (f"{DISKS}networkshare/list.cgi", "/axis-cgi/param.cgi"):
            self.assertEqual(self.ask(path, "admin").status, 404)
            self.assertEqual(self.ask(path, "").status, 401)


class LockedDiskTests(ArchiveTestCase):
    def lock(self, action: str) -> None:
        """Lock the disk, or unlock it."""
        given = {"action": action, "diskid": self.device.disk}
        root = self.ask_xml(f"{DISKS}lock.cgi", "admin", **given)
        self.assertEqual((root[0].tag, root[0].get("result")), (action, "OK"))

    def test_recordings_of_a_locked_disk(self) -> None:
        """Locking ends what runs; it is found, and cannot be removed before it is unlocked."""
        self.ours()
        recording_id = self.begin()
        self.addCleanup(self.lock, "unlock")
        self.lock("lock")
        until = time.monotonic() + JOB_SECONDS
        while not self.ids(recordingid=recording_id):
            self.assertLess(time.monotonic(), until, "it is not found")
            time.sleep(0.05)
        (found,) = self.listed(recordingid=recording_id)
        self.assertTrue(found.get("stoptime"), found.attrib)
        (removed,) = self.removed(recordingid=recording_id)
        self.assertEqual(removed["result"], "ERROR")
        self.lock("unlock")
        self.assertEqual(self.ids(recordingid=recording_id), [recording_id])


class DiskPropertyTests(ConformanceTestCase):
    def code(self, name: str, **arguments: Any) -> int:
        """The error code; 0 for a general success."""
        given = {"schemaversion": 1, **arguments}
        root = self.ask_xml(f"{PROPERTIES}{name}.cgi", "admin", **given)
        self.assertEqual(root.tag, f"{NAMESPACE}DiskPropertiesResponse")
        ((inner,),) = root
        if inner.tag == f"{NAMESPACE}GeneralSuccess":
            return 0
        self.assertEqual(
            (root[0].tag, inner.tag), (f"{NAMESPACE}Error", f"{NAMESPACE}GeneralError")
        )
        self.assertTrue(inner.findtext(f"{NAMESPACE}ErrorDescription"))
        return int(inner.findtext(f"{NAMESPACE}ErrorCode") or "")

    def disk(self) -> ET.Element:
        root = self.ask_xml(f"{DISKS}list.cgi", "operator", diskid=self.device.disk)
        return root[0][0]

    def test_roles(self) -> None:
        """Operators read, administrators set."""
        for name in ("schemaversions", "getdiskalertlevels"):
            self.assert_roles(f"{PROPERTIES}{name}.cgi", "admin", "operator")
        for name in ("setrequiredfs", "setcleanupmaxage", "setcleanuppolicy"):
            self.assert_roles(f"{PROPERTIES}{name}.cgi", "admin")

    def test_clean_up(self) -> None:
        """Max age and policy are what the list then tells."""
        before = dict(self.disk().attrib)
        disk = self.device.disk
        for name, argument in (("maxage", "maxage"), ("policy", "cleanuppolicy")):
            was = {"diskid": disk, argument: before[f"cleanup{name}"]}
            self.addCleanup(self.code, f"setcleanup{name}", **was)
        self.assertEqual(self.code("setcleanupmaxage", diskid=disk, maxage=7000), 0)
        self.assertEqual(self.code("setcleanuppolicy", diskid=disk, cleanuppolicy="none"), 0)
        told = self.disk()
        self.assertEqual((told.get("cleanupmaxage"), told.get("cleanuppolicy")), ("7000", "none"))

    def test_mistakes(self) -> None:
        """A version that is none, a disk that is none, a value that is none."""
        disk = self.device.disk
        self.assertEqual(self.code("setcleanupmaxage", diskid=disk, maxage=1, schemaversion=99), 40)
        self.assertEqual(self.code("setcleanupmaxage", diskid=disk, maxage=7001), 20)
        self.assertEqual(self.code("getdiskalertlevels", diskid=self.fresh_id()), 50)
        self.assertEqual(self.code("setrequiredfs", diskid=disk, filesystem="ntfs"), 30)


class StorageLimitTests(ConformanceTestCase):
    def child(self, name: str, **arguments: Any) -> ET.Element:
        given = {"schemaversion": 1, **arguments}
        root = self.ask_xml(f"{STORAGE}{name}.cgi", "operator", **given)
        self.assertEqual((root.tag, root.get("SchemaVersion")), ("StorageLimitsResponse", "1.0"))
        (child,) = root
        return child

    def limit(self) -> dict[str, str]:
        (limit,) = self.child("getlimit", diskid=self.device.disk)
        return dict(limit.attrib)

    def code(self, name: str, **arguments: Any) -> str | None:
        error = self.child(name, **arguments)
        self.assertEqual(error.tag, "GeneralError")
        return error.findtext("ErrorCode")

    def test_roles(self) -> None:
        """All of it is for operators."""
        for name in ("schemaversions", "getlimit", "setlimit"):
            self.assert_roles(f"{STORAGE}{name}.cgi", "admin", "operator")

    def test_set_and_told(self) -> None:
        """A limit in kB, 1 GB at least; 0 takes it away."""
        before, disk = self.limit(), self.device.disk
        self.assertEqual(list(before), ["diskid", "size", "usedspace"])
        self.addCleanup(self.child, "setlimit", diskid=disk, size=before["size"])
        used = int(before["usedspace"])
        for size in (1048576 + used, 0):
            self.assertEqual(self.child("setlimit", diskid=disk, size=size).tag, "GeneralSuccess")
            self.assertEqual(self.limit()["size"], str(size))

    def test_mistakes(self) -> None:
        """Codes 40, 110, 120 and 130."""
        disk = self.device.disk
        self.assertEqual(self.code("getlimit", schemaversion=99), "40")
        self.assertEqual(self.code("getlimit", diskid=self.fresh_id()), "110")
        self.assertEqual(self.code("setlimit", diskid=disk, size="much"), "120")
        self.assertEqual(self.code("setlimit", diskid=disk, size=1048575), "130")
