"""``basicdeviceinfo.cgi``: what this product is; where clients begin when there is no param.cgi."""

import platform
from typing import Any

from axis_nvr.services.accounts import Role
from axis_nvr.vapix.call import Call
from axis_nvr.vapix.json_api import FAMILY_A, JsonApi, JsonError, JsonMethod

#: Told only to operators and administrators.
RESTRICTED = ("Architecture", "Soc", "SocSerialNumber")
#: Properties that one request may name.
MAX_NAMES = 200
#: The firmware that we answer like: clients compare it to find out what a device can do.
AXIS_OS = "12.6.85"


def device_properties(serial: str, build_date: str) -> dict[str, str]:
    """Return the properties by name, as a client that knows the AXIS S3008 expects them.

    :param build_date: such as ``Feb 14 2018 13:08``.
    """
    return {
        "Architecture": platform.machine(),
        "Brand": "AXIS",
        "BuildDate": build_date,
        "HardwareID": "axis_nvr",
        "ProdFullName": "AXIS S3008 Recorder",
        "ProdNbr": "S3008",
        "ProdShortName": "AXIS S3008",
        "ProdType": "Network Video Recorder",
        "ProdVariant": "",
        "SerialNumber": serial,
        "Soc": platform.processor() or platform.machine(),
        "SocSerialNumber": f"00000000-00000000-{serial[:8]}-{serial[8:]}0000",
        "Version": AXIS_OS,
        "WebURL": "http://www.axis.com",
    }


class DeviceInformation:
    """Tells the properties."""

    def __init__(self, properties: dict[str, str]) -> None:
        self._properties = properties

    def api(self) -> JsonApi:
        """Return the API."""
        methods = {
            "getAllProperties": JsonMethod(self.all, Role.OPERATOR),
            "getProperties": JsonMethod(self.some, Role.OPERATOR),
            "getAllUnrestrictedProperties": JsonMethod(self.unrestricted, None),
        }
        path = "/axis-cgi/basicdeviceinfo.cgi"
        return JsonApi(path, {1: 3}, methods, tells_method=False)

    async def all(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        """Tell all of them."""
        return {"propertyList": self._properties}

    async def unrestricted(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        """Tell what anybody may know."""
        open_to_all = {n: v for n, v in self._properties.items() if n not in RESTRICTED}
        return {"propertyList": open_to_all}

    async def some(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        """Tell those that were asked for."""
        names = params.get("propertyList")
        if not isinstance(names, list) or len(names) > MAX_NAMES:
            raise JsonError(FAMILY_A.missing, "'propertyList' is missing or wrong")
        found = {}
        for name in names:
            if not isinstance(name, str) or name not in self._properties:
                raise JsonError(1000, f"Property not supported: {name!s:.100}")
            found[name] = self._properties[name]
        return {"propertyList": found}
