"""The device configuration family: ``/config/discover``, ``/config/rest``, its first API."""

import json
import re
from typing import Any

from tests.conformance.client import Answer
from tests.conformance.harness import ConformanceTestCase

DISCOVER = "/config/discover"
REST = "/config/rest"
API = f"{REST}/basic-device-info/v2beta"
#: Members that a version object may have.
MEMBERS = {"doc", "doc_html", "model", "rest_api", "rest_openapi", "rest_ui", "state", "version"}


class RestTestCase(ConformanceTestCase):
    def get(self, path: str, role: str = "viewer") -> Any:
        """A JSON document."""
        answer = self.ask(path, role)
        self.assertEqual(answer.status, 200, path)
        self.assertEqual(answer.header("Content-Type").partition(";")[0], "application/json")
        return answer.json

    def error(self, answer: Answer) -> int:
        """The code of an error; the envelope has nothing else."""
        self.assertGreaterEqual(answer.status, 400)
        told = answer.json
        self.assertEqual((told["status"], set(told)), ("error", {"status", "error"}))
        self.assertEqual(set(told["error"]), {"code", "message"})
        self.assertIs(type(told["error"]["code"]), int)
        return int(told["error"]["code"])


class DiscoveryTests(RestTestCase):
    def test_the_root(self) -> None:
        """The version of the framework, and the APIs as the next step has them."""
        told = self.get(DISCOVER)
        self.assertLessEqual({"framework_version", "apis"}, set(told))
        self.assertRegex(told["framework_version"], r"^\d+\.\d+\.\d+")
        self.assertEqual(told["apis"], self.get(f"{DISCOVER}/apis"))

    def test_one_api_and_one_version(self) -> None:
        """Each step down gives the part that the step above has."""
        for name, majors in self.get(f"{DISCOVER}/apis").items():
            self.assertEqual(self.get(f"{DISCOVER}/apis/{name}"), {name: majors})
            for major, told in majors.items():
                self.assertEqual(self.get(f"{DISCOVER}/apis/{name}/{major}"), told)

    def test_version_objects(self) -> None:
        """Version, state and path agree with each other."""
        for name, majors in self.get(f"{DISCOVER}/apis").items():
            for major, told in majors.items():
                self.assertLessEqual(set(told), MEMBERS)
                self.assertRegex(told["version"], r"^\d+\.\d+\.\d+(-(alpha|beta)\.\d+)?$")
                self.assertEqual(major, f"v{told['version'].partition('.')[0]}")
                unstable = re.search("alpha|beta", told["version"])
                state = unstable[0] if unstable else "released"
                self.assertEqual(told["state"], state)
                suffix = unstable[0] if unstable else ""
                self.assertEqual(told["rest_api"], f"{REST}/{name}/{major}{suffix}")

    def test_documents(self) -> None:
        """What a version object names is there."""
        self.ours()
        for majors in self.get(f"{DISCOVER}/apis").values():
            for told in majors.values():
                self.assertTrue(self.get(told["rest_openapi"])["openapi"].startswith("3."))
                answer = self.ask(told["doc"], "viewer")
                self.assertEqual(answer.status, 200)
                self.assertIn(told["version"], answer.text)

    def test_what_is_not_there(self) -> None:
        """404 in the envelope."""
        self.ours()
        for path in ("/x", "/apis/x", "/apis/basic-device-info/v1", "/apis/../../etc/passwd"):
            self.assertEqual(self.error(self.ask(DISCOVER + path, "viewer")), 404, path)

    def test_roles(self) -> None:
        """Everybody with an account may discover."""
        self.assert_roles(f"{DISCOVER}/apis", "admin", "operator", "viewer")


class RestTests(RestTestCase):
    def test_every_api_can_be_read(self) -> None:
        """Each API that is discovered is there, and so it is under $all."""
        everything = self.get(f"{REST}/$all", "admin")
        self.assertEqual(everything["status"], "success")
        names = set()
        for name, majors in self.get(f"{DISCOVER}/apis").items():
            for major, told in majors.items():
                read = self.get(told["rest_api"], "admin")
                self.assertEqual(set(read), {"status", "data"})
                self.assertEqual(read["data"], everything["data"][f"{name}.{major}"])
                names.add(f"{name}.{major}")
        self.assertEqual(set(everything["data"]), names)

    def test_roles(self) -> None:
        """Everybody with an account may read; nobody else learns what there is."""
        self.assert_roles(API, "admin", "operator", "viewer")
        for path in (f"{REST}/x/v1", f"{REST}/$all", f"{API}/x", f"{DISCOVER}/x"):
            self.assertEqual(self.ask(path, "").status, 401, path)

    def test_what_is_not_there(self) -> None:
        """404 in the envelope: an API, a version, a property."""
        for path in (f"{REST}/x/v1", f"{REST}/basic-device-info/v77", f"{API}/x"):
            answer = self.ask(path)
            self.assertEqual(answer.status, 404, path)
            self.error(answer)

    def test_missing_data(self) -> None:
        """A body without ``data`` is refused with code 12 and says so."""
        for body in (b"{}", b'{"allowAnonymous": true}'):
            answer = self.ask(f"{API}/allowAnonymous", method="PATCH", body=body)
            self.assertEqual((answer.status, self.error(answer)), (400, 12))
            self.assertIn("There is no 'data' field in the request body", answer.text)


class BasicDeviceInfoTests(RestTestCase):
    def test_allow_anonymous(self) -> None:
        """The one property tells whether anybody may ask what this is, and so it is."""
        self.assertEqual(self.get(f"{API}/allowAnonymous")["data"], True)
        self.assertEqual(self.get(API)["data"], {"allowAnonymous": True})
        path = "/axis-cgi/basicdeviceinfo.cgi"
        self.assertIn("data", self.ask_json(path, "getAllUnrestrictedProperties", role=""))

    def test_it_cannot_be_set_here(self) -> None:
        """What this recorder cannot switch off is refused, and nothing changes."""
        self.ours()
        body = json.dumps({"data": False}).encode()
        for method in ("PATCH", "PUT", "POST"):
            answer = self.ask(f"{API}/allowAnonymous", method=method, body=body)
            self.assertEqual((answer.status, self.error(answer)), (405, 405), method)
        self.assertEqual(self.get(f"{API}/allowAnonymous")["data"], True)
