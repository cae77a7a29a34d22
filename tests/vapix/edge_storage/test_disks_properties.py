"""``disks/properties/``: clean-up, encryption, alert levels; codes for every mistake."""

from typing import Any
from xml.etree import ElementTree as ET

from twisted.internet.defer import Deferred

from axis_nvr.services.disk_jobs import Action
from axis_nvr.vapix.edge_storage.disks_properties import TEXTS, DiskPropertyCgis
from tests.vapix.edge_storage.disk_serving import DiskServingTestCase

PATH = "/axis-cgi/disks/properties/"
NAMESPACE = "http://www.axis.com/vapix/http_cgi/disks/properties1"
SECRET = "hush"
XSI = "{http://www.w3.org/2001/XMLSchema-instance}"


class PropertiesTestCase(DiskServingTestCase):
    def endpoints(self) -> tuple[Any, ...]:
        return DiskPropertyCgis(self.disks, self.house.audit).endpoints()

    def answer(self, name: str, user: str = "ann", **arguments: str) -> ET.Element:
        """What stands in the root: Success or Error."""
        arguments = {"schemaversion": "1", **arguments}
        root = self.root(f"{PATH}{name}.cgi", user, **arguments)
        self.assertEqual(root.tag, f"{{{NAMESPACE}}}DiskPropertiesResponse")
        self.assertEqual(root.get("SchemaVersion"), "1.1")
        schema = "http://www.axis.com/vapix/http_cgi/disks/properties/disk_properties1.xsd"
        self.assertEqual(root.get(f"{XSI}schemaLocation"), f"{NAMESPACE} {schema}")
        (child,) = root
        return child

    def call(self, name: str, user: str = "ann", **arguments: str) -> int:
        """The error code; 0 for a general success."""
        child = self.answer(name, user, **arguments)
        ((inner,), kind) = child, child.tag.removeprefix(f"{{{NAMESPACE}}}")
        if kind == "Success":
            self.assertEqual((inner.tag, len(inner)), (f"{{{NAMESPACE}}}GeneralSuccess", 0))
            return 0
        self.assertEqual((kind, inner.tag), ("Error", f"{{{NAMESPACE}}}GeneralError"))
        code, words = inner
        self.assertEqual(code.tag, f"{{{NAMESPACE}}}ErrorCode")
        self.assertEqual(words.tag, f"{{{NAMESPACE}}}ErrorDescription")
        self.assertTrue(words.text)
        self.assertIn(int(code.text or ""), TEXTS)
        return int(code.text or "")

    def unchanged(self) -> None:
        """Nothing was set."""
        for disk_id in self.disks.ids:
            self.assertEqual(self.settings.config(disk_id), self.configs[disk_id])


