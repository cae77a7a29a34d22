"""The frame of the device configuration APIs, with an API made for the purpose."""

import json
from typing import Any

from axis_nvr.errors import NvrError
from axis_nvr.services.accounts import Role
from axis_nvr.vapix.call import Call
from axis_nvr.vapix.rest.api import RestApi, RestRoot
from axis_nvr.vapix.rest.tree import Action, Collection, Entity, Property
from tests.vapix.serving import Answered, ServingTestCase

PATH = "/config/rest/garden/v2"


class Taken(NvrError):
    """There is one already."""


class Garden:
    """What the API is about."""

    def __init__(self) -> None:
        self.settings: dict[str, Any] = {"name": "north", "size": 5, "secret": "rose", "on": True}
        self.gate: dict[str, Any] = {"isOpen": False}
        self.plants: dict[str, dict[str, Any]] = {"a": {"tags": ["x"]}, "b/c": {"tags": []}}
        self.rung = 0

    def api(self) -> RestApi:
        settings = self.settings
        root = Entity(
            {
                "name": Property(lambda: settings["name"], "string", setters=Role.OPERATOR),
                "size": Property(
                    lambda: settings["size"],
                    "integer",
                    setters=Role.ADMIN,
                    accepts=lambda value: 0 < value < 10,
                ),
                "secret": Property(
                    lambda: settings["secret"], "string", readers=Role.ADMIN, setters=Role.ADMIN
                ),
                "password": Property(lambda: "", "string", readers=None, setters=Role.ADMIN),
                "on": Property(lambda: settings["on"], "boolean"),
                "gate": Entity(
                    {
                        "isOpen": Property(
                            lambda: self.gate["isOpen"], "boolean", setters=Role.OPERATOR
                        )
                    },
                    self.swing,
                ),
                "plants": Collection(
                    lambda: self.plants, self.plant, self.add, self.remove, Role.OPERATOR
                ),
                "ring": Action(self.ring, Role.OPERATOR),
            },
            self.set,
        )
        return RestApi("garden", "2.0.1", root, "Garden", errors={Taken: 409})

    async def set(self, call: Call, values: dict[str, Any]) -> None:
        self.settings.update(values)

    async def swing(self, call: Call, values: dict[str, Any]) -> None:
        self.gate.update(values)

    def plant(self, key: str) -> Entity:
        async def change(call: Call, values: dict[str, Any]) -> None:
            self.plants[key].update(values)

        tags = Property(lambda: self.plants[key]["tags"], "strings", setters=Role.OPERATOR)
        return Entity({"tags": tags}, change)

    async def add(self, call: Call, data: dict[str, Any]) -> Any:
        if data["id"] in self.plants:
            raise Taken(data["id"])
        self.plants[data["id"]] = {"tags": []}
        return data["id"]

    async def remove(self, call: Call, key: str) -> None:
        del self.plants[key]

    async def ring(self, call: Call, data: dict[str, Any]) -> Any:
        self.rung += 1
        return {"times": self.rung} if data else None


