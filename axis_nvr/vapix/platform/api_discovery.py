"""``apidiscovery.cgi``: which APIs there are, in which versions."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from axis_nvr.vapix.call import Call
from axis_nvr.vapix.json_api import FAMILY_A, JsonApi, JsonError, JsonMethod

_ID = re.compile(r"[A-Za-z0-9_*?-]{1,100}", re.ASCII)
_VERSION = re.compile(r"[A-Za-z0-9_.*?-]{1,100}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Api:
    """An API that is served.

    :param version: major and highest minor.
    """

    id: str
    version: str
    name: str
    status: str = "released"


class ApiDiscovery:
    """Tells the APIs that are served, itself among them."""

    def __init__(self, apis: Iterable[Api]) -> None:
        own = Api("api-discovery", "1.0", "API Discovery Service")
        self._apis = sorted([own, *apis], key=lambda api: (api.id, api.version))

    def api(self) -> JsonApi:
        """Return the API."""
        methods = {"getApiList": JsonMethod(self.get_api_list, None)}
        return JsonApi("/axis-cgi/apidiscovery.cgi", {1: 0}, methods)

    async def get_api_list(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        """List the APIs whose id and version match."""
        id_pattern = _pattern(params, "id", _ID)
        version_pattern = _pattern(params, "version", _VERSION)
        found = [
            {
                "id": api.id,
                "version": api.version,
                "name": api.name,
                "status": api.status,
                "docLink": "",
            }
            for api in self._apis
            if fnmatchcase(api.id, id_pattern) and fnmatchcase(api.version, version_pattern)
        ]
        return {"apiList": found}


def _pattern(params: dict[str, Any], name: str, form: re.Pattern[str]) -> str:
    """Read a filter: ``*`` stands for any characters, ``?`` for one."""
    value = params.get(name, "*")
    if not isinstance(value, str):
        raise JsonError(FAMILY_A.missing, f"The parameter '{name}' is not a string")
    if not form.fullmatch(value):
        raise JsonError(1000, f"The value of the parameter '{name}' is invalid")
    return value
