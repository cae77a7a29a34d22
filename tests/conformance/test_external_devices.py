"""External IP Device Information 2.1: the nine methods, their arguments and error codes."""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from tests.conformance.harness import XSI, ConformanceTestCase

PATH = "/axis-cgi/externalipdeviceinfo/"
SCHEMA = "http://www.axis.com/vapix/http_cgi/ExternalIpDeviceInfo2.xsd"
TEXTS = {
    40: "Invalid or no id",
    60: "Unsupported schema version",
    70: "Invalid request",
    80: "Processing error",
    90: "No device",
    150: "Device already exists",
    170: "Invalid description",
    180: "Invalid serialnumber",
    190: "Invalid protocol",
    200: "Invalid port",
    210: "Invalid certificate validation",
    220: "Invalid CA certificate",
}
#: Elements of a device, in their order, and the argument of each.
ELEMENTS = {
    "Id": "id",
    "Serialnumber": "serialnumber",
    "Description": "description",
    "Address": "address",
    "Username": "username",
    "Protocol": "protocol",
    "Port": "port",
    "CertificateValidation": "certvalidation",
}
WHOLE = {
    "description": "Gate <north> & more",
    "serialnumber": "00:40:8C:12:34:56",
    "address": "fe80::1",
    "username": "root",
    "password": "secret & long",
    "protocol": "rtspsh",
    "certvalidation": "limited",
    "port": "0",
}


class ExternalDeviceTests(ConformanceTestCase):
    def call(self, name: str, **arguments: Any) -> ET.Element:
        """What stands in the root."""
        root = self.ask_xml(f"{PATH}{name}.cgi", **({"schemaversion": 2} | arguments))
        self.assertEqual((root.tag, root.get("SchemaVersion")), ("DeviceResponse", "2.1"))
        self.assertEqual(root.get(f"{XSI}noNamespaceSchemaLocation"), SCHEMA)
        (child,) = root
        return child

    def code(self, name: str, **arguments: Any) -> int:
        """The error code; 0 for success."""
        child = self.call(name, **arguments)
        if child.tag == "GeneralSuccess":
            self.assertEqual((list(child), child.attrib, child.text), ([], {}, None))
            return 0
        self.assertEqual(child.tag, "GeneralError")
        self.assertEqual([each.tag for each in child], ["ErrorCode", "Description"])
        code = int(child.findtext("ErrorCode") or "0")
        self.assertEqual((child.findtext("Description") or "").rstrip("."), TEXTS[code])
        return code

    def make(self, **arguments: str) -> str:
        """A device that is removed after the test."""
        device_id = self.fresh_id()
        self.assertEqual(self.code("create", id=device_id, **arguments), 0)
        self.addCleanup(self.call, "delete", id=device_id)
        return device_id

    def listed(self, device_id: str) -> dict[str, str] | None:
        """A device as it is listed."""
        for each in self.call("list"):
            if each.findtext("Id") == device_id:
                self.assertEqual([child.tag for child in each], list(ELEMENTS))
                return {child.tag: child.text or "" for child in each}
        return None


