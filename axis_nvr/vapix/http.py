"""The HTTP server: for now whether the recorder is alive, and how it is.

===================  ===========================================
``/healthz``         ``ok``: the recorder answers
``/``                the status page, for people
``/status.json``     the same, for programs
===================  ===========================================
"""

import json
from collections.abc import Callable
from dataclasses import asdict

from klein import Klein
from twisted.web.http import Request
from twisted.web.iweb import IRequest
from twisted.web.resource import IResource
from twisted.web.server import Site

from axis_nvr.services.status import RecorderReport
from axis_nvr.vapix.status_page import CONTENT_SECURITY_POLICY, status_page

#: A connection on which nothing happens is closed, in seconds.
IDLE_SECONDS = 60

#: On every answer.
HEADERS = {
    b"Cache-Control": b"no-store",
    b"Content-Security-Policy": CONTENT_SECURITY_POLICY.encode(),
    b"Referrer-Policy": b"no-referrer",
    b"Server": b"axis_nvr",
    b"X-Content-Type-Options": b"nosniff",
}


class HttpApi:
    """Answers requests out of reports.

    :param report: makes a report of the recorder as it is now.
    """

    _app = Klein()

    def __init__(self, report: Callable[[], RecorderReport]) -> None:
        self._report = report

    @_app.route("/healthz", methods=["GET", "HEAD"])
    def health(self, request: IRequest) -> bytes:
        """Say that the recorder answers."""
        _prepare(request, b"text/plain; charset=utf-8")
        return b"ok\n"

    @_app.route("/", methods=["GET", "HEAD"])
    def page(self, request: IRequest) -> bytes:
        """Show how the recorder is."""
        _prepare(request, b"text/html; charset=utf-8")
        return status_page(self._report()).encode()

    @_app.route("/status.json", methods=["GET", "HEAD"])
    def document(self, request: IRequest) -> bytes:
        """Tell how the recorder is."""
        _prepare(request, b"application/json")
        return json.dumps(asdict(self._report()), indent=1).encode() + b"\n"

    def resource(self) -> IResource:
        """Return what a site serves."""
        resource: IResource = self._app.resource()
        return resource

    def site(self) -> Site:
        """Return the server's factory; for TCP or TLS."""
        return _QuietSite(self.resource(), timeout=IDLE_SECONDS)


class _QuietSite(Site):
    """Tells the log of no connection and no request: a page that refreshes itself makes many."""

    noisy = False
    displayTracebacks = False  # noqa: N815 - Twisted's name

    def log(self, request: Request) -> None:
        """Say nothing."""


def _prepare(request: IRequest, content_type: bytes) -> None:
    request.setHeader(b"Content-Type", content_type)
    for name, value in HEADERS.items():
        request.setHeader(name, value)