class RestTestCase(ServingTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.house.set_up()
        self.garden = Garden()
        self.serve(*RestRoot([self.garden.api()], self.house.audit).endpoints())

    def do(self, method: str, path: str, user: str = "ann", body: object = None) -> Answered:
        data = b"" if body is None else json.dumps(body).encode()
        return self.ask(PATH + path, user, method=method, data=data)

    def data(self, path: str, user: str = "ann") -> Any:
        """What stands there."""
        answered = self.do("GET", path, user)
        self.assertEqual((answered.status, answered.header("Content-Type")), (200, JSON))
        told = json.loads(answered.body)
        self.assertEqual(set(told), {"status", "data"})
        return told["data"]

    def error(self, answered: Answered) -> tuple[int, int]:
        """Status and code of an error."""
        told = json.loads(answered.body)
        self.assertEqual((told["status"], set(told)), ("error", {"status", "error"}))
        self.assertEqual(set(told["error"]), {"code", "message"})
        return answered.status, told["error"]["code"]


JSON = "application/json"


class ReadingTests(RestTestCase):
    def test_each_kind(self) -> None:
        """A property is its value, an entity an object, a collection an array of objects."""
        self.assertEqual(self.data("/name"), "north")
        self.assertEqual(self.data("/gate"), {"isOpen": False})
        self.assertEqual(self.data("/plants"), [{"tags": ["x"]}, {"tags": []}])
        self.assertEqual(self.data("/plants/a"), {"tags": ["x"]})
        self.assertEqual(self.data("/plants/b%2Fc/tags"), [])

    def test_a_whole_without_what_one_may_not_see(self) -> None:
        """A whole API is nested; parts that the asker may not read are left out."""
        seen = {"name": "north", "size": 5, "on": True, "gate": {"isOpen": False}}
        plants = [{"tags": ["x"]}, {"tags": []}]
        self.assertEqual(self.data("", "vera"), {**seen, "plants": plants})
        self.assertEqual(self.data(""), {**seen, "secret": "rose", "plants": plants})

    def test_everything(self) -> None:
        """``$all`` maps each API with its major version to its content."""
        answered = self.ask("/config/rest/$all", "vera")
        told = json.loads(answered.body)
        self.assertEqual(list(told["data"]), ["garden.v2"])
        self.assertNotIn("secret", told["data"]["garden.v2"])
        self.assertEqual(self.ask("/config/rest/$all", "ann", method="PATCH").status, 405)

    def test_what_is_not_there(self) -> None:
        """404 in the envelope, at every depth; an account is needed to learn it."""
        for path in ("/x", "/name/x", "/plants/z", "/plants/a/x", "/gate/isOpen/x", "/..", "/%00"):
            self.assertEqual(self.error(self.do("GET", path)), (404, 404), path)
            self.assertEqual(self.do("GET", path, "").status, 401, path)
        for path in ("/config/rest/garden", "/config/rest/garden/v1", "/config/rest/x/v2"):
            self.assertEqual(self.error(self.ask(path, "ann")), (404, 404), path)

    def test_what_cannot_be_read(self) -> None:
        """An action, and what nobody may read; a role that is too low gets 403."""
        self.assertEqual(self.error(self.do("GET", "/ring")), (405, 405))
        self.assertEqual(self.error(self.do("GET", "/password")), (405, 405))
        self.assertEqual(self.do("GET", "/secret", "otto").status, 403)


class ChangingTests(RestTestCase):
    def test_a_property(self) -> None:
        """PATCH and PUT set it; the data is the value, or the value under its name."""
        for method, data in (("PATCH", "a"), ("PUT", "b"), ("PATCH", {"name": "c"})):
            answered = self.do(method, "/name", "otto", {"data": data})
            self.assertEqual(answered.text, '{"status": "success"}')
        self.assertEqual(self.garden.settings["name"], "c")

    def test_some_of_an_entity(self) -> None:
        """What is named changes, in inner entities too."""
        self.do("PATCH", "", "ann", {"data": {"size": 7, "gate": {"isOpen": True}}})
        self.assertEqual((self.garden.settings["size"], self.garden.gate["isOpen"]), (7, True))
        self.assertEqual(self.garden.settings["name"], "north")
        self.do("PATCH", "/plants/a", "otto", {"data": {"tags": ["p", "q"]}})
        self.assertEqual(self.garden.plants["a"]["tags"], ["p", "q"])

    def test_all_or_nothing(self) -> None:
        """If one part cannot be set, none is."""
        for user, data, status in (
            ("ann", {"name": "x", "size": 10}, 400),
            ("ann", {"name": "x", "size": "7"}, 400),
            ("ann", {"name": "x", "size": True}, 400),
            ("ann", {"name": "x", "nothing": 1}, 400),
            ("ann", {"name": "x", "plants": []}, 400),
            ("ann", {"name": "x", "on": False}, 405),
            ("otto", {"name": "x", "size": 7}, 403),
            ("ann", {"name": "x", "gate": {"isOpen": 1}}, 400),
            ("ann", {"name": "x", "gate": {}}, 400),
        ):
            self.assertEqual(self.do("PATCH", "", user, {"data": data}).status, status, data)
        for wrong in ([1], "x", None, {"x": 1}):
            self.do("PATCH", "/plants/a/tags", "ann", {"data": wrong})
        self.assertEqual(self.garden.settings, Garden().settings)
        self.assertEqual((self.garden.gate, self.garden.plants), (Garden().gate, Garden().plants))

    def test_bodies(self) -> None:
        """Code 12 for a body that is none, or has no ``data``."""
        for body in (b"", b"{", b"[]", b'"x"', b"{}", b'{"name": "x"}', b"\xff", b"[" * 100):
            answered = self.ask(f"{PATH}/name", "ann", method="PATCH", data=body)
            self.assertEqual(self.error(answered), (400, 12), body)
        answered = self.ask(f"{PATH}/name", "ann", method="PATCH", data=b"{}")
        self.assertIn("There is no 'data' field in the request body", answered.text)

    def test_what_cannot_be_set(self) -> None:
        """A property without setters, a collection."""
        self.assertEqual(self.error(self.do("PATCH", "/on", body={"data": False})), (405, 405))
        self.assertEqual(self.error(self.do("PATCH", "/plants", body={"data": []})), (405, 405))

    def test_adding_and_removing(self) -> None:
        """POST adds with 201 and gives the key; DELETE removes; errors have their status."""
        answered = self.do("POST", "/plants", "otto", {"data": {"id": "d"}})
        self.assertEqual(answered.status, 201)
        self.assertEqual(json.loads(answered.body), {"status": "success", "data": "d"})
        again = self.do("POST", "/plants", "otto", {"data": {"id": "d"}})
        self.assertEqual(self.error(again), (409, 409))
        self.assertEqual(self.do("POST", "/plants", "vera", {"data": {"id": "e"}}).status, 403)
        self.assertEqual(self.do("DELETE", "/plants/d", "vera").status, 403)
        self.assertEqual(self.do("DELETE", "/plants/d", "otto").text, '{"status": "success"}')
        self.assertEqual(self.error(self.do("DELETE", "/plants/d")), (404, 404))
        for path in ("/name", "", "/plants", "/gate", "/ring"):
            self.assertEqual(self.error(self.do("DELETE", path)), (405, 405), path)
        self.assertEqual(self.garden.plants, Garden().plants)

    def test_actions(self) -> None:
        """POST triggers with an object; what it gives is told, nothing is not."""
        self.assertEqual(self.do("POST", "/ring", "otto", {"data": {}}).text, OK)
        answered = self.do("PUT", "/ring", "otto", {"data": {"loud": True}})
        self.assertEqual(json.loads(answered.body)["data"], {"times": 2})
        self.assertEqual(self.do("POST", "/ring", "vera", {"data": {}}).status, 403)
        self.assertEqual(self.error(self.do("POST", "/ring", body={"data": 1})), (400, 12))
        self.assertEqual(self.garden.rung, 2)

    def test_what_was_done_is_noted(self) -> None:
        """Each change is in the audit log, and no refusal and no reading is."""
        self.data("")
        self.do("PATCH", "/size", body={"data": 99})
        self.do("PATCH", "/size", body={"data": 3})
        self.do("DELETE", "/plants/a")
        entries = self.successResultOf(self.house.audit.newest(10))
        told = [(entry.account, entry.action, entry.target) for entry in entries]
        self.assertEqual(
            told, [("ann", "delete", "garden plants/a"), ("ann", "change", "garden size")]
        )


OK = '{"status": "success"}'


class DiscoveryTests(RestTestCase):
    def test_documents(self) -> None:
        """OpenAPI and the page tell what may be done, and by whom."""
        place = "/config/discover/apis/garden/v2"
        told = json.loads(self.ask(f"{place}/openapi.json", "vera").body)
        self.assertEqual(told["servers"], [{"url": PATH}])
        paths = told["paths"]
        self.assertEqual(set(paths["/name"]), {"get", "patch"})
        self.assertEqual(set(paths["/on"]), {"get"})
        self.assertEqual(set(paths["/password"]), {"patch"})
        self.assertEqual(set(paths["/plants"]), {"get", "post"})
        self.assertEqual(set(paths["/plants/{key}"]), {"get", "patch", "delete", "parameters"})
        self.assertEqual(set(paths["/ring"]), {"post"})
        page = self.ask(f"{place}/doc.md", "vera").text
        self.assertIn("| `/size` | property, integer | get (viewer), set (admin) |", page)
        self.assertIn("| `/plants/{key}` | entity | get (viewer), remove (operator) |", page)