class DeviceTests(ExternalDeviceTests):
    def test_roles(self) -> None:
        """Every method is an administrator's."""
        for name in (
            "create",
            "update",
            "delete",
            "list",
            "seteventsenabled",
            "geteventsenabled",
            "setcacertificates",
            "getcacertificates",
            "schemaversions",
        ):
            for role, status in (("operator", 403), ("viewer", 403), ("", 401)):
                answer = self.ask(f"{PATH}{name}.cgi", role, schemaversion=2, id="x")
                self.assertEqual(answer.status, status, f"{name} as {role}")

    def test_create_with_an_id_alone(self) -> None:
        """An id will do; all else has its default."""
        found = self.listed(self.make())
        assert found is not None
        self.assertEqual(found["Protocol"], "rtspt")
        self.assertEqual((found["Port"], found["CertificateValidation"]), ("0", "off"))
        for name in ("Serialnumber", "Description", "Address", "Username"):
            self.assertEqual(found[name], "", name)

    def test_create_whole(self) -> None:
        """Everything but the password is listed as it was given, in the order of the page."""
        device_id = self.make(**WHOLE)
        given = WHOLE | {"id": device_id}
        expected = {name: given[argument] for name, argument in ELEMENTS.items()}
        self.assertEqual(self.listed(device_id), expected)

    def test_no_password_in_any_answer(self) -> None:
        """What a password was given cannot be read again."""
        device_id = self.make(**(WHOLE | {"password": "pa55-uncommon"}))
        for name in ("list", "geteventsenabled", "update"):
            answer = self.ask(f"{PATH}{name}.cgi", schemaversion=2, id=device_id)
            self.assertNotIn("pa55", answer.text)

    def test_every_value(self) -> None:
        """Each protocol, each validation, the first and the last port."""
        for name, values in (
            ("protocol", ("rtspt", "rtsph", "rtspsh")),
            ("certvalidation", ("off", "standard", "limited")),
            ("port", ("0", "1", "65535")),
        ):
            for value in values:
                device_id = self.make(**{name: value})
                found = self.listed(device_id) or {}
                element = next(e for e, argument in ELEMENTS.items() if argument == name)
                self.assertEqual(found[element], value)

    def test_ids(self) -> None:
        """An id is any text: with spaces, signs, other scripts, or one that looks like a path."""
        self.ours()
        for text in ("a b", "ü/☃", "../../etc/passwd", "a&b=c", "<x>", "'\"", "%41", "x" * 128):
            self.assertEqual(self.code("create", id=text), 0, text)
            self.addCleanup(self.call, "delete", id=text)
            self.assertIsNotNone(self.listed(text), text)

    def test_by_post(self) -> None:
        """Arguments may be in a form."""
        device_id = self.fresh_id()
        self.addCleanup(self.call, "delete", id=device_id)
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        body = f"schemaversion=2&id={device_id}&description=a+b".encode()
        answer = self.ask(f"{PATH}create.cgi", method="POST", body=body, headers=headers)
        self.assertEqual([child.tag for child in answer.xml], ["GeneralSuccess"])
        self.assertEqual((self.listed(device_id) or {})["Description"], "a b")

    def test_update(self) -> None:
        """What is sent changes, what is empty is emptied, what is not sent stays."""
        device_id = self.make(**WHOLE)
        self.assertEqual(self.code("update", id=device_id, description="other"), 0)
        found = self.listed(device_id) or {}
        self.assertEqual((found["Description"], found["Address"]), ("other", "fe80::1"))
        self.ours()
        emptied = {"description": "", "serialnumber": "", "port": "", "protocol": ""}
        self.assertEqual(self.code("update", id=device_id, **emptied), 0)
        found = self.listed(device_id) or {}
        self.assertEqual((found["Description"], found["Serialnumber"]), ("", ""))
        self.assertEqual((found["Port"], found["Protocol"]), ("0", "rtspt"))

    def test_delete(self) -> None:
        """A device that was deleted is not listed, and its id is free again."""
        device_id = self.make()
        self.assertEqual(self.code("delete", id=device_id), 0)
        self.assertIsNone(self.listed(device_id))
        self.assertEqual(self.code("delete", id=device_id), 90)
        self.assertEqual(self.code("create", id=device_id), 0)

    def test_40_no_id(self) -> None:
        """Without an id, or with one that is empty or none."""
        for name in ("create", "update", "delete", "seteventsenabled", "geteventsenabled"):
            self.assertEqual(self.code(name), 40, name)
            self.assertEqual(self.code(name, id=""), 40, name)
        self.ours()
        for text in ("a\nb", "\0", "x" * 129):
            self.assertEqual(self.code("create", id=text), 40, repr(text))

    def test_60_schema_versions(self) -> None:
        """Another major, or what is no number; the minor does not count."""
        for version in ("1", "3", "99"):
            self.assertEqual(self.code("list", schemaversion=version), 60, version)
        self.ours()
        for version in ("", "x", "2x", "-2", "2.1.1"):
            self.assertEqual(self.code("list", schemaversion=version), 60, version)
        for version in ("2.0", "2.1", "2.x"):
            self.assertEqual(self.call("list", schemaversion=version).tag, "ListDevicesSuccess")

    def test_60_before_all_else(self) -> None:
        """With a wrong version nothing is done."""
        device_id = self.fresh_id()
        self.assertEqual(self.code("create", schemaversion=3, id=device_id), 60)
        self.assertIsNone(self.listed(device_id))

    def test_70_and_80_an_address_without_an_account(self) -> None:
        """User and password are needed with an address: 70 from create, 80 from update."""
        self.ours()
        for more in ({}, {"username": "root"}, {"password": "x"}):
            device_id = self.fresh_id()
            self.assertEqual(self.code("create", id=device_id, address="10.0.0.1", **more), 70)
            self.assertIsNone(self.listed(device_id))
        device_id = self.make()
        self.assertEqual(self.code("update", id=device_id, address="10.0.0.1"), 80)
        self.assertEqual((self.listed(device_id) or {})["Address"], "")

    def test_90_no_device(self) -> None:
        """An id that nothing has."""
        absent = self.fresh_id()
        for name in ("update", "delete", "geteventsenabled"):
            self.assertEqual(self.code(name, id=absent), 90, name)
        self.assertEqual(self.code("seteventsenabled", id=absent, enabled="yes"), 90)

    def test_150_device_exists(self) -> None:
        """A second device of an id is not made, and the first stays as it is."""
        device_id = self.make(description="first")
        self.assertEqual(self.code("create", id=device_id, description="second"), 150)
        self.assertEqual((self.listed(device_id) or {})["Description"], "first")

    def test_wrong_values(self) -> None:
        """Each argument has its code, from create and from update; nothing changes."""
        device_id = self.make(**WHOLE)
        before = self.listed(device_id)
        for name, values, code in (
            ("protocol", ("http", "RTSPT", "rtspu", " rtspt"), 190),
            ("port", ("65536", "-1", "x", "1.5", "٣", "1" * 30), 200),
            ("certvalidation", ("yes", "OFF"), 210),
        ):
            for value in values:
                wrong = {name: value}
                fresh = self.fresh_id()
                self.assertEqual(self.code("create", id=fresh, **wrong), code, value)
                self.assertIsNone(self.listed(fresh))
                self.assertEqual(self.code("update", id=device_id, **wrong), code, value)
        self.ours()
        for name, code in (("description", 170), ("serialnumber", 180)):
            for value in ("x" * 513, "a\0b", "a\x1bb"):
                self.assertEqual(self.code("update", id=device_id, **{name: value}), code)
        self.assertEqual(self.listed(device_id), before)


