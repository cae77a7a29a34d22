"""External IP Device Information 2.1: every method, argument and error code."""

from urllib.parse import urlencode
from xml.etree import ElementTree as ET

from axis_nvr.config import CameraConfig
from axis_nvr.services.ca_certificates import CaCertificates
from axis_nvr.services.certificate import own_certificate
from axis_nvr.services.devices import Devices
from axis_nvr.services.vault import Vault
from axis_nvr.vapix.external_devices import ExternalDevices
from tests.vapix.serving import ServingTestCase

PATH = "/axis-cgi/externalipdeviceinfo/"
METHODS = [
    "create",
    "update",
    "delete",
    "list",
    "seteventsenabled",
    "geteventsenabled",
    "setcacertificates",
    "getcacertificates",
    "schemaversions",
]
WHOLE = {
    "id": "cam-1",
    "description": "Gate <north> & more",
    "serialnumber": "00:40:8C:12:34:56",
    "address": "fe80::1",
    "username": "root",
    "password": "geheim",
    "protocol": "rtspsh",
    "certvalidation": "limited",
    "port": "0",
}


class ExternalDevicesTests(ServingTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.house.set_up()
        self.cameras: dict[str, CameraConfig | None] = {}
        folder = self.house.state.path / "ca"
        folder.mkdir()
        pem = own_certificate(self.house.state, "ACCC8E012345", ["localhost"]).read_bytes()
        for name in ("ca1", "ca2"):
            (folder / f"{name}.pem").write_bytes(pem[pem.index(b"-----BEGIN CERT") :])
        (folder / "broken.pem").write_bytes(b"no certificate")
        self.certificates = CaCertificates(self.house.database, folder)
        vault = Vault(self.house.state)
        devices = Devices(
            self.house.database, vault, [], self.cameras.__setitem__, self.certificates.bundle
        )
        self.serve(*ExternalDevices(devices, self.certificates, self.house.audit).endpoints())

    def call(self, method: str, user: str = "ann", **arguments: str) -> ET.Element:
        """The element in the root."""
        query = urlencode({"schemaversion": "2", **arguments})
        answered = self.ask(f"{PATH}{method}.cgi?{query}", user)
        self.assertEqual(answered.status, 200)
        self.assertEqual(answered.header("Content-Type"), "text/xml; charset=utf-8")
        root = ET.fromstring(answered.body)
        self.assertEqual((root.tag, root.get("SchemaVersion")), ("DeviceResponse", "2.1"))
        (child,) = root
        return child

    def code(self, method: str, **arguments: str) -> int:
        """The error code of a call, 0 for success."""
        child = self.call(method, **arguments)
        if child.tag != "GeneralError":
            return 0
        self.assertEqual([e.tag for e in child], ["ErrorCode", "Description"])
        self.assertTrue(child.findtext("Description"))
        return int(child.findtext("ErrorCode") or 0)

    def test_only_administrators(self) -> None:
        """Every method is closed to operators and viewers."""
        for method in METHODS:
            for user in ("otto", "vera"):
                self.assertEqual(self.ask(f"{PATH}{method}.cgi", user).status, 403)

    def test_a_whole_device(self) -> None:
        """What was created is listed in the order of the specification, without password."""
        self.assertEqual(self.call("create", **WHOLE).tag, "GeneralSuccess")
        listed = self.call("list")
        self.assertEqual(listed.tag, "ListDevicesSuccess")
        (device,) = listed
        self.assertEqual(
            [(e.tag, e.text) for e in device],
            [
                ("Id", "cam-1"),
                ("Serialnumber", "00:40:8C:12:34:56"),
                ("Description", "Gate <north> & more"),
                ("Address", "fe80::1"),
                ("Username", "root"),
                ("Protocol", "rtspsh"),
                ("Port", "0"),
                ("CertificateValidation", "limited"),
            ],
        )
        self.assertIn("cam-1", self.cameras)

    def test_an_id_alone(self) -> None:
        """The rest has its defaults."""
        self.assertEqual(self.code("create", id="x"), 0)
        (device,) = self.call("list")
        self.assertEqual(device.findtext("Protocol"), "rtspt")
        self.assertEqual(device.findtext("CertificateValidation"), "off")
        self.assertIsNone(self.cameras["x"])

    def test_update(self) -> None:
        """Only what is sent changes; what is sent empty is emptied."""
        self.call("create", **WHOLE)
        self.assertEqual(self.code("update", id="cam-1", description="", port="8080"), 0)
        (device,) = self.call("list")
        self.assertEqual(device.findtext("Description"), "")
        self.assertEqual(device.findtext("Port"), "8080")
        self.assertEqual(device.findtext("Username"), "root")
        self.assertEqual(self.code("update", id="cam-1", address="", protocol=""), 0)
        (device,) = self.call("list")
        self.assertEqual(device.findtext("Protocol"), "rtspt")

    def test_errors(self) -> None:
        """Each wrong argument has its code, and changes nothing."""
        self.call("create", **WHOLE)
        before = ET.tostring(self.call("list"))
        new = {**WHOLE, "id": "new"}
        for method, arguments, code in (
            ("create", {}, 40),
            ("create", {"id": ""}, 40),
            ("create", {"id": "x" * 129}, 40),
            ("create", {"id": "a\nb"}, 40),
            ("create", WHOLE, 150),
            ("create", {**new, "password": ""}, 70),
            ("create", {"id": "new", "address": "10.0.0.1"}, 70),
            ("create", {**new, "address": "a b"}, 70),
            ("create", {**new, "description": "x" * 513}, 170),
            ("create", {**new, "serialnumber": "a\x00b"}, 180),
            ("create", {**new, "protocol": "rtsp"}, 190),
            ("create", {**new, "port": "65536"}, 200),
            ("create", {**new, "port": "-1"}, 200),
            ("create", {**new, "port": "8 0"}, 200),
            ("create", {**new, "certvalidation": "on"}, 210),
            ("update", {}, 40),
            ("update", {"id": "none"}, 90),
            ("update", {"id": "cam-1", "username": ""}, 80),
            ("update", {"id": "cam-1", "port": "x"}, 200),
            ("update", {"id": "cam-1", "protocol": "x"}, 190),
            ("delete", {}, 40),
            ("delete", {"id": "none"}, 90),
            ("seteventsenabled", {"enabled": "yes"}, 40),
            ("seteventsenabled", {"id": "none", "enabled": "yes"}, 90),
            ("seteventsenabled", {"id": "cam-1"}, 70),
            ("seteventsenabled", {"id": "cam-1", "enabled": "true"}, 70),
            ("geteventsenabled", {}, 40),
            ("geteventsenabled", {"id": "none"}, 90),
            ("setcacertificates", {"certids": "ca1,unknown"}, 220),
            ("setcacertificates", {"certids": "broken"}, 220),
            ("setcacertificates", {"certids": "../ca1"}, 220),
            ("setcacertificates", {"certids": ",".join(["ca1"] * 101)}, 220),
        ):
            self.assertEqual(self.code(method, **arguments), code, (method, arguments))
        self.assertEqual(ET.tostring(self.call("list")), before)

    def test_schema_versions(self) -> None:
        """Another major has code 60; no version, or any minor of ours, will do."""
        for version in ("1", "3", "x", ""):
            self.assertEqual(self.code("list", schemaversion=version), 60, version)
        for version in ("2", "2.0", "2.1", "2.x"):
            self.assertEqual(self.code("list", schemaversion=version), 0)
        answered = self.ask(f"{PATH}list.cgi", "ann")
        self.assertIn("ListDevicesSuccess", answered.text)
        listed = self.call("schemaversions", schemaversion="9")
        self.assertEqual(
            [[(e.tag, e.text) for e in version] for version in listed],
            [[("VersionNumber", "2.0")], [("VersionNumber", "2.1")]],
        )

    def test_events(self) -> None:
        """On and off in all the words that clients use; told in upper case."""
        self.call("create", id="x")
        for word, told in (
            ("yes", "YES"),
            ("no", "NO"),
            ("enabled", "YES"),
            ("disabled", "NO"),
            ("YES", "YES"),
            ("NO", "NO"),
        ):
            self.assertEqual(self.code("seteventsenabled", id="x", enabled=word), 0)
            reply = self.call("geteventsenabled", id="x")
            self.assertEqual(
                [(e.tag, e.text) for e in reply], [("Id", "x"), ("EventsEnabled", told)]
            )

    def test_ca_certificates(self) -> None:
        """The list replaces the one before, also for streams; none, or an empty one, clears it."""
        self.call("create", **WHOLE)
        self.assertEqual(self.code("setcacertificates", certids="ca1, ca2"), 0)
        reply = self.call("getcacertificates")
        self.assertEqual([e.findtext("Id") for e in reply], ["ca1", "ca2"])
        camera = self.cameras["cam-1"]
        assert camera is not None
        self.assertEqual(camera.ca.count(b"BEGIN CERTIFICATE"), 2)
        again = CaCertificates(self.house.database, self.house.state.path / "ca")
        self.assertEqual(again.chosen, ("ca1", "ca2"))
        self.assertEqual(again.bundle().count(b"BEGIN CERTIFICATE"), 2)
        (self.house.state.path / "ca" / "ca1.pem").unlink()
        self.assertEqual(again.bundle().count(b"BEGIN CERTIFICATE"), 1)
        self.assertEqual(self.code("setcacertificates"), 0)
        self.assertEqual(list(self.call("getcacertificates")), [])

    def test_audit(self) -> None:
        """Who created and deleted what is known afterwards."""
        self.call("create", **WHOLE)
        self.call("delete", id="cam-1")
        entries = self.successResultOf(self.house.audit.newest(9))
        self.assertEqual(
            [(e.account, e.action, e.target) for e in entries],
            [("ann", "delete", "device cam-1"), ("ann", "create", "device cam-1")],
        )
