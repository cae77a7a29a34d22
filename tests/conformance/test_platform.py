"""``systemready.cgi``, ``apidiscovery.cgi``, ``basicdeviceinfo.cgi``: JSON CGIs of any device."""

import itertools
import json
import re
from typing import Any

from tests.conformance.harness import ROLES, ConformanceTestCase

READY = "/axis-cgi/systemready.cgi"
DISCOVERY = "/axis-cgi/apidiscovery.cgi"
INFORMATION = "/axis-cgi/basicdeviceinfo.cgi"
#: Path, a method that anybody may call, the version of the reply's major 1.
APIS = (
    (READY, "systemready"),
    (DISCOVERY, "getApiList"),
    (INFORMATION, "getAllUnrestrictedProperties"),
)
#: The APIs whose errors are those of family A.
FAMILY_A = APIS[1:]


class EnvelopeTests(ConformanceTestCase):
    def code(self, path: str, request: object) -> int:
        """The error code of a reply, which is an integer beside a text."""
        reply = self.post(path, request).json
        self.assertNotIn("data", reply)
        self.assertIsInstance(reply["error"]["message"], str)
        self.assertIs(type(reply["error"]["code"]), int)
        return int(reply["error"]["code"])

    def test_context(self) -> None:
        """The context is echoed unchanged; without one there is none."""
        for path, method in APIS:
            for context in ("abc", "", "ü \u2603 \U0001f4f7", 'a"b\\', "x" * 200):
                request = {"apiVersion": "1.0", "context": context, "method": method}
                self.assertEqual(self.post(path, request).json["context"], context)
            reply = self.post(path, {"apiVersion": "1.0", "method": method}).json
            self.assertNotIn("context", reply)

    def test_version_of_the_reply(self) -> None:
        """The major that was asked for, and our highest minor of it."""
        for path, method in APIS:
            (newest,) = self.ask_json(path, "getSupportedVersions")["data"]["apiVersions"]
            for asked in ("1.0", newest):
                reply = self.ask_json(path, method, version=asked)
                self.assertEqual(reply["apiVersion"], newest)

    def test_versions_as_clients_write_them(self) -> None:
        """A major alone, and a minor that is newer than ours, are taken too."""
        self.ours()
        for (path, method), asked in itertools.product(APIS, ("1", "1.99")):
            self.assertIn("data", self.ask_json(path, method, version=asked), asked)

    def test_get_supported_versions(self) -> None:
        """It needs no version, from nobody, and tells one for each major."""
        for path, _ in APIS:
            some: tuple[dict[str, Any], ...] = ({}, {"apiVersion": "77.7"}, {"params": {}})
            for request in some:
                answer = self.post(path, {"method": "getSupportedVersions", **request}, "")
                self.assertEqual(answer.status, 200)
                versions = answer.json["data"]["apiVersions"]
                self.assertTrue(all(re.fullmatch(r"1\.\d+", v) for v in versions), versions)

    def test_params_may_be_left_out(self) -> None:
        """Absent, null and empty are the same."""
        for path, method in APIS:
            absent: tuple[dict[str, Any], ...] = ({}, {"params": None}, {"params": {}})
            for more in absent:
                request = {"apiVersion": "1.0", "method": method, **more}
                self.assertIn("data", self.post(path, request).json, more)

    def test_content_types(self) -> None:
        """The body is JSON, whatever is said of it."""
        body = json.dumps({"apiVersion": "1.0", "method": "getApiList"}).encode()
        for kind in ("application/json", "application/json; charset=utf-8", "text/plain", "x"):
            headers = {"Content-Type": kind}
            answer = self.ask(DISCOVERY, method="POST", body=body, headers=headers)
            self.assertIn("data", answer.json, kind)

    def test_unknown_members(self) -> None:
        """Members that nobody asked for are passed over."""
        for path, method in APIS:
            request = {"apiVersion": "1.0", "method": method, "params": {"x": [1]}, "y": 2}
            self.assertIn("data", self.post(path, request).json)

    def test_4000_no_json(self) -> None:
        """What is no JSON object."""
        for (path, _), body in itertools.product(
            FAMILY_A, (b"", b"{", b"[]", b"1", b"\xff", b"{}x")
        ):
            answer = self.ask(path, method="POST", body=body)
            self.assertEqual((answer.status, answer.json["error"]["code"]), (200, 4000), body)

    def test_4002_missing_members(self) -> None:
        """Without a method, or without a version."""
        for path, method in FAMILY_A:
            self.assertEqual(self.code(path, {"apiVersion": "1.0"}), 4002)
            self.assertEqual(self.code(path, {"apiVersion": "1.0", "method": 5}), 4002)
            self.assertEqual(self.code(path, {"method": method}), 4002)

    def test_2003_versions_that_are_not_supported(self) -> None:
        """Another major, or what is no version."""
        for path, method in FAMILY_A:
            for version in ("0.1", "2.0", "99.0", "x", ""):
                request = {"apiVersion": version, "method": method}
                self.assertEqual(self.code(path, request), 2003, version)

    def test_2004_unknown_methods(self) -> None:
        """A method that is none; names are told apart by case."""
        for path, method in FAMILY_A:
            for name in ("dance", method.upper(), "", "getapilist"):
                request = {"apiVersion": "1.0", "method": name}
                self.assertEqual(self.code(path, request), 2004, name)

    def test_2002_not_post(self) -> None:
        """GET is answered with an error in JSON that names the method."""
        for path, _ in FAMILY_A:
            answer = self.ask(path)
            self.assertEqual(answer.header("Content-Type").partition(";")[0], "application/json")
            error = answer.json["error"]
            self.assertEqual(error["code"], 2002)
            self.assertIn("'GET'", error["message"])

    def test_1000_in_systemready(self) -> None:
        """Systemready has one code for whatever is wrong with a request."""
        self.assertEqual(self.code(READY, {"apiVersion": "9.0", "method": "systemready"}), 1000)
        self.assertEqual(self.code(READY, {"apiVersion": "1.0", "method": "dance"}), 1000)


