"""The envelope of the JSON CGIs: one path, a method by name, versions, error codes.

::

    {"apiVersion": "1.0", "context": "echoed", "method": "getApiList", "params": {}}
    {"apiVersion": "1.3", "context": "echoed", "method": "getApiList", "data": {}}
    {"apiVersion": "1.3", "context": "echoed", "method": "x", "error": {"code": 1, "message": ""}}

The version of a reply is the highest minor of the major that was asked for. Errors of an API are
answered with HTTP 200. Codes differ from API to API: each has a `Codes`.
"""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from axis_nvr.errors import NvrError
from axis_nvr.services.accounts import Role
from axis_nvr.vapix.call import Call, Endpoint, NeedsRole, Reply

#: How deep a request may be nested.
MAX_DEPTH = 32
#: Characters of a ``context``.
MAX_CONTEXT_CHARACTERS = 4096

_VERSION = re.compile(r"([0-9]{1,4})(?:\.([0-9]{1,4}))?", re.ASCII)


class JsonError(NvrError):
    """A method cannot do what it was asked for.

    :param code: of its API.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Codes:
    """What an API says about requests that are wrong in themselves.

    :param missing: a parameter is missing, or is not what it should be.
    """

    invalid_json: int
    unknown_method: int
    unknown_version: int
    missing: int
    internal: int
    not_post: int


#: Of API discovery, basic device information and most APIs of cameras.
FAMILY_A = Codes(4000, 2004, 2003, 4002, 8000, 2002)

#: Gets the parameters; gives the data. Raises `JsonError`.
Method = Callable[[Call, dict[str, Any]], Awaitable[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class JsonMethod:
    """A method.

    :param role: the least that is needed; None: anybody.
    """

    run: Method
    role: Role | None


@dataclass(frozen=True, slots=True)
class JsonApi:
    """An API behind one path.

    :param versions: the highest minor of each major, such as ``{1: 3}``.
    :param tells_method: whether a success tells the method again.
    """

    path: str
    versions: Mapping[int, int]
    methods: Mapping[str, JsonMethod]
    codes: Codes = FAMILY_A
    tells_method: bool = True

    def endpoint(self, *, before_setup: bool = False) -> Endpoint:
        """Return what serves it; who may do what is told by its methods."""
        methods = ("GET", "POST", "PUT", "PATCH", "DELETE")
        return Endpoint(self.path, self.answer, None, methods, before_setup)

    async def answer(self, call: Call) -> Reply:
        """Answer one request."""
        reply: dict[str, Any] = {"apiVersion": self._newest()}
        try:
            await self._fill(call, reply)
        except JsonError as error:
            reply["error"] = {"code": error.code, "message": error.message}
        text = json.dumps(reply, ensure_ascii=False)
        return Reply(text.encode("utf-8", "replace"), "application/json")

    async def _fill(self, call: Call, reply: dict[str, Any]) -> None:
        if call.method != "POST":
            message = f"HTTP request type '{call.method}' not supported."
            message += " Only HTTP request type 'POST' is supported"
            raise JsonError(self.codes.not_post, message)
        request = self._parse(call.body)
        context = request.get("context")
        if isinstance(context, str):
            reply["context"] = context[:MAX_CONTEXT_CHARACTERS]
        name = request.get("method")
        if not isinstance(name, str):
            raise JsonError(self.codes.missing, "Required parameter 'method' is missing or wrong")
        if name == "getSupportedVersions":
            reply |= {"method": name, "data": {"apiVersions": self._all_versions()}}
            return
        reply["apiVersion"] = self._version(request.get("apiVersion"))
        method = self.methods.get(name)
        if method is None:
            message = f"JSON semantic error: Unknown method '{name:.100}'"
            raise JsonError(self.codes.unknown_method, message)
        if method.role is not None and (call.role is None or call.role < method.role):
            raise NeedsRole(method.role)
        params = request.get("params")
        if params is not None and not isinstance(params, dict):
            raise JsonError(self.codes.missing, "'params' is no object")
        data = await method.run(call, params or {})
        if self.tells_method:
            reply["method"] = name
        reply["data"] = data

    def _parse(self, body: bytes) -> dict[str, Any]:
        try:
            return parse_object(body)
        except ValueError as error:
            raise JsonError(self.codes.invalid_json, f"Invalid JSON: {error}") from None

    def _version(self, asked: object) -> str:
        if asked is None:
            message = "Required parameter 'apiVersion' is missing or wrong"
            raise JsonError(self.codes.missing, message)
        match = _VERSION.fullmatch(asked) if isinstance(asked, str) else None
        major = int(match[1]) if match else -1
        if major not in self.versions:
            message = f"The requested API version {asked!s:.20} is not supported"
            raise JsonError(self.codes.unknown_version, message)
        return f"{major}.{self.versions[major]}"

    def _all_versions(self) -> list[str]:
        return [f"{major}.{minor}" for major, minor in sorted(self.versions.items())]

    def _newest(self) -> str:
        return self._all_versions()[-1]


def parse_object(body: bytes) -> dict[str, Any]:
    """Read a request's body: a JSON object, nested no deeper than `MAX_DEPTH`.

    :raises ValueError: it is none.
    """
    text = body.decode("utf-8-sig")
    if _depth(text) > MAX_DEPTH:
        raise ValueError(f"nested deeper than {MAX_DEPTH}")
    request = json.loads(text)
    if not isinstance(request, dict):
        raise ValueError("no object")
    return request


def _depth(text: str) -> int:
    """Tell how deep brackets are nested, those in texts included: an upper bound."""
    deepest = depth = 0
    for mark in re.findall(r"[\[\]{}]", text):
        depth += 1 if mark in "[{" else -1
        deepest = max(deepest, depth)
    return deepest