class EventTests(ExternalDeviceTests):
    def enabled(self, device_id: str) -> str:
        child = self.call("geteventsenabled", id=device_id)
        self.assertEqual(child.tag, "GetEventsEnabledSuccess")
        self.assertEqual([each.tag for each in child], ["Id", "EventsEnabled"])
        self.assertEqual(child.findtext("Id"), device_id)
        return child.findtext("EventsEnabled") or ""

    def test_all_spellings(self) -> None:
        """On and off in each of their three spellings; off to begin with."""
        device_id = self.make()
        self.assertEqual(self.enabled(device_id), "NO")
        for on, off in (("YES", "NO"), ("yes", "no"), ("enabled", "disabled")):
            self.assertEqual(self.code("seteventsenabled", id=device_id, enabled=on), 0)
            self.assertEqual(self.enabled(device_id), "YES")
            self.assertEqual(self.code("seteventsenabled", id=device_id, enabled=off), 0)
            self.assertEqual(self.enabled(device_id), "NO")

    def test_70_what_is_neither(self) -> None:
        """Any other word, or none, changes nothing."""
        device_id = self.make()
        self.code("seteventsenabled", id=device_id, enabled="yes")
        self.assertEqual(self.code("seteventsenabled", id=device_id), 70)
        for word in ("", "Yes", "1", "true", "off"):
            self.assertEqual(self.code("seteventsenabled", id=device_id, enabled=word), 70, word)
        self.assertEqual(self.enabled(device_id), "YES")


class CaCertificateTests(ExternalDeviceTests):
    def chosen(self) -> list[str]:
        child = self.call("getcacertificates")
        self.assertEqual(child.tag, "GetCACertificatesSuccess")
        for each in child:
            self.assertEqual((each.tag, [e.tag for e in each]), ("CACertificate", ["Id"]))
        return [each.findtext("Id") or "" for each in child]

    def install(self, *names: str) -> None:
        """Lay a certificate where the recorder finds it."""
        state = self.ours().state
        pem = (state / "https.pem").read_text()
        for name in names:
            path = Path(state) / "ca" / f"{name}.pem"
            path.parent.mkdir(exist_ok=True)
            path.write_text(pem[pem.index("-----BEGIN CERT") :])
            self.addCleanup(path.unlink)

    def test_the_list_is_replaced(self) -> None:
        """What is named is trusted and no others; an empty list, or none, clears it."""
        self.install("ca-1", "ca-2")
        self.addCleanup(self.code, "setcacertificates")
        for given, expected in (
            ("ca-1", ["ca-1"]),
            ("ca-2,ca-1", ["ca-2", "ca-1"]),
            ("ca-2", ["ca-2"]),
            ("", []),
        ):
            self.assertEqual(self.code("setcacertificates", certids=given), 0)
            self.assertEqual(self.chosen(), expected)
        self.assertEqual(self.code("setcacertificates", certids="ca-1"), 0)
        self.assertEqual(self.code("setcacertificates"), 0)
        self.assertEqual(self.chosen(), [])

    def test_220_no_certificate(self) -> None:
        """A name that is none changes nothing, wherever in the list it stands."""
        before = self.chosen()
        self.assertEqual(self.code("setcacertificates", certids=self.fresh_id()), 220)
        self.install("ca-1")
        for names in ("ca-1,absent", "absent,ca-1", "../https", "../../etc/passwd", "ca-1\0"):
            self.assertEqual(self.code("setcacertificates", certids=names), 220, names)
        self.assertEqual(self.chosen(), before)


class SchemaVersionTests(ExternalDeviceTests):
    def test_versions(self) -> None:
        """The newest minor of the major is told, without a word on deprecation."""
        for arguments in ({}, {"schemaversion": "99"}):
            root = self.ask_xml(f"{PATH}schemaversions.cgi", **arguments)
            (child,) = root
            self.assertEqual(child.tag, "SchemaVersionsSuccess")
            for each in child:
                self.assertEqual([e.tag for e in each], ["VersionNumber"])
            numbers = [each.findtext("VersionNumber") for each in child]
            self.assertIn("2.1", numbers)