class SystemReadyTests(ConformanceTestCase):
    def test_what_it_tells(self) -> None:
        """All values are texts; anybody may ask; it has been set up, so it needs none."""
        for role in ROLES:
            request = {"apiVersion": "1.1", "method": "systemready", "params": {"timeout": 10}}
            reply = self.post(READY, request, role).json
            self.assertEqual(reply["method"], "systemready")
            data = reply["data"]
            self.assertEqual((data["systemready"], data["needsetup"]), ("yes", "no"))
            self.assertTrue(all(isinstance(value, str) for value in data.values()))

    def test_boot_id_and_uptime(self) -> None:
        """The boot id stays while the device runs; the uptime is seconds that do not go down."""
        first, second = (self.ask_json(READY, "systemready")["data"] for _ in range(2))
        self.assertRegex(first["bootid"], r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
        self.assertEqual(first["bootid"], second["bootid"])
        self.assertGreaterEqual(int(second["uptime"]), int(first["uptime"]))


class ApiDiscoveryTests(ConformanceTestCase):
    def found(self, role: str = "admin", **filters: str) -> list[dict[str, str]]:
        reply = self.ask_json(DISCOVERY, "getApiList", filters, role=role)
        found: list[dict[str, str]] = reply["data"]["apiList"]
        return found

    def test_entries(self) -> None:
        """Each entry has its five members, in their form; anybody may read them."""
        for role in ROLES:
            for entry in self.found(role):
                self.assertLessEqual({"id", "version", "name", "docLink"}, set(entry))
                self.assertRegex(entry["id"], r"^[A-Za-z0-9_-]+$")
                self.assertRegex(entry["version"], r"^\d+\.\d+$")
                self.assertTrue(entry["name"])
                states = (None, "released", "official", "beta", "alpha", "deprecated")
                self.assertIn(entry.get("status"), states)

    def test_each_major_once(self) -> None:
        """An id stands there once for each major."""
        seen = [(entry["id"], entry["version"].partition(".")[0]) for entry in self.found()]
        self.assertEqual(len(seen), len(set(seen)))

    def test_what_a_recorder_has(self) -> None:
        """The APIs that are tested here are told, and none that only cameras have."""
        ids = {entry["id"] for entry in self.found()}
        known = {"api-discovery", "basic-device-info", "systemready", "user-management"}
        self.assertLessEqual(known | {"ext-ip-dev-info"}, ids)
        cameras = {"stream-profiles", "view-area", "overlayimage", "guard-tour", "light-control"}
        self.assertFalse(ids & cameras)

    def test_filters(self) -> None:
        """``*`` stands for any run of characters, ``?`` for one; what matches nothing is empty."""
        everything = self.found()
        self.assertEqual(self.found(id="*", version="*"), everything)
        self.assertEqual([e["id"] for e in self.found(id="ext-ip-dev-info")], ["ext-ip-dev-info"])
        self.assertEqual([e["id"] for e in self.found(id="ext-*")], ["ext-ip-dev-info"])
        self.assertEqual([e["id"] for e in self.found(id="systemr??dy")], ["systemready"])
        self.assertEqual(self.found(id="systemr?dy"), [])
        self.assertEqual(self.found(id="nothing"), [])
        version = self.found(id="systemready")[0]["version"]
        self.assertTrue(self.found(id="systemready", version=version))
        self.assertEqual(self.found(id="systemready", version="9.9"), [])

    def test_1000_characters_that_no_id_has(self) -> None:
        """A filter with other characters is an invalid value; one that is no text is missing."""
        self.ours()
        for name, value, code in (
            ("id", "a b", 1000),
            ("id", "[a]", 1000),
            ("version", "1/0", 1000),
            ("id", "", 1000),
            ("id", 5, 4002),
            ("version", ["1.0"], 4002),
        ):
            reply = self.ask_json(DISCOVERY, "getApiList", {name: value})
            self.assertEqual(reply["error"]["code"], code, f"{name}={value!r}")


class BasicDeviceInformationTests(ConformanceTestCase):
    RESTRICTED = frozenset({"Architecture", "Soc", "SocSerialNumber"})
    OPEN = frozenset(
        {
            "Brand",
            "BuildDate",
            "HardwareID",
            "ProdFullName",
            "ProdNbr",
            "ProdShortName",
            "ProdType",
            "ProdVariant",
            "SerialNumber",
            "Version",
            "WebURL",
        }
    )

    def properties(self, method: str, role: str, **params: object) -> dict[str, str]:
        reply = self.ask_json(INFORMATION, method, params, role=role)
        found: dict[str, str] = reply["data"]["propertyList"]
        return found

    def test_all_properties(self) -> None:
        """Operators and administrators get all of them, as texts."""
        for role in ("admin", "operator"):
            found = self.properties("getAllProperties", role)
            self.assertLessEqual(self.OPEN | self.RESTRICTED, set(found))
            self.assertTrue(all(isinstance(value, str) for value in found.values()))

    def test_what_anybody_may_know(self) -> None:
        """Nobody in particular gets all but three, with the values that the others get."""
        everything = self.properties("getAllProperties", "admin")
        for role in ROLES:
            found = self.properties("getAllUnrestrictedProperties", role)
            self.assertFalse(self.RESTRICTED & set(found))
            self.assertEqual(found, {n: v for n, v in everything.items() if n in found})
            self.assertLessEqual(self.OPEN, set(found))

    def test_forms(self) -> None:
        """Serial, build date and version are as clients parse them."""
        found = self.properties("getAllUnrestrictedProperties", "")
        self.assertRegex(found["SerialNumber"], r"^[0-9A-F]{12}$")
        self.assertRegex(found["BuildDate"], r"^[A-Z][a-z]{2} [ \d]\d \d{4} \d\d:\d\d$")
        self.assertRegex(found["Version"], r"^\d+(\.\d+)+$")
        self.assertEqual(found["Brand"], "AXIS")

    def test_some_properties(self) -> None:
        """Those that are named, no others; none for an empty list."""
        for names in (["Brand"], ["SerialNumber", "Soc"], []):
            found = self.properties("getProperties", "operator", propertyList=names)
            self.assertEqual(set(found), set(names))

    def test_1000_unknown_property(self) -> None:
        """A name that is none fails the whole call, and is told."""
        params = {"propertyList": ["Brand", "Colour"]}
        error = self.ask_json(INFORMATION, "getProperties", params)["error"]
        self.assertEqual(error["code"], 1000)
        self.assertIn("Colour", error["message"])

    def test_4002_no_property_list(self) -> None:
        """The list is needed and must be one."""
        wrong: tuple[dict[str, Any], ...] = ({}, {"propertyList": "Brand"}, {"propertyList": None})
        for params in wrong:
            reply = self.ask_json(INFORMATION, "getProperties", params)
            self.assertEqual(reply["error"]["code"], 4002, params)

    def test_roles(self) -> None:
        """Viewers get 403 from what is an operator's, nobody gets 401, both with a page."""
        for method in ("getAllProperties", "getProperties"):
            request: dict[str, Any] = {
                "apiVersion": "1.0",
                "method": method,
                "params": {"propertyList": []},
            }
            for role, status in (("viewer", 403), ("", 401)):
                answer = self.post(INFORMATION, request, role)
                self.assertEqual(answer.status, status, f"{method} as {role}")
                self.assertEqual(answer.header("Content-Type").partition(";")[0], "text/html")

    def test_no_method_in_the_reply(self) -> None:
        """A success does not tell the method again; clients know this API by it."""
        self.ours()
        self.assertNotIn("method", self.ask_json(INFORMATION, "getAllUnrestrictedProperties"))
