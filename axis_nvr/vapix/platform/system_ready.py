"""``systemready.cgi``: whether the recorder is ready, and whether it wants an administrator."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from axis_nvr.services.accounts import Accounts
from axis_nvr.vapix.call import Call
from axis_nvr.vapix.json_api import Codes, JsonApi, JsonMethod

#: Its page knows but two codes, both for what goes wrong inside.
CODES = Codes(1000, 1000, 1000, 1000, 9000, 1000)


class SystemReady:
    """Tells that the recorder is ready: who can ask it, can use it.

    :param uptime: seconds since the recorder started.
    """

    def __init__(self, accounts: Accounts, uptime: Callable[[], float]) -> None:
        self._accounts = accounts
        self._uptime = uptime
        self._boot_id = str(uuid4())

    def api(self) -> JsonApi:
        """Return the API."""
        methods = {"systemready": JsonMethod(self.system_ready, None)}
        return JsonApi("/axis-cgi/systemready.cgi", {1: 4}, methods, CODES)

    async def system_ready(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        """Answer at once: there is no start in which this is answered and all else is not."""
        return {
            "systemready": "yes",
            "needsetup": "yes" if self._accounts.needs_setup else "no",
            "uptime": str(int(self._uptime())),
            "bootid": self._boot_id,
        }