class CleanupTests(PropertiesTestCase):
    def test_roles(self) -> None:
        """Operators read, administrators write."""
        for name, least in (
            ("schemaversions", "otto"),
            ("getdiskalertlevels", "otto"),
            ("setrequiredfs", "ann"),
            ("enablediskencryption", "ann"),
            ("disablediskencryption", "ann"),
            ("changediskpassphrase", "ann"),
            ("setcleanupmaxage", "ann"),
            ("setcleanuppolicy", "ann"),
            ("setdiskalertlevels", "ann"),
        ):
            self.assert_roles(**{f"{PATH}{name}.cgi": least})

    def test_schema_versions(self) -> None:
        """They are told without a version being named, and others than 1 are not supported."""
        root = self.root(f"{PATH}schemaversions.cgi", "otto")
        ((success,),) = root
        versions = [[child.text for child in version] for version in success]
        self.assertEqual(versions, [["1.0", "false"], ["1.1", "false"]])
        for version, code in (("1", 0), ("1.0", 0), ("1.x", 0), ("2", 40), ("", 40), ("one", 40)):
            given = {"schemaversion": version, "diskid": "HDD_DISK", "maxage": "5"}
            self.assertEqual(self.call("setcleanupmaxage", **given), code, version)

    def test_max_age(self) -> None:
        """It counts at once, and after a restart; who cleans up is told."""
        for days in ("0", "1", "7000"):
            self.assertEqual(self.call("setcleanupmaxage", diskid="HDD_DISK", maxage=days), 0)
            self.assertEqual(self.settings.rules("HDD_DISK").max_age_days, int(days))
        self.assertEqual(self.made["HDD_DISK"].woken, ["retention"] * 3)
        self.restart()
        self.assertEqual(self.settings.config("HDD_DISK").max_age_days, 7000)
        self.assertEqual(self.settings.config("SD_DISK").max_age_days, 0)

    def test_policy(self) -> None:
        """With none nothing is removed any more."""
        for policy in ("none", "fifo", "none"):
            answered = self.call("setcleanuppolicy", diskid="HDD_DISK", cleanuppolicy=policy)
            self.assertEqual(answered, 0)
            self.assertIs(self.settings.rules("HDD_DISK").is_automatic, policy == "fifo")
        self.assertEqual(self.audited()[-1], "change disk HDD_DISK: cleanuppolicy none: ok")

    def test_mistakes(self) -> None:
        """Each has its code, and changes nothing."""
        for name, arguments, code in (
            ("setcleanupmaxage", {"diskid": "USB_DISK", "maxage": "1"}, 50),
            ("setcleanupmaxage", {"diskid": "../x", "maxage": "1"}, 50),
            ("setcleanupmaxage", {"diskid": "all", "maxage": "1"}, 50),
            ("setcleanupmaxage", {"maxage": "1"}, 20),
            ("setcleanupmaxage", {"diskid": "", "maxage": "1"}, 20),
            ("setcleanupmaxage", {"diskid": "HDD_DISK"}, 20),
            *(
                ("setcleanupmaxage", {"diskid": "HDD_DISK", "maxage": age}, 20)
                for age in ("", "-1", "7001", "1.5", "one", "9" * 5000, "\u0663", " ")
            ),
            ("setcleanuppolicy", {"diskid": "USB_DISK", "cleanuppolicy": "none"}, 50),
            ("setcleanuppolicy", {"diskid": "HDD_DISK"}, 20),
            ("setcleanuppolicy", {"diskid": "HDD_DISK", "cleanuppolicy": "lifo"}, 20),
            ("setcleanuppolicy", {"diskid": "HDD_DISK", "cleanuppolicy": "FIFO"}, 20),
            ("setdiskalertlevels", {"diskid": "HDD_DISK", "wear": "1"}, 20),
            ("setdiskalertlevels", {"diskid": "HDD_DISK", "temperature": "1"}, 20),
            ("setdiskalertlevels", {"diskid": "HDD_DISK", "wear": "-1", "temperature": "1"}, 20),
            ("setdiskalertlevels", {"diskid": "USB_DISK", "wear": "1", "temperature": "1"}, 50),
            ("getdiskalertlevels", {}, 20),
            ("getdiskalertlevels", {"diskid": "USB_DISK"}, 50),
            ("setrequiredfs", {}, 20),
            ("setrequiredfs", {"diskid": "HDD_DISK"}, 20),
            ("setrequiredfs", {"diskid": "USB_DISK", "filesystem": "none"}, 20),
            ("setrequiredfs", {"diskid": "HDD_DISK", "filesystem": "ext4"}, 30),
            ("setrequiredfs", {"diskid": "HDD_DISK", "filesystem": "ntfs"}, 30),
        ):
            assert isinstance(arguments, dict)
            self.assertEqual(self.call(str(name), **arguments), code, (name, arguments))
        self.unchanged()
        self.assertEqual(self.audited(), [])

    def test_required_file_system(self) -> None:
        """That none is required is so; another wish cannot be met."""
        self.assertEqual(self.call("setrequiredfs", diskid="HDD_DISK", filesystem="none"), 0)

    def test_alert_levels(self) -> None:
        """They are told as they were set, and kept."""
        self.assertEqual(self.levels(), ("100", "343"))
        given = {"diskid": "HDD_DISK", "wear": "50", "temperature": "360"}
        self.assertEqual(self.call("setdiskalertlevels", **given), 0)
        self.restart()
        self.assertEqual(self.levels(), ("50", "360"))

    def levels(self) -> tuple[str | None, str | None]:
        success = self.answer("getdiskalertlevels", "otto", diskid="HDD_DISK")
        ((levels,),) = success
        self.assertEqual(levels.tag, f"{{{NAMESPACE}}}AlertLevels")
        return levels.get("Wear"), levels.get("Temperature")

    def test_not_kept(self) -> None:
        """What could not be kept is an error, and has not changed."""
        answered = self.disks.change("HDD_DISK", max_age_days=1)
        self.house.database.close()
        self.failureResultOf(Deferred.fromCoroutine(answered))
        self.unchanged()


