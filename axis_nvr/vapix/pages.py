"""Pages for people and for those who watch: is the recorder alive, and how is it.

===================  ================================  ==============
``/healthz``         ``ok``: the recorder answers      for anybody
``/``                the status page, for people       for viewers
``/status.json``     the same, for programs            for viewers
===================  ================================  ==============
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict

from axis_nvr.services.accounts import Role
from axis_nvr.services.status import RecorderReport
from axis_nvr.vapix.call import Call, Endpoint, Reply, text_reply
from axis_nvr.vapix.status_page import CONTENT_SECURITY_POLICY, status_page


class Pages:
    """Serves them out of reports.

    :param report: makes a report of the recorder as it is now.
    :param look: sees to it that the report tells of the disks as they are; awaited before.
    """

    def __init__(
        self, report: Callable[[], RecorderReport], look: Callable[[], Awaitable[None]]
    ) -> None:
        self._report = report
        self._look = look

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return what serves them."""
        return (
            Endpoint("/healthz", self.health, None, ("GET",), before_setup=True),
            Endpoint("/", self.page, Role.VIEWER, ("GET",)),
            Endpoint("/status.json", self.status, Role.VIEWER, ("GET",)),
        )

    async def health(self, call: Call) -> Reply:
        """Say that the recorder answers."""
        return text_reply("ok\n")

    async def page(self, call: Call) -> Reply:
        """Show how the recorder is."""
        await self._look()
        policy = ("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        page = status_page(self._report()).encode()
        return Reply(page, "text/html; charset=utf-8", headers=(policy,))

    async def status(self, call: Call) -> Reply:
        """Tell how the recorder is."""
        await self._look()
        told = json.dumps(asdict(self._report()), indent=1)
        return Reply(f"{told}\n".encode(), "application/json")
