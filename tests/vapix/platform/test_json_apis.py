"""The JSON APIs of the platform: what they are asked, what they answer, what they refuse."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from axis_nvr.vapix.platform.api_discovery import Api, ApiDiscovery
from axis_nvr.vapix.platform.device_information import (
    RESTRICTED,
    DeviceInformation,
    device_properties,
)
from axis_nvr.vapix.platform.system_ready import SystemReady
from tests.vapix.serving import ServingTestCase

DISCOVERY = "/axis-cgi/apidiscovery.cgi"
INFORMATION = "/axis-cgi/basicdeviceinfo.cgi"
READY = "/axis-cgi/systemready.cgi"


class JsonTestCase(ServingTestCase):
    def setUp(self) -> None:
        super().setUp()
        properties = device_properties("ACCC8E012345", "Feb 14 2026 13:08")
        apis = [
            Api("basic-device-info", "1.3", "Basic Device Information"),
            Api("recording", "1.0", "Recording"),
        ]
        self.serve(
            ApiDiscovery(apis).api().endpoint(before_setup=True),
            DeviceInformation(properties).api().endpoint(before_setup=True),
            SystemReady(self.house.accounts, lambda: 12.7).api().endpoint(before_setup=True),
        )

    def call(self, path: str, method: str, user: str = "", **more: Any) -> dict[str, Any]:
        request = {"apiVersion": "1.0", "method": method, **more}
        answered = self.ask(path, user, method="POST", data=json.dumps(request).encode())
        self.assertEqual(answered.status, 200, answered.text)
        reply: dict[str, Any] = json.loads(answered.text)
        return reply

    def raw(self, path: str, body: bytes) -> dict[str, Any]:
        answered = self.send(path, method="POST", data=body)
        self.assertEqual(answered.status, 200)
        reply: dict[str, Any] = json.loads(answered.text)
        return reply


class SystemReadyTests(JsonTestCase):
    def test_before_and_after_setup(self) -> None:
        """Anybody hears whether there is an administrator."""
        first = self.call(READY, "systemready", params={"timeout": 5})
        self.assertEqual((first["apiVersion"], first["method"]), ("1.4", "systemready"))
        self.assertEqual(first["data"]["needsetup"], "yes")
        self.assertEqual(first["data"]["uptime"], "12")
        self.house.set_up()
        second = self.call(READY, "systemready")
        self.assertEqual(second["data"]["needsetup"], "no")
        self.assertEqual(second["data"]["bootid"], first["data"]["bootid"])


class ApiDiscoveryTests(JsonTestCase):
    def ids(self, **params: str) -> list[str]:
        reply = self.call(DISCOVERY, "getApiList", params=params)
        return [api["id"] for api in reply["data"]["apiList"]]

    def test_filters(self) -> None:
        """Ids and versions are patterns; no match is an empty list."""
        everything = ["api-discovery", "basic-device-info", "recording"]
        self.assertEqual(self.ids(), everything)
        self.assertEqual(self.ids(id="*-*"), everything[:2])
        self.assertEqual(self.ids(id="recordin?", version="1.*"), ["recording"])
        self.assertEqual(self.ids(id="ptz-control"), [])

    def test_wrong_filters(self) -> None:
        """A filter that is no text, or has other characters, is told."""
        for value, code in ((5, 4002), ("a b", 1000), ("[a]", 1000), ("", 1000)):
            reply = self.call(DISCOVERY, "getApiList", params={"id": value})
            self.assertEqual(reply["error"]["code"], code)

    def test_an_entry(self) -> None:
        """An entry has the five members that clients read."""
        reply = self.call(DISCOVERY, "getApiList", params={"id": "recording"}, context="c ö")
        self.assertEqual(reply["context"], "c ö")
        self.assertEqual(
            reply["data"]["apiList"],
            [
                {
                    "id": "recording",
                    "version": "1.0",
                    "name": "Recording",
                    "status": "released",
                    "docLink": "",
                }
            ],
        )


class DeviceInformationTests(JsonTestCase):
    def test_roles(self) -> None:
        """Operators hear all, anybody what is open to all; others are turned away at the door."""
        unrestricted = self.call(INFORMATION, "getAllUnrestrictedProperties")
        names = set(unrestricted["data"]["propertyList"])
        self.assertTrue(names.isdisjoint(RESTRICTED))
        request = json.dumps({"apiVersion": "1.3", "method": "getAllProperties"}).encode()
        before = self.send(INFORMATION, method="POST", data=request)
        self.assertEqual((before.status, before.header("Axis-Setup")), (401, "vapix"))
        self.house.set_up()
        self.assertEqual(self.send(INFORMATION, method="POST", data=request).status, 401)
        self.assertEqual(self.ask(INFORMATION, "vera", method="POST", data=request).status, 403)
        reply = self.call(INFORMATION, "getAllProperties", "otto")
        self.assertEqual(set(reply["data"]["propertyList"]) - names, set(RESTRICTED))
        self.assertNotIn("method", reply)
        self.assertEqual(reply["data"]["propertyList"]["ProdNbr"], "S3008")
        self.assertEqual(reply["data"]["propertyList"]["SerialNumber"], "ACCC8E012345")

    def test_some(self) -> None:
        """The properties that are named; none for none; an error for one that is unknown."""
        self.house.set_up()

        def ask(names: object) -> dict[str, Any]:
            params = {} if names is None else {"propertyList": names}
            return self.call(INFORMATION, "getProperties", "otto", params=params)

        self.assertEqual(ask(["Brand"])["data"], {"propertyList": {"Brand": "AXIS"}})
        self.assertEqual(ask([])["data"], {"propertyList": {}})
        self.assertEqual(ask(["Colour"])["error"]["code"], 1000)
        self.assertEqual(ask(None)["error"]["code"], 4002)
        self.assertEqual(ask("Brand")["error"]["code"], 4002)


class EnvelopeTests(JsonTestCase):
    def test_versions(self) -> None:
        """A major alone will do, any minor too; another major is told, and where none is given."""
        for version in ("1", "1.0", "1.99"):
            reply = self.call(DISCOVERY, "getApiList", apiVersion=version)
            self.assertEqual(reply["apiVersion"], "1.0")
        wrong: list[tuple[object, int]] = [("2.0", 2003), ("x", 2003), (1.0, 2003), (None, 4002)]
        for other, code in wrong:
            reply = self.call(DISCOVERY, "getApiList", apiVersion=other)
            self.assertEqual(reply["error"]["code"], code, other)

    def test_supported_versions(self) -> None:
        """It needs no version."""
        reply = self.raw(INFORMATION, b'{"method": "getSupportedVersions"}')
        self.assertEqual(reply["data"], {"apiVersions": ["1.3"]})

    def test_what_is_no_request(self) -> None:
        """JSON that is none, or is none of ours: the code of the API, HTTP 200."""
        for body, code in (
            (b"", 4000),
            (b"{", 4000),
            (b"[]", 4000),
            (b"\xff", 4000),
            (b"[" * 100_000, 4000),
            (b'{"a":' * 5000, 4000),
            (b"{}", 4002),
            (b'{"method": 5}', 4002),
            (b'{"apiVersion": "1.0", "method": "x"}', 2004),
            (b'{"apiVersion": "1.0", "method": "getApiList", "params": []}', 4002),
        ):
            self.assertEqual(self.raw(DISCOVERY, body)["error"]["code"], code, body[:50])

    def test_get(self) -> None:
        """GET is answered in JSON too, in the words of Axis devices."""
        reply = json.loads(self.send(DISCOVERY).text)
        self.assertEqual(reply["error"]["code"], 2002)
        self.assertIn("HTTP request type 'GET' not supported.", reply["error"]["message"])

    @settings(max_examples=150, deadline=None)
    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["apiVersion", "method", "params", "context", "id"]), inner
                )
            ),
            max_leaves=8,
        )
    )
    def test_any_json(self, value: object) -> None:
        """Whatever comes, an answer goes, and it says whether it is an error."""
        reply = self.raw(DISCOVERY, json.dumps(value).encode())
        self.assertEqual(len({"data", "error"} & set(reply)), 1)
