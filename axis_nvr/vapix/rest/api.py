"""``/config/rest`` and ``/config/discover``: the device configuration APIs over HTTP.

=======================================  ==========================================================
``GET /config/rest/<api>/v<n>/…``        ``{"status": "success", "data": …}``
``PATCH``, ``PUT``                       with ``{"data": …}``: set a property, or some of an entity
``POST`` on a collection                 add to it: 201
``POST`` on an action                    trigger it
``DELETE`` on an item                    remove it
``GET /config/rest/$all``                ``data``: ``{"<api>.v<n>": …}``
an error                                 ``{"status": "error", "error": {"code", "message"}}``
=======================================  ==========================================================
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from axis_nvr.errors import NvrError
from axis_nvr.services.accounts import Role
from axis_nvr.services.audit import Audit
from axis_nvr.vapix.call import Call, Endpoint, Reply
from axis_nvr.vapix.json_api import parse_object
from axis_nvr.vapix.rest.documents import markdown, openapi
from axis_nvr.vapix.rest.tree import (
    BAD_BODY,
    Action,
    Collection,
    Entity,
    RestError,
    change,
    locate,
    need,
    read,
)

FRAMEWORK_VERSION = "1.0.0"
_DISCOVER, _REST = "/config/discover", "/config/rest"
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True, slots=True)
class RestApi:
    """An API.

    :param version: such as ``2.0.1`` or ``2.0.0-beta.2``.
    :param errors: HTTP status of each error of the services that it calls; 400 for others.
    """

    name: str
    version: str
    root: Entity
    title: str
    state: str = "released"
    errors: Mapping[type[NvrError], int] = field(default_factory=dict)

    @property
    def major(self) -> str:
        """Its major version, such as ``v2``."""
        return "v" + self.version.partition(".")[0]

    @property
    def path(self) -> str:
        """Where it is served: ``beta`` and ``alpha`` stand in the path."""
        suffix = "" if self.state == "released" else self.state
        return f"{_REST}/{self.name}/{self.major}{suffix}"

    def described(self) -> dict[str, str]:
        """Describe it as discovery does.

        There is no ``model``, whose form is not published, and there are no pages: neither
        ``doc_html`` nor ``rest_ui``.
        """
        place = f"{_DISCOVER}/apis/{self.name}/{self.major}"
        return {
            "doc": f"{place}/doc.md",
            "rest_api": self.path,
            "rest_openapi": f"{place}/openapi.json",
            "state": self.state,
            "version": self.version,
        }


class RestRoot:
    """Serves the APIs, and tells which there are."""

    def __init__(self, apis: Sequence[RestApi], audit: Audit) -> None:
        self._apis = sorted(apis, key=lambda api: (api.name, api.major))
        self._audit = audit

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return what serves them."""
        return (
            Endpoint(_DISCOVER, self.discover, Role.VIEWER, ("GET",)),
            Endpoint(f"{_DISCOVER}/<path:rest>", self.discover, Role.VIEWER, ("GET",)),
            Endpoint(f"{_REST}/<path:rest>", self.serve, Role.VIEWER, _METHODS),
        )

    async def discover(self, call: Call) -> Reply:
        """Tell which APIs there are, or more of one."""
        versions: dict[str, dict[str, RestApi]] = {}
        for api in self._apis:
            versions.setdefault(api.name, {})[api.major] = api
        told = {
            name: {major: api.described() for major, api in majors.items()}
            for name, majors in versions.items()
        }
        match _segments(call, _DISCOVER):
            case []:
                return _json({"framework_version": FRAMEWORK_VERSION, "apis": told})
            case ["apis"]:
                return _json(told)
            case ["apis", name] if name in told:
                return _json({name: told[name]})
            case ["apis", name, major] if major in told.get(name, ()):
                return _json(told[name][major])
            case ["apis", name, major, "openapi.json"] if major in told.get(name, ()):
                api = versions[name][major]
                return _json(openapi(api.title, api.version, api.path, api.root))
            case ["apis", name, major, "doc.md"] if major in told.get(name, ()):
                api = versions[name][major]
                text = markdown(api.title, api.version, api.path, api.root)
                return Reply(text.encode(), "text/markdown; charset=utf-8")
        return _error(RestError(404, "There is no such API"))

    async def serve(self, call: Call) -> Reply:
        """Answer a request to an API."""
        segments = _segments(call, _REST)
        try:
            if segments == ["$all"]:
                return self._all(call)
            return await self._answer(call, segments)
        except RestError as error:
            return _error(error)

    def _all(self, call: Call) -> Reply:
        if call.method != "GET":
            raise RestError(405, "This can only be read")
        return _success({f"{a.name}.{a.major}": read(a.root, call) for a in self._apis})

    async def _answer(self, call: Call, segments: list[str]) -> Reply:
        for api in self._apis:
            if segments[:2] == api.path.split("/")[3:]:
                break
        else:
            raise RestError(404, "There is no such API")
        try:
            return await self._do(api, call, segments[2:])
        except RestError:
            raise
        except NvrError as error:
            raise RestError(api.errors.get(type(error), 400), str(error)) from error

    async def _do(self, api: RestApi, call: Call, segments: list[str]) -> Reply:
        place = locate(api.root, segments)
        node, parent = place.node, place.parent
        if call.method == "GET":
            return _success(read(node, call))
        data, status = None, 200
        if call.method == "DELETE":
            if not isinstance(parent, Collection) or parent.remove is None:
                raise RestError(405, "This cannot be removed")
            need(call, parent.changers, "removed")
            await parent.remove(call, place.key)
        elif isinstance(node, Action) and call.method in ("POST", "PUT"):
            need(call, node.role, "triggered")
            data = await node.run(call, _object(call))
        elif isinstance(node, Collection) and call.method == "POST" and node.add is not None:
            need(call, node.changers, "added to")
            data, status = await node.add(call, _object(call)), 201
        else:
            await change(place, call, _data(call))
        words = {"DELETE": "delete"}.get(call.method, "create" if status == 201 else "change")
        self._audit.note(call.account, call.address, words, f"{api.name} {'/'.join(segments)}")
        return _success(data, status)


def _segments(call: Call, root: str) -> list[str]:
    rest = call.path.removeprefix(root).strip("/")
    return [unquote(segment) for segment in rest.split("/")] if rest else []


def _data(call: Call) -> Any:
    """Read the body of a request."""
    try:
        body = parse_object(call.body)
    except ValueError as error:
        raise RestError(400, f"Invalid JSON body: {error}", BAD_BODY) from None
    if "data" not in body:
        message = "Invalid JSON body: There is no 'data' field in the request body"
        raise RestError(400, message, BAD_BODY)
    return body["data"]


def _object(call: Call) -> dict[str, Any]:
    data = _data(call)
    if not isinstance(data, dict):
        raise RestError(400, "Invalid JSON body: 'data' is no object", BAD_BODY)
    return data


def _json(value: object, status: int = 200) -> Reply:
    text = json.dumps(value, ensure_ascii=False)
    return Reply(text.encode("utf-8", "replace"), "application/json", status)


def _success(data: object, status: int = 200) -> Reply:
    told: dict[str, object] = {"status": "success"}
    return _json(told if data is None else told | {"data": data}, status)


def _error(error: RestError) -> Reply:
    told = {"code": error.code, "message": error.message}
    return _json({"status": "error", "error": told}, error.status)