class EncryptionTests(PropertiesTestCase):
    def enable(self, passphrase: str = SECRET, diskid: str = "SD_DISK") -> int:
        return self.call("enablediskencryption", diskid=diskid, passphrase=passphrase)

    def disable(self, diskid: str = "SD_DISK") -> int:
        return self.call("disablediskencryption", diskid=diskid)

    def change(self, new: str, old: str, diskid: str = "SD_DISK") -> int:
        more = {"newpassphrase": new, "oldpassphrase": old}
        return self.call("changediskpassphrase", diskid=diskid, **more)

    def status(self) -> str:
        view = self.successResultOf(Deferred.fromCoroutine(self.disks.view("SD_DISK")))
        return f"{view.status}, {view.encryption_enabled}, {view.is_encrypted}"

    def encrypt(self) -> None:
        """Take the way of the page: unmount, enable, format, mount."""
        self.mount("unmount", "SD_DISK")
        self.assertEqual(self.enable(), 0)
        job = self.disks.begin(Action.FORMAT, "SD_DISK")
        self.assertEqual(job.description, "encrypted and empty")

    def test_the_way_there(self) -> None:
        """Unmounted, enabled, formatted, mounted: each step shows in the list."""
        self.assertEqual(self.status(), "OK, False, False")
        self.encrypt()
        self.assertEqual(self.luks.done, ["format", "open", "mkfs", "close"])
        self.assertEqual(self.luks.passphrase, b"hush")
        self.assertEqual(self.status(), "connected, True, True")
        self.mounted_luks.add("c0ffee")
        self.mount("mount", "SD_DISK")
        self.assertEqual(self.status(), "OK, True, True")
        self.assertNotIn("hush", " ".join(self.audited()))

    def test_not_formatted(self) -> None:
        """A disk that is to be encrypted and is not is not used."""
        self.mount("unmount", "SD_DISK")
        self.enable()
        job = self.disks.begin(Action.MOUNT, "SD_DISK")
        self.assertTrue(job.has_failed)
        self.assertEqual(self.status(), "not encrypted, True, False")
        self.restart()
        self.assertEqual(self.status(), "not encrypted, True, False")
        self.assertNotIn("SD_DISK started", self.log[2:])

    def test_disabled(self) -> None:
        """A disk that is encrypted and not to be is not used."""
        self.encrypt()
        self.assertEqual((self.disable(), self.disable()), (0, 0))
        self.assertEqual(self.settings.of("SD_DISK").passphrase, "")
        self.disks.begin(Action.MOUNT, "SD_DISK")
        self.assertEqual(self.status(), "no passphrase, False, True")

    def test_formatted_while_it_is_open(self) -> None:
        """What is in it goes; the device stays an encrypted one with the same key."""
        self.encrypt()
        self.mounted_luks.add("c0ffee")
        self.mount("mount", "SD_DISK")
        self.luks.done.clear()
        job = self.disks.begin(Action.FORMAT, "SD_DISK")
        self.assertEqual((job.has_failed, job.description), (False, "0 files removed"))
        self.assertEqual(self.luks.done, [])

    def test_wrong_passphrase(self) -> None:
        """A disk of another passphrase is not used; formatting is what helps."""
        self.encrypt()
        self.luks.passphrase = b"another"
        self.disks.begin(Action.MOUNT, "SD_DISK")
        self.assertEqual(self.status(), "wrong passphrase, True, True")
        job = self.disks.begin(Action.FORMAT, "SD_DISK")
        self.assertEqual(self.luks.passphrase, b"hush", job.description)

    def test_enabling(self) -> None:
        """Only an unmounted disk that has a device, once, with something that is a passphrase."""
        self.assertEqual(self.enable(), 160)
        self.assertEqual(self.disable(), 160)
        self.assertEqual(self.enable(diskid="HDD_DISK"), 100)
        self.assertEqual(self.disable(diskid="HDD_DISK"), 100)
        self.assertEqual((self.enable(diskid="USB_DISK"), self.disable("USB_DISK")), (50, 50))
        self.assertEqual(self.call("enablediskencryption", diskid="SD_DISK"), 20)
        self.assertEqual(self.call("enablediskencryption", passphrase="x"), 20)
        self.assertEqual(self.call("disablediskencryption"), 20)
        self.mount("unmount", "SD_DISK")
        for passphrase in ("", "x" * 513, "å" * 257, "two\nlines", "nul\0"):
            self.assertEqual(self.enable(passphrase), 110, passphrase)
        self.unchanged()
        self.assertEqual(self.enable("å" * 256), 0)
        self.assertEqual(self.enable("again"), 140)
        self.assertEqual(self.settings.of("SD_DISK").passphrase, "å" * 256)

    def test_not_while_it_is_worked_on(self) -> None:
        """What is being done with the disk comes first."""
        self.made["SD_DISK"].stopping = stopping = Deferred[None]()
        self.disks.begin(Action.UNMOUNT, "SD_DISK")
        self.assertEqual((self.enable(), self.disable(), self.change("a", "b")), (10, 10, 10))
        stopping.callback(None)
        self.unchanged()

    def test_another_passphrase(self) -> None:
        """It opens the disk from now on; the disk must be mounted, and the old one be right."""
        self.assertEqual(self.change("new", "hush"), 150)
        self.encrypt()
        self.assertEqual(self.change("new", "hush"), 150)
        self.mounted_luks.add("c0ffee")
        self.mount("mount", "SD_DISK")
        for new, old, code in (
            ("new", "wrong", 130),
            ("new", "", 130),
            ("new", "x" * 513, 130),
            ("", "hush", 120),
            ("x" * 513, "hush", 120),
            ("two\nlines", "hush", 120),
        ):
            self.assertEqual(self.change(new, old), code, (new, old))
        self.assertEqual(self.luks.passphrase, b"hush")
        self.assertEqual(self.change("new", "hush"), 0)
        self.assertEqual(self.luks.passphrase, b"new")
        self.assertEqual(self.settings.of("SD_DISK").passphrase, "new")
        self.assertEqual(self.change("a", "b", "HDD_DISK"), 100)
        self.assertEqual(self.change("a", "b", "USB_DISK"), 50)
        self.assertEqual(self.call("changediskpassphrase", diskid="SD_DISK"), 20)

    def test_a_passphrase_that_cannot_be_kept(self) -> None:
        """Then the old one still opens the disk."""
        self.encrypt()
        self.mounted_luks.add("c0ffee")
        self.mount("mount", "SD_DISK")
        self.house.database.close()
        changing = self.disks.change_passphrase("SD_DISK", "hush", "new")
        self.failureResultOf(Deferred.fromCoroutine(changing))
        self.assertEqual(self.luks.passphrase, b"hush")
